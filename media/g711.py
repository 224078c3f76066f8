"""G.711: mu-law and A-law to linear PCM and back, by tables computed once (ITU-T G.711)."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALAW_TO_ULAW", "SILENCE", "ULAW_TO_ALAW", "Codec", "Samples", "decode", "encode"]

Codec = Literal["PCMU", "PCMA"]
Samples = NDArray[np.int16]
Octets = NDArray[np.uint8]

SILENCE: dict[Codec, bytes] = {"PCMU": b"\xff", "PCMA": b"\xd5"}
"""The octet of zero level."""


def _ulaw_levels() -> Samples:
    """The 16-bit level of each mu-law octet (G.711 table 2): 14-bit levels with bias 33, shifted left by 2."""
    octet = ~np.arange(256) & 0xFF
    magnitude = (((octet & 0x0F) << 1) + 33 << (octet >> 4 & 7)) - 33
    levels: Samples = (np.where(octet & 0x80, -magnitude, magnitude) * 4).astype(np.int16)
    return levels


def _alaw_levels() -> Samples:
    """The 16-bit level of each A-law octet (G.711 table 1): 13-bit levels in the middle of their interval."""
    octet = np.arange(256) ^ 0x55
    segment = octet >> 4 & 7
    mantissa = ((octet & 0x0F) << 4) + 8
    magnitude = np.where(segment > 1, mantissa + 0x100 << np.maximum(segment, 1) - 1, mantissa + 0x100 * (segment == 1))
    levels: Samples = np.where(octet & 0x80, magnitude, -magnitude).astype(np.int16)
    return levels


def _ulaw_octets() -> Octets:
    """The mu-law octet of every 16-bit level, indexed by its unsigned form; a level and ~level differ in sign only."""
    level = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.minimum((np.where(level < 0, ~level, level) >> 2) + 33, 0x1FFF)
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    octet = segment << 4 | magnitude >> segment + 1 & 0x0F
    octets: Octets = (~np.where(level < 0, octet | 0x80, octet) & 0xFF).astype(np.uint8)
    return octets


def _alaw_octets() -> Octets:
    """The A-law octet of every 16-bit level, indexed by the level's unsigned form."""
    level = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.where(level < 0, ~level, level) >> 4
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 3, 0)
    octet = segment << 4 | magnitude >> np.maximum(segment - 1, 0) & 0x0F
    octets: Octets = (np.where(level < 0, octet, octet | 0x80) ^ 0x55).astype(np.uint8)
    return octets


_LEVELS: dict[Codec, Samples] = {"PCMU": _ulaw_levels(), "PCMA": _alaw_levels()}
_OCTETS: dict[Codec, Octets] = {"PCMU": _ulaw_octets(), "PCMA": _alaw_octets()}

ULAW_TO_ALAW = _OCTETS["PCMA"][_LEVELS["PCMU"].view(np.uint16)].tobytes()
"""For bytes.translate."""
ALAW_TO_ULAW = _OCTETS["PCMU"][_LEVELS["PCMA"].view(np.uint16)].tobytes()
"""For bytes.translate."""


def decode(payload: bytes | bytearray | memoryview, codec: Codec) -> Samples:
    """Expand one payload to linear PCM.

    Shape: n bytes -> int16[n] at 8000 Hz.  Raises: nothing; any byte is valid.
    """
    return _LEVELS[codec].take(np.frombuffer(payload, np.uint8))


def encode(samples: Samples, codec: Codec) -> bytes:
    """Compress linear PCM to one payload.

    Shape: int16[n] at 8000 Hz -> n bytes.
    """
    return _OCTETS[codec].take(samples.view(np.uint16)).tobytes()
