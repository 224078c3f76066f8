"""Measuring sound and keys in what was received, so that tests prove audio: level, tone, clip, digits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from media.g711 import Codec, Samples, decode
from media.rtp import Packet
from media.telephone_event import KeyReader

__all__ = ["Found", "find_clip", "has_tone", "keys_in", "level_db", "read_pcap_udp", "samples_of", "tone_share"]


class Found(NamedTuple):
    """Where a clip was found, and how alike it is: 1.0 is the same wave at any volume."""

    at_ms: float
    score: float


def level_db(samples: Samples) -> float:
    """The level against full scale; -inf for digital silence.

    Shape: int16[n] -> dBFS.
    """
    power = float(np.mean(samples.astype(np.float64) ** 2)) if len(samples) else 0.0
    return 10 * float(np.log10(power / 32768**2)) if power else float("-inf")


def tone_share(samples: Samples, hertz: float) -> float:
    """The share of the whole power that one frequency has: a single-bin DFT (Goertzel) under a Hann window.

    Shape: int16[n] at 8000 Hz -> 0.0 to about 1.0.
    """
    window = np.hanning(len(samples))
    sound = samples * window
    power = float(np.sum(sound**2))
    if power == 0:
        return 0.0
    bin_ = np.sum(sound * np.exp(-2j * np.pi * hertz / 8000 * np.arange(len(samples))))
    return float(3 * np.abs(bin_) ** 2 / (power * len(samples)))  # 3: a Hann window spreads a sine over 1.5 bins


def has_tone(samples: Samples, *hertz: float, least: float = 0.8) -> bool:
    """Whether these frequencies together hold at least this share of the power, and each its fair part of it."""
    shares = [tone_share(samples, each) for each in hertz]
    return sum(shares) >= least and min(shares) >= least / len(shares) / 2


def find_clip(recording: Samples, clip: Samples) -> Found:
    """Where `clip` sounds best in `recording`, by normalised cross-correlation.

    Shape: int16[n], int16[m <= n].
    """
    n, m = len(recording), len(clip)
    if m == 0 or m > n:
        return Found(0.0, 0.0)
    size = 1 << (n + m).bit_length()
    sound, pattern = recording.astype(np.float64), clip.astype(np.float64)
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(pattern, size)), size)[: n - m + 1]
    energy = np.concatenate([[0.0], np.cumsum(sound**2)])
    power = energy[m:] - energy[: n - m + 1]
    floor = 1e-6 * max(float(power.max()), 1.0)
    score = product / np.sqrt(np.maximum(power, floor) * max(float(np.sum(pattern**2)), 1.0))
    at = int(np.argmax(score))
    return Found(at / 8, float(score[at]))


def keys_in(packets: Iterable[Packet], payload_type: int) -> str:
    """The keys pressed in a row of received packets."""
    reader = KeyReader()
    return "".join(reader.read(p.ssrc, p.timestamp, p.payload) for p in packets if p.payload_type == payload_type)


def samples_of(packets: Iterable[Packet]) -> Samples:
    """The sound of a row of received packets, G.711 by static payload type, in order of arrival, losses left out."""
    codecs: dict[int, Codec] = {0: "PCMU", 8: "PCMA"}
    parts = [decode(p.payload, codecs[p.payload_type]) for p in packets if p.payload_type in codecs]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def read_pcap_udp(path: Path) -> Iterator[tuple[float, int, int, bytes]]:
    """(Unix time, source port, target port, payload) of every IPv4 UDP datagram of a classic little-endian pcap.

    Link types Ethernet (1), raw (101) and Linux cooked (113).
    """
    data = path.read_bytes()
    link = int.from_bytes(data[20:24], "little")
    skip = {1: 14, 101: 0, 113: 16}[link]
    fraction = 1e-9 if data[:4] == b"\x4d\x3c\xb2\xa1" else 1e-6
    at = 24
    while at + 16 <= len(data):
        seconds, part, size = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (0, 4, 8))
        packet = data[at + 16 + skip : at + 16 + size]
        at += 16 + size
        if len(packet) >= 28 and packet[0] >> 4 == 4 and packet[9] == 17:
            udp = packet[4 * (packet[0] & 0x0F) :]
            source, target, length = (int.from_bytes(udp[i : i + 2], "big") for i in (0, 2, 4))
            yield seconds + part * fraction, source, target, udp[8:length]
