"""Rows of [[rate]], [[charging_plan]] and [[interval]]."""

from __future__ import annotations

import asyncio
from typing import Any

from b2bua.cli.common import OPERATOR
from tests.settings.pages import MORNING
from tests.settings.probes import asked, charged
from tests.settings.row import Probe, Row
from tests.settings.scene import MOBILE, Scene

__all__ = ["ROWS"]

GOLD = {"account.rate_table": None, "account.charging_plan": "gold", "charging_plan.name": "gold",
        "charging_plan.rate_table": "at-12"}  # fmt: skip
RELATIVE = {**GOLD, "charging_plan.rate_table": None, "charging_plan.method": "relative", "trunk.rate_table": "buy",
            "rate[3]": {"table": "buy", "connection_fee": "0.10"}}  # fmt: skip
OPEN = {"extension.callnow.interval": "hours", "interval.name": "hours", "interval.limits": [{}]}
"""John's page has hours; the virtual world begins on Friday, 15 January 2027, at 8:00 UTC."""


async def description(scene: Scene) -> str:
    """What the office is told of the price of a mobile."""
    told = await scene.office.explain_price(OPERATOR, MOBILE, account="client")
    assert told.sell is not None
    return told.sell.description


async def balance(scene: Scene) -> int:
    """What John's account has, a while after."""
    await asyncio.sleep(601)  # fees are looked for every ten minutes
    return scene.balances()["client"]


def again(hours: int) -> Probe:
    """What a talk costs on another day, so many hours after one that used up half of a minute."""

    async def probe(scene: Scene) -> Any:
        world = scene.world
        world.clock_set_s += 86400 - (world.wall() - 1_800_000_000) % 86400  # 8:00 UTC
        await charged(31)(scene)
        world.clock_set_s += hours * 3600
        return await charged(40)(scene)

    return probe


ROWS = [
    Row("rate.table", "at-12", "other", charged(1), ("0.10", 403)),
    Row("rate.prefix", "04", "05", charged(1), ("0.10", 403)),
    Row("rate.description", "mobile", "cellular", description, ("mobile", "cellular")),
    Row("rate.connection_fee", "0.00", "0.05", charged(1), ("0.10", "0.15")),
    Row("rate.first_interval_s", 30, 60, charged(31), ("0.20", "0.10")),
    Row("rate.first_cost", "0.10", "0.20", charged(1), ("0.10", "0.20")),
    Row("rate.increment_s", 30, 10, charged(41), ("0.20", "0.30")),
    Row("rate.increment_cost", "0.10", "0.20", charged(31), ("0.20", "0.30")),
    Row("rate.minimum", "0.00", "0.50", charged(1), ("0.10", "0.50")),
    Row("rate.maximum", None, "0.15", charged(31), ("0.20", "0.15")),
    Row("rate.interval", "", "evening", charged(1), ("0.10", 403), given=MORNING),
    Row("rate.valid_from", "", "2027-02-01", charged(1), ("0.10", 403)),
    Row("rate.valid_until", "", "2027-01-15", charged(1), ("0.10", 403)),

    Row("charging_plan.name", "gold", "silver", charged(1), ("0.10", "0.10"), given=GOLD,
        also={"account.charging_plan": "silver"}),
    Row("charging_plan.rate_table", "at-12", "other", charged(1), ("0.10", "1.00"),
        given={**GOLD, "rate[3]": {"table": "other", "connection_fee": "1.00"}}),
    Row("charging_plan.method", "relative", "fixed", charged(1), ("0.10", "0.07"),
        given={**RELATIVE, "rate[4]": {"table": "default", "connection_fee": "0.07"}}),
    Row("charging_plan.factor", "1", "2.5", charged(1), ("0.10", "0.25"), given=RELATIVE),
    Row("charging_plan.adjustment", "0.00", "0.03", charged(1), ("0.10", "0.13"), given=RELATIVE),
    Row("charging_plan.free_minutes", 0, 100, charged(1), ("0.10", "0.00"), given=GOLD),
    Row("charging_plan.free_prefixes", [], ["555"], charged(1), ("0.00", "0.10"),
        given={**GOLD, "charging_plan.free_minutes": 100}),

    Row("charging_plan.free_period", "month", "day", again(24), ("0.10", "0.00"),
        given={**GOLD, "charging_plan.free_minutes": 1}),
    Row("charging_plan.zone", "", "Pacific/Kiritimati", again(3), ("0.10", "0.00"),
        given={**GOLD, "charging_plan.free_minutes": 1, "charging_plan.free_period": "day"}),
    Row("charging_plan.monthly_fee", "0.00", "5.00", balance, (0, -5_000_000),
        given={**GOLD, "account.plan": "postpaid", "account.credit": None}),

    Row("interval.name", "hours", "times", asked(), ("rings", "rings"), given=OPEN,
        also={"extension.callnow.interval": "times"}),
    Row("interval[1].account", "second", "client", asked(), ("rings", "outside-interval"),
        given={**OPEN, "account[1]": {"name": "second"},
               "interval[1]": {"name": "hours", "limits": [{"hours": "18:00-22:00"}]}}),
    Row("interval.zone", "", "Australia/Sydney", asked(), ("rings", "outside-interval"),
        given={**OPEN, "interval.limits": [{"hours": "07:00-12:00"}]}),
    Row("interval.algorithm", "days", "interval", asked(), ("outside-interval", "rings"),
        given={**OPEN, "interval.limits": [{"weekdays": "Thu-Sat", "hours": "10:00-20:00"}]}),
    Row("interval.limits", [{}], [{"hours": "18:00-22:00"}], asked(), ("rings", "outside-interval"), given=OPEN),
    Row("interval.limits.hours", "07:00-12:00", "18:00-22:00", asked(), ("rings", "outside-interval"), given=OPEN),
    Row("interval.limits.weekdays", "Fri", "Mon-Thu", asked(), ("rings", "outside-interval"), given=OPEN),
    Row("interval.limits.days", "15", "16-20", asked(), ("rings", "outside-interval"), given=OPEN),
    Row("interval.limits.month", 1, 2, asked(), ("rings", "outside-interval"), given=OPEN),
    Row("interval.without", [], ["holiday"], asked(), ("rings", "outside-interval"),
        given={**OPEN, "interval[1]": {"name": "holiday", "limits": [{"days": "15"}]}}),
]
