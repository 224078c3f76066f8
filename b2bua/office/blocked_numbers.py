"""Numbers that pages do not call, for the back office (SPEC A12.6)."""

from __future__ import annotations

import re

from sqlalchemy import Connection

from b2bua.desk import BlockedView, Holder, NewBlocked, NotDone
from b2bua.office.jobs import extension_of, iso, operator_only, searched
from b2bua.plan.unmatched import unmatched
from b2bua.rules.numbers import BadNumber, read_number
from store import blocked
from store.directory import load

__all__ = ["block_number", "blocked_numbers", "unblock_number"]


def blocked_numbers(conn: Connection, who: Holder, text: str) -> list[BlockedView]:
    """Those of the extensions that the holder may see, the newest first."""
    found = blocked.list_blocked(conn, account_id=who.account_id, text=searched(text))
    return [BlockedView(row.number, row.extension or "", row.by, iso(row.at)) for row in found]


def block_number(conn: Connection, who: Holder, new: NewBlocked, at: float) -> BlockedView:
    """Block it for one page, or for all.  Raises: NotDone."""
    extension_id, number = _what(conn, who, new.extension, new.number)
    blocked.block(conn, number, extension_id, "operator" if who.account_id is None else "owner", at)
    return next(row for row in blocked_numbers(conn, who, number) if (row.number, row.extension) == (
        number, "" if extension_id is None else extension_of(conn, who, new.extension)["number"],
    ))  # fmt: skip


def unblock_number(conn: Connection, who: Holder, extension: str, number: str) -> None:
    """It may be called again.  Raises: NotDone 404."""
    extension_id, read = _what(conn, who, extension, number, removed=True)
    if not blocked.unblock(conn, read, extension_id):
        raise NotDone(f"{number} is not blocked for {extension or 'all pages'}.", 404)


def _what(
    conn: Connection, who: Holder, extension: str, typed: str, *, removed: bool = False
) -> tuple[int | None, str]:
    """Whose page, None for all, and the number as the dial plan keeps it."""
    if not extension:
        operator_only(who, "extension")
        number = re.sub(r"[\s.()/-]", "", typed)
        if not re.fullmatch(r"\+?[0-9]{3,18}", number):
            raise NotDone("number: expected digits, with + before them in E.164.", field="number")
        whys = [unmatched(number, account.dial_plan.mode) for account in load(conn).accounts.values()]
        if whys and all(whys) and not removed:
            raise NotDone(f"number: {whys[0]}.", field="number")
        return None, number
    at = extension_of(conn, who, extension)
    plan = load(conn).accounts[at["account_id"]].dial_plan
    try:
        return at["id"], read_number(typed, plan)
    except BadNumber as bad:
        raise NotDone(bad.sentence, field="number") from bad
