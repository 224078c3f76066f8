"""The one place where money moves: hold, talk, settle; every verb is idempotent, inside the caller's transaction.

An account's `balance` is the sum of its ledger entries and `held` the sum of its open holds: both are kept in its row,
so that a hold is one locked read and one write, and `audit` proves them. A settled hold never changes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, and_, bindparam, case, func, insert, select, update

from store import journal
from store.errors import Duplicate, NoCredit, StoreError
from store.rates import charge as charge_of
from store.tables import accounts, holds, ledger
from store.values import Micros, Rate

__all__ = [
    "Balance", "Entry", "Hold", "Settlement", "audit", "balance", "entries", "extend_hold", "heartbeat",
    "mark_answered", "move_held", "open_holds", "order_amount", "place_hold", "recharge", "settle",
    "settle_after_crash",
]


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has, what its live calls have set aside, and what a new call may use (None: no limit)."""

    balance: Micros
    held: Micros
    available: Micros | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for one leg before it is dialled."""

    id: int
    call_id: str
    leg: str
    account_id: int
    amount: Micros


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one leg cost in the end."""

    hold_id: int
    call_id: str
    leg: str
    account_id: int
    charged: Micros
    extension: str = ""
    number: str = ""
    placed_at: float = 0.0
    answered_at: float | None = None
    settled_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of an account, newest last."""

    at: float
    kind: str
    """`call`, `recharge`, `unlimited` (credit without end was given)."""
    amount: Micros
    asked: Micros
    """What was typed; `amount` is what was applied (SPEC H9)."""
    balance_after: Micros
    order_number: str | None
    hold_id: int | None
    left: Micros | None = None
    """Of recharges: what could be used after it; None: no limit."""


# FOR UPDATE means nothing to SQLite, whose writer is alone; it is what keeps two PostgreSQL nodes apart
_ACCOUNT = select(
    accounts.c.plan, accounts.c.balance, accounts.c.held, accounts.c.credit_limit,
).where(accounts.c.id == bindparam("account")).with_for_update()
_HOLD = select(holds).where(holds.c.id == bindparam("hold")).with_for_update()
_HOLD_OF_LEG = select(holds).where(holds.c.call_id == bindparam("call"), holds.c.leg == bindparam("which"))
_MOVE = update(accounts).where(accounts.c.id == bindparam("account")).values(
    balance=accounts.c.balance + bindparam("more_balance"), held=accounts.c.held + bindparam("more_held"),
)
_GROW = update(holds).where(holds.c.id == bindparam("hold")).values(amount=holds.c.amount + bindparam("more"))
_CLOSE = update(holds).where(holds.c.id == bindparam("hold")).values(
    settled_at=bindparam("at"), charged=bindparam("charge"),
)
_ANSWERED = update(holds).where(
    holds.c.id == bindparam("hold"), holds.c.answered_at.is_(None), holds.c.settled_at.is_(None),
).values(
    answered_at=bindparam("at"),  # maybe a while ago: whether the leg is paid for can depend on another (SPEC H5)
    heartbeat_at=case((holds.c.heartbeat_at > bindparam("at"), holds.c.heartbeat_at), else_=bindparam("at")),
)
_HEARTBEAT = update(holds).where(
    holds.c.id == bindparam("hold"), holds.c.settled_at.is_(None),
).values(heartbeat_at=bindparam("at"))
_PLACE, _POST = insert(holds).returning(holds.c.id), insert(ledger)


def place_hold(
    conn: Connection, *, call_id: str, leg: str, account_id: int, rate: Rate, amount: Micros, at: float,
    least: Micros | None = None, extension: str = "", number: str = "",
) -> Hold:
    """Set `amount` aside, or what is left when that is at least `least`; the same leg again is the same hold.

    Raises: NoCredit.
    """
    if seen := conn.execute(_HOLD_OF_LEG, {"call": call_id, "which": leg}).mappings().one_or_none():
        return Hold(seen["id"], call_id, leg, seen["account_id"], seen["amount"])
    available = _available(_account(conn, account_id))
    needed = amount if least is None else min(amount, least)
    granted = amount if available is None else min(amount, available)
    if granted < needed:
        raise NoCredit(account_id, needed, granted)
    _move(conn, account_id, held=granted)
    hold_id = conn.execute(_PLACE, {
        "call_id": call_id, "leg": leg, "account_id": account_id, "extension": extension, "number": number,
        "rate": msgspec.to_builtins(rate), "amount": granted, "placed_at": at,
    }).scalar_one()
    return Hold(hold_id, call_id, leg, account_id, Micros(granted))


def extend_hold(conn: Connection, hold_id: int, more: Micros, at: float) -> Micros:
    """Set up to `more` aside for a leg that still talks; grants what is left, maybe 0. Counts as a heartbeat."""
    hold = _hold(conn, hold_id)
    if hold["settled_at"] is not None:
        return Micros(0)
    available = _available(_account(conn, hold["account_id"]))
    granted = more if available is None else Micros(max(0, min(more, available)))
    _move(conn, hold["account_id"], held=granted)
    conn.execute(_GROW, {"hold": hold_id, "more": granted})
    heartbeat(conn, [hold_id], at)
    return granted


def move_held(conn: Connection, from_hold: int, to_hold: int, amount: Micros) -> Micros:
    """Give up to `amount` of one leg's held money to another leg of the same call; tells how much was there to give."""
    giver, taker = _hold(conn, from_hold), _hold(conn, to_hold)
    if (giver["call_id"], giver["account_id"]) != (taker["call_id"], taker["account_id"]):
        raise StoreError(f"hold {from_hold} and hold {to_hold} are not of one call and account")
    if giver["settled_at"] is not None or taker["settled_at"] is not None:
        return Micros(0)
    moved = Micros(max(0, min(amount, giver["amount"])))
    conn.execute(_GROW, [{"hold": from_hold, "more": -moved}, {"hold": to_hold, "more": moved}])
    return moved


