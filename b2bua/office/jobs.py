"""What the back office reads and writes, as jobs over one connection: who may see what, and kept values as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, RowMapping, func, select

from b2bua.desk import CallerView, Holder, NewRecharge, NotDone, QuotaView, RechargeView
from b2bua.money import UNLIMITED, format_credit, format_money, parse_credit
from b2bua.rules.numbers import BadNumber, read_number
from media.prompt import languages
from store import callers, tables
from store.errors import Duplicate, QuotaReached
from store.values import AuthorisedCaller, CallbackSettings, DialPlan, Micros

__all__ = [
    "Seat", "caller_number", "caller_of", "caller_row", "caller_view", "check_language", "credit", "extension_of",
    "internal_numbers",
    "iso", "operator_only", "order_number", "quota_view", "recharge", "recharge_view", "refusals", "searched", "seat",
]  # fmt: skip


_MOST = Micros(10**15)
"""A thousand millions: sums of many stay far from the end of a 64-bit integer."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A callback extension, and what its CallerIDs need to know of its account."""

    id: int
    number: str
    public_number: str
    account_id: int
    currency: str
    dial_plan: DialPlan
    settings: CallbackSettings


def seat(conn: Connection, who: Holder, number: str) -> Seat:
    """The callback extension of this number, `001*900` or `001900`.  Raises: NotDone 404, also for one of others."""
    table, payers = tables.extensions, tables.accounts
    found = select(table, payers.c.currency, payers.c.dial_plan).join(payers, payers.c.id == table.c.account_id).where(
        func.replace(table.c.number, "*", "") == number.replace("*", ""), table.c.kind == "callback",
    )  # fmt: skip
    row = conn.execute(found.order_by(table.c.number != number)).mappings().first()
    if row is None or who.account_id not in (None, row["account_id"]):
        raise NotDone(f"There is no callback extension {number}.", 404)
    return Seat(
        row["id"], row["number"], row["public_number"], row["account_id"], row["currency"],
        msgspec.convert(row["dial_plan"], DialPlan), msgspec.convert(row["callback"], CallbackSettings),
    )  # fmt: skip


def extension_of(conn: Connection, who: Holder, number: str) -> RowMapping:
    """The extension of this number, `001*002` or `001002`.  Raises: NotDone 404, also for one of others."""
    keypad = func.replace(tables.extensions.c.number, "*", "") == number.replace("*", "")
    found = select(tables.extensions).where(keypad).order_by(tables.extensions.c.number != number)
    row = conn.execute(found).mappings().first()
    if row is None or who.account_id not in (None, row["account_id"]):
        raise NotDone(f"There is no extension {number}.", 404)
    return row


@contextmanager
def refusals(line: int | None = None) -> Iterator[None]:
    """What the store refuses, as what the office says; `line` is that of a file."""
    try:
        yield
    except Duplicate as twice:
        raise _at(line, NotDone(f"{twice}.", 409, twice.what.replace(" ", "_"))) from twice
    except QuotaReached as full:
        raise _at(line, NotDone(f"{full}.", 409, "enabled")) from full
    except NotDone as refused:
        raise _at(line, refused) from refused.__cause__


def _at(line: int | None, refused: NotDone) -> NotDone:
    if line is None:
        return refused
    return NotDone(f"Line {line}: {refused.sentence}", refused.status, refused.field, line)


def internal_numbers(conn: Connection) -> frozenset[str]:
    """Extension numbers as written and as a keypad has them: no CallerIDs (SPEC 8)."""
    numbers = conn.execute(select(tables.extensions.c.number)).scalars()
    return frozenset(form for number in numbers for form in (number, number.replace("*", "")))


def caller_number(at: Seat, typed: str, internal: frozenset[str]) -> str:
    """The number of a CallerID to keep, as rates and trunks see it (SPEC H17).  Raises: NotDone."""
    try:
        return read_number(typed, at.dial_plan, extensions=internal)
    except BadNumber as bad:
        raise NotDone(bad.sentence, field="number") from bad


def caller_of(conn: Connection, at: Seat, typed: str) -> AuthorisedCaller:
    """The CallerID of this number, in any notation.  Raises: NotDone 404."""
    try:
        number = read_number(typed, at.dial_plan)
    except BadNumber:  # the dial plan was another when it was added
        number = typed
    found = callers.find_caller(conn, at.id, number) or callers.find_caller(conn, at.id, typed)
    if found is None:
        raise NotDone(f"{at.number} has no authorised CallerID {typed}.", 404)
    return found


def caller_row(conn: Connection, caller: AuthorisedCaller) -> callers.CallerRow:
    """The caller with its credit."""
    rows = callers.search_callers(conn, caller.extension_id, caller.number)
    return next(row for row in rows if row.caller.id == caller.id)


def searched(text: str) -> str:
    """A part of a number as it was typed, without separators."""
    return re.sub(r"[\s.()/-]", "", text)


def caller_view(row: callers.CallerRow, currency: str) -> CallerView:
    """One row of the list as text."""
    caller = row.caller
    return CallerView(
        caller.number, caller.enabled, bool(caller.pin_hash), caller.language,
        UNLIMITED if row.available is None else format_money(row.total), format_credit(row.available),
        format_money(row.spent), currency, iso(caller.created),
    )  # fmt: skip


def quota_view(conn: Connection, at: Seat) -> QuotaView:
    """How many more may be active (SPEC 55, 62)."""
    quota = callers.quota_of(conn, at.id)
    return QuotaView(quota.most, quota.active, quota.left)


def recharge(conn: Connection, account_id: int, new: NewRecharge, at: float) -> RechargeView:
    """Post credit to an account, or a caller's wallet, by SPEC 60 and H9.  Raises: NotDone, Duplicate."""
    amount = credit(new.amount, "amount")
    if amount == 0:
        raise NotDone("There is nothing to add.", field="amount")
    return recharge_view(callers.recharge_account(conn, account_id, amount, order_number(new.order_number), at))


def recharge_view(row: callers.Recharge) -> RechargeView:
    """One row of the history as text."""
    return RechargeView(row.order_number, format_credit(row.added), format_credit(row.left), iso(row.at))


def credit(text: str, field: str) -> Micros | None:
    """Money or `unlimited`.  Raises: NotDone."""
    try:
        amount = parse_credit(text.strip())
    except ValueError as wrong:
        raise NotDone(f"{wrong}.", field=field) from wrong
    if amount is not None and abs(amount) > _MOST:
        raise NotDone(f"{field}: {format_money(_MOST)} is the most at once.", field=field)
    return amount


def check_language(text: str, field: str) -> None:
    """Raises: NotDone for a language that has no pack of prompts."""
    if text not in languages():
        raise NotDone(f"There are no prompts in {text}; there are in {', '.join(languages())}.", field=field)


def operator_only(who: Holder, field: str) -> None:
    """Credit of a CallerID is money that its account did not pay, and a quota is there to limit the account.

    Raises: NotDone 403 for the token of an account.
    """
    if who.account_id is not None:
        raise NotDone(f"{field}: only the operator changes credit and quota.", 403, field)


def order_number(text: str) -> str:
    """As it is kept.  Raises: NotDone."""
    kept = text.strip()
    if len(kept) > 64 or not kept.isprintable():
        raise NotDone("An order number has up to 64 characters.", field="order_number")
    return kept


def iso(unix: float) -> str:
    """A moment in UTC, to the second."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
