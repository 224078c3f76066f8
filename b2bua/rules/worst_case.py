"""The most that whoever needs no captcha can cost (SPEC 7, A12.2): pure, over one snapshot of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import ceil

from b2bua.rules.fence import crossed
from b2bua.rules.later import LONGEST_WAIT_S
from b2bua.rules.tariff import relative
from store.directory import Directory
from store.rates import RateTable, price, price_a_minute
from store.values import Account, CallNowSettings, Extension, Micros, Rate

__all__ = ["Worst", "dearest_call", "worst_of_day", "worst_of_link"]

_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Worst:
    """The cost, and the calls that make it."""

    cost: Micros
    calls: int
    talk_s: int
    """Of each."""


def worst_of_day(directory: Directory, extension: Extension) -> Worst:
    """What the page of an extension can cost in a day."""
    settings = extension.callnow
    dearest = dearest_call(directory, directory.accounts[extension.account_id], settings)
    return _limited(settings, dearest, settings.calls_a_day, 1)


def worst_of_link(directory: Directory, extension: Extension, number: str, uses: int, at: float, until: float) -> Worst:
    """What a signed link can cost in requests until it expires; `number` is the only one it calls, or empty."""
    settings = extension.callnow
    days = ceil((until + _longest_wait_s(settings) - at) / _DAY_S)
    dearest = dearest_call(directory, directory.accounts[extension.account_id], settings, number, at)
    return _limited(settings, dearest, min(uses, settings.calls_a_day * days), days)


def _longest_wait_s(settings: CallNowSettings) -> float:
    """How long after a request its call may come (SPEC A12.8)."""
    if settings.tries:
        return LONGEST_WAIT_S
    return (settings.slot_days + 1) * _DAY_S if settings.slot_min else settings.later_s


def _limited(settings: CallNowSettings, dearest: Micros, calls: int, days: int) -> Worst:
    cost = dearest * calls
    if settings.money_a_day is not None:
        cost = min(cost, settings.money_a_day * days)
    return Worst(Micros(cost), calls, settings.longest_call_s)


def dearest_call(
    directory: Directory, account: Account, settings: CallNowSettings, number: str = "", at: float = 0.0
) -> Micros:
    """The dearest of the longest calls that the page's firewall allows: to any number, or to this one from now on."""
    plan = directory.plan_of(account)
    if plan.method == "fixed":
        rates = _rates(directory.rate_table(plan.rate_table), number, at)
    else:
        tables = {trunk.rate_table for trunk in directory.trunks.values()}
        bought = (_rates(directory.rate_table(table), number, at) for table in tables)
        rates = (relative(plan, buy) for buy in chain.from_iterable(bought))
    open_ = (rate for rate in rates if _callable(settings, rate, number))
    return max((price(rate, settings.longest_call_s) for rate in open_), default=Micros(0))


def _rates(table: RateTable, number: str, at: float) -> Iterator[Rate]:
    """Those that may ever count: all, or for one number those of its prefixes, up to one that always counts."""
    if not number:
        yield from chain.from_iterable(table.values())
        return
    for length in range(len(number), -1, -1):
        rows = table.get(number[:length], ())
        yield from (rate for rate in rows if rate.valid_until is None or at < rate.valid_until)
        if any(not rate.interval and rate.valid_from <= at and rate.valid_until is None for rate in rows):
            return


def _callable(settings: CallNowSettings, rate: Rate, number: str) -> bool:
    """Whether the page's firewall lets this number, or any of this rate, be called (SPEC A12.2)."""
    if number:
        return crossed(settings, number, rate) is None
    highest, allowed = settings.highest_price_a_minute, settings.allowed
    if highest is not None and price_a_minute(rate) > highest:
        return False
    if rate.prefix.startswith(settings.forbidden):
        return False
    return not allowed or rate.prefix.startswith(allowed) or any(each.startswith(rate.prefix) for each in allowed)
