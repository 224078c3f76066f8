"""The media process: owns every RTP socket; one epoll loop, no asyncio; media.engine holds the link's other end."""

from __future__ import annotations

import ctypes
import logging
import random
import resource
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from time import monotonic, sleep

from media.bridge import Switch
from media.control import Clock
from media.events import Event, Stats
from media.latch import Address
from media.link import MESSAGE_BYTES, Note, Ready, Stock, Up, decode_verb, encode
from media.port import Port
from media.stream import Send, Stream
from media.verbs import Close, Open

__all__ = ["Worker", "main"]

_DRAIN = 64
_ROUND = 128
"""Most sockets read in one round."""
_BUFFERS = cycle([memoryview(bytearray(2048)) for _ in range(_ROUND + _DRAIN)])
"""In turn: what was read is sent on from where it lies, at the end of its round."""
_NOTES = 100
"""Notes in one message at most."""
_MANY_PORTS, _TICK_S = 40, 0.001
"""With more ports than these, packets of one tick are taken in together: a wake-up costs more than a packet."""
_SPARE_FILES = 32
_AF_UNSPEC = bytes(16)
_libc = ctypes.CDLL(None, use_errno=True)
log = logging.getLogger(__name__)

Reader = Callable[[float], None]
"""Takes in what waits on one socket; the argument is now."""


class Outgoing:
    """What leaves in one round, in order.  Sent together: a far end woken by each packet costs more than the packet."""

    __slots__ = ("_packets",)

    def __init__(self) -> None:
        self._packets: list[tuple[Send, bytes | memoryview, Stream]] = []

    def sender(self, send: Send, stream: Stream) -> Send:
        """As `send`, at the end of the round; what is refused then is counted in `stream`."""
        add = self._packets.append
        return lambda packet: add((send, packet, stream))

    def flush(self) -> None:
        """Send."""
        for send, packet, stream in self._packets:
            try:
                send(packet)
            except OSError:
                stream.refused += 1
        self._packets.clear()


class Pair:
    """The RTP and RTCP socket of one port; a connected RTP socket lets the kernel refuse strangers."""

    __slots__ = ("_connected", "_epoll", "_free", "_outgoing", "_readers", "_rtcp", "_rtp", "place", "port", "rtp_port")

    def __init__(
        self,
        rtp: socket.socket,
        rtcp: socket.socket,
        epoll: select.epoll,
        readers: dict[int, Reader],
        free: deque[int],
        place: int,
        outgoing: Outgoing,
    ) -> None:
        self.place = place
        self._rtp, self._rtcp, self._epoll, self._readers, self._free = rtp, rtcp, epoll, readers, free
        self._outgoing = outgoing
        self._connected = False
        self.rtp_port: int = rtp.getsockname()[1]
        self.port: Port

    def begin(self, port: Port) -> None:
        """Serve this port from now on."""
        self.port = port
        for sock, reader in ((self._rtp, self._read_any), (self._rtcp, self._read_rtcp)):
            self._readers[sock.fileno()] = reader
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def point(self, target: Address, only: bool) -> Send:
        """See media.port.Wire."""
        if only:
            return self._connect(target)
        if self._connected:
            # A UDP socket is freed by connecting it to no family (connect(2)); socket.connect cannot say that.
            _libc.connect(self._rtp.fileno(), _AF_UNSPEC, len(_AF_UNSPEC))
            self._connected = False
        self._readers[self._rtp.fileno()] = self._read_any
        return self._sender_to(target)

    def _sender_to(self, target: Address) -> Send:
        sendto = self._rtp.sendto
        return self._outgoing.sender(lambda packet: sendto(packet, target), self.port.stream)

    def send_rtcp(self, packet: bytes, target: Address) -> None:
        """See media.port.Wire."""
        try:
            self._rtcp.sendto(packet, target)
        except OSError as error:
            log.debug("port=%d event=rtcp-unsent %s", self.rtp_port, error)

    def close(self) -> None:
        """See media.port.Wire."""
        self._outgoing.flush()
        for sock in (self._rtp, self._rtcp):
            if self._readers.pop(sock.fileno(), None) is not None:
                self._epoll.unregister(sock.fileno())
            sock.close()
        self._free.append(self.rtp_port)

    def _connect(self, target: Address) -> Send:
        try:
            self._rtp.connect(target)
        except OSError as error:
            log.warning("port=%d event=connect-failed %s", self.rtp_port, error)
            return self._sender_to(target)
        self._connected = True
        return self._outgoing.sender(self._rtp.send, self.port.stream)

    def _read_any(self, now: float) -> None:
        """Drain with a look at each source; once latched and empty, the kernel's own look is enough.

        What strangers sent before the connect still waits in the socket, hence `empty`.
        """
        self._outgoing.flush()  # what follows may need as many buffers as are not in use by this round
        for _ in range(_DRAIN):
            buffer = next(_BUFFERS)
            try:
                size, source = self._rtp.recvfrom_into(buffer)
            except BlockingIOError:
                if self._connected:
                    self._readers[self._rtp.fileno()] = self._latched_reader()
                return
            except OSError:
                self.port.stream.refused += 1
                continue
            self.port.arrived(buffer, size, source[:2], now)

    def _latched_reader(self) -> Reader:
        """The fast path: one packet a call, since the next one of this far end comes 20 ms later."""
        recv_into, heard, stream = self._rtp.recv_into, self.port.heard, self.port.stream

        def read(now: float) -> None:
            buffer = next(_BUFFERS)
            try:
                size = recv_into(buffer)
            except BlockingIOError:
                return
            except OSError:
                stream.refused += 1
                return
            heard(buffer, size, now)

        return read

    def _read_rtcp(self, now: float) -> None:
        for _ in range(_DRAIN):
            try:
                data, source = self._rtcp.recvfrom(2048)
            except BlockingIOError:
                return
            except OSError:
                continue
            self.port.rtcp_arrived(data, source[:2], now)


