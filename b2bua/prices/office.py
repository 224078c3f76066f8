"""The operator's prices over one database: the implementation of b2bua.prices.desk.PriceDesk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from b2bua.desk import FaultView, Holder, NotDone
from b2bua.plan.apply import apply, kept_hashes, with_hashes
from b2bua.plan.entries import BadPlan, field_of
from b2bua.plan.reader import parse
from b2bua.plan.times import parse_moment
from b2bua.prices.desk import (
    AppliedView,
    MarginsBy,
    MarginView,
    PriceView,
    RateCloneView,
    RateImportView,
    RateTableView,
    RateView,
)
from b2bua.prices.explain import account_of, explain, rate_view
from b2bua.prices.margins import margins
from b2bua.prices.rate_book import RateChanges, compare, compare_tables, rate_tables, table_rates, write_changes
from b2bua.prices.rate_sheet import read_rates, write_rates
from b2bua.rules.tariff import free_pool
from store import ledger
from store.directory import DEFAULT_ZONE, load
from store.meta import TIME_ZONE, read_meta

if TYPE_CHECKING:
    from store.database import Database

__all__ = ["PriceOffice"]

_FAR = 10.0**11


class _Undone(Exception):
    """A rehearsal: nothing is kept."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self.lines = lines


class PriceOffice:
    """Implements b2bua.prices.desk.PriceDesk."""

    __slots__ = ()
    database: Database
    wall: Callable[[], float]
    base_url: str

    async def rate_tables(self, who: Holder) -> Sequence[RateTableView]:
        """Every table that has rates, or that something refers to."""
        _operator(who)
        return await self.database.read(lambda conn: rate_tables(conn, load(conn)))

    async def rates(
        self, who: Holder, table: str, *, prefix: str = "", limit: int = 50, offset: int = 0
    ) -> Sequence[RateView]:
        """The rates of a table whose prefix begins so."""
        _operator(who)
        found = await self.database.read(lambda conn: table_rates(load(conn), table, prefix))
        return [rate_view(rate, table) for rate in found[offset : offset + limit]]

    async def import_rates(
        self, who: Holder, table: str, data: bytes, *, separator: str = ",", keep: bool = False, plus: bool = False,
        dry_run: bool = False,
    ) -> RateImportView:  # fmt: skip
        """Make a table what a CSV file says, whole or not at all.

        `keep`: leave rates that are not in it; `plus`: put one before prefixes without.
        """
        _operator(who)
        lines = await asyncio.to_thread(read_rates, data, table, separator, plus=plus)
        changes = await self._changed(lambda conn: compare(conn, load(conn), table, lines, keep=keep), dry_run)
        return changes.view(dry_run)

    async def clone_rates(self, who: Holder, source: str, table: str, *, dry_run: bool = False) -> RateCloneView:
        """Copy the rates of `source` that `table` does not have; what it has stays as it is."""
        _operator(who)
        changes = await self._changed(lambda conn: compare_tables(conn, load(conn), source, table), dry_run)
        return changes.clone_view(dry_run)

    async def _changed(self, compared: Callable[[Connection], RateChanges], dry_run: bool) -> RateChanges:
        """What was compared, and has been written unless it is a rehearsal."""
        while True:
            changes = await self.database.read(compared)
            if dry_run or await self.database.run(partial(write_changes, changes=changes)):
                return changes

    async def export_rates(self, who: Holder, table: str, *, separator: str = ",") -> bytes:
        """A table as CSV, as `import_rates` takes it."""
        _operator(who)
        if len(separator) != 1 or separator in '"\r\n':
            raise NotDone("separator: expected one character", field="separator")
        found = await self.database.read(lambda conn: table_rates(load(conn), table))
        return await asyncio.to_thread(write_rates, found, separator)

    async def explain_price(
        self, who: Holder, number: str, *, account: str = "", at: str = "", trunk: str = ""
    ) -> PriceView:
        """How the price of a number comes about, now or at a moment; `trunk`: by this one alone."""
        _operator(who)

        def explained(conn: Connection) -> PriceView:
            directory = load(conn)
            payer, moment = account_of(directory, account), _moment(conn, at, "at", self.wall())
            told = explain(directory, payer, number, moment, trunk)
            pool = free_pool(directory, payer, told.number, moment) if told.number else None
            if pool is None:
                return told
            left, period = ledger.free_left(conn, payer.id, pool), pool.period.rpartition(" ")[2]
            return replace(told, free_minutes=f"{left // 60} min {left % 60} s of {pool.total_s // 60} in {period}")

        return await self.database.read(explained)

    async def margins(
        self, who: Holder, *, by: MarginsBy = "trunk", since: str = "", until: str = ""
    ) -> Sequence[MarginView]:
        """What the calls between two moments brought and cost; from the first of the month where nothing is said."""
        _operator(who)
        if by not in get_args(MarginsBy):
            raise NotDone(f"by: choose one of {', '.join(get_args(MarginsBy))}", field="by")

        def found(conn: Connection) -> Sequence[MarginView]:
            month = datetime.fromtimestamp(self.wall(), ZoneInfo(_zone(conn))).strftime("%Y-%m-01")
            first = _moment(conn, since or month, "since", 0.0)
            return margins(conn, by, first, _moment(conn, until, "until", _FAR))

        return await self.database.read(found)

    async def apply(self, who: Holder, text: str, *, dry_run: bool = False) -> AppliedView:
        """Take a document as `ringback apply` does."""
        _operator(who)
        try:
            plan = await asyncio.to_thread(parse, text, "document")
            if plan.caller is not None:
                raise NotDone("caller: add CallerIDs by their own operations", field="caller")
            plan = await asyncio.to_thread(with_hashes, plan, await self.database.read(kept_hashes))

            def applied(conn: Connection) -> list[str]:
                lines = apply(conn, plan, self.wall(), self.base_url, lambda: token_hex(8))
                if dry_run:
                    raise _Undone(lines)
                return lines

            return AppliedView(await self.database.run(applied), dry_run)
        except _Undone as undone:
            return AppliedView(undone.lines, True)
        except BadPlan as bad:
            faults = [FaultView(field_of(each.path), each.sentence, each.line) for each in bad.faults]
            first = faults[0]
            sentence = f"Line {first.line}: {first.reason}"
            raise NotDone(sentence, field=first.field, line=first.line, faults=faults) from bad


def _operator(who: Holder) -> None:
    if who.account_id is not None:
        raise NotDone("Prices, costs and configuration are the operator's.", 403)


def _zone(conn: Connection) -> str:
    return read_meta(conn, TIME_ZONE) or DEFAULT_ZONE


def _moment(conn: Connection, text: str, field: str, otherwise: float) -> float:
    try:
        return parse_moment(text, _zone(conn)) if text else otherwise
    except ValueError as wrong:
        raise NotDone(f"{field}: {wrong}", field=field) from wrong
