"""The media engine in memory: the same switch and ports on the loop's own time, for flows on a virtual clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Protocol

from media.bridge import Switch
from media.control import Clock
from media.events import Closed, Event
from media.handle import Listener, MediaPort, NoPort, Verbs
from media.latch import Address
from media.stream import Send
from media.verbs import Close, Verb

__all__ = ["InlineEngine", "InlineNetwork"]

_DELAY_S = 0.001
Datagram = Callable[[bytes, Address], None]


class Handle(Protocol):
    """What a loop gives back for a timer."""

    def cancel(self) -> None:
        """Never call it."""


class Loop(Protocol):
    """What an engine needs of an event loop; asyncio's fit."""

    def time(self) -> float:
        """Now, in seconds."""

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> Handle:
        """Call `callback(*args)` at `when`."""


class InlineNetwork:
    """Datagrams between addresses in memory, each one under way for a millisecond; what nobody listens to is lost."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.listeners: dict[Address, Datagram] = {}

    def send(self, packet: bytes | memoryview, source: Address, target: Address) -> None:
        """Deliver a copy soon."""
        self.loop.call_at(self.loop.time() + _DELAY_S, self._deliver, bytes(packet), source, target)

    def _deliver(self, packet: bytes, source: Address, target: Address) -> None:
        listener = self.listeners.get(target)
        if listener is not None:
            listener(packet, source)


class _Wire:
    """The pair of in-memory sockets of one port."""

    def __init__(self, network: InlineNetwork, address: Address) -> None:
        self._network, self._rtp, self._rtcp = network, address, (address[0], address[1] + 1)

    def listen(self, rtp: Datagram, rtcp: Datagram) -> None:
        self._network.listeners |= {self._rtp: rtp, self._rtcp: rtcp}

    def point(self, target: Address, only: bool) -> Send:
        return lambda packet: self._network.send(packet, self._rtp, target)

    def send_rtcp(self, packet: bytes, target: Address) -> None:
        self._network.send(packet, self._rtcp, target)

    def close(self) -> None:
        for address in (self._rtp, self._rtcp):
            self._network.listeners.pop(address, None)


class InlineEngine(Verbs):
    """An Engine without processes or sockets; several may share one network."""

    def __init__(
        self,
        loop: Loop,
        address: str = "192.0.2.1",
        ports: range = range(30000, 40000),
        network: InlineNetwork | None = None,
        more: Sequence[str] = (),
    ) -> None:
        self._loop, self.places = loop, (address, *more)
        self.network = network or InlineNetwork(loop)
        self._stock = deque(ports[::2])
        self._ids = count(1)
        self._listeners: dict[int, Listener] = {}
        self._rtp_ports: dict[int, int] = {}
        numbers = count(1)
        self._switch = Switch(Clock(0.0, lambda: 0.5), lambda: next(numbers) * 0x9E3779B1 & 0xFFFFFFFF, self._tell)
        self._timer: Handle | None = None

    @property
    def open_ports(self) -> int:
        """Ports opened and not yet closed."""
        return len(self._switch.ports)

    def open(self, listener: Listener, place: int = 0) -> MediaPort:
        """See Engine."""
        if not self._stock:
            raise NoPort("no RTP port is free")
        handle = MediaPort(self._ask, next(self._ids), self.places[place], self._stock.popleft())
        wire = _Wire(self.network, (handle.address, handle.rtp_port))
        port = self._switch.open(handle.id, wire, self._loop.time())
        self._listeners[handle.id], self._rtp_ports[handle.id] = listener, handle.rtp_port

        def rtp(packet: bytes, source: Address) -> None:
            port.arrived(memoryview(bytearray(packet)), len(packet), source, self._loop.time())

        wire.listen(rtp, lambda packet, source: port.rtcp_arrived(packet, source, self._loop.time()))
        self._arm()
        return handle

    async def close(self) -> None:
        """See Engine."""
        for port in list(self._switch.ports):
            self._ask(Close(port))
        self._arm()

    def _ask(self, verb: Verb) -> None:
        self._switch.do(verb, self._loop.time())
        if isinstance(verb, Close) and verb.port in self._rtp_ports:
            self._stock.append(self._rtp_ports.pop(verb.port))
        self._arm()

    def _tell(self, port: int, event: Event) -> None:
        """A listener is never called from inside a verb."""
        last = isinstance(event, Closed)
        listener = self._listeners.pop(port) if last else self._listeners[port]
        self._loop.call_at(self._loop.time(), listener, event)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        alarm = self._switch.next_alarm()
        self._timer = None if alarm is None else self._loop.call_at(alarm, self._wake)

    def _wake(self) -> None:
        self._switch.wake(self._loop.time())
        self._arm()
