"""How English says digits, numbers and money, and that every word was recorded."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.listen import find_clip, level_db
from media.prompt import BadClip, Library, Pack, read_wav, wav_bytes
from media.say import en

PACK = Pack.load("en")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("555", "5 5 5", id="digits"),
        pytest.param("+1 (202) 555-0100", "1 2 0 2 5 5 5 0 1 0 0", id="separators are silent"),
        pytest.param("*7#", "star 7 hash", id="keys"),
        pytest.param("", "", id="nothing"),
        pytest.param("\u0663", "", id="a digit of another script"),
    ],
)
def test_digits(text: str, said: str) -> None:
    assert " ".join(en.digits(text)) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(0, "0", id="zero"),
        pytest.param(13, "13", id="teen"),
        pytest.param(20, "20", id="ten"),
        pytest.param(21, "20 1", id="twenty-one"),
        pytest.param(100, "1 hundred", id="hundred"),
        pytest.param(115, "1 hundred 15", id="hundred and a teen"),
        pytest.param(1234, "1 thousand 2 hundred 30 4", id="thousands"),
        pytest.param(999_000, "9 hundred 90 9 thousand", id="hundreds of thousands"),
        pytest.param(2_000_001, "2 million 1", id="millions"),
        pytest.param(-7, "minus 7", id="minus"),
    ],
)
def test_number(value: int, said: str) -> None:
    assert " ".join(en.number(value)) == said


@pytest.mark.parametrize(
    ("micros", "currency", "said"),
    [
        pytest.param(4_880_000, "USD", "4 point 8 8 dollars", id="dollars and cents (AT-17)"),
        pytest.param(4_050_000, "USD", "4 point 0 5 dollars", id="a zero after the point"),
        pytest.param(1_000_000, "USD", "1 dollar", id="one dollar"),
        pytest.param(0, "EUR", "0 euros", id="nothing left"),
        pytest.param(120_000, "USD", "12 cents", id="cents"),
        pytest.param(10_000, "EUR", "1 cent", id="one cent"),
        pytest.param(10_000, "GBP", "1 penny", id="one penny"),
        pytest.param(9_999, "USD", "0 dollars", id="less than a cent is never rounded up"),
        pytest.param(-1_500_000, "USD", "minus 1 point 5 0 dollars", id="below zero"),
        pytest.param(120_000, "XYZ", "0 point 1 2", id="a currency without a name"),
    ],
)
def test_money(micros: int, currency: str, said: str) -> None:
    assert " ".join(en.money(micros, currency)) == said


@given(st.integers(-(10**14), 10**14), st.sampled_from(["USD", "EUR", "GBP", "XYZ"]))
def test_every_word_was_recorded(micros: int, currency: str) -> None:
    assert set(en.money(micros, currency)) <= set(PACK.clips)
    assert set(en.number(micros // 10**6)) <= set(PACK.clips)


@pytest.mark.parametrize(
    "name",
    [
        "confirm",
        "confirm-repeat",
        "connecting",
        "visitor-announce",
        "visitor-busy",
        "visitor-no-answer",
        "visitor-failed",
        "no-credit",
        "goodbye",
        "not-available",
        "wrong-key",
        "unlimited",
        "minute",
        "minutes",
        "second",
        "seconds",
        "demo-voice",
        *map(str, range(20)),
        *map(str, range(20, 100, 10)),
        "hundred",
        "thousand",
        "million",
        "point",
        "star",
        "hash",
    ],
)
def test_every_clip_is_there_at_a_level_for_g711(name: str) -> None:
    sound = PACK.samples(name)
    assert abs(len(sound) / 8 - PACK.ms(name)) < 1
    assert np.abs(sound.astype(np.int32)).max() < 20000
    assert -35 < level_db(sound) < -12
    assert PACK.text(name)


def test_the_manifest_and_the_folder_agree() -> None:
    folder = Path(PACK.folder)
    assert {path.stem for path in folder.glob("*.wav")} == set(PACK.clips)
    assert json.loads((folder / "manifest.json").read_text())["rate_hz"] == 8000
    assert "Carnegie Mellon" in (folder / "LICENCE").read_text()


def test_a_row_of_clips_is_one_wav_file() -> None:
    names = PACK.digits("47")
    assert names == ("en/4", "en/7")
    with wave.open(io.BytesIO(PACK.wav(names, gap_ms=100))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    at, score = find_clip(sound, PACK.samples("7"))
    assert score > 0.99
    assert abs(at - PACK.ms("4") - 100) <= 1


def test_full_names_of_numbers_and_money() -> None:
    assert PACK.number(5) == ("en/5",)
    assert PACK.money(1_000_000, "USD") == ("en/1", "en/dollar")
    assert len(PACK.wav([])) > 44


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadClip, match="xx"):
        Pack.load("xx")
    with pytest.raises(BadClip, match="no-such-clip"):
        PACK.wav(["no-such-clip"])
    with pytest.raises(BadClip, match="gone"):
        Library().encoded(str(tmp_path / "gone.wav"), "PCMU")
    stereo = tmp_path / "stereo.wav"
    with wave.open(str(stereo), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
    with pytest.raises(BadClip, match="8 kHz mono"):
        read_wav(stereo)


def test_a_path_is_a_clip_too(tmp_path: Path) -> None:
    own = tmp_path / "own.wav"
    own.write_bytes(wav_bytes(np.zeros(80, np.int16)))
    assert Library().encoded(str(own), "PCMA") == b"\xd5" * 80
