"""Which trunks a number leaves by, in which order, and what that costs its caller."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from b2bua.rules.routing import route, sell_rate, sell_rate_by
from store.directory import Directory, build
from store.values import Account, ChargingPlan, Limit, Micros, Rate, Route, TimeInterval, Trunk

TRUNKS = [Trunk(n, f"R{n}", f"192.0.2.{n}") for n in (1, 2, 3)]
ROUTES = [Route("", 1), Route("04", 3, 5), Route("04", 2, 9), Route("041", 2), Route("00", 2), Route("00", 1)]
MIDNIGHT = 0.0


def names(directory: Directory, number: str, at: float = MIDNIGHT, **more: object) -> list[str]:
    return [trunk.name for trunk in route(directory, number, at, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "expected"), [
    pytest.param("5551", ["R1"], id="the default route"),
    pytest.param("0402", ["R3", "R2"], id="the longest prefix, then the lowest priority; failover stays inside it"),
    pytest.param("0412", ["R2"], id="a longer prefix"),
    pytest.param("0040", ["R1", "R2"], id="the same priority, nothing known of cost: a fixed order"),
    pytest.param("", ["R1"], id="an empty number"),
])
def test_route(number: str, expected: list[str]) -> None:
    assert names(build(trunks=TRUNKS, routes=ROUTES), number) == expected


def test_no_way_out() -> None:
    assert route(build(trunks=TRUNKS, routes=[Route("04", 1)]), "5551", MIDNIGHT) == []


@pytest.mark.parametrize(("down", "expected"), [
    pytest.param({3}, ["R2", "R3"], id="one that is down is tried last, not never"),
    pytest.param({2, 3}, ["R3", "R2"], id="all are down: the usual order"),
    pytest.param({1}, ["R3", "R2"], id="another prefix's"),
])
def test_trunks_that_are_down(down: set[int], expected: list[str]) -> None:
    assert names(build(trunks=TRUNKS, routes=ROUTES), "0402", down=down) == expected


def bought(prices: dict[int, int | None], routes: list[Route], **more: object) -> Directory:
    """Trunks that cost so many micros a minute; None: not known."""
    lines = [Trunk(n, f"R{n}", "h", rate_table="" if cost is None else f"b{n}") for n, cost in prices.items()]
    rates = [
        (f"b{n}", Rate("", first_cost=Micros(cost), increment_cost=Micros(cost)))
        for n, cost in prices.items() if cost is not None
    ]  # fmt: skip
    return build(trunks=lines, routes=routes, rates=rates, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("costs", "priorities", "expected"), [
    pytest.param({1: 300, 2: 100, 3: 200}, (0, 0, 0), ["R2", "R3", "R1"], id="least cost first"),
    pytest.param({1: 300, 2: 100, 3: 200}, (0, 0, -1), ["R3", "R2", "R1"], id="priority before cost"),
    pytest.param({1: None, 2: 200, 3: 100}, (0, 0, 0), ["R3", "R2", "R1"], id="unknown cost comes last"),
    pytest.param({1: None, 2: 200, 3: 100}, (-1, 0, 0), ["R1", "R3", "R2"], id="but not before its priority"),
])
def test_least_cost(costs: dict[int, int | None], priorities: tuple[int, ...], expected: list[str]) -> None:
    routes = [Route("", n, priority) for n, priority in zip(costs, priorities, strict=True)]
    assert names(bought(costs, routes), "5551") == expected


def test_weights_share_the_calls_and_come_before_cost() -> None:
    directory = bought({1: 1, 2: 200, 3: 100}, [Route("", 1), Route("", 2, weight=3), Route("", 3, weight=1)])
    draw = Random(1).random
    orders = Counter(tuple(names(directory, "5551", draw=draw)) for _ in range(4000))
    assert orders.keys() == {("R2", "R3", "R1"), ("R3", "R2", "R1")}
    assert 2850 < orders["R2", "R3", "R1"] < 3150
    assert names(directory, "5551") == ["R2", "R3", "R1"]


def test_a_route_counts_in_its_time_of_day_only() -> None:
    morning = TimeInterval("morning", "UTC", limits=(Limit(6 * 60, 12 * 60),))
    directory = build(
        trunks=TRUNKS, routes=[Route("04", 2, interval="morning"), Route("", 1), Route("05", 3, interval="gone")],
        intervals={("morning", None): morning},
    )  # fmt: skip
    assert [names(directory, "0402", hour * 3600.0) for hour in (5, 6, 12)] == [["R1"], ["R2"], ["R1"]]
    assert names(directory, "0502") == ["R1"]


def test_one_trunk_by_two_routes_is_tried_once() -> None:
    always = TimeInterval("always", "UTC", limits=(Limit(),))
    routes = [Route("", 1, 2, interval="always"), Route("", 2, 1), Route("", 1, 0)]
    directory = build(trunks=TRUNKS, routes=routes, intervals={("always", None): always})
    assert names(directory, "5551") == ["R1", "R2"]


CLIENT = Account(1, "a", charging_plan="markup")
MARKUP = ChargingPlan("markup", "relative", factor=1_500_000, adjustment=Micros(7))


def test_a_relative_plan_sells_by_the_trunk() -> None:
    directory = bought({1: 100, 2: 301, 3: None}, [Route("", n) for n in (1, 2, 3)], charging_plans=[MARKUP])
    by = [sell_rate_by(directory, CLIENT, "5551", MIDNIGHT, trunk) for trunk in directory.trunks.values()]
    assert by == [
        Rate("", connection_fee=Micros(7), first_cost=Micros(150), increment_cost=Micros(150), minimum=Micros(7)),
        Rate("", connection_fee=Micros(7), first_cost=Micros(452), increment_cost=Micros(452), minimum=Micros(7)),
        None,
    ]
    assert sell_rate(directory, CLIENT, "5551", MIDNIGHT) == by[1]


def test_what_no_trunk_has_a_cost_for_cannot_be_sold_by_it() -> None:
    directory = bought({3: None}, [Route("", 3)], charging_plans=[MARKUP])
    assert sell_rate(directory, CLIENT, "5551", MIDNIGHT) is None


def test_a_fixed_plan_asks_no_trunk() -> None:
    rate, plan = Rate("555"), ChargingPlan("markup", rate_table="t")
    directory = build(trunks=TRUNKS, rates=[("t", rate)], charging_plans=[plan])
    assert sell_rate(directory, CLIENT, "5551", MIDNIGHT) == rate
    assert sell_rate_by(directory, CLIENT, "5551", MIDNIGHT, TRUNKS[0]) == rate
