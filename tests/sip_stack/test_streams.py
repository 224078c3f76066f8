"""SIP over TCP and TLS on real loopback sockets: connections used again, given up, limited."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sip_stack.framing import PING, PONG
from sip_stack.hop import Hop
from sip_stack.streams import StreamLimits, StreamTransport
from tests.sip_stack.certificates import certificate

pytestmark = pytest.mark.asyncio
OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c\r\nContent-Length: 0\r\n\r\n"
QUICK = StreamLimits(idle_s=0.4, half_s=0.2, connect_s=0.5, most_a_source=3)


class End:
    """A transport, what it received and what it lost."""

    def __init__(self, name: str, limits: StreamLimits, **contexts: ssl.SSLContext) -> None:
        self.heard: asyncio.Queue[tuple[bytes, Hop]] = asyncio.Queue()
        self.lost: asyncio.Queue[Hop] = asyncio.Queue()
        self.transport = StreamTransport(
            asyncio.get_running_loop(), name, lost=self.lost.put_nowait, limits=limits, **contexts
        )

    async def opens(self) -> tuple[str, int]:
        """Accept connections on loopback."""
        address = await self.transport.listen("127.0.0.1", 0)
        await self.transport.start(lambda data, hop: self.heard.put_nowait((data, hop)))
        return address

    async def hears(self) -> tuple[bytes, Hop]:
        async with asyncio.timeout(3):
            return await self.heard.get()


@asynccontextmanager
async def end(
    name: str = "TCP", limits: StreamLimits = QUICK, **contexts: ssl.SSLContext
) -> AsyncIterator[tuple[End, Hop]]:
    """One end that listens on loopback, and where."""
    made = End(name, limits, **contexts)
    host, port = await made.opens()
    try:
        yield made, Hop(name, host, port)
    finally:
        await made.transport.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what has no event of its own."""
    async with asyncio.timeout(3):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def test_a_connection_is_opened_once_and_used_both_ways() -> None:
    async with end() as (a, _), end() as (b, at_b):
        for _ in range(3):
            a.transport.send(OPTIONS, at_b)  # RFC 5923: one connection, also for what is sent while it opens
        first, hop = await b.hears()
        assert first == OPTIONS
        b.transport.send(b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", hop)
        assert (await a.hears())[0].startswith(b"SIP/2.0 200")
        assert [(await b.hears())[1].flow for _ in range(2)] == [hop.flow] * 2
        assert (a.transport.connections, b.transport.connections) == (1, 1)


async def test_a_response_whose_connection_is_gone_opens_another() -> None:
    async with end() as (a, at_a), end() as (b, at_b):
        a.transport.send(OPTIONS, at_b)
        _, hop = await b.hears()
        for connection in list(a.transport._flows.values()):
            connection.close()
        await until(lambda: b.transport.connections == 0)
        b.transport.send(OPTIONS, Hop("TCP", at_a.host, at_a.port, hop.flow))
        assert (await a.hears())[0] == OPTIONS


async def test_who_cannot_be_reached_is_told() -> None:
    async with end() as (a, _):
        nobody = Hop("TCP", "127.0.0.1", 1)
        a.transport.send(OPTIONS, nobody)
        a.transport.send(OPTIONS, nobody)
        async with asyncio.timeout(3):
            assert [await a.lost.get(), await a.lost.get()] == [nobody, nobody]


async def test_pings_are_answered_and_keep_a_connection_that_idleness_would_end() -> None:
    async with end() as (_, at_b):
        reader, writer = await asyncio.open_connection(at_b.host, at_b.port)
        for _ in range(5):
            writer.write(PING)
            assert await asyncio.wait_for(reader.readexactly(2), 3) == PONG
            await asyncio.sleep(QUICK.idle_s / 3)
        assert await asyncio.wait_for(reader.read(), 3) == b"", "then it is closed"
        writer.close()


@pytest.mark.parametrize("sent", [
    pytest.param(b"", id="nothing at all"), pytest.param(OPTIONS[:-3], id="half a message"),
    pytest.param(OPTIONS + OPTIONS[:9], id="one message and a half"),
])
async def test_the_half_open_are_closed(sent: bytes) -> None:
    async with end(limits=StreamLimits(idle_s=60, half_s=0.2)) as (b, at_b):
        reader, writer = await asyncio.open_connection(at_b.host, at_b.port)
        writer.write(sent)
        assert await asyncio.wait_for(reader.read(), 3) == b""
        writer.close()
        await until(lambda: b.transport.connections == 0)


async def test_so_many_connections_of_one_source() -> None:
    async with end(limits=StreamLimits(most_a_source=3)) as (b, at_b):
        pairs = [await asyncio.open_connection(at_b.host, at_b.port) for _ in range(4)]
        await until(lambda: b.transport.refused == 1)
        assert b.transport.connections == 3
        pairs[0][1].close()
        await until(lambda: b.transport.connections == 2)
        pairs.append(await asyncio.open_connection(at_b.host, at_b.port))
        await until(lambda: b.transport.connections == 3)
        for _, writer in pairs:
            writer.close()


async def test_a_broken_frame_is_handed_up_for_its_answer_and_ends_the_connection() -> None:
    async with end() as (b, at_b):
        reader, writer = await asyncio.open_connection(at_b.host, at_b.port)
        writer.write(OPTIONS.replace(b"Content-Length: 0", b"Content-Length: x"))
        assert (await b.hears())[0].startswith(b"OPTIONS")
        assert await asyncio.wait_for(reader.read(), 3) == b""
        writer.close()


async def test_a_far_end_that_does_not_read_is_given_up() -> None:
    async with end(limits=StreamLimits(most_unsent=100_000)) as (b, at_b):
        _, writer = await asyncio.open_connection(at_b.host, at_b.port, limit=1024)
        writer.write(OPTIONS)
        _, hop = await b.hears()
        for _ in range(200):
            b.transport.send(b"x" * 65_536, hop)
            await asyncio.sleep(0)
        await until(lambda: b.transport.connections == 0)
        writer.close()


async def test_tls_reaches_the_named_domain_only(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "pbx.test")
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(cert, key)
    trusted = ssl.create_default_context(cafile=str(cert))
    async with end("TLS", served=served) as (b, at_b), end("TLS", served=served, trusted=trusted) as (a, _):
        a.transport.send(OPTIONS, at_b._replace(name="pbx.test"))
        assert (await b.hears())[0] == OPTIONS
    async with end("TLS", served=served) as (b, at_b), end("TLS", served=served, trusted=trusted) as (a, _):
        a.transport.send(OPTIONS, at_b._replace(name="other.test"))
        async with asyncio.timeout(3):
            assert (await a.lost.get()).name == "other.test"
        assert b.heard.empty()
