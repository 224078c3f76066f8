"""The image validation of SPEC 21: digits to read or to hear, each challenge good for one answer."""

from __future__ import annotations

import io
import math
import secrets
import unicodedata
import wave
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from captcha.image import ImageCaptcha
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

__all__ = ["Challenges", "TooManyChallenges", "draw", "speak"]

DIGITS = 5
LIFE_S = 300.0
CAPACITY = 10_000
PER_SOURCE = 60
"""Challenges of one source within LIFE_S: a chance of 1 in 100,000 each."""
SHOWINGS = 10
"""Drawing and speaking cost time: how often one challenge is."""

WHITE = (255, 255, 255, 255)
BLACK = (0, 0, 0)

Sound = NDArray[np.int16]


class TooManyChallenges(Exception):
    """This source must wait `retry_after_s` for its next one."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"wait {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class _Challenge:
    page_id: str
    answer: str
    expires: float
    showings: int = 0


@dataclass(slots=True)
class Challenges:
    """The open challenges: at most `capacity`, the oldest go first; nothing of them is in the page but the id.

    So that nobody can use up the capacity, or guess, one source gets `PER_SOURCE` within `LIFE_S`.
    """

    clock: Callable[[], float]
    capacity: int = CAPACITY
    _open: dict[str, _Challenge] = field(default_factory=dict)
    _given: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def new(self, page_id: str, source: str) -> str:
        """Open a challenge for one page and return its id.  Raises: TooManyChallenges."""
        self._note(source)
        while self._open and (len(self._open) >= self.capacity or self._oldest_is_over()):
            del self._open[next(iter(self._open))]
        challenge_id = secrets.token_urlsafe(16)
        answer = "".join(str(secrets.randbelow(10)) for _ in range(DIGITS))
        self._open[challenge_id] = _Challenge(page_id, answer, self.clock() + LIFE_S)
        return challenge_id

    def answer(self, challenge_id: str) -> str | None:
        """The digits to draw or to speak; None for an unknown, used, expired or worn-out challenge."""
        challenge = self._open.get(challenge_id)
        if challenge is None or self.clock() >= challenge.expires or challenge.showings == SHOWINGS:
            return None
        challenge.showings += 1
        return challenge.answer

    def redeem(self, challenge_id: str, page_id: str, typed: str) -> bool:
        """Spend the challenge, right or wrong; True when `typed` is its answer, on its page, in time."""
        challenge = self._open.pop(challenge_id, None)
        if challenge is None or challenge.page_id != page_id or self.clock() >= challenge.expires:
            return False
        return secrets.compare_digest(_digits_of(typed), challenge.answer)

    def _note(self, source: str) -> None:
        now, given = self.clock(), self._given.setdefault(source, deque(maxlen=PER_SOURCE))
        if len(given) == PER_SOURCE and (wait_s := given[0] + LIFE_S - now) > 0:
            raise TooManyChallenges(math.ceil(wait_s))
        given.append(now)
        self._given.move_to_end(source)
        if len(self._given) > self.capacity:
            self._given.popitem(last=False)

    def _oldest_is_over(self) -> bool:
        return self.clock() >= next(iter(self._open.values())).expires


def _digits_of(typed: str) -> str:
    """Only the digits, whatever script or spacing they were typed in."""
    return "".join(str(unicodedata.digit(c)) for c in typed if unicodedata.digit(c, -1) >= 0)


class _Drawing(ImageCaptcha):
    """The library's distortion, gentler in rotation because 6 and 9 must stay apart."""

    character_rotate = (-22, 22)
    character_offset_dx = (2, 8)
    word_offset_dx = 0.08


def draw(digits: str) -> bytes:
    """Draw the digits as a PNG of 300 x 100 pixels, dark on white.  Blocks for some 10 ms: call it in a thread."""
    drawing = _Drawing(width=300, height=100, font_sizes=(64, 70, 76))
    # the library blends by brightness, so that dark ink comes out faint: draw white on black, then invert
    image = drawing.create_captcha_image(digits, WHITE, BLACK)
    drawing.create_noise_dots(image, WHITE, width=2, number=60)
    for _ in range(3):
        drawing.create_noise_curve(image, WHITE)
    return _png(ImageOps.invert(image.filter(ImageFilter.SMOOTH_MORE)))


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def speak(digits: str, speak_digits: Callable[[str], bytes]) -> bytes:
    """Join the clips of the digits with random speed, gaps and noise as one WAV.  Blocks: call it in a thread."""
    rng = np.random.default_rng(secrets.randbits(128))
    rate_hz, parts = 8000, []
    for digit in digits:
        rate_hz, clip = _read_wav(speak_digits(digit))
        parts += [_silence(rng.uniform(0.25, 0.6), rate_hz), _at_speed(clip, rng.uniform(0.9, 1.1))]
    parts.append(_silence(0.3, rate_hz))
    joined = np.concatenate(parts).astype(np.float64)
    noise = rng.normal(0.0, 0.04 * np.abs(joined).max(), joined.size)
    return _write_wav(np.clip(joined + noise, -32768, 32767).astype(np.int16), rate_hz)


def _silence(seconds: float, rate_hz: int) -> Sound:
    return np.zeros(int(seconds * rate_hz), dtype=np.int16)


def _at_speed(clip: Sound, factor: float) -> Sound:
    """Play faster or slower by linear interpolation; the pitch moves with it."""
    where = np.arange(0, clip.size - 1, factor)
    faster: NDArray[np.float64] = np.interp(where, np.arange(clip.size), clip)
    return faster.astype(np.int16)


def _read_wav(data: bytes) -> tuple[int, Sound]:
    """Shape: 16-bit mono WAV -> (rate in Hz, int16[n])."""
    with wave.open(io.BytesIO(data)) as clip:
        return clip.getframerate(), np.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2")


def _write_wav(sound: Sound, rate_hz: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate_hz)
        wav.writeframes(sound.astype("<i2").tobytes())
    return out.getvalue()
