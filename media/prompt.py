"""Named clips: a language pack is a folder of WAV files with a manifest, and a module that says numbers."""

from __future__ import annotations

import io
import os
import wave
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import msgspec
import numpy as np

from media.g711 import Codec, Samples, encode

__all__ = ["RATE_HZ", "BadClip", "Clip", "Library", "Pack", "languages", "read_wav", "wav_bytes"]

RATE_HZ = 8000
_FILES = 50
"""Files kept encoded, at most 2.4 MB each."""
PROMPTS = Path(__file__).parent / "prompts"


class BadClip(Exception):
    """No such clip, or a file that is not 8 kHz mono 16-bit WAV; the sentence says which."""


class Clip(msgspec.Struct, frozen=True):
    """One entry of a manifest."""

    name: str
    text: str
    ms: int


class _Manifest(msgspec.Struct, frozen=True):
    language: str
    clips: list[Clip]


def languages() -> tuple[str, ...]:
    """Every language that has a pack."""
    return tuple(sorted(manifest.parent.name for manifest in PROMPTS.glob("*/manifest.json")))


def read_wav(path: Path) -> Samples:
    """The samples of one clip.

    Shape: int16[n] at 8000 Hz.  Raises: BadClip.
    """
    try:
        with wave.open(str(path)) as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE_HZ):
                raise BadClip(f"{path} is not 8 kHz mono 16-bit WAV")
            return np.frombuffer(file.readframes(file.getnframes()), np.dtype("<i2")).astype(np.int16)
    except (OSError, wave.Error, EOFError) as error:
        raise BadClip(f"{path} cannot be read: {error}") from error


def wav_bytes(samples: Samples) -> bytes:
    """A complete 8 kHz mono 16-bit WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


@dataclass(frozen=True)
class Pack:
    """The clips of one language, and how it says things; full names (`en/confirm`) are what ports play."""

    language: str
    folder: Path
    clips: dict[str, Clip]
    say: ModuleType

    @classmethod
    def load(cls, language: str) -> Pack:
        """Read media/prompts/`language` and media.say.`language`.  Raises: BadClip for a language without a pack."""
        folder = PROMPTS / language
        try:
            manifest = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=_Manifest)
            say = import_module(f"media.say.{language}")
        except (OSError, msgspec.MsgspecError, ImportError) as error:
            raise BadClip(f"no language pack {language!r}: {error}") from error
        return cls(language, folder, {clip.name: clip for clip in manifest.clips}, say)

    def text(self, name: str) -> str:
        """What a clip says."""
        return self._clip(name).text

    def ms(self, name: str) -> int:
        """How long a clip is."""
        return self._clip(name).ms

    def digits(self, text: str) -> tuple[str, ...]:
        """Full clip names for the keys of a number."""
        return self._full(self.say.digits(text))

    def number(self, value: int) -> tuple[str, ...]:
        """Full clip names for a whole number."""
        return self._full(self.say.number(value))

    def money(self, micros: int, currency: str) -> tuple[str, ...]:
        """Full clip names for an amount in millionths."""
        return self._full(self.say.money(micros, currency))

    def samples(self, name: str) -> Samples:
        """The sound of one clip, by its bare or full name.  Raises: BadClip."""
        return read_wav(self.folder / f"{self._clip(name).name}.wav")

    def wav(self, names: Iterable[str], gap_ms: int = 120) -> bytes:
        """A complete WAV file of the clips in a row, silence between them.  Raises: BadClip."""
        gap = np.zeros(gap_ms * RATE_HZ // 1000, np.int16)
        parts = [part for name in names for part in (self.samples(name), gap)]
        return wav_bytes(np.concatenate(parts) if parts else gap)

    def _clip(self, name: str) -> Clip:
        try:
            return self.clips[name.removeprefix(f"{self.language}/")]
        except KeyError:
            raise BadClip(f"no clip {name!r} in the pack {self.language!r}") from None

    def _full(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(f"{self.language}/{name}" for name in names)


class Library:
    """Clips of every pack and absolute WAV paths as G.711, each read and encoded once; a file again when it changed."""

    def __init__(self) -> None:
        self._pack = cache(Pack.load)
        self._clip = cache(self._encoded_clip)
        self._file = lru_cache(_FILES)(self._encoded_file)

    def encoded(self, name: str, codec: Codec) -> bytes:
        """One clip as G.711 octets.  Raises: BadClip."""
        if not name.startswith("/"):
            return self._clip(name, codec)
        try:
            now = os.stat(name)
        except OSError as error:
            raise BadClip(f"{name} cannot be read: {error}") from error
        return self._file(name, codec, (now.st_mtime_ns, now.st_size))

    def _encoded_clip(self, name: str, codec: Codec) -> bytes:
        return encode(self._pack(name.partition("/")[0]).samples(name), codec)

    def _encoded_file(self, name: str, codec: Codec, version: tuple[int, int]) -> bytes:
        return encode(read_wav(Path(name)), codec)
