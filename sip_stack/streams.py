"""SIP over connections (TCP, TLS, WebSocket): accepted, opened, used again and given up (RFC 3261 18, RFC 5923)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable

from sip_stack.connection import Connection, Handshake, StreamLimits
from sip_stack.framing import Framer, Framing
from sip_stack.hop import Hop

__all__ = ["StreamLimits", "StreamTransport"]

log = logging.getLogger(__name__)

Receive = Callable[[bytes, Hop], None]
_USUAL = StreamLimits()
_FAREWELL_S = 1.0
_Peer = tuple[str, int, str, str]
"""Host, port, the name that the certificate must be for, and the trunk whose TLS settings hold."""


class StreamTransport:
    """All connections of one transport."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, name: str = "TCP", *, lost: Callable[[Hop], None],
        served: ssl.SSLContext | None = None, trusted: Callable[[str], ssl.SSLContext] | None = None,
        limits: StreamLimits = _USUAL, framing: Callable[[], Framing] = Framer, opens: bool = True,
        gone: Callable[[Hop], None] = lambda hop: None, many: Callable[[str], bool] = lambda host: False,
    ) -> None:
        """`lost(hop)` is told of messages that reached nobody; TLS has a context for each direction.

        `trusted(line)` is the one for connections to a trunk, raising OSError for files that cannot be used.
        `framing` begins a connection; without `opens` the far end alone can; `gone(hop)` is told of each that ended.
        `many(host)`: connections from there are those of many, and not limited together.
        """
        self.name = name
        self.limits = limits
        self.loop = loop
        self.framing = framing
        self._receive: Receive | None = None
        self._lost = lost
        self._gone = gone
        self._many = many
        self._opens = opens
        self._served, self._trusted = served, trusted
        self._servers: list[asyncio.Server] = []
        self._flows: dict[int, Connection] = {}
        self._by_peer: dict[_Peer, Connection] = {}
        self._aliases: dict[tuple[str, int], Connection] = {}
        self._opening: dict[_Peer, asyncio.Task[None]] = {}
        self._queues: dict[_Peer, list[tuple[bytes, Hop]]] = {}
        self._sources: Counter[str] = Counter()
        self._handshakes: dict[asyncio.Task[None], str] = {}
        self._last_flow = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._closing = False
        self._emptied = asyncio.Event()
        self.refused = 0
        """Connections turned away for a limit."""
        self.last_error = ""
        """Why the last connection did not come about."""

    async def listen(self, host: str, port: int, number: int = 0) -> tuple[str, int]:
        """Take an address to accept connections at; which one it is.  Raises: OSError where it is held.

        `number` is that of the address where there are several (see Hop.flow).
        """
        served = self._served

        def accepted() -> asyncio.Protocol:
            return Handshake(self, served, number) if served else Connection(self, listener=number)

        server = await self.loop.create_server(accepted, host, port, reuse_address=True, start_serving=False)
        self._servers.append(server)
        address = server.sockets[0].getsockname()
        return address[0], address[1]

    def hand_to(self, receive: Receive) -> None:
        """What arrives goes to `receive`; we may open connections from now on."""
        self._receive = receive

    async def start(self, receive: Receive) -> None:
        """Accept connections from now on too."""
        self.hand_to(receive)
        for server in self._servers:
            await server.start_serving()

    def send(self, data: bytes, hop: Hop) -> None:
        """Send on the connection of the hop, else on one to its address, else open one (18.1.1, 18.2.2)."""
        connection = self._flows.get(hop.flow)
        if (connection is None or not connection.open) and self._opens:
            connection = self._by_peer.get(_peer(hop)) or self._alias_of(hop)
        if connection is not None and (connection.open or not self._opens):
            connection.write(data)
            return
        if not self._opens:  # who cannot be connected to may have left its port to another
            self.loop.call_soon(self._lost, hop)
            return
        peer = _peer(hop)
        self._queues.setdefault(peer, []).append((data, hop))
        if peer not in self._opening:
            self._opening[peer] = self.loop.create_task(self._open(peer))

    def names(self, hop: Hop) -> frozenset[str]:
        """Whom the certificate of the far end is for that a message came from; none without one."""
        connection = self._flows.get(hop.flow)
        return connection.names if connection else frozenset()

    def forwarded_for(self, hop: Hop) -> str:
        """Whom the proxy speaks for that a message came from, by its own word."""
        connection = self._flows.get(hop.flow)
        return connection.forwarded_for if connection else ""

    def drop(self, line: str) -> None:
        """Close what was opened for a trunk."""
        for connection in list(self._flows.values()):
            if connection.hop.line == line:
                connection.close()

    async def close(self) -> None:
        """Stop accepting and close every connection."""
        self._closing = True
        for server in self._servers:
            server.close()
        tasks = [*self._opening.values(), *self._handshakes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._flows.values()):
            connection.close()
        try:
            async with asyncio.timeout(_FAREWELL_S):
                while self._flows:  # over TLS the far end has a word to say
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            for connection in list(self._flows.values()):
                connection.abort()
            await asyncio.sleep(0)
        if self._sweep is not None:
            self._sweep.cancel()
        for server in self._servers:
            await server.wait_closed()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._flows)

    # What connections ask and tell (connection.Owner)

    def admits(self, host: str) -> bool:
        """Whether one more from there may begin; handshakes count."""
        shaking = sum(each == host for each in self._handshakes.values())
        everyone = len(self._flows) + len(self._handshakes)
        few = self._sources[host] + shaking < self.limits.most_a_source
        if everyone < self.limits.most and (few or self._many(host)):
            return True
        self.refused += 1
        return False

    def shaking(self, host: str, handshake: asyncio.Task[None]) -> None:
        """One from there is at its handshake."""
        self._handshakes[handshake] = host
        handshake.add_done_callback(self._handshakes.pop)

    def opened(self, connection: Connection) -> bool:
        """A connection is up; False where there are too many of those that others open."""
        hop = connection.hop
        counted = self._served is not None  # when its handshake began
        if self._closing or (connection.accepted and not counted and not self.admits(hop.host)):
            return False
        self._flows[hop.flow] = connection
        self._by_peer[_peer(hop)] = connection
        if connection.accepted:
            _count(self._sources, hop.host, 1)
        if self._sweep is None:
            self._arm()
        return True

    def closed(self, connection: Connection, *, waited_for: bool) -> None:
        """It is gone, and with it what was under way."""
        hop = connection.hop
        if self._flows.pop(hop.flow, None) is None:
            return
        if self._by_peer.get(_peer(hop)) is connection:
            del self._by_peer[_peer(hop)]
        self._aliases = {at: each for at, each in self._aliases.items() if each is not connection}
        if connection.accepted:
            _count(self._sources, hop.host, -1)
        if self._closing:
            self._emptied.set()
            return
        self._gone(hop)
        if waited_for:
            self._lost(hop)

    def heard(self, message: bytes, hop: Hop) -> None:
        """A message came."""
        assert self._receive is not None
        self._receive(message, hop)

    def unsent(self, hop: Hop) -> None:
        """A message could not be sent."""
        self._lost(hop)

    def alias(self, connection: Connection, port: int) -> None:
        """Requests to its own address go by its connection (RFC 5923 5)."""
        self._aliases[connection.hop.host, port] = connection

    def new_flow(self) -> int:
        """A number that no connection had before."""
        self._last_flow += 1
        return self._last_flow

    # Opening

    def _alias_of(self, hop: Hop) -> Connection | None:
        """RFC 5923 8.2: only one whose certificate is for whom we want to reach."""
        found = self._aliases.get((hop.host, hop.port)) if self._aliases else None
        return found if found is not None and (hop.name or hop.host).lower() in found.names else None

    async def _open(self, peer: _Peer) -> None:
        hop = self._queues[peer][0][1]
        try:
            context = self._trusted(hop.line) if self._trusted else None
            async with asyncio.timeout(self.limits.connect_s):
                connection = (await self.loop.create_connection(
                    lambda: Connection(self, hop), hop.host, hop.port, ssl=context,
                    server_hostname=(hop.name or hop.host) if context else None,
                ))[1]
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self.last_error = _why(error)
            level = logging.WARNING if isinstance(error, ssl.SSLError) else logging.INFO
            log.log(level, "transport=%s peer=%s:%d trunk=%s event=not-connected error=%s", self.name, hop.host,
                    hop.port, hop.line or "none", self.last_error)  # fmt: skip
            self._given_up(peer)
        except asyncio.CancelledError:
            self._given_up(peer)
            raise
        else:
            del self._opening[peer]
            for data, _ in self._queues.pop(peer):
                connection.write(data)

    def _given_up(self, peer: _Peer) -> None:
        del self._opening[peer]
        for _, hop in self._queues.pop(peer):
            self._lost(hop)

    def _arm(self) -> None:
        self._sweep = self.loop.call_later(min(self.limits.half_s, self.limits.idle_s) / 4, self._sweep_up)

    def _sweep_up(self) -> None:
        """Close what dawdles, ask who is silent."""
        self._sweep = None
        now = self.loop.time()
        for connection in list(self._flows.values()):
            if connection.dawdles(now):
                connection.close()
            else:
                connection.ask(now)
        if self._flows:
            self._arm()


def _peer(hop: Hop) -> _Peer:
    return (hop.host, hop.port, hop.name, hop.line)


def _count(counter: Counter[str], host: str, more: int) -> None:
    counter[host] += more
    if not counter[host]:
        del counter[host]


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
