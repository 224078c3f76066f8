"""The ladder of one call, wherever it is: in the memory of the server, or kept in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, select

from b2bua.desk import Holder, LadderRow
from store import journal, tables

if TYPE_CHECKING:
    from b2bua.exchange import Exchange

__all__ = ["CallLadder", "kept_ladder", "live_ladder"]


@dataclass(frozen=True, slots=True)
class CallLadder:
    """The rows of a call; their second 0 is `started`, Unix time."""

    started: float
    rows: Sequence[LadderRow]


def live_ladder(exchange: Exchange, who: Holder, call_id: str) -> CallLadder | None:
    """Of a call that is under way or ended lately; None where the holder may not see it."""
    call = exchange.live.get(call_id) or exchange.recent.get(call_id)
    if call is None or who.account_id not in (None, call.account.id if call.account else -1):
        return None
    return CallLadder(call.wall(call.started), call.ladder.rows())


def kept_ladder(conn: Connection, who: Holder, call_id: str) -> CallLadder | None:
    """Of a call whose ladder was written down; None where the holder may not see it."""
    found = journal.find_ladder(conn, call_id)
    if found is None or not _may_see(conn, who, call_id):
        return None
    started, rows = found
    return CallLadder(started, msgspec.convert(rows, list[LadderRow]))


def _may_see(conn: Connection, who: Holder, call_id: str) -> bool:
    if who.account_id is None:
        return True
    call = journal.find_call(conn, call_id) or journal.request_of(conn, call_id)
    table = tables.extensions.c
    mine = select(table.id).where(table.account_id == who.account_id, table.number == (call.extension if call else ""))
    return conn.execute(mine).first() is not None
