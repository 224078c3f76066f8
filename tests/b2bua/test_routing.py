"""Which trunks a number leaves by."""

from __future__ import annotations

import pytest

from b2bua.routing import route
from store.directory import build
from store.values import Route, Trunk

TRUNKS = [Trunk(n, f"R{n}", f"192.0.2.{n}") for n in (1, 2, 3)]
ROUTES = [Route("", 1), Route("04", 3, 5), Route("04", 2, 9), Route("041", 2), Route("00", 2), Route("00", 1)]


@pytest.mark.parametrize(("number", "names"), [
    pytest.param("5551", ["R1"], id="the default route"),
    pytest.param("0402", ["R3", "R2"], id="the longest prefix, then the lowest priority; failover stays inside it"),
    pytest.param("0412", ["R2"], id="a longer prefix"),
    pytest.param("0040", ["R1", "R2"], id="the same priority: a fixed order"),
    pytest.param("", ["R1"], id="an empty number"),
])
def test_route(number: str, names: list[str]) -> None:
    assert [trunk.name for trunk in route(build(trunks=TRUNKS, routes=ROUTES), number)] == names


def test_no_way_out() -> None:
    assert route(build(trunks=TRUNKS, routes=[Route("04", 1)]), "5551") == []


@pytest.mark.parametrize(("down", "names"), [
    pytest.param({3}, ["R2", "R3"], id="one that is down is tried last, not never"),
    pytest.param({2, 3}, ["R3", "R2"], id="all are down: the usual order"),
    pytest.param({1}, ["R3", "R2"], id="another prefix's"),
])
def test_trunks_that_are_down(down: set[int], names: list[str]) -> None:
    assert [trunk.name for trunk in route(build(trunks=TRUNKS, routes=ROUTES), "0402", down)] == names
