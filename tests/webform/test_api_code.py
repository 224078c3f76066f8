"""The API: the code that a call has spoken, typed back (SPEC 39)."""

from __future__ import annotations

import asyncio
from functools import partial

import httpx
import pytest

from b2bua.codes.call import CodeCallRequest
from b2bua.codes.calls import NewCode
from b2bua.codes.confirm import approve_by_code, take_try
from b2bua.desk import Holder, NotDone, TypedCode
from store import codes
from store.codes import Code
from store.database import Database
from store.directory import load
from store.values import CallerId, Extension
from tests.webform.api import OPERATOR, TENANT, api_app, as_holder, leave_spoken
from tests.webform.ground import Clock

SHOWN = "/api/v1/extensions/001*002/public-caller-id"
CODE, CALL = f"{SHOWN}/code", f"{SHOWN}/code-call"
DIGITS, NUMBER = "407216", "5551234567"
WHO = Holder("tenant", 1)


@pytest.fixture
async def tenant(database: Database, clock: Clock) -> httpx.AsyncClient:
    """The owner, who wants to show a number."""
    async with as_holder(api_app(database, clock), TENANT) as client:
        assert (await client.patch(SHOWN, json={"number_by": "user", "number": NUMBER})).status_code == 200
        yield client  # type: ignore[misc]


async def spoken(database: Database, at: float, digits: str = DIGITS) -> None:
    await database.run(partial(leave_spoken, "001*002", digits, at))


async def kept(database: Database) -> CallerId:
    extension = (await database.read(load)).extension("001*002")
    assert extension is not None
    return extension.caller_id


async def says(client: httpx.AsyncClient, code: str = DIGITS) -> tuple[int, str]:
    answer = await client.post(CODE, json={"code": code})
    return answer.status_code, answer.json().get("error", "")


async def test_the_right_code_approves_the_number_once(
    tenant: httpx.AsyncClient, database: Database, clock: Clock
) -> None:  # fmt: skip
    await spoken(database, clock())
    before = (await database.read(load)).version
    where = (await tenant.get(CALL)).json()
    assert where == {
        "number": NUMBER, "reason": "code-spoken", "sentence": "The code was spoken to whoever answered.",
        "at": "2026-11-21T03:40:00Z", "confirm_until": "2026-11-21T03:50:00Z", "tries_left": 3,
    }  # fmt: skip
    answer = await tenant.post(CODE, json={"code": "407-216"})
    assert (answer.status_code, answer.json()["approved"]) == (200, True)
    assert (await kept(database)).approved
    assert (await database.read(load)).version > before
    assert await says(tenant) == (409, f"{NUMBER} is approved already.")
    where = (await tenant.get(CALL)).json()
    assert (where["confirm_until"], where["tries_left"]) == ("", 0)


async def test_three_tries_and_no_more(tenant: httpx.AsyncClient, database: Database, clock: Clock) -> None:
    await spoken(database, clock())
    told = [await says(tenant, wrong) for wrong in ("407215", "000000", "407217")]
    assert [status for status, _ in told] == [422] * 3
    assert [sentence.rpartition("; ")[2] for _, sentence in told] == [f"tries left: {left}." for left in (2, 1, 0)]
    assert await says(tenant) == (409, "Too many wrong codes: ask for another call.")
    assert not (await kept(database)).approved
    assert (await tenant.get(CALL)).json()["tries_left"] == 0


async def test_tries_at_once_are_no_more_than_tries_in_turn(
    tenant: httpx.AsyncClient, database: Database, clock: Clock
) -> None:  # fmt: skip
    await spoken(database, clock())
    answers = await asyncio.gather(*(says(tenant, f"{n:06}") for n in range(12)))
    assert sorted(status for status, _ in answers) == [409] * 9 + [422] * 3
    assert await says(tenant) == (409, "Too many wrong codes: ask for another call.")


@pytest.mark.parametrize("typed", ["", "40721", "4072166", "40721a", "４０７２１６", "the code"])
async def test_what_is_no_code_is_no_try(
    tenant: httpx.AsyncClient, database: Database, clock: Clock, typed: str
) -> None:  # fmt: skip
    await spoken(database, clock())
    answer = await tenant.post(CODE, json={"code": typed})
    assert (answer.status_code, answer.json()["field"]) == (422, "code")
    assert (await tenant.get(CALL)).json()["tries_left"] == 3


