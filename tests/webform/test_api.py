"""The REST API as HTTP over a real store: what it does, what it refuses and how (SPEC 29, 53-63)."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import openpyxl
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette

from b2bua.desk import LadderRow
from b2bua.office.office import BackOffice
from b2bua.secret_hash import verify_secret
from b2bua.trace.pcap import capture
from media.prompt import wav_bytes
from store import journal, tables
from store.callers import find_caller
from store.database import Database
from store.directory import config_version, load
from store.tokens import revoke_token
from store.values import Micros
from tests.webform.api import LIST, OPERATOR, TENANT, api_app, as_holder, opened
from tests.webform.ground import Clock, client_of, served, until

CALLBACK = "/api/v1/extensions/001*900/callback"
A = "5551111111"
NOW = "2026-11-21T03:40:00Z"


@pytest.fixture
def app(database: Database, clock: Clock, tmp_path: Path) -> Starlette:
    return api_app(database, clock, sounds=tmp_path)


@pytest.fixture
async def api(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with as_holder(app, OPERATOR) as client:
        yield client


async def add(api: httpx.AsyncClient, number: str = A, **more: object) -> httpx.Response:
    return await api.post(LIST, json={"number": number, **more})


def refused(answer: httpx.Response, status: int, field: str = "", says: str = "") -> None:
    """The answer is this refusal, as JSON."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    body = answer.json()
    assert body.get("field", "") == field
    assert says in body["error"]


# ---- who may

@pytest.mark.parametrize("path", [CALLBACK, LIST, f"{LIST}/{A}", "/api/v1/requests?number=1"])
async def test_without_a_token_nothing_is_told(app: Starlette, path: str) -> None:
    async with client_of(app) as stranger:
        for headers in ({}, {"Authorization": "Basic b3BlcmF0b3I="}, {"Authorization": "Bearer "}):
            answer = await stranger.get(path, headers=headers)
            refused(answer, 401)
            assert answer.headers["www-authenticate"] == 'Bearer realm="ringback"'
    async with as_holder(app, "wrong") as stranger:
        answer = await stranger.get(path)
        refused(answer, 401)
        assert answer.headers["www-authenticate"] == 'Bearer realm="ringback", error="invalid_token"'


async def test_a_revoked_token_ends_at_once(app: Starlette, database: Database) -> None:
    async with as_holder(app, TENANT) as tenant:
        assert (await tenant.get(LIST)).status_code == 200
        await database.run(lambda conn: revoke_token(conn, "tenant"))
        refused(await tenant.get(LIST), 401)


async def test_too_many_wrong_tokens_from_one_address_wait_and_no_other_does(app: Starlette, clock: Clock) -> None:
    async with as_holder(app, OPERATOR) as good, as_holder(app, "wrong") as bad:
        assert (await good.get(LIST)).status_code == 200
        assert [(await bad.get(LIST)).status_code for _ in range(12)] == [401] * 10 + [429] * 2
        answer = await bad.get(LIST)
        refused(answer, 429)
        assert answer.headers["retry-after"] == "60"
        assert (await good.get(LIST)).status_code == 200  # known behind that address
    async with as_holder(app, TENANT) as new, as_holder(app, TENANT, peer="192.0.2.8") as elsewhere:
        refused(await new.get(LIST), 429)
        assert (await elsewhere.get(LIST)).status_code == 200
        clock.now += 60
        assert (await new.get(LIST)).status_code == 200


