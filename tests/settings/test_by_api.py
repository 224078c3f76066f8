"""Each setting changes by the API as `apply` changes it, and what the API gives it takes back without a change."""

from __future__ import annotations

import asyncio
import hashlib
import tomllib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Connection, select

from b2bua.desk import SETTINGS, Holder
from b2bua.money import parse_money
from b2bua.plan.apply import apply, parse
from b2bua.plan.entries import ChargingPlanEntry, DidEntry, ExtensionEntry
from b2bua.plan.reader import read_one
from b2bua.settings.documents import as_written, document, with_secrets_of
from b2bua.settings.kept import KINDS, Names
from b2bua.settings.server import server_settings
from b2bua.settings.view import listed
from store import tables
from store.database import Database, connect, transact
from store.directory import config_version
from store.tokens import new_token
from tests.settings.row import Row, seen
from tests.settings.table import TABLE
from tests.webform.api import OPERATOR, api_app, as_holder
from tests.webform.ground import Clock
from tests.world import World

Document = dict[str, Any]
PATHS = {each.kind: each.path for each in SETTINGS}
ROWS = [row for row in TABLE if row.setting.partition(".")[0] in ("server", *PATHS) and row.setting not in (
    "server.realm",  # not while passwords are kept for it
    "extension.callnow",  # one that was there keeps its settings, which a file does not know
    "account.name", "extension.number",  # another one: what refers to the old one is led there first
)]  # fmt: skip


def let_in(conn: Connection) -> None:
    new_token(conn, "operator", None, hashlib.sha256(OPERATOR.encode()).hexdigest(), 0.0)


@cache
def empty() -> bytes:
    """A database with a token; migrations take longer than a test."""
    with TemporaryDirectory() as folder:
        transact(f"sqlite:///{folder}/empty.db", let_in)
        return Path(folder, "empty.db").read_bytes()


@asynccontextmanager
async def api_over(file: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Database]]:
    """The operator at the API over a database of this name."""
    await asyncio.to_thread(file.write_bytes, empty())
    database = Database(f"sqlite:///{file}", 5.0, asyncio.get_running_loop())
    try:
        async with as_holder(api_app(database, Clock()), OPERATOR) as api:
            api.base_url = httpx.URL(f"{api.base_url}/api/v1")
            yield api, database
    finally:
        await database.close()


async def applied(text: str, *databases: Database) -> None:
    """As by the command line; kinds that the file does not mention are none."""
    plan = parse("".join(f"{kind} = []\n" for kind in PATHS if f"[[{kind}]]" not in text) + text, "plan.toml")
    for database in databases:
        await database.run(lambda conn: apply(conn, plan, 0.0, "", lambda: hashlib.md5(text.encode()).hexdigest()[:16]))


def key_of(kind: str, entry: Document) -> tuple[Any, ...]:
    return tuple(entry.get(name, "") for name in KINDS[kind].key)


