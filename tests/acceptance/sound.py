"""Measuring what was heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from media.g711 import Samples, decode
from media.listen import tone_share
from tests.peers.capture import RtpStream

__all__ = ["Recorded", "recorded", "seconds_of"]

_RATE, _FRAME = 8000, 160
_ASTRAY = 0.1
"""Seconds: a packet farther than this from its time of arrival begins a new row."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The sound of a captured leg; silence where no packet came."""

    at: float
    """Unix time of the first sample."""
    samples: Samples

    def between(self, start: float, end: float) -> Samples:
        """What was heard in that span of Unix time."""
        return self.samples[max(0, round((start - self.at) * _RATE)) : max(0, round((end - self.at) * _RATE))]


def recorded(streams: Iterable[RtpStream]) -> Recorded:
    """Lay PCMU packets where their RTP timestamps say, each row of them from where its first arrived."""
    placed: list[tuple[float, bytes]] = []
    for stream in streams:
        anchor, base = 0.0, 0
        for packet in stream.packets:
            if packet.payload_type != 0:
                continue
            at = anchor + (packet.timestamp - base) / _RATE
            if abs(at - packet.at) > _ASTRAY:
                anchor, base, at = packet.at, packet.timestamp, packet.at
            placed.append((at, packet.payload))
    if not placed:
        return Recorded(0.0, np.zeros(0, np.int16))
    began = min(at for at, _ in placed)
    samples = np.zeros(round((max(at for at, _ in placed) - began) * _RATE) + _FRAME, np.int16)
    for at, payload in placed:
        first = round((at - began) * _RATE)
        samples[first : first + len(payload)] = decode(payload, "PCMU")[: len(samples) - first]
    return Recorded(began, samples)


def seconds_of(samples: Samples, hertz: float) -> float:
    """How long a tone sounds, in tenths of a second."""
    frames = [samples[at : at + 800] for at in range(0, len(samples) - 799, 800)]
    return sum(bool(np.any(frame)) and tone_share(frame, hertz) > 0.8 for frame in frames) / 10
