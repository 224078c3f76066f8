"""`python -m bench`: peers and ours in turns, medians, one table and one JSON file. A benchmark is not a test."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import flood, media_relay, servers, signalling

DEFAULT_JSON = Path("docs/benchmarks.json")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `ratio` is how GOALS.md states it."""

    what: str
    peer_name: str
    peer: float | None
    ours: float
    ratio: float | None
    must: str
    aim: str


RATES = (120, 300)
"""Calls a second both are measured at; Sippy's end is not far above."""


def signalling_rows(folder: Path, rounds: int, quick: bool) -> Iterator[Row]:
    """Against Sippy, in turns."""
    seconds = 3 if quick else 8
    for rate in RATES:
        peer, ours = costs_of([servers.sippy, servers.ours], folder, [rate, rate], seconds, rounds)
        yield Row(f"CPU us per bridged call, {rate} calls/s", "sippy", peer, ours, peer / ours, ">= 10", ">= 20")

    most_theirs = signalling.maximum(servers.sippy, folder, 100, 1_600)
    say(f"sippy: {most_theirs} calls/s")
    most = signalling.maximum(servers.ours, folder, 400, 8_000)
    say(f"ours: {most} calls/s")
    yield Row("calls/s on one core (failed < 0.1 %, resent < 1 %)", "sippy", most_theirs, most,
              most / max(1, most_theirs), ">= 10", ">= 20")

    half = max(10, most // 2)
    for share, each in (("half of ", 2), ("", 1)):
        theirs, own = max(10, most_theirs // each), max(10, most // each)
        peer, ours = costs_of([servers.sippy, servers.ours], folder, [theirs, own], seconds, rounds)
        yield Row(f"CPU us per bridged call, each at {share}its maximum ({theirs}; {own} calls/s)", "sippy", peer, ours,
                  peer / ours, ">= 10", ">= 20")

    late, times = signalling.late_180(servers.ours, folder, rate=half, calls=2_000)
    p50, p99 = signalling.setup_ms(times) if len(times) > 1 else (float("inf"), float("inf"))
    yield Row("180 after 200, in 2,000 calls", "-", None, late, None, "0", "0")
    yield Row("INVITE to 200 at half the maximum, p50 ms (SIPp's clock)", "-", None, p50, None, "<= 3", "<= 1.5")
    yield Row("INVITE to 200 at half the maximum, p99 ms (SIPp's clock)", "-", None, p99, None, "<= 20", "<= 5")

    held = 400 if quick else 4_800
    peer = signalling.held_bytes(servers.sippy, folder, calls=held, rate=100) / 1024
    ours = signalling.held_bytes(servers.ours, folder, calls=held, rate=100) / 1024
    yield Row("memory per held call without media, KiB", "sippy", peer, ours, peer / ours, ">= 3", ">= 6")


def flood_rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Ours alone: what others notice of a stranger's flood, and what is left of us when all want too much."""
    results = [flood.flooded(servers.ours, folder, flood.RATE) for _ in range(rounds)]
    what = f"{flood.RATE} INVITE/s for {flood.FLOOD_S} s from one address"
    for each in results:
        say(f"{each}")
    yield Row(f"{what}: calls of others that come about, %", "-", None, flood.median(results, "good_percent"), None,
              ">= 95", "100")
    yield Row(f"{what}: back to normal after, s", "-", None, flood.median(results, "recovered_s"), None, "< 2", "< 0.5")
    yield Row(f"{what}: memory, MiB", "-", None, flood.median(results, "grown_mib"), None, "< 64", "< 32")
    offered = [flood.goodput(servers.ours, folder) for _ in range(rounds)]
    say(", ".join(f"{share:.0%} at {rate} calls/s" for rate, share in offered))
    good = 100 * statistics.median(share for _, share in offered)
    yield Row("goodput at twice the maximum, %", "-", None, good, None, ">= 70", ">= 90")


def costs_of(starts: list[signalling.Start], folder: Path, rates: list[int], seconds: int, rounds: int) -> list[float]:
    """The median CPU time of a call at each server, at a rate of its own, in us, measured in turns."""
    costs: list[list[float]] = [[] for _ in starts]
    for _ in range(rounds):
        for start, rate, mine in zip(starts, rates, costs, strict=True):
            cost, result = signalling.cpu_us_per_call(start, folder, rate=rate, seconds=seconds)
            mine.append(cost)
            name = getattr(start, "__name__", "")
            say(f"{name}, {rate} calls/s: {cost:.0f} us a call, {result.failed} of {result.calls} failed")
    return [statistics.median(mine) for mine in costs]


def media_rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Against a plain C relay, in turns."""
    if not media_relay.compile_tools(folder):
        say("no gcc: the media bench is left out")
        return
    peer, ours = media_relay.compare(folder, rounds)
    yield Row(f"CPU us per relayed packet, {media_relay.CALLS} calls", "C epoll relay", peer.us_per_packet,
              ours.us_per_packet, ours.us_per_packet / peer.us_per_packet, "<= 1.6", "<= 1.2")
    yield Row("added delay p99, ms", "C epoll relay", peer.p99_us / 1000, ours.p99_us / 1000, None, "<= 3", "<= 1.5")
    yield Row("packets lost, %", "C epoll relay", 100 * peer.lost, 100 * ours.lost, None, "< 0.1", "< 0.1")


def table_of(rows: list[Row]) -> Table:
    """The rows for a terminal."""
    table = Table(title="Ringback beside its peers, same machine, same run")
    for heading in ("what", "peer", "peer's", "ours", "ratio", "must", "aim"):
        table.add_column(heading, justify="left" if heading in ("what", "peer") else "right")
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:,.2f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.what, row.peer_name, peer, f"{row.ours:,.2f}", ratio, row.must, row.aim)
    return table


def kept(path: Path, measured: set[str]) -> list[dict[str, object]]:
    """The rows of parts that were not measured this time."""
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return [row for row in rows if row.get("part") not in {None, *measured}]


def say(line: str) -> None:
    """Progress, beside the table."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Run what was asked; 0 unless a server did not work."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("only", nargs="?", choices=["signalling", "media", "flood"], help="one part; all without")
    parser.add_argument("--json", type=Path, default=DEFAULT_JSON, help=f"where the figures go ({DEFAULT_JSON})")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each repeated measurement")
    parser.add_argument("--quick", action="store_true", help="shorter and coarser, to see that it runs")
    said = parser.parse_args()
    rounds = 1 if said.quick else said.rounds
    began = time.monotonic()
    parts: dict[str, list[Row]] = {}
    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as name:
        if said.only in (None, "signalling"):
            parts["signalling"] = [*signalling_rows(Path(name), rounds, said.quick)]
        if said.only in (None, "media"):
            parts["media"] = [*media_rows(Path(name), rounds)]
        if said.only in (None, "flood"):
            parts["flood"] = [*flood_rows(Path(name), rounds)]
    Console().print(table_of([row for rows in parts.values() for row in rows]))
    facts = {"machine": platform.machine(), "python": platform.python_version(), "rounds": rounds}
    said.json.parent.mkdir(parents=True, exist_ok=True)
    rows = [*kept(said.json, set(parts)), *({"part": part} | asdict(row) for part in parts for row in parts[part])]
    said.json.write_text(json.dumps({**facts, "rows": rows}, indent=2) + "\n")
    say(f"{said.json} written; {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
