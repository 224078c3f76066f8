"""The money of accounts by the API: recharged by the operator, once for each order number; seen from above only."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from store import ledger, tables
from store.callers import add_caller
from store.database import Database
from store.values import Micros, Rate
from tests.webform.ground import Clock

ACCOUNTS = "/api/v1/accounts"
ACME = f"{ACCOUNTS}/acme"
FIVE = {"amount": "5", "order_number": "A1"}


async def has(api: httpx.AsyncClient, account: str = "acme") -> tuple[str, str, str]:
    """Balance, held, available."""
    answer = await api.get(f"{ACCOUNTS}/{account}/balance")
    assert answer.status_code == 200, answer.text
    now = answer.json()
    return now["balance"], now["held"], now["available"]


async def test_an_account_is_recharged_and_tells_what_it_has(operator: httpx.AsyncClient) -> None:
    done = await operator.post(f"{ACME}/recharges", json=FIVE)
    assert (done.status_code, done.json()) == (201, {
        "order_number": "A1", "credit_added": "5.00", "credit_left": "5.00", "added": "2026-11-21T03:40:00Z",
        "balance": "5.00", "held": "0.00", "available": "5.00", "currency": "USD",
    })  # fmt: skip
    assert (await operator.get(f"{ACME}/balance")).json() == {
        "balance": "5.00", "held": "0.00", "available": "5.00", "currency": "USD",
    }  # fmt: skip


async def test_an_order_number_is_posted_once_in_each_account(operator: httpx.AsyncClient, database: Database) -> None:
    await operator.post(f"{ACME}/recharges", json=FIVE)
    await operator.post(f"{ACME}/recharges", json={"amount": "-2"})
    again = await operator.post(f"{ACME}/recharges", json=FIVE)
    assert (again.status_code, again.json()["credit_left"], again.json()["balance"]) == (201, "5.00", "3.00")
    other = await operator.post(f"{ACME}/recharges", json=FIVE | {"amount": "6"})
    assert (other.status_code, other.json()["field"]) == (409, "order_number")
    assert (await operator.post(f"{ACCOUNTS}/other/recharges", json=FIVE | {"amount": "6"})).json()["balance"] == "6.00"
    assert (await has(operator))[0] == "3.00"
    entries = await database.read(lambda conn: ledger.entries(conn, 1))
    assert [each.amount for each in entries] == [5_000_000, -2_000_000]


@pytest.mark.parametrize(("plan", "limit", "left"), [
    pytest.param("prepaid", None, ("1.50", "1.50", "0.00"), id="prepaid: what the live call has spent stays"),
    pytest.param("postpaid", 20_000_000, ("-7.00", "4.00", "9.00"), id="postpaid: below zero, and the limit counts"),
    pytest.param("postpaid", None, ("-7.00", "4.00", "unlimited"), id="postpaid without a limit"),
])  # fmt: skip
async def test_money_is_taken_but_not_what_a_live_call_has_spent(
    operator: httpx.AsyncClient, database: Database, clock: Clock, plan: str, limit: int | None, left: tuple[str, ...]
) -> None:
    rate = Rate(first_interval_s=30, first_cost=Micros(500_000), increment_s=30, increment_cost=Micros(500_000))
    await operator.post(f"{ACME}/recharges", json=FIVE)

    def calls(conn: Any) -> None:
        changed = update(tables.accounts).where(tables.accounts.c.id == 1)
        conn.execute(changed.values(plan=plan, credit_limit=limit))
        hold = ledger.place_hold(
            conn, call_id="c", leg="pstn", account_id=1, rate=rate, amount=Micros(4_000_000), at=clock() - 70,
        )  # fmt: skip
        ledger.mark_answered(conn, hold.id, clock() - 70)

    await database.run(calls)
    assert (await has(operator))[:2] == ("5.00", "4.00")
    taken = (await operator.post(f"{ACME}/recharges", json={"amount": "-12"})).json()
    assert (taken["balance"], taken["held"], taken["available"]) == left == await has(operator)
    assert await database.read(ledger.audit) == []


@pytest.mark.parametrize(("sent", "field", "says"), [
    ({"amount": "0"}, "amount", "nothing to add"),
    ({"amount": "five"}, "amount", "no amount"),
    ({"amount": " unlimited "}, "amount", "postpaid"),
    ({"amount": "9" * 10}, "amount", "the most at once"),
    ({"amount": "1", "order_number": "x" * 65}, "order_number", "up to 64"),
    pytest.param({"amount": "1", "order_number": " opening"}, "order_number", "server's own", id="that of `apply`"),
    pytest.param({"amount": "1", "order_number": "fee 2026-11"}, "order_number", "server's own", id="that of a fee"),
])  # fmt: skip
async def test_what_is_wrong_adds_nothing(
    operator: httpx.AsyncClient, sent: dict[str, str], field: str, says: str
) -> None:
    answer = await operator.post(f"{ACME}/recharges", json=sent)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert says in answer.json()["error"]
    assert await has(operator) == ("0.00", "0.00", "0.00")


async def test_an_accounts_token_sees_its_own_money_and_below_and_recharges_nothing(
    operator: httpx.AsyncClient, tenant: httpx.AsyncClient
) -> None:
    await operator.post(ACCOUNTS, json={"name": "shop", "parent": "acme", "credit": "2"})
    assert await has(tenant, "shop") == ("2.00", "0.00", "2.00")
    assert await has(tenant) == ("0.00", "0.00", "0.00")
    for name in ("other", "nobody"):
        path = f"{ACCOUNTS}/{name}"
        seen = await tenant.get(f"{path}/balance"), await tenant.post(f"{path}/recharges", json=FIVE)
        assert {(each.status_code, each.json()["error"]) for each in seen} == {(404, f"There is no account {name}.")}
    for name in ("acme", "shop"):
        answer = await tenant.post(f"{ACCOUNTS}/{name}/recharges", json=FIVE)
        assert (answer.status_code, answer.json()["field"]) == (403, "amount")
    assert await has(operator, "shop") == ("2.00", "0.00", "2.00")


async def test_a_callers_wallet_is_no_account_and_a_name_may_have_a_slash(
    operator: httpx.AsyncClient, database: Database
) -> None:
    caller = await database.run(lambda conn: add_caller(conn, extension_id=1, number="1", credit=None, at=0.0))
    wallet = await database.read(lambda conn: conn.execute(
        select(tables.accounts.c.name).where(tables.accounts.c.id == caller.account_id)
    ).scalar_one())  # fmt: skip
    assert (await operator.post(f"{ACCOUNTS}/{wallet}/recharges", json=FIVE)).status_code == 404
    await operator.post(ACCOUNTS, json={"name": "a/b"})
    assert (await operator.post(f"{ACCOUNTS}/a%2Fb/recharges", json=FIVE)).status_code == 201
    assert await has(operator, "a%2Fb") == ("5.00", "0.00", "5.00")
    assert (await operator.get(f"{ACCOUNTS}/a%2Fb")).json()["name"] == "a/b"
