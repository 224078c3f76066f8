"""The one place where money moves: hold, talk, settle; every verb is idempotent, inside the caller's transaction.

An account's `balance` is the sum of its ledger entries and `held` the sum of its open holds: both are kept in its row,
so that a hold is one locked read and one write, and `audit` proves them. A settled hold never changes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, case, func, insert, select, update

from store import journal
from store.audit import audit
from store.crash import DeadLeg, owed, records
from store.errors import Duplicate, NoCredit, StoreError
from store.rates import free_used, held_rate
from store.tables import accounts, holds, ledger
from store.unspent import take_back
from store.values import Micros, Rate

__all__ = [
    "FEE_ORDER", "Balance", "Entry", "FreePool", "Hold", "Settlement", "audit", "balance", "entries", "extend_free",
    "extend_hold", "free_left", "heartbeat", "holds_of", "mark_answered", "monthly_fee", "move_held", "open_holds",
    "order_amount", "place_hold", "recharge", "settle", "settle_after_crash", "used_since",
]

FEE_ORDER = "fee "
"""How the order number of a month's fee begins."""


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
    free_s: int = 0
    """Free seconds set aside for it."""


@dataclass(frozen=True, slots=True)
class FreePool:
    """The free minutes of a charging plan in one period: every account has as many of its own (SPEC 71)."""

    period: str
    """For example `gold 2026-11`."""
    total_s: int


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
    """`call`, `recharge`, `unlimited` (credit without end was given), `fee` (of a month)."""
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
_HOLDS_OF_CALL = select(holds).where(holds.c.call_id == bindparam("call")).order_by(holds.c.id)
_MOVE = update(accounts).where(accounts.c.id == bindparam("account")).values(
    balance=accounts.c.balance + bindparam("more_balance"), held=accounts.c.held + bindparam("more_held"),
)
_GROW = update(holds).where(holds.c.id == bindparam("hold")).values(amount=holds.c.amount + bindparam("more"))
_CLOSE = update(holds).where(holds.c.id == bindparam("hold")).values(
    settled_at=bindparam("at"), charged=bindparam("charge"), free_s=bindparam("free"),
)
_FREE_USED = select(func.coalesce(func.sum(holds.c.free_s), 0)).where(  # set aside by live calls, used by ended ones
    holds.c.account_id == bindparam("account"), holds.c.free_period == bindparam("period"),
)
_MORE_FREE = update(holds).where(holds.c.id == bindparam("hold")).values(free_s=holds.c.free_s + bindparam("more"))
_ANSWERED = update(holds).where(
    holds.c.id == bindparam("hold"), holds.c.answered_at.is_(None), holds.c.settled_at.is_(None),
).values(
    answered_at=bindparam("at"),  # maybe a while ago: whether the leg is paid for can depend on another (SPEC H5)
    heartbeat_at=case((holds.c.heartbeat_at > bindparam("at"), holds.c.heartbeat_at), else_=bindparam("at")),
    trunk=bindparam("by"), buy_rate=bindparam("buying", type_=holds.c.buy_rate.type),
)
_ANSWERED_AND_PRICED = _ANSWERED.values(rate=bindparam("paying", type_=holds.c.rate.type))
_HEARTBEAT = update(holds).where(
    holds.c.id == bindparam("hold"), holds.c.settled_at.is_(None),
).values(heartbeat_at=bindparam("at"))
_PAYER = select(  # a wallet's record names the client above it
    case((accounts.c.kind == "caller", accounts.c.parent_id), else_=accounts.c.id).label("id"), accounts.c.currency,
).where(accounts.c.id == bindparam("account"))
_PLACE, _POST = insert(holds).returning(holds.c.id), insert(ledger)


def place_hold(
    conn: Connection, *, call_id: str, leg: str, account_id: int, rate: Rate, amount: Micros, at: float,
    least: Micros | None = None, extension: str = "", number: str = "", free_period: str = "",
) -> Hold:
    """Set `amount` aside, or what is left when that is at least `least`; the same leg again is the same hold.

    `rate.free_s` is set aside too, in `free_period`: as much as `free_left` told in the same transaction.
    Raises: NoCredit.
    """
    if seen := conn.execute(_HOLD_OF_LEG, {"call": call_id, "which": leg}).mappings().one_or_none():
        return _value(seen)
    available = _available(_account(conn, account_id))
    needed = amount if least is None else min(amount, least)
    granted = amount if available is None else min(amount, available)
    if granted < needed:
        raise NoCredit(account_id, needed, granted)
    _move(conn, account_id, held=granted)
    hold_id = conn.execute(_PLACE, {
        "call_id": call_id, "leg": leg, "account_id": account_id, "extension": extension, "number": number,
        "rate": msgspec.to_builtins(rate), "amount": granted, "placed_at": at, "free_s": rate.free_s,
        "free_period": free_period,
    }).scalar_one()
    return Hold(hold_id, call_id, leg, account_id, Micros(granted), rate.free_s)


