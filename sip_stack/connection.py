"""One connection of a stream transport: messages in and out, keep-alives, and the limits of a far end's patience."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from sip_stack.errors import BadMessage
from sip_stack.framing import BadFrame, Framing
from sip_stack.grammar import param
from sip_stack.hop import MOST_LISTENERS, Hop
from sip_stack.message import Request, parse

__all__ = ["Connection", "Handshake", "Owner", "StreamLimits"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What a far end may do with its connections."""

    idle_s: float = 900.0
    """Without a byte from it; a phone's keep-alive comes every 2 minutes (RFC 5626 4.4.1)."""
    half_s: float = 10.0
    """From the first byte of a message to its last, and from the accept to the first message."""
    ping_s: float | None = None
    """After so long without a byte it is asked whether it is there, where the transport has a way to."""
    keep_s: float = 60.0
    """The same for a connection that we opened: it keeps NATs open and finds dead trunks."""
    pong_s: float = 10.0
    """How long the answer may take of one that has answered before (RFC 5626 4.4.1)."""
    connect_s: float = 5.0
    most: int = 4000
    most_a_source: int = 100
    most_unsent: int = 1 << 20
    """Bytes waiting for a far end that does not read."""


class Owner(Protocol):
    """What connections ask of their transport, and tell it."""

    name: str
    limits: StreamLimits
    framing: Callable[[], Framing]
    loop: asyncio.AbstractEventLoop

    def new_flow(self) -> int:
        """A number that no connection had before."""

    def opened(self, connection: Connection) -> bool:
        """A connection is up; False where there are too many."""

    def closed(self, connection: Connection, *, waited_for: bool) -> None:
        """It is gone; `waited_for`: something was sent by it not long ago."""

    def heard(self, message: bytes, hop: Hop) -> None:
        """A message came."""

    def unsent(self, hop: Hop) -> None:
        """A message could not be sent."""

    def alias(self, connection: Connection, port: int) -> None:
        """The far end takes requests for its own address by this connection (RFC 5923)."""

    def admits(self, host: str) -> bool:
        """Whether one more from there may begin."""

    def shaking(self, host: str, handshake: asyncio.Task[None]) -> None:
        """One from there is at its TLS handshake."""


