"""Signalling: plain bridged calls UAC -> server -> UAS; CPU a call, calls a second, memory a held call, late 180s."""

from __future__ import annotations

import csv
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.process import cpu_s, memory_bytes, pinned
from bench.servers import UAC, UAS, Server

__all__ = ["LoadResult", "Start", "cpu_us_per_call", "held_bytes", "late_180", "load", "maximum", "setup_ms"]

HERE = Path(__file__).resolve().parent
LOAD_CORE = 1
FLAGS = ["-buff_size", "4194304", "-timer_resol", "1", "-max_recv_loops", "5000", "-max_sched_loops", "5000"]
MOST_FAILED, MOST_RESENT = 0.001, 0.01
Start = Callable[[Path], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What SIPp counted on the calling side."""

    calls: int
    failed: int
    resent: int
    """Retransmissions of both SIPps."""
    seconds: float

    @property
    def good(self) -> bool:
        """Within the limits of GOALS.md."""
        return self.calls > 0 and self.failed <= MOST_FAILED * self.calls and self.resent <= MOST_RESENT * self.calls


@contextmanager
def _uas(folder: Path) -> Iterator[Path]:
    """The answering SIPp; gives its counters' file."""
    host, _, port = UAS.rpartition(":")
    counts = folder / "uas.csv"
    counts.unlink(missing_ok=True)
    words = ["sipp", UAC, "-sf", str(HERE / "uas.xml"), "-i", host, "-p", port, "-bind_local", "-mi", host, "-ci", host,
             "-nostdin", "-trace_stat", "-stf", str(counts), "-fd", "1", *FLAGS]
    process = subprocess.Popen(pinned(LOAD_CORE, words), cwd=folder, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 5
        while not counts.exists():
            if process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"the answering SIPp did not start at {UAS}")
            time.sleep(0.01)
        yield counts
    finally:
        process.terminate()
        process.wait(5)


def _uac_words(server: Server, folder: Path, rate: int, calls: int, held_ms: int) -> list[str]:
    host, _, port = UAC.rpartition(":")
    counts = folder / "uac.csv"
    counts.unlink(missing_ok=True)
    most = max(3000, calls if held_ms else 0)
    words = ["sipp", server.address, "-sf", str(HERE / "uac.xml"), "-i", host, "-p", port, "-bind_local", "-mi", host,
             "-ci", host, "-s", server.service, "-r", str(rate), "-m", str(calls), "-l", str(most), "-d", str(held_ms),
             "-nostdin", "-timeout", str(calls // rate + held_ms // 1000 + 15), "-recv_timeout", "10000",
             "-trace_stat", "-stf", str(counts), "-fd", "1", *FLAGS]
    return pinned(LOAD_CORE, words)


def load(server: Server, folder: Path, rate: int, calls: int, *more: str, held_ms: int = 0) -> LoadResult:
    """Place calls at a fixed rate and wait until all have ended."""
    with _uas(folder) as answering:
        began = time.monotonic()
        subprocess.run([*_uac_words(server, folder, rate, calls, held_ms), *more], cwd=folder, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - began
    ours, theirs = _last(folder / "uac.csv"), _last(answering)
    resent = int(ours.get("Retransmissions(C)", 0)) + int(theirs.get("Retransmissions(C)", 0))
    done = int(ours.get("SuccessfulCall(C)", 0))
    return LoadResult(calls, calls - done, resent, seconds)


def _last(path: Path) -> dict[str, str]:
    rows = list(csv.DictReader(path.read_text().splitlines(), delimiter=";")) if path.exists() else []
    return rows[-1] if rows else {}


def cpu_us_per_call(start: Start, folder: Path, *, rate: int, seconds: int) -> tuple[float, LoadResult]:
    """CPU of the server and its children for each call at a rate, after a second of warm-up."""
    with start(folder) as server:
        load(server, folder, rate, rate)
        before = cpu_s(server.pid)
        result = load(server, folder, rate, rate * seconds)
        return 1e6 * (cpu_s(server.pid) - before) / result.calls, result


def maximum(start: Start, folder: Path, first: int, ceiling: int, *, seconds: int = 4, steps: int = 2) -> int:
    """The highest rate within the limits: doubled until it fails, then halved `steps` times; a new server each time."""
    good, bad, rate = 0, 0, first
    while not bad or steps:
        with start(folder) as server:
            load(server, folder, max(1, rate // 4), rate // 4)
            result = load(server, folder, rate, rate * seconds)
        in_time = result.seconds < seconds * 1.05 + 1
        if result.good and in_time:
            good = rate
        else:
            bad = rate
        if good >= ceiling:
            return good
        if bad:
            steps -= 1
            rate = (good + bad) // 2
        else:
            rate = min(2 * rate, ceiling)
    return good


def held_bytes(start: Start, folder: Path, *, calls: int, rate: int) -> float:
    """Memory each call adds while it is up: the last third of them.

    What all calls share is there by then, and as many transactions end, 32 s after an answer, as begin.
    """
    hold_ms = 1000 * calls // rate + 4000
    with start(folder) as server, _uas(folder):
        held_up = subprocess.Popen(_uac_words(server, folder, rate, calls, hold_ms), cwd=folder,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ends = time.monotonic() + hold_ms / 1000
        few, before = _up(server, folder, calls * 2 // 3, ends)
        many, after = _up(server, folder, calls, ends)
        held_up.wait(hold_ms / 1000 + 20)
    if many < calls * 0.9:
        raise RuntimeError(f"only {many} of {calls} calls were up")
    return (after - before) / (many - few)


def _up(server: Server, folder: Path, calls: int, ends: float) -> tuple[int, int]:
    """How many calls are up and the memory in use, once as many as wanted are, or at the end."""
    up = 0
    while up < calls and time.monotonic() < ends:
        time.sleep(0.1)
        up = int(_last(folder / "uac.csv").get("CurrentCall", 0))
    return up, memory_bytes(server.pid)


def late_180(start: Start, folder: Path, *, rate: int, calls: int) -> tuple[int, list[float]]:
    """How many calls got a 180 after their 200, and each call's time from INVITE to 200 in ms, as the caller logged."""
    log = folder / "short.csv"
    log.unlink(missing_ok=True)
    with start(folder) as server:
        load(server, folder, rate, calls, "-trace_shortmsg", "-shortmessage_file", str(log))
    answered: dict[str, float] = {}
    invited: dict[str, float] = {}
    late = 0
    for line in log.read_text().splitlines():
        fields = line.split("\t")
        if len(fields) < 7:
            continue
        at, call_id, cseq, first = float(fields[2]), *fields[4:7]
        if first.startswith("INVITE"):
            invited.setdefault(call_id, at)
        elif first.startswith("SIP/2.0 200") and cseq.endswith(" INVITE"):
            answered.setdefault(call_id, at)
        elif first.startswith("SIP/2.0 180"):
            late += call_id in answered
    return late, [1000 * (answered[call] - invited[call]) for call in answered]


def setup_ms(times: list[float]) -> tuple[float, float]:
    """(p50, p99) of setup times."""
    cuts = statistics.quantiles(times, n=100)
    return cuts[49], cuts[98]
