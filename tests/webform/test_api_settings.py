"""What `ringback apply` sets, entry by entry by the API: made, seen, changed, removed; by whom; and why not."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, insert, select, update

from b2bua.plan.apply import apply, parse
from b2bua.secret_hash import verify_secret
from store import tables
from store.database import Database, transact
from store.directory import Directory, load
from store.tokens import new_token
from tests.webform.api import OPERATOR, TENANT, api_app, as_holder, filled_plan
from tests.webform.ground import BASE, Clock

MORE = """
[[account]]
name = "acme"
dial_plan = {mode = "as-dialled", strip = ["+1"], refused = ["112", "911", "000", "1900"]}
[[account]]
name = "shop"
parent = "acme"
[[account]]
name = "other"
currency = "EUR"
[[extension]]
number = "001*900"
account = "acme"
kind = "callback"
public_number = "5555559000"
callback = {password = "4711"}
[[extension]]
number = "001*002"
account = "acme"
password = "secret"
public_number = "5555550000"
callnow = {id = "john_doe", interval = "office"}
[[extension]]
number = "003*001"
account = "shop"
public_number = "+12025550101"
[[extension]]
number = "002*001"
account = "other"
public_number = "+12025550102"
[[extension]]
number = "001*004"
account = "acme"
[[did]]
number = "5555550000"
extension = "001*002"
trunk = "R1"
[[did]]
number = "5555550009"
account = "acme"
[[did]]
number = "5555558888"
account = "other"
[[trunk]]
name = "R1"
host = "192.0.2.1"
user = "us"
password = "hush"
[[route]]
trunk = "R1"
[[charging_plan]]
name = "gold"
[[interval]]
name = "office"
without = ["holidays"]
limits = [{hours = "08:00-20:00", weekdays = "Mon-Fri"}]
[[interval]]
name = "holidays"
limits = [{days = "1", month = 1}]
[[interval]]
name = "night"
limits = [{hours = "22:00-06:00"}]
[[interval]]
name = "lunch"
account = "acme"
limits = [{hours = "12:00-13:00"}]
[[interval]]
name = "theirs"
account = "other"
limits = [{hours = "12:00-13:00"}]
"""
API = "/api/v1"
JOHN = f"{API}/extensions/001*002/callnow"


def more(conn: Connection) -> None:
    apply(conn, parse(MORE, "more.toml"), 0.0, BASE, lambda: "0" * 16)
    for name, account in (("shop", "shop"), ("other", "other")):
        account_id = conn.execute(select(tables.accounts.c.id).where(tables.accounts.c.name == account)).scalar_one()
        new_token(conn, name, account_id, hashlib.sha256(f"{name}-token".encode()).hexdigest(), 0.0)


@cache
def filled() -> bytes:
    """A database with all that; to make it takes longer than a test."""
    with TemporaryDirectory() as folder:
        transact(f"sqlite:///{folder}/filled.db", filled_plan)
        transact(f"sqlite:///{folder}/filled.db", more)
        return Path(folder, "filled.db").read_bytes()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    await asyncio.to_thread((tmp_path / "ringback.db").write_bytes, filled())
    database = Database(f"sqlite:///{tmp_path}/ringback.db", 5.0, asyncio.get_running_loop())
    yield database
    await database.close()


@pytest.fixture
async def who(database: Database, clock: Clock) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Everybody: the operator, acme, its sub-account shop, and another account."""
    app = api_app(database, clock)
    tokens = {"operator": OPERATOR, "acme": TENANT, "shop": "shop-token", "other": "other-token"}
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(as_holder(app, token)) for name, token in tokens.items()}


@pytest.fixture
def operator(who: dict[str, httpx.AsyncClient]) -> httpx.AsyncClient:
    return who["operator"]


@pytest.fixture
def acme(who: dict[str, httpx.AsyncClient]) -> httpx.AsyncClient:
    return who["acme"]


def state(conn: Connection) -> list[str]:
    """Everything that is kept but the use of tokens."""
    dump = conn.connection.driver_connection.iterdump()  # type: ignore[union-attr]
    return [line for line in dump if not line.startswith('INSERT INTO "tokens"')]


