"""Fixtures: a scripted desk and the application over it, in memory; a real store and who holds a token of its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from store.database import Database
from tests.webform.api import OPERATOR, TENANT, api_app, as_holder, opened
from tests.webform.desk import ScriptedDesk
from tests.webform.ground import BASE, Clock, client_of, tone_for
from webform.app import create_app


@pytest.fixture
def desk() -> ScriptedDesk:
    return ScriptedDesk()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(desk: ScriptedDesk, clock: Clock) -> Starlette:
    return create_app(desk, secret=b"test", base_url=BASE, speak_digits=tone_for, clock=clock)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path) as database:
        yield database


@pytest.fixture
async def operator(database: Database, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    async with as_holder(api_app(database, clock), OPERATOR) as client:
        yield client


@pytest.fixture
async def tenant(database: Database, clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    async with as_holder(api_app(database, clock), TENANT) as client:
        yield client
