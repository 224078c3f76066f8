"""SIP over connections (TCP, TLS, WebSocket): accepted, opened, used again and given up (RFC 3261 18, RFC 5923)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from sip_stack.framing import BadFrame, Framer, Framing
from sip_stack.hop import Hop

__all__ = ["StreamLimits", "StreamTransport"]

log = logging.getLogger(__name__)

Receive = Callable[[bytes, Hop], None]


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What a far end may do with its connections."""

    idle_s: float = 900.0
    """Without a byte from it; a phone's keep-alive comes every 2 minutes (RFC 5626 4.4.1)."""
    half_s: float = 10.0
    """From the first byte of a message to its last, and from the accept to the first message."""
    ping_s: float | None = None
    """After so long without a byte it is asked whether it is there, where the transport has a way to."""
    connect_s: float = 5.0
    most: int = 4000
    most_a_source: int = 100
    most_unsent: int = 1 << 20
    """Bytes waiting for a far end that does not read."""


class StreamTransport:
    """All connections of one transport."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, name: str = "TCP", *, lost: Callable[[Hop], None],
        served: ssl.SSLContext | None = None, trusted: ssl.SSLContext | None = None,
        limits: StreamLimits = StreamLimits(), framing: Callable[[], Framing] = Framer, opens: bool = True,
        gone: Callable[[Hop], None] = lambda hop: None,
    ) -> None:
        """`lost(hop)` is told of messages that reached nobody; TLS has a context for each direction.

        `framing` begins a connection; without `opens` the far end alone can; `gone(hop)` is told of each that ended.
        """
        self.name = name
        self.limits = limits
        self._receive: Receive | None = None
        self._loop = loop
        self._lost = lost
        self._gone = gone
        self._opens = opens
        self.framing = framing
        self._served, self._trusted = served, trusted
        self._server: asyncio.Server | None = None
        self._flows: dict[int, _Connection] = {}
        self._by_peer: dict[tuple[str, int], _Connection] = {}
        self._opening: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._queues: dict[tuple[str, int], list[tuple[bytes, Hop]]] = {}
        self._sources: Counter[str] = Counter()
        self._last_flow = 0
        self._sweep: asyncio.TimerHandle | None = None
        self.refused = 0
        """Connections turned away for a limit."""

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Take an address to accept connections at; which one it is.  Raises: OSError where it is held."""
        self._server = await self._loop.create_server(
            lambda: _Connection(self), host, port, ssl=self._served, reuse_address=True, start_serving=False,
            ssl_handshake_timeout=self.limits.half_s if self._served else None,
        )
        address = self._server.sockets[0].getsockname()
        return address[0], address[1]

    async def start(self, receive: Receive) -> None:
        """Accept connections from now on, and hand what arrives to `receive`."""
        assert self._server is not None
        self._receive = receive
        await self._server.start_serving()

    def send(self, data: bytes, hop: Hop) -> None:
        """Send on the connection of the hop, else on one to its address, else open one (18.1.1, 18.2.2)."""
        peer = (hop.host, hop.port)
        connection = self._flows.get(hop.flow)
        if connection is None and self._opens:  # who cannot be connected to may have left its port to another
            connection = self._by_peer.get(peer)
        if connection is not None:
            connection.write(data)
            return
        if not self._opens:
            self._loop.call_soon(self._lost, hop)
            return
        self._queues.setdefault(peer, []).append((data, hop))
        if peer not in self._opening:
            self._opening[peer] = self._loop.create_task(self._open(peer))

    async def close(self) -> None:
        """Stop accepting and close every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._opening.values()):
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        for connection in list(self._flows.values()):
            connection.close()
        if self._sweep is not None:
            self._sweep.cancel()
        if self._server is not None:
            await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._flows)

    # What connections tell

    def opened(self, connection: _Connection) -> bool:
        """A connection is up; False where there are too many."""
        host = connection.hop.host
        if len(self._flows) >= self.limits.most or self._sources[host] >= self.limits.most_a_source:
            self.refused += 1
            return False
        self._flows[connection.hop.flow] = connection
        self._by_peer[host, connection.hop.port] = connection
        self._sources[host] += 1
        if self._sweep is None:
            self._arm()
        return True

    def closed(self, connection: _Connection) -> None:
        """It is gone."""
        hop = connection.hop
        if self._flows.pop(hop.flow, None) is None:
            return
        if self._by_peer.get((hop.host, hop.port)) is connection:
            del self._by_peer[hop.host, hop.port]
        self._sources[hop.host] -= 1
        if not self._sources[hop.host]:
            del self._sources[hop.host]
        self._gone(hop)

    def new_flow(self) -> int:
        """A number that no connection had before."""
        self._last_flow += 1
        return self._last_flow

    async def _open(self, peer: tuple[str, int]) -> None:
        waiting = self._queues[peer]
        try:
            async with asyncio.timeout(self.limits.connect_s):
                connection = (await self._loop.create_connection(
                    lambda: _Connection(self), *peer, ssl=self._trusted,
                    server_hostname=(waiting[0][1].name or peer[0]) if self._trusted else None,
                ))[1]
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            log.info("transport=%s peer=%s:%d event=not-connected error=%r", self.name, *peer, error)
            self._given_up(peer)
        except asyncio.CancelledError:
            self._given_up(peer)
            raise
        else:
            del self._opening[peer], self._queues[peer]
            for data, _ in waiting:
                connection.write(data)

    def _given_up(self, peer: tuple[str, int]) -> None:
        del self._opening[peer]
        for _, hop in self._queues.pop(peer):
            self._lost(hop)

    def _arm(self) -> None:
        self._sweep = self._loop.call_later(min(self.limits.half_s, self.limits.idle_s) / 4, self._sweep_up)

    def _sweep_up(self) -> None:
        """Close what dawdles."""
        self._sweep = None
        now = self._loop.time()
        for connection in list(self._flows.values()):
            if connection.dawdles(now):
                connection.close()
            else:
                connection.ask(now)
        if self._flows:
            self._arm()


class _Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self, owner: StreamTransport) -> None:
        self._owner = owner
        self._framing = owner.framing()
        self._transport: asyncio.Transport | None = None
        self._heard_at = self._began_at = self._asked_at = 0.0
        self._spoke = False
        self.hop = Hop(owner.name, "", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername")[:2]
        self.hop = Hop(self._owner.name, host, port, self._owner.new_flow())
        self._heard_at = self._began_at = self._owner._loop.time()
        if not self._owner.opened(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        receive = self._owner._receive
        assert receive is not None
        self._heard_at = self._owner._loop.time()
        if not self._framing.waiting:
            self._began_at = self._heard_at
        try:
            for message in self._framing.feed(data):
                self._spoke, self._began_at = True, self._heard_at
                receive(message, self.hop)
        except BadFrame as error:
            log.info("transport=%s peer=%s:%d event=bad-frame error=%s", self.hop.transport, *self.hop[1:3], error)
            if error.head:
                receive(error.head, self.hop)  # the core answers 400 for the length
            self._put(self._framing.answers())
            self.close()
            return
        if answers := self._framing.answers():
            self._spoke = True
            self._put(answers)

    def connection_lost(self, error: Exception | None) -> None:
        self._owner.closed(self)

    def write(self, data: bytes) -> None:
        """Send; a far end that does not read is given up."""
        transport = self._transport
        if transport is None or transport.is_closing() or not (wrapped := self._framing.wrap(data)):
            self._owner._loop.call_soon(self._owner._lost, self.hop)  # who sends must not be told while it sends
            return
        self._spoke = True  # whoever we speak to may take its time
        self._put(wrapped)

    def _put(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or not data or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > self._owner.limits.most_unsent:
            transport.abort()

    def dawdles(self, now: float) -> bool:
        """Nothing came for too long, or the rest of something."""
        limits = self._owner.limits
        half = self._framing.waiting or not (self._spoke or self._framing.opened)
        return now - self._heard_at > limits.idle_s or (half and now - self._began_at > limits.half_s)

    def ask(self, now: float) -> None:
        """Ask one that is silent whether it is there."""
        ping_s = self._owner.limits.ping_s
        if ping_s is not None and now - max(self._heard_at, self._asked_at) > ping_s:
            self._asked_at = now
            self._put(self._framing.ping())

    def close(self) -> None:
        """Send what waits, and end."""
        if self._transport is not None:
            self._put(self._framing.farewell())
            self._transport.close()