@pytest.mark.parametrize(("path", "new", "name", "change", "seen"), [
    ("accounts", {"name": "new", "credit": "5.00"}, "new", {"plan": "postpaid", "credit_limit": "10"},
     {"credit_limit": "10.00", "currency": "USD", "parent": ""}),
    ("extensions", {"number": "009*001", "account": "acme", "password": "x", "public_number": "5550001"}, "009*001",
     {"callnow": {"id": "new"}, "ring_s": 20}, {"ring_s": 20, "has_password": True, "kind": "phone"}),
    ("trunks", {"name": "new", "host": "192.0.2.9"}, "new", {"channels": 3, "headers": {"X-A": "b"}},
     {"channels": 3, "headers": {"X-A": "b"}, "host": "192.0.2.9"}),
    ("dids", {"number": "5557777", "account": "acme"}, "5557777", {"trunk": "R1"}, {"trunk": "R1", "extension": ""}),
    ("routes", {"trunk": "R1", "prefix": "+40"}, "2", {"priority": 5}, {"priority": 5, "prefix": "+40"}),
    ("intervals", {"name": "new", "limits": [{"weekdays": "Sat-Sun"}]}, "new",
     {"zone": "Europe/Bucharest"}, {"zone": "Europe/Bucharest", "limits": [
         {"hours": "00:00-24:00", "weekdays": "Sat-Sun", "days": "", "month": None},
     ]}),
    ("charging-plans", {"name": "new", "factor": "1.25", "method": "relative"}, "new", {"monthly_fee": "9.99"},
     {"factor": "1.25", "monthly_fee": "9.99"}),
], ids=lambda each: each if isinstance(each, str) and each.isalpha() else "")  # fmt: skip
async def test_each_kind_is_made_seen_changed_and_removed(
    operator: httpx.AsyncClient, database: Database, path: str, new: Any, name: str, change: Any, seen: Any,
) -> None:  # fmt: skip
    before, version = await database.read(state), (await database.read(load)).version
    made = await operator.post(f"{API}/{path}", json=new)
    assert (made.status_code, made.headers["location"]) == (201, f"{API}/{path}/{name}"), made.text
    assert (await operator.get(made.headers["location"])).json() == made.json()
    assert (await operator.post(f"{API}/{path}", json=new)).status_code == 409
    changed = await operator.patch(made.headers["location"], json=change)
    assert {key: changed.json()[key] for key in seen} == seen
    found = (await operator.get(f"{API}/{path}", params={"q": new.get("prefix", name)})).json()
    assert (found["total"], found["entries"]) == (1, [changed.json()])
    assert (await database.read(load)).version == version + 2
    gone = await operator.delete(made.headers["location"])
    if path == "accounts":  # money came in
        assert gone.json()["error"] == "Account new is still needed by ledger entries (1)."
        return
    assert gone.status_code == 204
    assert (await operator.get(made.headers["location"])).status_code == 404
    after = await database.read(state)
    assert [line for line in after if line not in before] == [
        f"INSERT INTO \"meta\" VALUES('config_version','{version + 3}');"
    ]


async def test_null_is_the_default_and_what_is_not_named_stays(operator: httpx.AsyncClient) -> None:
    trunk = f"{API}/trunks/R1"
    await operator.patch(trunk, json={"channels": 3, "ring_s": 20, "headers": {"X-A": "1", "X-B": "2"}})
    changed = (await operator.patch(trunk, json={"channels": None, "headers": {"X-A": None}})).json()
    assert (changed["channels"], changed["ring_s"], changed["headers"]) == (None, 20, {"X-B": "2"})
    page = f"{API}/extensions/001*002"
    await operator.patch(page, json={"callnow": {"message": "Hello"}})
    found = (await operator.patch(page, json={"callnow": {"paused": True}})).json()["callnow"]
    assert (found["message"], found["paused"], found["id"], found["interval"]) == ("Hello", True, "john_doe", "office")
    found = (await operator.patch(page, json={"callnow": None})).json()["callnow"]
    assert (found["enabled"], found["id"], found["message"]) == (False, "john_doe", "Hello")


async def test_an_approval_is_of_the_number_that_it_was_given_for(operator: httpx.AsyncClient) -> None:
    """SPEC 39: whoever sets another number by the way has not proven that."""

    async def approved(**rules: Any) -> Any:
        answer = await operator.patch(f"{API}/extensions/001*002", json={"caller_id": rules})
        return answer.json()["caller_id"]["approved"]

    assert await approved(number_by="user", number="5551234567", approved=True)
    assert await approved(anonymous=True)
    assert not await approved(number="5557654321")
    assert await approved(number="5551234567", approved=True)
    assert not await approved(number="5557654321", approved=None)
    assert await approved(approved=True)
    assert not await approved(approved=False)


