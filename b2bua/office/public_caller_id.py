"""What an extension shows in public calls, for the back office: as it is, and changed (SPEC 38-49)."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Literal

import msgspec
from sqlalchemy import Connection, select

from b2bua.desk import Holder, NotDone, PublicCallerIdChange, PublicCallerIdView, PublicNumberView
from b2bua.office.jobs import extension_of, operator_only
from b2bua.rules.caller_id import caller_id_faults
from store.directory import save_caller_id
from store.tables import dids, extensions, trunks
from store.values import CallerId

__all__ = ["change_public_caller_id", "public_caller_id"]

_RULES = [each.name for each in fields(CallerId)]


def public_caller_id(conn: Connection, who: Holder, number: str) -> PublicCallerIdView:
    """The rules of an extension and the numbers of its account.  Raises: NotDone 404."""
    at = extension_of(conn, who, number)
    rules = msgspec.convert(at["caller_id"], CallerId)
    return PublicCallerIdView(
        **{name: getattr(rules, name) for name in _RULES}, available=_available(conn, at["account_id"], rules),
    )  # fmt: skip


def change_public_caller_id(
    conn: Connection, who: Holder, number: str, change: PublicCallerIdChange
) -> PublicCallerIdView:  # fmt: skip
    """Write a change, so that a running server takes it.  Raises: NotDone.

    What anybody could use to show a number of others, a phone's own word or an approval, is the operator's.
    """
    at = extension_of(conn, who, number)
    if change.approved:
        operator_only(who, "approved")
    if change.number_by == "equipment":
        operator_only(who, "number_by")
    before = msgspec.convert(at["caller_id"], CallerId)
    wanted = {name: value for name, value in asdict(change).items() if value is not None}
    if wanted.get("number", before.number) != before.number:
        wanted.setdefault("approved", False)
    rules = replace(before, **wanted | ({"numbers": tuple(change.numbers)} if change.numbers is not None else {}))
    for field, sentence in caller_id_faults(rules):
        raise NotDone(f"{field}: {sentence}.", field=field)
    theirs = set(conn.execute(select(dids.c.number).where(dids.c.account_id == at["account_id"])).scalars())
    for each in rules.numbers:
        if each not in theirs:
            raise NotDone(f"{each} is no public number of the account.", field="numbers")
    save_caller_id(conn, at["id"], rules)
    return public_caller_id(conn, who, number)


def _available(conn: Connection, account_id: int, rules: CallerId) -> list[PublicNumberView]:
    query = select(dids.c.number, extensions.c.number.label("rings"), trunks.c.name).select_from(
        dids.outerjoin(extensions, extensions.c.id == dids.c.extension_id).outerjoin(
            trunks, trunks.c.id == dids.c.trunk_id,
        )
    ).where(dids.c.account_id == account_id).order_by(dids.c.number)  # fmt: skip
    return [
        PublicNumberView(row.number, row.rings or "-", row.name or "-", _default(row.number, rules))
        for row in conn.execute(query)
    ]


def _default(number: str, rules: CallerId) -> Literal["Yes", "Set as default", "-"]:
    if number not in rules.numbers:
        return "-"
    return "Yes" if number == rules.default else "Set as default"
