"""Call progress tones of North America as one period of sound each, to be repeated."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from media.g711 import Codec, Samples, encode

__all__ = ["BEEP_MS", "TONES", "ToneName", "encoded_beep", "encoded_tone", "mix", "tone"]

ToneName = Literal["ringback", "busy", "beep", "silence"]

TONES: dict[ToneName, tuple[tuple[int, ...], int, int]] = {
    "ringback": ((440, 480), 2000, 4000),
    "busy": ((480, 620), 500, 500),
    "beep": ((1000,), 240, 760),
    "silence": ((), 0, 1000),
}
"""Name -> (frequencies in Hz, ms on, ms off)."""
BEEP_MS = 300
_BEEP_HZ = 1000
_LEVEL = 3600


def mix(hertz: tuple[int, ...], ms: int) -> Samples:
    """The sum of sines of about -19 dBm0 each.

    Shape: int16[8 * ms] at 8000 Hz.
    """
    time = np.arange(8 * ms) / 8000
    waves = sum((np.sin(2 * np.pi * each * time) for each in hertz), start=np.zeros(8 * ms))
    return (_LEVEL * waves).astype(np.int16)


def tone(name: ToneName) -> Samples:
    """One period of a tone: on, then off.

    Shape: int16[n] at 8000 Hz, n a multiple of 160.
    """
    hertz, on_ms, off_ms = TONES[name]
    return np.concatenate([mix(hertz, on_ms), np.zeros(8 * off_ms, np.int16)])


@cache
def encoded_tone(name: ToneName, codec: Codec) -> bytes:
    """One period of a tone as G.711 octets."""
    return encode(tone(name), codec)


@cache
def encoded_beep(codec: Codec) -> bytes:
    """One short tone as G.711 octets, to be heard in the midst of talk."""
    return encode(mix((_BEEP_HZ,), BEEP_MS), codec)