async def test_secrets_go_in_and_never_come_out_and_stay(operator: httpx.AsyncClient, database: Database) -> None:
    def kept(directory: Directory) -> Any:
        john, number = directory.extensions["001*002"], directory.extensions["001*900"]
        trunk = directory.trunk_by_name("R1")
        assert trunk is not None
        return john.ha1_md5, john.ha1_sha256, number.callback.password_hash, trunk.password

    before = kept(await database.read(load))
    answers = [
        await operator.patch(f"{API}/extensions/001*002", json={"name": "J"}),
        await operator.patch(f"{API}/extensions/001*900", json={"callback": {"trigger_s": 9}}),
        await operator.patch(f"{API}/trunks/R1", json={"ring_s": 20}),
        *[await operator.get(f"{API}/{kind}") for kind in ("extensions", "trunks")],
    ]
    assert kept(await database.read(load)) == before
    assert all(answer.status_code == 200 for answer in answers)
    assert not any(secret in answer.text for answer in answers for secret in (*before, '"password"', "hush"))
    await operator.patch(f"{API}/extensions/001*002", json={"password": "other"})
    await operator.patch(f"{API}/extensions/001*900", json={"callback": {"password": "0815"}})
    await operator.patch(f"{API}/trunks/R1", json={"password": None})
    after = kept(await database.read(load))
    assert after[0] == hashlib.md5(b"001*002:ringback:other").hexdigest()
    assert verify_secret(after[2], "0815")
    assert after[3] == ""


@pytest.mark.parametrize(("method", "path", "body", "field", "reason"), [
    ("PATCH", "trunks/R1", {"hots": "x"}, "hots", 'unknown key "hots"; did you mean "host"?'),
    ("PATCH", "trunks/R1", {"ring_s": "20"}, "ring_s", "ring_s: expected a whole number, got text in quotes"),
    ("PATCH", "trunks/R1", {"ring_s": 20.5}, "ring_s", "ring_s: expected a whole number, got a number with a point"),
    ("PATCH", "trunks/R1", {"transport": "x25"}, "transport", "transport: choose one of , udp, tcp, tls, sips"),
    ("PATCH", "trunks/R1", {"host": None}, "host", 'this trunk needs "host"'),
    ("PATCH", "trunks/R1", {"host": "a b"}, "host", 'host: "a b" is no host name or address; write a port as `port`'),
    ("PATCH", "trunks/R1", {"name": "R2"}, "name", "name: the trunk is known by it; make another one"),
    ("PATCH", "trunks/R1", {"has_password": True}, "has_password",
     'unknown key "has_password"; did you mean "password"?'),
    ("PATCH", "trunks/R1", {"headers": {"X-A": "a\nb"}}, "headers.X-A", "X-A: a text here has no control characters"),
    ("PATCH", "accounts/acme", {"credit_limit": 10.5}, "credit_limit",
     'credit_limit: write money as text, in quotes: "0.12"'),
    ("PATCH", "accounts/acme", {"credit": "10"}, "credit",
     "credit: an opening balance is posted once, when the account is made"),
    ("PATCH", "accounts/acme", {"parent": "shop"}, "parent", 'parent: "acme" would be above itself'),
    ("PATCH", "accounts/acme", {"dial_plan": {"country": "XX"}}, "dial_plan.country",
     'dial_plan.country: "XX" is no ISO 3166 code as in "US"'),
    ("PATCH", "extensions/001*002", {"callnow": {"interval": "theirs"}}, "callnow.interval",
     'callnow of 001*002: there is no interval "theirs"'),
    ("PATCH", "extensions/001*002", {"callnow": {"rules": [{"do": "refuse"}]}}, "callnow.rules[0].do",
     "rules: a rule needs number, prefix, name or no_name"),
    ("PATCH", "extensions/001*002", {"callnow": {"money_a_day": -1}}, "callnow.money_a_day",
     'callnow.money_a_day: write money as text, in quotes: "0.12"'),
    ("PATCH", "extensions/001*900", {"callback": {"return_to": "caller", "password": None}}, "callback.return_to",
     "return_to \"caller\" needs a password: whoever rings would call at the owner's expense"),
    ("PATCH", "extensions/001*900", {"callback": {"password": "abc"}}, "callback.password",
     "password: expected 3 to 32 digits, as they are keyed in"),
    ("PATCH", "extensions/001*900", {"kind": "phone"}, "callback",
     "001*900 is a phone extension: [extension.callback] is for callback extensions"),
    ("PATCH", "extensions/001*002/callnow", {"slot_min": 7}, "slot_min",
     "slot_min: 5 or more, and a whole number of them in a day, as 15, 20, 30 or 60; or 0"),
    ("PATCH", "extensions/001*002/callnow", {"url": "x"}, "url", "url is only told"),
    ("PATCH", "extensions/001*004/callnow", {"enabled": True}, "enabled",
     'CallNow of 001*004 needs the extension\'s "public_number"'),
    ("POST", "dids", {"number": "5557777", "extension": "009*009"}, "extension",
     'extension: there is no extension "009*009"'),
    ("PATCH", "dids/5555550000", {"account": "other"}, "account", "account: 001*002 is of another"),
    ("POST", "routes", {"trunk": "R9"}, "trunk", 'trunk: there is no trunk "R9"'),
    ("POST", "routes", {"trunk": "R1", "prefix": "9", "interval": "lunch"}, "interval",
     'interval: there is no interval "lunch", which a route needs'),
    ("PATCH", "intervals/holidays", {"without": ["office"]}, "without",
     'without: "holidays" would leave itself out'),
    ("PATCH", "intervals/holidays", {"limits": [{"hours": "8-20"}]}, "limits",
     'limits: hours: "8-20" is not as in "08:00-20:00"'),
    ("PATCH", "charging-plans/gold", {"factor": "2"}, "method",
     'method: factor and adjustment are for "relative" prices'),
    ("PATCH", "server", {"time_zone": "Mars"}, "time_zone",
     'time_zone: "Mars" is no time zone as in "Europe/Bucharest"'),
    ("PATCH", "server", {"http": "x"}, "http", 'unknown key "http"'),
    ("PATCH", "server", {"edge_proxies": ["x"]}, "edge_proxies", 'edge_proxies: "x" is no network or address'),
])  # fmt: skip
async def test_a_refusal_names_field_and_reason(
    operator: httpx.AsyncClient, database: Database, method: str, path: str, body: Any, field: str, reason: str,
) -> None:  # fmt: skip
    before = await database.read(state)
    answer = await operator.request(method, f"{API}/{path}", json=body)
    said = answer.json()
    sentence = reason if reason.endswith("?") else f"{reason}."
    assert (answer.status_code, said.get("field", ""), said["error"]) == (422, field, sentence)
    assert await database.read(state) == before


