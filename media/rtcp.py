"""RTCP of one leg (RFC 3550 section 6): reports and BYE, written and read; loss and jitter of what we receive. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

__all__ = ["MAX_DROPOUT", "Reception", "Report", "bye", "ntp_middle", "read_reports", "sender_report"]

SR, RR, SDES, BYE = 200, 201, 202, 203
MAX_DROPOUT, MAX_MISORDER = 3000, 100
_BLOCK = Struct("!LLLLLL")
_RATE_HZ = 8000


@dataclass(frozen=True, slots=True)
class Report:
    """What a far end says: when it sent (`ntp_middle`, 0 without SR), and what it heard of us (None without block)."""

    ntp_middle: int
    lost: int | None = None
    jitter: int = 0
    last_sr: int = 0
    delay: int = 0
    """Since that SR, in 1/65536 s."""

    def round_trip_ms(self, now_ntp_middle: int) -> float | None:
        """RFC 3550 6.4.1: A - LSR - DLSR; None without them, or when the clocks make it negative."""
        trip = (now_ntp_middle - self.last_sr - self.delay) & 0xFFFFFFFF
        return trip / 65.536 if self.last_sr and trip < 0x80000000 else None


class Reception:
    """Counts what one leg receives: extended highest sequence, loss (A.3) and jitter (A.8), afresh for each SSRC."""

    __slots__ = (
        "_base", "_earlier_lost", "_prior", "cycles", "highest", "jitter", "received", "ssrc", "total", "transit",
    )

    def __init__(self) -> None:
        self.ssrc = -1
        self.total = self.received = self._earlier_lost = 0
        self._prior = (0, 0)
        self.start(-1, 0)

    def start(self, ssrc: int, sequence: int) -> None:
        """A new source begins: what the one before lost is kept in the sum."""
        self._earlier_lost = self.lost if self.ssrc >= 0 else 0
        self.ssrc = ssrc
        self._base = self.highest = sequence
        self.cycles = self.received = 0
        self.jitter = 0.0
        self.transit: float | None = None
        self._prior = (0, 0)

    def count(self, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        """One packet arrived at `now`."""
        self.total += 1
        step = (sequence - self.highest) & 0xFFFF
        if ssrc != self.ssrc or MAX_DROPOUT <= step < 0x10000 - MAX_MISORDER:
            self.start(ssrc, sequence)
        elif step < MAX_DROPOUT:
            if sequence < self.highest:
                self.cycles += 0x10000
            self.highest = sequence
        self.received += 1
        transit = now * _RATE_HZ - timestamp
        if self.transit is not None:
            swing = transit - self.transit
            if -_RATE_HZ < swing < _RATE_HZ:  # a wrap of the timestamp or a pause is no jitter
                self.jitter += ((swing if swing > 0 else -swing) - self.jitter) / 16
        self.transit = transit

    @property
    def expected(self) -> int:
        """Packets of this source that should have come (RFC 3550 A.3)."""
        return self.cycles + self.highest - self._base + 1

    @property
    def lost(self) -> int:
        """Packets lost of all sources so far; duplicates make it smaller, and never less than none."""
        return self._earlier_lost + (max(0, self.expected - self.received) if self.received else 0)

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter (RFC 3550 A.8)."""
        return self.jitter * 1000 / _RATE_HZ

    def block(self, last_sr: int, delay: int) -> bytes:
        """One report block about this source, and the start of the next interval; empty before the first packet."""
        if not self.received:
            return b""
        expected, received = self.expected - self._prior[0], self.received - self._prior[1]
        self._prior = (self.expected, self.received)
        fraction = max(0, expected - received) * 256 // expected if expected > 0 else 0
        lost = max(-0x800000, min(0x7FFFFF, self.expected - self.received)) & 0xFFFFFF
        highest = (self.cycles + self.highest) & 0xFFFFFFFF
        return _BLOCK.pack(self.ssrc, min(fraction, 255) << 24 | lost, highest, int(self.jitter), last_sr, delay)


def ntp_middle(unix_s: float) -> int:
    """The middle 32 bits of the NTP timestamp of a Unix time."""
    return int((unix_s + 2208988800) * 65536) & 0xFFFFFFFF


def sender_report(ssrc: int, unix_s: float, timestamp: int, packets: int, octets: int, block: bytes) -> bytes:
    """A compound of SR (RR before anything was sent) and SDES with a CNAME of the SSRC (RFC 3550 6.1)."""
    ntp = int((unix_s + 2208988800) * 2**32) & 0xFFFFFFFFFFFFFFFF
    info = ntp.to_bytes(8, "big") + Struct("!LLL").pack(timestamp, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    kind, body = (SR, info + block) if packets else (RR, block)
    cname = f"{ssrc:08x}".encode()
    sdes = _packet(SDES, 1, ssrc, bytes((1, len(cname))) + cname + b"\0\0")
    return _packet(kind, len(block) // _BLOCK.size, ssrc, body) + sdes


def bye(ssrc: int) -> bytes:
    """A compound of an empty RR and BYE."""
    return _packet(RR, 0, ssrc, b"") + _packet(BYE, 1, ssrc, b"")


def read_reports(data: bytes | bytearray | memoryview) -> Iterator[Report]:
    """The SR and RR of one compound datagram, as far as it can be read."""
    at = 0
    while at + 8 <= len(data):
        end = at + 4 + 4 * int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at] >> 6 != 2 or end > len(data):
            return
        if data[at + 1] in (SR, RR):
            yield _report(bytes(data[at:end]))
        at = end


def _report(packet: bytes) -> Report:
    """One SR or RR; only its first block is about us, since we send one stream."""
    sender = packet[1] == SR
    start = 28 if sender else 8
    middle = int.from_bytes(packet[10:14], "big") if sender else 0
    if packet[0] & 0x1F == 0 or len(packet) < start + _BLOCK.size:
        return Report(middle)
    _, lost, _, jitter, last_sr, delay = _BLOCK.unpack_from(packet, start)
    lost = (lost & 0xFFFFFF) - ((lost & 0x800000) << 1)
    return Report(middle, lost, jitter, last_sr, delay)


def _packet(kind: int, count: int, ssrc: int, body: bytes) -> bytes:
    """One RTCP packet of whole 32-bit words, of one SSRC."""
    words = 1 + len(body) // 4
    return bytes((0x80 | count, kind)) + words.to_bytes(2, "big") + ssrc.to_bytes(4, "big") + body
