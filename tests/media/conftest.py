"""A world of media on a virtual clock: the in-memory engine, and far ends that send and keep what they get."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest

from media.events import Event
from media.handle import MediaPort
from media.inline import InlineEngine, InlineNetwork
from media.latch import Address
from media.rtp import Packet, parse, write
from media.sdp import MediaPeer
from media.telephone_event import burst


class Timer:
    """A call to come, unless cancelled."""

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self.run: Callable[[], object] | None = lambda: callback(*args)

    def cancel(self) -> None:
        self.run = None


class VirtualLoop:
    """Time that jumps from timer to timer."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = count()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> Timer:
        timer = Timer(callback, args)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            if timer.run is not None:
                timer.run()
        self.now = end


@dataclass
class Far:
    """A far end: its RTP and RTCP sockets, and the numbers of the stream it sends."""

    network: InlineNetwork
    address: Address
    ssrc: int
    sequence: int = 100
    timestamp: int = 16000
    got: list[tuple[float, Packet]] = field(default_factory=list)
    rtcp: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network.listeners[self.address] = self._rtp
        self.network.listeners[(self.address[0], self.address[1] + 1)] = lambda data, source: self.rtcp.append(data)

    def peer(self, **more: object) -> MediaPeer:
        plain = MediaPeer(self.address[0], self.address[1], self.address[1] + 1, "PCMU", 0, 101)
        return MediaPeer(**({name: getattr(plain, name) for name in plain.__slots__} | more))  # type: ignore[arg-type]

    @property
    def packets(self) -> list[Packet]:
        return [packet for _, packet in self.got]

    def send(self, port: MediaPort, payload: bytes = b"\xff" * 160, kind: int = 0, marker: bool = False) -> None:
        """The next packet of the stream."""
        self.put(port, Packet(kind, self.sequence, self.timestamp, self.ssrc, marker, payload))
        self.sequence += 1
        self.timestamp += 160

    def put(self, port: MediaPort, packet: Packet | bytes) -> None:
        data = packet if isinstance(packet, bytes) else write(packet)
        self.network.send(data, self.address, (port.address, port.rtp_port))

    def talk(self, port: MediaPort, packets: int, kind: int = 0, payload: bytes = b"\xff" * 160) -> None:
        """A packet each 20 ms."""
        loop = self.network.loop
        for _ in range(packets):
            self.send(port, payload, kind)
            loop.run(0.02)  # type: ignore[attr-defined]

    def press(self, port: MediaPort, key: str, kind: int = 101) -> None:
        """One key, a packet each 20 ms."""
        at = self.timestamp
        for payload, first in burst(key):
            self.put(port, Packet(kind, self.sequence, at, self.ssrc, first, payload))
            self.sequence += 1
            self.timestamp += 160
            self.network.loop.run(0.02)  # type: ignore[attr-defined]

    def _rtp(self, data: bytes, source: Address) -> None:
        packet = parse(data)
        assert packet is not None
        self.got.append((self.network.loop.time(), packet))


class World:
    """One engine, its events, and far ends."""

    def __init__(self, ports: Sequence[int] = range(30000, 30040)) -> None:
        self.loop = VirtualLoop()
        assert isinstance(ports, range)
        self.engine = InlineEngine(self.loop, ports=ports)
        self.events: dict[int, list[Event]] = {}
        self._far = count(1)

    def port(self, far: Far | None = None, signalling_ip: str | None = None, **more: object) -> MediaPort:
        """An open port, described when there is a far end."""
        said: list[Event] = []
        port = self.engine.open(said.append)
        self.events[port.id] = said
        if far is not None:
            port.describe(far.peer(**more), signalling_ip or far.address[0])
        return port

    def far(self, ip: str | None = None, port: int = 4000) -> Far:
        n = next(self._far)
        return Far(self.engine.network, (ip or f"198.51.100.{n}", port), ssrc=0xF000 + n)

    def heard(self, port: MediaPort, *kinds: type[Event]) -> list[Event]:
        """Its events of these kinds."""
        return [event for event in self.events[port.id] if isinstance(event, kinds)]

    def run(self, seconds: float) -> None:
        self.loop.run(seconds)


@pytest.fixture
def world() -> World:
    """A fresh world at second 1000."""
    return World()
