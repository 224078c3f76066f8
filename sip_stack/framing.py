"""Messages out of a stream of bytes (RFC 3261 18.3, 7.5) and its keep-alives (RFC 5626 4.4.1); pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

__all__ = ["MOST_BODY", "MOST_HEAD", "PING", "PONG", "BadFrame", "Framer", "Framing"]

PING, PONG = b"\r\n\r\n", b"\r\n"
MOST_HEAD = 16_384
"""Bytes of start line and headers; a head that does not end within them never will."""
MOST_BODY = 65_536
_END = b"\r\n\r\n"


class BadFrame(Exception):
    """Where the next message begins is lost: answer `head`, when there is one, and close the connection."""

    def __init__(self, reason: str, head: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.head = head


class Framing(Protocol):
    """How messages lie in the bytes of one connection."""

    @property
    def opened(self) -> bool:
        """It may be silent before its first message."""

    @property
    def forwarded_for(self) -> str:
        """Whom a proxy speaks for, by its own word (X-Forwarded-For); empty where none says so."""

    @property
    def waiting(self) -> bool:
        """Something has begun and is not complete."""

    @property
    def answered_pings(self) -> bool:
        """A ping of ours was answered by what is no message: silence after the next one means that it is gone."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Complete messages.  Raises: BadFrame, after which nothing can be read."""

    def wrap(self, message: bytes) -> bytes:
        """The bytes that carry a message of ours; none where it cannot be sent."""

    def ping(self) -> bytes:
        """The bytes that ask whether the far end is there; none where nothing does."""

    def farewell(self) -> bytes:
        """The bytes before we close."""

    def answers(self) -> bytes:
        """The bytes that what came wants at once."""


class Framer:
    """The bytes of one TCP or TLS connection that are not yet a message: a Framing."""

    __slots__ = ("_asked", "_buffer", "_need", "answered_pings", "pings")

    opened = False
    forwarded_for = ""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._need = 0
        self._asked = 0
        """Pings of ours without an answer."""
        self.answered_pings = False
        self.pings = 0
        """Keep-alives seen and not yet answered: each wants a PONG."""

    @property
    def waiting(self) -> bool:
        """A message has begun and is not complete."""
        return bool(self._buffer) and self._buffer != PONG

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Complete messages, each with its body.  Raises: BadFrame, after which nothing can be read."""
        self._buffer += data
        while len(self._buffer) >= self._need and self._buffer:
            self._skip_blank_lines()
            end = self._buffer.find(_END, 0, MOST_HEAD + len(_END))
            if end < 0:
                if len(self._buffer) > MOST_HEAD:
                    raise BadFrame(f"the headers are longer than {MOST_HEAD} bytes")
                return
            whole = end + len(_END) + _content_length(bytes(self._buffer[: end + len(_END)]))
            if len(self._buffer) < whole:
                self._need = whole
                return
            message, self._need = bytes(self._buffer[:whole]), 0
            del self._buffer[:whole]
            yield message

    def wrap(self, message: bytes) -> bytes:
        """As it is."""
        return message

    def ping(self) -> bytes:
        """Two line ends, to be answered by one (RFC 5626 4.4.1)."""
        self._asked += 1
        return PING

    def farewell(self) -> bytes:
        """None."""
        return b""

    def answers(self) -> bytes:
        """A PONG for each keep-alive."""
        pongs, self.pings = PONG * self.pings, 0
        return pongs

    def _skip_blank_lines(self) -> None:
        """7.5: blank lines before a start line are ignored; RFC 5626 4.4.1: two in a row are a ping."""
        while self._asked and self._buffer.startswith(PONG):
            del self._buffer[: len(PONG)]
            self._asked -= 1
            self.answered_pings = True
        while self._buffer.startswith(PING):
            del self._buffer[: len(PING)]
            self.pings += 1
        if self._buffer.startswith(PONG) and len(self._buffer) > len(PONG) and self._buffer[2:3] != b"\r":
            del self._buffer[: len(PONG)]


def _content_length(head: bytes) -> int:
    """20.14: over a stream every message tells its length.  Raises: BadFrame."""
    found = {
        value.strip() for line in _unfolded(head).split(b"\r\n")[1:]
        for name, colon, value in [line.partition(b":")] if colon and name.strip().lower() in (b"content-length", b"l")
    }
    if len(found) != 1:
        raise BadFrame("Content-Length " + ("is missing" if not found else "is told twice"), head)
    text = found.pop()
    if not text.isdigit():
        raise BadFrame("Content-Length is no number", head)
    if len(text) > 9 or int(text) > MOST_BODY:
        raise BadFrame(f"the body is longer than {MOST_BODY} bytes", head)
    return int(text)


def _unfolded(head: bytes) -> bytes:
    return head.replace(b"\r\n ", b"  ").replace(b"\r\n\t", b"  ")
