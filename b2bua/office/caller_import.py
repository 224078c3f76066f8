"""A file of CallerIDs into the list: every line or none (SPEC 62)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from b2bua.desk import Holder, NotDone
from b2bua.office.caller_sheet import SheetLine
from b2bua.office.jobs import Seat, caller_number, internal_numbers, operator_only, order_number, refusals
from b2bua.plan.callback_settings import secret_fault
from store import callers, tables
from store.errors import Duplicate, QuotaReached

__all__ = ["add_all", "rehearse"]


def rehearse(conn: Connection, who: Holder, at: Seat, lines: Sequence[SheetLine]) -> None:
    """Look whether `add_all` would take the lines; a long file fails at once, not after its last PIN is hashed.

    Raises: NotDone with the first bad line.
    """
    internal, quota = internal_numbers(conn), callers.quota_of(conn, at.id)
    table = tables.callers.c
    there = set(conn.execute(select(table.number).where(table.extension_id == at.id)).scalars())
    for n, line in enumerate(lines):
        with refusals(line.line):
            number = caller_number(at, line.number, internal)
            order_number(line.order_number)
            if line.credit != 0:
                operator_only(who, "credit")
            if line.pin and (fault := secret_fault(line.pin)):
                raise NotDone(f"pin: {fault}.", field="pin")
            if number in there:
                raise Duplicate("number", number, f"{number} is an authorised CallerID already")
            if quota.most is not None and quota.left is not None and n >= quota.left:
                raise QuotaReached(quota.most)
        there.add(number)


def add_all(
    conn: Connection, at: Seat, lines: Sequence[SheetLine], hashes: Sequence[str], now: float,
) -> None:  # fmt: skip
    """Add every line, with the hash of its PIN.  Raises: NotDone with the first bad line."""
    internal = internal_numbers(conn)
    for line, pin_hash in zip(lines, hashes, strict=True):
        with refusals(line.line):
            callers.add_caller(
                conn, extension_id=at.id, number=caller_number(at, line.number, internal), pin_hash=pin_hash,
                credit=line.credit, order_number=order_number(line.order_number), at=now,
            )  # fmt: skip