def mark_answered(conn: Connection, hold_id: int, at: float) -> None:
    """The leg's talk begins; a second answer changes nothing."""
    conn.execute(_ANSWERED, {"hold": hold_id, "at": at})


def heartbeat(conn: Connection, hold_ids: Sequence[int], at: float) -> None:
    """These legs are still up: what a crash after this moment can charge for."""
    if hold_ids:
        conn.execute(_HEARTBEAT, [{"hold": hold_id, "at": at} for hold_id in hold_ids])


def settle(conn: Connection, hold_id: int, charge: Micros, at: float) -> Settlement:
    """Take the charge, never more than the held amount, and release the rest; the first settlement stands for ever."""
    hold = _hold(conn, hold_id)
    if hold["settled_at"] is not None:
        return _settlement(hold, hold["charged"], hold["settled_at"])
    charged = Micros(max(0, min(charge, hold["amount"])))
    after = _account(conn, hold["account_id"])["balance"] - charged
    _move(conn, hold["account_id"], balance=-charged, held=-hold["amount"])
    conn.execute(_CLOSE, {"hold": hold_id, "at": at, "charge": charged})
    if charged:
        _post(conn, hold["account_id"], at, kind="call", amount=-charged, after=after, hold_id=hold_id)
    return _settlement(hold, charged, at)


def recharge(conn: Connection, account_id: int, amount: Micros | None, order_number: str, at: float) -> Balance:
    """Add money, take some when negative, or make a wallet unlimited (None).

    A prepaid account is never taken below what its live calls hold. One order number is posted once; again it changes
    nothing.  Raises: Duplicate when it was used for another amount.
    """
    account, kind = _account(conn, account_id), "recharge" if amount is not None else "unlimited"
    if order_number and (seen := _order(conn, account_id, order_number)):
        if seen != (kind, amount or 0):
            raise Duplicate("order number", order_number,
                            f"order number {order_number} was already posted with another amount")
        return balance(conn, account_id)
    applied, plan = _recharged(account, amount)
    _move(conn, account_id, balance=applied)
    if plan != account["plan"]:  # after the move: a prepaid account is never below zero, not even for a moment
        conn.execute(update(accounts).where(accounts.c.id == account_id).values(plan=plan))
    after = balance(conn, account_id)
    _post(
        conn, account_id, at, kind=kind, amount=applied, after=after.balance, asked=amount or 0,
        order_number=order_number or None, left=after.available,
    )
    return after


def _recharged(account: RowMapping, amount: Micros | None) -> tuple[int, str]:
    """What is posted for an amount that was typed, and the plan after it."""
    plan: str = account["plan"]
    to_zero: int = account["held"] - account["balance"]
    if amount is None:
        return 0, "unlimited"
    if amount >= 0 or plan == "postpaid":
        return amount, plan
    if plan == "unlimited":  # SPEC 60: what is left becomes 0, whatever was talked before
        return to_zero, "prepaid"
    return max(amount, to_zero), plan  # SPEC H9: never below 0, and not what a live call holds


def balance(conn: Connection, account_id: int) -> Balance:
    """What the account has now. Raises: StoreError for an unknown account."""
    row = _account(conn, account_id)
    return Balance(row["balance"], row["held"], _available(row))


