"""SIP over TCP and TLS on real loopback sockets: connections used again, given up, limited."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sip_stack.framing import PING, PONG
from sip_stack.hop import Hop
from sip_stack.streams import StreamLimits, StreamTransport
from sip_stack.transports import Certificate, Trust
from tests.sip_stack.certificates import certificate

pytestmark = pytest.mark.asyncio
OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c\r\nContent-Length: 0\r\n\r\n"
QUICK = StreamLimits(idle_s=0.4, half_s=0.2, connect_s=0.5, most_a_source=3)


class End:
    """A transport, what it received and what it lost."""

    def __init__(self, name: str, limits: StreamLimits, **contexts: Any) -> None:
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
    name: str = "TCP", limits: StreamLimits = QUICK, **contexts: Any
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
    trusted = Trust(str(cert)).context()
    contexts = {"served": served, "trusted": lambda line: trusted}
    async with end("TLS", served=served) as (b, at_b), end("TLS", **contexts) as (a, _):
        a.transport.send(OPTIONS, at_b._replace(name="pbx.test"))
        assert (await b.hears())[0] == OPTIONS
    async with end("TLS", served=served) as (b, at_b), end("TLS", **contexts) as (a, _):
        a.transport.send(OPTIONS, at_b._replace(name="other.test"))
        async with asyncio.timeout(3):
            assert (await a.lost.get()).name == "other.test"
        assert b.heard.empty()


# Connections of trunks


async def test_tls_connections_of_two_trunks_to_one_address_are_not_mixed(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "pbx.test")
    served = Certificate(cert, key).context
    asked: list[str] = []

    def trusted(line: str) -> ssl.SSLContext:
        asked.append(line)
        return Trust(str(cert)).context()

    async with end("TLS", served=served) as (b, at_b), end("TLS", served=served, trusted=trusted) as (a, _):
        flows = set()
        for line in ("one", "two", "one"):
            a.transport.send(OPTIONS, at_b._replace(name="pbx.test", line=line))
            flows.add((await b.hears())[1].flow)
        assert (sorted(asked), len(flows)) == (["one", "two"], 2)
        a.transport.drop("one")
        await until(lambda: b.transport.connections == 1)


async def test_files_that_cannot_be_used_are_a_connection_that_fails(tmp_path: Path) -> None:
    async with end("TLS", trusted=lambda line: Trust(f"{tmp_path}/none.pem").context()) as (a, _):
        a.transport.send(OPTIONS, Hop("TLS", "127.0.0.1", 1, line="R1"))
        async with asyncio.timeout(3):
            assert (await a.lost.get()).line == "R1"
        assert a.transport.last_error == "No such file or directory"


@pytest.mark.parametrize(("sent_by", "known", "reused"), [
    pytest.param("127.0.0.1:{port};alias", True, True, id="with a certificate"),
    pytest.param("127.0.0.1:{port};alias", False, False, id="with none"),
    pytest.param("127.0.0.1:{port}", True, False, id="not asked for"),
])
async def test_5923_a_proven_far_end_is_reached_by_its_own_connection(
    sent_by: str, known: bool, reused: bool, tmp_path: Path
) -> None:
    ours, theirs = certificate(tmp_path, "pbx.test"), certificate(tmp_path, "sip.carrier.test")
    served = Certificate(*ours, clients_ca=theirs[0]).context
    client = Trust(str(ours[0]), *(str(file) for file in theirs)) if known else Trust(str(ours[0]))
    async with end("TLS", served=served) as (b, at_b), end(
        "TLS", served=Certificate(*theirs).context, trusted=lambda line: client.context()
    ) as (carrier, at_carrier):  # fmt: skip
        via = sent_by.format(port=at_carrier.port).encode()
        carrier.transport.send(OPTIONS.replace(b"TCP c", b"TLS " + via), at_b._replace(name="pbx.test"))
        _, hop = await b.hears()
        assert b.transport.names(hop) == ({"sip.carrier.test"} if known else set())
        b.transport._trusted = lambda line: Trust(str(theirs[0])).context()
        b.transport.send(OPTIONS, at_carrier._replace(name="sip.carrier.test", line="carrier"))
        await carrier.hears()
        assert b.transport.connections == (1 if reused else 2)
        b.transport.send(OPTIONS, at_carrier._replace(name="another.test"))  # nobody else is reached by it
        async with asyncio.timeout(3):
            await b.lost.get()


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    ours, theirs = certificate(tmp_path, "pbx.test"), certificate(tmp_path, "sip.carrier.test")
    stranger = Trust(str(ours[0]), *(str(file) for file in theirs)).context()
    async with end("TLS", served=Certificate(*ours, clients_ca=ours[0]).context) as (b, at_b), end(
        "TLS", trusted=lambda line: stranger
    ) as (a, _):
        a.transport.send(OPTIONS, at_b._replace(name="pbx.test"))
        async with asyncio.timeout(3):
            await a.lost.get()
        assert b.heard.empty()


async def test_who_waits_is_told_when_the_connection_is_lost() -> None:
    async with end() as (a, _), end() as (b, at_b):
        a.transport.send(OPTIONS, at_b)
        await b.hears()
        for connection in list(b.transport._flows.values()):
            connection.close()
        async with asyncio.timeout(3):
            lost = await a.lost.get()
        assert (lost.host, lost.port) == (at_b.host, at_b.port)
        a.transport.send(OPTIONS, at_b)  # and the next message opens another
        await b.hears()


async def test_a_trunk_is_pinged_and_its_connection_stays(tmp_path: Path) -> None:
    quick = StreamLimits(idle_s=0.4, half_s=0.2, keep_s=0.1)
    async with end(limits=quick) as (a, _), end(limits=quick) as (b, at_b):
        a.transport.send(OPTIONS, at_b._replace(line="R1"))
        await b.hears()
        await asyncio.sleep(1.0)  # idle for more than twice as long as others may be
        assert (a.transport.connections, b.transport.connections) == (1, 1)


async def test_a_trunk_that_answered_pings_and_stops_is_given_up() -> None:
    pings: asyncio.Queue[bytes] = asyncio.Queue()
    answers = [PONG]

    async def far(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while ping := await reader.read(4):
            pings.put_nowait(ping)
            if answers:
                writer.write(answers.pop())
        writer.close()

    server = await asyncio.start_server(far, "127.0.0.1", 0)
    async with end(limits=StreamLimits(half_s=0.2, keep_s=0.2, pong_s=0.1)) as (a, _):
        a.transport.send(OPTIONS, Hop("TCP", *server.sockets[0].getsockname()[:2], line="R1"))
        async with asyncio.timeout(3):
            assert [await pings.get(), await pings.get()] == [PING, PING]
            assert (await a.lost.get()).line == "R1"
    server.close()
    await server.wait_closed()


# Who dawdles


@pytest.mark.parametrize("tls", [False, True])
async def test_slowloris_neither_lasts_nor_shuts_others_out(tls: bool, tmp_path: Path) -> None:
    """Half an INVITE, a byte at a time, on as many connections as one source may have."""
    contexts: dict[str, Any] = {}
    if tls:
        cert, key = certificate(tmp_path, "pbx.test")
        contexts = {"served": Certificate(cert, key).context}
    drip = Trust(str(cert)).context() if tls else None
    async with end("TLS" if tls else "TCP", StreamLimits(half_s=0.4, most_a_source=3), **contexts) as (b, at_b):
        slow = [
            await asyncio.open_connection(at_b.host, at_b.port, ssl=drip, server_hostname="pbx.test" if tls else None)
            for _ in range(3)
        ]
        await until(lambda: b.transport.connections == 3)
        began = asyncio.get_running_loop().time()
        while b.transport.connections:
            for _, writer in slow:
                writer.write(b"I")
            assert asyncio.get_running_loop().time() - began < 3
            await asyncio.sleep(0.05)
        for _, writer in slow:
            writer.close()
        reader, writer = await asyncio.open_connection(
            at_b.host, at_b.port, ssl=drip, server_hostname="pbx.test" if tls else None
        )
        writer.write(OPTIONS)
        assert (await b.hears())[0] == OPTIONS
        writer.close()


async def test_handshakes_that_never_begin_count_and_end(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "pbx.test")
    limits = StreamLimits(half_s=0.4, most_a_source=3)
    async with end("TLS", limits, served=Certificate(cert, key).context) as (b, at_b):
        mute = [await asyncio.open_connection(at_b.host, at_b.port) for _ in range(4)]
        await until(lambda: b.transport.refused == 1)
        for reader, _ in mute:
            assert await asyncio.wait_for(reader.read(), 3) == b""
        for _, writer in mute:
            writer.close()
        await until(lambda: not b.transport._handshakes)
