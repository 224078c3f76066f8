"""The migrations make exactly the tables that the code uses."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from store.database import connect, migrate
from store.tables import metadata


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


def everything(url: str) -> list[str]:
    engine = connect(url)
    with engine.connect() as conn:
        made = conn.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")).scalars().all()
    engine.dispose()
    return list(made)
