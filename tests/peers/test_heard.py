"""The ear that tells clips: whole, cut short, after a law, with losses and gaps; and nothing where nothing was said."""

from __future__ import annotations

import numpy as np
import pytest

from media.g711 import Codec, Samples, decode, encode
from media.prompt import Pack, languages
from media.rtp import Packet
from media.tones import tone
from tests.peers.heard import clips_heard, find_clips, sound_of

PACK = Pack.load("en")
CLIPS = {name: PACK.samples(name) for name in PACK.clips}
SAID = "callback-greeting ask-password wrong-secret ask-password credit-menu your-credit 4 point 8 8 dollars".split()


def row(*names: str, gap_ms: int = 0) -> Samples:
    """Clips one after the other."""
    gap = np.zeros(8 * gap_ms, np.int16)
    return np.concatenate([part for name in names for part in (CLIPS[name], gap)])


def packets(sound: Samples, codec: Codec = "PCMU", first: int = 2**32 - 4000) -> list[Packet]:
    """The sound as RTP; the timestamp wraps."""
    octets = encode(sound, codec)
    kind = 0 if codec == "PCMU" else 8
    return [
        Packet(kind, n & 0xFFFF, first + 160 * n & 0xFFFFFFFF, 1, n == 0, octets[160 * n : 160 * n + 160])
        for n in range(len(octets) // 160)
    ]


@pytest.mark.parametrize("language", languages())
def test_each_clip_is_told_from_every_other(language: str) -> None:
    pack = Pack.load(language)
    names = list(pack.clips)
    assert clips_heard(encode(np.concatenate([pack.samples(name) for name in names]), "PCMU"), pack) == names


@pytest.mark.parametrize("gap_ms", [0, 70, 2000])
@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_a_conversation_in_order(codec: Codec, gap_ms: int) -> None:
    sound = row(*SAID, gap_ms=gap_ms)
    assert clips_heard(decode(encode(sound, codec), codec), PACK) == SAID


def test_times_are_where_each_clip_begins() -> None:
    heard = find_clips(row("1", "ask-password", "goodbye", gap_ms=100), CLIPS)
    begins = [0.0, PACK.ms("1") + 100, PACK.ms("1") + PACK.ms("ask-password") + 200]
    assert [each.at_ms for each in heard] == pytest.approx(begins, abs=2)
    assert [each.ms for each in heard] == pytest.approx([PACK.ms(each.name) for each in heard], abs=2)
    assert min(each.score for each in heard) > 0.99


@pytest.mark.parametrize("lost", range(10))
def test_one_packet_in_ten_is_lost_and_the_rest_comes_in_any_order(lost: int) -> None:
    sent = [packet for n, packet in enumerate(packets(row(*SAID))) if n % 10 != lost]
    swapped = [packet for pair in zip(sent[1::2], sent[::2], strict=False) for packet in pair]
    assert clips_heard(sound_of(swapped), PACK) == SAID


def test_silence_that_was_not_sent_keeps_its_time() -> None:
    sent = packets(row("1", "2"))
    later = [packet._replace(timestamp=(packet.timestamp + 24000) & 0xFFFFFFFF) for packet in sent]
    heard = find_clips(sound_of(sent + later), CLIPS)
    assert [each.name for each in heard] == ["1", "2", "1", "2"]
    assert heard[2].at_ms - heard[0].at_ms == pytest.approx(3000, abs=1)


@pytest.mark.parametrize("name", ["ask-password", "ask-pin", "dial-number", "credit-menu", "confirm", "confirm-repeat"])
def test_a_clip_that_a_key_cut_short(name: str) -> None:
    heard = find_clips(np.concatenate([CLIPS[name][:9600], CLIPS["wrong-key"]]), CLIPS)
    assert [each.name for each in heard] == [name, "wrong-key"]
    assert heard[0].ms == pytest.approx(1200, abs=100)


def test_a_beep_over_a_clip_hides_what_comes_after_it_but_not_the_clip() -> None:
    clip = CLIPS["dial-number"]
    sound = np.concatenate([clip[:8000], tone("beep")[:2400], clip[8000:]])
    assert clips_heard(sound, PACK) == ["dial-number"]


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(np.zeros(0, np.int16), id="nothing"),
        pytest.param(np.zeros(8000, np.int16), id="silence"),
        pytest.param(tone("ringback"), id="ringback"),
        pytest.param(np.random.default_rng(1).integers(-3000, 3000, 16000).astype(np.int16), id="noise"),
        pytest.param(row("demo-voice")[4000:], id="a voice of which the begin is missing"),
        pytest.param(row("credit-menu")[:1600], id="too short to tell"),
    ],
)
def test_nothing_is_heard_in(sound: Samples) -> None:
    assert clips_heard(sound, PACK) == []


def test_over_another_voice_at_a_quarter_of_the_level() -> None:
    said = row("number-busy", "dial-number")
    voice = CLIPS["demo-voice"][8000 : 8000 + len(said)] // 4
    assert clips_heard((said // 2 + voice).astype(np.int16), PACK) == ["number-busy", "dial-number"]


def test_other_packets_are_no_sound_and_two_time_axes_are_refused() -> None:
    key = Packet(101, 9, 7, 1, True, b"\5\12\0\240")
    assert len(sound_of([key])) == 0
    sent = packets(row("1"))
    assert len(sound_of([key, *sent])) == 160 * len(sent)
    with pytest.raises(ValueError, match="time axes"):
        sound_of([sent[0], sent[1]._replace(timestamp=sent[0].timestamp + 8000 * 100 & 0xFFFFFFFF)])