async def test_all_faults_of_an_entry_are_told(operator: httpx.AsyncClient) -> None:
    answer = await operator.post(f"{API}/trunks", json={"host": "a b", "ports": 1, "name": "x"})
    assert [each["field"] for each in answer.json()["faults"]] == ["ports"]
    answer = await operator.post(f"{API}/trunks", json={"host": "a b", "country": "XX", "name": "x"})
    assert [each["field"] for each in answer.json()["faults"]] == ["host", "country"]


async def test_a_change_is_logged_with_what_was_changed(
    operator: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "webform.api"):
        await operator.patch(f"{API}/trunks/R1", json={"password": "hush-hush"})
        await operator.patch(f"{API}/extensions/001*002/callnow", json={"paused": True})
        await operator.patch(f"{API}/server", json={"time_zone": "Europe/Bucharest"})
    said = [record.getMessage().rstrip() for record in caplog.records if record.name == "webform.api"]
    assert [line.partition(" operation=")[2] for line in said] == [
        "EditTrunk trunk=R1", "EditCallNow extension=001*002", "EditServer",
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "sentence"), [
    ("accounts/shop", "Account shop is still needed by extension 003*001, API tokens (1)."),
    ("trunks/R1", "Trunk R1 is still needed by route R1, did 5555550000."),
    ("extensions/001*002", "Extension 001*002 is still needed by did 5555550000."),
    ("intervals/office", 'Without interval office: callnow of 001*002: there is no interval "office".'),
    ("intervals/holidays",
     'Without interval holidays: without: there is no interval "holidays", which "office" leaves out.'),
])  # fmt: skip
async def test_what_is_needed_is_not_removed(
    operator: httpx.AsyncClient, database: Database, path: str, sentence: str
) -> None:
    before = await database.read(state)
    answer = await operator.delete(f"{API}/{path}")
    assert (answer.status_code, answer.json()["error"]) == (409, sentence)
    assert await database.read(state) == before