class Worker:
    """Obeys verbs from the link until its other end closes."""

    def __init__(self, link: socket.socket, addresses: Sequence[str], ports: range, stock: int) -> None:
        self._link, self._addresses = link, tuple(addresses)
        self._stocked = [0] * len(self._addresses)
        """Pairs in stock, by the number of their address."""
        even = range(ports.start + ports.start % 2, ports.stop - 1, 2)
        self._free = deque(even)
        self._share = len(even) // len(self._addresses)
        """Pairs that one address may have in stock, so that none is left without."""
        self._epoll = select.epoll()
        self._readers: dict[int, Reader] = {link.fileno(): self._read_link}
        self._stock: dict[int, Pair] = {}
        self._outgoing = Outgoing()
        self._outbox: deque[bytes] = deque()
        self._notes: list[Up] = []
        self._blocked = False
        self._running = True
        self._alarm: float | None = None
        self._woke = 0.0
        self._behind = False
        """The last round did not take in all there was."""
        self._files = raise_file_limit()
        self._stock_size = min(stock, (self._files - _SPARE_FILES) // 2)
        clock = Clock(time.time() - monotonic(), random.random)
        self._switch = Switch(clock, lambda: random.getrandbits(32), self._tell)
        link.setblocking(False)
        self._epoll.register(link.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve; blocks while there is nothing to do."""
        self._refill()
        self._notes.append(Ready(self._files))
        self._post()
        readers, switch, outgoing = self._readers, self._switch, self._outgoing
        while self._running:
            ready = self._wait()
            self._woke = now = monotonic()
            for fd, _ in ready:
                reader = readers.get(fd)  # None: closed by a verb in this very round
                if reader is not None:
                    reader(now)
            self._behind = len(ready) == _ROUND
            if self._alarm is not None and now >= self._alarm:
                switch.wake(now)
                self._alarm = switch.next_alarm()
            outgoing.flush()
            if self._notes:
                self._post()
        for port in list(switch.ports):
            switch.do(Close(port), monotonic())

    def _wait(self) -> list[tuple[int, int]]:
        """What is ready, at the alarm at the latest; epoll counts in whole ms, so select awaits frames, in us."""
        if len(self._switch.ports) > _MANY_PORTS and not self._behind:
            self._gather()
        if self._alarm is None:
            return self._epoll.poll(-1, _ROUND)
        left = self._alarm - monotonic()
        if not self._switch.pacing:
            return self._epoll.poll(max(left, 0), _ROUND)
        ready = self._epoll.poll(0, _ROUND)
        if not ready and left > 0:
            select.select([self._epoll], [], [], left)
            ready = self._epoll.poll(0, _ROUND)
        return ready

    def _gather(self) -> None:
        """Sleep until a tick after the last wake-up, or the alarm: after a longer silence nothing waits."""
        until = self._woke + _TICK_S
        left = (until if self._alarm is None else min(until, self._alarm)) - monotonic()
        if left > 0:
            sleep(left)

    def _read_link(self, now: float) -> None:
        if self._blocked:
            self._flush()
        for _ in range(_DRAIN):
            try:
                message = self._link.recv(MESSAGE_BYTES)
            except BlockingIOError:
                break
            except ConnectionError:
                message = b""
            if not message:
                self._running = False
                return
            verb = decode_verb(message)
            if isinstance(verb, Open):
                self._open(verb, now)
            else:
                self._switch.do(verb, now)
                if isinstance(verb, Close):
                    self._refill()
        self._alarm = self._switch.next_alarm()

    def _open(self, verb: Open, now: float) -> None:
        pair = self._stock.pop(verb.rtp_port)
        self._stocked[pair.place] -= 1
        pair.begin(self._switch.open(verb.port, pair, now))
        self._refill()

    def _refill(self) -> None:
        """Bind pairs at each address until its stock is full or the range is used up, and tell which."""
        for place, there in enumerate(self._stocked):
            wanted = max(0, min(self._stock_size, self._room() // len(self._addresses), self._share) - there)
            fresh = list(islice(self._bind(place), wanted))
            self._stock |= {pair.rtp_port: pair for pair in fresh}
            self._stocked[place] += len(fresh)
            if fresh:
                self._notes.append(Stock(tuple(pair.rtp_port for pair in fresh), place))

    def _room(self) -> int:
        """How many more pairs the limit of open files leaves, those in stock included."""
        return (self._files - _SPARE_FILES) // 2 - len(self._switch.ports)

    def _bind(self, place: int) -> Iterator[Pair]:
        """Pairs on free ports, even and odd; a port just closed comes last, one that others hold is tried later."""
        address = self._addresses[place]
        for _ in range(len(self._free)):
            rtp_port = self._free.popleft()
            rtp, rtcp = _socket(address), _socket(address)
            try:
                rtp.bind((address, rtp_port))
                rtcp.bind((address, rtp_port + 1))
            except OSError:
                rtp.close()
                rtcp.close()
                self._free.append(rtp_port)
                continue
            yield Pair(rtp, rtcp, self._epoll, self._readers, self._free, place, self._outgoing)

    def _tell(self, port: int, event: Event) -> None:
        if not (self._blocked and isinstance(event, Stats)):  # figures are not worth a queue: newer ones follow
            self._notes.append(Note(port, event))

    def _post(self) -> None:
        """Send up what this round brought, in order; what a busy engine does not take yet waits, and media go on."""
        for start in range(0, len(self._notes), _NOTES):
            self._outbox.append(encode(self._notes[start : start + _NOTES]))
        self._notes.clear()
        if not self._blocked:
            self._flush()

    def _flush(self) -> None:
        blocked = False
        try:
            while self._outbox:
                self._link.send(self._outbox[0])
                self._outbox.popleft()
        except BlockingIOError:
            blocked = True
        except ConnectionError:
            self._outbox.clear()
            self._running = False
        if blocked != self._blocked:
            self._blocked = blocked
            self._epoll.modify(self._link.fileno(), select.EPOLLIN | (select.EPOLLOUT if blocked else 0))


def _socket(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    if sock.family == socket.AF_INET6:  # IPv4 has sockets of its own
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def raise_file_limit() -> int:
    """Ask for as many open files as this process may have; returns how many those are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def main(arguments: list[str]) -> None:
    """`python -m media.worker FD ADDRESS,ADDRESS... FIRST LAST STOCK`, the last port excluded."""
    fd, addresses, first, last, stock = arguments
    logging.basicConfig(level=logging.WARNING, format="media worker: %(levelname)s %(message)s")
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # the engine's end of the link is what ends a worker
    link = socket.socket(fileno=int(fd))
    Worker(link, addresses.split(","), range(int(first), int(last)), int(stock)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
