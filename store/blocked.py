"""Numbers that CallNow does not call: for one extension, or for all (SPEC A12.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select

from store.tables import blocked, extensions

__all__ = ["Blocked", "BlockedBy", "block", "blocked_by", "list_blocked", "unblock"]

BlockedBy = Literal["owner", "visitor", "operator"]
"""The extension for itself, who was called and had not asked for it, or whoever runs the server."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """One number; extension None: whichever page it is asked for on."""

    number: str
    extension: str | None
    by: BlockedBy
    at: float


def block(conn: Connection, number: str, extension_id: int | None, by: BlockedBy, at: float) -> None:
    """Call it no more; once is enough."""
    if conn.execute(select(blocked.c.id).where(*_is(number, extension_id))).first() is None:
        conn.execute(insert(blocked).values(number=number, extension_id=extension_id, by=by, at=at))


def unblock(conn: Connection, number: str, extension_id: int | None) -> bool:
    """It may be called again; False where it was not blocked."""
    return bool(conn.execute(delete(blocked).where(*_is(number, extension_id))).rowcount)


def blocked_by(conn: Connection, numbers: tuple[str, ...], extension_id: int) -> BlockedBy | None:
    """Who does not want a number to be called by this extension's page; a block of all pages before its own.

    `numbers`: the spellings in which it may have been blocked.
    """
    here = or_(blocked.c.extension_id == extension_id, blocked.c.extension_id.is_(None))
    found = select(blocked.c.by).where(blocked.c.number.in_(numbers), here)
    by: BlockedBy | None = conn.execute(found.order_by(blocked.c.extension_id.is_not(None))).scalars().first()
    return by


def list_blocked(conn: Connection, *, account_id: int | None = None, text: str = "") -> list[Blocked]:
    """The newest first; of one account's extensions only, and those that contain `text`."""
    query = select(blocked, extensions.c.number.label("extension")).select_from(
        blocked.outerjoin(extensions, extensions.c.id == blocked.c.extension_id)
    ).where(blocked.c.number.contains(text, autoescape=True))  # fmt: skip
    if account_id is not None:
        query = query.where(extensions.c.account_id == account_id)
    rows = conn.execute(query.order_by(blocked.c.id.desc())).mappings()
    return [Blocked(row["number"], row["extension"], row["by"], row["at"]) for row in rows]


def _is(number: str, extension_id: int | None) -> tuple[ColumnElement[bool], ...]:
    return blocked.c.number == number, blocked.c.extension_id.is_not_distinct_from(extension_id)
