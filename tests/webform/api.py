"""The API over a real store: two accounts, a callback number each, an operator's token and one of an account."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from sqlalchemy import Connection, func, select
from starlette.applications import Starlette

from b2bua.desk import Holder
from b2bua.office.office import BackOffice
from b2bua.plan.apply import apply, parse
from b2bua.secret_hash import hash_secret
from store import codes, journal
from store.database import BUSY_S, Database, transact
from store.directory import load
from store.tables import requests
from store.tokens import new_token
from tests.webform.desk import ScriptedDesk
from tests.webform.ground import BASE, Clock, client_of, tone_for
from webform.app import create_app

__all__ = ["LIST", "OPERATOR", "TENANT", "api_app", "as_holder", "filled_plan", "leave_spoken", "opened"]

OPERATOR, TENANT = "operator-token", "tenant-token"
LIST = "/api/v1/extensions/001*900/caller-ids"
PLAN = """
[[account]]
name = "acme"
dial_plan = {mode = "as-dialled", strip = ["+1"], refused = ["112", "911", "000", "1900"]}
[[account]]
name = "other"
currency = "EUR"
[[extension]]
number = "001*900"
account = "acme"
kind = "callback"
public_number = "5555559000"
callback = {}
[[extension]]
number = "001*002"
account = "acme"
public_number = "5555550000"
callnow = {id = "john_doe"}
[[extension]]
number = "002*900"
account = "other"
kind = "callback"
callback = {enabled = false}
[[trunk]]
name = "R1"
host = "192.0.2.1"
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
"""


@asynccontextmanager
async def opened(folder: Path, busy_s: float = BUSY_S) -> AsyncIterator[Database]:
    """A database with that plan and both tokens."""
    (folder / "ringback.db").write_bytes(_filled())
    database = await Database.open(f"sqlite:///{folder}/ringback.db", busy_s=busy_s)
    try:
        yield database
    finally:
        await database.close()


def filled_plan(conn: Connection) -> None:
    """The plan and both tokens."""
    apply(conn, parse(PLAN, "plan.toml"), 0.0, BASE, lambda: "0" * 16)
    new_token(conn, "operator", None, hashlib.sha256(OPERATOR.encode()).hexdigest(), 0.0)
    new_token(conn, "tenant", 1, hashlib.sha256(TENANT.encode()).hexdigest(), 0.0)


@cache
def _filled() -> bytes:
    """Made once: migrations take longer than a test."""
    with TemporaryDirectory() as folder:
        transact(f"sqlite:///{folder}/filled.db", filled_plan)
        return Path(folder, "filled.db").read_bytes()


def api_app(
    database: Database, clock: Clock, sounds: Path | None = None,
    place_code_call: Callable[[Holder, str], Awaitable[object]] | None = None,
) -> Starlette:  # fmt: skip
    """The application over that database."""
    return create_app(
        ScriptedDesk(), secret=b"test", base_url=BASE, speak_digits=tone_for, clock=clock,
        office=BackOffice(database, clock, sounds, place_code_call=place_code_call, base_url=BASE),
    )  # fmt: skip


def leave_spoken(extension: str, digits: str, at: float, conn: Connection) -> None:
    """What a call leaves that has spoken a code for an extension's number."""
    found = load(conn).extension(extension)
    assert found is not None
    call_id = f"call-{conn.execute(select(func.count()).select_from(requests)).scalar_one()}"
    number = found.caller_id.number
    journal.open_request(conn, journal.RequestRecord(
        call_id, at, "", found.number, number=number, reason="code-spoken", call_id=call_id, ended=at, kind="code",
    ))
    codes.ask(conn, found.id, number, call_id, hash_secret(digits), at)
    codes.spoken(conn, call_id, at)


def as_holder(app: Starlette, token: str, *, peer: str = "192.0.2.7") -> httpx.AsyncClient:
    """A client with this token."""
    client = client_of(app, peer=peer)
    client.headers["Authorization"] = f"Bearer {token}"
    return client
