"""Write captures/tone_440.pcap: eight seconds of 440 Hz as 20-ms PCMU packets, for SIPp's play_pcap_audio."""

from __future__ import annotations

import math
import struct
from pathlib import Path

FRAME = 160
SECONDS = 8
AMPLITUDE = 10_000
SSRC = 0x52494E47


def encode_ulaw(sample: int) -> int:
    """Compress one linear sample to G.711 mu-law (16-bit scale, bias 132)."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32_635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> exponent + 3) & 0x0F) & 0xFF


def frame(number: int, hz: float) -> bytes:
    """Encode the 20 ms of tone that begin at sample number * 160."""
    angles = (2 * math.pi * hz * n / 8000 for n in range(number * FRAME, (number + 1) * FRAME))
    return bytes(encode_ulaw(round(AMPLITUDE * math.sin(angle))) for angle in angles)


def packet(number: int, hz: float) -> bytes:
    """One Ethernet frame: IPv4, UDP, RTP. SIPp replaces addresses and ports, and sums the rest anew."""
    rtp = struct.pack("!BBHII", 0x80, 0x80 * (number == 0), number, number * FRAME, SSRC) + frame(number, hz)
    udp = struct.pack("!HHHH", 6000, 6000, 8 + len(rtp), 0) + rtp
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
    return bytes(12) + b"\x08\x00" + ip + udp


def capture(hz: float) -> bytes:
    """A classic pcap file (microseconds, Ethernet) of the whole tone."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)]
    for number in range(SECONDS * 50):
        data = packet(number, hz)
        seconds, rest = divmod(number * 20_000, 1_000_000)
        out += [struct.pack("<IIII", seconds, rest, len(data), len(data)), data]
    return b"".join(out)


if __name__ == "__main__":
    target = Path(__file__).parent / "captures" / "tone_440.pcap"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(capture(440.0))
