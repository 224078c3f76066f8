"""A packet capture written from what user agents send and hear, sound too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from b2bua.trace.pcap import FILE, datagram, record

__all__ = ["Capture"]

Address = tuple[str, int]


class Capture:
    """One file that grows with each datagram told."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        """Make the file, and its folder where there is none.  Raises: OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._file.write(FILE)
        self._wall = wall

    def __call__(self, payload: bytes, source: Address, target: Address) -> None:
        """Write one datagram, as of now."""
        self._file.write(record(datagram(payload, source, target), self._wall()))

    def close(self) -> None:
        """Complete the file."""
        self._file.close()
