"""Failures of a number lock it for a while (SPEC H12)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, func, insert, select

from store import lockouts
from store.tables import extensions, failures


@pytest.fixture
def extension(conn: Connection, new_account: Callable[..., int]) -> int:
    row_id: int = conn.execute(insert(extensions).values(
        number="001*900", account_id=new_account(), ring_s=1, confirm_s=1, caller_id={},
    ).returning(extensions.c.id)).scalar_one()
    return row_id


@pytest.mark.parametrize(("times", "at", "until"), [
    pytest.param([], 0, None, id="none"),
    pytest.param([0, 1, 2, 3], 4, None, id="four of five"),
    pytest.param([0, 1, 2, 3, 4], 5, 3604, id="five"),
    pytest.param([0, 1, 2, 3, 4], 3603, 3604, id="to the last second"),
    pytest.param([0, 1, 2, 3, 4], 3604, None, id="an hour later"),
    pytest.param([0, 1, 2, 3, 3600], 3601, 7200, id="within the hour"),
    pytest.param([0, 1, 2, 3, 3601], 3602, None, id="not within one hour"),
    pytest.param([0, 1, 2, 3, 4, 3603], 3603.5, 3604, id="one more at the end does not unlock"),
    pytest.param([0, 1, 2, 3, 4, 5], 6, 3605, id="one more locks for longer"),
    pytest.param([0, 1, 2, 3, 4, 4000], 4001, None, id="after a lock it begins anew"),
])
def test_locked_until(conn: Connection, extension: int, times: list[float], at: float, until: float | None) -> None:
    for each in times:
        lockouts.note_failure(conn, extension, "5551", each)
    lockouts.note_failure(conn, extension, "5552", at)
    assert lockouts.locked_until(conn, extension, "5551", lock_after=5, lock_s=3600, at=at) == until


def test_the_first_failure_may_lock(conn: Connection, extension: int) -> None:
    lockouts.note_failure(conn, extension, "5551", 1.0)
    assert lockouts.locked_until(conn, extension, "5551", lock_after=1, lock_s=10, at=2.0) == 11.0


def test_cleared_is_forgotten(conn: Connection, extension: int) -> None:
    for number in ("5551", "5552"):
        lockouts.note_failure(conn, extension, number, 1.0)
    lockouts.clear(conn, extension, "5551")
    locked = [lockouts.locked_until(conn, extension, number, lock_after=1, lock_s=10, at=2.0)
              for number in ("5551", "5552")]
    assert locked == [None, 11.0]


def test_old_failures_are_not_kept(conn: Connection, extension: int) -> None:
    for at in (0.0, 1.0, lockouts.KEPT_S + 0.5):
        lockouts.note_failure(conn, extension, "5551", at)
    assert conn.execute(select(func.count()).select_from(failures)).scalar_one() == 2
