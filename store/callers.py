"""Authorised CallerIDs: the numbers a callback extension calls back, each with a wallet (SPEC 53-62)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, func, insert, select, update

from store import ledger as books
from store.errors import Duplicate, QuotaReached, StoreError
from store.meta import CALLER_QUOTA, read_meta
from store.tables import accounts, callers, extensions, ledger
from store.values import AuthorisedCaller, Micros

__all__ = [
    "CallerRow", "Quota", "Recharge", "active_count", "add_caller", "count_callers", "edit_caller", "find_caller",
    "get_caller", "quota_of", "recharge_account", "recharge_caller", "recharges", "remove_caller", "search_callers",
    "set_enabled",
]


@dataclass(frozen=True, slots=True)
class CallerRow:
    """One row of the table of SPEC 54."""

    caller: AuthorisedCaller
    total: Micros
    """All credit it was ever given, less what was taken back."""
    available: Micros | None
    """What is left; None: unlimited."""
    spent: Micros


@dataclass(frozen=True, slots=True)
class Recharge:
    """One row of the recharge history (SPEC 58); it never changes."""

    order_number: str
    added: Micros | None
    """As it was typed (SPEC H9); None: made unlimited."""
    left: Micros | None
    """None: unlimited."""
    at: float


@dataclass(frozen=True, slots=True)
class Quota:
    """How many authorised CallerIDs may be active, are, and could still be added (SPEC 55, 62); None: no limit."""

    most: int | None
    active: int
    left: int | None


def add_caller(
    conn: Connection, *, extension_id: int, number: str, credit: Micros | None, at: float, pin_hash: str = "",
    order_number: str = "", enabled: bool = True, language: str = "",
) -> AuthorisedCaller:
    """Authorise a number and open its wallet with `credit`, None for unlimited.

    Raises: Duplicate when the extension has the number; QuotaReached; StoreError for an unknown extension.
    """
    owner = _owner(conn, extension_id)
    _number_is_free(conn, extension_id, number)
    if enabled:
        _one_more(conn, extension_id)
    account_id = _new_wallet(conn, owner)
    # the wallet's number, as wallets are never removed: an id must not come to mean another caller
    caller = AuthorisedCaller(account_id, extension_id, account_id, number, enabled, pin_hash, language, at)
    conn.execute(insert(callers).values(**asdict(caller)))
    books.recharge(conn, account_id, credit, order_number, at)
    return caller


def find_caller(conn: Connection, extension_id: int, number: str) -> AuthorisedCaller | None:
    """The authorised CallerID of this number, enabled or not."""
    return _one(conn, callers.c.extension_id == extension_id, callers.c.number == number)


def get_caller(conn: Connection, caller_id: int) -> AuthorisedCaller | None:
    """By row id."""
    return _one(conn, callers.c.id == caller_id)


def edit_caller(
    conn: Connection, caller_id: int, *, number: str | None = None, pin_hash: str | None = None,
    language: str | None = None,
) -> AuthorisedCaller:
    """Change what is given; an empty PIN hash means that no PIN is asked.

    Raises: Duplicate when the extension has the new number; StoreError for an unknown row.
    """
    before = _must(conn, caller_id)
    if number is not None and number != before.number:
        _number_is_free(conn, before.extension_id, number)
    given = {"number": number, "pin_hash": pin_hash, "language": language}
    return _change(conn, caller_id, {key: value for key, value in given.items() if value is not None})


def set_enabled(conn: Connection, caller_id: int, enabled: bool) -> AuthorisedCaller:
    """Switch a row on or off.  Raises: QuotaReached when switching on at the limit; StoreError for an unknown row."""
    before = _must(conn, caller_id)
    if enabled and not before.enabled:
        _one_more(conn, before.extension_id)
    return _change(conn, caller_id, {"enabled": enabled})


def remove_caller(conn: Connection, caller_id: int) -> bool:
    """Forget the number; its wallet and ledger stay. False when there was no such row."""
    return bool(conn.execute(callers.delete().where(callers.c.id == caller_id)).rowcount)


def search_callers(
    conn: Connection, extension_id: int, text: str = "", enabled: bool | None = None, limit: int | None = None,
    offset: int = 0,
) -> list[CallerRow]:
    """The rows whose number contains the text, by number."""
    wallet = accounts.c.id == callers.c.account_id
    wanted = select(callers, _sum("recharge").label("total"), _sum("call").label("cost"), accounts.c.plan,
                    (accounts.c.balance - accounts.c.held).label("left")).join(accounts, wallet)
    found = wanted.where(*_matching(extension_id, text, enabled)).order_by(callers.c.number).limit(limit).offset(offset)
    return [
        CallerRow(_value(row), row["total"], None if row["plan"] == "unlimited" else row["left"], Micros(-row["cost"]))
        for row in conn.execute(found).mappings()
    ]


def count_callers(conn: Connection, extension_id: int, text: str = "", enabled: bool | None = None) -> int:
    """How many rows `search_callers` would give without a limit."""
    return _count(conn, *_matching(extension_id, text, enabled))


def active_count(conn: Connection, extension_id: int) -> int:
    """How many are enabled: only these count against the quota (SPEC 55)."""
    return count_callers(conn, extension_id, enabled=True)


def quota_of(conn: Connection, extension_id: int) -> Quota:
    """What the extension's, its account's and the server's quota leave; the one that leaves least counts."""
    owner = _owner(conn, extension_id)
    siblings = callers.c.extension_id.in_(select(extensions.c.id).where(extensions.c.account_id == owner["id"]))
    server = read_meta(conn, CALLER_QUOTA)
    active = active_count(conn, extension_id)
    limits: list[tuple[int | None, int]] = [
        (owner["callback"].get("quota"), active),
        (owner["caller_quota"], _count(conn, siblings, callers.c.enabled)),
        (None if server is None else int(server), _count(conn, callers.c.enabled)),
    ]
    left = min((max(0, most - used) for most, used in limits if most is not None), default=None)
    return Quota(None if left is None else active + left, active, left)


