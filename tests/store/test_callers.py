"""Authorised CallerIDs, their wallets and their quota (SPEC 53-62, H9, AT-21, AT-22)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection, insert, select, update

from store import callers, ledger
from store.callers import CallerRow, Quota, Recharge
from store.database import transact
from store.errors import Duplicate, QuotaReached, StoreError
from store.meta import CALLER_QUOTA, write_meta
from store.tables import accounts, extensions
from store.values import AuthorisedCaller, Micros, Rate

NewAccount = Callable[..., int]
PER_SECOND = Rate("", "", Micros(0), 0, Micros(0), 1, Micros(1))


def new_extension(conn: Connection, account_id: int, number: str = "001*900", quota: int | None = None) -> int:
    extension_id: int = conn.execute(insert(extensions).values(
        number=number, account_id=account_id, kind="callback", ring_s=1, confirm_s=1, caller_id={},
        callback={"quota": quota},
    ).returning(extensions.c.id)).scalar_one()
    return extension_id


@pytest.fixture
def extension(conn: Connection, new_account: NewAccount) -> int:
    return new_extension(conn, new_account())


def add(
    conn: Connection, extension: int, number: str = "5551", credit: int | None = 5, **more: object,
) -> AuthorisedCaller:
    return callers.add_caller(
        conn, extension_id=extension, number=number, credit=None if credit is None else Micros(credit), at=1.0,
        **more,  # type: ignore[arg-type]
    )


def credit_of(conn: Connection, caller: AuthorisedCaller) -> Micros | None:
    assert ledger.audit(conn) == []
    return ledger.balance(conn, caller.account_id).available


def talk(conn: Connection, caller: AuthorisedCaller, cost: int, call_id: str = "c1") -> None:
    hold = ledger.place_hold(conn, call_id=call_id, leg="back", account_id=caller.account_id, rate=PER_SECOND,
                             amount=Micros(cost), at=2.0)
    ledger.settle(conn, hold.id, Micros(cost), 3.0)


def test_added_found_and_read_back(conn: Connection, extension: int) -> None:
    caller = add(conn, extension, order_number="A1", pin_hash="$", enabled=False, language="de")
    assert caller == AuthorisedCaller(caller.account_id, extension, caller.account_id, "5551", False, "$", "de", 1.0)
    assert callers.find_caller(conn, extension, "5551") == callers.get_caller(conn, caller.id) == caller
    assert (callers.find_caller(conn, extension, "5552"), callers.get_caller(conn, 9)) == (None, None)
    assert callers.recharges(conn, caller.id) == [Recharge("A1", Micros(5), Micros(5), 1.0)]


def test_the_wallet_is_an_account_below_the_owners_in_its_currency(conn: Connection, extension: int) -> None:
    caller = add(conn, extension)
    conn.execute(update(accounts).where(accounts.c.id == 1).values(currency="EUR"))
    other = add(conn, extension, "5552", None)
    assert [tuple(row) for row in conn.execute(select(
        accounts.c.id, accounts.c.name, accounts.c.kind, accounts.c.parent_id, accounts.c.plan, accounts.c.currency,
    ).where(accounts.c.id != 1))] == [
        (caller.account_id, "~caller-2", "caller", 1, "prepaid", "USD"),
        (other.account_id, "~caller-3", "caller", 1, "unlimited", "EUR"),
    ]


def test_two_extensions_may_authorise_one_number_but_one_only_once(conn: Connection, extension: int) -> None:
    one, other = add(conn, extension), add(conn, new_extension(conn, 1, "001*901"))
    assert one.account_id != other.account_id
    with pytest.raises(Duplicate, match="5551 is an authorised CallerID already") as refused:
        add(conn, extension)
    assert (refused.value.what, refused.value.value) == ("number", "5551")


def test_edited(conn: Connection, extension: int) -> None:
    caller = add(conn, extension, pin_hash="$")
    add(conn, extension, "5552")
    assert callers.edit_caller(conn, caller.id) == caller
    assert callers.edit_caller(conn, caller.id, number="5551", language="de") == replace(caller, language="de")
    assert callers.edit_caller(conn, caller.id, number="5553", pin_hash="") == replace(
        caller, language="de", number="5553", pin_hash="",
    )
    with pytest.raises(Duplicate, match="5552"):
        callers.edit_caller(conn, caller.id, number="5552")


def test_removed_but_its_wallet_stays_and_the_number_begins_anew(conn: Connection, extension: int) -> None:
    caller = add(conn, extension)
    talk(conn, caller, 2)
    assert [callers.remove_caller(conn, caller.id) for _ in range(2)] == [True, False]
    assert callers.search_callers(conn, extension) == []
    assert (credit_of(conn, caller), len(ledger.entries(conn, caller.account_id))) == (3, 2)
    again = add(conn, extension, credit=1)
    assert callers.get_caller(conn, caller.id) is None  # an id never comes to mean another row
    assert (credit_of(conn, again), credit_of(conn, caller)) == (1, 3)


def test_the_table_has_totals_credit_and_costs(conn: Connection, extension: int) -> None:
    one, two, free = add(conn, extension, "5552", 5), add(conn, extension, "5551", 9, enabled=False), add(
        conn, extension, "4_%1", None)
    talk(conn, one, 2)
    talk(conn, free, 7, "c2")
    callers.recharge_caller(conn, two.id, Micros(-4), "", 4.0)
    rows = [CallerRow(free, Micros(0), None, Micros(7)), CallerRow(two, Micros(5), Micros(5), Micros(0)),
            CallerRow(one, Micros(5), Micros(3), Micros(2))]
    assert callers.search_callers(conn, extension) == rows
    assert callers.search_callers(conn, extension, limit=1, offset=1) == rows[1:2]
    assert [row.caller for row in callers.search_callers(conn, extension, "555", enabled=True)] == [one]
    assert [row.caller for row in callers.search_callers(conn, extension, "_%")] == [free]
    assert callers.search_callers(conn, 9) == []
    assert [callers.count_callers(conn, extension, *where) for where in ((), ("555",), ("", False))] == [3, 2, 1]
    assert callers.active_count(conn, extension) == 2


def test_at21_unlimited_minus_10(conn: Connection, extension: int) -> None:
    caller = add(conn, extension, credit=None, order_number="A6")
    assert credit_of(conn, caller) is None
    row = callers.recharge_caller(conn, caller.id, Micros(-10_000_000), "A7", 7.0)
    assert row == Recharge("A7", Micros(-10_000_000), Micros(0), 7.0)
    assert credit_of(conn, caller) == 0
    assert callers.search_callers(conn, extension)[0].available == 0
    again = callers.recharge_caller(conn, caller.id, Micros(5_000_000), "A8", 8.0)
    assert again == Recharge("A8", Micros(5_000_000), Micros(5_000_000), 8.0)
    assert callers.recharges(conn, caller.id) == [Recharge("A6", None, None, 1.0), row, again]
    assert callers.recharges(conn, caller.id, "7") == [row]


@pytest.mark.parametrize(("before", "added", "left"), [
    pytest.param(None, 5, None, id="60: unlimited and positive stays unlimited"),
    pytest.param(None, None, None, id="unlimited twice"),
    pytest.param(5, -10, 0, id="H9: below zero is zero"),
    pytest.param(5, -2, 3, id="less"),
    pytest.param(5, 2, 7, id="more"),
    pytest.param(5, None, None, id="made unlimited"),
])
def test_a_recharge(conn: Connection, extension: int, before: int | None, added: int | None, left: int | None) -> None:
    caller = add(conn, extension, credit=before)
    row = callers.recharge_caller(conn, caller.id, None if added is None else Micros(added), "", 2.0)
    assert row == Recharge("", None if added is None else Micros(added), None if left is None else Micros(left), 2.0)
    assert credit_of(conn, caller) == left


def test_an_order_number_is_posted_once_and_gives_its_row_again(conn: Connection, extension: int) -> None:
    caller = add(conn, extension, credit=0)
    first = callers.recharge_caller(conn, caller.id, Micros(5), "A7", 2.0)
    callers.recharge_caller(conn, caller.id, Micros(1), "", 3.0)
    assert callers.recharge_caller(conn, caller.id, Micros(5), "A7", 4.0) == first
    assert credit_of(conn, caller) == 6
    for other in (Micros(6), None):
        with pytest.raises(Duplicate, match="A7"):
            callers.recharge_caller(conn, caller.id, other, "A7", 5.0)


def test_a_reduction_leaves_what_a_live_call_holds(conn: Connection, extension: int) -> None:
    caller = add(conn, extension)
    hold = ledger.place_hold(conn, call_id="c1", leg="back", account_id=caller.account_id, rate=PER_SECOND,
                             amount=Micros(2), at=2.0)
    assert callers.recharge_caller(conn, caller.id, Micros(-10), "", 3.0).left == 0
    assert ledger.extend_hold(conn, hold.id, Micros(1), 4.0) == 0
    assert callers.search_callers(conn, extension)[0].total == 2


def test_unknown_rows(conn: Connection, new_account: NewAccount) -> None:
    for verb in (callers.edit_caller, callers.recharges, lambda conn, row: callers.set_enabled(conn, row, True),
                 lambda conn, row: callers.recharge_caller(conn, row, Micros(1), "", 1.0)):
        with pytest.raises(StoreError, match="no authorised CallerID 9"):
            verb(conn, 9)
    with pytest.raises(StoreError, match="no extension 9"):
        add(conn, 9)


def test_at22_only_active_rows_count(conn: Connection, new_account: NewAccount) -> None:
    extension = new_extension(conn, new_account(), quota=2)
    first = add(conn, extension)
    assert callers.quota_of(conn, extension) == Quota(2, 1, 1)
    add(conn, extension, "5552")
    with pytest.raises(QuotaReached, match="2 authorised CallerIDs are active") as refused:
        add(conn, extension, "5553")
    assert refused.value.most == 2
    asleep = add(conn, extension, "5554", enabled=False)
    assert not callers.set_enabled(conn, first.id, False).enabled
    add(conn, extension, "5553")
    for row in (first, asleep):
        with pytest.raises(QuotaReached):
            callers.set_enabled(conn, row.id, True)
    third = callers.find_caller(conn, extension, "5553")
    assert third is not None
    assert callers.set_enabled(conn, third.id, True) == third
    assert callers.quota_of(conn, extension) == Quota(2, 2, 0)


@pytest.mark.parametrize(("own", "account", "server", "quota"), [
    pytest.param(None, None, None, Quota(None, 1, None), id="no limit"),
    pytest.param(3, None, None, Quota(3, 1, 2), id="the extension's"),
    pytest.param(None, 3, None, Quota(2, 1, 1), id="the account's, of which another extension uses one"),
    pytest.param(None, None, 4, Quota(2, 1, 1), id="the server's, of which others use two"),
    pytest.param(9, 9, 3, Quota(1, 1, 0), id="what leaves least counts"),
    pytest.param(0, None, None, Quota(1, 1, 0), id="lowered below what is active"),
])
def test_quota(
    conn: Connection, new_account: NewAccount, own: int | None, account: int | None, server: int | None, quota: Quota,
) -> None:
    mine = new_account()
    extension = new_extension(conn, mine)
    for owner in (extension, new_extension(conn, mine, "001*901"),
                  new_extension(conn, new_account(name="other"), "002*900")):
        add(conn, owner)
    conn.execute(update(extensions).where(extensions.c.id == extension).values(callback={"quota": own}))
    conn.execute(update(accounts).where(accounts.c.id == mine).values(caller_quota=account))
    if server is not None:
        write_meta(conn, CALLER_QUOTA, str(server))
    assert callers.quota_of(conn, extension) == quota


def test_parallel_additions_never_exceed_the_quota(url: str) -> None:
    def prepare(conn: Connection) -> int:
        account_id = conn.execute(insert(accounts).values(
            name="client", plan="prepaid", call_api=True, dial_plan={},
        ).returning(accounts.c.id)).scalar_one()
        return new_extension(conn, account_id, quota=3)

    extension = transact(url, prepare)
    start, ends = threading.Barrier(4), []

    def add_some(worker: int) -> None:
        start.wait(10)
        for n in range(3):
            try:
                transact(url, lambda conn, n=n: add(conn, extension, f"555{worker}{n}"))  # type: ignore[misc]
                ends.append("added")
            except QuotaReached:
                ends.append("refused")

    workers = [threading.Thread(target=add_some, args=(worker,)) for worker in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert (ends.count("added"), ends.count("refused")) == (3, 9)
    assert transact(url, lambda conn: callers.quota_of(conn, extension)) == Quota(3, 3, 0)
