"""Signed links as visitors bring them: what a token is worth, and the one use of it that a call takes (SPEC A12.7)."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from sqlalchemy import Connection

from b2bua.desk import LinkPass, Refused, VisitorRequest
from b2bua.links.token import TokenFault, read_token
from b2bua.rules.admission import Reason, refuse, refuse_number
from b2bua.rules.numbers import BadNumber, read_number
from store import journal
from store.database import Database
from store.links import Link, find_link, keys, use_link
from store.values import DialPlan, Extension

__all__ = [
    "Opened", "judge", "link_pass", "masked_number", "open_link", "take_use",
    "wanted_number",
]  # fmt: skip

_FAULTS = {TokenFault.FORGED: Reason.SIGNED_FORGED, TokenFault.DEAD_KEY: Reason.SIGNED_KEY}


class Opened(NamedTuple):
    """A link whose signature is good, and the reason against it, if any; no link: the token was not believed."""

    link: Link | None
    reason: Reason | None


def open_link(conn: Connection, token: str, extension: Extension | None, now: float) -> Opened:
    """What a token is worth on the page of this extension; None: a page that is not there."""
    link_id = read_token(token, keys(conn))
    if isinstance(link_id, TokenFault):
        return Opened(None, _FAULTS[link_id])
    link = find_link(conn, link_id)
    if link is None:  # its extension was removed
        return Opened(None, Reason.SIGNED_FORGED)
    return Opened(link, judge(link, extension, now))


def judge(link: Link, extension: Extension | None, now: float) -> Reason | None:
    """The one reason against a link with a good signature; whether a use is left, `use_link` alone decides."""
    if extension is None:
        return Reason.UNKNOWN_PAGE
    if link.extension_id != extension.id:
        return Reason.SIGNED_OTHER_PAGE
    if link.revoked is not None:
        return Reason.SIGNED_REVOKED
    if link.expires <= now:
        return Reason.SIGNED_EXPIRED
    return None


def wanted_number(
    request: VisitorRequest, plan: DialPlan, extensions: Container[str], fixed: str = ""
) -> str | Refused:
    """The number to call: the link's own (`fixed`), which the visitor cannot change, else the one that was typed."""

    def read(typed: str) -> str:
        return read_number(typed, plan, request.country, extensions=extensions)

    try:
        number = read(fixed or request.number)
    except BadNumber as bad:
        return refuse_number(bad)
    if fixed and request.number.strip():
        try:
            same = read(request.number) == number
        except BadNumber:
            same = False
        return number if same else refuse(Reason.SIGNED_NUMBER)
    return number


def link_pass(link: Link) -> LinkPass:
    """What its page shows of it."""
    return LinkPass(link.name, link.number[-2:])


def masked_number(number: str) -> str:
    """A number that whoever holds the link need not know."""
    return f"•••{number[-2:]}"


async def take_use(database: Database, link: Link, record: journal.RequestRecord, at: float) -> bool:
    """Count a use and write down what it is for, both or neither; False: none is left.  Raises: StoreError."""

    def job(conn: Connection) -> bool:
        if not use_link(conn, link.id, at):
            return False
        journal.open_request(conn, record)
        return True

    return await database.run(job)
