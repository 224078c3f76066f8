"""Which clips were heard: every clip of a pack is looked for in what a far end got, and told in order, with its time.

`clips_heard(sound_of(stream.packets), pack)` says what a caller was told. A clip that a key cut short is told too, as
long as 300 ms of it were heard; of clips that begin alike the one that goes on alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from media.g711 import Codec, Samples, decode
from media.prompt import Pack

__all__ = ["AudioPacket", "Heard", "clips_heard", "find_clips", "sound_of"]

HEAD = 2400
"""Samples of a clip that must begin alike, 300 ms: this finds candidates."""
ALIKE = 0.7
"""Least correlation of a beginning, and of all that was heard: a word may lose one packet in ten, a sentence more."""
BLOCK = 800
LEAD = 800
"""What may be lost at the begin of a recording."""
WINDOW = 1 << 14
GAP_S = 60
_CODECS: dict[int, Codec] = {0: "PCMU", 8: "PCMA"}

Wave = NDArray[np.float64]


class AudioPacket(Protocol):
    """What media.rtp.Packet and tests.peers.capture.RtpPacket have in common."""

    @property
    def payload_type(self) -> int: ...

    @property
    def timestamp(self) -> int: ...

    @property
    def payload(self) -> bytes: ...


class Heard(NamedTuple):
    """One clip in a recording."""

    name: str
    at_ms: float
    """Where it begins."""
    ms: float
    """How much of it was heard."""
    score: float
    """How alike that is: 1.0 is the same wave at any volume."""


def sound_of(packets: Iterable[AudioPacket]) -> Samples:
    """The G.711 sound of one stream, each packet where its timestamp says; what is lost or was never sent is silence.

    Shape: int16[n] at 8000 Hz, from the first packet on.  Raises: ValueError for a step of more than a minute.
    """
    audio = [packet for packet in packets if packet.payload_type in _CODECS]
    if not audio:
        return np.zeros(0, np.int16)
    places = [(packet.timestamp - audio[0].timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000 for packet in audio]
    first = min(places)
    if any(abs(b - a) > GAP_S * 8000 for a, b in zip(places, places[1:], strict=False)):
        raise ValueError("one stream has two time axes")
    sound = np.zeros(max(at - first + len(packet.payload) for at, packet in zip(places, audio, strict=True)), np.int16)
    for at, packet in zip(places, audio, strict=True):
        sound[at - first : at - first + len(packet.payload)] = decode(packet.payload, _CODECS[packet.payload_type])
    return sound


def clips_heard(sound: Samples | bytes, pack: Pack) -> list[str]:
    """The names of a pack's clips in the order they were heard; octets are mu-law."""
    clips = {name: pack.samples(name) for name in pack.clips}
    return [heard.name for heard in find_clips(sound, clips)]


def find_clips(sound: Samples | bytes, clips: Mapping[str, Samples]) -> list[Heard]:
    """Every one of these clips that was heard, by its begin; no two at once.

    Shape: int16[n] at 8000 Hz, or n mu-law octets.
    """
    samples = decode(sound, "PCMU") if isinstance(sound, bytes) else sound
    wave = np.concatenate([np.zeros(LEAD), samples.astype(np.float64)])
    spectra = np.fft.rfft(_windows(wave), axis=1)
    found = [
        _follow(name, clip.astype(np.float64), wave, at)
        for name, clip in clips.items()
        for at in _beginnings(spectra, wave, clip[:HEAD].astype(np.float64))
    ]
    chosen: list[Heard] = []
    for each in sorted(found, key=lambda heard: -heard.ms * heard.score):
        if each.score >= ALIKE and each.ms >= min(HEAD, len(clips[each.name])) / 8 and not _covered(each, chosen):
            chosen.append(each)
    return sorted(chosen, key=lambda heard: heard.at_ms)


def _windows(wave: Wave) -> Wave:
    """Rows of WINDOW samples, each beginning WINDOW - HEAD after the one before."""
    step = WINDOW - HEAD
    rows = max(1, -(-len(wave) // step))
    padded = np.zeros(rows * step + HEAD)
    padded[: len(wave)] = wave
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::step]


def _beginnings(spectra: NDArray[np.complex128], wave: Wave, head: Wave) -> list[int]:
    """Where the recording is like this beginning of a clip."""
    pattern = np.conj(np.fft.rfft(head, WINDOW))
    product = np.fft.irfft(spectra * pattern, WINDOW)[:, : WINDOW - HEAD].reshape(-1)[: len(wave)]
    power = np.cumsum(np.concatenate([[0.0], wave**2, np.zeros(len(head))]))
    power = power[len(head) :][: len(wave)] - power[: len(wave)]
    floor = max(float(power.max(initial=0.0)), 1.0) * 1e-4
    score = product / np.sqrt(np.maximum(power, floor) * max(float(np.sum(head**2)), 1.0))
    out: list[int] = []
    for at in np.flatnonzero(score > ALIKE):
        if out and at - out[-1] < HEAD // 4:
            out[-1] = int(at) if score[at] > score[out[-1]] else out[-1]
        else:
            out.append(int(at))
    return out


def _follow(name: str, clip: Wave, wave: Wave, at: int) -> Heard:
    """How far the recording goes on like the clip, block by block."""
    rest = wave[at : at + len(clip)]
    clip = clip[: len(rest)]
    edges = np.arange(0, len(clip), BLOCK)
    both, mine, theirs = (np.add.reduceat(each, edges) for each in (clip * rest, clip**2, rest**2))
    sounding = mine > 1e-3 * mine.max()
    alike = np.where(sounding, both / np.sqrt(np.maximum(mine * theirs, 1.0)) - ALIKE, 0.0)
    blocks = int(np.argmax(np.cumsum(alike))) + 1
    end = blocks * BLOCK if sounding[blocks:].any() else len(clip)
    energy = float(np.sum(clip[:end] ** 2) * np.sum(rest[:end] ** 2))
    return Heard(name, (at - LEAD) / 8, end / 8, float(np.sum(clip[:end] * rest[:end])) / max(energy, 1.0) ** 0.5)


def _covered(heard: Heard, chosen: list[Heard]) -> bool:
    """Whether a better one sounds at the same time; clips may touch by 100 ms, a block."""
    begin, end = heard.at_ms + 50, heard.at_ms + heard.ms - 50
    return any(begin < other.at_ms + other.ms and other.at_ms < end for other in chosen)
