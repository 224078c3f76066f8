"""RTP packets (RFC 3550 section 5.1): reading any, writing the plain ones we send."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

__all__ = ["HEADER", "HEADER_BYTES", "Packet", "is_rtcp", "parse", "write"]

HEADER = Struct("!BBHLL")
"""Version and flags, marker and payload type, sequence, timestamp, SSRC."""
HEADER_BYTES = 12


class Packet(NamedTuple):
    """One RTP packet without its header extension and padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    payload: bytes


def is_rtcp(second_octet: int) -> bool:
    """Whether a packet's second octet is an RTCP packet type, 192 to 223 (RFC 5761 section 4)."""
    return 192 <= second_octet <= 223


def parse(data: bytes | bytearray | memoryview) -> Packet | None:
    """Read one packet; None for what is not RTP version 2 or is cut short."""
    if len(data) < HEADER_BYTES:
        return None
    flags, kind, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    start, end = HEADER_BYTES + 4 * (flags & 0x0F), len(data)
    if flags & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if flags & 0x20:
        end -= data[end - 1]
    if flags >> 6 != 2 or start > end or is_rtcp(kind):
        return None
    return Packet(kind & 0x7F, sequence, timestamp, ssrc, kind >= 0x80, bytes(data[start:end]))


def write(packet: Packet) -> bytes:
    """The packet's octets, with a plain header."""
    kind = packet.payload_type | packet.marker << 7
    return HEADER.pack(0x80, kind, packet.sequence, packet.timestamp, packet.ssrc) + packet.payload
