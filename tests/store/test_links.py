"""Signed links in the database: a use is counted once, whoever asks at the same moment (SPEC A12.7)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from sqlalchemy import Connection, insert

from store.database import connect, transact
from store.links import (
    Link,
    add_link,
    current_key,
    find_link,
    give_back,
    keys,
    list_links,
    revoke_link,
    rotate_key,
    use_link,
)
from store.tables import accounts, extensions

LINK = Link("a1b2c3d4e5f6", 1, 1, 2, 1000.0, 2000.0, "5551234567", "Mary", "May_letter")


@pytest.fixture
def link(conn: Connection) -> Link:
    with_owner(conn)
    return LINK


def with_owner(conn: Connection) -> None:
    """An extension with one link."""
    conn.execute(insert(accounts).values(id=1, name="a", currency="USD", plan="prepaid", call_api=True, dial_plan={}))
    conn.execute(insert(extensions).values(
        id=1, number="001*002", account_id=1, kind="phone", ring_s=1, confirm_s=1, caller_id={},
    ))  # fmt: skip
    assert current_key(conn, b"k" * 32, 1.0) == (1, b"k" * 32)
    add_link(conn, LINK)


def test_a_link_is_used_as_often_as_it_may_be(conn: Connection, link: Link) -> None:
    assert [use_link(conn, link.id, at) for at in (1100.0, 1200.0, 1300.0)] == [True, True, False]
    found = find_link(conn, link.id)
    assert found == replace(link, used=2, last_used=1200.0)
    assert found.left == 0
    give_back(conn, link.id)
    assert use_link(conn, link.id, 1400.0)
    assert not use_link(conn, "000000000000", 1400.0)


def test_what_is_given_back_is_never_more_than_was_used(conn: Connection, link: Link) -> None:
    give_back(conn, link.id)
    assert find_link(conn, link.id) == link


@pytest.mark.parametrize(("at", "used"), [(1999.9, True), (2000.0, False)])
def test_a_link_ends(conn: Connection, link: Link, at: float, used: bool) -> None:
    assert use_link(conn, link.id, at) == used


def test_a_revoked_link_is_not_used_and_keeps_its_moment(conn: Connection, link: Link) -> None:
    assert revoke_link(conn, 1, link.id, 1100.0)
    assert revoke_link(conn, 1, link.id, 1200.0)
    assert not revoke_link(conn, 2, link.id, 1300.0), "of another extension"
    assert not use_link(conn, link.id, 1300.0)
    assert find_link(conn, link.id) == replace(link, revoked=1100.0)


def test_keys_are_made_once_and_rotated(conn: Connection, link: Link) -> None:
    assert current_key(conn, b"x" * 32, 2.0) == (1, b"k" * 32), "there is one"
    assert rotate_key(conn, b"l" * 32, 1500.0, keep=True) == 0
    assert current_key(conn, b"x" * 32, 2.0) == (2, b"l" * 32)
    assert keys(conn) == {1: b"k" * 32, 2: b"l" * 32}
    assert rotate_key(conn, b"m" * 32, 1500.0, keep=False) == 1
    assert keys(conn) == {1: b"", 2: b"", 3: b"m" * 32}
    assert rotate_key(conn, b"n" * 32, 1500.0, keep=False) == 0, "that one was dead already"


def test_the_list_is_searched_and_knows_what_still_works(conn: Connection, link: Link) -> None:
    newer = Link("b" * 12, 1, 1, 1, 1001.0, 3000.0, label="100% off")
    add_link(conn, newer)
    assert list_links(conn, 1) == [(newer, False), (link, False)]
    assert [row.id for row, _ in list_links(conn, 1, text="y_l")] == [link.id]
    assert [row.id for row, _ in list_links(conn, 1, text="0%")] == [newer.id]
    assert list_links(conn, 2) == []
    assert [row.id for row, _ in list_links(conn, 1, over_at=2500.0)] == [newer.id]
    rotate_key(conn, b"n" * 32, 1500.0, keep=False)
    assert list_links(conn, 1, over_at=1500.0) == []
    assert [dead for _, dead in list_links(conn, 1)] == [True, True]


def test_of_many_at_once_each_use_is_taken_by_one(url: str) -> None:
    """Eight connections, as eight processes have them, at two uses."""
    transact(url, with_owner)
    start = Barrier(8)

    def use(_: int) -> bool:
        engine = connect(url, busy_s=30)
        try:
            start.wait()
            with engine.begin() as conn:
                return use_link(conn, LINK.id, 1500.0)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(use, range(8))) == [False] * 6 + [True] * 2
