"""Charging plans: relative prices, what covers what, free minutes by period (SPEC 71)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.tariff import covers, dearest, free_pool, relative
from store.directory import build
from store.ledger import FreePool
from store.rates import price
from store.values import UNIT, Account, ChargingPlan, Micros, Rate

amounts = st.integers(0, 5_000).map(Micros)
rates = st.builds(
    Rate, connection_fee=amounts, first_interval_s=st.integers(0, 90), first_cost=amounts,
    increment_s=st.integers(1, 90), increment_cost=amounts, minimum=amounts,
    maximum=st.none() | st.integers(5_000, 20_000).map(Micros),
)
seconds = st.floats(0, 2_000)


@given(rates, st.integers(0, 5 * UNIT), amounts, seconds)
def test_a_relative_price_is_n_times_the_cost_and_the_adjustment(
    buy: Rate, factor: int, adjustment: Micros, talked: float
) -> None:
    sold = price(relative(ChargingPlan("p", "relative", factor=factor, adjustment=adjustment), buy), talked)
    exact = price(buy, talked) * factor / UNIT + adjustment
    increments = talked / buy.increment_s + 4  # each figure is rounded up by less than a micro
    assert exact - 0.001 <= sold <= exact + increments


def test_whole_factors_are_exact() -> None:
    buy = Rate("", "", Micros(100), 60, Micros(333), 30, Micros(7), Micros(500), Micros(900))
    sold = relative(ChargingPlan("p", "relative", factor=2 * UNIT, adjustment=Micros(11)), buy)
    assert [price(sold, s) - 2 * price(buy, s) for s in (0, 1, 60, 61, 90, 200, 5000)] == [11] * 7


@given(st.lists(rates, min_size=1, max_size=4), seconds)
def test_the_dearest_is_below_none_whatever_is_talked(several: list[Rate], talked: float) -> None:
    most = dearest(several)
    assert most is not None
    assert price(most, talked) >= max(price(rate, talked) for rate in several)
    assert all(covers(most, rate) for rate in several)


@given(rates, rates, seconds)
def test_what_covers_a_rate_is_never_below_it(held: Rate, rate: Rate, talked: float) -> None:
    if covers(held, rate):
        assert price(held, talked) >= price(rate, talked)


def test_the_dearest_of_none() -> None:
    assert dearest([]) is None


NOON_21_NOVEMBER = 1_795_262_400.0  # 2026, a Saturday


@pytest.mark.parametrize(("plan", "period"), [
    pytest.param(ChargingPlan("gold", free_minutes=5), "gold 2026-11", id="a month"),
    pytest.param(ChargingPlan("gold", free_minutes=5, free_period="week"), "gold 2026-11-16",
                 id="a week, by its Monday"),
    pytest.param(ChargingPlan("gold", free_minutes=5, free_period="day"), "gold 2026-11-21", id="a day"),
    pytest.param(ChargingPlan("gold", free_minutes=5, free_period="day", zone="Pacific/Kiritimati"), "gold 2026-11-22",
                 id="by the midnight of the zone"),
])
def test_the_period_of_free_minutes(plan: ChargingPlan, period: str) -> None:
    directory = build(charging_plans=[plan])
    account = Account(1, "a", charging_plan="gold")
    assert free_pool(directory, account, "5551", NOON_21_NOVEMBER) == FreePool(period, 300)


@pytest.mark.parametrize(("number", "counts"), [("5551", True), ("0402", False), ("55", False)])
def test_free_minutes_of_some_prefixes(number: str, counts: bool) -> None:
    directory = build(charging_plans=[ChargingPlan("gold", free_minutes=1, free_prefixes=("555", "556"))])
    pool = free_pool(directory, Account(1, "a", charging_plan="gold"), number, NOON_21_NOVEMBER)
    assert (pool is not None) is counts


def test_a_plan_without_free_minutes() -> None:
    assert free_pool(build(), Account(1, "a"), "5551", NOON_21_NOVEMBER) is None
