"""What a process and its children use, read from /proc."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpu_s", "end", "family", "memory_bytes", "pinned"]

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """The process and everything it started that still runs."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of the family so far; 10-ms steps."""
    ticks = 0
    for member in family(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * _TICK_S


def memory_bytes(pid: int) -> int:
    """Memory of the family, shared pages divided among their users (PSS)."""
    total = 0
    for member in family(pid):
        rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024
    return total


def pinned(core: int, words: list[str]) -> list[str]:
    """The command, held on one core."""
    return ["taskset", "-c", str(core), *words]


def end(process: subprocess.Popen[str]) -> None:
    """Terminate, then kill, by its pid."""
    process.terminate()
    try:
        process.wait(8)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
