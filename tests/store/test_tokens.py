"""Tokens of the API, by their hashes only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest
from sqlalchemy import Connection

from store.errors import Duplicate
from store.tokens import Token, check_token, list_tokens, new_token, revoke_token

HASHES = [sha256(text).hexdigest() for text in (b"one", b"two")]


def test_made_checked_listed_revoked(conn: Connection, new_account: Callable[..., int]) -> None:
    admin = new_token(conn, "portal", None, HASHES[0], 1.0)
    client = new_token(conn, "crm", new_account(), HASHES[1], 2.0)
    assert (admin, client) == (Token(1, "portal", None, 1.0), Token(2, "crm", 1, 2.0))
    assert [check_token(conn, each, 3.0) for each in (*HASHES, sha256(b"three").hexdigest(), "")] == [
        admin, client, None, None,
    ]
    assert list_tokens(conn) == [replace(client, used=3.0), replace(admin, used=3.0)]
    assert [revoke_token(conn, "portal") for _ in range(2)] == [True, False]
    assert check_token(conn, HASHES[0], 4.0) is None


def test_a_name_is_given_once(conn: Connection) -> None:
    new_token(conn, "portal", None, HASHES[0], 1.0)
    with pytest.raises(Duplicate, match="there is a token portal already"):
        new_token(conn, "portal", None, HASHES[1], 1.0)


def test_the_last_use_is_kept_to_the_minute(conn: Connection) -> None:
    new_token(conn, "portal", None, HASHES[0], 1.0)
    seen = []
    for at in (10.0, 69.0, 70.0):
        check_token(conn, HASHES[0], at)
        seen.append(list_tokens(conn)[0].used)
    assert seen == [10.0, 10.0, 70.0]
