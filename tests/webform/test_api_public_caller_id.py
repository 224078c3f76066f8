"""The API: what public calls of an extension show (SPEC 38-52)."""

from __future__ import annotations

import httpx
import pytest

from store.database import Database
from store.directory import load
from store.values import CallerId

SHOWN = "/api/v1/extensions/001*002/public-caller-id"
DEFAULTS = {
    "name_by": "server", "name": "", "number_by": "server", "number": "", "approved": False, "numbers": [],
    "default": "", "identity_headers": False, "anonymous": False,
}  # fmt: skip


async def kept(database: Database) -> CallerId:
    extension = (await database.read(load)).extension("001*002")
    assert extension is not None
    return extension.caller_id


async def test_the_rules_and_the_numbers_of_the_account(tenant: httpx.AsyncClient) -> None:
    """Rule 45: what each rings, its trunk, and whether it is the default."""
    answer = (await tenant.get(SHOWN)).json()
    available = answer.pop("available")
    assert answer == DEFAULTS
    assert available == [
        {"number": "5555550000", "rings_back_to": "001*002", "resource": "R1", "default": "-"},
        {"number": "5555550009", "rings_back_to": "-", "resource": "-", "default": "-"},
    ]


async def test_numbers_are_associated_and_one_is_the_default(tenant: httpx.AsyncClient, database: Database) -> None:
    before = (await database.read(load)).version
    change = {"numbers": ["5555550009", "5555550000"], "default": "5555550009", "anonymous": True}
    answer = await tenant.patch(SHOWN, json=change)
    assert [row["default"] for row in answer.json()["available"]] == ["Set as default", "Yes"]
    assert await kept(database) == CallerId(numbers=("5555550009", "5555550000"), default="5555550009", anonymous=True)
    assert (await database.read(load)).version > before
    await tenant.patch("/api/v1/extensions/001002/public-caller-id", json={"numbers": [], "default": ""})
    assert await kept(database) == CallerId(anonymous=True)


async def test_a_number_by_user_is_saved_and_approved_by_the_operator(
    tenant: httpx.AsyncClient, operator: httpx.AsyncClient, database: Database
) -> None:
    """AT-23; another number is another approval."""
    assert (await tenant.patch(SHOWN, json={"number_by": "user", "number": "123"})).json()["approved"] is False
    assert (await operator.patch(SHOWN, json={"approved": True})).json()["approved"] is True
    assert (await tenant.patch(SHOWN, json={"name": "J", "name_by": "user"})).json()["approved"] is True
    assert await kept(database) == CallerId("user", "J", "user", "123", True)
    assert (await tenant.patch(SHOWN, json={"number": "124"})).json()["approved"] is False


@pytest.mark.parametrize(("change", "status", "field"), [
    pytest.param({"number_by": "user", "number": "12"}, 422, "number", id="39: two digits"),
    pytest.param({"number_by": "user", "number": "12a"}, 422, "number", id="39: not numeric"),
    pytest.param({"number_by": "me"}, 422, "number_by", id="no such choice"),
    pytest.param({"default": "5555550000"}, 422, "default", id="H6: a default that is not associated"),
    pytest.param({"numbers": ["5555558888"]}, 422, "numbers", id="43: a number of others"),
    pytest.param({"numbers": ["999"]}, 422, "numbers", id="43: nobody's number"),
    pytest.param({"name": "a\r\nVia: b"}, 422, "name", id="a line break in a name"),
    pytest.param({"approved": True}, 403, "approved", id="an approval"),
    pytest.param({"number_by": "equipment"}, 403, "number_by", id="what the phone says"),
    pytest.param({"colour": "red"}, 422, "colour", id="no such rule"),
])  # fmt: skip
async def test_a_wrong_change_is_refused_whole(
    tenant: httpx.AsyncClient, database: Database, change: dict[str, object], status: int, field: str
) -> None:
    answer = await tenant.patch(SHOWN, json={"anonymous": True} | change)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert await kept(database) == CallerId()


async def test_an_extension_of_others_is_not_there(tenant: httpx.AsyncClient) -> None:
    there = "/api/v1/extensions/002*900/public-caller-id"
    assert (await tenant.get(there)).status_code == 404
    assert (await tenant.patch(there, json={})).status_code == 404