def free_left(conn: Connection, account_id: int, pool: FreePool) -> int:
    """How many free seconds an account has left in a period; the account is locked, so nobody else takes them."""
    _account(conn, account_id)
    used: int = conn.execute(_FREE_USED, {"account": account_id, "period": pool.period}).scalar_one()
    return max(0, pool.total_s - used)


def extend_free(conn: Connection, hold_id: int, pool: FreePool, more_s: int) -> int:
    """Set up to `more_s` free seconds aside for a leg that has not come to the end of those it has; how many."""
    hold = _hold(conn, hold_id)
    if hold["settled_at"] is not None or hold["free_period"] != pool.period:
        return 0
    granted = max(0, min(more_s, free_left(conn, hold["account_id"], pool)))
    if granted:
        conn.execute(_MORE_FREE, {"hold": hold_id, "more": granted})
    return granted


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


def mark_answered(
    conn: Connection, hold_id: int, at: float, *, rate: Rate | None = None, trunk: str = "", buy: Rate | None = None,
) -> None:
    """The leg's talk begins; a second answer changes nothing.

    `rate` is what the leg pays, where that is known only now; `trunk` carries it, and costs us `buy`.
    """
    known = {"hold": hold_id, "at": at, "by": trunk, "buying": msgspec.to_builtins(buy)}
    if rate is None:
        conn.execute(_ANSWERED, known)
    else:
        conn.execute(_ANSWERED_AND_PRICED, {**known, "paying": msgspec.to_builtins(rate)})


def heartbeat(conn: Connection, hold_ids: Sequence[int], at: float) -> None:
    """These legs are still up: what a crash after this moment can charge for."""
    if hold_ids:
        conn.execute(_HEARTBEAT, [{"hold": hold_id, "at": at} for hold_id in hold_ids])


def settle(conn: Connection, hold_id: int, charge: Micros, at: float, talked_s: float = 0.0) -> Settlement:
    """Take the charge, never more than the held amount, and release the rest; the first settlement stands for ever.

    Of free seconds that were set aside those that were talked are used up.
    """
    hold = _hold(conn, hold_id)
    if hold["settled_at"] is not None:
        return _settlement(hold, hold["charged"], hold["settled_at"])
    charged = Micros(max(0, min(charge, hold["amount"])))
    after = _account(conn, hold["account_id"])["balance"] - charged
    _move(conn, hold["account_id"], balance=-charged, held=-hold["amount"])
    conn.execute(_CLOSE, {
        "hold": hold_id, "at": at, "charge": charged, "free": free_used(hold["free_s"], talked_s),
    })
    if charged:
        _post(conn, hold["account_id"], at, kind="call", amount=-charged, after=after, hold_id=hold_id)
    return _settlement(hold, charged, at)


def recharge(conn: Connection, account_id: int, amount: Micros | None, order_number: str, at: float) -> Balance:
    """Add money, take some when negative, or make a wallet unlimited (None).

    A prepaid or unlimited account is never taken below what its live calls have spent: what they hold beyond that is
    taken back (SPEC H9). One order number is posted once; again it changes nothing.
    Raises: Duplicate when it was used for another amount.
    """
    account, kind = _account(conn, account_id), "recharge" if amount is not None else "unlimited"
    if order_number and (seen := _order(conn, account_id, order_number)):
        if seen != (kind, amount or 0):
            raise Duplicate("order number", order_number,
                            f"order number {order_number} was already posted with another amount")
        return balance(conn, account_id)
    taken = take_back(conn, account_id, _lacking(account, amount), at)
    applied, plan = _recharged(account, amount, account["held"] - taken)
    _move(conn, account_id, balance=applied, held=-taken)
    if plan != account["plan"]:  # after the move: a prepaid account is never below zero, not even for a moment
        conn.execute(update(accounts).where(accounts.c.id == account_id).values(plan=plan))
    after = balance(conn, account_id)
    _post(
        conn, account_id, at, kind=kind, amount=applied, after=after.balance, asked=amount or 0,
        order_number=order_number or None, left=after.available,
    )
    return after


def _lacking(account: RowMapping, amount: Micros | None) -> int:
    """How much of a reduction is not free money: live calls give it, as far as they have not talked it (SPEC H9)."""
    if amount is None or amount >= 0 or account["plan"] == "postpaid":
        return 0
    if account["plan"] == "unlimited":  # what they hold was never paid for: it must not come back as credit
        return int(account["held"])
    return max(0, int(account["held"] - account["balance"] - amount))


def _recharged(account: RowMapping, amount: Micros | None, held: int) -> tuple[int, str]:
    """What is posted for an amount that was typed, while live calls keep `held`, and the plan after it."""
    plan: str = account["plan"]
    to_zero: int = held - account["balance"]
    if amount is None:
        return 0, "unlimited"
    if amount >= 0 or plan == "postpaid":
        return amount, plan
    if plan == "unlimited":  # SPEC 60: what is left becomes 0, whatever was talked before
        return to_zero, "prepaid"
    return max(amount, to_zero), plan  # SPEC H9: never below 0