def entries(conn: Connection, account_id: int) -> list[Entry]:
    """Every movement of the account, oldest first."""
    rows = conn.execute(select(ledger).where(ledger.c.account_id == account_id).order_by(ledger.c.id)).mappings()
    return [Entry(**{name: row[name] for name in Entry.__slots__}) for row in rows]


def open_holds(conn: Connection) -> list[Hold]:
    """Every hold not yet settled."""
    rows = conn.execute(select(holds).where(holds.c.settled_at.is_(None)).order_by(holds.c.id)).mappings()
    return [Hold(**{name: row[name] for name in Hold.__slots__}) for row in rows]


def settle_after_crash(conn: Connection, at: float) -> list[Settlement]:
    """Settle what a dead server left open: answered legs by their rate up to the last heartbeat, others for nothing.

    Writes the records of these calls and ends the open requests too.
    """
    found = conn.execute(select(holds).where(holds.c.settled_at.is_(None)).order_by(holds.c.id)).mappings().all()
    journal.close_open_requests(conn, at)
    return [_settle_dead(conn, hold, at) for hold in found]


def _settle_dead(conn: Connection, hold: RowMapping, at: float) -> Settlement:
    answered, seen = hold["answered_at"], min(hold["heartbeat_at"] or hold["placed_at"], at)
    talk_s = 0.0 if answered is None else max(0.0, seen - answered)
    owed = Micros(0) if answered is None else charge_of(msgspec.convert(hold["rate"], Rate), talk_s, hold["amount"])
    settled = settle(conn, hold["id"], owed, at)
    talk_ms, cost = round(talk_s * 1000), settled.charged
    currency = conn.execute(select(accounts.c.currency).where(accounts.c.id == hold["account_id"])).scalar_one()
    journal.record_crash(
        conn,
        journal.CallRecord(
            hold["call_id"], "outbound", hold["account_id"], hold["placed_at"], hold["extension"], hold["extension"],
            hold["number"], seen, journal.RESTARTED, talk_ms, cost, currency,
        ),
        journal.LegRecord(
            hold["call_id"], 2, "out", hold["placed_at"], hold["extension"], hold["number"], answered=answered,
            ended=seen, cause=journal.RESTARTED, talk_ms=talk_ms, cost=cost,
        ),
    )
    return settled


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


def _account(conn: Connection, account_id: int) -> RowMapping:
    row = conn.execute(_ACCOUNT, {"account": account_id}).mappings().one_or_none()
    if row is None:
        raise StoreError(f"no account {account_id}")
    return row


def _hold(conn: Connection, hold_id: int) -> RowMapping:
    row = conn.execute(_HOLD, {"hold": hold_id}).mappings().one_or_none()
    if row is None:
        raise StoreError(f"no hold {hold_id}")
    return row


def _available(account: RowMapping) -> Micros | None:
    left: int = account["balance"] - account["held"]
    if account["plan"] == "prepaid":
        return Micros(left)
    if account["plan"] == "unlimited":
        return None
    limit = account["credit_limit"]
    return None if limit is None else Micros(left + limit)


def _move(conn: Connection, account_id: int, *, balance: int = 0, held: int = 0) -> None:
    conn.execute(_MOVE, {"account": account_id, "more_balance": balance, "more_held": held})


def _post(
    conn: Connection, account_id: int, at: float, *, kind: str, amount: int, after: int, asked: int | None = None,
    hold_id: int | None = None, order_number: str | None = None,
    left: int | None = None,
) -> None:
    conn.execute(_POST, {
        "account_id": account_id, "at": at, "kind": kind, "amount": amount, "asked": amount if asked is None else asked,
        "balance_after": after, "hold_id": hold_id, "order_number": order_number, "left": left,
    })


def order_amount(conn: Connection, account_id: int, order_number: str) -> Micros | None:
    """What was asked for with this order number; None when it was never used."""
    seen = _order(conn, account_id, order_number)
    return None if seen is None else Micros(seen[1])


def _order(conn: Connection, account_id: int, order_number: str) -> tuple[str, int] | None:
    found = conn.execute(select(ledger.c.kind, ledger.c.asked).where(
        ledger.c.account_id == account_id, ledger.c.order_number == order_number,
    )).one_or_none()
    return None if found is None else (found.kind, found.asked)


def _settlement(hold: RowMapping, charged: Micros, at: float) -> Settlement:
    return Settlement(
        hold["id"], hold["call_id"], hold["leg"], hold["account_id"], charged, hold["extension"], hold["number"],
        hold["placed_at"], hold["answered_at"], at,
    )
