"""The ladder of one call, wherever it is: in the memory of the server, or kept in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, select

from b2bua.desk import Holder, LadderRow
from sip_stack.identity import is_hidden_user
from store import journal, tables

if TYPE_CHECKING:
    from b2bua.exchange import Exchange

__all__ = ["CallLadder", "is_kept_from", "kept_ladder", "live_ladder", "rows_for"]


@dataclass(frozen=True, slots=True)
class CallLadder:
    """The rows of a call; their second 0 is `started`, Unix time."""

    started: float
    rows: Sequence[LadderRow]


def is_kept_from(who: Holder, kind: str, caller: str) -> bool:
    """Whether who called does not want to be known to this holder (RFC 3323): only the operator may look."""
    return who.account_id is not None and kind in ("inbound", "callback") and is_hidden_user(caller)


def rows_for(who: Holder, kind: str, caller: str, rows: Sequence[LadderRow]) -> Sequence[LadderRow]:
    """The rows as a holder may read them: of messages that tell a hidden caller their first lines."""
    if not is_kept_from(who, kind, caller):
        return rows
    return [replace(row, text=row.text.partition("\r\n")[0]) if row.kind == "sip" else row for row in rows]


def live_ladder(exchange: Exchange, who: Holder, call_id: str) -> CallLadder | None:
    """Of a call that is under way or ended lately; None where the holder may not see it."""
    call = exchange.live.get(call_id) or exchange.recent.get(call_id)
    if call is None or who.account_id not in (None, call.account.id if call.account else -1):
        return None
    return CallLadder(call.wall(call.started), rows_for(who, call.kind, call.from_, call.ladder.rows()))


def kept_ladder(conn: Connection, who: Holder, call_id: str) -> CallLadder | None:
    """Of a call whose ladder was written down; None where the holder may not see it."""
    found = journal.find_ladder(conn, call_id)
    if found is None:
        return None
    started, rows = found[0], msgspec.convert(found[1], list[LadderRow])
    if who.account_id is None:
        return CallLadder(started, rows)
    call = journal.find_call(conn, call_id) or journal.request_of(conn, call_id)
    table = tables.extensions.c
    mine = select(table.id).where(table.account_id == who.account_id, table.number == (call.extension if call else ""))
    if call is None or conn.execute(mine).first() is None:
        return None
    caller = call.number if isinstance(call, journal.RequestRecord) else call.from_
    return CallLadder(started, rows_for(who, call.kind, caller, rows))
