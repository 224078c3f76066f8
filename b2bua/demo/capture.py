"""A packet capture written from what user agents send and hear: opens in Wireshark (classic pcap, raw IPv4)."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from struct import Struct

__all__ = ["Capture", "datagram", "record"]

_FILE = Struct("<IHHiIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
"""Microseconds, version 2.4, link type 101: packets begin with their IP header."""
_RECORD = Struct("<IIII")
_IP = Struct("!BBHHHBBH4s4s")
_UDP = Struct("!HHHH")

Address = tuple[str, int]


def datagram(payload: bytes, source: Address, target: Address) -> bytes:
    """An IPv4 packet with one UDP datagram; its UDP checksum is 0, which says there is none (RFC 768)."""
    size = _IP.size + _UDP.size + len(payload)
    ends = IPv4Address(source[0]).packed, IPv4Address(target[0]).packed
    bare = _IP.pack(0x45, 0, size, 0, 0x4000, 64, 17, 0, *ends)
    header = _IP.pack(0x45, 0, size, 0, 0x4000, 64, 17, _checksum(bare), *ends)
    return header + _UDP.pack(source[1], target[1], _UDP.size + len(payload), 0) + payload


def record(packet: bytes, at: float) -> bytes:
    """One packet of the file; `at` is Unix time."""
    micros = round(at * 1_000_000)
    return _RECORD.pack(micros // 1_000_000, micros % 1_000_000, len(packet), len(packet)) + packet


def _checksum(header: bytes) -> int:
    """RFC 791 3.1: the ones' complement of the ones' complement sum of 16-bit words."""
    total = sum(int.from_bytes(header[i : i + 2], "big") for i in range(0, len(header), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Capture:
    """One file that grows with each datagram told."""

    def __init__(self, path: Path, wall: Callable[[], float]) -> None:
        """Make the file, and its folder where there is none.  Raises: OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("wb")
        self._file.write(_FILE)
        self._wall = wall

    def __call__(self, payload: bytes, source: Address, target: Address) -> None:
        """Write one datagram, as of now."""
        self._file.write(record(datagram(payload, source, target), self._wall()))

    def close(self) -> None:
        """Complete the file."""
        self._file.close()
