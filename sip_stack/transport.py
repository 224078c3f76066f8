"""The sockets of the SIP stack: UDP by `loop.add_reader`, drained many datagrams at a wake-up."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from struct import unpack

from sip_stack.batch_loop import BatchLoop
from sip_stack.core import Hop, SipCore

__all__ = ["Alarm", "UdpGroup", "UdpTransport"]

log = logging.getLogger(__name__)

_AT_ONCE = 64
_BUFFER = 4 << 20
_FORCED = {socket.SO_RCVBUF: 33, socket.SO_SNDBUF: 32}
"""Linux' SO_RCVBUFFORCE and SO_SNDBUFFORCE: past net.core.rmem_max and wmem_max, where we may."""
_SO_MEMINFO = 55
"""Linux: counters of 32 bits, first how many bytes wait in the receive buffer, then how many may."""
_MOST_HOPS = 4096


class UdpTransport:
    """One UDP socket; asyncio's datagram protocol costs four times as much a datagram."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, port: int, number: int = 0) -> None:
        """`number` is that of the address where there are several (see Hop.flow).

        Raises: OSError where the port is held: never shared (SO_REUSEPORT would steal traffic).
        """
        self._loop = loop
        self._number = number
        self._core: SipCore | None = None
        self._hops: dict[tuple[str, int], Hop] = {}
        self._unsent: list[tuple[bytes, tuple[str, int]]] = []
        self._draining = False
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            if family == socket.AF_INET6:  # IPv4 has a socket of its own
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        for option, forced in _FORCED.items():
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self.host, self.port = self._socket.getsockname()[:2]
        self.dropped = 0
        self.waiting = 0.0
        """How full the receive buffer was, 0 to 1, when the socket was left last: 0 where it was read to its end."""

    @property
    def places(self) -> list[tuple[str, int]]:
        """The addresses that are listened at."""
        return [(self.host, self.port)]

    def start(self, core: SipCore) -> None:
        """Hand what arrives to `core` from now on."""
        self._core = core
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Stop and free the port."""
        self._flush()
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def send(self, data: bytes, hop: Hop) -> None:
        """Send one datagram, with all others of this turn of the loop: a far end is woken once for several.

        A full buffer or a dead peer loses it, as UDP may.
        """
        if not self._unsent and not self._draining:
            self._loop.call_soon(self._flush)
        self._unsent.append((data, (hop.host, hop.port)))

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        for data, address in unsent:
            try:
                self._socket.sendto(data, address)
            except (BlockingIOError, OSError) as error:
                self.dropped += 1
                log.debug("sip send to %s:%s failed: %s", *address, error)

    def _readable(self) -> None:
        self._draining = True
        try:
            if isinstance(self._loop, BatchLoop):
                self._loop.batch(self._drain)
            else:
                self._drain()
        finally:
            self._draining = False
        self._flush()  # what answers at once leaves at once: a turn of the loop costs as much as reading a message

    def _drain(self) -> None:
        assert self._core is not None
        receive, recvfrom, hops = self._core.receive, self._socket.recvfrom, self._hops
        for _ in range(_AT_ONCE):
            try:
                data, address = recvfrom(65535)
            except BlockingIOError:
                self.waiting = 0.0
                return
            except OSError:  # ECONNREFUSED of an earlier datagram
                continue
            receive(data, hops.get(address) or self._hop(address))
        waiting, most = unpack("2I", self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 8))
        self.waiting = waiting / most

    def _hop(self, address: tuple[str, int]) -> Hop:
        """One value for each far end: transactions keep theirs for 32 s."""
        if len(self._hops) >= _MOST_HOPS:
            self._hops.clear()
        self._hops[address] = hop = Hop("UDP", address[0], address[1], self._number)
        return hop


class UdpGroup:
    """Several UDP sockets as one: what is sent leaves by the one that it came in by, else the first of its family."""

    def __init__(self, sockets: Sequence[UdpTransport]) -> None:
        """Their numbers are 1, 2, ... in this order."""
        self._sockets = tuple(sockets)
        self._core: SipCore | None = None
        self.host, self.port = sockets[0].host, sockets[0].port

    @property
    def places(self) -> list[tuple[str, int]]:
        """The addresses that are listened at."""
        return [(each.host, each.port) for each in self._sockets]

    @property
    def waiting(self) -> float:
        """The most of any."""
        return max(each.waiting for each in self._sockets)

    def start(self, core: SipCore) -> None:
        """Hand what arrives to `core` from now on."""
        self._core = core
        for each in self._sockets:
            each.start(core)

    def close(self) -> None:
        """Stop and free the ports."""
        for each in self._sockets:
            each.close()

    def send(self, data: bytes, hop: Hop) -> None:
        """Send one datagram; where there is no socket of the family who waits is told."""
        six = ":" in hop.host
        chosen = self._sockets[hop.flow - 1] if 0 < hop.flow <= len(self._sockets) else None
        if chosen is None or (":" in chosen.host) != six:
            chosen = next((each for each in self._sockets if (":" in each.host) == six), None)
        if chosen is not None:
            chosen.send(data, hop)
        elif self._core is not None:
            asyncio.get_running_loop().call_soon(self._core.lost, hop)


class Alarm:
    """One loop timer for all the timers of a core: `Alarm(loop)` is its `alarm`, `wakes` names the core."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None
        self._core: SipCore | None = None

    def wakes(self, core: SipCore) -> None:
        """The core whose `wake` is called."""
        self._core = core

    def __call__(self, when: float) -> None:
        handle = self._handle
        if handle is not None:
            if handle.when() <= when:
                return
            handle.cancel()
        self._handle = self._loop.call_at(when, self._fire)

    def _fire(self) -> None:
        self._handle = None
        assert self._core is not None
        self._core.wake()

    def close(self) -> None:
        """Disarm."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
