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
from store.errors import Duplicate, NoCredit, StoreError
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
    pytest.param(-10, -6, id="H9: never below what a live call needs"),
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
    assert [ledger.order_amount(conn, payer, order) for order in ("A7", "A8")] == [10, None]


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


def hold_leg(conn: Connection, payer: int, leg: str, amount: int, at: float, call_id: str = "c1") -> ledger.Hold:
    return ledger.place_hold(
        conn, call_id=call_id, leg=leg, account_id=payer, rate=MOBILE, amount=Micros(amount), at=at,
        extension="001*900", number=f"04{leg}",
    )


def talk(conn: Connection, hold: ledger.Hold, answered: float, seen: float) -> None:
    ledger.mark_answered(conn, hold.id, answered)
    ledger.heartbeat(conn, [hold.id], seen)


def trigger(conn: Connection, call_id: str = "c1") -> None:
    journal.open_request(conn, journal.RequestRecord(
        call_id, 5.0, "", "001*900", "Mary", "5551111111", "127.0.0.2", call_id=call_id, kind="callback", trunk="R1",
    ))


def test_a_call_back_at_a_crash_is_one_record_with_every_leg(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    trigger(conn)
    talk(conn, hold_leg(conn, payer, "back", 300_000, 10.0), 20.0, 95.0)
    first = hold_leg(conn, payer, "pstn", 100_000, 30.0)
    talk(conn, first, 40.0, 49.0)
    ledger.settle(conn, first.id, Micros(100_000), 50.0)
    talk(conn, hold_leg(conn, payer, "pstn-2", 200_000, 60.0), 70.0, 95.0)
    settled = ledger.settle_after_crash(conn, 100.0)
    assert [(each.leg, each.charged) for each in settled] == [("back", 300_000), ("pstn-2", 100_000)]
    call = journal.find_call(conn, "c1")
    assert call == journal.CallRecord(
        "c1", "callback", payer, 5.0, "001*900", "5551111111", "04pstn-2", 95.0, journal.RESTARTED, 35_000,
        Micros(500_000), "USD",
    )
    assert [(leg.lane, leg.to, leg.talk_ms, leg.ended, leg.cost) for leg in journal.legs_of(conn, "c1")] == [
        (0, "04back", 75_000, 95.0, 300_000), (2, "04pstn", 10_000, 50.0, 100_000),
        (2, "04pstn-2", 25_000, 95.0, 100_000),
    ]
    request = journal.request_of(conn, "c1")
    assert request is not None
    assert (request.reason, request.cost, request.ended) == (journal.RESTARTED, 500_000, 100.0)
    assert state(conn, payer) == (500_000, 0, 500_000)


def test_a_crash_between_two_legs_still_leaves_the_record_of_what_was_charged(
    conn: Connection, new_account: NewAccount,
) -> None:
    trigger(conn)
    trigger(conn, "never dialled")
    first = hold_leg(conn, new_account(1_000_000), "pstn", 100_000, 30.0)
    talk(conn, first, 40.0, 49.0)
    ledger.settle(conn, first.id, Micros(100_000), 50.0)
    assert ledger.settle_after_crash(conn, 100.0) == []
    call = journal.find_call(conn, "c1")
    assert call is not None
    assert (call.kind, call.cost, call.talk_ms) == ("callback", 100_000, 10_000)
    assert journal.find_call(conn, "never dialled") is None
    assert {each.reason for each in journal.requests_of(conn, "5551111111")} == {journal.RESTARTED}


def test_what_a_leg_has_too_much_pays_for_another_at_a_crash(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    talk(conn, hold_leg(conn, payer, "back", 400_000, 10.0), 20.0, 70.0)
    talk(conn, hold_leg(conn, payer, "pstn", 100_000, 10.0), 20.0, 70.0)
    assert [each.charged for each in ledger.settle_after_crash(conn, 80.0)] == [200_000, 200_000]
    assert state(conn, payer) == (600_000, 0, 600_000)


def test_a_leg_that_was_left_unsettled_is_added_to_the_record_of_its_call(
    conn: Connection, new_account: NewAccount,
) -> None:
    talk(conn, hold_leg(conn, new_account(1_000_000), "pstn", 100_000, 10.0), 20.0, 30.0)
    journal.write_call(conn, journal.CallRecord("c1", "outbound", None, 1.0, talk_ms=1, cost=Micros(1)), [])
    ledger.settle_after_crash(conn, 40.0)
    call = journal.find_call(conn, "c1")
    assert call is not None
    assert (call.cost, call.talk_ms, len(journal.legs_of(conn, "c1"))) == (100_001, 10_001, 1)


def test_a_call_that_is_written_and_settled_is_not_written_again(conn: Connection, new_account: NewAccount) -> None:
    trigger(conn)
    ledger.settle(conn, hold_leg(conn, new_account(1_000_000), "pstn", 100_000, 10.0).id, Micros(100_000), 20.0)
    written = journal.CallRecord("c1", "callback", None, 1.0, cost=Micros(100_000))
    journal.write_call(conn, written, [])
    assert ledger.settle_after_crash(conn, 40.0) == []
    assert (journal.find_call(conn, "c1"), journal.legs_of(conn, "c1")) == (written, [])


def test_the_record_of_a_wallets_call_names_the_client(conn: Connection, new_account: NewAccount) -> None:
    client = new_account()
    wallet = new_account(1_000_000, name="~caller")
    conn.execute(update(accounts).where(accounts.c.id == wallet).values(kind="caller", parent_id=client))
    hold_leg(conn, wallet, "pstn", 100_000, 10.0)
    ledger.settle_after_crash(conn, 40.0)
    call = journal.find_call(conn, "c1")
    assert call is not None
    assert (call.account_id, call.cost) == (client, 0)


@pytest.mark.parametrize(("asked", "moved", "amounts"), [
    pytest.param(50_000, 50_000, (150_000, 150_000), id="some"),
    pytest.param(900_000, 200_000, (0, 300_000), id="no more than there is"),
    pytest.param(-1, 0, (200_000, 100_000), id="never backwards"),
])
def test_held_money_moves_between_the_legs_of_a_call(
    conn: Connection, new_account: NewAccount, asked: int, moved: int, amounts: tuple[int, int],
) -> None:
    payer = new_account(1_000_000)
    back, pstn = hold_leg(conn, payer, "back", 200_000, 10.0), hold_leg(conn, payer, "pstn", 100_000, 10.0)
    assert ledger.move_held(conn, back.id, pstn.id, Micros(asked)) == moved
    assert tuple(hold.amount for hold in ledger.holds_of(conn, "c1")) == amounts
    assert state(conn, payer) == (1_000_000, 300_000, 700_000)
    ledger.settle(conn, pstn.id, Micros(0), 20.0)
    for giver, taker in ((back, pstn), (pstn, back)):
        assert ledger.move_held(conn, giver.id, taker.id, Micros(1)) == 0
    assert ledger.holds_of(conn, "c1") == ledger.open_holds(conn)


def test_held_money_never_moves_to_another_call(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    one, other = hold_leg(conn, payer, "back", 1, 1.0), hold_leg(conn, payer, "back", 1, 1.0, "c2")
    with pytest.raises(StoreError, match="not of one call"):
        ledger.move_held(conn, one.id, other.id, Micros(1))


def test_what_an_extension_has_used_counts_what_its_live_calls_hold(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(1_000_000)
    assert ledger.used_since(conn, "001*900", 0.0) == 0
    done = hold_leg(conn, payer, "back", 300_000, 10.0)
    ledger.settle(conn, done.id, Micros(20_000), 20.0)
    hold_leg(conn, payer, "pstn", 100_000, 15.0)
    place(conn, payer, 7, "of another extension")
    assert [ledger.used_since(conn, "001*900", since) for since in (10.0, 15.0, 16.0)] == [120_000, 100_000, 0]


def test_an_answer_that_is_told_late_does_not_set_the_heartbeat_back(conn: Connection, new_account: NewAccount) -> None:
    hold = place(conn, new_account(1_000_000), 300_000)
    ledger.heartbeat(conn, [hold.id], 60.0)
    ledger.mark_answered(conn, hold.id, 20.0)  # SPEC H5: paid from its answer, once the other leg has answered
    assert ledger.settle_after_crash(conn, 99.0)[0].charged == 200_000


def test_unlimited_talks_without_end_and_ends_at_zero(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(10)
    ledger.recharge(conn, payer, None, "A6", 1.0)
    ledger.recharge(conn, payer, Micros(5), "A6b", 2.0)
    assert state(conn, payer) == (15, 0, None)
    talked = hold_leg(conn, payer, "pstn", 100, 10.0)
    ledger.settle(conn, talked.id, Micros(100), 20.0)
    live = hold_leg(conn, payer, "pstn", 7, 30.0, "c2")
    assert state(conn, payer) == (-85, 7, None)
    ledger.recharge(conn, payer, Micros(-10), "A7", 40.0)
    assert state(conn, payer) == (7, 7, 0)
    assert ledger.extend_hold(conn, live.id, Micros(1), 41.0) == 0
    ledger.settle(conn, live.id, Micros(7), 42.0)
    assert state(conn, payer) == (0, 0, 0)
    assert [(each.kind, each.asked, each.amount, each.left) for each in ledger.entries(conn, payer)] == [
        ("recharge", 10, 10, 10), ("unlimited", 0, 0, None), ("recharge", 5, 5, None), ("call", -100, -100, None),
        ("recharge", -10, 92, 0), ("call", -7, -7, None),
    ]


def test_an_order_number_of_unlimited_credit_is_posted_once_too(conn: Connection, new_account: NewAccount) -> None:
    payer = new_account(10)
    for _ in range(2):
        ledger.recharge(conn, payer, None, "A6", 1.0)
    assert len(ledger.entries(conn, payer)) == 2
    with pytest.raises(Duplicate, match="A6") as refused:
        ledger.recharge(conn, payer, Micros(0), "A6", 2.0)
    assert (refused.value.what, refused.value.value) == ("order number", "A6")


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
