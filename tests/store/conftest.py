"""A fresh migrated database for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from store.database import connect, migrate
from store.ledger import recharge
from store.tables import accounts
from store.values import Micros

NewAccount = Callable[..., int]


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/ringback.db"
    migrate(url)
    return url


@pytest.fixture
def conn(url: str) -> Iterator[Connection]:
    engine = connect(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def new_account(conn: Connection) -> NewAccount:
    def create(credit: int = 0, plan: str = "prepaid", limit: int | None = None, name: str = "client") -> int:
        account_id: int = conn.execute(insert(accounts).values(
            name=name, currency="USD", plan=plan, call_api=True, credit_limit=limit, dial_plan={}, rate_table="default",
        ).returning(accounts.c.id)).scalar_one()
        if credit:
            recharge(conn, account_id, Micros(credit), "", 0.0)
        return account_id

    return create