def monthly_fee(conn: Connection, account_id: int, amount: Micros, month: str, at: float) -> bool:
    """Take the fee of a month, `2026-11`, of a postpaid account, once; False when it was taken before."""
    order = f"{FEE_ORDER}{month}"
    account = _account(conn, account_id)
    if account["plan"] != "postpaid" or _order(conn, account_id, order):
        return False
    _move(conn, account_id, balance=-amount)
    _post(
        conn, account_id, at, kind="fee", amount=-amount, after=account["balance"] - amount, order_number=order,
    )
    return True


def balance(conn: Connection, account_id: int) -> Balance:
    """What the account has now. Raises: StoreError for an unknown account."""
    row = _account(conn, account_id)
    return Balance(row["balance"], row["held"], _available(row))


def entries(conn: Connection, account_id: int) -> list[Entry]:
    """Every movement of the account, oldest first."""
    rows = conn.execute(select(ledger).where(ledger.c.account_id == account_id).order_by(ledger.c.id)).mappings()
    return [Entry(**{name: row[name] for name in Entry.__slots__}) for row in rows]


def holds_of(conn: Connection, call_id: str) -> list[Hold]:
    """The holds of one call that are not yet settled, in the order they were placed."""
    return [_value(row) for row in _holds_of(conn, call_id) if row["settled_at"] is None]


def used_since(conn: Connection, extension: str, since: float) -> Micros:
    """What an extension's calls placed since then have cost, and what is held for those that live (SPEC A12.2)."""
    used = case((holds.c.settled_at.is_(None), holds.c.amount), else_=holds.c.charged)
    return Micros(conn.execute(select(func.coalesce(func.sum(used), 0)).where(
        holds.c.extension == extension, holds.c.placed_at >= since,
    )).scalar_one())


def open_holds(conn: Connection) -> list[Hold]:
    """Every hold not yet settled."""
    rows = conn.execute(select(holds).where(holds.c.settled_at.is_(None)).order_by(holds.c.id)).mappings()
    return [_value(row) for row in rows]


def settle_after_crash(conn: Connection, at: float) -> list[Settlement]:
    """Settle what a dead server left open: answered legs by their rate up to the last heartbeat, others for nothing.

    Writes one record of each such call, with all legs that had money held, and ends the open requests and triggers.
    """
    asked = journal.open_requests(conn)
    journal.close_open_requests(conn, at)
    dead = [hold.call_id for hold in open_holds(conn)]
    # whose legs were settled one by one: the charge is in the books, the record is not
    dead += [request.call_id for request in asked if _holds_of(conn, request.call_id)]
    return [settled for call_id in dict.fromkeys(dead) for settled in _settle_dead(conn, call_id, at)]


def _settle_dead(conn: Connection, call_id: str, at: float) -> list[Settlement]:
    rows = _holds_of(conn, call_id)
    unsettled = [row for row in rows if row["settled_at"] is None]
    costs = owed([_dead(row, at) for row in unsettled], Micros(sum(row["amount"] for row in unsettled)))
    for row, more in zip(unsettled, _slack(unsettled, costs), strict=True):
        conn.execute(_GROW, {"hold": row["id"], "more": more})
    done = [
        settle(conn, row["id"], cost, at, _dead(row, at).talk_s) for row, cost in zip(unsettled, costs, strict=True)
    ]
    known = journal.find_call(conn, call_id) is not None
    charges = {each.hold_id: each.charged for each in done}
    told = unsettled if known else rows
    legs = [replace(_dead(row, at), charged=charges.get(row["id"], row["charged"])) for row in told]
    if legs:
        owner = conn.execute(_PAYER, {"account": rows[0]["account_id"]}).one()
        journal.record_crash(
            conn, *records(call_id, legs, journal.request_of(conn, call_id), owner.id, owner.currency), known=known,
        )
    return done


def _dead(row: RowMapping, at: float) -> DeadLeg:
    seen = row["settled_at"] or min(row["heartbeat_at"] or row["placed_at"], at)
    buy = None if row["buy_rate"] is None else msgspec.convert(row["buy_rate"], Rate)
    return DeadLeg(
        row["leg"], row["extension"], row["number"], held_rate(row), row["placed_at"], row["answered_at"], seen,
        trunk=row["trunk"], buy_rate=buy,
    )


def _slack(rows: Sequence[RowMapping], costs: Sequence[Micros]) -> list[int]:
    """By how much each hold grows, for each to cover its leg; what is too much stays with the first."""
    more = [cost - row["amount"] for row, cost in zip(rows, costs, strict=True)]
    return [more[0] - sum(more), *more[1:]] if more else []


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


def _holds_of(conn: Connection, call_id: str) -> Sequence[RowMapping]:
    return conn.execute(_HOLDS_OF_CALL, {"call": call_id}).mappings().all()


def _value(row: RowMapping) -> Hold:
    return Hold(**{name: row[name] for name in Hold.__slots__})


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
