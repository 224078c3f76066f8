"""The real server's transports: certificates of trunks, what comes back by their connections, both families."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from b2bua import wiring
from b2bua.config import BadConfig, Config, MediaConfig, ServerConfig
from b2bua.plan.apply import apply
from b2bua.plan.reader import parse
from sip_stack.hop import Hop
from store.database import transact
from tests.acceptance.ports import SIP, free_port
from tests.acceptance.server import until
from tests.sip_stack.certificates import certificate

INVITE = """INVITE sip:5550000000@pbx SIP/2.0\r
Via: SIP/2.0/{transport} 192.0.2.9;branch=z9hG4bK{n}\r
Max-Forwards: 70\r
From: <sip:5551111111@192.0.2.9>;tag=1\r
To: <sip:5550000000@pbx>\r
Call-ID: {n}\r
CSeq: 1 INVITE\r
Contact: <sip:trunk@192.0.2.9>\r
Content-Length: 0\r
\r
"""
STRANGER, KNOWN = 401, 404
"""What becomes of a call to a number that nobody has: a stranger is asked for a password."""


def planned(folder: Path, trunk: str) -> str:
    """A database with one trunk."""
    database = f"sqlite:///{folder}/ringback.db"
    plan = parse(f'[[account]]\nname = "a"\n[[trunk]]\nname = "R1"\n{trunk}\n', "plan.toml")
    transact(database, lambda conn: apply(conn, plan, time.time(), "http://x", lambda: "0" * 16))
    return database


async def started(stack: AsyncExitStack, **server: object) -> wiring.Running:
    config = Config(server=ServerConfig(**server), media=MediaConfig(ports="44000-44999"))  # type: ignore[arg-type]
    return await wiring.run_server(config, stack, sip=wiring.fixed_sip(config), base_url="http://x")


async def status_of(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, transport: str, n: int = 1) -> int:
    """The final answer to an INVITE."""
    writer.write(INVITE.format(transport=transport, n=n).encode())
    async with asyncio.timeout(5):
        while (status := int((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])) < 200:
            pass
    return status


@pytest.mark.parametrize(("name", "status"), [
    pytest.param("sip.carrier.test", KNOWN, id="its certificate"),
    pytest.param("other.test", STRANGER, id="another's, of the same authority"),
    pytest.param("", STRANGER, id="none"),
])
async def test_a_trunk_is_known_by_its_certificate(name: str, status: int, tmp_path: Path) -> None:
    crt, key = certificate(tmp_path, "pbx.test")
    clients = {each: certificate(tmp_path, each) for each in ("sip.carrier.test", "other.test")}
    ca = tmp_path / "clients.pem"
    ca.write_bytes(b"".join(public.read_bytes() for public, _ in clients.values()))
    port = free_port(SIP)
    context = ssl.create_default_context(cafile=str(crt))
    if name:
        context.load_cert_chain(*clients[name])
    async with AsyncExitStack() as stack:
        await started(
            stack, database=planned(tmp_path, 'host = "127.0.0.1"\ntls_client = "sip.carrier.test"'),
            sip=f"127.0.0.1:{free_port(SIP)}", tls=f"127.0.0.1:{port}", tls_certificate=str(crt), tls_key=str(key),
            tls_client_ca=str(ca),
        )  # fmt: skip
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="pbx.test")
        assert await status_of(reader, writer, "TLS") == status
        writer.close()


async def test_a_call_that_comes_by_the_connection_we_opened_is_the_trunks(tmp_path: Path) -> None:
    """Its host is a name and it has no `sources`; another connection from the same address is a stranger's."""
    opened: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def trunk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.put_nowait((reader, writer))

    listener = await asyncio.start_server(trunk, "127.0.0.1", 0)
    port, tcp = listener.sockets[0].getsockname()[1], free_port(SIP)
    settings = f'host = "localhost"\nport = {port}\ntransport = "tcp"\nqualify_s = 60'
    async with AsyncExitStack() as stack:
        await started(
            stack, database=planned(tmp_path, settings), sip=f"127.0.0.1:{free_port(SIP)}", tcp=f"127.0.0.1:{tcp}"
        )
        async with asyncio.timeout(5):
            reader, writer = await opened.get()
            options = await reader.readuntil(b"\r\n\r\n")
        assert options.startswith(b"OPTIONS sip:localhost:")
        assert f"Via: SIP/2.0/TCP 127.0.0.1:{tcp};".encode() in options
        assert await status_of(reader, writer, "TCP") == KNOWN
        stranger = await asyncio.open_connection("127.0.0.1", tcp)
        assert await status_of(*stranger, "TCP", 2) == STRANGER
        stranger[1].close()
        writer.close()
    listener.close()
    await listener.wait_closed()


