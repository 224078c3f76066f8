"""The migrations make exactly the tables that the code uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import IntegrityError

from store import migrations
from store.database import connect, migrate
from store.directory import load
from store.journal import requests_of
from store.tables import metadata
from store.values import CallbackSettings, Trunk


def test_migrations_and_tables_agree(conn: Connection) -> None:
    assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_columns_and_checks_are_those_that_the_tables_would_create(conn: Connection, tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path}/created.db")
    with engine.begin() as created:
        metadata.create_all(created)
        assert shape(conn) == shape(created)
    engine.dispose()


def shape(conn: Connection) -> dict[str, object]:
    found = inspect(conn)
    return {
        table: (
            conn.execute(text(f"PRAGMA table_info({table})")).all(),
            sorted((check["name"] or "", check["sqltext"]) for check in found.get_check_constraints(table)),
        )
        for table in metadata.tables
    }


def test_migrating_again_changes_nothing(url: str) -> None:
    before = everything(url)
    migrate(url)
    assert everything(url) == before
    assert any("ledger_no_update" in made for made in before)


def test_an_older_database_with_rows_in_it_is_brought_up_to_date(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    engine = connect(url)
    with engine.begin() as conn:
        upgrade_to(conn, "0001")
        conn.execute(text("INSERT INTO accounts (id, name, plan, call_api, dial_plan)"
                          " VALUES (1, 'a', 'prepaid', 1, '{}')"))
        conn.execute(text("INSERT INTO extensions (number, account_id, kind, ring_s, confirm_s, caller_id)"
                          " VALUES ('001*900', 1, 'callback', 1, 1, '{}')"))
        conn.execute(text("INSERT INTO callnow VALUES (1, 1, 'id', 0, 0, 0, 0, 0, 0, 'en', '', 0, 1, 1, NULL)"))
        conn.execute(text("INSERT INTO trunks (name, host, port, trusted, sources, number_format, country, codecs,"
                          " ring_s, media) VALUES ('R1', 'h', 1, 1, '[]', 'as-is', 'US', '[]', 1, 'relay')"))
        conn.execute(text("INSERT INTO ledger (account_id, at, kind) VALUES (1, 1.0, 'recharge')"))
        conn.execute(text("INSERT INTO requests (token, at, number) VALUES ('t', 1.0, '5551')"))
    migrate(url)
    with engine.begin() as conn:
        directory = load(conn)
        extension = directory.extensions["001*900"]
        assert (extension.callback, extension.callnow.allowed) == (CallbackSettings(), ())
        assert (directory.trunks[1].pai, directory.accounts[1].caller_quota) == ("number", None)
        assert directory.trunks[1] == Trunk(1, "R1", "h", 1, trusted=True, number_format="as-is", codecs=(), ring_s=1)
        assert requests_of(conn, "5551")[0].kind == "callnow"
        with pytest.raises(IntegrityError, match="append-only"):
            conn.execute(text("DELETE FROM ledger"))
    engine.dispose()


def upgrade_to(conn: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    config.attributes["connection"] = conn
    command.upgrade(config, revision)


def everything(url: str) -> list[str]:
    engine = connect(url)
    with engine.connect() as conn:
        made = conn.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")).scalars().all()
    engine.dispose()
    return list(made)
