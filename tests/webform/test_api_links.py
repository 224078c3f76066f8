"""The API: signed links (SPEC A12.7)."""

from __future__ import annotations

import httpx
import pytest

from store.database import Database
from tests.webform.api import api_app, as_holder
from tests.webform.ground import BASE, Clock

LINKS = "/api/v1/extensions/001*002/links"


async def states(client: httpx.AsyncClient, query: str = "") -> list[str]:
    return [row["state"] for row in (await client.get(f"{LINKS}{query}")).json()]


async def test_an_owner_makes_lists_and_revokes_links(tenant: httpx.AsyncClient, clock: Clock) -> None:
    wanted = {"number": "555-222-3333", "name": " Mary ", "label": "letter of May", "uses": 2, "valid_hours": 24}
    answer = await tenant.post(LINKS, json=wanted)
    assert answer.status_code == 201
    made = answer.json()
    row = made["link"]
    assert row | {"id": "", "made": ""} == {
        "id": "", "extension": "001*002", "state": "open", "number": "5552223333", "name": "Mary",
        "label": "letter of May", "uses": 2, "left": 2, "made": "", "expires": "2026-11-22T03:40:00Z", "last_used": "",
    }  # fmt: skip
    assert made["url"].startswith(f"{BASE}/callnow/john_doe?link=")
    token = made["url"].rpartition("=")[2]
    assert made["one_step_url"] == f"{BASE}/callnow/index.php?call=john_doe&link={token}&now=1"
    assert made["worst_case"] == "0.00 USD"
    assert "owner WILL be charged" in made["warning"]
    other = (await tenant.post(LINKS, json={})).json()["link"]
    clock.now += 1
    assert {each["id"] for each in (await tenant.get(LINKS)).json()} == {row["id"], other["id"]}
    assert (await tenant.get(f"{LINKS}?q=of+May&usable=true")).json() == [row]
    assert (await tenant.get(f"{LINKS}?q=nothing")).json() == []
    assert token not in (await tenant.get(LINKS)).text
    gone = await tenant.delete(f"{LINKS}/{row['id']}")
    assert (gone.status_code, (await tenant.delete(f"{LINKS}/{'0' * 12}")).status_code) == (204, 404)
    assert await states(tenant, "?q=May") == ["revoked"]
    assert await states(tenant, "?q=May&usable=true") == []
    clock.now += 168 * 3600
    assert sorted(await states(tenant)) == ["expired", "revoked"]


@pytest.mark.parametrize(("body", "field"), [
    ({"number": "911"}, "number"), ({"number": "001*002"}, "number"), ({"uses": 0}, "uses"),
    ({"uses": 100_001}, "uses"), ({"uses": "2"}, "uses"), ({"valid_hours": 9000}, "valid_hours"),
    ({"name": "x" * 81}, "name"), ({"name": "a\nb"}, "name"), ({"label": "\u202e"}, "label"), ({"days": 1}, "days"),
])
async def test_a_wrong_field_is_named(tenant: httpx.AsyncClient, body: dict[str, object], field: str) -> None:
    answer = await tenant.post(LINKS, json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert (await tenant.get(LINKS)).json() == []


async def test_a_tenant_has_links_of_its_own_pages_only(tenant: httpx.AsyncClient, operator: httpx.AsyncClient) -> None:
    for path in ("002*900", "009"):
        assert (await tenant.get(f"/api/v1/extensions/{path}/links")).status_code == 404
        assert (await tenant.post(f"/api/v1/extensions/{path}/links", json={})).status_code == 404
    no_page = await operator.post("/api/v1/extensions/002*900/links", json={})
    assert (no_page.status_code, no_page.json()["field"]) == (422, "extension")
    link = (await operator.post(LINKS, json={})).json()["link"]["id"]
    assert (await tenant.delete(f"/api/v1/extensions/002*900/links/{link}")).status_code == 404
    assert (await operator.delete(f"/api/v1/extensions/001*900/links/{link}")).status_code == 404


async def test_the_operator_rotates_the_key(tenant: httpx.AsyncClient, operator: httpx.AsyncClient) -> None:
    await tenant.post(LINKS, json={})
    assert (await tenant.post("/api/v1/link-keys", json={})).status_code == 403
    kept = await operator.post("/api/v1/link-keys", json={"keep_links": True})
    assert (kept.status_code, kept.json(), await states(tenant)) == (201, {"links_ended": 0}, ["open"])
    ended = await operator.post("/api/v1/link-keys", json={})
    assert (ended.json(), await states(tenant)) == ({"links_ended": 1}, ["key-rotated"])


async def test_without_a_token_of_the_api_there_is_nothing(database: Database, clock: Clock) -> None:
    async with as_holder(api_app(database, clock), "wrong") as stranger:
        assert (await stranger.post(LINKS, json={})).status_code == 401
        assert (await stranger.post("/api/v1/link-keys", json={})).status_code == 401
