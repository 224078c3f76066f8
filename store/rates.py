"""What a call costs (SPEC 72, 74, 75): exact integer micros, counted to the millisecond."""

from __future__ import annotations

from collections.abc import Mapping

from store.values import Micros, Rate

__all__ = ["charge", "find_rate", "price", "price_a_minute", "talk_seconds"]


def price(rate: Rate, seconds: float) -> Micros:
    """The cost of an answered call: fee, the first interval whole, then every increment begun.

    An unanswered call costs nothing: that is the caller's to know. Seconds count to the millisecond, so that the dust
    of a float begins no increment.
    """
    beyond_ms = round(seconds * 1000) - rate.first_interval_s * 1000
    begun = max(0, -(-beyond_ms // (rate.increment_s * 1000)))
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
    if price(rate, 1) > credit:
        return 0
    if rate.increment_cost == 0:
        return None
    increments = (credit - rate.connection_fee - rate.first_cost) // rate.increment_cost
    return rate.first_interval_s + increments * rate.increment_s


def charge(rate: Rate, seconds: float, held: Micros) -> Micros:
    """The price of a talk that the held money cut off: the cut comes some milliseconds late, and they are free."""
    limit = talk_seconds(held, rate)
    return min(held, price(rate, seconds if limit is None else min(seconds, limit)))


def find_rate(rates: Mapping[str, Rate], number: str) -> Rate | None:
    """The rate of the longest prefix that begins the number; None: it cannot be called."""
    for length in range(len(number), -1, -1):
        if rate := rates.get(number[:length]):
            return rate
    return None
