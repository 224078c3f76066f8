"""Sounds by path: whose folder is meant, what is refused, and what kind of file it has to be (SPEC 65, 66, AT-25)."""

from __future__ import annotations

import os
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from b2bua.sounds import LONGEST_S, BadSound, Sound, find_sound, sound_path
from media.prompt import wav_bytes

CHAIN = ("shop", "Reseller 2", "top")
ROOT = Path("/sounds")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param("/en/zero", "shop/en/zero.wav", id="one slash: the account's own (AT-25)"),
        pytest.param("//en/zero", "Reseller 2/en/zero.wav", id="two: its parent's (AT-25)"),
        pytest.param("///en/zero", "top/en/zero.wav", id="three: its grandparent's (AT-25)"),
        pytest.param("/zero", "shop/zero.wav", id="without a folder"),
        pytest.param("/en/zero.wav", "shop/en/zero.wav", id="with the ending"),
        pytest.param("/en/deep/er/zero", "shop/en/deep/er/zero.wav", id="folders in folders"),
        pytest.param("/ru/Остаток 2.0", "shop/ru/Остаток 2.0.wav", id="letters of any script, spaces, dots"),
    ],
)
def test_whose_file_a_path_means(text: str, path: str) -> None:
    assert sound_path(text, CHAIN, ROOT) == ROOT / path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("////en/zero", "above the topmost", id="four slashes, three accounts (AT-25)"),
        pytest.param("/../zero", "no name", id="up (AT-25)"),
        pytest.param("/en/../../top/zero", "no name", id="up, in the middle (AT-25)"),
        pytest.param("/en/..", "no name", id="up, at the end (AT-25)"),
        pytest.param("/./zero", "no name", id="here"),
        pytest.param("/.hidden", "no name", id="hidden"),
        pytest.param("/en//zero", "no name", id="two slashes later on"),
        pytest.param("/en/", "no name", id="a folder"),
        pytest.param("/", "no name", id="nothing but a slash"),
        pytest.param("", "begins with /", id="nothing"),
        pytest.param("en/zero", "begins with /", id="no slash"),
        pytest.param("C:\\sounds\\zero", "begins with /", id="an absolute path of another system (AT-25)"),
        pytest.param("/en\\..\\zero", "no name", id="backslashes"),
        pytest.param("/en/zero\0", "no name", id="a zero byte"),
        pytest.param("/en/zero\n", "no name", id="a line end"),
        pytest.param("/" + "x" * 65, "no name", id="too long a name"),
    ],
)
def test_a_path_that_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadSound, match=why):
        sound_path(text, CHAIN, ROOT)


@pytest.mark.parametrize("name", ["..", "a/b", ".", "~caller-7", ""])
def test_an_account_whose_name_would_lead_elsewhere_has_no_folder(name: str) -> None:
    with pytest.raises(BadSound, match="can have no folder"):
        sound_path("/zero", (name,), ROOT)


def put(root: Path, path: str, data: bytes) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def wav(path: Path, rate: int = 8000, channels: int = 1, width: int = 2, frames: int = 800) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(bytes(channels * width * frames))
    return path


def test_a_sound_is_found_with_its_length(tmp_path: Path) -> None:
    file = put(tmp_path, "Reseller 2/en/zero.wav", wav_bytes(np.zeros(24000, np.int16)))
    assert find_sound("//en/zero", CHAIN, tmp_path) == Sound(file.resolve(), 3000)
    with pytest.raises(BadSound, match='^"/en/zero": there is no such sound$'):
        find_sound("/en/zero", CHAIN, tmp_path)


