"""What a simulated person takes for a voice."""

import numpy as np
import pytest

from b2bua.demo.sound import Ear
from media.g711 import encode
from media.prompt import Pack
from media.tones import tone

VOICE = Pack.load("en").samples("demo-voice")
RINGBACK = tone("ringback")
SILENCE = np.zeros(16000, np.int16)


def _hear(ear, samples):
    """Packets of 20 ms; the time is that of their first sample."""
    for at in range(0, len(samples) - 159, 160):
        ear(at / 8000, 1, at, encode(samples[at : at + 160], "PCMU"), "PCMU")


@pytest.mark.parametrize(
    ("sound", "heard"),
    [
        pytest.param(VOICE[:8000], True, id="a voice"),
        pytest.param(SILENCE, False, id="silence"),
        pytest.param(np.concatenate([RINGBACK, RINGBACK]), False, id="ringback, its edges on the windows' edges"),
        pytest.param(np.concatenate([SILENCE[:700], RINGBACK]), False, id="ringback, its edges inside windows"),
        pytest.param(np.concatenate([RINGBACK, VOICE[:8000]]), True, id="a voice after ringback"),
    ],
)
def test_what_counts_as_a_voice(sound, heard):
    ear = Ear()
    _hear(ear, sound)
    assert ear.voice.is_set() is heard
    assert (ear.voice_at > 0) is heard


def test_what_was_heard_before_is_forgotten():
    ear = Ear()
    _hear(ear, VOICE[:8000])
    ear.forget()
    assert not ear.voice.is_set()
