"""What is kept as the entries of a file: the reverse of b2bua.plan.apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

import msgspec
from sqlalchemy import Connection, select

from b2bua.money import format_money
from b2bua.plan.entries import (
    AccountEntry,
    CallbackEntry,
    CallNowEntry,
    ChargingPlanEntry,
    DidEntry,
    ExtensionEntry,
    IntervalEntry,
    Kept,
    Money,
    RouteEntry,
    TrunkEntry,
)
from b2bua.plan.sync import ACCOUNTS, CHARGING_PLANS, DIDS, EXTENSIONS, INTERVALS, ROUTES, TRUNKS, Kind
from b2bua.plan.times import limit_text
from store import tables
from store.values import CallerId, DialPlan, Limit, Micros

__all__ = ["KINDS", "KeptKind", "Names", "Row"]

T = TypeVar("T")
Row = Mapping[Any, Any]
"""A row of a table, by column."""
Audience = Literal["operator", "branch", "own"]


class Names:
    """What rows call each other, read when first asked for."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    @cached_property
    def accounts(self) -> dict[int | None, str]:
        return self._of(ACCOUNTS)

    @cached_property
    def extensions(self) -> dict[int | None, str]:
        return self._of(EXTENSIONS)

    @cached_property
    def trunks(self) -> dict[int | None, str]:
        return self._of(TRUNKS)

    def callnow(self, extension_id: int) -> Row | None:
        """The row of a page."""
        table = tables.callnow
        return self._conn.execute(select(table).where(table.c.extension_id == extension_id)).mappings().first()

    def _of(self, kind: Kind) -> dict[int | None, str]:
        found = self._conn.execute(select(kind.table.c.id, kind.table.c[kind.key[0]]).where(*kind.only))
        return {None: "", **{row_id: name for row_id, name in found}}


@dataclass(frozen=True, slots=True)
class KeptKind:
    """One kind of entry: its rows, and who may do what with them."""

    kind: str
    """The table of the file, `charging_plan`."""
    rows: Kind
    key: tuple[str, ...]
    """The fields of an entry that make it this one, and stay."""
    entry: Callable[[Row, Names], Any]
    owner: str = ""
    """The column with the account that it is of; empty: the operator's."""
    seen_by: Audience = "operator"
    """Beside the operator: accounts at or above its own, or its own alone."""
    changed_by: Literal["operator", "own"] = "operator"
    unseen: frozenset[str] = frozenset()
    """Fields that only the operator sees."""
    numbered: bool = False
    """Paths know it by the id of its row."""

    @property
    def word(self) -> str:
        return self.rows.word

    def name_of(self, entry: Any) -> tuple[Any, ...]:
        """What tells an entry from the others of its kind."""
        return tuple(getattr(entry, name) for name in self.key)


def _account(row: Row, names: Names) -> AccountEntry:
    limit = row["credit_limit"]
    return AccountEntry(
        credit_limit=None if limit is None else Money(limit), parent=names.accounts[row["parent_id"]],
        dial_plan=msgspec.convert(row["dial_plan"], DialPlan),
        **_same(row, "name", "currency", "plan", "call_api", "rate_table", "charging_plan", "caller_quota"),
    )  # fmt: skip


def _extension(row: Row, names: Names) -> ExtensionEntry:
    page = names.callnow(row["id"]) if row["kind"] == "phone" else None
    return ExtensionEntry(
        account=names.accounts[row["account_id"]], password=Kept(row["ha1_md5"] + row["ha1_sha256"]),
        caller_id=msgspec.convert(row["caller_id"], CallerId), callback=_callback(row["callback"]),
        callnow=None if page is None else _converted(CallNowEntry, {**page, "id": page["page_id"]}),
        **_same(row, "number", "kind", "name", "public_number", "ring_s", "confirm_s", "redirects", "prack",
                "session_expires_s", "min_se_s", "transfer"),
    )  # fmt: skip


def _callback(settings: Row) -> CallbackEntry | None:
    if not settings:
        return None
    return _converted(CallbackEntry, {**settings, "password": Kept(settings.get("password_hash", ""))})


def _trunk(row: Row, names: Names) -> TrunkEntry:
    return _converted(TrunkEntry, row)


def _did(row: Row, names: Names) -> DidEntry:
    return DidEntry(
        number=row["number"], extension=names.extensions[row["extension_id"]],
        account=names.accounts[row["account_id"]], trunk=names.trunks[row["trunk_id"]],
    )  # fmt: skip


def _route(row: Row, names: Names) -> RouteEntry:
    return RouteEntry(trunk=names.trunks[row["trunk_id"]], **_same(row, "prefix", "priority", "weight", "interval"))


def _charging_plan(row: Row, names: Names) -> ChargingPlanEntry:
    return _converted(ChargingPlanEntry, {**row, "factor": format_money(Micros(row["factor"]))})


def _interval(row: Row, names: Names) -> IntervalEntry:
    limits = [limit_text(msgspec.convert(limit, Limit)) for limit in row["limits"]]
    return IntervalEntry(
        account=names.accounts[row["account_id"]], without=tuple(row["without"]), limits=tuple(limits),
        **_same(row, "name", "zone", "algorithm"),
    )  # fmt: skip


def _same(row: Row, *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _converted(cls: type[T], row: Row) -> T:
    """An entry from the values that carry its fields' names; what is not there is as a file would leave it."""
    known = {each.name: row[each.name] for each in fields(cls) if each.name in row}  # type: ignore[arg-type]
    secret = {name: value for name, value in known.items() if isinstance(value, Kept)}
    rest = {name: value for name, value in known.items() if name not in secret}
    made: Any = msgspec.convert(rest, cls, dec_hook=lambda kind, value: kind(value))
    return replace(made, **secret)  # type: ignore[no-any-return]


KINDS: dict[str, KeptKind] = {each.kind: each for each in (
    KeptKind("account", ACCOUNTS, ("name",), _account, "id", "branch",
             unseen=frozenset({"rate_table", "charging_plan"})),
    KeptKind("extension", EXTENSIONS, ("number",), _extension, "account_id", "branch"),
    KeptKind("trunk", TRUNKS, ("name",), _trunk),
    KeptKind("did", DIDS, ("number",), _did, "account_id", "branch"),
    KeptKind("route", ROUTES, ("prefix", "trunk", "interval"), _route, numbered=True),
    KeptKind("charging_plan", CHARGING_PLANS, ("name",), _charging_plan),
    KeptKind("interval", INTERVALS, ("name", "account"), _interval, "account_id", "own", "own"),
)}  # fmt: skip
"""By table of the file."""
