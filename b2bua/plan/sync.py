"""Makes the rows of configuration tables what a file says, and remembers what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from store import tables

__all__ = [
    "ACCOUNTS", "CALLNOW", "CHARGING_PLANS", "DIDS", "EXTENSIONS", "INTERVALS", "OF_AN_EXTENSION", "RATES", "ROUTES",
    "TRUNKS", "Kind", "Sync",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of row: how it is named to people, and which columns name it."""

    word: str
    table: Table
    key: tuple[str, ...]
    only: tuple[ColumnElement[bool], ...] = ()
    """Which rows of the table a file speaks of, when not all."""

    def name(self, key: tuple[Any, ...]) -> str:
        return f"{self.word} {' '.join(str(part) for part in key if part != '') or '(any)'}"


ACCOUNTS = Kind("account", tables.accounts, ("name",), (tables.accounts.c.kind == "client",))
TRUNKS = Kind("trunk", tables.trunks, ("name",))
RATES = Kind("rate", tables.rates, ("rate_table", "prefix", "interval", "valid_from"))
CHARGING_PLANS = Kind("charging plan", tables.charging_plans, ("name",))
INTERVALS = Kind("interval", tables.intervals, ("name", "account_id"))
EXTENSIONS = Kind("extension", tables.extensions, ("number",))
CALLNOW = Kind("callnow", tables.callnow, ("extension_id",))
DIDS = Kind("did", tables.dids, ("number",))
ROUTES = Kind("route", tables.routes, ("prefix", "trunk_id", "interval"))
OF_AN_EXTENSION = (
    tables.callnow, tables.callers, tables.failures, tables.blocked, tables.codes, tables.links,
)
"""What goes with it."""


class Sync:
    """Writes the rows that differ and remembers what it did."""

    def __init__(self, conn: Connection, *, whole: bool = True) -> None:
        """`whole`: what is there and not wanted goes."""
        self.conn = conn
        self.whole = whole
        self.changed = False
        self._lines: list[str] = []
        self._unchanged: dict[str, int] = {}
        self._gone: list[tuple[Kind, dict[str, Any], str]] = []

    def rows(self, kind: Kind, keys: Iterable[tuple[Any, ...]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        """All rows by key; where others stay as they are, only those whose key begins as one of these."""
        some = [] if self.whole else [kind.table.c[kind.key[0]].in_({key[0] for key in keys})]
        found = self.conn.execute(select(kind.table).where(*kind.only, *some)).mappings()
        return {tuple(row[name] for name in kind.key): dict(row) for row in found}

    def write(self, kind: Kind, wanted: Mapping[tuple[Any, ...], dict[str, Any]],
              name: Callable[[tuple[Any, ...]], str] | None = None, keep: bool = False,
              gone: Callable[[tuple[Any, ...]], bool] = lambda key: True) -> None:
        """Create and change rows; those not wanted are removed at the end, unless `keep` or not `gone` by their key."""
        shown, there = name or kind.name, self.rows(kind, wanted)
        for key, values in wanted.items():
            named = dict(zip(kind.key, key, strict=True))
            before = there.get(key)
            if before is None:
                self.conn.execute(insert(kind.table).values(**named, **values))
                self.tell(f"created   {shown(key)}")
            elif differs := [column for column, value in values.items() if before[column] != value]:
                self.conn.execute(update(kind.table).where(*is_row(kind, named)).values(
                    {column: values[column] for column in differs},
                ))
                self.tell(f"changed   {shown(key)}: {', '.join(differs)}")
            else:
                self.same(kind.word)
        for key, row in there.items() if self.whole and not keep else ():
            if key not in wanted and gone(key):
                self._gone.append((kind, row, shown(key)))

    def remove(self) -> None:
        """Remove what is not wanted, users before what they use; what is still in use stays and is said to."""
        for kind, row, shown in reversed(self._gone):
            try:
                with self.conn.begin_nested():
                    self.delete(kind, row)
            except IntegrityError:
                self._lines.append(f"kept      {shown}: other rows still refer to it")
            else:
                self.tell(f"removed   {shown}")

    def delete(self, kind: Kind, row: Mapping[str, Any]) -> None:
        """Remove one row and what is nothing without it.  Raises: IntegrityError when others refer to it."""
        if kind is EXTENSIONS:
            for table in OF_AN_EXTENSION:
                self.conn.execute(delete(table).where(table.c.extension_id == row["id"]))
            self.conn.execute(delete(tables.bindings).where(tables.bindings.c.number == row["number"]))
        self.conn.execute(delete(kind.table).where(*is_row(kind, row)))

    def tell(self, line: str) -> None:
        """Something was changed."""
        self.changed = True
        self._lines.append(line)

    def same(self, word: str) -> None:
        """One more of these was as it should be."""
        self._unchanged[word] = self._unchanged.get(word, 0) + 1

    def report(self) -> list[str]:
        counts = [f"{count} {word}{'s' if count != 1 else ''}" for word, count in self._unchanged.items()]
        return self._lines + ([f"unchanged {', '.join(counts)}"] if counts else [])

    def ids(self, kind: Kind) -> dict[Any, int]:
        """The row ids by the first part of the key."""
        found = self.conn.execute(select(kind.table.c[kind.key[0]], kind.table.c.id).where(*kind.only))
        return {name: row_id for name, row_id in found}


def is_row(kind: Kind, row: Mapping[str, Any]) -> list[Any]:
    return [kind.table.c[name] == row[name] for name in kind.key]
