"""The real server in this process: what it tells far ends, what stops its start, and how it ends."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import msgspec
import pytest

from b2bua import wiring
from b2bua.config import BadConfig, Config, MediaConfig, ServerConfig, StirConfig
from store.errors import StoreError

HOST = "127.0.0.1"


def config(folder: Path, media_address: str = "") -> Config:
    return Config(
        server=ServerConfig(database=f"sqlite:///{folder}/ringback.db"),
        media=MediaConfig(address=media_address, ports="44000-44999"),
    )


async def start(config: Config, stack: AsyncExitStack) -> wiring.Running:
    return await wiring.run_server(config, stack, sip=wiring.free_sip(HOST, 0), base_url="http://127.0.0.1")


async def test_far_ends_are_told_the_address_where_media_is_received(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        running = await start(config(tmp_path, "127.0.0.9"), stack)
        port = running.engine.open(lambda event: None)
        assert port.address == "127.0.0.9"
        assert running.sip[0] == HOST


async def test_a_page_leaves_at_once_and_waits_for_no_acknowledgement() -> None:
    """Nagle's algorithm would hold back the second half of each answer for 40 ms."""
    nodelay = asyncio.get_running_loop().create_future()

    async def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nodelay.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listener = wiring.bind_http(HOST, 0)
    async with await asyncio.start_server(met, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await nodelay
        writer.close()


async def test_a_media_address_of_another_machine_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    sip = wiring.free_sip(HOST, 0)
    async with AsyncExitStack() as stack:
        stack.callback(sip.close)
        with pytest.raises(BadConfig, match=r'media.address = "192.0.2.1": Cannot assign requested address'):
            await wiring.run_server(config(tmp_path, "192.0.2.1"), stack, sip=sip, base_url="http://127.0.0.1")


async def test_files_for_signing_that_are_not_there_stop_the_start_with_a_sentence(tmp_path: Path) -> None:
    stir = StirConfig(key=f"{tmp_path}/key", certificate=f"{tmp_path}/cert", x5u="https://cert.example.org/c")
    sip = wiring.free_sip(HOST, 0)
    async with AsyncExitStack() as stack:
        stack.callback(sip.close)
        with pytest.raises(BadConfig, match=r"^\[stir\]: .*No such file or directory: .*/key"):
            await wiring.run_server(
                msgspec.structs.replace(config(tmp_path), stir=stir), stack, sip=sip, base_url="http://127.0.0.1"
            )


async def test_a_second_server_on_one_database_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    second = wiring.free_sip(HOST, 0)
    async with AsyncExitStack() as stack:
        await start(config(tmp_path), stack)
        async with AsyncExitStack() as other:
            with pytest.raises(StoreError, match="another server is running on .*/ringback.db; stop it first"):
                await wiring.run_server(config(tmp_path), other, sip=second, base_url="http://127.0.0.1")
    async with AsyncExitStack() as stack:
        running = await wiring.run_server(config(tmp_path), stack, sip=second, base_url="http://127.0.0.1")
        assert running.load()["calls"] == 0


async def test_an_open_page_does_not_delay_the_stop(tmp_path: Path) -> None:
    settings = config(tmp_path)
    async with AsyncExitStack() as stack, httpx.AsyncClient() as browser:
        running = await start(settings, stack)
        listener = wiring.bind_http(HOST, 0)
        base = f"http://{HOST}:{listener.getsockname()[1]}"
        await wiring.serve_web(running, settings, listener, stack)
        link = await running.front.new_admin_link()
        await browser.get(base + link.removeprefix("http://127.0.0.1"), follow_redirects=True)
        async with browser.stream("GET", f"{base}/calls/events") as page:
            lines = page.aiter_lines()
            assert await anext(lines) == "event: calls"
            stopping = asyncio.create_task(stack.aclose())
            rest = [line async for line in lines]  # to the end that HTTP asks for, else it raises
        await stopping
    assert rest[:1] == ['data: <tr class="none"><td colspan="7">No calls yet.</td></tr>']
