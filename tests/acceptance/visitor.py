"""A visitor of the public page: fills the form, listens to the captcha, follows the status page."""

from __future__ import annotations

import asyncio
import io
import re
import wave
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from types import TracebackType
from typing import Self

import httpx
import numpy as np

from media.g711 import Samples
from media.listen import find_clip
from media.prompt import Pack

__all__ = ["Visitor", "hear_digits"]

_STEP = 0.002
"""Speeds tried one after the other: finer than half a wave at the end of a clip."""
_FRAME, _PAUSE = 240, 1900
"""Samples: what a level is taken over, and the least pause between two digits."""


class Visitor:
    """One browser without JavaScript: `async with Visitor(server.url) as visitor`."""

    def __init__(self, url: str) -> None:
        self.http = httpx.AsyncClient(base_url=url, timeout=10)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def form(self, path: str = "/callnow/john_doe") -> dict[str, str]:
        """Open the page; its hidden fields."""
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return hidden(answer.text)

    async def solve(self, fields: dict[str, str]) -> dict[str, str]:
        """The fields with what the captcha's recording says."""
        answer = await self.http.get(f"/callnow/captcha/{fields['challenge']}.wav")
        assert answer.status_code == 200
        return fields | {"captcha": await asyncio.to_thread(hear_digits, answer.content)}

    async def post(self, page: str = "john_doe", /, **fields: str) -> httpx.Response:
        """Send the form as it is given."""
        return await self.http.post(f"/callnow/{page}", data=fields)

    async def ask(self, page: str = "john_doe", *, name: str = "Mary", phone: str = "5555555555", **more: str) -> str:
        """Ask to be called where no captcha is; the token of the status page."""
        return token_of(await self.post(page, name=name, phone=phone, **more))

    async def stage(self, token: str) -> str:
        """Where the request stands, by the status page."""
        answer = await self.http.get(f"/callnow/status/{token}")
        found = re.search(r'data-stage="([^"]*)"', answer.text)
        assert found, answer.text
        return found[1]

    async def until_stage(self, token: str, stage: str, within_s: float = 10.0) -> None:
        """Refresh the status page until it stands there.  Raises: TimeoutError with where it stood."""
        end = asyncio.get_running_loop().time() + within_s
        while (stands := await self.stage(token)) != stage:
            if asyncio.get_running_loop().time() > end:
                raise TimeoutError(f"the page says {stands}, not {stage}, after {within_s} s")
            await asyncio.sleep(0.05)


def hidden(page: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))


def token_of(answer: httpx.Response) -> str:
    """The token of the status page that an accepted request leads to."""
    assert answer.status_code == 303, f"{answer.status_code} {answer.text}"
    return answer.headers["location"].rpartition("/")[2]


def hear_digits(wav: bytes) -> str:
    """What the captcha's recording says, by comparing each word with the clips at every speed."""
    with wave.open(io.BytesIO(wav)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
    return "".join(max("0123456789", key=lambda digit: _likeness(word, digit)) for word in _words(sound))


@cache
def _clip(digit: str) -> Samples:
    return Pack.load("en").samples(digit)


def _words(sound: Samples) -> Iterator[Samples]:
    """The spoken words: what lies between two pauses, each with its half of them."""
    level = np.sqrt(np.convolve(sound.astype(float) ** 2, np.ones(_FRAME) / _FRAME, "same"))
    loud = np.flatnonzero(level > 1.5 * np.median(np.sort(level)[: len(level) // 4]))
    spans = np.split(loud, np.flatnonzero(np.diff(loud) > _PAUSE) + 1)
    edges = [0, *((a[-1] + b[0]) // 2 for a, b in pairwise(spans)), len(sound)]
    for start, end in pairwise(edges):
        yield sound[start:end]


def _likeness(word: Samples, digit: str) -> float:
    """How alike the word and a digit's clip are at their best common speed."""
    clip = _clip(digit)
    best = 0.0
    for factor in np.arange(0.89, 1.11, _STEP):
        at = np.arange(0, len(clip) - 1, factor)
        if len(at) < len(word):
            faster = np.interp(at, np.arange(len(clip)), clip).astype(np.int16)
            best = max(best, find_clip(word, faster).score)
    return best