async def test_an_extension_whose_callers_may_have_credit_is_not_removed(operator: httpx.AsyncClient) -> None:
    callers, number = f"{API}/extensions/001*900/caller-ids", "5552220000"
    made = await operator.post(callers, json={"number": number, "credit": "5.00"})
    assert made.status_code == 201, made.text
    gone = await operator.delete(f"{API}/extensions/001*900")
    assert (gone.status_code, gone.json()["error"]) == (409, "Extension 001*900 is still needed by CallerIDs (1).")
    assert (await operator.delete(f"{callers}/{number}")).status_code == 204
    assert (await operator.delete(f"{API}/extensions/001*900")).status_code == 204


# Who may

SEEN = {
    # acme, shop (below acme), other
    "accounts/acme": (200, 404, 404), "accounts/shop": (200, 200, 404), "accounts/other": (404, 404, 200),
    "extensions/001*002": (200, 404, 404), "extensions/003*001": (200, 200, 404), "extensions/002*001": (404, 404, 200),
    "extensions/001*002/callnow": (200, 404, 404), "extensions/003*001/callnow": (200, 200, 404),
    "dids/5555550009": (200, 404, 404), "dids/5555558888": (404, 404, 200), "dids/5555559999": (404, 404, 404),
    "intervals/lunch": (200, 404, 404), "intervals/theirs": (404, 404, 200),
    "intervals/office": (200, 404, 404), "intervals/holidays": (200, 404, 404), "intervals/night": (404, 404, 404),
    "trunks/R1": (403, 403, 403), "trunks/R9": (403, 403, 403), "routes/1": (403, 403, 403),
    "charging-plans/gold": (403, 403, 403), "charging-plans/x": (403, 403, 403), "server": (403, 403, 403),
}  # fmt: skip
"""What a GET tells the tokens of accounts: SPEC 70 for intervals, `office` being that of acme's page."""
NOT_THERE = ("dids/5555559999", "trunks/R9", "charging-plans/x")


async def test_who_sees_what(who: dict[str, httpx.AsyncClient]) -> None:
    for path, seen in SEEN.items():
        answers = [(await who[name].get(f"{API}/{path}")).status_code for name in ("acme", "shop", "other")]
        assert tuple(answers) == seen, path
        there = (await who["operator"].get(f"{API}/{path}", params={"account": owner_of(path)})).status_code
        assert there == (404 if path in NOT_THERE else 200), path


def owner_of(path: str) -> str:
    return {"intervals/lunch": "acme", "intervals/theirs": "other"}.get(path, "")


OWN = {
    ("acme", "PATCH", "extensions/001*002/callnow"), ("shop", "PATCH", "extensions/003*001/callnow"),
    *(("acme", method, "intervals/lunch") for method in ("PATCH", "DELETE")),
    *(("other", method, "intervals/theirs") for method in ("PATCH", "DELETE")),
    ("other", "PATCH", "extensions/002*001/callnow"),
}  # fmt: skip
"""What the tokens of accounts change."""


async def test_who_changes_what(who: dict[str, httpx.AsyncClient], database: Database) -> None:
    """Of what is not seen nothing is told; what is seen belongs to the operator, or to another account."""
    before = await database.read(state)
    for path, seen in SEEN.items():
        for name, sees in zip(("acme", "shop", "other"), seen, strict=True):
            for method in ("PATCH", "DELETE"):
                if (name, method, path) in OWN:
                    continue
                answer = await who[name].request(method, f"{API}/{path}", json={})
                never = method == "DELETE" and path.endswith(("/callnow", "server"))
                assert answer.status_code == (405 if never else 404 if sees == 404 else 403), (name, method, path)
    assert await database.read(state) == before
    for name, method, path in sorted(OWN, reverse=True):
        answer = await who[name].request(method, f"{API}/{path}", json={})
        assert answer.status_code == (204 if method == "DELETE" else 200), (name, method, path)


@pytest.mark.parametrize(("path", "new"), [
    ("accounts", {"name": "x", "parent": "acme"}), ("extensions", {"number": "001*009", "account": "acme"}),
    ("trunks", {"name": "x", "host": "192.0.2.1"}), ("dids", {"number": "5550009", "account": "acme"}),
    ("routes", {"trunk": "R1", "prefix": "1"}), ("charging-plans", {"name": "x"}),
])  # fmt: skip
async def test_an_account_makes_nothing_but_intervals(acme: httpx.AsyncClient, path: str, new: Any) -> None:
    assert (await acme.post(f"{API}/{path}", json=new)).status_code == 403
    made = await acme.post(f"{API}/intervals", json={"name": "x", "limits": [{}]})
    assert (made.status_code, made.json()["account"]) == (201, "acme")
    assert (await acme.get(made.headers["location"])).json() == made.json()


