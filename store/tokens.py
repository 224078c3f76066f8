"""Tokens of the API. Only SHA-256 hashes are kept: whoever reads the database cannot use it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from store.errors import Duplicate
from store.tables import tokens

__all__ = ["Token", "check_token", "list_tokens", "new_token", "revoke_token"]

USED_EVERY_S = 60
"""How exactly the last use is kept: not every request needs a write."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token, without the token."""

    id: int
    name: str
    account_id: int | None
    """Whose extensions it sees; None: all, it is the administrator's."""
    created: float
    used: float | None = None


def new_token(conn: Connection, name: str, account_id: int | None, sha256: str, at: float) -> Token:
    """Let the token of this hash (64 hex digits) in.  Raises: Duplicate when the name is taken."""
    if conn.execute(select(tokens.c.id).where(tokens.c.name == name)).first():
        raise Duplicate("name", name, f"there is a token {name} already")
    token_id = conn.execute(insert(tokens).values(
        name=name, account_id=account_id, sha256=sha256, created=at,
    ).returning(tokens.c.id)).scalar_one()
    return Token(token_id, name, account_id, at)


def check_token(conn: Connection, sha256: str, at: float) -> Token | None:
    """Whose token this is, and note its use: a job that writes. None: not a token, or revoked."""
    row = conn.execute(select(tokens).where(tokens.c.sha256 == sha256)).mappings().one_or_none()
    if row is None:
        return None
    if row["used"] is None or at - row["used"] >= USED_EVERY_S:
        conn.execute(update(tokens).where(tokens.c.id == row["id"]).values(used=at))
    return Token(**{name: row[name] for name in Token.__slots__})


def list_tokens(conn: Connection) -> list[Token]:
    """Every token, by name."""
    rows = conn.execute(select(tokens).order_by(tokens.c.name)).mappings()
    return [Token(**{name: row[name] for name in Token.__slots__}) for row in rows]


def revoke_token(conn: Connection, name: str) -> bool:
    """Let it in no longer. False when there was none of this name."""
    return bool(conn.execute(delete(tokens).where(tokens.c.name == name)).rowcount)
