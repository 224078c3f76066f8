"""SIP in WebSocket messages (RFC 7118) on the server's side of a connection; pure, over the core of `websockets`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from sip_stack.framing import MOST_BODY, MOST_HEAD, PING, PONG, BadFrame

__all__ = ["WebSocketFramer", "websocket_framing"]

_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_quiet = logging.getLogger("websockets.server")
_quiet.setLevel(logging.WARNING)  # it tells of every connection


def websocket_framing(origins: Sequence[str]) -> Callable[[], WebSocketFramer]:
    """What begins each connection; `origins` are the pages whose scripts may connect, all where there are none."""
    # what is no browser sends no Origin, or any it likes: only browsers can be held to it (RFC 6455 10.2)
    allowed = [None, *(Origin(origin) for origin in origins)] if origins else None
    return lambda: WebSocketFramer(allowed)


class WebSocketFramer:
    """One connection, from its HTTP request on: a Framing (see sip_stack.framing)."""

    __slots__ = ("_protocol", "_text", "_whole", "forwarded_for")

    def __init__(self, origins: Sequence[Origin | None] | None = None) -> None:
        # RFC 7118 4.1: the client names the subprotocol `sip`; no compression, so no bomb of it
        self._protocol = ServerProtocol(
            origins=origins, subprotocols=[Subprotocol("sip")], max_size=MOST_HEAD + MOST_BODY, logger=_quiet,
        )  # fmt: skip
        self._whole = bytearray()
        self._text = False
        self.forwarded_for = ""

    answered_pings = False  # that it is idle for long says as much

    @property
    def opened(self) -> bool:
        """The handshake is over: it may wait before it says anything."""
        return self._protocol.state is State.OPEN

    @property
    def waiting(self) -> bool:
        """A handshake, frame or message has begun and is not complete."""
        return not self.opened or bool(self._whole) or bool(self._protocol.reader.buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The SIP messages that are now complete.  Raises: BadFrame when it is over; `answers` is still to be sent."""
        protocol = self._protocol
        protocol.receive_data(data)
        for event in protocol.events_received():
            if isinstance(event, Request):
                self.forwarded_for = ", ".join(event.headers.get_all("X-Forwarded-For"))
                protocol.send_response(protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode in _DATA:
                message = self._message(event)
                if message == PING:  # RFC 7118 6: keep-alives of RFC 5626 are messages of their own
                    protocol.send_text(PONG)
                elif message.strip(b"\r\n"):
                    yield message
        if protocol.close_expected() or protocol.state in (State.CLOSING, State.CLOSED):
            why = protocol.handshake_exc or protocol.parser_exc
            raise BadFrame(str(why) if why else "closed by the far end")

    def _message(self, frame: Frame) -> bytes:
        """The message that this frame ends; nothing where it goes on."""
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        self._whole += frame.data
        if not frame.fin:
            return b""
        message = bytes(self._whole)
        self._whole.clear()
        if self._text and not _is_text(message):
            self._protocol.fail(CloseCode.INVALID_DATA, "not UTF-8")  # RFC 6455 8.1
            return b""
        return message

    def wrap(self, message: bytes) -> bytes:
        """One SIP message as one WebSocket message: text, unless it is none (RFC 7118 5.1)."""
        if self._protocol.state is not State.OPEN:
            return b""
        if _is_text(message):
            self._protocol.send_text(message)
        else:
            self._protocol.send_binary(message)
        return self.answers()

    def ping(self) -> bytes:
        """Ask whether it is still there (RFC 6455 5.5.2): what comes back is something heard."""
        if not self.opened:
            return b""
        self._protocol.send_ping(b"")
        return self.answers()

    def farewell(self) -> bytes:
        """We go away (RFC 6455 7.4.1)."""
        if not self.opened:
            return b""
        self._protocol.send_close(CloseCode.GOING_AWAY)
        return self.answers()

    def answers(self) -> bytes:
        """What the protocol itself wants sent: handshake, pong, close."""
        return b"".join(self._protocol.data_to_send())


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