async def test_without_a_token_nothing_is_told(who: dict[str, httpx.AsyncClient]) -> None:
    stranger = who["other"]
    del stranger.headers["Authorization"]
    for path in (*SEEN, "accounts", "extensions", "intervals", "trunks"):
        assert (await stranger.get(f"{API}/{path}")).status_code == 401
        assert (await stranger.patch(f"{API}/{path}", json={})).status_code in (401, 405)


async def test_lists_have_what_may_be_seen(who: dict[str, httpx.AsyncClient]) -> None:
    async def names(name: str, kind: str, **query: str) -> list[str]:
        answer = (await who[name].get(f"{API}/{kind}", params=query)).json()
        return [each.get("number", each.get("name")) if kind != "accounts" else each["name"]
                for each in answer["entries"]]  # fmt: skip

    assert await names("acme", "accounts") == ["acme", "shop"]
    assert await names("shop", "accounts") == ["shop"]
    assert await names("acme", "extensions") == ["001*002", "001*004", "001*900", "003*001"]
    assert await names("acme", "extensions", account="shop") == ["003*001"]
    assert await names("operator", "extensions", q="9", limit="1") == ["001*900"]
    assert await names("acme", "dids") == ["5555550000", "5555550009"]
    assert await names("acme", "intervals") == ["lunch"]  # SPEC 70: of the operator's no list
    assert await names("shop", "intervals") == []
    assert await names("operator", "intervals") == ["holidays", "lunch", "night", "office", "theirs"]
    assert await names("operator", "intervals", account="") == ["holidays", "night", "office"]
    assert (await who["acme"].get(f"{API}/extensions?account=other")).status_code == 404
    account = (await who["shop"].get(f"{API}/accounts/shop")).json()
    assert account["parent"] == ""
    assert not {"rate_table", "charging_plan", "credit"} & account.keys()


@pytest.mark.parametrize(("change", "status", "field"), [
    ({"paused": True, "message": "Hi", "image_validation": False, "language": "ru", "slot_min": 15}, 200, ""),
    ({"rules": [{"do": "refuse", "number": "", "prefix": "", "name": "", "no_name": True}]}, 200, ""),
    ({"interval": "lunch"}, 200, ""), ({"interval": "holidays"}, 200, ""), ({"interval": ""}, 200, ""),
    ({"interval": "night"}, 422, "interval"), ({"interval": "theirs"}, 422, "interval"),
    ({"interval": "nothing"}, 422, "interval"), ({"id": "taken"}, 409, "id"),
    ({"calls_a_day": 1000}, 403, "calls_a_day"), ({"money_a_day": None}, 403, "money_a_day"),
    ({"highest_price_a_minute": "9"}, 403, "highest_price_a_minute"), ({"allowed": []}, 403, "allowed"),
    ({"forbidden": []}, 403, "forbidden"), ({"longest_call_s": 9}, 403, "longest_call_s"),
    ({"quarantine_after": 0}, 403, "quarantine_after"), ({"account": "other"}, 422, "account"),
    ({"public_number": "5555558888"}, 422, "public_number"), ({"enabled": 1}, 422, "enabled"),
])  # fmt: skip
async def test_the_owner_of_a_page_sets_what_is_his(
    who: dict[str, httpx.AsyncClient], change: Any, status: int, field: str
) -> None:
    """SPEC 16-23 are the owner's; the fence (A12.2) and others' things are not (70, 4)."""
    await who["operator"].patch(f"{API}/extensions/003*001/callnow", json={"enabled": True, "id": "taken"})
    before = (await who["acme"].get(JOHN)).json()
    answer = await who["acme"].patch(JOHN, json=change)
    assert (answer.status_code, answer.json().get("field", "")) == (status, field), answer.text
    after = (await who["acme"].get(JOHN)).json()
    if status != 200:
        assert after == before
    else:
        assert {key: after[key] for key in change} == change