def test_a_name_that_the_file_system_does_not_allow_is_no_sound(tmp_path: Path) -> None:
    with pytest.raises(BadSound, match="no such sound"):
        find_sound("/" + 64 * "\U00010400", CHAIN, tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    wav(tmp_path / "shop" / "zero.wav").chmod(0)
    with pytest.raises(BadSound, match="cannot be read: Permission denied"):
        find_sound("/zero", CHAIN, tmp_path)


def test_a_path_of_this_machine_is_looked_for_among_the_accounts_own(tmp_path: Path) -> None:
    other = wav(tmp_path / "elsewhere" / "zero.wav")
    with pytest.raises(BadSound, match="no such sound"):
        find_sound(str(other), CHAIN, tmp_path / "sounds")


def test_a_link_may_not_leave_the_folder_of_its_account(tmp_path: Path) -> None:
    wav(tmp_path / "top" / "zero.wav")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "zero.wav").symlink_to(tmp_path / "top" / "zero.wav")
    with pytest.raises(BadSound, match="leaves the folder"):
        find_sound("/zero", CHAIN, tmp_path)
    (tmp_path / "top" / "again.wav").symlink_to("zero.wav")
    assert find_sound("///again", CHAIN, tmp_path).ms == 100


@pytest.mark.parametrize(
    ("rate", "channels", "width", "said"),
    [
        pytest.param(44100, 2, 2, "44.1 kHz stereo 16-bit WAV", id="of a CD"),
        pytest.param(16000, 1, 2, "16 kHz mono 16-bit WAV", id="wideband"),
        pytest.param(8000, 1, 1, "8 kHz mono 8-bit WAV", id="eight bits"),
        pytest.param(8000, 6, 2, "8 kHz 6-channel 16-bit WAV", id="surround"),
    ],
)
def test_a_wav_of_another_shape_is_named(tmp_path: Path, rate: int, channels: int, width: int, said: str) -> None:
    wav(tmp_path / "shop" / "zero.wav", rate, channels, width)
    with pytest.raises(BadSound) as error:
        find_sound("/zero", CHAIN, tmp_path)
    assert str(error.value) == f'"/zero" is {said}; needed is 8 kHz mono 16-bit WAV'


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"ID3\4\0\0\0\0\0\0", "MP3, not WAV", id="mp3"),
        pytest.param(b"\xff\xfb\x90\x64\0\0", "MP3, not WAV", id="mp3 without a tag"),
        pytest.param(b"OggS\0\2\0\0", "Ogg, not WAV", id="ogg"),
        pytest.param(b"fLaC\0\0\0\x22", "FLAC, not WAV", id="flac"),
        pytest.param(b"hello, I am a text", "no WAV file", id="text"),
        pytest.param(b"", "no WAV file", id="empty"),
        pytest.param(b"RIFF\4\0\0\0WAVE", "damaged WAV", id="a WAV without anything"),
        pytest.param(wav_bytes(np.zeros(80, np.int16))[:30], "damaged WAV", id="a WAV cut in its header"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    put(tmp_path, "shop/zero.wav", data)
    with pytest.raises(BadSound) as error:
        find_sound("/zero", CHAIN, tmp_path)
    assert str(error.value) == f'"/zero" is {said}; needed is 8 kHz mono 16-bit WAV'


@pytest.mark.parametrize(
    ("encoding", "said"), [("a-law", "A-law"), ("u-law", "mu-law"), ("floating-point", "floating-point")]
)
def test_wav_of_another_encoding_is_named(tmp_path: Path, encoding: str, said: str) -> None:
    source = wav(tmp_path / "plain.wav")
    target = put(tmp_path, "shop/zero.wav", b"")
    subprocess.run(["sox", source, "-e", encoding, *(["-b", "32"] if encoding[0] == "f" else []), target], check=True)
    with pytest.raises(BadSound, match=f"is {said} WAV; needed"):
        find_sound("/zero", CHAIN, tmp_path)


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        pytest.param(0, "is 0 s long", id="nothing in it"),
        pytest.param(LONGEST_S * 8000 + 8000, f"is {LONGEST_S + 1} s long", id="a second too long"),
    ],
)
def test_a_length_that_is_refused(tmp_path: Path, frames: int, why: str) -> None:
    wav(tmp_path / "shop" / "zero.wav", frames=frames)
    with pytest.raises(BadSound, match=why):
        find_sound("/zero", CHAIN, tmp_path)


def test_a_file_that_lost_its_end_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "shop/zero.wav", wav_bytes(np.zeros(8000, np.int16))[:9000])
    with pytest.raises(BadSound, match="is cut short"):
        find_sound("/zero", CHAIN, tmp_path)
