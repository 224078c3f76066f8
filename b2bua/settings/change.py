"""One entry made, changed or removed, under the checks of a whole file; jobs over one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from b2bua.office.desk import FaultView, NotDone
from b2bua.plan.apply import carry_out, check_result, post_credit
from b2bua.plan.checks import faults_between
from b2bua.plan.entries import BadPlan, ExtensionEntry, Fault, Kept, Plan, field_of
from b2bua.plan.reader import read_one
from b2bua.plan.sync import EXTENSIONS, OF_AN_EXTENSION, Sync
from b2bua.plan.toml_lines import Path
from b2bua.settings.documents import ONCE, Document, as_written, document, merged, with_secrets_of
from b2bua.settings.kept import KINDS, KeptKind, Names, Row
from store import tables
from store.directory import raise_version

__all__ = ["Writer", "fault_views", "refused", "remove", "row_of"]

Written = tuple[Any, Row]
_NOTHING = Plan(filename="", lines={}, whole=False)
"""Every kind stays as it is."""
_MOST_NAMED = 3
_WORDS = {"ledger": "ledger entries", "tokens": "API tokens", "callers": "CallerIDs", "calls": "call records"}
_AMONG_THEMSELVES = ("account", "interval")
"""Kinds whose entries lead to each other, so that one alone does not tell whether they lead in a circle."""


@dataclass(frozen=True, slots=True)
class Writer:
    """What a change needs beside the connection."""

    conn: Connection
    at: float
    new_id: Callable[[], str]
    hashed: str = ""
    """Of the callback password in the document, as hashing is no work for a database job."""

    def create(self, kind: KeptKind, values: Document) -> Written:
        """Make an entry; gives it with its row.  Raises: NotDone."""
        entry = self._read(kind, merged({}, values))
        if entry_row(self.conn, kind, entry) is not None:
            raise NotDone(f"There is {_named(kind, entry)} already.", 409, kind.key[0])
        return self._write(kind, entry)

    def change(self, kind: KeptKind, row: Row, change: Document) -> Written:
        """Change an entry; gives it with its row.  Raises: NotDone."""
        before = kind.entry(row, Names(self.conn))
        values = _proven(before, merged(as_written(document(before)), change), change)
        for key in kind.key:
            if key in change and values.get(key, "") != getattr(before, key):
                raise NotDone(f"{key}: the {kind.word} is known by it; make another one.", field=key)
        if ONCE in change and kind.kind == "account":
            raise NotDone(f"{ONCE}: an opening balance is posted once, when the account is made.", field=ONCE)
        entry = with_secrets_of(before, self._read(kind, values), change)
        return self._write(kind, entry, row)

    def _read(self, kind: KeptKind, values: Document) -> Any:
        with refused((kind.kind, 0)):
            return read_one(kind.kind, values)

    def _write(self, kind: KeptKind, entry: Any, row: Row | None = None) -> Written:
        with refused((kind.kind, 0)):
            self._check(kind, entry)
        if kind.rows is EXTENSIONS:
            _check_page(self.conn, entry, row)
            entry = self._with_hash(entry)
        plan = _plan(kind, entry)
        with refused((kind.kind, 0)):
            carry_out(self.conn, plan, self.at, self.new_id)
            check_result(self.conn, plan)
            post_credit(self.conn, plan, self.at)
        written = entry_row(self.conn, kind, entry)
        assert written is not None
        return kind.entry(written, Names(self.conn)), written

    def _check(self, kind: KeptKind, entry: Any) -> None:
        """The faults of a file that has this entry, among those it leads to.  Raises: BadPlan."""
        others: tuple[Any, ...] = ()
        if kind.kind in _AMONG_THEMSELVES:
            names = Names(self.conn)
            rows = self.conn.execute(select(kind.rows.table).where(*kind.rows.only)).mappings()
            all_of_them = [kind.entry(row, names) for row in rows]
            others = tuple(each for each in all_of_them if kind.name_of(each) != kind.name_of(entry))
        plan = _plan(kind, entry, *others)
        if faults := [fault for fault in faults_between(plan) if fault.path[:2] == (kind.kind, 0)]:
            raise BadPlan("", faults)

    def _with_hash(self, entry: Any) -> Any:
        settings = entry.callback
        if settings is None or not settings.password or isinstance(settings.password, Kept):
            return entry
        return replace(entry, callback=replace(settings, password=Kept(self.hashed)))


def remove(conn: Connection, kind: KeptKind, row: Row) -> None:
    """Remove an entry that nothing refers to.  Raises: NotDone 409 that names what does."""
    named = _named(kind, kind.entry(row, Names(conn)))
    if users := ", ".join(_users(conn, kind, row)):
        raise NotDone(f"{named[0].upper()}{named[1:]} is still needed by {users}.", 409)
    Sync(conn).delete(kind.rows, row)
    raise_version(conn)
    try:
        check_result(conn, _NOTHING)
    except BadPlan as bad:
        raise NotDone(f"Without {named}: {bad.faults[0].sentence}.", 409, faults=fault_views(bad.faults)) from bad


def entry_row(conn: Connection, kind: KeptKind, entry: Any) -> Row | None:
    """The row of the entry that is known by the same."""
    names, where = Names(conn), []
    ids = {"account_id": names.accounts, "trunk_id": names.trunks}
    for column, value in zip(kind.rows.key, kind.name_of(entry), strict=True):
        if column in ids:
            found = [row_id for row_id, name in ids[column].items() if name == value]
            if not found:
                return None
            value = found[0]
        where.append(kind.rows.table.c[column].is_not_distinct_from(value))
    return row_of(conn, kind, *where)


def row_of(conn: Connection, kind: KeptKind, *where: ColumnElement[bool]) -> Row | None:
    """The first row of a kind like this."""
    return conn.execute(select(kind.rows.table).where(*kind.rows.only, *where)).mappings().first()


@contextmanager
def refused(drop: Path = ()) -> Iterator[None]:
    """The faults of a plan, as the office says them; `drop` is what every path begins with."""
    try:
        yield
    except BadPlan as bad:
        faults = fault_views(bad.faults, drop)
        first = faults[0].reason
        raise NotDone(first if first.endswith("?") else f"{first}.", field=faults[0].field, faults=faults) from bad


def fault_views(faults: Sequence[Fault], drop: Path = ()) -> list[FaultView]:
    """With the path of each as people write it."""
    return [
        FaultView(field_of(each.path[len(drop):] if each.path[:len(drop)] == drop else each.path), each.sentence)
        for each in faults
    ]  # fmt: skip


def _plan(kind: KeptKind, *entries: Any) -> Plan:
    said: dict[str, Any] = {kind.kind: entries}
    return replace(_NOTHING, **said)


def _named(kind: KeptKind, entry: Any) -> str:
    return kind.rows.name(kind.name_of(entry))


def _proven(before: Any, values: Document, change: Document) -> Document:
    """The document; an approval goes with the number that it was of (SPEC 39)."""
    rules = change.get("caller_id") if isinstance(before, ExtensionEntry) else None
    if isinstance(rules, dict) and rules.get("number", before.caller_id.number) != before.caller_id.number:
        return values | {"caller_id": values["caller_id"] | {"approved": rules.get("approved") or False}}
    return values


def _check_page(conn: Connection, entry: ExtensionEntry, row: Row | None) -> None:
    """Raises: NotDone 409 where another extension has the ID of the page."""
    table = tables.callnow
    wanted = entry.callnow.id if entry.callnow else ""
    owner = conn.execute(select(table.c.extension_id).where(table.c.page_id == wanted)).scalar()
    if wanted and owner is not None and owner != (row["id"] if row else None):
        raise NotDone("callnow.id: another page has it.", 409, "callnow.id")


def _users(conn: Connection, kind: KeptKind, row: Row) -> Iterator[str]:
    """What refers to the row, in words: the first three by name."""
    for table in tables.metadata.sorted_tables:
        columns = [key.parent for key in table.foreign_keys if key.column.table is kind.rows.table]
        goes_too = kind.rows is EXTENSIONS and table in OF_AN_EXTENSION and table is not tables.callers
        if not columns or goes_too:  # callers may have credit: they are removed by themselves
            continue
        where = or_(*(column == row["id"] for column in columns))
        count = conn.execute(select(func.count()).select_from(table).where(where)).scalar_one()
        if not count:
            continue
        user = next((each for each in KINDS.values() if each.rows.table is table), None)
        if user is None or row_of(conn, user, where) is None:
            yield f"{_WORDS.get(table.name, table.name)} ({count})"
            continue
        names = Names(conn)
        first = conn.execute(select(table).where(where).limit(_MOST_NAMED)).mappings()
        yield ", ".join(_named(user, user.entry(each, names)) for each in first)
        if count > _MOST_NAMED:
            yield f"{count - _MOST_NAMED} more"
