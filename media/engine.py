"""The media engine: ports for signalling, served by a worker process beside it. Signalling never waits for media."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from media.events import Closed, Event
from media.handle import Engine, Listener, MediaPort, NoPort, Verbs
from media.link import MESSAGE_BYTES, Note, Ready, Stock, Up, decode_up, encode
from media.verbs import Open, Verb

__all__ = ["Engine", "MediaEngine", "MediaPort", "NoPort"]

_START_WITHIN_S = 20.0
_STOP_WITHIN_S = 5.0
_RESTART_S = 1.0
log = logging.getLogger(__name__)


class MediaEngine(Verbs):
    """Starts a worker, keeps its stock of bound ports, and starts another when it dies."""

    def __init__(self, addresses: Sequence[str], ports: range, stock: int, advertised: Sequence[str]) -> None:
        self._arguments = [",".join(addresses), str(ports.start), str(ports.stop), str(stock)]
        self.places = tuple(advertised)
        self._loop = asyncio.get_running_loop()
        self._ids = count(1)
        self._listeners: dict[int, Listener] = {}
        self._stock: tuple[deque[int], ...] = tuple(deque() for _ in addresses)
        self._outbox: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self._closing = False
        self._restart: asyncio.TimerHandle | None = None
        self.file_limit = 0
        """Open files the worker may have: two a port, so the most legs at once are a little below half of it."""

    @classmethod
    async def start(
        cls, address: str, ports: range, stock: int = 256, advertised: str | None = None,
        more: Sequence[tuple[str, str]] = (),
    ) -> MediaEngine:
        """Serve RTP on `address`, even ports of `ports` with RTCP on the next odd one; peers are told `advertised`.

        `more`: further places, each an address and what peers are told.
        `stock` ports stand ready for `open`, which cannot wait for a bind.  Raises: TimeoutError without a worker.
        """
        places = [(address, advertised or address), *more]
        engine = cls([bound for bound, _ in places], ports, stock, [told for _, told in places])
        engine._spawn()
        try:
            async with asyncio.timeout(_START_WITHIN_S):
                await engine._ready.wait()
        except TimeoutError:
            await engine.close()
            raise
        log.info("event=media-ready ports=%d-%d files=%d", ports[0], ports[-1], engine.file_limit)
        return engine

    @property
    def worker_pid(self) -> int:
        """The process that owns the sockets now."""
        return self._process.pid

    @property
    def open_ports(self) -> int:
        """Ports opened and not yet closed."""
        return len(self._listeners)

    def open(self, listener: Listener, place: int = 0) -> MediaPort:
        """See Engine."""
        try:
            rtp_port = self._stock[place].popleft()
        except IndexError:
            raise NoPort("no RTP port is free") from None
        port = MediaPort(self._ask, next(self._ids), self.places[place], rtp_port)
        self._listeners[port.id] = listener
        self._ask(Open(port.id, rtp_port))
        return port

    async def close(self) -> None:
        """See Engine. The worker says BYE for each port and completes recordings before it ends."""
        self._closing = True
        if self._restart is not None:
            self._restart.cancel()
        self._drop_link()
        try:
            await asyncio.to_thread(self._process.wait, _STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self._close_all()

    def _spawn(self) -> None:
        """Start a worker with one end of a socket pair."""
        self._restart = None
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._link.setblocking(False)
        root = str(Path(__file__).parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "media.worker", str(theirs.fileno()), *self._arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            )
        self._born = self._loop.time()
        self._loop.add_reader(self._link.fileno(), self._readable)

    def _ask(self, verb: Verb) -> None:
        self._outbox.append(encode(verb))
        if len(self._outbox) == 1:
            self._flush()

    def _flush(self) -> None:
        """Send down in order; what a busy worker does not take yet waits here."""
        try:
            while self._outbox:
                self._link.send(self._outbox[0])
                self._outbox.popleft()
        except BlockingIOError:
            self._loop.add_writer(self._link.fileno(), self._flush)
            return
        except OSError:
            self._outbox.clear()  # the worker is gone: its ports are told Closed when the link is read
        if self._link.fileno() >= 0:
            self._loop.remove_writer(self._link.fileno())

    def _readable(self) -> None:
        for _ in range(64):
            try:
                message = self._link.recv(MESSAGE_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:
                message = b""
            if not message:
                self._worker_died()
                return
            for note in decode_up(message):
                self._take(note)

    def _take(self, note: Up) -> None:
        match note:
            case Ready(files=files):
                self.file_limit = files
                self._ready.set()
            case Stock(rtp_ports=rtp_ports, place=place):
                self._stock[place].extend(rtp_ports)
            case Note(port=port, event=event):
                self._tell(port, event)

    def _tell(self, port: int, event: Event) -> None:
        last = isinstance(event, Closed)
        listener = self._listeners.pop(port, None) if last else self._listeners.get(port)
        if listener is None:
            return
        try:
            listener(event)
        except Exception:  # one call's fault shall not end the others' media
            log.exception("port=%d event=listener-failed", port)

    def _worker_died(self) -> None:
        """Every call lost its media: say so, and serve the next ones with a new worker."""
        self._drop_link()
        self._process.kill()
        code = self._process.wait()
        log.error("event=media-worker-died code=%d ports=%d", code, len(self._listeners))
        self._close_all()
        if not self._closing:
            young = self._loop.time() - self._born < _RESTART_S
            self._restart = self._loop.call_later(_RESTART_S if young else 0, self._spawn)

    def _drop_link(self) -> None:
        if self._link.fileno() >= 0:
            self._loop.remove_reader(self._link.fileno())
            self._loop.remove_writer(self._link.fileno())
            self._link.close()
        for stock in self._stock:
            stock.clear()
        self._outbox.clear()

    def _close_all(self) -> None:
        for port in list(self._listeners):
            self._tell(port, Closed())