async def test_a_page_has_its_address_and_warns(acme: httpx.AsyncClient, operator: httpx.AsyncClient) -> None:
    """SPEC 7, 24: the address once it is on, and what it may cost without image validation."""
    page = (await acme.get(JOHN)).json()
    assert (page["url"], page["warning"]) == (f"{BASE}/callnow/john_doe", "")
    page = (await acme.patch(JOHN, json={"image_validation": False})).json()
    assert page["warning"].startswith("image validation is off: the owner WILL be charged for every call, no exceptio")
    assert (await acme.patch(JOHN, json={"enabled": False})).json()["url"] == ""
    shops = f"{API}/extensions/003*001/callnow"
    fresh = (await operator.patch(shops, json={"message": "Hello"})).json()
    assert (fresh["enabled"], fresh["url"], len(fresh["id"])) == (False, "", 16)
    assert (await operator.get(f"{API}/extensions/001*900/callnow")).status_code == 404


async def test_a_token_s_intervals_are_its_own(who: dict[str, httpx.AsyncClient]) -> None:
    acme, intervals = who["acme"], f"{API}/intervals"
    day = {"limits": [{"weekdays": "Mon"}]}
    for other in ("other", "shop", "", "nobody"):
        answer = await acme.post(intervals, json={"name": "x", "account": other, **day})
        assert (answer.status_code, answer.json()["field"]) == (422, "account")
    for name in ("night", "theirs", "nothing"):  # SPEC 70: it learns of none
        answer = await acme.post(intervals, json={"name": "x", "without": [name], **day})
        assert answer.json()["error"] == f'without: there is no interval "{name}".'
    made = await acme.post(intervals, json={"name": "x", "without": ["lunch", "holidays"], **day})
    assert made.status_code == 201
    assert (await acme.patch(f"{intervals}/x", json={"without": ["theirs"]})).status_code == 422
    assert (await acme.patch(f"{intervals}/x", json={"account": "other"})).status_code == 422
    assert (await acme.delete(f"{intervals}/lunch")).status_code == 409
    assert (await acme.post(intervals, json={"name": "office", **day})).status_code == 201
    assert (await acme.get(f"{intervals}/office")).json()["account"] == "acme"  # before the operator's
    assert (await who["operator"].get(f"{intervals}/office")).json()["account"] == ""
    assert (await who["operator"].get(f"{intervals}/office?account=acme")).json()["account"] == "acme"
    assert (await acme.get(f"{intervals}/theirs?account=other")).status_code == 404


async def test_intervals_that_leave_out_each_other_s_have_an_end(acme: httpx.AsyncClient, database: Database) -> None:
    """To look at thirty of them, each without all before it, would take 2^30 steps, in the server of everybody."""
    intervals, names = f"{API}/intervals", [f"i{n}" for n in range(12)]
    answers = [
        await acme.post(intervals, json={"name": name, "limits": [{}], "without": names[:n]})
        for n, name in enumerate(names)
    ]
    told = [answer.status_code for answer in answers]
    assert (told[:5], told[-1], answers[6].json()["field"]) == ([201] * 5, 422, "without")
    chain = [await acme.post(intervals, json={"name": f"c{n}", "limits": [{}], "without": [f"c{n - 1}"] if n else []})
             for n in range(60)]  # fmt: skip
    assert [answer.status_code for answer in chain] == [201] * 51 + [422] * 9
    assert len((await database.read(load)).intervals) < 100


async def test_an_account_has_so_many_intervals(
    acme: httpx.AsyncClient, operator: httpx.AsyncClient, database: Database
) -> None:  # fmt: skip
    like_lunch = {"account_id": 1, "algorithm": "days", "limits": [], "without": []}
    rows = [{"name": f"i{n}", **like_lunch} for n in range(98)]
    await database.run(lambda conn: conn.execute(insert(tables.intervals), rows).rowcount)
    assert (await acme.post(f"{API}/intervals", json={"name": "last", "limits": [{}]})).status_code == 201
    assert (await acme.post(f"{API}/intervals", json={"name": "more", "limits": [{}]})).status_code == 409
    more = {"name": "more", "account": "acme", "limits": [{}]}
    assert (await operator.post(f"{API}/intervals", json=more)).status_code == 201


# At the same moment


async def test_two_changes_at_once_are_both_kept(operator: httpx.AsyncClient, database: Database) -> None:
    changes = [{"ring_s": 21}, {"channels": 5}, {"country": "DE"}, {"calls_per_s": 6}, {"port": 5070}]
    answers = await asyncio.gather(*(operator.patch(f"{API}/trunks/R1", json=change) for change in changes * 4))
    assert {answer.status_code for answer in answers} == {200}
    trunk = (await database.read(load)).trunk_by_name("R1")
    assert trunk is not None
    assert (trunk.ring_s, trunk.channels, trunk.country, trunk.calls_per_s, trunk.port) == (21, 5, "DE", 6, 5070)


