"""Measuring what was heard."""

from __future__ import annotations

import numpy as np

from media.g711 import Samples
from media.listen import tone_share

__all__ = ["seconds_of"]


def seconds_of(samples: Samples, hertz: float) -> float:
    """How long a tone sounds, in tenths of a second."""
    frames = [samples[at : at + 800] for at in range(0, len(samples) - 799, 800)]
    return sum(bool(np.any(frame)) and tone_share(frame, hertz) > 0.8 for frame in frames) / 10
