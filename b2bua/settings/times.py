"""Which of the operator's time intervals an account may see the properties of, and name (SPEC 70)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, select

from b2bua.rules.visible_intervals import associated, named
from store.tables import accounts, callnow, charging_plans, extensions, intervals, rates, routes, trunks

__all__ = ["nameable", "seen_intervals"]

Key = tuple[str, int | None]


def seen_intervals(conn: Connection, account_id: int) -> frozenset[Key]:
    """Those of the operator that its pages, its rates or routes go by, and what these leave out."""
    rows = conn.execute(select(intervals.c.name, intervals.c.account_id, intervals.c.without))
    known = {(row.name, row.account_id): row.without for row in rows}
    pages = {named(name, account_id, known) for name in _of_pages(conn, account_id)}
    others: Iterator[Key] = ((name, None) for name in _of_prices(conn, account_id))
    return associated(account_id, known, {key for key in pages if key is not None} | {*others})


def nameable(conn: Connection, account_id: int) -> frozenset[str]:
    """The intervals that its pages and intervals may name: its own, and those associated with it."""
    own = conn.execute(select(intervals.c.name).where(intervals.c.account_id == account_id)).scalars()
    return frozenset(own) | {name for name, _ in seen_intervals(conn, account_id)}


def _of_pages(conn: Connection, account_id: int) -> Iterable[str]:
    query = select(callnow.c.interval).join(extensions, extensions.c.id == callnow.c.extension_id)
    return conn.execute(query.where(extensions.c.account_id == account_id)).scalars()


def _of_prices(conn: Connection, account_id: int) -> Iterable[str]:
    """Routes are everybody's; rates are those of its table, or of the trunks where its prices are relative to them."""
    yield from conn.execute(select(routes.c.interval)).scalars()
    query = select(accounts.c.rate_table, charging_plans.c.rate_table.label("of_plan"), charging_plans.c.method)
    pays = conn.execute(
        query.outerjoin(charging_plans, charging_plans.c.name == accounts.c.charging_plan)
        .where(accounts.c.id == account_id)
    ).one()  # fmt: skip
    if pays.method == "relative":
        tables = list(conn.execute(select(trunks.c.rate_table)).scalars())
    else:
        tables = [pays.of_plan or pays.rate_table]
    query_ = select(rates.c.interval).where(rates.c.rate_table.in_(tables), rates.c.interval != "").distinct()
    yield from conn.execute(query_).scalars()
