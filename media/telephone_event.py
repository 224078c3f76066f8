"""Keys as RTP telephone-events (RFC 4733): one digit per RTP timestamp in, a paced row of packets out."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["KEYS", "KeyReader", "burst"]

KEYS = "0123456789*#ABCD"
_STEP = 160
_KEY_PACKETS = 5
_END_PACKETS = 3


class KeyReader:
    """Reads one leg's events: a key is told at the first packet of a new timestamp; lost End packets cost nothing."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None

    def read(self, ssrc: int, timestamp: int, payload: bytes | bytearray | memoryview) -> str:
        """The key that begins with this packet, else the empty string.

        RFC 4733 2.5.1.1: all packets of one event carry the timestamp of its beginning; an older one is late.
        Four zero octets are no key: SIPp sends such packets around its digits.
        """
        if len(payload) < 4 or payload[0] >= len(KEYS) or not any(payload[:4]):
            return ""
        if self._last is not None and self._last[0] == ssrc:
            ahead = (timestamp - self._last[1]) & 0xFFFFFFFF
            if ahead == 0 or ahead >= 0x80000000:
                return ""
        self._last = ssrc, timestamp
        return KEYS[payload[0]]


def burst(key: str) -> Iterator[tuple[bytes, bool]]:
    """The payloads of one key of 100 ms, one each 20 ms, the last three with the End bit (RFC 4733 2.5.1.4).

    Yields (payload, first): all carry the timestamp of the key's beginning, and the first one the marker.
    """
    event = KEYS.index(key)
    for packet in range(1, _KEY_PACKETS + 1):
        yield bytes((event, 10, *(packet * _STEP).to_bytes(2, "big"))), packet == 1
    for _ in range(_END_PACKETS):
        yield bytes((event, 0x80 | 10, *(_KEY_PACKETS * _STEP).to_bytes(2, "big"))), False