def difference(before: Any, after: Any) -> Any:
    """RFC 7396: what makes the one of the other."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return after
    return {key: None for key in before if key not in after} | {
        key: difference(before.get(key), value) for key, value in after.items()
        if value != before.get(key) or key == "approved"  # it is said again for another number
    }  # fmt: skip


async def changed(api: httpx.AsyncClient, before: Document, after: Document) -> None:
    """The requests that lead from one file to the other; what has to wait for another is tried again."""
    server = await api.patch("/server", json=difference(before.get("server", {}), after.get("server", {})))
    assert server.status_code == 200, server.text
    waiting: list[tuple[str, str, Document]] = []
    for kind in PATHS:
        old, new = ({key_of(kind, each): each for each in file.get(kind, [])} for file in (before, after))
        waiting += [("POST", PATHS[kind], new[key]) for key in new.keys() - old.keys()]
        waiting += [("PATCH", await path_of(api, kind, old[key]), change) for key in new.keys() & old.keys()
                    if (change := difference(old[key], new[key])).keys() - {"credit"}]  # fmt: skip
        waiting += [("DELETE", await path_of(api, kind, old[key]), {}) for key in old.keys() - new.keys()]
    while waiting:
        answers = [(each, await api.request(each[0], each[1], json=each[2])) for each in waiting]
        assert all(answer.status_code in (200, 201, 204, 404, 409, 422) for _, answer in answers)
        left = [each for each, answer in answers if answer.status_code >= 400]
        if len(left) == len(waiting):  # an account that had money stays, whoever wants it away
            assert [each[:2] for each in left] == [("DELETE", "/accounts/client")], answers[-1][1].text
            break
        waiting = left


async def path_of(api: httpx.AsyncClient, kind: str, entry: Document) -> str:
    """Where the entry is."""
    if kind == "route":
        routes = (await api.get("/routes")).json()["entries"]
        return f"/routes/{next(each['id'] for each in routes if key_of(kind, each) == key_of(kind, entry))}"
    query = f"?account={entry.get('account', '')}" if kind == "interval" else ""
    return f"{PATHS[kind]}/{quote(key_of(kind, entry)[0], safe='')}{query}"


def everything(conn: Connection) -> Document:
    """Every setting, with secrets and money; IDs that were drawn are as good as others."""
    who = Holder("operator", None)
    found: Document = {"server": server_settings(conn, who)}
    for kind, of in KINDS.items():
        found[kind] = listed(conn, who, of, text="", account=None, limit=999, offset=0).entries
    for extension in found["extension"]:
        if extension["callnow"] and len(extension["callnow"]["id"]) == 16:
            extension["callnow"]["id"] = "drawn"
    found["route"] = sorted((each | {"id": 0} for each in found["route"]), key=str)
    extensions, trunks, accounts = tables.extensions.c, tables.trunks.c, tables.accounts.c
    for query in (
        select(extensions.number, extensions.ha1_md5, extensions.ha1_sha256).order_by(extensions.number),
        select(trunks.name, trunks.password).order_by(trunks.name),
        select(accounts.name, accounts.balance).where(accounts.kind == "client").order_by(accounts.name),
    ):
        found[str(query)] = [*map(tuple, conn.execute(query))]
    return found


def taken_back(document: Document) -> Document:
    """A document without what is only told."""
    return {
        name: taken_back(value) if isinstance(value, dict) else value
        for name, value in document.items() if name != "has_password"
    }  # fmt: skip


async def written_back(api: httpx.AsyncClient, kind: str, those: list[Document]) -> None:
    """What the API gives of these entries, it is given."""
    known = [key_of(kind, each) for each in those]
    for entry in (await api.get(PATHS[kind])).json()["entries"]:
        if key_of(kind, entry) not in known:
            continue
        path = await path_of(api, kind, entry)
        entry.pop("id", None)
        answer = await api.patch(path, json=taken_back(entry))
        assert answer.status_code == 200, answer.text


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    (tmp_path / "kept.db").write_bytes(empty())
    engine = connect(f"sqlite:///{tmp_path}/kept.db")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def comparable(entry: Any, rows: dict[Any, Any]) -> Any:
    """An entry without what a file may leave open: whose a number is, an ID that is drawn; and without its secrets."""
    plain = document(entry)
    if isinstance(entry, ChargingPlanEntry):
        plain["factor"] = parse_money(plain["factor"])
    if isinstance(entry, DidEntry):
        plain["account"] = plain["account"] or rows[entry.extension]
    if isinstance(entry, ExtensionEntry) and entry.callnow and len(entry.callnow.id) in (0, 16):
        plain["callnow"]["id"] = "drawn"
    return plain


@pytest.mark.parametrize("kind", PATHS)
def test_what_is_kept_is_what_the_file_said(kind: str, conn: Connection) -> None:
    """Every setting comes back from its rows, and goes through its document, as it was in the file."""
    for row in (row for row in ROWS if row.setting.startswith(f"{kind}.")):
        with conn.begin_nested() as trial:
            plan = parse(row.files()[1], "plan.toml")
            apply(conn, plan, 0.0, "", lambda: "0123456789abcdef")
            owners = {each.number: each.account for each in plan.extension or ()}
            names, of = Names(conn), KINDS[kind]
            kept = {of.name_of(each): each for each in (
                of.entry(found, names) for found in conn.execute(select(of.rows.table).where(*of.rows.only)).mappings()
            )}  # fmt: skip
            said = {of.name_of(each): each for each in getattr(plan, kind) or ()}
            assert kept.keys() == said.keys(), row.place
            for key, entry in said.items():
                assert comparable(kept[key], owners) == comparable(entry, owners), row.place
                again = with_secrets_of(kept[key], read_one(kind, as_written(document(kept[key]))), {})
                assert again == kept[key], row.place
            trial.rollback()


LIVE = {
    "account.rate_table", "account.dial_plan.refused", "extension.password", "extension.ring_s",
    "extension.callnow.paused", "extension.callnow.interval", "extension.callback.trigger_s", "trunk.out_prefix",
    "trunk.ring_s", "did.extension", "route.prefix", "charging_plan.factor", "interval.limits", "server.time_zone",
}  # fmt: skip
"""One or two of each kind."""




@pytest.mark.parametrize(("kind", "some"), [
    *(pytest.param(kind, True, id=kind) for kind in ("server", *PATHS)),
    *(pytest.param(kind, False, id=f"{kind}, every key", marks=pytest.mark.full) for kind in ("server", *PATHS)),
])  # fmt: skip
@pytest.mark.timeout(600)
async def test_the_api_changes_what_apply_changes(kind: str, some: bool, tmp_path: Path) -> None:
    rows: list[Row] = [row for row in ROWS if row.setting.startswith(f"{kind}.") and (row.setting in LIVE or not some)]
    assert rows
    async with api_over(tmp_path / "file.db") as (one, by_file), api_over(tmp_path / "api.db") as (api, by_api):
        for row in rows:
            before, after = map(tomllib.loads, row.files())
            await applied(row.files()[0], by_api, by_file)
            await changed(api, before, after)
            await applied(row.files()[1], by_file)
            wanted, version = await by_file.read(everything), await by_file.read(config_version)
            assert await by_api.read(everything) == wanted, row.place
            if kind != "server":
                await written_back(one, kind, [each for each in after[kind] if each not in before.get(kind, [])])
            assert await by_file.read(everything) == wanted, row.place
            assert await by_file.read(config_version) == version, row.place


async def by_api(world: World, row: Row) -> str:
    """The requests that make of the first file the second, to the API of the running server."""
    with world.database.engine.begin() as conn:
        let_in(conn)
    async with as_holder(api_app(world.database, world.wall), OPERATOR) as api:
        api.base_url = httpx.URL(f"{api.base_url}/api/v1")
        await changed(api, *map(tomllib.loads, row.files()))
    return row.says


@pytest.mark.parametrize("row", [row for row in ROWS if row.setting in LIVE], ids=lambda row: row.place)
def test_a_change_by_api_holds_for_the_next_call_and_after_a_restart(row: Row) -> None:
    before, after = row.seen
    assert seen(row, by_api) == [before, after, after]
