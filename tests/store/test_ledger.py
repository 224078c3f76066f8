"""Money moves once (SPEC A12.1, STYLE 11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from store import journal, ledger
from store.database import Database
from store.errors import NoCredit, StoreError
from store.tables import accounts, holds
from store.tables import ledger as entries_table
from store.values import Micros, Rate

NewAccount = Callable[..., int]
MOBILE = Rate("04", "", Micros(0), 30, Micros(100_000), 30, Micros(100_000))


def place(conn: Connection, account_id: int, amount: int, call_id: str = "c1", least: int | None = None) -> ledger.Hold:
    return ledger.place_hold(
        conn, call_id=call_id, leg="visitor", account_id=account_id, rate=MOBILE, amount=Micros(amount), at=10.0,
        least=None if least is None else Micros(least), extension="001*002", number="0402000000",
    )


def state(conn: Connection, account_id: int) -> tuple[int, int, int | None]:
    now = ledger.balance(conn, account_id)
    assert ledger.audit(conn) == []
    return now.balance, now.held, now.available


def test_hold_extend_settle(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    hold = place(conn, payer, 200_000)
    assert state(conn, payer) == (1_000_000, 200_000, 800_000)
    assert ledger.extend_hold(conn, hold.id, Micros(100_000), 20.0) == 100_000
    assert state(conn, payer) == (1_000_000, 300_000, 700_000)
    assert ledger.settle(conn, hold.id, Micros(250_000), 30.0).charged == 250_000
    assert state(conn, payer) == (750_000, 0, 750_000)
    assert [(entry.kind, entry.amount, entry.balance_after) for entry in ledger.entries(conn, payer)] == [
        ("recharge", 1_000_000, 1_000_000), ("call", -250_000, 750_000),
    ]


def test_the_first_settlement_stands(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    hold = place(conn, payer, 200_000)
    first = ledger.settle(conn, hold.id, Micros(100_000), 30.0)
    assert ledger.settle(conn, hold.id, Micros(200_000), 40.0) == first
    assert state(conn, payer) == (900_000, 0, 900_000)


def test_a_charge_above_the_hold_is_cut(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    assert ledger.settle(conn, place(conn, payer, 200_000).id, Micros(900_000), 30.0).charged == 200_000


def test_an_unanswered_leg_leaves_no_entry(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    ledger.settle(conn, place(conn, payer, 200_000).id, Micros(0), 30.0)
    assert [entry.kind for entry in ledger.entries(conn, payer)] == ["recharge"]
    assert state(conn, payer) == (1_000_000, 0, 1_000_000)


def test_the_same_leg_is_the_same_hold(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    assert place(conn, payer, 200_000) == place(conn, payer, 200_000)
    assert state(conn, payer) == (1_000_000, 200_000, 800_000)
    assert ledger.open_holds(conn) == [place(conn, payer, 1)]


@pytest.mark.parametrize(("credit", "amount", "least", "held"), [
    pytest.param(200_000, 200_000, None, 200_000, id="exactly enough"),
    pytest.param(199_999, 200_000, None, None, id="one micro short"),
    pytest.param(150_000, 200_000, 100_000, 150_000, id="less, but enough for the first second"),
    pytest.param(99_999, 200_000, 100_000, None, id="not even the first second"),
    pytest.param(0, 0, None, 0, id="a free call needs no credit"),
])
def test_prepaid_hold(
    conn: Connection, new_account: NewAccount, credit: int, amount: int, least: int | None, held: int | None,
) -> None:
    payer = new_account(credit)
    if held is None:
        with pytest.raises(NoCredit) as refused:
            place(conn, payer, amount, least=least)
        assert (refused.value.needed, refused.value.available) == (least or amount, credit)
        held = 0
    else:
        assert place(conn, payer, amount, least=least).amount == held
    assert state(conn, payer) == (credit, held, credit - held)


@pytest.mark.parametrize(("limit", "amount", "fits"), [
    pytest.param(None, 10**12, True, id="no limit"),
    pytest.param(500_000, 500_000, True, id="down to the limit"),
    pytest.param(500_000, 500_001, False, id="below the limit"),
])
def test_postpaid_hold(conn: Connection, new_account: NewAccount, limit: int | None, amount: int, fits: bool) -> None:
    payer = new_account(plan="postpaid", limit=limit)
    if not fits:
        with pytest.raises(NoCredit):
            place(conn, payer, amount)
        return
    hold = place(conn, payer, amount)
    ledger.settle(conn, hold.id, Micros(amount), 30.0)
    assert state(conn, payer) == (-amount, 0, None if limit is None else limit - amount)


def test_an_extension_grants_what_is_left(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(250_000)
    hold = place(conn, payer, 200_000)
    assert [ledger.extend_hold(conn, hold.id, Micros(100_000), 20.0) for _ in range(2)] == [50_000, 0]
    assert state(conn, payer) == (250_000, 250_000, 0)


def test_postpaid_without_limit_extends_for_ever(conn: Connection, new_account: NewAccount) -> None:
    hold = place(conn, new_account(plan="postpaid"), 1)
    assert ledger.extend_hold(conn, hold.id, Micros(10**12), 20.0) == 10**12


def test_a_settled_hold_is_not_extended(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    hold = place(conn, payer, 200_000)
    ledger.settle(conn, hold.id, Micros(0), 30.0)
    assert ledger.extend_hold(conn, hold.id, Micros(100_000), 31.0) == 0
    assert state(conn, payer) == (1_000_000, 0, 1_000_000)


@pytest.mark.parametrize(("typed", "applied"), [
    pytest.param(5, 5, id="more"),
    pytest.param(-3, -3, id="less"),
    pytest.param(-10, -6, id="H9: never below what a live call holds"),
])
def test_recharge_of_a_prepaid_account(conn: Connection, new_account: NewAccount, typed: int, applied: int) -> None:
    payer = new_account(10)
    place(conn, payer, 4)
    ledger.recharge(conn, payer, Micros(typed), "A7", 20.0)
    last = ledger.entries(conn, payer)[-1]
    assert (last.asked, last.amount, last.balance_after, last.order_number) == (typed, applied, 10 + applied, "A7")
    assert state(conn, payer) == (10 + applied, 4, 6 + applied)


def test_a_postpaid_account_may_be_taken_below_zero(conn: Connection, new_account: NewAccount) -> None:
    assert ledger.recharge(conn, new_account(plan="postpaid"), Micros(-10), "A7", 20.0).balance == -10


def test_an_order_number_is_posted_once(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account()
    for _ in range(2):
        assert ledger.recharge(conn, payer, Micros(10), "A7", 20.0).balance == 10
    with pytest.raises(StoreError, match="A7"):
        ledger.recharge(conn, payer, Micros(11), "A7", 20.0)
    assert ledger.recharge(conn, payer, Micros(10), "", 20.0).balance == 20
    assert ledger.recharge(conn, payer, Micros(10), "", 20.0).balance == 30


@pytest.mark.parametrize("verb", ["UPDATE ledger SET amount = 0", "DELETE FROM ledger"])
def test_the_ledger_is_append_only(conn: Connection, new_account: NewAccount, verb: str) -> None:
    new_account(10)
    with pytest.raises(IntegrityError, match="append-only"), conn.begin_nested():
        conn.execute(text(verb))


def test_the_database_itself_refuses_a_negative_prepaid_balance(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(10)
    with pytest.raises(IntegrityError, match="prepaid_never_negative"), conn.begin_nested():
        conn.execute(update(accounts).where(accounts.c.id == payer).values(balance=-1))


def test_audit_tells_what_does_not_balance(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(10)
    conn.execute(update(accounts).where(accounts.c.id == payer).values(balance=11, held=2))
    conn.execute(insert(holds).values(
        call_id="c9", leg="visitor", account_id=payer, rate={}, placed_at=0.0, settled_at=1.0, charged=3,
    ))
    assert ledger.audit(conn) == [
        f"account {payer}: balance 11, sum of entries 10", f"account {payer}: held 2, sum of open holds 0",
        "hold 1: charged 3, posted 0",
    ]


def test_unknown_account_and_hold(conn: Connection) -> None:
    with pytest.raises(StoreError, match="no account 9"):
        ledger.balance(conn, 9)
    with pytest.raises(StoreError, match="no hold 9"):
        ledger.settle(conn, 9, Micros(0), 0.0)


@pytest.mark.parametrize(("answered", "beat", "charged", "talk_ms"), [
    pytest.param(None, None, 0, 0, id="not answered: released"),
    pytest.param(20.0, None, 100_000, 0, id="answered, no heartbeat yet: the first interval"),
    pytest.param(20.0, 51.0, 200_000, 31_000, id="up to the last heartbeat"),
    pytest.param(20.0, 500.0, 200_000, 80_000, id="never more than real time nor the hold"),
])
def test_a_crash_is_settled_at_restart(
    conn: Connection, new_account: NewAccount, answered: float | None, beat: float | None, charged: int, talk_ms: int,
) -> None:
    payer = new_account(1_000_000)
    hold = place(conn, payer, 200_000)
    journal.open_request(conn, journal.RequestRecord("t1", 9.0, "john_doe", call_id="c1", number="0402000000"))
    if answered is not None:
        ledger.mark_answered(conn, hold.id, answered)
        ledger.mark_answered(conn, hold.id, 99.0)
    if beat is not None:
        ledger.heartbeat(conn, [hold.id], beat)
    settled = ledger.settle_after_crash(conn, 100.0)
    assert [(each.call_id, each.charged, each.answered_at) for each in settled] == [("c1", charged, answered)]
    assert state(conn, payer) == (1_000_000 - charged, 0, 1_000_000 - charged)
    call = journal.find_call(conn, "c1")
    assert call is not None
    assert (call.kind, call.extension, call.to, call.reason, call.talk_ms, call.cost, call.currency) == (
        "callnow", "001*002", "0402000000", journal.RESTARTED, talk_ms, charged, "USD",
    )
    assert [(leg.talk_ms, leg.cost, leg.answered) for leg in journal.legs_of(conn, "c1")] == [
        (talk_ms, charged, answered)
    ]
    request, = journal.requests_of(conn, "0402000000")
    assert (request.reason, request.cost, request.ended) == (journal.RESTARTED, charged, 100.0)
    assert ledger.settle_after_crash(conn, 200.0) == []


def test_two_legs_of_one_call_at_a_crash_are_one_record(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    for leg, until in (("a", 30.0), ("b", 50.0)):
        hold = ledger.place_hold(
            conn, call_id="c1", leg=leg, account_id=payer, rate=MOBILE, amount=Micros(100_000), at=10.0,
        )
        ledger.mark_answered(conn, hold.id, 20.0)
        ledger.heartbeat(conn, [hold.id], until)
    ledger.settle_after_crash(conn, 60.0)
    call = journal.find_call(conn, "c1")
    assert call is not None
    assert (call.kind, call.cost, call.talk_ms) == ("outbound", 200_000, 30_000)
    assert len(journal.legs_of(conn, "c1")) == 2


def test_heartbeats_of_nobody_and_of_the_settled_change_nothing(conn: Connection, new_account: NewAccount) -> None:
    hold = place(conn, new_account(1_000_000), 200_000)
    ledger.settle(conn, hold.id, Micros(0), 30.0)
    ledger.heartbeat(conn, [], 40.0)
    ledger.heartbeat(conn, [hold.id], 40.0)
    ledger.mark_answered(conn, hold.id, 40.0)
    row = conn.execute(select(holds.c.heartbeat_at, holds.c.answered_at)).one()
    assert tuple(row) == (None, None)
    assert conn.execute(select(entries_table.c.hold_id)).scalars().all() == [None]


async def test_fifty_calls_at_once_on_credit_for_one(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/ringback.db")
    payer = await database.run(lambda conn: conn.execute(insert(accounts).values(
        name="client", plan="prepaid", call_api=True, dial_plan={},
    ).returning(accounts.c.id)).scalar_one())
    await database.run(lambda conn: ledger.recharge(conn, payer, Micros(199_999), "", 0.0))

    async def call(n: int) -> ledger.Settlement:
        hold = await database.run(lambda conn: place(conn, payer, 100_000, f"c{n}"))
        return await database.run(lambda conn: ledger.settle(conn, hold.id, Micros(100_000), 20.0))

    ends = await asyncio.gather(*(call(n) for n in range(50)), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["NoCredit"] * 49 + ["Settlement"]
    assert await database.read(lambda conn: state(conn, payer)) == (99_999, 0, 99_999)
    await database.close()