async def test_only_so_many_addresses_are_remembered(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webform.api_guard.MOST_ADDRESSES", 3)
    app = api_app(database, Clock())
    for n in range(4):  # the first one's failures are forgotten for the fourth's
        async with as_holder(app, "wrong", peer=f"192.0.2.{n}") as bad:
            assert [(await bad.get(LIST)).status_code for _ in range(10)] == [401] * 10
    for n, status in ((0, 401), (3, 429)):
        async with as_holder(app, "wrong", peer=f"192.0.2.{n}") as bad:
            assert (await bad.get(LIST)).status_code == status


async def test_an_account_sees_its_own_extensions_only(app: Starlette, api: httpx.AsyncClient) -> None:
    theirs = "/api/v1/extensions/002*900"
    assert (await api.post(f"{theirs}/caller-ids", json={"number": "+493012345678"})).status_code == 201
    async with as_holder(app, TENANT) as tenant:
        assert (await tenant.get(LIST)).status_code == 200
        missing = await tenant.get("/api/v1/extensions/009*900/callback")
        for answer in (
            await tenant.get(f"{theirs}/callback"), await tenant.patch(f"{theirs}/callback", json={"enabled": True}),
            await tenant.get(f"{theirs}/caller-ids"), await tenant.post(f"{theirs}/caller-ids", json={"number": A}),
            await tenant.delete(f"{theirs}/caller-ids/+493012345678"),
            await tenant.get(f"{theirs}/caller-ids/export.csv"),
            await tenant.get(f"{theirs}/caller-ids/+493012345678/recharges"),
            await tenant.post(f"{theirs}/caller-ids/import", content=A, headers={"Content-Type": "text/csv"}),
        ):  # fmt: skip
            refused(answer, 404)
            assert answer.text.replace("002*900", "009*900") == missing.text
    assert (await api.get(f"{theirs}/caller-ids")).json()["total"] == 1


async def test_an_account_gives_itself_no_credit_and_no_quota(app: Starlette, api: httpx.AsyncClient) -> None:
    async with as_holder(app, TENANT) as tenant:
        assert (await add(tenant)).status_code == 201
        assert (await tenant.patch(CALLBACK, json={"dial_s": 7})).status_code == 200
        assert (await upload(tenant, "5552222222,1234\n")).status_code == 200
        for key, value in (
            ("quota", None), ("pay_call_back", "no"), ("longest_call_s", 86400), ("calls_a_number_a_day", 1000),
        ):
            refused(await tenant.patch(CALLBACK, json={key: value}), 403, key, "only the operator")
        for credit in ("1", "unlimited"):
            refused(await add(tenant, "5553333333", credit=credit), 403, "credit")
            refused(await tenant.post(f"{LIST}/{A}/recharges", json={"amount": credit}), 403, "amount")
        given = await upload(tenant, "5553333333\n5554444444,,,u\n")
        refused(given, 403, "credit", "Line 2: credit: only the operator")
    rows = (await api.get(LIST)).json()["callers"]
    assert [(row["number"], row["available_credit"]) for row in rows] == [(A, "0.00"), ("5552222222", "0.00")]


async def test_a_phone_is_no_callback_extension(api: httpx.AsyncClient) -> None:
    refused(await api.get("/api/v1/extensions/001*002/callback"), 404, says="no callback extension 001*002")


async def test_an_extension_may_be_named_as_a_keypad_does(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/v1/extensions/001900/callback")).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/api/v1/nothing", 404), ("PUT", CALLBACK, 405), ("DELETE", LIST, 405), ("GET", f"{LIST}/{A}/nothing", 404),
])  # fmt: skip
async def test_what_is_not_there_is_refused_in_json(
    api: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    refused(await api.request(method, path), status)


async def test_our_own_fault_is_told_in_json_without_detail(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("of no concern to anybody")

    monkeypatch.setattr(BackOffice, "callers", broken)
    answer = await api.get(LIST)
    refused(answer, 500)
    assert "concern" not in answer.text


# ---- callback settings

async def test_settings_are_shown_without_any_secret(api: httpx.AsyncClient) -> None:
    shown = (await api.get(CALLBACK)).json()
    assert (shown["enabled"], shown["trigger_s"], shown["return_to"], shown["least_credit"]) == (
        True, 5, "authorised", "0.00",
    )  # fmt: skip
    assert shown["money_a_day"] is None
    changed = await api.patch(CALLBACK, json={"password": "4321"})
    assert changed.json() == shown | {"has_password": True}
    assert "argon2" not in changed.text
    assert "4321" not in changed.text
    assert "has_password" in shown


async def test_a_database_that_another_process_holds_is_503_and_nothing_is_changed(
    tmp_path: Path, clock: Clock
) -> None:
    async with opened(tmp_path, busy_s=0.05) as database, as_holder(api_app(database, clock), OPERATOR) as api:
        held = sqlite3.connect(tmp_path / "ringback.db", isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
        answer = await add(api, A)
        held.close()
        refused(answer, 503, says="try again")
        assert answer.headers["retry-after"] == "2"
        assert (await api.get(LIST)).json()["total"] == 0
        assert (await add(api, A)).status_code == 201


async def test_a_change_reaches_the_running_server(api: httpx.AsyncClient, database: Database) -> None:
    before = await database.read(config_version)
    answer = await api.patch(CALLBACK, json={
        "password": "4321", "trigger_s": 3, "money_a_day": "12.50", "allowed": ["44", "1"], "missed_call_s": 2,
    })  # fmt: skip
    assert answer.status_code == 200
    assert (await api.get(CALLBACK)).json() == answer.json()
    directory = await database.read(load)
    extension = directory.extension("001*900")
    assert extension is not None
    settings = extension.callback
    assert directory.version > before
    assert (settings.trigger_s, settings.money_a_day, settings.allowed, settings.missed_call_s) == (
        3, 12_500_000, ("44", "1"), 2,
    )  # fmt: skip
    assert verify_secret(settings.password_hash, "4321")
    assert (await api.patch(CALLBACK, json={"password": "", "money_a_day": None})).json()["has_password"] is False


@pytest.mark.parametrize(("changes", "field", "says"), [
    pytest.param({"fixed_number": "5553333333"}, "fixed_number", 'here it is "authorised"', id="rule 29, mode a"),
    pytest.param({"return_to": "caller"}, "return_to", "needs a password", id="H4, mode b"),
    pytest.param({"return_to": "fixed", "fixed_number": "5553333333"}, "return_to", "needs a password",
                 id="H4, mode c"),
    pytest.param({"return_to": "caller", "password": "4321", "fixed_number": "5553333333"}, "fixed_number",
                 'here it is "caller"', id="rule 29, mode b"),
    pytest.param({"return_to": "fixed", "password": "4321"}, "fixed_number", "needs digits", id="c without its number"),
    pytest.param({"return_to": "me"}, "return_to", "choose one of authorised, caller, fixed", id="no such mode"),
    pytest.param({"final_status": 200}, "final_status", "choose one of 480, 486, 603", id="never 200"),
    pytest.param({"trigger_s": 0}, "trigger_s", ">= 1", id="too small"),
    pytest.param({"trigger_s": "3"}, "trigger_s", "got str", id="text for a number"),
    pytest.param({"money_a_day": 12.5}, "money_a_day", "money as text", id="money as a float"),
    pytest.param({"least_credit": "-1"}, "least_credit", "cannot be negative", id="negative money"),
    pytest.param({"allowed": ["+44", 3]}, "allowed", "Expected str", id="a number in a list"),
    pytest.param({"forbidden": ["44", "+44"]}, "forbidden", '"+44" matches nothing', id="a fence that nobody meets"),
    pytest.param({"language": "xx"}, "language", "no prompts in xx", id="a language without prompts"),
    pytest.param({"cut_sound": "en/zero"}, "cut_sound", "begins with /", id="a sound by no path"),
    pytest.param({"cut_sound": "//en/zero"}, "cut_sound", "above the topmost", id="a sound above the topmost account"),
    pytest.param({"greeting_sound": "/../zero"}, "greeting_sound", "no name of a folder", id="a sound elsewhere"),
    pytest.param({"no_credit_sound": "/en/zero"}, "no_credit_sound", "there is no such sound", id="no such sound"),
    pytest.param({"password": "secret"}, "password", "digits", id="a password that no keypad has"),
    pytest.param({"password": 4321}, "password", "Expected str", id="a password that is no text"),
    pytest.param({"password_hash": "x"}, "password_hash", "no setting password_hash", id="the hash itself"),
    pytest.param({"nonsense": 1}, "nonsense", "no setting nonsense", id="unknown"),
])  # fmt: skip
async def test_a_wrong_change_is_refused_whole(
    api: httpx.AsyncClient, changes: dict[str, object], field: str, says: str
) -> None:
    before = (await api.get(CALLBACK)).json()
    refused(await api.patch(CALLBACK, json={"dial_s": 33} | changes), 422, field, says)
    assert (await api.get(CALLBACK)).json() == before


async def test_a_sound_that_is_there_is_taken_and_may_go_away_later(api: httpx.AsyncClient, tmp_path: Path) -> None:
    file = tmp_path / "acme" / "en" / "zero.wav"
    file.parent.mkdir(parents=True)
    file.write_bytes(wav_bytes(np.zeros(800, np.int16)))
    answer = await api.patch(CALLBACK, json={"cut_sound": "/en/zero"})
    assert (answer.status_code, answer.json()["cut_sound"]) == (200, "/en/zero")
    file.unlink()
    assert (await api.patch(CALLBACK, json={"dial_s": 7})).status_code == 200
    assert (await api.patch(CALLBACK, json={"cut_sound": ""})).status_code == 200


async def test_the_fixed_number_goes_with_its_mode(api: httpx.AsyncClient) -> None:
    fixed = {"return_to": "fixed", "fixed_number": "5553333333", "password": "4321"}
    assert (await api.patch(CALLBACK, json=fixed)).json()["fixed_number"] == "5553333333"
    assert (await api.patch(CALLBACK, json={"return_to": "authorised"})).json()["fixed_number"] == ""


async def test_an_extension_without_a_public_number_is_not_switched_on(api: httpx.AsyncClient) -> None:
    answer = await api.patch("/api/v1/extensions/002*900/callback", json={"enabled": True})
    refused(answer, 422, "enabled", "no public number")


# ---- authorised CallerIDs

async def test_a_caller_is_added_shown_changed_and_removed(api: httpx.AsyncClient, database: Database) -> None:
    added = await add(api, "+1 (555) 111-1111", pin="0815", credit="5.00", order_number="A1", language="en")
    assert added.status_code == 201
    assert added.json() == {
        "number": A, "enabled": True, "pin": True, "language": "en", "total_credit": "5.00", "available_credit": "5.00",
        "spent": "0.00", "currency": "USD", "created": NOW,
    }  # fmt: skip
    where = added.headers["location"]
    assert (await api.get(where)).json() == added.json()
    assert (await api.get(f"{LIST}/1-555-111-1111")).status_code == 404  # as-dialled: only +1 is taken off
    assert "0815" not in added.text
    kept = await database.read(lambda conn: find_caller(conn, 1, A))
    assert kept is not None
    assert verify_secret(kept.pin_hash, "0815")
    changed = (await api.patch(where, json={"number": "5552222222", "pin": "", "enabled": False})).json()
    assert (changed["number"], changed["pin"], changed["enabled"]) == ("5552222222", False, False)
    refused(await api.get(where), 404)
    gone = await api.delete(f"{LIST}/5552222222")
    assert (gone.status_code, gone.content) == (204, b"")
    refused(await api.delete(f"{LIST}/5552222222"), 404)
    assert await database.read(lambda conn: conn.execute(select(func.count()).select_from(tables.ledger)).scalar()) == 1


async def test_a_change_is_logged_without_numbers_and_secrets(
    api: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        await add(api, pin="0815")
        await api.patch(f"{LIST}/{A}", json={"pin": "4711"})
        await api.patch(CALLBACK, json={"password": "4321"})
        await api.get(LIST)
    logged = [record.getMessage() for record in caplog.records if record.name == "webform.api"]
    assert logged == [
        f"event=api token='operator' operation={name} extension=001*900"
        for name in ("AddAuthCallerID", "EditAuthCallerID", "EditCallback")
    ]
    assert not re.search("0815|4711|4321|argon2", caplog.text)


@pytest.mark.parametrize(("body", "field", "says"), [
    pytest.param({}, "number", "missing required field", id="no number"),
    pytest.param({"number": 5551111111}, "number", "Expected text", id="a number that is no text"),
    pytest.param({"number": "555abc"}, "number", "digits only", id="letters"),
    pytest.param({"number": "911"}, "number", "cannot be called", id="a refused number"),
    pytest.param({"number": "001*002"}, "number", "internal", id="an extension"),
    pytest.param({"number": "001900"}, "number", "internal", id="an extension as a keypad has it"),
    pytest.param({"number": A, "pin": "abcd"}, "pin", "digits", id="a PIN that no keypad has"),
    pytest.param({"number": A, "credit": "5,00"}, "credit", "no amount of money", id="no money"),
    pytest.param({"number": A, "credit": 5}, "credit", "Expected text", id="money that is no text"),
    pytest.param({"number": A, "credit": "1000000001"}, "credit", "the most at once", id="more than anybody has"),
    pytest.param({"number": A, "credit": "-5"}, "credit", "cannot be negative", id="negative"),
    pytest.param({"number": A, "order_number": "x" * 65}, "order_number", "up to 64", id="a long order number"),
    pytest.param({"number": A, "language": "xx"}, "language", "no prompts in xx", id="a language without prompts"),
    pytest.param({"number": A, "pim": "1234"}, "pim", "no field pim", id="a field that is not there"),
])  # fmt: skip
async def test_a_wrong_caller_is_refused(
    api: httpx.AsyncClient, body: dict[str, object], field: str, says: str
) -> None:
    refused(await api.post(LIST, json=body), 422, field, says)
    assert (await api.get(LIST)).json()["total"] == 0


async def test_a_number_is_authorised_once(api: httpx.AsyncClient) -> None:
    await add(api)
    refused(await add(api, "555-111-1111"), 409, "number", "already")
    await add(api, "5552222222")
    refused(await api.patch(f"{LIST}/5552222222", json={"number": A}), 409, "number")


async def test_a_caller_is_found_by_what_no_dial_plan_reads(api: httpx.AsyncClient) -> None:
    refused(await api.get(f"{LIST}/555abc"), 404, says="no authorised CallerID 555abc")


async def test_why_needs_a_number(api: httpx.AsyncClient) -> None:
    refused(await api.get("/api/v1/requests"), 422, "number", "which number?")
    assert (await api.get("/api/v1/requests?number=5559999999")).json() == []


ROW = LadderRow(0, 0.0, "sip", 0, 1, "BYE", "BYE sip:b@h SIP/2.0\r\n\r\n", "UDP", "192.0.2.1:5070", "[::1]:5060")


async def test_the_ladder_of_a_call_is_seen_by_who_owns_it(
    api: httpx.AsyncClient, app: Starlette, database: Database
) -> None:  # fmt: skip
    for call_id, account, extension in (("c1", 1, "001*900"), ("c2", 2, "002*900")):
        call = journal.CallRecord(
            call_id, "callback", account, 0.0, extension, "1", "2", 5.0, "talked", 1, Micros(0), "USD",
        )  # fmt: skip
        await database.run(lambda conn, call=call: journal.write_call(conn, call, []))
        await database.run(lambda conn, call=call: journal.write_ladder(conn, call.id, 1000.0, [ROW]))
    answer = await api.get("/api/v1/calls/c2/ladder")
    assert [(row["title"], row["transport"], row["sent_to"]) for row in answer.json()] == [("BYE", "UDP", "[::1]:5060")]
    answer = await api.get("/api/v1/calls/c2/pcap")
    assert answer.headers["content-type"] == "application/vnd.tcpdump.pcap"
    assert answer.headers["content-disposition"] == 'attachment; filename="call.pcap"'
    assert answer.content == capture(1000.0, [ROW])
    async with as_holder(app, TENANT) as tenant:
        assert (await tenant.get("/api/v1/calls/c1/ladder")).status_code == 200
        for path in ("c2/ladder", "c2/pcap", "c9/ladder", "c9/pcap"):
            refused(await tenant.get(f"/api/v1/calls/{path}"), 404, says="No ladder of this call is kept.")


async def test_the_list_is_searched_and_paged(api: httpx.AsyncClient) -> None:
    for n in range(5):
        await add(api, f"55511111{n:02}", enabled=n % 2 == 0)
    await add(api, "5559999999")
    found = (await api.get(LIST, params={"q": "555-1111", "limit": 2, "offset": 2})).json()
    assert ([row["number"] for row in found["callers"]], found["total"]) == (["5551111102", "5551111103"], 5)
    assert found["quota"] == {"maximum": None, "active": 4, "addable": None}
    off = (await api.get(LIST, params={"enabled": "false"})).json()
    assert [row["number"] for row in off["callers"]] == ["5551111101", "5551111103"]
    assert (await api.get(LIST, params={"q": "%"})).json()["total"] == 0


@pytest.mark.parametrize(("query", "field"), [
    ("limit=501", "limit"), ("limit=-1", "limit"), ("limit=x", "limit"), ("offset=1e9", "offset"),
    ("enabled=1", "enabled"),
])  # fmt: skip
async def test_a_wrong_query_is_refused(api: httpx.AsyncClient, query: str, field: str) -> None:
    refused(await api.get(f"{LIST}?{query}"), 422, field)


@pytest.mark.parametrize(("content", "media_type", "status"), [
    pytest.param(b"{", "application/json", 400, id="not JSON"),
    pytest.param(b"[]", "application/json", 422, id="no object"),
    pytest.param(b"number=1", "application/x-www-form-urlencoded", 415, id="a form"),
    pytest.param(b'{"number": "' + b"5" * 20_000 + b'"}', "application/json", 413, id="too long"),
])  # fmt: skip
async def test_a_body_that_cannot_be_read(api: httpx.AsyncClient, content: bytes, media_type: str, status: int) -> None:
    refused(await api.post(LIST, content=content, headers={"Content-Type": media_type}), status)


# ---- credit

async def test_at21_unlimited_minus_ten(api: httpx.AsyncClient) -> None:
    await add(api, credit="unlimited", order_number="A6")
    shown = (await api.get(f"{LIST}/{A}")).json()
    assert (shown["total_credit"], shown["available_credit"]) == ("unlimited", "unlimited")
    row = await api.post(f"{LIST}/{A}/recharges", json={"amount": "-10", "order_number": "A7"})
    assert row.status_code == 201
    assert row.json() == {
        "order_number": "A7", "credit_added": "-10.00", "credit_left": "0.00", "added": NOW,
    }  # fmt: skip
    assert (await api.get(f"{LIST}/{A}")).json()["available_credit"] == "0.00"
    more = await api.post(f"{LIST}/{A}/recharges", json={"amount": "5"})
    assert more.json()["credit_left"] == "5.00"
    history = (await api.get(f"{LIST}/{A}/recharges")).json()
    assert [each["order_number"] for each in history] == ["", "A7", "A6"]
    assert [row["credit_left"] for row in (await api.get(f"{LIST}/{A}/recharges?q=7")).json()] == ["0.00"]


async def test_an_order_number_is_posted_once(api: httpx.AsyncClient) -> None:
    await add(api)
    five = {"amount": "5", "order_number": "A1"}
    first = await api.post(f"{LIST}/{A}/recharges", json=five)
    assert (await api.post(f"{LIST}/{A}/recharges", json=five)).json() == first.json()
    refused(await api.post(f"{LIST}/{A}/recharges", json=five | {"amount": "6"}), 409, "order_number")
    assert (await api.get(f"{LIST}/{A}")).json()["available_credit"] == "5.00"


@pytest.mark.parametrize(("amount", "says"), [("0", "nothing to add"), ("five", "no amount"), ("", "no amount")])
async def test_a_wrong_amount_adds_nothing(api: httpx.AsyncClient, amount: str, says: str) -> None:
    await add(api, credit="1")
    refused(await api.post(f"{LIST}/{A}/recharges", json={"amount": amount}), 422, "amount", says)
    assert len((await api.get(f"{LIST}/{A}/recharges")).json()) == 1


# ---- quota

async def test_at22_quota(api: httpx.AsyncClient) -> None:
    await api.patch(CALLBACK, json={"quota": 2})
    await add(api)
    await add(api, "5552222222")
    refused(await add(api, "5553333333"), 409, "enabled", "quota is reached")
    assert (await api.get(LIST)).json()["quota"] == {"maximum": 2, "active": 2, "addable": 0}
    assert (await api.patch(f"{LIST}/{A}", json={"enabled": False})).status_code == 200
    assert (await add(api, "5553333333")).status_code == 201
    answer = await api.patch(f"{LIST}/{A}", json={"enabled": True, "number": "5554444444"})
    refused(answer, 409, "enabled")
    assert (await api.get(f"{LIST}/{A}")).status_code == 200  # the number was not changed either


async def test_parallel_adds_never_exceed_the_quota(api: httpx.AsyncClient) -> None:
    await api.patch(CALLBACK, json={"quota": 2})
    answers = await asyncio.gather(*(add(api, f"55511111{n:02}") for n in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 6


# ---- files

async def upload(api: httpx.AsyncClient, text: str, query: str = "", **headers: str) -> httpx.Response:
    return await api.post(f"{LIST}/import{query}", content=text, headers={"Content-Type": "text/csv", **headers})


async def test_a_file_is_taken_whole(api: httpx.AsyncClient, database: Database) -> None:
    text = "number;PIN;order number;initial credit\n555-111-1111;1234;A1;5\n5552222222;;;u\n"
    tried = await upload(api, text, "?separator=;&dry_run=true")
    assert (tried.status_code, tried.json()) == (200, {"added": 2, "dry_run": True})
    assert (await api.get(LIST)).json()["total"] == 0
    assert (await upload(api, text, "?separator=;")).json() == {"added": 2, "dry_run": False}
    rows = (await api.get(LIST)).json()["callers"]
    assert [(row["number"], row["pin"], row["available_credit"]) for row in rows] == [
        (A, True, "5.00"), ("5552222222", False, "unlimited"),
    ]  # fmt: skip
    kept = await database.read(lambda conn: find_caller(conn, 1, A))
    assert kept is not None
    assert verify_secret(kept.pin_hash, "1234")


@pytest.mark.parametrize(("lines", "status", "line", "says"), [
    pytest.param(["5551111111", "5552222222,1,2,3,4"], 422, 2, "Line 2: 5 cells", id="too many cells"),
    pytest.param(["5551111111", "", "12"], 422, 3, "Line 3: This number is too short", id="no number"),
    pytest.param(["5551111111,12"], 422, 1, "Line 1: pin: expected 3 to 32 digits", id="no PIN"),
    pytest.param(["5551111111", "5550000000"], 409, 2, "Line 2: 5550000000 is an authorised CallerID already",
                 id="there already"),
    pytest.param(["5551111111", "555-111-1111"], 409, 2, "Line 2: 5551111111 is an authorised", id="twice in the file"),
    pytest.param([f"55511111{n:02}" for n in range(5)], 409, 5, "Line 5: the quota is reached",
                 id="more than the quota"),
    pytest.param(["5551111111,,A1,-5"], 422, 1, "Line 1: initial credit: it cannot be negative", id="negative"),
])  # fmt: skip
@pytest.mark.parametrize("accept", ["*/*", "application/x-ndjson"])
async def test_one_bad_line_and_nothing_is_taken(
    api: httpx.AsyncClient, lines: list[str], status: int, line: int, says: str, accept: str
) -> None:
    await api.patch(CALLBACK, json={"quota": 5})
    await add(api, "5550000000")
    answer = await upload(api, "\n".join(lines), Accept=accept)
    assert (answer.status_code, answer.json()["line"]) == (status, line)
    assert says in answer.json()["error"]
    assert (await api.get(LIST)).json()["total"] == 1


async def test_a_long_file_tells_its_progress(app: Starlette, clock: Clock) -> None:
    numbers = [f"55511111{n:02}" for n in range(10)]
    async with served(app) as url, httpx.AsyncClient(base_url=url) as client:
        client.headers["Authorization"] = f"Bearer {OPERATOR}"
        answer = await upload(client, "".join(f"{number},1234\n" for number in numbers), Accept="application/x-ndjson")
        assert answer.headers["content-type"] == "application/x-ndjson"
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert rows == [*({"done": n, "of": 10} for n in range(1, 11)), {"added": 10, "dry_run": False}]
        assert (await client.get(LIST)).json()["total"] == 10


async def test_a_number_that_comes_meanwhile_ends_a_long_file_with_a_line_of_its_own(
    app: Starlette, api: httpx.AsyncClient
) -> None:
    async with served(app) as url, httpx.AsyncClient(base_url=url) as client:
        client.headers.update({"Authorization": f"Bearer {OPERATOR}", "Content-Type": "text/csv"})
        lines = "".join(f"55511111{n:02},1234\n" for n in range(10))
        asked = client.stream("POST", f"{LIST}/import", content=lines, headers={"Accept": "application/x-ndjson"})
        async with asked as answer:
            rows = answer.aiter_lines()
            assert json.loads(await anext(rows)) == {"done": 1, "of": 10}
            assert (await add(api, "5551111105")).status_code == 201
            last = [json.loads(row) async for row in rows][-1]
    assert last == {"error": "Line 6: 5551111105 is an authorised CallerID already.", "line": 6}
    assert (await api.get(LIST)).json()["total"] == 1


async def test_who_hangs_up_in_the_middle_of_a_file_adds_nothing(app: Starlette, api: httpx.AsyncClient) -> None:
    async with served(app) as url, httpx.AsyncClient(base_url=url) as client:
        client.headers.update({"Authorization": f"Bearer {OPERATOR}", "Content-Type": "text/csv"})
        lines = "".join(f"55511111{n:02},1234\n" for n in range(50))
        asked = client.stream("POST", f"{LIST}/import", content=lines, headers={"Accept": "application/x-ndjson"})
        before = len(asyncio.all_tasks())
        async with asked as answer:
            await anext(answer.aiter_lines())
        await until(lambda: len(asyncio.all_tasks()) <= before)  # the import is over, one way or the other
    assert (await api.get(LIST)).json()["total"] == 0


async def test_a_file_that_is_too_long_or_another_kind(api: httpx.AsyncClient) -> None:
    refused(await upload(api, "5" * 1_000_001), 413)
    refused(await api.post(f"{LIST}/import", json={}), 415)


async def test_exports_hold_all_columns_and_respect_the_search(api: httpx.AsyncClient) -> None:
    await api.post("/api/v1/extensions/002*900/caller-ids", json={"number": "+493012345678", "credit": "0.123456"})
    await add(api, pin="1234", credit="5")
    await add(api, "5552222222", credit="unlimited", enabled=False)
    answer = await api.get(f"{LIST}/export.csv", params={"q": "222", "enabled": "false"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="caller-ids.csv"'
    rows = [*csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))]
    assert rows[1:] == [
        ["disabled", "5552222222", "no", "unlimited", "unlimited", "0.00", "USD", NOW],
    ]  # fmt: skip
    theirs = await api.get("/api/v1/extensions/002*900/caller-ids/export.csv")
    assert "'+493012345678,no,0.123456,0.123456" in theirs.text
    book = await api.get(f"{LIST}/export.xlsx", params={"q": "111"})
    sheet = openpyxl.load_workbook(io.BytesIO(book.content)).active
    assert sheet is not None
    assert [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)] == [
        ["enabled", A, "yes", 5, 5, 0, "USD", NOW],
    ]  # fmt: skip


# ---- over a real socket

async def test_numbers_with_stars_and_plus_in_a_path(app: Starlette) -> None:
    async with served(app) as url, httpx.AsyncClient(base_url=url) as client:
        client.headers["Authorization"] = f"Bearer {OPERATOR}"
        their = "/api/v1/extensions/002%2A900/caller-ids"
        added = await client.post(their, json={"number": "+49 30 12345678"})
        assert added.headers["location"] == "/api/v1/extensions/002*900/caller-ids/%2B493012345678"
        for name in ("%2B493012345678", "+493012345678", "+49-30-12345678"):
            assert (await client.get(f"{their}/{name}")).json()["number"] == "+493012345678"
