"""The API's OpenAPI document and docs/api.md say what the API does: routes, names, fields; each example is run."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from b2bua.desk import CallbackView, Holder, LadderRow
from b2bua.plan.entries import CallbackEntry
from store import journal
from store.values import CallbackSettings
from tests.webform.api import LIST, OPERATOR, api_app, as_holder, leave_spoken, opened
from tests.webform.ground import Clock, client_of, served

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "api.md").read_text()
ROW = LadderRow(0, 0.0, "sip", 0, 1, "BYE", "BYE sip:b@h SIP/2.0\r\n\r\n", "UDP", "192.0.2.1:5070", "192.0.2.9:5060")
A = {"number": "5551111111", "credit": "5.00", "order_number": "A1"}


@pytest.fixture
async def document(app: Starlette) -> dict[str, Any]:
    async with client_of(app) as anyone:
        answer = await anyone.get("/api/v1/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
async def app(tmp_path: Path, clock: Clock) -> Any:
    async with opened(tmp_path) as database:
        await database.run(lambda conn: journal.write_ladder(conn, "c1", 1000.0, [ROW]))

        async def spoken(who: Holder, extension: str) -> None:
            """What a call leaves that has spoken the code of the guide."""
            await database.run(partial(leave_spoken, extension, "407216", clock()))

        yield api_app(database, clock, place_code_call=spoken)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


async def test_the_document_has_every_route_and_no_other(app: Starlette, document: dict[str, Any]) -> None:
    api = next(route for route in app.routes if isinstance(route, Mount) and route.path == "/api/v1")
    served_ = {
        (route.path.replace(":path}", "}"), method) for route in api.routes if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }  # fmt: skip
    assert {(path, method) for path, method, _ in operations(document)} == served_ - {("/openapi.json", "GET")}


async def test_every_reference_leads_somewhere_and_names_are_unique(document: dict[str, Any]) -> None:
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references == document["components"]["schemas"].keys()
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    for path, _, operation in operations(document):
        inside = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        assert inside == re.findall(r"{(\w+)}", path)


async def test_callback_settings_are_the_same_everywhere(document: dict[str, Any]) -> None:
    shown = {each.name for each in fields(CallbackView)} - {"has_password"}
    assert shown == {each.name for each in fields(CallbackSettings)} - {"password_hash"}
    taken = document["components"]["schemas"]["CallbackChange"]["properties"].keys()
    assert taken == {each.name for each in fields(CallbackEntry)} == shown | {"password"}


def fits(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether a value is of a schema, as far as our document uses them."""
    if "$ref" in schema:
        return fits(value, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return any(fits(value, each, schemas) for each in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    match schema["type"]:
        case "object" if "properties" not in schema:
            return isinstance(value, dict)
        case "object":
            properties = {name: each for name, each in schema["properties"].items() if not each.get("writeOnly")}
            return (isinstance(value, dict) and value.keys() == properties.keys()
                    and all(fits(value[name], properties[name], schemas) for name in properties))  # fmt: skip
        case "array":
            return isinstance(value, list) and all(fits(each, schema["items"], schemas) for each in value)
        case name:
            kinds = {"string": str, "integer": int, "number": int | float, "boolean": bool, "null": type(None)}
            return isinstance(value, kinds[name]) and isinstance(value, bool) == (name == "boolean")


async def test_answers_are_as_described(app: Starlette, document: dict[str, Any]) -> None:
    async with as_holder(app, OPERATOR) as api:
        answers = [
            ("GetCallback", await api.get("/api/v1/extensions/001*900/callback")),
            ("EditCallback", await api.patch("/api/v1/extensions/001*900/callback", json={"quota": 9})),
            ("AddAuthCallerID", await api.post(LIST, json=A)),
            ("GetAuthCallerIDs", await api.get(LIST)),
            ("GetAuthCallerID", await api.get(f"{LIST}/5551111111")),
            ("EditAuthCallerID", await api.patch(f"{LIST}/5551111111", json={"enabled": True})),
            ("RechargeAuthCallerID", await api.post(f"{LIST}/5551111111/recharges", json={"amount": "1"})),
            ("GetAuthCallerIDRecharges", await api.get(f"{LIST}/5551111111/recharges")),
            ("ImportAuthCallerIDs", await api.post(f"{LIST}/import", content="5552222222",
                                                   headers={"Content-Type": "text/csv"})),
            ("GetCallLadder", await api.get("/api/v1/calls/c1/ladder")),
            ("GetRequests", await api.get("/api/v1/requests?number=5551111111")),
        ]  # fmt: skip
    described = {operation["operationId"]: operation for _, _, operation in operations(document)}
    for name, answer in answers:
        schema = described[name]["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        assert fits(answer.json(), schema, document["components"]["schemas"]), (name, answer.text)


async def test_the_guide_names_every_operation(document: dict[str, Any]) -> None:
    rows = re.findall(r"^\| (`.+`) \| (`.+`) \| `(/.+)` \|$", GUIDE, re.MULTILINE)
    said = {
        (path, method, name) for names, methods, path in rows
        for name, method in zip(re.findall(r"`(\w+)`", names), re.findall(r"`(\w+)`", methods), strict=True)
    }  # fmt: skip
    assert said == {(path, method, operation["operationId"]) for path, method, operation in operations(document)}


async def test_every_example_of_the_guide_works(app: Starlette, document: dict[str, Any], tmp_path: Path) -> None:
    examples = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    used = set()
    async with served(app) as url:
        for example in examples:
            script = example.replace("curl ", "curl --silent --show-error --fail-with-body ")
            done = await asyncio.create_subprocess_exec(
                "bash", "-e", "-c", script, cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={"API": f"{url}/api/v1", "TOKEN": OPERATOR, "CALL": "c1", "PATH": "/usr/bin:/bin"},
            )  # fmt: skip
            said = (await done.communicate())[0].decode()
            assert done.returncode == 0, f"{example}\n{said}"
            used |= set(re.findall(r"\$API(/[^\"?]+)", example.replace("$CALL", "c1")))
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {OPERATOR}"}) as api:
            assert [row["number"] for row in (await api.get(LIST)).json()["callers"]] == ["5551111111", "5552222222"]
    templates = {re.sub(r"\{\w+\}", "[^/]+", re.escape(path).replace(r"\{", "{").replace(r"\}", "}"))
                 for path in document["paths"]}  # fmt: skip
    assert [each for each in sorted(templates) if not any(re.fullmatch(each, path) for path in used)] == []
