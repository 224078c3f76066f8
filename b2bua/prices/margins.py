"""What calls brought and what they cost us, by trunk, account, extension or day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, case, cast, func, literal, select

from b2bua.money import format_money
from b2bua.prices.desk import MarginsBy, MarginView
from store.tables import accounts, call_legs, calls
from store.values import Micros

__all__ = ["margins"]

_DAY_S = 86_400


def margins(conn: Connection, by: MarginsBy, since: float, until: float) -> list[MarginView]:
    """Of the calls that began between two moments; legs where it is about trunks, since a call may have several."""
    if by == "trunk":
        legs, name = call_legs.c, call_legs.c.party
        source = call_legs.join(calls, calls.c.id == legs.call_id)
        answered = (legs.direction == "out", legs.answered.is_not(None), (legs.cost > 0) | legs.buy.is_not(None))
        return _grouped(conn, source, name, legs.cost, legs.buy, legs.talk_ms, legs.invited, since, until, *answered)
    columns: dict[str, ColumnElement[Any]] = {
        "account": func.coalesce(accounts.c.name, ""), "extension": calls.c.extension,
        "day": cast(calls.c.started, BigInteger) // _DAY_S,
    }  # fmt: skip
    source = calls.outerjoin(accounts, accounts.c.id == calls.c.account_id)
    paid = (calls.c.cost > 0) | calls.c.buy.is_not(None)
    return _grouped(
        conn, source, columns[by], calls.c.cost, calls.c.buy, calls.c.talk_ms, calls.c.started, since, until, paid
    )


def _grouped(
    conn: Connection, source: Any, name: Any, cost: Any, buy: Any, talk_ms: Any, at: Any, since: float, until: float,
    *where: Any,
) -> list[MarginView]:  # fmt: skip
    known = buy.is_not(None)
    rows = conn.execute(select(
        name.label("name"), calls.c.currency, func.count(), func.sum(talk_ms), func.sum(cost),
        func.coalesce(func.sum(buy), 0), func.coalesce(func.sum(case((known, cost), else_=literal(0))), 0),
        func.sum(case((known, 0), else_=1)),
    ).select_from(source).where(at >= since, at < until, *where).group_by(name, calls.c.currency).order_by(name))
    return [
        MarginView(
            _name(named), currency, count, f"{talked / 60_000:.1f}", format_money(Micros(sold)),
            format_money(Micros(bought)), format_money(Micros(of_known - bought)), unknown,
        )
        for named, currency, count, talked, sold, bought, of_known, unknown in rows
    ]  # fmt: skip


def _name(named: object) -> str:
    """A day is a number of days."""
    if isinstance(named, int | float):
        return datetime.fromtimestamp(int(named) * _DAY_S, UTC).date().isoformat()
    return str(named)