def recharge_caller(
    conn: Connection, caller_id: int, amount: Micros | None, order_number: str, at: float,
) -> Recharge:
    """Add credit, take some when negative, or make it unlimited (None); by SPEC 60 and H9.

    Raises: as `recharge_account`; StoreError for an unknown row.
    """
    return recharge_account(conn, _must(conn, caller_id).account_id, amount, order_number, at)


def recharge_account(
    conn: Connection, account_id: int, amount: Micros | None, order_number: str, at: float,
) -> Recharge:
    """The same for a wallet, or the account of a client.

    An order number is posted once: again, it gives the row that it has made.
    Raises: Duplicate when it was used for another amount.
    """
    books.recharge(conn, account_id, amount, order_number, at)
    mine = [ledger.c.order_number == order_number] if order_number else []
    return _recharges(conn, account_id, *mine)[-1]


def recharges(conn: Connection, caller_id: int, text: str = "") -> list[Recharge]:
    """The recharge history, oldest first; with a text the rows whose order number contains it (SPEC 57)."""
    like = [ledger.c.order_number.contains(text, autoescape=True)] if text else []
    return _recharges(conn, _must(conn, caller_id).account_id, *like)


def _recharges(conn: Connection, account_id: int, *where: ColumnElement[bool]) -> list[Recharge]:
    rows = conn.execute(select(ledger).where(
        ledger.c.account_id == account_id, ledger.c.kind.in_(("recharge", "unlimited")), *where,
    ).order_by(ledger.c.id)).mappings()
    return [_recharge(row) for row in rows]


def _recharge(row: RowMapping) -> Recharge:
    added = None if row["kind"] == "unlimited" else row["asked"]
    return Recharge(row["order_number"] or "", added, row["left"], row["at"])


def _owner(conn: Connection, extension_id: int) -> RowMapping:
    """The account of the extension. Locked, so that no two additions count at once; SQLite's writer is alone anyway."""
    found = conn.execute(_OWNER.where(extensions.c.id == extension_id)).mappings().one_or_none()
    if found is None:
        raise StoreError(f"no extension {extension_id}")
    return found


_OWNER: Select[Any] = select(
    accounts.c.id, accounts.c.name, accounts.c.currency, accounts.c.caller_quota, extensions.c.callback,
).join(extensions, extensions.c.account_id == accounts.c.id).with_for_update()


def _one_more(conn: Connection, extension_id: int) -> None:
    quota = quota_of(conn, extension_id)
    if quota.left == 0:
        raise QuotaReached(quota.active)


def _number_is_free(conn: Connection, extension_id: int, number: str) -> None:
    if find_caller(conn, extension_id, number) is not None:
        raise Duplicate("number", number, f"{number} is an authorised CallerID already")


def _new_wallet(conn: Connection, owner: RowMapping) -> int:
    """An account under the owner's; its name is its own number, as two extensions may authorise one caller."""
    account_id: int = conn.execute(select(func.coalesce(func.max(accounts.c.id), 0) + 1)).scalar_one()
    conn.execute(insert(accounts).values(
        id=account_id, name=f"~caller-{account_id}", kind="caller", parent_id=owner["id"], currency=owner["currency"],
        plan="prepaid", call_api=False, dial_plan={},
    ))
    return account_id


def _matching(extension_id: int, text: str, enabled: bool | None) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = [callers.c.extension_id == extension_id]
    if text:
        where.append(callers.c.number.contains(text, autoescape=True))
    if enabled is not None:
        where.append(callers.c.enabled == enabled)
    return where


def _count(conn: Connection, *where: ColumnElement[bool]) -> int:
    return conn.execute(select(func.count()).select_from(callers).where(*where)).scalar_one()


def _sum(kind: str) -> Any:
    mine = and_(ledger.c.account_id == callers.c.account_id, ledger.c.kind == kind)
    return func.coalesce(select(func.sum(ledger.c.amount)).where(mine).scalar_subquery(), 0)


def _change(conn: Connection, caller_id: int, values: Mapping[str, Any]) -> AuthorisedCaller:
    if values:
        conn.execute(update(callers).where(callers.c.id == caller_id).values(**values))
    return _must(conn, caller_id)


def _must(conn: Connection, caller_id: int) -> AuthorisedCaller:
    found = get_caller(conn, caller_id)
    if found is None:
        raise StoreError(f"no authorised CallerID {caller_id}")
    return found


def _one(conn: Connection, *where: ColumnElement[bool]) -> AuthorisedCaller | None:
    found = conn.execute(select(callers).where(*where)).mappings().one_or_none()
    return None if found is None else _value(found)


def _value(row: RowMapping) -> AuthorisedCaller:
    return AuthorisedCaller(**{name: row[name] for name in AuthorisedCaller.__slots__})
