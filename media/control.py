"""The RTCP of one leg, terminated here: when to report, what to say, what the far end's reports told. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from media.latch import Address
from media.rtcp import Reception, bye, ntp_middle, read_reports, sender_report
from media.stream import Stream

__all__ = ["Clock", "Control"]

INTERVAL_S = 5.0


class Clock(NamedTuple):
    """What a port needs of the world besides packets."""

    unix_offset_s: float
    """Unix time = `now` + this."""
    jitter: Callable[[], float]
    """A random number from 0 to 1, for RTCP intervals."""


class Control:
    """Reports on one stream sent and one received, every 2.5 to 7.5 s (RFC 3550 6.3.1), and the round trip."""

    __slots__ = ("_clock", "_reception", "_sr", "_sr_at", "_stream", "due", "round_trip_ms", "target")

    def __init__(self, stream: Stream, reception: Reception, clock: Clock, now: float) -> None:
        self._stream, self._reception, self._clock = stream, reception, clock
        self._sr, self._sr_at = 0, now
        self.target: Address | None = None
        self.round_trip_ms: float | None = None
        self.due = self._next(now)

    def read(self, data: bytes | memoryview, now: float) -> None:
        """Take in one datagram of the far end."""
        for report in read_reports(data):
            if report.ntp_middle:
                self._sr, self._sr_at = report.ntp_middle, now
            trip = report.round_trip_ms(ntp_middle(now + self._clock.unix_offset_s))
            if trip is not None:
                self.round_trip_ms = round(trip, 2)

    def report(self, now: float) -> bytes:
        """The compound to send when it is due and there is anything to report on, else nothing."""
        if now < self.due:
            return b""
        self.due = self._next(now)
        stream = self._stream
        if not (stream.packets or self._reception.received):
            return b""
        block = self._reception.block(self._sr, round((now - self._sr_at) * 65536) if self._sr else 0)
        stamp = (stream.timestamp + round((now - stream.sent_at) * 8000)) & 0xFFFFFFFF
        return sender_report(
            stream.ssrc, now + self._clock.unix_offset_s, stamp, stream.packets, stream.octets, block
        )

    def goodbye(self) -> bytes:
        """BYE (RFC 3550 6.3.7: a participant that never sent RTP or RTCP MUST NOT send one), else nothing."""
        return bye(self._stream.ssrc) if self._stream.packets else b""

    def _next(self, now: float) -> float:
        return now + INTERVAL_S * (0.5 + self._clock.jitter())
