"""SIP over WebSocket (RFC 7118), byte by byte and on real sockets; the far end is the client of `websockets`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from sip_stack.framing import PING, PONG, BadFrame
from sip_stack.hop import Hop
from sip_stack.streams import StreamLimits, StreamTransport
from sip_stack.websocket import WebSocketFramer, websocket_framing

OPTIONS = b"OPTIONS sip:pbx.test SIP/2.0\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK1\r\n\r\n"
SIP = [Subprotocol("sip")]
PAGE = Origin("https://call.example.org")
QUICK = StreamLimits(idle_s=1.0, half_s=0.3, ping_s=0.2, most_a_source=2)


class Browser:
    """The far end of one framer, without a socket."""

    def __init__(self, framer: WebSocketFramer, protocols: Sequence[Subprotocol] | None = SIP) -> None:
        self.framer = framer
        self.protocol = ClientProtocol(parse_uri("ws://pbx.test/"), subprotocols=protocols, origin=PAGE)
        self.heard: list[bytes] = []

    def opens(self) -> Browser:
        """The handshake."""
        self.protocol.send_request(self.protocol.connect())
        self.flush()
        return self

    def sends(self, *frames: Frame) -> list[bytes]:
        """What the framer makes of these frames."""
        for frame in frames:
            self.protocol.send_frame(frame)
        return self.flush()

    def flush(self) -> list[bytes]:
        """All that the browser has to say, in pieces of 3 bytes."""
        data = b"".join(self.protocol.data_to_send())
        try:
            return [m for at in range(0, len(data), 3) for m in self.framer.feed(data[at : at + 3])]
        finally:
            self.hears(self.framer.answers())

    def hears(self, data: bytes) -> None:
        """What reaches the script."""
        self.protocol.receive_data(data)
        self.heard += [bytes(e.data) for e in self.protocol.events_received() if isinstance(e, Frame)]


def text(data: bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, data, fin)


def cont(data: bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.CONT, data, fin)


def test_one_message_is_one_sip_message_whatever_its_frames() -> None:
    browser = Browser(WebSocketFramer()).opens()
    assert browser.framer.opened
    assert browser.sends(text(OPTIONS)) == [OPTIONS]
    assert browser.sends(Frame(Opcode.BINARY, OPTIONS)) == [OPTIONS]
    assert browser.sends(text(OPTIONS[:9], fin=False), Frame(Opcode.PING, b"x"), cont(OPTIONS[9:])) == [OPTIONS]
    assert browser.heard == [b"x"]  # the pong
    assert not browser.framer.waiting


def test_what_has_begun_is_waited_for() -> None:
    browser = Browser(WebSocketFramer())
    assert browser.framer.waiting
    browser.opens()
    browser.sends(text(OPTIONS[:9], fin=False))
    assert browser.framer.waiting


def test_ours_is_text_unless_it_is_none() -> None:
    browser = Browser(WebSocketFramer()).opens()
    framer = browser.framer
    assert [framer.wrap(b"SIP \xc3\xa9")[0] & 15, framer.wrap(b"SIP \xff")[0] & 15] == [Opcode.TEXT, Opcode.BINARY]


def test_a_keep_alive_is_answered_and_is_no_message() -> None:
    browser = Browser(WebSocketFramer()).opens()
    assert browser.sends(text(PING), text(PONG), text(b"")) == []
    assert browser.heard == [PONG]


@pytest.mark.parametrize(("frames", "code"), [
    pytest.param([text(b"\xff")], 1007, id="text that is none"),
    pytest.param([Frame(Opcode.BINARY, b"x" * 90_000)], 1009, id="a message beyond the limit"),
    pytest.param([text(b"x" * 50_000, fin=False), cont(b"x" * 50_000)], 1009, id="many pieces beyond the limit"),
    pytest.param([cont(b"x")], 1002, id="the rest of nothing"),
    pytest.param([Frame(Opcode.CLOSE, b"\x03\xe8")], 1000, id="goodbye"),
])
def test_what_ends_a_connection_gets_its_code(frames: list[Frame], code: int) -> None:
    browser = Browser(WebSocketFramer()).opens()
    with pytest.raises(BadFrame):
        browser.sends(*frames)
    assert int.from_bytes(browser.heard[-1][:2], "big") == code
    assert browser.framer.wrap(OPTIONS) == b""
    assert browser.framer.ping() == b""


@pytest.mark.parametrize(("request_", "status"), [
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426, id="a page is asked for"),
    pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405, id="another method"),
    pytest.param(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414, id="a long path"),
    pytest.param(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431, id="many headers"),
])
def test_what_is_no_websocket_is_told_so(request_: bytes, status: int) -> None:
    framer = WebSocketFramer()
    with pytest.raises(BadFrame):
        list(framer.feed(request_))
    assert framer.answers().startswith(b"HTTP/1.1 %d " % status)


def test_what_is_no_http_gets_nothing() -> None:
    framer = WebSocketFramer()
    with pytest.raises(BadFrame):
        list(framer.feed(OPTIONS))
    assert framer.answers() == b""


class Pbx:
    """A transport on loopback: what it received, lost and saw going."""

    def __init__(self, origins: Sequence[str]) -> None:
        self.heard: asyncio.Queue[tuple[bytes, Hop]] = asyncio.Queue()
        self.lost: asyncio.Queue[Hop] = asyncio.Queue()
        self.gone: asyncio.Queue[Hop] = asyncio.Queue()
        self.transport = StreamTransport(
            asyncio.get_running_loop(), "WS", lost=self.lost.put_nowait, gone=self.gone.put_nowait, limits=QUICK,
            framing=websocket_framing(origins), opens=False, many=lambda host: self.proxied,
        )  # fmt: skip
        self.url = ""
        self.proxied = False

    def connect(self, protocols: Sequence[Subprotocol] | None = SIP, origin: Origin | None = None) -> connect:
        return connect(self.url, subprotocols=protocols, origin=origin, proxy=None, ping_interval=None)

    async def hears(self) -> tuple[bytes, Hop]:
        async with asyncio.timeout(3):
            return await self.heard.get()


@asynccontextmanager
async def pbx(*origins: str) -> AsyncIterator[Pbx]:
    made = Pbx(origins)
    host, port = await made.transport.listen("127.0.0.1", 0)
    made.url = f"ws://{host}:{port}/any/path"
    await made.transport.start(lambda data, hop: made.heard.put_nowait((data, hop)))
    try:
        yield made
    finally:
        await made.transport.close()


async def asked(page: ClientConnection, server: Pbx) -> Hop:
    """Where an OPTIONS of the page came from."""
    await page.send(OPTIONS.decode())
    data, hop = await server.hears()
    assert data == OPTIONS
    return hop


async def test_answers_and_requests_use_the_connection_of_the_phone() -> None:
    async with pbx() as server, server.connect() as page:
        hop = await asked(page, server)
        server.transport.send(b"SIP/2.0 200 OK\r\n\r\n", hop)
        server.transport.send(b"BYE sip:df7jal23ls0d.invalid SIP/2.0\r\n\r\n", hop)
        assert [(await page.recv())[:3] for _ in range(2)] == ["SIP", "BYE"]


async def test_who_is_gone_is_told_of_and_never_connected_to() -> None:
    async with pbx() as server:
        async with server.connect() as page:
            hop = await asked(page, server)
        async with asyncio.timeout(3):
            assert await server.gone.get() == hop
            server.transport.send(OPTIONS, hop)
            assert await server.lost.get() == hop


@pytest.mark.parametrize("protocols", [None, [Subprotocol("chat")]], ids=["none", "another"])
async def test_without_the_subprotocol_sip_it_is_refused(protocols: list[Subprotocol] | None) -> None:
    async with pbx() as server:
        with pytest.raises(InvalidStatus) as refused:
            await server.connect(protocols)
        assert refused.value.response.status_code == 400
        assert b"subprotocol" in refused.value.response.body


@pytest.mark.parametrize(("origin", "taken"), [
    pytest.param(PAGE, True, id="our page"),
    pytest.param(Origin("https://evil.example"), False, id="another page"),
    pytest.param(None, True, id="no browser"),
])
async def test_pages_are_those_of_the_setting(origin: Origin | None, taken: bool) -> None:
    async with pbx(PAGE) as server:
        try:
            async with server.connect(origin=origin):
                status = 101
        except InvalidStatus as refused:
            status = refused.response.status_code
    assert status == (101 if taken else 403)


async def test_one_address_has_so_many_connections() -> None:
    async with pbx() as server, server.connect() as one, server.connect():
        await asked(one, server)
        with pytest.raises((InvalidHandshake, OSError)):
            await server.connect()
        assert server.transport.refused == 1


async def test_a_proxy_brings_many_and_says_for_whom() -> None:
    async with pbx() as server, server.connect() as one, server.connect():
        server.proxied = True
        assert server.transport.forwarded_for(await asked(one, server)) == ""
        async with connect(
            server.url, subprotocols=SIP, proxy=None, additional_headers={"X-Forwarded-For": "203.0.113.1, 192.0.2.7"}
        ) as third:
            hop = await asked(third, server)
            assert server.transport.forwarded_for(hop) == "203.0.113.1, 192.0.2.7"
    assert server.transport.forwarded_for(hop) == ""


async def test_a_page_that_only_answers_pings_stays_and_one_that_does_not_is_given_up() -> None:
    async with pbx() as server, server.connect() as page:
        reader, writer = await asyncio.open_connection(*server.url[5:].partition("/")[0].split(":"))
        writer.write(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
        )
        async with asyncio.timeout(3):
            said = await reader.read()  # to its end
            assert b"Sec-WebSocket-Protocol: sip" in said
            assert said.count(b"\x89\x00") >= 1  # pings
        writer.close()
        await asked(page, server)  # it has been there for as long


async def test_half_a_handshake_is_given_up() -> None:
    async with pbx() as server:
        reader, writer = await asyncio.open_connection(*server.url[5:].partition("/")[0].split(":"))
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
        async with asyncio.timeout(3):
            assert await reader.read() == b""
        writer.close()
