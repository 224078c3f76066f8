"""Which entry a path means, for whom, and what of it is shown; jobs over one connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, func, select

from b2bua.office.desk import Holder, NotDone
from b2bua.settings.desk import EntryList
from b2bua.settings.documents import Document, document
from b2bua.settings.kept import KeptKind, Names, Row
from b2bua.settings.reach import Reach, may_change, may_see, reach_of
from b2bua.settings.times import seen_intervals
from store.tables import accounts

__all__ = ["Found", "address_of", "changeable", "creatable", "found", "listed", "view"]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that the holder of a token may see."""

    conn: Connection
    kind: KeptKind
    row: Row
    reach: Reach

    @property
    def owner(self) -> int | None:
        return self.row[self.kind.owner] if self.kind.owner else None

    def view(self) -> Document:
        return view(self.kind, self.kind.entry(self.row, Names(self.conn)), self.row, self.reach)


def found(conn: Connection, who: Holder, kind: KeptKind, name: str, account: str = "") -> Found:
    """The entry of this name; for an account's token its own interval comes first.  Raises: NotDone."""
    reach = _reach(conn, who, kind)
    for row in _rows_named(conn, reach, kind, name, account):
        at = Found(conn, kind, row, reach)
        if may_see(kind, reach, at.owner) == "yes" or _is_associated(at):
            return at
    raise NotDone(f"There is no {kind.word} {name}.", 404)


def changeable(conn: Connection, who: Holder, kind: KeptKind, name: str, account: str = "") -> Found:
    """The same, for who may change it.  Raises: NotDone."""
    at = found(conn, who, kind, name, account)
    if may_change(kind, at.reach, at.owner) != "yes":
        raise NotDone(f"The {kind.word} {name} is not changed by this token.", 403)
    return at


def creatable(conn: Connection, who: Holder, kind: KeptKind) -> Reach:
    """Who may make one, at least of its own.  Raises: NotDone."""
    reach = _reach(conn, who, kind)
    if may_change(kind, reach, reach.account_id) != "yes":
        raise NotDone(f"Only the operator makes {kind.word}s.", 403)
    return reach


def listed(
    conn: Connection, who: Holder, kind: KeptKind, *, text: str, account: str | None, limit: int, offset: int
) -> EntryList:
    """Those that it sees, by key.  Raises: NotDone."""
    reach, table, names = _reach(conn, who, kind), kind.rows.table, Names(conn)
    where = [*kind.rows.only, table.c[kind.rows.key[0]].contains(text, autoescape=True)]
    if not reach.is_operator:
        where.append(table.c[kind.owner].in_(reach.accounts(kind)))
    if account is not None:
        where.append(table.c[kind.owner].is_not_distinct_from(_account_id(conn, reach, kind, account)))
    total = conn.execute(select(func.count()).select_from(table).where(*where)).scalar_one()
    order = [table.c[name] for name in kind.rows.key]
    rows = conn.execute(select(table).where(*where).order_by(*order).limit(limit).offset(offset)).mappings()
    return EntryList([view(kind, kind.entry(row, names), row, reach) for row in rows], total)


def view(kind: KeptKind, entry: Any, row: Row, reach: Reach) -> Document:
    """What the holder may see of an entry."""
    shown = document(entry)
    if kind.numbered:
        shown = {"id": row["id"], **shown}
    if not reach.is_operator:
        shown = {name: value for name, value in shown.items() if name not in kind.unseen}
        if kind.kind == "account" and row["parent_id"] not in reach.accounts(kind):
            shown["parent"] = ""
    return shown


def address_of(kind: KeptKind, entry: Any, row: Row) -> str:
    """What the path of an entry ends with."""
    if kind.numbered:
        return str(row["id"])
    owner = getattr(entry, "account", "") if "account" in kind.key else ""
    return quote(getattr(entry, kind.key[0]), safe="*") + (f"?account={quote(owner, safe='')}" if owner else "")


def _reach(conn: Connection, who: Holder, kind: KeptKind) -> Reach:
    """Raises: NotDone 403 for a kind of which accounts see nothing."""
    reach = reach_of(conn, who)
    if may_see(kind, reach, reach.account_id) == "forbidden":
        raise NotDone(f"Only the operator sees and changes {kind.word}s.", 403)
    return reach


def _rows_named(conn: Connection, reach: Reach, kind: KeptKind, name: str, account: str) -> list[Row]:
    table = kind.rows.table
    column: Any = table.c[kind.rows.key[0]]
    if kind.numbered:
        where = table.c.id == (int(name) if name.isascii() and name.isdigit() and len(name) < 19 else -1)
    elif kind.kind == "extension":
        column = func.replace(column, "*", "")
        where = column == name.replace("*", "")
    else:
        where = column == name
    query = select(table).where(*kind.rows.only, where)
    if "account" in kind.key and (reach.is_operator or account):
        query = query.where(table.c.account_id.is_not_distinct_from(_account_id(conn, reach, kind, account)))
    if "account" in kind.key:
        query = query.order_by(table.c.account_id.is_(None))
    return list(conn.execute(query.order_by(table.c[kind.rows.key[0]] != name)).mappings())


def _account_id(conn: Connection, reach: Reach, kind: KeptKind, account: str) -> int | None:
    """The account of this name; None for the operator.  Raises: NotDone 404 for one that it may not know."""
    if not account:
        return None
    query = select(accounts.c.id).where(accounts.c.name == account, accounts.c.kind == "client")
    found_id: int | None = conn.execute(query).scalar()
    if found_id is None or may_see(kind, reach, found_id) != "yes":
        raise NotDone(f"There is no account {account}.", 404, "account")
    return found_id


def _is_associated(at: Found) -> bool:
    """An interval of the operator that the account's calls go by (SPEC 70)."""
    if at.kind.kind != "interval" or at.reach.account_id is None:
        return False
    return (at.row["name"], at.owner) in seen_intervals(at.conn, at.reach.account_id)
