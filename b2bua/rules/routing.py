"""Which trunks a number leaves by, and what its caller pays for that; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby

from b2bua.rules.tariff import buy_rate, dearest, open_at, relative, table_rate
from store.directory import Directory
from store.rates import price
from store.values import Account, Rate, Route, Trunk

__all__ = ["TYPICAL_S", "route", "sell_rate", "sell_rate_by"]

TYPICAL_S = 180
"""The talk by which trunks are compared: least cost is the least of three minutes."""


def route(
    directory: Directory, number: str, at: float, down: Collection[int] = (), draw: Callable[[], float] | None = None
) -> list[Trunk]:
    """The trunks of the longest prefix that begins the number, in the order to try them; empty: no way out.

    By priority; of one priority by chance and weight (`draw()` is evenly from 0 to 1), without weights the cheapest
    first. Those in `down`, by id, come last: what does not answer OPTIONS may still take calls.
    """
    is_open = open_at(directory, at)
    for length in range(len(number), -1, -1):
        rows = directory.routes.get(number[:length], ())
        found = [way for way in rows if not way.interval or is_open(way.interval)]
        if found:
            ways = _ordered(directory, number, at, found, draw) if len(found) > 1 else found
            if down:
                ways = sorted(ways, key=lambda way: way.trunk_id in down)
            return [directory.trunks[trunk_id] for trunk_id in dict.fromkeys(way.trunk_id for way in ways)]
    return []


def _ordered(
    directory: Directory, number: str, at: float, ways: Sequence[Route], draw: Callable[[], float] | None
) -> list[Route]:
    def cost(way: Route) -> tuple[bool, int]:
        rate = buy_rate(directory, directory.trunks[way.trunk_id], number, at)
        return rate is None, price(rate, TYPICAL_S) if rate else 0

    ordered: list[Route] = []
    for _, group in groupby(ways, key=lambda way: way.priority):
        equals = [*group]
        shared = any(way.weight for way in equals)
        ordered += _shared(equals, draw) if shared else sorted(equals, key=cost) if len(equals) > 1 else equals
    return ordered


def _shared(ways: Sequence[Route], draw: Callable[[], float] | None) -> Iterator[Route]:
    """One after the other by chance, each as likely as its weight says; those without weight last."""
    left = sorted(ways, key=lambda way: -way.weight)
    while (total := sum(way.weight for way in left)) and draw is not None:
        point = draw() * total
        for way in left:
            point -= way.weight
            if point < 0 or way.weight == 0:
                break
        yield way
        left.remove(way)
    yield from left


def sell_rate(directory: Directory, account: Account, number: str, at: float) -> Rate | None:
    """What the number costs the account; None: it cannot be called.

    Where that depends on the trunk that will carry it, a rate that is below none of them (see `sell_rate_by`).
    """
    plan = directory.plan_of(account)
    if plan.method == "fixed":
        return table_rate(directory, plan.rate_table, number, at)
    known = [buy_rate(directory, trunk, number, at) for trunk in route(directory, number, at)]
    return dearest(relative(plan, buy) for buy in known if buy is not None)


def sell_rate_by(directory: Directory, account: Account, number: str, at: float, trunk: Trunk) -> Rate | None:
    """What the number costs the account by one trunk; None: it cannot be sold by it."""
    plan = directory.plan_of(account)
    if plan.method == "fixed":
        return table_rate(directory, plan.rate_table, number, at)
    buy = buy_rate(directory, trunk, number, at)
    return None if buy is None else relative(plan, buy)
