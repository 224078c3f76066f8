"""Every language pack: found by its folder, complete, true to its words, at a level for G.711, and free to pass on."""

from __future__ import annotations

import ast
import io
import json
import sys
import tomllib
import wave
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import prompt, say
from media.listen import find_clip, level_db
from media.prompt import BadClip, Library, Pack, languages, read_wav, wav_bytes

ROOT = Path(prompt.__file__).parent.parent
PACKS = {language: Pack.load(language) for language in languages()}
WORDS = {path.stem: tomllib.loads(path.read_text()) for path in (ROOT / "scripts" / "prompts").glob("*.toml")}
CURRENCIES = ["USD", "EUR", "GBP", "CAD", "RUB", "XYZ"]
each_pack = pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS)
CLIPS = [
    pytest.param(pack, name, id=f"{pack.language}/{name}") for pack in PACKS.values() for name in pack.clips
]


def said_in_flows() -> Iterator[str]:
    """Every clip that a flow names in a call of `say`."""
    for path in (ROOT / "b2bua").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
                for part in (part for argument in node.args for part in ast.walk(argument)):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.value


def test_english_and_a_second_language_are_there() -> None:
    assert {"en", "ru"} <= set(PACKS) == set(WORDS)


@each_pack
def test_it_has_every_sentence_that_flows_say(pack: Pack) -> None:
    wanted = set(said_in_flows())
    assert "wrong-key" in wanted
    assert wanted <= set(pack.clips)
    assert set(WORDS[pack.language]["sentences"]) == set(WORDS["en"]["sentences"])


@each_pack
def test_the_manifest_is_what_was_to_be_said(pack: Pack) -> None:
    words = WORDS[pack.language]
    said = words["sentences"] | words["words"] | words.get("demo", {})
    assert {name: clip.text for name, clip in pack.clips.items()} == said
    assert set(words.get("spoken", {})) <= set(said)
    manifest = json.loads((pack.folder / "manifest.json").read_text())
    assert (manifest["language"], manifest["voice"], manifest["rate_hz"]) == (pack.language, words["voice"], 8000)
    assert {path.stem for path in pack.folder.glob("*.wav")} == set(pack.clips)


@each_pack
def test_its_licence_names_the_voice(pack: Pack) -> None:
    assert WORDS[pack.language]["voice"] in (pack.folder / "LICENCE").read_text()


@pytest.mark.parametrize(("pack", "name"), CLIPS)
def test_each_clip_is_its_length_at_a_level_for_g711(pack: Pack, name: str) -> None:
    sound = pack.samples(name)
    assert abs(len(sound) / 8 - pack.ms(name)) < 1
    assert pack.ms(name) > 150
    assert 10000 < np.abs(sound.astype(np.int32)).max() < 20000
    assert -35 < level_db(sound) < -12


@each_pack
@given(micros=st.integers(-(10**14), 10**14), currency=st.sampled_from(CURRENCIES))
def test_every_word_was_recorded(pack: Pack, micros: int, currency: str) -> None:
    said = (*pack.money(micros, currency), *pack.number(micros // 10**6), *pack.digits(f"*#{abs(micros)}"))
    assert {name.partition("/")[2] for name in said} <= set(pack.clips)


@each_pack
def test_every_word_is_in_use(pack: Pack) -> None:
    """From 0 to 999 of every currency, and the thousands and millions of it."""
    amounts = [n * step for n in range(1000) for step in (10_000, 10**6, 10**9, 10**12)] + [-1]
    said = {name for each in amounts for currency in CURRENCIES for name in pack.money(each, currency)}
    said |= set(pack.digits("*#0123456789"))
    idle = {f"{pack.language}/{name}" for name in WORDS[pack.language]["words"]} - said
    assert idle <= {f"en/{name}" for name in "and minute minutes second seconds".split()}


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
    assert " ".join(say.digits(text)) == said


def test_a_language_is_a_folder_and_a_say_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "PROMPTS", tmp_path)
    folder = tmp_path / "xx"
    folder.mkdir()
    assert languages() == ()
    clips = [{"name": "1", "text": "ein", "ms": 20}]
    (folder / "manifest.json").write_text(json.dumps({"language": "xx", "clips": clips}))
    (folder / "1.wav").write_bytes(wav_bytes(np.ones(160, np.int16)))
    assert languages() == ("xx",)
    with pytest.raises(BadClip, match="xx"):
        Pack.load("xx")
    words = ModuleType("media.say.xx")
    words.digits = lambda text: tuple(text)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "media.say.xx", words)
    assert Pack.load("xx").digits("11") == ("xx/1", "xx/1")
    assert len(Library().encoded("xx/1", "PCMU")) == 160


def test_a_row_of_clips_is_one_wav_file() -> None:
    pack = PACKS["en"]
    names = pack.digits("47")
    assert names == ("en/4", "en/7")
    with wave.open(io.BytesIO(pack.wav(names, gap_ms=100))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    at, score = find_clip(sound, pack.samples("7"))
    assert score > 0.99
    assert abs(at - pack.ms("4") - 100) <= 1
    assert len(pack.wav([])) > 44


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadClip, match="xx"):
        Pack.load("xx")
    with pytest.raises(BadClip, match="no-such-clip"):
        PACKS["en"].wav(["no-such-clip"])
    with pytest.raises(BadClip, match="gone"):
        Library().encoded(str(tmp_path / "gone.wav"), "PCMU")
    stereo = tmp_path / "stereo.wav"
    with wave.open(str(stereo), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
    with pytest.raises(BadClip, match="8 kHz mono"):
        read_wav(stereo)
    with pytest.raises(BadClip, match="cannot be read"):
        read_wav(tmp_path / "gone.wav")


def test_a_path_is_a_clip_too_and_is_read_again_when_its_file_changed(tmp_path: Path) -> None:
    own, library = tmp_path / "own.wav", Library()
    own.write_bytes(wav_bytes(np.zeros(80, np.int16)))
    assert library.encoded(str(own), "PCMA") == b"\xd5" * 80
    own.write_bytes(wav_bytes(np.zeros(160, np.int16)))
    assert library.encoded(str(own), "PCMA") == b"\xd5" * 160
