"""Media relay: a plain C epoll relay and our media worker under the same RTP load, in turns."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.process import cpu_s, end, pinned
from media.engine import MediaEngine
from media.sdp import MediaPeer

__all__ = ["Relayed", "compare", "compile_tools"]

HERE = Path(__file__).parent
ADDRESS = "127.0.0.8"
LOAD_PORT = 40_000
RELAY_PORT = 42_000
CALLS = 300
SECONDS = 6.0
WARM_UP_S = 1.5
SERVER_CORE, LOAD_CORE = 0, 1


@dataclass(frozen=True, slots=True)
class Relayed:
    """One measurement."""

    us_per_packet: float
    lost: float
    """Share of packets, 0 to 1."""
    p50_us: int
    p99_us: int


def compile_tools(folder: Path) -> bool:
    """Compile relay and rtpload into a folder; False without gcc."""
    if shutil.which("gcc") is None:
        return False
    for name in ("relay", "rtpload"):
        words = ["gcc", "-O2", "-pthread", "-o", str(folder / name), str(HERE / f"{name}.c")]
        subprocess.run(words, check=True, timeout=60)
    return True


def compare(folder: Path, rounds: int) -> tuple[Relayed, Relayed]:
    """(C relay, ours): medians of rounds taken in turns."""
    pairs = [(_c_relay(folder), asyncio.run(_ours(folder))) for _ in range(rounds)]
    return _median([peer for peer, _ in pairs]), _median([ours for _, ours in pairs])


def _median(runs: Sequence[Relayed]) -> Relayed:
    return sorted(runs, key=lambda run: run.us_per_packet)[len(runs) // 2]


def _c_relay(folder: Path) -> Relayed:
    relay_ports = [RELAY_PORT + n for n in range(2 * CALLS)]
    words = pinned(SERVER_CORE, [str(folder / "relay"), ADDRESS])
    relay = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert relay.stdin is not None
    assert relay.stdout is not None
    try:
        for a in range(0, 2 * CALLS, 2):
            relay.stdin.write(f"{relay_ports[a]} {LOAD_PORT + a} {relay_ports[a + 1]} {LOAD_PORT + a + 1}\n")
        relay.stdin.close()
        if relay.stdout.readline() != "ready\n":
            raise RuntimeError("the C relay did not start")
        return _load(folder, relay_ports, relay.pid)
    finally:
        end(relay)


async def _ours(folder: Path) -> Relayed:
    engine = await MediaEngine.start(ADDRESS, range(RELAY_PORT, RELAY_PORT + 4 * CALLS + 256), stock=2 * CALLS)
    try:
        os.sched_setaffinity(engine.worker_pid, {SERVER_CORE})
        ports = [engine.open(lambda event: None) for _ in range(2 * CALLS)]
        for n, port in enumerate(ports):
            port.describe(MediaPeer(ADDRESS, LOAD_PORT + n, 0, "PCMU", 0), ADDRESS)
        for a, b in zip(ports[::2], ports[1::2], strict=True):
            engine.bridge(a, b)
        relay_ports = [port.rtp_port for port in ports]
        return await asyncio.to_thread(_load, folder, relay_ports, engine.worker_pid)
    finally:
        await engine.close()


def _load(folder: Path, relay_ports: Sequence[int], pid: int) -> Relayed:
    """Load a relay; CPU is read over the counted span only."""
    words = pinned(LOAD_CORE, [str(folder / "rtpload"), ADDRESS, str(SECONDS), str(WARM_UP_S)])
    load = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert load.stdin is not None
    assert load.stdout is not None
    try:
        load.stdin.write("".join(f"{LOAD_PORT + n} {port}\n" for n, port in enumerate(relay_ports)))
        load.stdin.close()
        time.sleep(WARM_UP_S)
        before, since = cpu_s(pid), time.monotonic()
        time.sleep(SECONDS - WARM_UP_S - 0.5)
        used, span_s = cpu_s(pid) - before, time.monotonic() - since
        sent, received, p50_us, p99_us = map(int, load.stdout.readline().split())
    finally:
        end(load)
    packets = received / (SECONDS - WARM_UP_S) * span_s
    return Relayed(1e6 * used / packets, 1 - received / sent, p50_us, p99_us)


