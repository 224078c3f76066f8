"""That the measuring of sound can tell right from wrong, on tones and clips of known content."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from media.g711 import decode, encode
from media.listen import find_clip, has_tone, keys_in, level_db, read_pcap_udp, samples_of, tone_share
from media.prompt import Pack
from media.rtp import Packet
from media.telephone_event import burst
from media.tones import TONES, ToneName, encoded_tone, mix, tone

PACK = Pack.load("en")


@pytest.mark.parametrize("name", ["ringback", "busy", "beep"])
def test_each_tone_is_heard_in_its_on_time_and_not_in_its_off_time(name: ToneName) -> None:
    hertz, on_ms, off_ms = TONES[name]
    sound = decode(encoded_tone(name, "PCMA"), "PCMA")
    assert len(sound) == 8 * (on_ms + off_ms)
    assert len(sound) % 160 == 0
    assert has_tone(sound[: 8 * on_ms], *hertz)
    assert not has_tone(sound[: 8 * on_ms], *(each + 100 for each in hertz))
    assert level_db(sound[8 * on_ms :]) < -60


def test_one_of_two_frequencies_is_not_the_tone() -> None:
    assert not has_tone(mix((440,), 200), 440, 480)
    assert tone_share(mix((440,), 200), 440) == pytest.approx(1, abs=0.01)
    assert tone_share(np.zeros(160, np.int16), 440) == 0


def test_the_level_of_a_full_sine_is_minus_3_db() -> None:
    assert level_db((32767 * np.sin(np.arange(8000) / 3)).astype(np.int16)) == pytest.approx(-3.01, abs=0.05)
    assert level_db(tone("silence")) == float("-inf")


def test_a_clip_is_found_quieter_noisy_and_late_and_another_is_not() -> None:
    clip, other = PACK.samples("confirm"), PACK.samples("goodbye")
    noise = np.random.default_rng(1).normal(0, 100, len(clip) + 20000)
    noise[8000 : 8000 + len(clip)] += clip / 4
    recording = decode(encode(noise.astype(np.int16), "PCMU"), "PCMU")
    found = find_clip(recording, clip)
    assert found.at_ms == 1000
    assert found.score > 0.9
    assert find_clip(recording, other).score < 0.4


def test_nothing_is_found_in_too_little_sound() -> None:
    assert find_clip(np.zeros(10, np.int16), np.ones(20, np.int16)).score == 0


def test_keys_and_sound_of_received_packets() -> None:
    sound = [Packet(0, n, 160 * n, 1, False, encode(mix((1000,), 20), "PCMU")) for n in range(10)]
    keys = [Packet(101, 10 + n, 1600, 1, first, payload) for n, (payload, first) in enumerate(burst("8"))]
    assert keys_in(sound + keys, 101) == "8"
    assert keys_in(sound + keys, 96) == ""
    assert len(samples_of(sound + keys)) == 1600
    assert len(samples_of(keys)) == 0


def test_a_pcap_written_by_text2pcap_is_read(tmp_path: Path) -> None:
    text, pcap = tmp_path / "hex", tmp_path / "a.pcap"
    text.write_text("000000 " + " ".join(f"{octet:02x}" for octet in b"media") + "\n")
    subprocess.run(["text2pcap", "-q", "-F", "pcap", "-u", "4000,30000", str(text), str(pcap)], check=True)
    assert [packet[1:] for packet in read_pcap_udp(pcap)] == [(4000, 30000, b"media")]
