"""Codes spoken to numbers that extensions want to show (SPEC 39): of each a hash is kept, for ten minutes."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, exists, func, insert, or_, select, update

from store.tables import call_legs, codes, extensions, requests

__all__ = [
    "KEPT_S", "TRIES", "Code", "ask", "calls_of_account", "calls_of_number", "find", "forget", "pending", "spoken",
    "take_try",
]  # fmt: skip

KEPT_S = 600.0
"""How long after it was spoken a code counts."""
TRIES = 3
"""How often something may be typed for one code."""


@dataclass(frozen=True, slots=True)
class Code:
    """The newest code of an extension: a newer one takes its place."""

    extension_id: int
    number: str
    """As the extension wants to show it: the code of one number says nothing about another."""
    call_id: str
    code_hash: str = field(repr=False)
    spoken_at: float | None
    """None: nobody has heard it yet."""
    tries: int


def ask(conn: Connection, extension_id: int, number: str, call_id: str, code_hash: str, at: float) -> None:
    """A call is about to speak this one; any other of the extension counts no more."""
    conn.execute(delete(codes).where(or_(codes.c.extension_id == extension_id, codes.c.spoken_at < at - KEPT_S)))
    conn.execute(insert(codes).values(
        extension_id=extension_id, number=number, call_id=call_id, code_hash=code_hash, tries=0,
    ))


def spoken(conn: Connection, call_id: str, at: float) -> None:
    """Whoever answered has heard it: from here on it counts."""
    conn.execute(update(codes).where(codes.c.call_id == call_id).values(spoken_at=at))


def find(conn: Connection, extension_id: int, at: float) -> Code | None:
    """The code of an extension that counts, or will once it is spoken."""
    row = conn.execute(select(codes).where(
        codes.c.extension_id == extension_id, func.coalesce(codes.c.spoken_at, at) >= at - KEPT_S,
    )).mappings().first()
    return None if row is None else Code(**row)


def take_try(conn: Connection, code: Code) -> bool:
    """Count one try before it is looked at, so that tries at once are no more than tries in turn; False: no more."""
    taken = update(codes).where(codes.c.call_id == code.call_id, codes.c.tries < TRIES)
    return bool(conn.execute(taken.values(tries=codes.c.tries + 1)).rowcount)


def forget(conn: Connection, call_id: str, *, unspoken: bool = False) -> None:
    """It has done its work, or never will; `unspoken`: only where nobody heard it."""
    conn.execute(delete(codes).where(
        codes.c.call_id == call_id, *((codes.c.spoken_at.is_(None),) if unspoken else ()),
    ))


def pending(conn: Connection, numbers: tuple[str, ...]) -> bool:
    """A call that speaks a code to a number, in any of its spellings, is under way, whoever asked for it."""
    return conn.execute(select(requests.c.token).where(
        requests.c.kind == "code", requests.c.number.in_(numbers), requests.c.reason == "",
    )).first() is not None


def calls_of_number(conn: Connection, numbers: tuple[str, ...], since: float) -> int:
    """How many such calls have rung a number since then, or are about to: for anybody, in any of its spellings."""
    return conn.execute(_RANG.where(requests.c.number.in_(numbers), requests.c.at >= since)).scalar_one()


def calls_of_account(conn: Connection, account_id: int, since: float) -> int:
    """How many such calls the extensions of an account have placed since then."""
    own = select(extensions.c.number).where(extensions.c.account_id == account_id)
    return conn.execute(_RANG.where(requests.c.extension.in_(own), requests.c.at >= since)).scalar_one()


_RANG = select(func.count()).select_from(requests).where(requests.c.kind == "code", or_(
    requests.c.reason == "",
    exists().where(call_legs.c.call_id == requests.c.call_id, call_legs.c.direction == "out"),
))  # fmt: skip