async def test_ten_minutes(tenant: httpx.AsyncClient, database: Database, clock: Clock) -> None:
    await spoken(database, clock())
    clock.now += 600.5
    assert await says(tenant) == (409, f"No code of {NUMBER} counts now: ask for a call first.")
    await spoken(database, clock())
    clock.now += 599.5
    assert (await says(tenant))[0] == 200


async def test_a_code_for_an_older_number_does_not_approve_the_newer(
    tenant: httpx.AsyncClient, database: Database, clock: Clock
) -> None:  # fmt: skip
    await spoken(database, clock())
    await tenant.patch(SHOWN, json={"number": "5557654321"})
    assert await says(tenant) == (409, "No code of 5557654321 counts now: ask for a call first.")
    await tenant.patch(SHOWN, json={"number": NUMBER})
    assert (await says(tenant))[0] == 200, "it is this number's, and nobody has lost it"
    await tenant.patch(SHOWN, json={"number": "5557654321"})
    assert not (await kept(database)).approved


@pytest.mark.parametrize("moved", ["number", "call", "rule"])
async def test_what_changes_while_the_code_is_looked_at(
    tenant: httpx.AsyncClient, database: Database, clock: Clock, moved: str
) -> None:
    """Between the try and the approval, for which the slow hash leaves time."""
    await spoken(database, clock())
    tried = await database.run(lambda conn: take_try(conn, WHO, "001*002", clock()))
    if moved == "call":
        await spoken(database, clock())
    else:
        change = {"number": "5557654321"} if moved == "number" else {"number_by": "server"}
        assert (await tenant.patch(SHOWN, json=change)).status_code == 200
    with pytest.raises(NotDone, match="changed meanwhile") as refused:
        await database.run(lambda conn: approve_by_code(conn, WHO, "001*002", tried, clock()))
    assert refused.value.status == 409
    assert not (await kept(database)).approved


async def test_the_code_of_a_newer_call_is_the_only_one(
    tenant: httpx.AsyncClient, database: Database, clock: Clock
) -> None:  # fmt: skip
    await spoken(database, clock())
    await spoken(database, clock(), "111222")
    assert (await says(tenant))[0] == 422
    assert (await says(tenant, "111222"))[0] == 200


async def test_a_code_that_nobody_has_heard_does_not_count(
    tenant: httpx.AsyncClient, database: Database, clock: Clock
) -> None:  # fmt: skip
    await spoken(database, clock())
    await database.run(lambda conn: codes.ask(conn, 2, NUMBER, "ringing", "x", clock()))
    assert await says(tenant) == (409, "The code was not spoken yet.")
    await database.run(lambda conn: codes.forget(conn, "ringing", unspoken=True))
    assert await says(tenant) == (409, f"No code of {NUMBER} counts now: ask for a call first.")


async def test_without_a_running_server_nobody_is_called(tenant: httpx.AsyncClient) -> None:
    answer = await tenant.post(CALL)
    assert (answer.status_code, answer.json()["error"]) == (409, "Only a running server can call.")
    assert (await tenant.get(CALL)).status_code == 404
    assert await says(tenant) == (409, f"No code of {NUMBER} counts now: ask for a call first.")


async def test_a_number_by_server_needs_no_code(database: Database, clock: Clock) -> None:
    async with as_holder(api_app(database, clock), OPERATOR) as operator:
        sentence = "The number is not set by the user, so there is nothing to prove."
        assert await says(operator) == (409, sentence)


@pytest.mark.parametrize("number", ["002*900", "9"])
async def test_an_extension_of_others_is_not_there(tenant: httpx.AsyncClient, number: str) -> None:
    path = f"/api/v1/extensions/{number}/public-caller-id"
    assert (await tenant.get(f"{path}/code-call")).status_code == 404
    assert (await tenant.post(f"{path}/code", json={"code": DIGITS})).status_code == 404


def test_no_value_shows_the_code_by_accident() -> None:
    assert DIGITS not in repr(TypedCode(DIGITS))
    assert DIGITS not in repr(NewCode(DIGITS, "hash"))
    assert DIGITS not in repr(CodeCallRequest(Extension(1, "001*002", 1), NUMBER, DIGITS))
    assert "hash" not in repr(Code(1, NUMBER, "c1", "hash", None, 0)).replace("code_hash", "")
