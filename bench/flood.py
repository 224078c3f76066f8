"""A flood of INVITEs from one address while calls of others go on, and calls at twice what the server can take."""

from __future__ import annotations

import select
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench import signalling
from bench.process import cpu_s, memory_bytes
from bench.servers import Server

__all__ = ["FLOOD_S", "RATE", "Flooded", "flooded", "goodput", "median"]

STRANGER, PROBE = "127.0.0.66", "127.0.0.67"
RATE, FLOOD_S, CALLS_A_S = 1000, 10, 20
SLOW_S = 0.05
"""An answer to OPTIONS that takes longer is not normal; SIPp's calls beside it cost some milliseconds."""


@dataclass(frozen=True, slots=True)
class Flooded:
    """How it went."""

    sent: int
    good_percent: float
    """Of the calls of others."""
    recovered_s: float
    """From the last packet of the flood to the last slow answer."""
    grown_mib: float
    """The most memory used, less that before."""


def flooded(start: signalling.Start, folder: Path, rate: int) -> Flooded:
    """Calls of others for the time of a flood and some seconds more."""
    with start(folder) as server:
        signalling.load(server, folder, CALLS_A_S, CALLS_A_S)
        before = memory_bytes(server.pid)
        flood = _Flood(server.address, rate)
        with _watched(server) as watch:
            flood.start()
            result = signalling.load(server, folder, CALLS_A_S, CALLS_A_S * (FLOOD_S + 3))
            flood.join()
    slow = [sent + took for sent, took in watch.answers if took > SLOW_S and sent + took > flood.ended]
    recovered = max(slow, default=flood.ended) - flood.ended
    good = 100 * (result.calls - result.failed) / result.calls
    return Flooded(flood.sent, good, recovered, (max(watch.memory) - before) / 2**20)


def goodput(start: signalling.Start, folder: Path) -> tuple[int, float]:
    """The rate of calls that was twice what the server can take, and what came about, as a share of what it can take.

    Both by second of the server's own CPU, since a machine with other work gives it less than a whole core.
    """
    cost_us, _ = signalling.cpu_us_per_call(start, folder, rate=600, seconds=4)
    busy = round(0.8e6 / cost_us)  # then it needs less for each
    cost_us, _ = signalling.cpu_us_per_call(start, folder, rate=busy, seconds=4)
    with start(folder) as server:
        _, given = _overload(server, folder, round(2e6 / cost_us), 2)
    with start(folder) as server:
        rate = round(2e6 / cost_us * given)
        before = cpu_s(server.pid)
        good, _ = _overload(server, folder, rate, 5)
        used_s = cpu_s(server.pid) - before
    return rate, good * cost_us / 1e6 / used_s


def _overload(server: Server, folder: Path, rate: int, seconds: int) -> tuple[int, float]:
    """Calls that come about, and seconds of CPU that the server had in each."""
    signalling.load(server, folder, 100, 100)
    before = cpu_s(server.pid)
    result = signalling.load(server, folder, rate, rate * seconds)
    return result.calls - result.failed, (cpu_s(server.pid) - before) / max(result.seconds, seconds)


class _Flood(threading.Thread):
    """INVITEs of a stranger, each a call of its own, at an even rate; answers are not read."""

    def __init__(self, address: str, rate: int) -> None:
        super().__init__(daemon=True)
        host, _, port = address.rpartition(":")
        self._target, self._rate = (host, int(port)), rate
        self.sent = 0
        self.ended = 0.0

    def run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((STRANGER, 0))
            port, began = sock.getsockname()[1], time.monotonic()
            while (now := time.monotonic() - began) < FLOOD_S:
                while self.sent < now * self._rate:
                    self.sent += 1
                    sock.sendto(_request("INVITE", "5555550000", STRANGER, port, f"f{self.sent}"), self._target)
                time.sleep(0.002)
        self.ended = time.monotonic()


@dataclass(frozen=True, slots=True)
class _Watch:
    answers: list[tuple[float, float]]
    """When each OPTIONS left, and how long its answer took."""
    memory: list[int]


@contextmanager
def _watched(server: Server) -> Iterator[_Watch]:
    """OPTIONS twenty times a second and the memory twice a second, until left."""
    watch, stop = _Watch([], []), threading.Event()
    thread = threading.Thread(target=_look, args=(server, watch, stop), daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()


def _look(server: Server, watch: _Watch, stop: threading.Event) -> None:
    host, _, port = server.address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PROBE, 0))
        for n in count():
            if n % 10 == 0:
                watch.memory.append(memory_bytes(server.pid))
            began = time.monotonic()
            sock.sendto(_request("OPTIONS", "", PROBE, sock.getsockname()[1], f"p{n}"), (host, int(port)))
            while not select.select([sock], [], [], 0.05)[0]:
                if stop.is_set() or time.monotonic() - began > 5:
                    break
            else:
                sock.recv(65535)
            watch.answers.append((began, time.monotonic() - began))
            if stop.wait(max(0.0, 0.05 - (time.monotonic() - began))):
                return


def _request(method: str, user: str, host: str, port: int, name: str) -> bytes:
    to = f"sip:{user}@{host}" if user else f"sip:{host}"
    return (
        f"{method} {to} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{name};rport\r\nMax-Forwards: 70\r\n"
        f"From: <sip:{name}@{host}>;tag={name}\r\nTo: <{to}>\r\nCall-ID: {name}@{host}\r\nCSeq: 1 {method}\r\n"
        f"Contact: <sip:{name}@{host}:{port}>\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def median(results: list[Flooded], what: str) -> float:
    """The median of one figure."""
    return statistics.median(getattr(result, what) for result in results)
