"""Challenges: one answer each, on their page, in time; digits that can be seen and heard."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from PIL import Image

from media.prompt import Pack
from tests.webform.ground import Clock, tone_for
from webform.captcha import DIGITS, LIFE_S, PER_SOURCE, SHOWINGS, Challenges, TooManyChallenges, draw, speak


@pytest.fixture
def challenges(clock: Clock) -> Challenges:
    return Challenges(clock)


def open_one(challenges: Challenges, page_id: str = "john") -> tuple[str, str]:
    challenge_id = challenges.new(page_id, "192.0.2.7")
    answer = challenges.answer(challenge_id)
    assert answer is not None
    return challenge_id, answer


def test_the_answer_is_digits_and_the_id_does_not_tell_it(challenges: Challenges) -> None:
    challenge_id, answer = open_one(challenges)
    assert len(answer) == DIGITS
    assert answer.isdecimal()
    assert answer not in challenge_id


@pytest.mark.parametrize(
    "typing",
    [
        pytest.param(lambda answer: answer, id="as shown"),
        pytest.param(lambda answer: " ".join(answer), id="with spaces"),
        pytest.param(lambda answer: answer.translate({48 + n: 0x0660 + n for n in range(10)}), id="in Arabic digits"),
    ],
)
def test_the_right_answer_counts_once(challenges: Challenges, typing: type[str]) -> None:
    challenge_id, answer = open_one(challenges)
    assert challenges.redeem(challenge_id, "john", typing(answer))
    assert not challenges.redeem(challenge_id, "john", answer)


def test_a_wrong_answer_spends_the_challenge(challenges: Challenges) -> None:
    challenge_id, answer = open_one(challenges)
    assert not challenges.redeem(challenge_id, "john", "")
    assert not challenges.redeem(challenge_id, "john", answer)
    assert challenges.answer(challenge_id) is None


def test_a_challenge_is_bound_to_its_page(challenges: Challenges) -> None:
    challenge_id, answer = open_one(challenges, "john")
    assert not challenges.redeem(challenge_id, "jane", answer)


def test_a_challenge_lives_five_minutes(challenges: Challenges, clock: Clock) -> None:
    early, late = open_one(challenges), open_one(challenges)
    clock.now += LIFE_S - 1
    assert challenges.redeem(early[0], "john", early[1])
    clock.now += 1
    assert challenges.answer(late[0]) is None
    assert not challenges.redeem(late[0], "john", late[1])


def test_only_so_many_are_kept_and_the_oldest_go(clock: Clock) -> None:
    challenges = Challenges(clock, capacity=2)
    first, second, third = (challenges.new("john", "192.0.2.7") for _ in range(3))
    assert challenges.answer(first) is None
    assert None not in (challenges.answer(second), challenges.answer(third))


def test_expired_ones_are_forgotten_when_a_new_one_comes(clock: Clock) -> None:
    challenges = Challenges(clock, capacity=10)
    challenges.new("john", "192.0.2.7")
    clock.now += LIFE_S
    kept = challenges.new("john", "192.0.2.7")
    clock.now -= LIFE_S  # were it still there, the first would now be good again
    assert list(challenges._open) == [kept]


def test_one_source_gets_so_many_and_others_theirs(challenges: Challenges, clock: Clock) -> None:
    for _ in range(PER_SOURCE):
        challenge_id, answer = open_one(challenges)
        assert challenges.redeem(challenge_id, "john", answer)
        clock.now += 1
    with pytest.raises(TooManyChallenges) as refused:
        challenges.new("john", "192.0.2.7")
    assert refused.value.retry_after_s == LIFE_S - PER_SOURCE
    challenges.new("john", "192.0.2.8")
    clock.now += LIFE_S - PER_SOURCE
    challenges.new("john", "192.0.2.7")
    with pytest.raises(TooManyChallenges):
        challenges.new("john", "192.0.2.7")


def test_only_so_many_sources_are_remembered(clock: Clock) -> None:
    challenges = Challenges(clock, capacity=3)
    for n in range(10):
        challenges.new("john", f"192.0.2.{n}")
    assert list(challenges._given) == ["192.0.2.7", "192.0.2.8", "192.0.2.9"]


def test_a_challenge_is_shown_a_few_times_and_then_worn_out(challenges: Challenges) -> None:
    challenge_id = challenges.new("john", "192.0.2.7")
    shown = [challenges.answer(challenge_id) for _ in range(SHOWINGS + 1)]
    assert len(set(shown[:-1])) == 1
    assert shown[-1] is None
    assert challenges.redeem(challenge_id, "john", shown[0] or ""), "who has read it may still type it"


def test_the_image_is_dark_on_white_and_differs_each_time() -> None:
    first, second = draw("31415"), draw("31415")
    image = Image.open(io.BytesIO(first)).convert("L")
    tones = np.asarray(image)
    assert image.size == (300, 100)
    assert 0.05 < (tones < 64).mean() < 0.5
    assert (tones > 224).mean() > 0.4
    assert first != second


def pitches(wav_bytes: bytes) -> list[int]:
    """The strongest frequency of each sounding 50-ms window, runs merged, as digits of `tone_for`."""
    with wave.open(io.BytesIO(wav_bytes)) as wav:
        sound = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").astype(float)
    heard: list[int] = []
    silent = True
    for start in range(0, sound.size - 400, 400):
        window = sound[start : start + 400]
        if np.abs(window).mean() < 3000:
            silent = True
        elif silent:
            silent = False
            after = sound[start + 400 : start + 1200]
            heard.append(int(np.abs(np.fft.rfft(after)).argmax() * 8000 / 800))
    return heard


def test_the_sound_says_the_digits_in_order() -> None:
    expected = [400 + 100 * digit for digit in (3, 0, 4, 1, 9)]
    heard = pitches(speak("30419", tone_for))
    assert heard == [pytest.approx(hz, rel=0.15) for hz in expected]


def test_the_clips_of_the_language_pack_serve() -> None:
    pack = Pack.load("en")
    sound = speak("30419", lambda digit: pack.wav(pack.digits(digit), gap_ms=0))
    with wave.open(io.BytesIO(sound)) as wav:
        seconds = wav.getnframes() / wav.getframerate()
    assert sum(map(pack.ms, pack.digits("30419"))) / 1000 < seconds < 12


def test_the_sound_has_noise_and_differs_each_time() -> None:
    first, second = speak("11", tone_for), speak("11", tone_for)
    assert first != second
    with wave.open(io.BytesIO(first)) as wav:
        gap = np.frombuffer(wav.readframes(1600), "<i2")
    assert (wav.getframerate(), wav.getsampwidth(), wav.getnchannels()) == (8000, 2, 1)
    assert 100 < gap.astype(float).std() < 2000
