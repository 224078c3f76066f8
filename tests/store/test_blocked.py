"""Numbers that pages do not call (SPEC A12.6)."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from store import tables
from store.blocked import Blocked, block, blocked_by, list_blocked, unblock


def extension(conn: Connection, number: str, account_id: int) -> None:
    conn.execute(insert(tables.accounts).values(
        id=account_id, name=f"a{account_id}", currency="USD", plan="prepaid", call_api=True, dial_plan={},
    ))  # fmt: skip
    conn.execute(insert(tables.extensions).values(
        id=account_id, number=number, account_id=account_id, kind="phone", ring_s=1, confirm_s=1, caller_id={},
    ))  # fmt: skip


def test_blocks_of_one_page_and_of_all(conn: Connection) -> None:
    extension(conn, "001*002", 1)
    extension(conn, "002*002", 2)
    block(conn, "5551", 1, "owner", 10.0)
    assert [blocked_by(conn, (number,), which) for number, which in (("5551", 1), ("5551", 2), ("5552", 1))] == [
        "owner", None, None,
    ]  # fmt: skip
    block(conn, "5551", None, "visitor", 11.0)
    assert [blocked_by(conn, ("5551",), which) for which in (1, 2)] == ["visitor", "visitor"]
    block(conn, "5551", None, "operator", 12.0)
    assert list_blocked(conn) == [Blocked("5551", None, "visitor", 11.0), Blocked("5551", "001*002", "owner", 10.0)]
    assert [row.extension for row in list_blocked(conn, account_id=1)] == ["001*002"]
    assert list_blocked(conn, account_id=2) == list_blocked(conn, text="6") == []
    assert (unblock(conn, "5551", None), unblock(conn, "5551", None)) == (True, False)
    assert blocked_by(conn, ("5551",), 1) == "owner"
    assert blocked_by(conn, ("005551", "5551"), 1) == "owner", "whatever its spelling"
