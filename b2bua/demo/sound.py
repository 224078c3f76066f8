"""Media of the simulated user agents: the switch of media.bridge on UDP sockets of this process, and an ear."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable
from itertools import count, cycle, islice

import numpy as np

from b2bua.demo.loopback import Address, Datagram
from media.bridge import Switch
from media.control import Clock
from media.events import Closed, Event
from media.g711 import Codec, decode
from media.handle import Listener, MediaPort, NoPort, Verbs
from media.listen import level_db, tone_share
from media.port import Tap
from media.stream import Send
from media.verbs import Close, Verb

__all__ = ["Ear", "SoundEngine"]

_WINDOW = 1600
"""What the ear judges at once: 200 ms."""
_FAINT_DB = -45.0

_Reader = Callable[[bytes, Address], None]


class Ear:
    """Tells voices from silence and from the ringback tone in what is heard."""

    def __init__(self) -> None:
        self.voice_at = float("-inf")
        """When a voice was last heard, by the loop's clock."""
        self.voice = asyncio.Event()
        self._samples = np.zeros(0, np.int16)
        self._in_a_row = 0

    def __call__(self, now: float, ssrc: int, timestamp: int, payload: bytes, codec: Codec) -> None:
        """Hear one packet (a media.port.Tap)."""
        self._samples = np.concatenate([self._samples, decode(payload, codec)])
        if len(self._samples) < _WINDOW:
            return
        window, self._samples = self._samples, self._samples[:0]
        ringback = tone_share(window, 440) + tone_share(window, 480)
        self._in_a_row = self._in_a_row + 1 if level_db(window) > _FAINT_DB and ringback < 0.5 else 0
        if self._in_a_row >= 2:  # one alone may be where the tone begins or ends
            self.voice_at = now
            self.voice.set()

    def forget(self) -> None:
        """Whatever was heard until now does not count."""
        self._samples = self._samples[:0]
        self._in_a_row = 0
        self.voice.clear()


class SoundEngine(Verbs):
    """An Engine in the agents' own process, on real sockets; `seen` is told of every RTP and RTCP datagram."""

    def __init__(self, address: str, ports: range, seen: Datagram | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._address = address
        self._candidates = cycle(range(ports.start + ports.start % 2, ports.stop - 1, 2))
        self._range = len(ports) // 2
        self._seen = seen
        self._ids = count(1)
        self._listeners: dict[int, Listener] = {}
        clock = Clock(time.time() - self._loop.time(), random.random)
        self._switch = Switch(clock, lambda: random.getrandbits(32), self._tell)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """See Engine."""
        return (self._address,)

    def open(self, listener: Listener, place: int = 0) -> MediaPort:
        """See Engine."""
        wire = self._bind()
        handle = MediaPort(self._ask, next(self._ids), self._address, wire.rtp_port)
        self._listeners[handle.id] = listener
        port = self._switch.open(handle.id, wire, self._loop.time())
        clock = self._loop.time
        wire.listen(
            lambda data, source: port.arrived(memoryview(bytearray(data)), len(data), source, clock()),
            lambda data, source: port.rtcp_arrived(data, source, clock()),
        )
        self._arm()
        return handle

    def tap(self, port: MediaPort, tap: Tap) -> None:
        """Hand a copy of what a port hears to `tap`."""
        self._switch.ports[port.id].tap = tap

    async def close(self) -> None:
        """See Engine."""
        for port in list(self._switch.ports):
            self._ask(Close(port))
        self._arm()

    def _bind(self) -> _Pair:
        for port in islice(self._candidates, self._range):
            try:
                return _Pair(self._loop, self._address, port, self._seen)
            except OSError:
                continue
        raise NoPort("no RTP port is free")

    def _ask(self, verb: Verb) -> None:
        self._switch.do(verb, self._loop.time())
        self._arm()

    def _tell(self, port: int, event: Event) -> None:
        """A listener is never called from inside a verb."""
        listener = self._listeners.pop(port) if isinstance(event, Closed) else self._listeners[port]
        self._loop.call_soon(listener, event)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        alarm = self._switch.next_alarm()
        self._timer = None if alarm is None else self._loop.call_at(alarm, self._wake)

    def _wake(self) -> None:
        self._switch.wake(self._loop.time())
        self._arm()


class _Pair:
    """The RTP and RTCP socket of one port (a media.port.Wire)."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, address: str, rtp_port: int, seen: Datagram | None
    ) -> None:  # fmt: skip
        self._loop, self._seen, self.rtp_port = loop, seen, rtp_port
        self._rtp = _bound(address, rtp_port)
        try:
            self._rtcp = _bound(address, rtp_port + 1)
        except OSError:
            self._rtp.close()
            raise

    def listen(self, rtp: _Reader, rtcp: _Reader) -> None:
        """Hand what arrives to these from now on."""
        for sock, reader in ((self._rtp, rtp), (self._rtcp, rtcp)):
            self._loop.add_reader(sock.fileno(), self._drain, sock, reader)

    def point(self, target: Address, only: bool) -> Send:
        """See media.port.Wire; the latch alone keeps strangers out."""
        return lambda packet: self._send(self._rtp, bytes(packet), target)

    def send_rtcp(self, packet: bytes, target: Address) -> None:
        """See media.port.Wire."""
        try:
            self._send(self._rtcp, packet, target)
        except OSError:
            return  # a report is lost; the next one follows

    def close(self) -> None:
        """See media.port.Wire."""
        for sock in (self._rtp, self._rtcp):
            self._loop.remove_reader(sock.fileno())
            sock.close()

    def _send(self, sock: socket.socket, packet: bytes, target: Address) -> None:
        if self._seen is not None:
            self._seen(packet, sock.getsockname(), target)
        sock.sendto(packet, target)

    def _drain(self, sock: socket.socket, reader: _Reader) -> None:
        for _ in range(16):
            try:
                data, source = sock.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:  # ECONNREFUSED of an earlier datagram
                continue
            if self._seen is not None:
                self._seen(data, source, sock.getsockname())
            reader(data, source)


def _bound(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    try:
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock
