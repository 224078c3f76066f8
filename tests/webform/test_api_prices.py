"""Rates, prices and configuration by the API: the operator's alone, changes hold, faults name line and field."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from store.directory import load
from tests.webform.api import OPERATOR, TENANT, api_app, as_holder
from tests.webform.ground import Clock

CSV = {"Content-Type": "text/csv"}
TOML = {"Content-Type": "application/toml"}
DECK = "prefix,first_cost,increment_cost\n44,0.005,0.005\n"
PLAN = """
[[interval]]
name = "night"
limits = [{ hours = "22:00-06:00" }]

[[charging_plan]]
name = "gold"
free_minutes = 5
"""


async def test_rates_are_imported_seen_and_exported(database: Any, clock: Clock) -> None:
    async with as_holder(api_app(database, clock), OPERATOR) as api:
        dry = await api.post("/api/v1/rate-tables/carrier/rates/import?dry_run=true", content=DECK, headers=CSV)
        assert dry.json() == {"added": 1, "changed": 0, "removed": 0, "unchanged": 0, "dry_run": True}
        assert (await api.get("/api/v1/rate-tables/carrier/rates")).status_code == 404
        await api.post("/api/v1/rate-tables/carrier/rates/import", content=DECK, headers=CSV)
        rates = (await api.get("/api/v1/rate-tables/carrier/rates?prefix=44")).json()
        assert [(each["prefix"], each["formula"]) for each in rates] == [
            ("44", "0.005 for the first 60 s, then 0.005 for every 60 s begun"),
        ]
        await api.post("/api/v1/rate-tables/plus/rates/import?plus=true", content=DECK, headers=CSV)
        assert [each["prefix"] for each in (await api.get("/api/v1/rate-tables/plus/rates")).json()] == ["+44"]
        out = await api.get("/api/v1/rate-tables/carrier/rates/export.csv")
        again = await api.post("/api/v1/rate-tables/carrier/rates/import", content=out.content, headers=CSV)
        assert again.json()["unchanged"] == 1
        bad = await api.post(
            "/api/v1/rate-tables/carrier/rates/import", content=DECK + "45,0.005,dear\n", headers=CSV
        )
        assert (bad.status_code, bad.json()["line"], bad.json()["field"]) == (422, 3, "increment_cost")


async def test_a_table_is_cloned_into_another(database: Any, clock: Clock) -> None:
    async with as_holder(api_app(database, clock), OPERATOR) as api:
        path = "/api/v1/rate-tables"
        await api.post(f"{path}/carrier/rates/import", content=DECK + "45,0.1,0.1\n", headers=CSV)
        await api.post(f"{path}/new/rates/import", content="prefix,first_cost\n45,7\n", headers=CSV)
        dry = await api.post(f"{path}/new/rates/clone?source=carrier&dry_run=true")
        assert (dry.status_code, dry.json()) == (200, {"added": 1, "kept": 1, "dry_run": True})
        assert len((await api.get(f"{path}/new/rates")).json()) == 1
        done = await api.post(f"{path}/new/rates/clone?source=carrier")
        assert done.json() == {"added": 1, "kept": 1, "dry_run": False}
        rates = (await api.get(f"{path}/new/rates")).json()
        assert [(each["prefix"], each["first_cost"]) for each in rates] == [("44", "0.005"), ("45", "7.00")]
        for query, status, says in (
            ("source=nowhere", 404, "There is no rate table nowhere."), ("", 422, "source: which table?"),
            ("source=new", 422, "Both are the rate table new."), ("source=carrier&dry_run=perhaps", 422, "dry_run"),
        ):  # fmt: skip
            refused = await api.post(f"{path}/new/rates/clone?{query}")
            assert refused.status_code == status
            assert says in refused.json()["error"]


async def test_two_clones_at_once_add_each_rate_once(database: Any, clock: Clock) -> None:
    async with as_holder(api_app(database, clock), OPERATOR) as api:
        path = "/api/v1/rate-tables"
        await api.post(f"{path}/carrier/rates/import", content=DECK, headers=CSV)
        both = await asyncio.gather(*(api.post(f"{path}/new/rates/clone?source=carrier") for _ in range(2)))
        assert sorted(each.json()["added"] for each in both) == [0, 1]
        assert len((await api.get(f"{path}/new/rates")).json()) == 1


async def test_a_price_is_explained(database: Any, clock: Clock) -> None:
    async with as_holder(api_app(database, clock), OPERATOR) as api:
        any_number = "prefix,first_interval_s,first_cost,increment_s,increment_cost\n,30,0.10,30,0.10\n"
        await api.post("/api/v1/rate-tables/default/rates/import", content=any_number, headers=CSV)
        await api.post("/api/v1/configuration", content='[[route]]\ntrunk = "R1"\n', headers=TOML)
        told = (await api.get("/api/v1/prices?number=041-234-5678&account=acme")).json()
        assert (told["number"], told["sell"]["prefix"], told["sell"]["table"]) == ("0412345678", "", "default")
        assert {"seconds": 180, "price": "0.60"} in told["prices"]
        assert [each["trunk"] for each in told["trunks"]] == ["R1"]
        assert (await api.get("/api/v1/prices?number=0412345678")).json()["field"] == "account"
        assert (await api.get("/api/v1/prices")).json()["field"] == "number"


async def test_configuration_is_applied_or_refused_with_line_and_field(database: Any, clock: Clock) -> None:
    async with as_holder(api_app(database, clock), OPERATOR) as api:
        dry = await api.post("/api/v1/configuration?dry_run=true", content=PLAN, headers=TOML)
        assert "created   interval night" in dry.json()["lines"]
        assert not (await database.read(load)).intervals
        done = await api.post("/api/v1/configuration", content=PLAN, headers=TOML)
        assert "created   charging plan gold" in done.json()["lines"]
        directory = await database.read(load)
        assert (directory.charging_plans["gold"].free_minutes, len(directory.trunks)) == (5, 1)
        bad = await api.post("/api/v1/configuration", content=PLAN.replace("22:00", "25:00"), headers=TOML)
        assert (bad.status_code, bad.json()["line"], bad.json()["field"]) == (422, 4, "interval[0].limits")
        assert bad.json()["error"] == 'Line 4: limits: hours: "25:00-06:00" is not as in "08:00-20:00"'


async def test_every_fault_of_a_document_is_told(operator: httpx.AsyncClient, database: Any) -> None:
    """With its line, its place and why; and nothing is kept."""
    bad = """
