"""Who is held off after wrong passwords, and who is not."""

from __future__ import annotations

import pytest

from b2bua.rules.throttle import ONE_SOURCE, ONE_USER, WINDOW_S, Throttle

JOHN, JANE = "001*002", "001*003"
OFFICE, HOME = "192.0.2.7", "198.51.100.1"
PHONE, GUESSER = 5060, 40_000


def guessed(user: str, times: int, *, ip: str = OFFICE, port: int = GUESSER, at: float = 0.0) -> Throttle:
    """John's phone is in from the office; then somebody there guesses."""
    throttle = Throttle()
    throttle.proved(JOHN, OFFICE, PHONE)
    for _ in range(times):
        throttle.failed(user, ip, port, at)
    return throttle


@pytest.mark.parametrize(
    ("throttle", "user", "ip", "port", "held"),
    [
        pytest.param(guessed(JOHN, ONE_USER - 1), JOHN, OFFICE, GUESSER, False, id="not yet enough"),
        pytest.param(guessed(JOHN, ONE_USER), JOHN, OFFICE, GUESSER, True, id="enough for one user"),
        pytest.param(guessed(JOHN, ONE_USER), JOHN, OFFICE, 40_001, True, id="another port is the same guesser"),
        pytest.param(guessed(JOHN, ONE_USER), JOHN, OFFICE, PHONE, False, id="the phone that is in stays in"),
        pytest.param(guessed(JOHN, ONE_USER), JOHN, HOME, GUESSER, False, id="the owner gets in from elsewhere"),
        pytest.param(guessed(JOHN, ONE_USER), JANE, OFFICE, GUESSER, False, id="a colleague is not meant"),
        pytest.param(guessed(JOHN, ONE_USER, port=PHONE), JOHN, OFFICE, PHONE, True, id="the phone itself forgot"),
        pytest.param(guessed(JANE, ONE_USER), JANE, OFFICE, 5070, True, id="who was never in has no port of its own"),
        pytest.param(guessed("", ONE_USER), "", OFFICE, GUESSER, False, id="unknown users count together"),
        pytest.param(guessed("", ONE_SOURCE), "", OFFICE, GUESSER, True, id="enough of unknown users"),
        pytest.param(guessed("", ONE_SOURCE), JANE, OFFICE, GUESSER, True, id="and of anybody new from there"),
        pytest.param(guessed("", ONE_SOURCE), JOHN, OFFICE, PHONE, False, id="but not of who is in"),
        pytest.param(guessed("", ONE_SOURCE), JOHN, OFFICE, 5062, False, id="whose second phone comes from there too"),
        pytest.param(guessed("", ONE_SOURCE), JANE, HOME, GUESSER, False, id="nor of other sources"),
        pytest.param(
            guessed(JOHN, ONE_USER, ip="2001:db8::1"), JOHN, "2001:db8::2", 1, True, id="an IPv6 host has many",
        ),
    ],
)
def test_who_is_held_off(throttle: Throttle, user: str, ip: str, port: int, held: bool) -> None:
    assert throttle.holds_off(user, ip, port, WINDOW_S - 1) is held
    assert not throttle.holds_off(user, ip, port, WINDOW_S)


def test_what_it_remembers_is_bounded() -> None:
    throttle = Throttle(most_keys=4, most_proven=2)
    for n in range(10):
        throttle.proved(JOHN, f"192.0.2.{n}", PHONE)
        throttle.failed(JANE, f"192.0.2.{n}", PHONE, 0.0)
    assert (len(throttle._failures), len(throttle._proven)) == (4, 2)
