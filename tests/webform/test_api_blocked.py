"""The API: numbers that pages do not call (SPEC A12.6)."""

from __future__ import annotations

import httpx
import pytest

from b2bua.plan.apply import apply, parse
from store.blocked import block
from store.database import Database
from tests.webform.ground import Clock

BLOCKED = "/api/v1/blocked-numbers"
JOHN = {"number": "555-222-3333", "extension": "001002"}


async def test_an_owner_blocks_a_number_for_a_page(tenant: httpx.AsyncClient, clock: Clock) -> None:
    answer = await tenant.post(BLOCKED, json=JOHN)
    row = answer.json()
    assert (answer.status_code, row["number"], row["extension"], row["by"]) == (201, "5552223333", "001*002", "owner")
    assert (await tenant.post(BLOCKED, json=JOHN)).json() == row
    assert (await tenant.get(BLOCKED, params={"q": "555-222"})).json() == [row]
    assert (await tenant.get(BLOCKED, params={"q": "9"})).json() == []
    gone = f"{BLOCKED}/5552223333?extension=001*002"
    assert ((await tenant.delete(gone)).status_code, (await tenant.delete(gone)).status_code) == (204, 404)


async def test_the_operator_sees_and_frees_all(
    operator: httpx.AsyncClient, tenant: httpx.AsyncClient, database: Database
) -> None:
    await database.run(lambda conn: block(conn, "+15550001111", None, "visitor", 1.0))
    await operator.post(BLOCKED, json=JOHN)
    assert [row["by"] for row in (await operator.get(BLOCKED)).json()] == ["operator", "visitor"]
    assert [row["number"] for row in (await tenant.get(BLOCKED)).json()] == ["5552223333"]
    assert (await tenant.delete(f"{BLOCKED}/+15550001111")).status_code == 403
    assert (await operator.delete(f"{BLOCKED}/+15550001111")).status_code == 204


async def test_for_all_pages_a_number_is_as_some_account_writes_it(
    operator: httpx.AsyncClient, database: Database
) -> None:
    for number in ("5552223333", "+15552223333"):
        assert (await operator.post(BLOCKED, json={"number": number})).status_code == 201
    in_e164 = '[[account]]\nname = "acme"\n[[account]]\nname = "other"\ncurrency = "EUR"\n'
    await database.run(lambda conn: apply(conn, parse(in_e164, "f.toml"), 0.0, "", str))
    answer = await operator.post(BLOCKED, json={"number": "5552223333"})
    assert (answer.status_code, answer.json()["field"]) == (422, "number")
    assert '"5552223333" matches nothing: numbers begin with + in mode e164' in answer.text.replace('\\"', '"')
    assert (await operator.delete(f"{BLOCKED}/5552223333")).status_code == 204, "what was blocked before can be freed"


@pytest.mark.parametrize(("body", "status", "field"), [
    pytest.param({"number": "5552223333"}, 403, "extension", id="all pages are the operator's"),
    pytest.param({"number": "5552223333", "extension": "002*900"}, 404, "", id="an extension of others"),
    pytest.param({"number": "911", "extension": "001*002"}, 422, "number", id="a number that is not called anyway"),
    pytest.param({"extension": "001*002"}, 422, "number", id="no number"),
])  # fmt: skip
async def test_a_wrong_order_is_refused(
    tenant: httpx.AsyncClient, body: dict[str, str], status: int, field: str
) -> None:
    answer = await tenant.post(BLOCKED, json=body)
    assert (answer.status_code, answer.json().get("field", "")) == (status, field)