[[interval]]
name = "night"
limits = [{ hours = "25:00-06:00" }]
[[route]]
trunk = "R9"
[[charging_plan]]
nme = "gold"
"""
    answer = await operator.post("/api/v1/configuration", content=bad, headers=TOML)
    assert answer.json()["faults"] == [
        {"field": "charging_plan[0].name", "reason": 'this charging_plan needs "name"', "line": 7},
        {"field": "charging_plan[0].nme", "reason": 'unknown key "nme"; did you mean "name"?', "line": 8},
    ]
    answer = await operator.post("/api/v1/configuration", content=bad.replace("nme", "name"), headers=TOML)
    assert [(each["line"], each["field"]) for each in answer.json()["faults"]] == [(4, "interval[0].limits")]
    answer = await operator.post(
        "/api/v1/configuration", content=bad.replace("nme", "name").replace("25:", "22:"), headers=TOML,
    )  # fmt: skip
    assert [(each["line"], each["field"]) for each in answer.json()["faults"]] == [(6, "route[0].trunk")]
    assert not (await database.read(load)).intervals


@pytest.mark.parametrize("content", [
    pytest.param(b"a = " + b"[" * 50_000, id="nested too deeply"), pytest.param(b"\xff", id="no UTF-8"),
    pytest.param(b"[[account]]\nname = ", id="no TOML"),
])  # fmt: skip
async def test_what_is_no_document_is_refused(operator: httpx.AsyncClient, content: bytes) -> None:
    answer = await operator.post("/api/v1/configuration", content=content, headers=TOML)
    assert (answer.status_code, bool(answer.json()["error"])) == (422, True)


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/rate-tables"), ("GET", "/rate-tables/at-12/rates"), ("GET", "/rate-tables/at-12/rates/export.csv"),
    ("POST", "/rate-tables/at-12/rates/import"), ("POST", "/rate-tables/x/rates/clone?source=at-12"),
    ("GET", "/prices?number=5551234567"), ("GET", "/margins"),
    ("POST", "/configuration"),
])  # fmt: skip
async def test_a_tenant_sees_and_changes_none_of_it(database: Any, clock: Clock, method: str, path: str) -> None:
    async with as_holder(api_app(database, clock), TENANT) as api:
        headers = TOML if path == "/configuration" else CSV
        answer = await api.request(method, f"/api/v1{path}", content=DECK, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (
            403, "Prices, costs and configuration are the operator's.",
        )  # fmt: skip