async def test_one_of_many_makes_it(operator: httpx.AsyncClient) -> None:
    new = {"name": "new", "credit": "5.00"}
    answers = await asyncio.gather(*(operator.post(f"{API}/accounts", json=new) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_a_file_is_applied_meanwhile(operator: httpx.AsyncClient, database: Database, tmp_path: Path) -> None:
    """From another process's connection: neither is lost, whichever comes first."""
    plan = parse("[[charging_plan]]\nname = \"gold\"\nfree_minutes = 7\n", "gold.toml")

    def by_file() -> None:
        for _ in range(5):
            transact(f"sqlite:///{tmp_path}/ringback.db", lambda conn: apply(conn, plan, 0.0, "", lambda: "0" * 16))

    answers, _ = await asyncio.gather(
        asyncio.gather(*(operator.patch(f"{API}/trunks/R1", json={"ring_s": 20 + n}) for n in range(20))),
        asyncio.to_thread(by_file),
    )
    assert {answer.status_code for answer in answers} == {200}
    directory = await database.read(load)
    trunk = directory.trunk_by_name("R1")
    assert trunk is not None
    assert (trunk.ring_s in range(20, 40), directory.charging_plans["gold"].free_minutes) == (True, 7)


# Nothing that a path or a body could do


@pytest.mark.parametrize("name", ["a/b", "..", "../x", "a b", "ä€", "%2F", "?q", "#", "'; --", "a\\b", "x" * 255])
async def test_any_name_is_found_again(operator: httpx.AsyncClient, name: str) -> None:
    made = await operator.post(f"{API}/charging-plans", json={"name": name})
    assert made.status_code == 201, made.text
    where = made.headers["location"]
    if name.startswith(".."):  # clients take .. out of a path before they send it: escaped whole it stays
        where = where.replace("..", "%2E%2E")
    assert (await operator.get(where)).json() == made.json()
    assert (await operator.patch(where, json={"free_minutes": 3})).json()["free_minutes"] == 3
    assert (await operator.delete(where)).status_code == 204


@pytest.mark.parametrize(("body", "status"), [
    (b"[" * 60_000, 400), (b'{"a":' * 9_000, 400), (b"\xff\xfe", 400), (b"[]", 422), (b"null", 422),
    (b'{"name": "\\ud800"}', 400), (b'{"name": "a", "host": "' + b"x" * 70_000 + b'"}', 413),
    (b'{"name": "a", "host": "h", "port": 1e400}', 400),
    (b'{"name": "a", "host": "h", "port": 99999999999999999999}', 422),
    (b'{"name": "a", "host": "h", "id": 1}', 422), (b'{"name": "a\\u0000", "host": "h"}', 422),
    (b'{"name": "' + b"x" * 300 + b'", "host": "h"}', 422), (b'{"name": "a", "host": "h", "user": null}', 201),
])  # fmt: skip
async def test_any_body_is_answered(operator: httpx.AsyncClient, body: bytes, status: int) -> None:
    answer = await operator.post(f"{API}/trunks", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert status < 400 or answer.json()["error"]


async def test_the_realm_stays_while_passwords_are_kept_for_it(operator: httpx.AsyncClient) -> None:
    refused = await operator.patch(f"{API}/server", json={"realm": "new"})
    assert (refused.status_code, refused.json()["field"]) == (409, "realm")
    await operator.patch(f"{API}/extensions/001*002", json={"password": None})
    changed = await operator.patch(f"{API}/server", json={"realm": "new", "caller_quota": 5, "time_zone": "Asia/Tokyo"})
    assert (changed.json()["realm"], changed.json()["caller_quota"]) == ("new", 5)
    changed = await operator.patch(f"{API}/server", json={"realm": None, "caller_quota": None})
    assert (changed.json()["realm"], changed.json()["caller_quota"], changed.json()["time_zone"]) == (
        "ringback", None, "Asia/Tokyo",
    )  # fmt: skip


async def test_a_prepaid_account_owes_nothing(operator: httpx.AsyncClient, database: Database) -> None:
    await operator.patch(f"{API}/accounts/acme", json={"plan": "postpaid"})
    await database.run(lambda conn: conn.execute(
        update(tables.accounts).where(tables.accounts.c.name == "acme").values(balance=-1)
    ).rowcount)  # fmt: skip
    answer = await operator.patch(f"{API}/accounts/acme", json={"plan": "prepaid"})
    assert (answer.status_code, answer.json()["field"]) == (422, "plan")
