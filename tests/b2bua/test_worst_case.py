"""The most that a page or a link without image validation can cost (SPEC 7, A12.2)."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.rules.worst_case import Worst, worst_of_day, worst_of_link
from store.directory import build
from store.values import Account, CallNowSettings, ChargingPlan, Extension, Micros, Rate, Trunk

DAY = 86400.0
LOCAL = Rate("555", connection_fee=Micros(120_000))
ABROAD = Rate("00", first_cost=Micros(500_000), increment_cost=Micros(500_000))
NIGHT = Rate("555", first_cost=Micros(900_000), interval="night")
COMING = Rate("555", connection_fee=Micros(200_000), valid_from=500.0)
GONE = Rate("555", connection_fee=Micros(990_000), valid_until=50.0)
ANY = Rate("", connection_fee=Micros(7_000_000))


def worst(
    number: str = "", uses: int = 1, days: float = 1.0, rates: tuple[Rate, ...] = (LOCAL, ABROAD), **page: Any
) -> Worst:
    owner = Extension(1, "001*002", 1, callnow=CallNowSettings(longest_call_s=600, **page))
    directory = build(accounts=[Account(1, "a")], extensions=[owner], rates=[("default", rate) for rate in rates])
    return worst_of_link(directory, owner, number, uses, 100.0, 100.0 + days * DAY)


@pytest.mark.parametrize(("found", "expected"), [
    pytest.param(worst(), Worst(Micros(5_000_000), 1, 600), id="the dearest number, for the longest talk"),
    pytest.param(worst("5551234567"), Worst(Micros(120_000), 1, 600), id="its own number"),
    pytest.param(worst("777"), Worst(Micros(0), 1, 600), id="a number without a rate"),
    pytest.param(worst(uses=3), Worst(Micros(15_000_000), 3, 600), id="each use"),
    pytest.param(worst(uses=9, calls_a_day=2, days=1.9), Worst(Micros(20_000_000), 4, 600), id="as many as a day lets"),
    pytest.param(worst(uses=9, calls_a_day=2, days=2), Worst(Micros(30_000_000), 6, 600),
                 id="A12.8: the owner may put the last off to one more day"),
    pytest.param(worst(uses=99, calls_a_day=2, slot_min=15, slot_days=7), Worst(Micros(90_000_000), 18, 600),
                 id="A12.8: calls of its last day may come as late as slots are offered"),
    pytest.param(worst(uses=99, calls_a_day=2, tries=1), Worst(Micros(410_000_000), 82, 600),
                 id="A12.8: or as late as they are tried again"),
    pytest.param(worst(uses=9, calls_a_day=2, days=1.1), Worst(Micros(20_000_000), 4, 600), id="a day begun is a day"),
    pytest.param(worst(uses=9, money_a_day=Micros(6_000_000), days=1.9), Worst(Micros(12_000_000), 9, 600),
                 id="as much as the page's money lets"),
    pytest.param(worst(forbidden=("00",)), Worst(Micros(120_000), 1, 600), id="what the page forbids costs nothing"),
    pytest.param(worst(highest_price_a_minute=Micros(200_000)), Worst(Micros(120_000), 1, 600),
                 id="nor what is too dear for it"),
    pytest.param(worst("5551234567", forbidden=("5551",)), Worst(Micros(0), 1, 600), id="its number is forbidden"),
    pytest.param(worst("5551234567", rates=(LOCAL, ANY)), Worst(Micros(120_000), 1, 600), id="the longest prefix"),
    pytest.param(worst("5551234567", rates=(LOCAL, NIGHT, ANY)), Worst(Micros(900_000), 1, 600),
                 id="a dearer time of day may come"),
    pytest.param(worst("5551234567", rates=(NIGHT, ANY)), Worst(Micros(7_000_000), 1, 600),
                 id="outside its hours the shorter prefix counts"),
    pytest.param(worst("5551234567", rates=(LOCAL, COMING, GONE)), Worst(Micros(200_000), 1, 600),
                 id="a dearer price is coming, a dearer one is gone"),
])  # fmt: skip
def test_worst_case_of_a_link(found: Worst, expected: Worst) -> None:
    assert found == expected


def test_a_relative_plan_is_as_dear_as_its_dearest_trunk() -> None:
    owner = Extension(1, "001*002", 1, callnow=CallNowSettings(longest_call_s=60, calls_a_day=10))
    directory = build(
        accounts=[Account(1, "a", charging_plan="twice")], extensions=[owner],
        charging_plans=[ChargingPlan("twice", method="relative", factor=Micros(2_000_000))],
        trunks=[Trunk(1, "R1", "192.0.2.1", rate_table="r1"), Trunk(2, "R2", "192.0.2.2", rate_table="r2")],
        rates=[("r1", Rate("555", connection_fee=Micros(100_000))), ("r2", Rate("5", connection_fee=Micros(300_000)))],
    )  # fmt: skip
    assert worst_of_day(directory, owner) == Worst(Micros(6_000_000), 10, 60)
    assert worst_of_link(directory, owner, "5551", 1, 0.0, DAY).cost == 600_000
