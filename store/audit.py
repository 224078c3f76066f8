"""Proof that the books balance."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, func, select

from store.tables import accounts, holds, ledger

__all__ = ["audit"]


def audit(conn: Connection) -> list[str]:
    """Every way in which the books do not balance; empty when they do."""
    faults = []
    for row in conn.execute(_AUDIT).mappings():
        if row["balance"] != row["posted"]:
            faults.append(f"account {row['id']}: balance {row['balance']}, sum of entries {row['posted']}")
        if row["held"] != row["open"]:
            faults.append(f"account {row['id']}: held {row['held']}, sum of open holds {row['open']}")
    for hold_id, charged, posted in conn.execute(_AUDIT_HOLDS):
        faults.append(f"hold {hold_id}: charged {charged}, posted {posted}")
    return faults


def _sum(column: Any, *where: Any) -> Any:
    return func.coalesce(select(func.sum(column)).where(*where).scalar_subquery(), 0)


_AUDIT = select(
    accounts.c.id, accounts.c.balance, accounts.c.held,
    _sum(ledger.c.amount, ledger.c.account_id == accounts.c.id).label("posted"),
    _sum(holds.c.amount, and_(holds.c.account_id == accounts.c.id, holds.c.settled_at.is_(None))).label("open"),
).order_by(accounts.c.id)
_POSTED = func.coalesce(-ledger.c.amount, 0)
_AUDIT_HOLDS = select(holds.c.id, holds.c.charged, _POSTED).select_from(
    holds.outerjoin(ledger, ledger.c.hold_id == holds.c.id)
).where(holds.c.charged != _POSTED).order_by(holds.c.id)
