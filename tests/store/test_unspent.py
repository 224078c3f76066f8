"""What a reduction takes back out of the holds of live calls (SPEC H9)."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from store import ledger
from store.audit import audit
from store.unspent import newest_entry, reduced_since, take_back
from store.values import Micros, Rate
from tests.store.conftest import NewAccount

RATE = Rate("", "", Micros(0), 10, Micros(5), 10, Micros(3))


def hold(conn: Connection, payer: int, amount: int, answered: float | None, leg: str = "pstn", call: str = "c") -> int:
    placed = ledger.place_hold(
        conn, call_id=call, leg=leg, account_id=payer, rate=RATE, amount=Micros(amount), at=0.0,
    )
    if answered is not None:
        ledger.mark_answered(conn, placed.id, answered)
    return placed.id


def amounts(conn: Connection) -> list[int]:
    return [each.amount for each in ledger.open_holds(conn)]


@pytest.mark.parametrize(("held", "answered", "wanted", "left"), [
    pytest.param(20, None, 100, 5, id="it rings: it may answer before it hears of it"),
    pytest.param(20, 0.0, 100, 5, id="4 s and a little more: the first interval"),
    pytest.param(20, -4.0, 100, 8, id="8 s and a little more: the second has as good as begun"),
    pytest.param(20, 0.0, 7, 13, id="no more than is wanted"),
    pytest.param(4, 0.0, 100, 4, id="nothing to take"),
])
def test_take_back(
    conn: Connection, new_account: NewAccount, held: int, answered: float | None, wanted: int, left: int,
) -> None:
    hold(conn, new_account(100), held, answered)
    assert take_back(conn, 1, wanted, at=4.0) == held - left
    assert amounts(conn) == [left]


def test_a_leg_that_lives_on_what_another_holds_keeps_it(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(100)
    hold(conn, payer, 2, 0.0, "back")
    hold(conn, payer, 20, 0.0)
    assert take_back(conn, payer, 100, at=4.0) == 22 - 5 - 5
    assert amounts(conn) == [2, 8]


def test_calls_give_one_after_the_other_and_other_accounts_nothing(conn: Connection, new_account: NewAccount) -> None:
    payer, other = new_account(100), new_account(100, name="other")
    for call in ("c1", "c2"):
        hold(conn, payer, 20, 0.0, call=call)
    hold(conn, other, 20, 0.0, call="c3")
    assert take_back(conn, payer, 18, at=4.0) == 18
    assert amounts(conn) == [5, 17, 20]


def test_reductions_are_found_by_what_was_typed(conn: Connection, new_account: NewAccount) -> None:
    assert newest_entry(conn) == 0
    payer, other = new_account(100), new_account(100, name="other")
    hold(conn, payer, 100, 0.0)
    seen = newest_entry(conn)
    assert reduced_since(conn, seen) == set()
    ledger.recharge(conn, other, Micros(5), "A1", 1.0)
    ledger.recharge(conn, payer, Micros(-10), "A2", 4.0)
    assert reduced_since(conn, seen) == {payer}
    assert reduced_since(conn, newest_entry(conn)) == set()
    assert audit(conn) == []
