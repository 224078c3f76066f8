"""One leg's outgoing RTP stream: its own SSRC, sequence and timestamp go on whatever the sound's source is. Pure."""

from __future__ import annotations

from collections.abc import Callable

from media.rtcp import MAX_DROPOUT, MAX_MISORDER
from media.rtp import HEADER, HEADER_BYTES

__all__ = ["FRAME", "FRAME_S", "Send", "Stream"]

Send = Callable[[bytes | memoryview], object]
"""Sends one datagram to the far end; may raise OSError, the packet is then lost like any other."""

FRAME = 160
FRAME_S = 0.020
_NOBODY, _OURSELVES = -1, -2


class Stream:
    """Numbers what leaves: frames of our own sound, or packets relayed from one source at a time.

    Relayed packets keep their sender's timestamp steps, order and losses; a change of source continues sequence + 1,
    moves the timestamp by the time elapsed and sets the marker (RFC 3551 4.1).
    """

    __slots__ = (
        "_floor", "_offset", "_source", "_source_sequence", "octets", "packets", "refused", "send", "sent_at",
        "sequence", "ssrc", "timestamp",
    )

    def __init__(self, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        self.ssrc, self.sequence, self.timestamp = ssrc, sequence, timestamp
        self.sent_at = now
        self.packets = self.octets = self.refused = 0
        self.send: Send | None = None
        """None: nowhere to send, or the far end is on hold."""
        self._source = _NOBODY
        self._source_sequence = self._offset = self._floor = 0

    def cut(self) -> None:
        """What comes next is a new source."""
        self._source = _NOBODY

    def relay(
        self, packet: memoryview, size: int, kind: int, sequence: int, timestamp: int, ssrc: int, now: float
    ) -> None:
        """Send on a received packet (plain header, `kind` = marker and our payload type) by writing over its header."""
        send = self.send
        if send is None:
            self._source = _NOBODY
            return
        step = (sequence - self._source_sequence) & 0xFFFF
        if ssrc == self._source and 0 < step < MAX_DROPOUT:
            self._source_sequence = sequence
            self.sequence = number = self.sequence + step
            self.timestamp = timestamp = (timestamp + self._offset) & 0xFFFFFFFF
            self.sent_at = now
        elif ssrc == self._source and (step == 0 or step > 0x10000 - MAX_MISORDER):
            number = self.sequence - (0x10000 - step)
            if step == 0 or number <= self._floor:
                return  # a duplicate, or older than the switch to this source
            timestamp = (timestamp + self._offset) & 0xFFFFFFFF
        else:
            number = self._switch(ssrc, now)
            self._source_sequence = sequence
            self._offset = self.timestamp - timestamp
            timestamp = self.timestamp
            kind |= 0x80
        HEADER.pack_into(packet, 0, 0x80, kind, number & 0xFFFF, timestamp, self.ssrc)
        self.packets += 1
        self.octets += size - HEADER_BYTES
        try:
            send(packet[:size])
        except OSError:
            self.refused += 1

    def swallow(self, ssrc: int, sequence: int) -> None:
        """A packet of the source is not sent on: no gap shall show it."""
        step = (sequence - self._source_sequence) & 0xFFFF
        if ssrc == self._source and 0 < step < MAX_DROPOUT:
            self._source_sequence = sequence
            self.sequence += step - 1
            self._floor = self.sequence

    def frame(self, payload_type: int, payload: bytes, at: float) -> None:
        """Send 20 ms of our own sound; `at` is its deadline."""
        if self.send is None:
            self._source = _NOBODY
            return
        if self._source == _OURSELVES and at - self.sent_at < 5 * FRAME_S:
            self.sequence += 1
            self.timestamp = (self.timestamp + FRAME) & 0xFFFFFFFF
            self.sent_at = at
        else:
            self._switch(_OURSELVES, at)
            payload_type |= 0x80
        self._emit(self.send, payload_type, payload)

    def event(self, payload_type: int, payload: bytes, first: bool, at: float) -> None:
        """Send one packet of a telephone-event: the timestamp stays that of its first one (RFC 4733 2.3)."""
        if self.send is None:
            return
        if first:
            self._switch(_NOBODY, at)
        else:
            self.sequence += 1
        self._emit(self.send, payload_type | first << 7, payload)

    def _switch(self, source: int, now: float) -> int:
        """Let another source begin now; returns its first sequence number."""
        elapsed = max(FRAME, round((now - self.sent_at) * 8000))
        self._floor = self.sequence
        self.sequence += 1
        self.timestamp = (self.timestamp + elapsed) & 0xFFFFFFFF
        self.sent_at = now
        self._source = source
        return self.sequence

    def _emit(self, send: Send, kind: int, payload: bytes) -> None:
        header = HEADER.pack(0x80, kind, self.sequence & 0xFFFF, self.timestamp, self.ssrc)
        self.packets += 1
        self.octets += len(payload)
        try:
            send(header + payload)
        except OSError:
            self.refused += 1
