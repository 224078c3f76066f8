"""How much to hold, when to ask for more, when the talk must end (SPEC A12.1, A12.2)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.rules.meter import (
    PLAIN,
    WARNED,
    FirstHold,
    Metered,
    Step,
    first_hold,
    last_moment,
    moves,
    next_step,
    owed,
    talk_limit,
)
from store.values import CallNowSettings, Micros, Rate

LOCAL = Rate("555", connection_fee=Micros(120_000))
MOBILE = Rate("04", "", Micros(0), 30, Micros(100_000), 30, Micros(100_000))
ABROAD = Rate("00", "", Micros(0), 60, Micros(500_000), 30, Micros(250_000))
SECONDS = Rate("", "", Micros(0), 1, Micros(1_000), 1, Micros(1_000))
CAPPED = Rate("", "", Micros(0), 30, Micros(100_000), 30, Micros(100_000), maximum=Micros(250_000))


@pytest.mark.parametrize(("rate", "hold"), [
    pytest.param(LOCAL, (120_000, 120_000), id="flat: all of it"),
    pytest.param(MOBILE, (200_000, 100_000), id="a minute, or the first interval"),
    pytest.param(ABROAD, (500_000, 500_000), id="the first interval is the minute"),
    pytest.param(SECONDS, (60_000, 1_000), id="a minute, or one second"),
])
def test_first_hold(rate: Rate, hold: tuple[int, int]) -> None:
    assert first_hold(rate) == FirstHold(Micros(hold[0]), Micros(hold[1]))


@pytest.mark.parametrize(("end", "now", "limited", "asked", "step"), [
    pytest.param(None, 7, False, None, ("end", None), id="nothing runs out: nothing to do"),
    pytest.param(60, 0, False, None, ("ask", 55), id="five seconds before the end"),
    pytest.param(60, 55, False, 60, ("ask", 59), id="in vain: once more in the last second"),
    pytest.param(60, 59, False, 60, ("ask", 59.8), id="and just before the end"),
    pytest.param(60, 59.8, False, 60, ("end", 60), id="then the held money decides"),
    pytest.param(60, 56, False, None, ("ask", 56), id="a new end that is near: at once"),
    pytest.param(60, 55, False, None, ("ask", 55), id="... in the very moment"),
    pytest.param(60, 0, True, None, ("end", 60), id="the longest talk is paid"),
    pytest.param(60, 56, True, None, ("end", 60), id="... near its end too"),
])
def test_next_step(
    end: float | None, now: float, limited: bool, asked: float | None, step: tuple[str, float | None]
) -> None:
    assert next_step(end, now, PLAIN, limited=limited, asked=asked) == Step(*step)  # type: ignore[arg-type]


@pytest.mark.parametrize(("end", "now", "limited", "asked", "step"), [
    pytest.param(125, 0, False, None, ("ask", 60), id="more is asked for before the warning is due"),
    pytest.param(125, 60, False, 125, ("warn", 65), id="in vain: the warning comes a minute before the end"),
    pytest.param(125, 65, False, 125, ("ask", 120), id="a late recharge is still looked for"),
    pytest.param(90, 26, False, 90, ("warn", 30), id="little credit from the beginning"),
    pytest.param(50, 0, False, 50, ("ask", 45), id="less than a minute from the beginning: no warning"),
    pytest.param(600, 0, True, None, ("warn", 540), id="the longest talk is warned of too"),
])
def test_next_step_with_a_warning(
    end: float, now: float, limited: bool, asked: float | None, step: tuple[str, float]
) -> None:
    assert next_step(end, now, WARNED, limited=limited, asked=asked) == Step(*step)  # type: ignore[arg-type]


FREE = Rate("")
BEGUN = Metered(MOBILE, 0.0)


@pytest.mark.parametrize(("legs", "held", "moment"), [
    pytest.param([], 0, None, id="nothing is up: for ever"),
    pytest.param([Metered(MOBILE)], 100_000, None, id="it rings"),
    pytest.param([BEGUN], 300_000, 90, id="three increments"),
    pytest.param([BEGUN], 399_999, 90, id="a remainder that buys nothing"),
    pytest.param([BEGUN], 0, 0, id="not even the first"),
    pytest.param([Metered(LOCAL, 5.0)], 120_000, None, id="a flat fee that is paid"),
    pytest.param([BEGUN, Metered(LOCAL, 10.0)], 320_000, 60, id="the fee of the other leg is taken off"),
    pytest.param([BEGUN, Metered(MOBILE, 10.0)], 400_000, 60, id="two legs, the older begins its third first"),
    pytest.param([BEGUN, Metered(MOBILE, 10.0)], 500_000, 70, id="then the younger"),
    pytest.param([BEGUN, Metered(MOBILE, 10.0)], 200_000, 30, id="the first interval of both"),
    pytest.param([BEGUN, Metered(MOBILE, 10.0)], 100_000, 10, id="the second leg is not paid at all"),
    pytest.param([Metered(MOBILE, 0.0, 31.0), Metered(MOBILE, 40.0)], 400_000, 100, id="one is over, costs no more"),
    pytest.param([BEGUN, Metered(MOBILE)], 300_000, 60, id="one that rings keeps its first second"),
    pytest.param([BEGUN, Metered(SECONDS)], 101_000, 30, id="... and no more than that"),
    pytest.param([Metered(CAPPED, 0.0), Metered(CAPPED, 10.0)], 500_000, None, id="both maximum charges are paid"),
    pytest.param([Metered(CAPPED, 0.0), Metered(CAPPED, 10.0)], 499_999, 70, id="each is, but not both"),
    pytest.param([Metered(FREE, 0.0), Metered(MOBILE, 3.0)], 200_000, 63, id="a free leg"),
])
def test_last_moment(legs: list[Metered], held: int, moment: float | None) -> None:
    assert last_moment(legs, Micros(held)) == (None if moment is None else pytest.approx(moment, abs=1e-6))


@settings(deadline=None, max_examples=300)
@given(
    legs=st.lists(st.builds(
        Metered,
        st.builds(Rate, connection_fee=st.integers(0, 90), first_interval_s=st.integers(1, 60),
                  first_cost=st.integers(0, 90), increment_s=st.integers(1, 60), increment_cost=st.integers(0, 90),
                  minimum=st.integers(0, 200), maximum=st.one_of(st.none(), st.integers(1, 900)),
                  free_s=st.integers(0, 90)),
        st.integers(0, 100_000).map(lambda ms: ms / 1000),
        st.none() | st.integers(100_000, 200_000).map(lambda ms: ms / 1000),
    ), min_size=1, max_size=3),
    held=st.integers(0, 3_000),
)
def test_the_last_moment_is_the_last_that_is_paid(legs: list[Metered], held: int) -> None:
    moment, base = last_moment(legs, Micros(held)), max(leg.began or 0.0 for leg in legs)
    if moment is None:
        assert owed(legs, base + 86_400) <= held
        return
    assert owed(legs, moment + 0.002) > held
    if moment > base:
        assert owed(legs, moment) <= held


@pytest.mark.parametrize(("wanted", "held", "moved"), [
    pytest.param([5, 5], [5, 5], [], id="each has what it needs"),
    pytest.param([2, 8], [6, 4], [(0, 1, 4)], id="one has to spare"),
    pytest.param([1, 7, 1], [3, 4, 2], [(0, 1, 2), (2, 1, 1)], id="two have a little"),
    pytest.param([1, 9], [3, 4], [(0, 1, 2)], id="together they have not enough"),
])
def test_moves(wanted: list[int], held: list[int], moved: list[tuple[int, int, int]]) -> None:
    assert moves([Micros(w) for w in wanted], [Micros(h) for h in held]) == moved


@pytest.mark.parametrize(("settings", "rate", "spent", "seconds"), [
    pytest.param(CallNowSettings(), MOBILE, 10**9, 3600, id="no money limit: the longest call"),
    pytest.param(CallNowSettings(longest_call_s=600), LOCAL, 0, 600, id="the longest call is set"),
    pytest.param(CallNowSettings(money_a_day=Micros(300_000)), MOBILE, 100_000, 60, id="what is left of today's money"),
    pytest.param(CallNowSettings(money_a_day=Micros(300_000)), MOBILE, 900_000, 0, id="today's money is spent"),
    pytest.param(CallNowSettings(money_a_day=Micros(300_000)), LOCAL, 0, 3600, id="flat: the longest call"),
    pytest.param(CallNowSettings(money_a_day=Micros(10**9)), MOBILE, 0, 3600, id="plenty: the longest call"),
])
def test_talk_limit(settings: CallNowSettings, rate: Rate, spent: int, seconds: int) -> None:
    assert talk_limit(settings, rate, Micros(spent)) == seconds
