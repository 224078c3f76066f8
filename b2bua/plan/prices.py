"""What the file of `ringback apply` says of prices and times becomes rows (SPEC 68-75)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, select

from b2bua.money import parse_money
from b2bua.plan.entries import ChargingPlanEntry, Fault, IntervalEntry, Plan, RateEntry
from b2bua.plan.sync import ACCOUNTS, CHARGING_PLANS, INTERVALS, RATES, Sync
from b2bua.plan.times import limit_of, parse_moment
from store import tables
from store.directory import DEFAULT_ZONE
from store.meta import TIME_ZONE, read_meta

__all__ = ["apply_prices", "plain_money", "rate_key", "rate_values", "missing_names"]


def apply_prices(sync: Sync, plan: Plan) -> None:
    """Intervals, charging plans and rates; of rates the tables that the file names."""
    zone = read_meta(sync.conn, TIME_ZONE) or DEFAULT_ZONE
    if plan.interval is not None:
        owners = sync.ids(ACCOUNTS)
        names = {row_id: name for name, row_id in owners.items()}
        sync.write(INTERVALS, {
            (entry.name, owners[entry.account] if entry.account else None): _interval(entry) for entry in plan.interval
        }, lambda key: f"interval {key[0]} {names.get(key[1], '')}".rstrip())  # fmt: skip
    if plan.charging_plan is not None:
        sync.write(CHARGING_PLANS, {(entry.name,): _charging_plan(entry) for entry in plan.charging_plan})
    if plan.rate is not None:
        named = {entry.table for entry in plan.rate}
        sync.write(
            RATES, {rate_key(entry, zone): rate_values(entry, zone) for entry in plan.rate},
            lambda key: RATES.name((*key[:3], "" if not key[3] else "from a date")),
            gone=lambda key: not named or key[0] in named,
        )  # fmt: skip


def _interval(entry: IntervalEntry) -> dict[str, Any]:
    return {
        "zone": entry.zone, "algorithm": entry.algorithm, "without": list(entry.without),
        "limits": [asdict(limit_of(limit)) for limit in entry.limits],
    }


def _charging_plan(entry: ChargingPlanEntry) -> dict[str, Any]:
    values = plain_money(asdict(entry)) | {"factor": parse_money(entry.factor)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if key != "name"}


def rate_key(entry: RateEntry, zone: str) -> tuple[str, str, str, float]:
    """What tells a rate from all others."""
    return entry.table, entry.prefix, entry.interval, _moment(entry.valid_from, zone) or 0.0


_OF_A_RATE = [each.name for each in fields(RateEntry) if each.name not in ("table", "prefix", "interval", "valid_from")]


def rate_values(entry: RateEntry, zone: str) -> dict[str, Any]:
    """The columns beside its key."""
    values = plain_money({name: getattr(entry, name) for name in _OF_A_RATE})
    return values | {"valid_until": _moment(entry.valid_until, zone)}


def _moment(text: str, zone: str) -> float | None:
    return parse_moment(text, zone) if text else None


def plain_money(values: dict[str, Any]) -> dict[str, Any]:
    """Money as columns take it."""
    return {key: int(value) if isinstance(value, int) and not isinstance(value, bool) else value
            for key, value in values.items()}  # fmt: skip


def missing_names(conn: Connection, plan: Plan) -> Iterator[Fault]:
    """Intervals and charging plans that something refers to, and that are not there any more, or never were."""
    there = set(conn.execute(select(tables.intervals.c.name).where(tables.intervals.c.account_id.is_(None))).scalars())
    for kind, table in (("route", tables.routes), ("rate", tables.rates)):
        used = set(conn.execute(select(table.c.interval).where(table.c.interval != "").distinct()).scalars())
        for name in sorted(used - there):
            index = next((n for n, each in enumerate(getattr(plan, kind) or ()) if each.interval == name), 0)
            yield plan.fault(f'interval: there is no interval "{name}", which a {kind} needs', kind, index, "interval")
    yield from _missing_in_intervals(conn, plan)
    plans = set(conn.execute(select(tables.charging_plans.c.name)).scalars()) | {""}
    for name in sorted(set(conn.execute(select(tables.accounts.c.charging_plan)).scalars()) - plans):
        yield plan.fault(f'charging_plan: an account has the charging plan "{name}"', "charging_plan")


def _missing_in_intervals(conn: Connection, plan: Plan) -> Iterator[Fault]:
    table, owners = tables.intervals, tables.accounts
    query = select(table.c.name, table.c.account_id, table.c.without, owners.c.name.label("account")).outerjoin(
        owners, owners.c.id == table.c.account_id,
    )  # fmt: skip
    rows = list(conn.execute(query.order_by(table.c.id)))
    known = {(row.name, row.account_id) for row in rows}
    at = {(entry.name, entry.account): index for index, entry in enumerate(plan.interval or ())}
    for row in rows:
        for name in row.without:
            if (name, row.account_id) not in known and (name, None) not in known:
                index, sentence = at.get((row.name, row.account or "")), f'without: there is no interval "{name}"'
                if index is None:
                    yield plan.fault(f'{sentence}, which "{row.name}" leaves out', "interval")
                else:
                    yield plan.fault(sentence, "interval", index, "without")
