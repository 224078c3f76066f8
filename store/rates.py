"""What a call costs (SPEC 72, 74, 75): exact integer micros, counted to the millisecond."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from store.values import Micros, Rate

__all__ = [
    "RateTable", "charge", "find_rate", "free_used", "held_rate", "in_effect", "price", "price_a_minute",
    "talk_seconds",
]  # fmt: skip

RateTable = Mapping[str, Sequence[Rate]]
"""Rates by prefix; of one prefix those with a time interval first, then the newest."""


def price(rate: Rate, seconds: float) -> Micros:
    """The cost of an answered call: after its free seconds the fee, the first interval whole, every increment begun.

    An unanswered call costs nothing: that is the caller's to know. Seconds count to the millisecond, so that the dust
    of a float begins no increment.
    """
    paid_ms = round(seconds * 1000) - rate.free_s * 1000
    if rate.free_s and paid_ms <= 0:
        return Micros(0)
    begun = max(0, -(-(paid_ms - rate.first_interval_s * 1000) // (rate.increment_s * 1000)))
    cost = rate.connection_fee + rate.first_cost + begun * rate.increment_cost
    return Micros(_within(rate, cost))


def price_a_minute(rate: Rate) -> Micros:
    """The dearest minute of a talk, the first with its fee or a later one: what a highest price is compared with."""
    later = -(-60 * rate.increment_cost // rate.increment_s)
    return Micros(max(price(rate, 60), later))


def _within(rate: Rate, cost: int) -> int:
    cost = max(cost, rate.minimum)
    return cost if rate.maximum is None else min(cost, rate.maximum)


def talk_seconds(credit: Micros | None, rate: Rate) -> int | None:
    """How long this credit can talk; None: no limit, 0: not even the first second."""
    if credit is None or (rate.maximum is not None and rate.maximum <= credit):
        return None
    if price(rate, rate.free_s + 1) > credit:
        return rate.free_s
    if rate.increment_cost == 0:
        return None
    increments = (credit - rate.connection_fee - rate.first_cost) // rate.increment_cost
    return rate.free_s + rate.first_interval_s + increments * rate.increment_s


def charge(rate: Rate, seconds: float, held: Micros) -> Micros:
    """The price of a talk that the held money cut off: the cut comes some milliseconds late, and they are free."""
    limit = talk_seconds(held, rate)
    return min(held, price(rate, seconds if limit is None else min(seconds, limit)))


def free_used(free_s: int, seconds: float) -> int:
    """How many of the free seconds set aside a talk has used, each second begun."""
    return min(free_s, -(-round(seconds * 1000) // 1000))


def held_rate(hold: Mapping[Any, Any]) -> Rate:
    """The rate by which a row of `holds` is charged, with the free seconds that it has."""
    rate = msgspec.convert(hold["rate"], Rate)
    return replace(rate, free_s=hold["free_s"]) if hold["free_s"] != rate.free_s else rate


def find_rate(table: RateTable, number: str, at: float, is_open: Callable[[str], bool]) -> Rate | None:
    """The rate of the longest prefix that begins the number and has one in effect; None: it cannot be called."""
    for length in range(len(number), -1, -1):
        rows = table.get(number[:length])
        if rows and (rate := in_effect(rows, at, is_open)):
            return rate
    return None


def in_effect(rows: Sequence[Rate], at: float, is_open: Callable[[str], bool]) -> Rate | None:
    """Of one prefix's rates the one that counts at a moment; one for a time of day comes before one for all times."""
    return next((
        rate for rate in rows
        if rate.valid_from <= at and (rate.valid_until is None or at < rate.valid_until)
        and (not rate.interval or is_open(rate.interval))
    ), None)  # fmt: skip
