"""What live calls hold and have not talked yet: a reduction of the account takes it back (SPEC H9)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, func, select, update

from store.rates import held_rate, price
from store.tables import holds, ledger
from store.values import Micros

__all__ = ["NOTICE_S", "newest_entry", "reduced_since", "take_back"]

NOTICE_S = 3.0
"""A live call learns of a reduction within so long: what it may talk until then is as good as spent."""
_SHRINK = update(holds).where(holds.c.id == bindparam("hold")).values(amount=holds.c.amount - bindparam("less"))


def take_back(conn: Connection, account_id: int, wanted: int, at: float) -> Micros:
    """Take up to `wanted` out of an account's open holds, and nothing that its calls have spent; what was taken."""
    rows = conn.execute(select(holds).where(
        holds.c.account_id == account_id, holds.c.settled_at.is_(None),
    ).order_by(holds.c.id)).mappings().all()
    left = wanted
    for call_id in dict.fromkeys(row["call_id"] for row in rows):
        for hold_id, less in _spare([row for row in rows if row["call_id"] == call_id], left, at):
            conn.execute(_SHRINK, {"hold": hold_id, "less": less})
            left -= less
    return Micros(wanted - left)


def _spare(rows: Sequence[RowMapping], wanted: int, at: float) -> list[tuple[int, int]]:
    """What each hold of one call can give: (hold, amount); one leg may live on what another holds."""
    spare = [row["amount"] - _spent(row, at) for row in rows]
    most, found = min(wanted, sum(spare)), []
    for row, more in zip(rows, spare, strict=True):
        less = min(more, most)
        if less > 0:
            found.append((row["id"], less))
            most -= less
    return found


def _spent(row: RowMapping, at: float) -> int:
    talked_s = 0.0 if row["answered_at"] is None else max(0.0, at - row["answered_at"])
    return price(held_rate(row), talked_s + NOTICE_S)


def newest_entry(conn: Connection) -> int:
    """The number of the newest movement of all accounts; 0: none yet."""
    return int(conn.execute(select(func.coalesce(func.max(ledger.c.id), 0))).scalar_one())


def reduced_since(conn: Connection, entry: int) -> set[int]:
    """The accounts that were reduced after this movement."""
    return set(conn.execute(select(ledger.c.account_id).where(
        ledger.c.id > entry, ledger.c.kind == "recharge", ledger.c.asked < 0,
    )).scalars())