class Connection(asyncio.Protocol):
    """One connection; `opened_for` is where we wanted to go, None for one that we accepted at a listener."""

    def __init__(self, owner: Owner, opened_for: Hop | None = None, listener: int = 0) -> None:
        self._owner = owner
        self._opened_for = opened_for
        self._listener = listener
        self._framing = owner.framing()
        self._transport: asyncio.Transport | None = None
        self._heard_at = self._began_at = self._asked_at = self._wrote_at = 0.0
        self._spoke = False
        self._early = b""
        self.names: frozenset[str] = frozenset()
        """Whom the far end's verified certificate is for, in small letters."""
        self.hop = Hop(owner.name, "", 0)

    @property
    def accepted(self) -> bool:
        """It came from the far end."""
        return self._opened_for is None

    @property
    def open(self) -> bool:
        """It can be written to."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def forwarded_for(self) -> str:
        """Whom a proxy at the far end speaks for, by its own word."""
        return self._framing.forwarded_for

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername")[:2]
        self.names = _names(transport.get_extra_info("peercert"))
        flow = self._owner.new_flow() * MOST_LISTENERS + self._listener
        for_ = self._opened_for
        self.hop = Hop(self._owner.name, host, port, flow, for_.name if for_ else "", for_.line if for_ else "")
        self._heard_at = self._began_at = self._owner.loop.time()
        if not self._owner.opened(self):
            self._transport.abort()
        elif self._early:
            early, self._early = self._early, b""
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:  # it comes as soon as TLS is agreed, before that is told to who waits for it
            self._early += data
            return
        self._heard_at = self._owner.loop.time()
        if not self._framing.waiting:
            self._began_at = self._heard_at
        try:
            for message in self._framing.feed(data):
                if self.names and self.accepted and not self._spoke:
                    self._take_alias(message)
                self._spoke, self._began_at = True, self._heard_at
                self._owner.heard(message, self.hop)
        except BadFrame as error:
            log.info("transport=%s peer=%s:%d event=bad-frame error=%s", *self.hop[:3], error)
            if error.head:
                self._owner.heard(error.head, self.hop)  # the core answers 400 for the length
            self._put(self._framing.answers())
            self.close()
            return
        if answers := self._framing.answers():
            self._spoke = True
            self._put(answers)

    def connection_lost(self, error: Exception | None) -> None:
        recent = self._owner.loop.time() - self._wrote_at < 32.0  # nobody waits longer for an answer (64*T1)
        self._owner.closed(self, waited_for=bool(self._wrote_at) and recent)

    def write(self, data: bytes) -> None:
        """Send; a far end that does not read is given up."""
        if not self.open or not (wrapped := self._framing.wrap(data)):
            self._owner.loop.call_soon(self._owner.unsent, self.hop)  # who sends must not be told while it sends
            return
        self._spoke = True  # whoever we speak to may take its time
        self._wrote_at = self._owner.loop.time()
        self._put(wrapped)

    def _put(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or not data or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > self._owner.limits.most_unsent:
            transport.abort()

    def _take_alias(self, message: bytes) -> None:
        """RFC 5923 5: a Via with `alias` over TLS with a certificate of the far end's own."""
        request = parse(message)
        try:
            if isinstance(request, Request) and param(request.via.params, "alias") is not None:
                self._owner.alias(self, request.via.port or 5061)
        except BadMessage:
            return  # the core refuses it

    def dawdles(self, now: float) -> bool:
        """Nothing came for too long, or the rest of something, or the answer to a ping."""
        limits = self._owner.limits
        half = self._framing.waiting or not (self._spoke or self._framing.opened)
        if self._framing.answered_pings and self._asked_at > self._heard_at and now - self._asked_at > limits.pong_s:
            return True
        idle = now - self._heard_at > limits.idle_s and not self.hop.line  # a trunk is asked, and may be mute
        return idle or (half and now - self._began_at > limits.half_s)

    def ask(self, now: float) -> None:
        """Ask one that is silent whether it is there."""
        limits = self._owner.limits
        ping_s = limits.ping_s if self.accepted else limits.keep_s
        if ping_s is not None and now - max(self._heard_at, self._asked_at) > ping_s:
            self._asked_at = now
            self._put(self._framing.ping())

    def close(self) -> None:
        """Send what waits, and end."""
        if self._transport is not None:
            self._put(self._framing.farewell())
            self._transport.close()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()


class Handshake(asyncio.Protocol):
    """An accepted connection until TLS is agreed: it counts from its first moment, unlike those of a TLS server."""

    def __init__(self, owner: Owner, served: ssl.SSLContext, listener: int) -> None:
        self._owner, self._served, self._listener = owner, served, listener
        self._host = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        raw = cast(asyncio.Transport, transport)
        self._host = raw.get_extra_info("peername")[0]
        if self._owner.admits(self._host):
            self._owner.shaking(self._host, self._owner.loop.create_task(self._shake(raw)))
        else:
            raw.abort()

    async def _shake(self, raw: asyncio.Transport) -> None:
        connection, within_s = Connection(self._owner, listener=self._listener), self._owner.limits.half_s
        try:
            secure = await self._owner.loop.start_tls(
                raw, connection, self._served, server_side=True, ssl_handshake_timeout=within_s
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            log.info("transport=%s peer=%s event=no-handshake error=%s", self._owner.name, self._host, error)
            return
        if secure is not None and not secure.is_closing():  # it may leave in that moment
            connection.connection_made(secure)


def _names(certificate: dict[str, Any] | None) -> frozenset[str]:
    """DNS names, SIP domains and addresses of a verified certificate (RFC 5922 7.1)."""
    kinds = {"DNS": "", "IP Address": "", "URI": "sip:"}
    return frozenset(
        value.removeprefix(kinds[kind]).lower() for kind, value in (certificate or {}).get("subjectAltName", ())
        if kind in kinds and value.startswith(kinds[kind])
    )
