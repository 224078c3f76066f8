"""What a number costs, to its caller and to us (SPEC 71, 72): pure, over one snapshot of the configuration.

The price is that of the moment the money is first set aside: a talk into another time of day, or past the date of a
new price, keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from b2bua.rules.intervals import is_open
from store.directory import Directory
from store.ledger import FreePool
from store.rates import find_rate
from store.values import UNIT, Account, ChargingPlan, Micros, Period, Rate, Trunk

__all__ = ["buy_rate", "covers", "dearest", "free_pool", "monthly_fees", "open_at", "relative", "table_rate"]


def open_at(directory: Directory, at: float) -> Callable[[str], bool]:
    """Whether an interval of the operator, by name, is open at a moment; one that is gone never is."""

    def opened(name: str) -> bool:
        interval = directory.interval(name)
        return interval is not None and is_open(interval, at)

    return opened


def table_rate(directory: Directory, table: str, number: str, at: float) -> Rate | None:
    """The rate of a number in a table."""
    return find_rate(directory.rate_table(table), number, at, open_at(directory, at))


def buy_rate(directory: Directory, trunk: Trunk, number: str, at: float) -> Rate | None:
    """What a number costs us by a trunk; None: that is not known."""
    return table_rate(directory, trunk.rate_table, number, at) if trunk.rate_table else None


def relative(plan: ChargingPlan, buy: Rate) -> Rate:
    """The rate of a plan that is relative to our cost: n times each figure, rounded up to a micro, and the adjustment.

    So each call costs n times what it costs us, and the adjustment once.
    """

    def times(amount: int) -> Micros:
        return Micros(-(-amount * plan.factor // UNIT))

    return replace(
        buy, connection_fee=Micros(times(buy.connection_fee) + plan.adjustment), first_cost=times(buy.first_cost),
        increment_cost=times(buy.increment_cost), minimum=Micros(times(buy.minimum) + plan.adjustment),
        maximum=None if buy.maximum is None else Micros(times(buy.maximum) + plan.adjustment),
    )  # fmt: skip


def dearest(rates: Iterable[Rate]) -> Rate | None:
    """A rate that no talk finds below any of these: what is held while it is open which of them will count."""
    every = [*rates]
    if len(every) < 2:
        return every[0] if every else None
    one = every[0]
    maxima = [rate.maximum for rate in every]
    return replace(
        one, connection_fee=max(rate.connection_fee for rate in every),
        first_interval_s=min(rate.first_interval_s for rate in every),
        first_cost=max(rate.first_cost for rate in every),
        increment_s=min(rate.increment_s for rate in every),
        increment_cost=max(rate.increment_cost for rate in every),
        minimum=max(rate.minimum for rate in every),
        maximum=None if None in maxima else max(each for each in maxima if each is not None),
    )  # fmt: skip


def covers(held: Rate, rate: Rate) -> bool:
    """Whether what is held by one rate is enough for any talk by another."""
    both = dearest((held, rate))
    return both is not None and replace(both, maximum=held.maximum) == held and (
        held.maximum is None or (rate.maximum is not None and rate.maximum <= held.maximum)
    )


def free_pool(directory: Directory, account: Account, number: str, at: float) -> FreePool | None:
    """The free minutes that count for a call to a number now; None where there are none."""
    plan = directory.plan_of(account)
    if not plan.free_minutes or not number.startswith(plan.free_prefixes or ""):
        return None
    return FreePool(f"{plan.name} {period(plan.free_period, plan.zone, at)}", plan.free_minutes * 60)


def monthly_fees(directory: Directory, at: float) -> list[tuple[int, Micros, str]]:
    """What is due this month: account, fee, and the month by the clock of its plan."""
    plans = [(account, directory.plan_of(account)) for account in directory.accounts.values()]
    return [
        (account.id, plan.monthly_fee, period("month", plan.zone, at))
        for account, plan in plans if plan.monthly_fee and account.plan == "postpaid"
    ]  # fmt: skip


def period(kind: Period, zone: str, at: float) -> str:
    """The name of the day, the week (by its Monday) or the month of a moment: `2026-11`."""
    day = datetime.fromtimestamp(at, ZoneInfo(zone)).date()
    if kind == "week":
        day -= timedelta(day.weekday())
    return f"{day:%Y-%m}" if kind == "month" else day.isoformat()
