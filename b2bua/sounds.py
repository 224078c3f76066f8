"""Sounds by path: `/en/zero` is a file of the account's own folder, `//en/zero` of its parent's, ... (SPEC 66)."""

from __future__ import annotations

import os
import re
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from media.prompt import RATE_HZ

__all__ = ["LONGEST_S", "BadSound", "Sound", "find_sound", "sound_path"]

LONGEST_S = 300
"""A longer file would keep the media process busy for too long when it is read."""
_PART = re.compile(r"[^\W_][\w .+-]{0,63}")
_MAGIC = {b"ID3": "MP3", b"\xff\xfb": "MP3", b"OggS": "Ogg", b"fLaC": "FLAC", b"RIFX": "big-endian WAV"}
_FORMATS = {"3": "floating-point", "6": "A-law", "7": "mu-law", "17": "ADPCM", "65534": "extensible"}
"""The WAV formats that editors write besides plain PCM, which is all that `wave` reads (RFC 2361)."""


class BadSound(Exception):
    """The path leads nowhere, or its file cannot be played; the sentence says what is the matter."""


class Sound(NamedTuple):
    """A file that can be played."""

    path: Path
    """Absolute: what MediaPort.play takes."""
    ms: int


def sound_path(text: str, account_chain: Sequence[str], root: Path) -> Path:
    """The file that a path means; `account_chain` is the account, its parent, its grandparent, ...

    Pure: whether the file exists is for `find_sound`.  Raises: BadSound.
    """
    name = text.lstrip("/")
    level = len(text) - len(name)
    if level == 0:
        raise BadSound(f'"{text}": a sound begins with /, as in "/en/zero"')
    if level > len(account_chain):
        raise BadSound(f'"{text}": {"/" * level} is above the topmost account')
    account = account_chain[level - 1]
    parts = name.removesuffix(".wav").split("/")
    if not all(map(_PART.fullmatch, parts)):
        raise BadSound(f'"{text}": a part of it is no name of a folder or file')
    if not _PART.fullmatch(account):
        raise BadSound(f'"{text}": account "{account}" can have no folder, for its name')
    return root.joinpath(account, *parts[:-1], f"{parts[-1]}.wav")


def find_sound(text: str, account_chain: Sequence[str], root: Path) -> Sound:
    """A sound that is there and can be played: 8 kHz mono 16-bit WAV.  Raises: BadSound."""
    path = sound_path(text, account_chain, root)
    if not os.path.isfile(path):  # False as well for a name that the file system does not allow
        raise BadSound(f'"{text}": there is no such sound')
    real = path.resolve()
    folder = root.resolve() / path.relative_to(root).parts[0]
    if not real.is_relative_to(folder):
        raise BadSound(f'"{text}" is a link that leaves the folder of its account')
    return Sound(real, _length_ms(text, real))


def _length_ms(text: str, path: Path) -> int:
    try:
        with wave.open(str(path)) as file:
            shape = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            frames: int = file.getnframes()
            held = path.stat().st_size // max(1, file.getnchannels() * file.getsampwidth())
    except (wave.Error, EOFError) as error:
        raise BadSound(f'"{text}" is {_kind(path, str(error))}; needed is 8 kHz mono 16-bit WAV') from error
    except OSError as error:
        raise BadSound(f'"{text}" cannot be read: {error.strerror}') from error
    if shape != (RATE_HZ, 1, 2):
        rate, channels, width = shape
        sides = {1: "mono", 2: "stereo"}.get(channels, f"{channels}-channel")
        raise BadSound(f'"{text}" is {rate / 1000:g} kHz {sides} {8 * width}-bit WAV; needed is 8 kHz mono 16-bit WAV')
    if frames > held:
        raise BadSound(f'"{text}" is cut short: it holds less sound than its header says')
    if not 0 < frames <= LONGEST_S * RATE_HZ:
        raise BadSound(f'"{text}" is {frames // RATE_HZ} s long; a sound has to be between 0 and {LONGEST_S} s')
    return frames * 1000 // RATE_HZ


def _kind(path: Path, error: str) -> str:
    """What a file is that `wave` does not read."""
    with path.open("rb") as file:
        begin = file.read(4)
    if begin == b"RIFF":
        number = error.rpartition("unknown format: ")[2]
        return f"{_FORMATS[number]} WAV" if number in _FORMATS else "damaged WAV"
    return next((f"{name}, not WAV" for magic, name in _MAGIC.items() if begin.startswith(magic)), "no WAV file")
