"""The command line asks a running server: the ladder of a call in its memory, and messages as they pass."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from b2bua import wiring
from b2bua.config import Config, MediaConfig, ServerConfig
from b2bua.control import AskTrace, NoServer, TraceLine, ask_ladder, ask_trace, control_path
from b2bua.trace.ladder import address_text
from sip_stack.hop import Hop
from tests.acceptance.server import until

OPTIONS = (
    "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{n};rport\r\n"
    "From: <sip:{who}@h>;tag=1\r\nTo: <sip:h>\r\nCall-ID: {n}@h\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


@pytest.fixture(params=["127.0.0.1", "::1"])
async def running(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[tuple[wiring.Running, str]]:
    url = f"sqlite:///{tmp_path}/ringback.db"
    settings = Config(server=ServerConfig(database=url), media=MediaConfig(ports="44000-44999"))
    async with AsyncExitStack() as stack:
        sip = wiring.free_sip(request.param, 0)
        yield await wiring.run_server(settings, stack, sip=sip, base_url="http://127.0.0.1"), url


def ask(server: wiring.Running, who: str, n: int) -> None:
    """One OPTIONS that is answered."""
    host = server.sip[0]
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((host, 0))
        peer.settimeout(5)
        text = OPTIONS.format(at=address_text(*peer.getsockname()[:2]), who=who, n=n)
        peer.sendto(text.encode(), server.sip[:2])
        assert peer.recv(65_536).startswith(b"SIP/2.0 200 ")


class Watching:
    """`ringback sip-trace` in a thread."""

    def __init__(self, url: str, question: AskTrace) -> None:
        self.lines: asyncio.Queue[TraceLine] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(asyncio.to_thread(self._read, url, question))

    def _read(self, url: str, question: AskTrace) -> None:
        for line in ask_trace(url, question):
            self._loop.call_soon_threadsafe(self.lines.put_nowait, line)

    async def next(self) -> TraceLine:
        async with asyncio.timeout(5):
            return await self.lines.get()

    async def ended(self) -> None:
        async with asyncio.timeout(5):
            await self._task


async def watched(server: wiring.Running) -> None:
    """Wait until somebody watches."""
    quiet = server.exchange.ladders.tap
    await until(lambda: server.exchange.core.tap != quiet, "watcher")


async def test_messages_are_shown_as_they_pass_and_the_server_ends_the_view(
    running: tuple[wiring.Running, str]
) -> None:  # fmt: skip
    server, url = running
    view = Watching(url, AskTrace(number="5551234567"))
    await watched(server)
    await asyncio.to_thread(ask, server, "5550000000", 1)
    await asyncio.to_thread(ask, server, "+15551234567", 2)
    request, response = await view.next(), await view.next()
    here = address_text(*server.sip)
    assert (request.received, request.transport, request.local, request.call) == (True, "UDP", here, "")
    assert request.text.startswith("OPTIONS sip:h SIP/2.0\r\n")
    assert "Call-ID: 2@h" in request.text
    assert (response.received, response.peer) == (False, request.peer)
    assert response.text.startswith("SIP/2.0 200 OK\r\n")
    assert view.lines.empty()


async def test_who_leaves_is_watched_for_no_longer(running: tuple[wiring.Running, str]) -> None:
    server, url = running
    reader, writer = await asyncio.open_unix_connection(str(control_path(url)))
    writer.write(b'{"type":"trace"}\n')
    await watched(server)
    writer.close()
    await until(lambda: server.exchange.core.tap == server.exchange.ladders.tap, "end of the view")


async def test_a_terminal_that_does_not_keep_up_is_told_what_it_missed(running: tuple[wiring.Running, str]) -> None:
    server, url = running
    reader, writer = await asyncio.open_unix_connection(str(control_path(url)))
    writer.write(b'{"type":"trace"}\n')
    await watched(server)
    tap = server.exchange.core.tap
    assert tap is not None
    for n in range(1500):  # in one turn: nobody can read meanwhile
        tap(True, b"%d" % n, Hop("UDP", "127.0.0.1", 1), "")
    async with asyncio.timeout(10):
        first = [msgspec.json.decode(await reader.readline(), type=TraceLine) for _ in range(1000)]
        assert [line.text for line in first] == [str(n) for n in range(1000)]
        tap(True, b"next", Hop("UDP", "127.0.0.1", 1), "")
        line = msgspec.json.decode(await reader.readline(), type=TraceLine)
    assert (line.text, line.missed) == ("next", 500)
    writer.close()


@pytest.mark.parametrize("question", [b"", b"nonsense\n", b'{"type":"stop"}\n', b"x" * 70_000 + b"\n"])
async def test_nonsense_is_hung_up_on(question: bytes, running: tuple[wiring.Running, str]) -> None:
    reader, writer = await asyncio.open_unix_connection(str(control_path(running[1])))
    writer.write(question)
    writer.write_eof()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_the_socket_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ringback.db"
    path = control_path(url)
    path.touch()  # of a server that died
    settings = Config(server=ServerConfig(database=url), media=MediaConfig(ports="44000-44999"))
    async with AsyncExitStack() as stack:
        await wiring.run_server(settings, stack, sip=wiring.free_sip("127.0.0.1", 0), base_url="http://127.0.0.1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await asyncio.to_thread(ask_ladder, url, "unknown") is None
    assert not path.exists()
    assert ask_ladder(url, "unknown") is None
    with pytest.raises(NoServer, match=r"no server runs on this database: .*ringback.db.sock: No such file"):
        next(ask_trace(url, AskTrace()))


async def test_a_path_too_long_for_a_socket_is_no_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    settings = Config(server=ServerConfig(database=f"sqlite:///{folder}/r.db"), media=MediaConfig(ports="44000-44999"))
    async with AsyncExitStack() as stack:
        await wiring.run_server(settings, stack, sip=wiring.free_sip("127.0.0.1", 0), base_url="http://127.0.0.1")
        assert "event=no-control-socket" in caplog.text