async def test_a_registration_whose_connection_ends_is_made_again_by_another(tmp_path: Path) -> None:
    opened: asyncio.Queue[bytes] = asyncio.Queue()

    async def registrar(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        names = (b"Via", b"From", b"To", b"Call-ID", b"CSeq")
        kept = [line for line in request.split(b"\r\n") if line.startswith(names)]
        writer.write(b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"Expires: 600", b"Content-Length: 0\r\n\r\n"]))
        await writer.drain()
        opened.put_nowait(request)
        if opened.qsize() == 1:
            await asyncio.sleep(0.2)
            writer.close()
        else:
            await reader.read()
            writer.close()

    listener = await asyncio.start_server(registrar, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    settings = f'host = "127.0.0.1"\nport = {port}\ntransport = "tcp"\nregister = true\nuser = "u"\npassword = "p"'
    async with AsyncExitStack() as stack:
        running = await started(
            stack, database=planned(tmp_path, settings), sip=f"127.0.0.1:{free_port(SIP)}"
        )
        await until(
            lambda: opened.qsize() == 2 and running.exchange.trunks.states()[0].registration == "registered",
            "a second registration",
        )
        first, second = opened.get_nowait(), opened.get_nowait()
        assert first.startswith(b"REGISTER sip:127.0.0.1:")
        assert second.startswith(b"REGISTER sip:127.0.0.1:")
        assert b";transport=tcp>" in second
    listener.close()
    await listener.wait_closed()


async def test_each_family_is_told_its_own_address(tmp_path: Path) -> None:
    four, six = free_port(SIP), free_port(SIP)
    places = (f"127.0.0.1:{four}", f"[::1]:{six}")
    async with AsyncExitStack() as stack:
        running = await started(
            stack, database=planned(tmp_path, 'host = "192.0.2.1"'), sip=places, tcp=places,
            public_address={"127.0.0.1": "198.51.100.7", "::1": "2001:db8::7"},
        )  # fmt: skip
        for host, port, told in (("127.0.0.1", four, f"198.51.100.7:{four}"), ("::1", six, f"[2001:db8::7]:{six}")):
            hop = Hop("TCP", host, 5060)
            assert running.exchange.core.contact(hop) == f"<sip:{told};transport=tcp>"
            assert running.exchange.core.new_via(hop, "b").startswith(f"SIP/2.0/TCP {told};")
            media = running.engine.open(lambda event: None, running.exchange.place_of(hop))
            assert media.address == told.rpartition(":")[0].strip("[]")
            media.close()
            reader, writer = await asyncio.open_connection(host, port)
            assert await status_of(reader, writer, "TCP", port) == STRANGER
            writer.close()


async def test_an_address_that_is_held_stops_the_start_and_frees_the_others(tmp_path: Path) -> None:
    held = wiring.free_sip("127.0.0.1", free_port(SIP))
    first = free_port(SIP)
    with pytest.raises(OSError, match="in use"):
        wiring.fixed_sip(Config(server=ServerConfig(sip=(f"127.0.0.1:{first}", f"127.0.0.1:{held.port}"))))
    held.close()
    wiring.free_sip("127.0.0.1", first).close()


async def test_a_certificate_that_cannot_be_read_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    config = Config(server=ServerConfig(
        database=planned(tmp_path, 'host = "192.0.2.1"'), sip=f"127.0.0.1:{free_port(SIP)}", tls="127.0.0.1:0",
        tls_certificate=f"{tmp_path}/no.pem", tls_key=f"{tmp_path}/no.key",
    ))  # fmt: skip
    sip = wiring.fixed_sip(config)
    async with AsyncExitStack() as stack:
        stack.callback(sip.close)
        with pytest.raises(BadConfig, match="SIP over TLS, certificate: No such file or directory"):
            await wiring.run_server(config, stack, sip=sip, base_url="http://x")
