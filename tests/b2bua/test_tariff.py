"""Charging plans: relative prices, what covers what, free minutes by period (SPEC 71)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.rules.tariff import covers, dearest, free_pool, monthly_fees, relative
from store.directory import build
from store.ledger import FreePool
from store.rates import price
from store.values import UNIT, Account, ChargingPlan, Micros, Rate

Plan = Literal["prepaid", "postpaid"]
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


ONE = Rate("", "", Micros(5), 30, Micros(100), 6, Micros(2), Micros(7), Micros(900))
OTHER = Rate("", "", Micros(3), 60, Micros(200), 1, Micros(1), Micros(9), Micros(800))
DEAREST = Rate("", "", Micros(5), 30, Micros(200), 1, Micros(2), Micros(9), Micros(900))


@pytest.mark.parametrize(("several", "most"), [
    pytest.param([ONE], ONE, id="of one"),
    pytest.param([ONE, OTHER], DEAREST, id="of two, the dearer of each figure"),
    pytest.param([OTHER, ONE, DEAREST], DEAREST, id="in any order"),
    pytest.param([ONE, replace(OTHER, maximum=None)], replace(DEAREST, maximum=None), id="one has no maximum"),
])
def test_each_figure_of_the_dearest(several: list[Rate], most: Rate) -> None:
    assert dearest(several) == most


@pytest.mark.parametrize(("change", "covered"), [
    pytest.param({}, True, id="the same"),
    pytest.param({"connection_fee": 6}, False, id="a dearer connection"),
    pytest.param({"first_interval_s": 29}, False, id="a shorter first interval: increments begin sooner"),
    pytest.param({"first_interval_s": 31}, True, id="a longer one"),
    pytest.param({"first_cost": 101}, False, id="a dearer first interval"),
    pytest.param({"increment_s": 5}, False, id="shorter increments"),
    pytest.param({"increment_s": 7}, True, id="longer ones"),
    pytest.param({"increment_cost": 3}, False, id="dearer increments"),
    pytest.param({"minimum": 8}, False, id="a higher minimum"),
    pytest.param({"maximum": 901}, False, id="a higher maximum"),
    pytest.param({"maximum": 899}, True, id="a lower one"),
    pytest.param({"maximum": None}, False, id="none"),
])
def test_what_is_held_by_one_rate_covers_another(change: dict[str, Any], covered: bool) -> None:
    assert covers(ONE, replace(ONE, **change)) is covered
    assert covers(replace(ONE, maximum=None), replace(ONE, **change)) is (covered or "maximum" in change)


@pytest.mark.parametrize(("plan", "fee", "due"), [("postpaid", 5, True), ("postpaid", 0, False), ("prepaid", 5, False)])
def test_the_monthly_fee_is_of_postpaid_accounts(plan: Plan, fee: int, due: bool) -> None:
    charging = ChargingPlan("gold", monthly_fee=Micros(fee), zone="Pacific/Kiritimati")
    directory = build(accounts=[Account(1, "a", plan=plan, charging_plan="gold")], charging_plans=[charging])
    at = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()  # December there
    assert monthly_fees(directory, at) == ([(1, fee, "2026-12")] if due else [])


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
