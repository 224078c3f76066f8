"""How much to hold, when to ask for more, when the talk must end (SPEC A12.1, A12.2)."""

from __future__ import annotations

import pytest

from b2bua.meter import FirstHold, NextHold, first_hold, next_hold, talk_limit, talk_seconds
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


@pytest.mark.parametrize(("rate", "held", "talked_s", "limit_s", "plan"), [
    pytest.param(LOCAL, 120_000, 0, None, None, id="flat and paid: never"),
    pytest.param(MOBILE, 200_000, 0, None, (55, 200_000), id="five seconds before the end, for a minute more"),
    pytest.param(MOBILE, 200_000, 55, None, (59, 200_000), id="in vain: once more in the last second"),
    pytest.param(MOBILE, 200_000, 59, None, (59.8, 200_000), id="and just before the end"),
    pytest.param(MOBILE, 200_000, 59.8, None, None, id="then the held money decides"),
    pytest.param(MOBILE, 250_000, 0, None, (55, 150_000), id="a remainder that bought nothing counts"),
    pytest.param(MOBILE, 200_000, 0, 60, None, id="the longest talk is paid"),
    pytest.param(MOBILE, 200_000, 0, 61, (55, 100_000), id="no more than the longest talk needs"),
    pytest.param(SECONDS, 3_000, 0, None, (2, 60_000), id="a short hold is extended at once"),
    pytest.param(SECONDS, 1_000, 0.01, None, (0.8, 60_000), id="one second only"),
    pytest.param(CAPPED, 200_000, 0, None, (55, 50_000), id="no more than the maximum charge"),
    pytest.param(CAPPED, 250_000, 0, None, None, id="the maximum charge is paid"),
])
def test_next_hold(
    rate: Rate, held: int, talked_s: float, limit_s: int | None, plan: tuple[float, int] | None,
) -> None:
    expected = None if plan is None else NextHold(plan[0], Micros(plan[1]))
    assert next_hold(rate, Micros(held), talked_s, limit_s) == expected


@pytest.mark.parametrize("rate", [MOBILE, ABROAD, SECONDS])
def test_each_hold_buys_more_talk_before_the_last_is_used_up(rate: Rate) -> None:
    held, talked_s = first_hold(rate).amount, 0.0
    for _ in range(50):
        paid_s = talk_seconds(held, rate)
        plan = next_hold(rate, held, talked_s)
        assert plan is not None
        assert paid_s is not None
        assert talked_s < plan.at_s < paid_s
        held, talked_s = Micros(held + plan.more), plan.at_s
        assert (talk_seconds(held, rate) or 0) >= paid_s + 60


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
