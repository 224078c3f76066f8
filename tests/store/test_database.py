"""One writer, group commit, and what happens when the database cannot."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from store.database import GROUP, Database, connect, transact
from store.errors import StoreError
from store.meta import read_meta, write_meta
from store.tables import meta

INSERT = insert(meta)


class Busy:
    """A job that keeps the writer busy, so that what is asked meanwhile queues up behind it."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()

    def __call__(self, conn: Connection) -> None:
        self.entered.set()
        assert self.go.wait(5)

    async def begin(self, database: Database) -> asyncio.Task[None]:
        task = asyncio.create_task(database.run(self))
        assert await asyncio.to_thread(self.entered.wait, 5)
        return task


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(f"sqlite:///{tmp_path}/ringback.db", busy_s=0.2)
    yield opened
    await opened.close()


def count(conn: Connection) -> int:
    return int(conn.execute(select(func.count()).select_from(meta)).scalar_one())


def rows(*keys: str) -> list[dict[str, str]]:
    return [{"key": key, "value": ""} for key in keys]


async def test_what_run_returned_from_is_committed(database: Database, tmp_path: Path) -> None:
    await database.run(lambda conn: write_meta(conn, "a", "1"))
    other = sqlite3.connect(tmp_path / "ringback.db")
    assert other.execute("SELECT value FROM meta WHERE key = 'a'").fetchall() == [("1",)]
    other.close()


async def test_jobs_that_queue_up_share_one_transaction_and_one_failure_spoils_no_other(database: Database) -> None:
    busy = Busy()
    transactions: list[int] = []

    def job(key: str) -> asyncio.Future[str]:
        def write(conn: Connection) -> str:
            transactions.append(id(conn.get_transaction()))
            write_meta(conn, key, "1")
            if key == "bad":
                conn.execute(INSERT, rows("bad"))
            return key
        return asyncio.ensure_future(database.run(write))

    first = await busy.begin(database)
    others = [job(key) for key in ("a", "bad", "b")]
    await asyncio.sleep(0)  # each task puts its job into the queue
    busy.go.set()
    a, bad, b = await asyncio.gather(*others, return_exceptions=True)
    await first
    assert (a, b) == ("a", "b")
    assert isinstance(bad, IntegrityError)
    assert len(transactions) == 3
    assert len(set(transactions)) == 1
    assert await database.read(lambda conn: [read_meta(conn, key) for key in ("a", "bad", "b")]) == ["1", None, "1"]


async def test_a_failing_job_raises_its_own_error_at_its_own_waiter(database: Database) -> None:
    def fails(conn: Connection) -> None:
        write_meta(conn, "a", "1")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await database.run(fails)
    assert await database.read(count) == 0


async def test_a_cancelled_waiter_loses_the_answer_not_the_job(database: Database) -> None:
    busy = Busy()
    await busy.begin(database)
    waiter = asyncio.create_task(database.run(lambda conn: write_meta(conn, "a", "1")))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    busy.go.set()
    assert await database.run(lambda conn: read_meta(conn, "a")) == "1"


async def test_posted_rows_are_written_soon_without_anybody_waiting(database: Database) -> None:
    database.post(INSERT, rows("a", "b"))
    database.post(INSERT, rows("c"))
    async with asyncio.timeout(5):
        while await database.read(count) < 3:  # noqa: ASYNC110 - another thread's work, seen only by looking
            await asyncio.sleep(0.01)


async def test_posted_rows_are_flushed_at_close(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ringback.db"
    database = await Database.open(url)
    for n in range(1000):
        database.post(INSERT, rows(str(n)))
    await database.close()
    await database.close()
    assert transact(url, count) == 1000


async def test_one_refused_row_costs_only_itself(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    database.post(INSERT, rows("a", "b", "a", "c"))
    await database.close()
    assert [record.getMessage().split(" error=")[0] for record in caplog.records] == ["event=row-refused table=meta"]


async def test_a_row_that_no_statement_can_take_does_not_stop_the_writer(
    database: Database, caplog: pytest.LogCaptureFixture,
) -> None:
    database.post(INSERT, [{"key": "a", "value": object()}])
    await database.run(lambda conn: write_meta(conn, "b", "1"))
    assert "event=row-refused" in caplog.text


async def test_a_locked_database_is_waited_for_then_told_and_posted_rows_survive(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    other = sqlite3.connect(tmp_path / "ringback.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database.post(INSERT, rows("kept"))
    with pytest.raises(StoreError, match="locked by another process"):
        await database.run(lambda conn: write_meta(conn, "a", "1"))
    other.execute("ROLLBACK")
    other.close()
    await database.run(lambda conn: write_meta(conn, "b", "1"))
    assert await database.read(lambda conn: [read_meta(conn, key) for key in ("kept", "a", "b")]) == ["", None, "1"]
    assert "event=transaction-failed jobs=1" in caplog.text


async def test_rows_that_could_not_be_written_before_the_end_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/ringback.db", busy_s=0.05)
    other = sqlite3.connect(tmp_path / "ringback.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database.post(INSERT, rows("a", "b"))
    await database.close()
    other.close()
    assert "event=rows-lost count=2" in caplog.text


async def test_when_the_whole_transaction_is_gone_no_job_of_it_reports_success(database: Database) -> None:
    busy = Busy()

    def rolled_back(conn: Connection) -> None:
        # what SQLite does by itself when the disk is full
        conn.exec_driver_sql("ROLLBACK")
        conn.execute(text("SELECT nothing FROM nowhere"))

    first = await busy.begin(database)
    good = asyncio.create_task(database.run(lambda conn: write_meta(conn, "a", "1")))
    bad = asyncio.create_task(database.run(rolled_back))
    await asyncio.sleep(0)
    busy.go.set()
    await first
    outcomes = await asyncio.gather(good, bad, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreError, StoreError]
    assert await database.read(count) == 0
    await database.run(lambda conn: write_meta(conn, "b", "1"))


async def test_readers_see_what_is_committed_and_cannot_write(database: Database) -> None:
    await database.run(lambda conn: write_meta(conn, "a", "1"))
    assert await database.read(lambda conn: read_meta(conn, "a")) == "1"
    with pytest.raises(StoreError, match="readonly"):
        await database.read(lambda conn: write_meta(conn, "a", "2"))


async def test_a_reader_does_not_wait_for_the_writer(database: Database) -> None:
    busy = Busy()
    writing = await busy.begin(database)
    assert await database.read(count) == 0
    busy.go.set()
    await writing


async def test_more_jobs_than_one_transaction_takes(database: Database) -> None:
    def write(key: str) -> Callable[[Connection], None]:
        return lambda conn: write_meta(conn, key, "")

    await asyncio.gather(*(database.run(write(str(n))) for n in range(GROUP + 10)))
    assert await database.read(count) == GROUP + 10


async def test_a_closed_database_says_so(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/ringback.db")
    await database.close()
    for verb in (database.run, database.read):
        with pytest.raises(StoreError, match="closed"):
            await verb(count)
    with pytest.raises(StoreError, match="closed"):
        database.post(INSERT, rows("a"))


def test_transact_keeps_all_or_nothing(url: str) -> None:
    def fails(conn: Connection) -> None:
        write_meta(conn, "a", "1")
        raise KeyError

    with pytest.raises(KeyError):
        transact(url, fails)
    with pytest.raises(StoreError, match="no such table"):
        transact(url, lambda conn: conn.execute(text("SELECT 1 FROM nowhere")))
    assert transact(url, count) == 0


def test_transact_waits_for_another_writer_then_says_so(url: str, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "ringback.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"):
        transact(url, count, busy_s=0.05)
    other.close()


@pytest.mark.parametrize(("url", "sentence"), [
    pytest.param("postgresql://host/db", "no such database yet: postgresql", id="another database"),
    pytest.param("sqlite://", "must be a file", id="no file"),
    pytest.param("sqlite:///:memory:", "must be a file", id="memory"),
    pytest.param("sqlite:////nowhere/at/all.db", "cannot open /nowhere/at/all.db: No such file", id="no folder"),
])
def test_a_database_that_cannot_be(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        connect(url)


def test_money_is_on_the_disk_when_commit_returns_and_only_its_owner_reads_it(url: str, tmp_path: Path) -> None:
    engine = connect(url)
    with engine.connect() as conn:
        pragmas = [conn.execute(text(f"PRAGMA {name}")).scalar_one() for name in (
            "journal_mode", "synchronous", "foreign_keys",
        )]
    engine.dispose()
    assert pragmas == ["wal", 2, 1]
    assert stat.S_IMODE(os.stat(tmp_path / "ringback.db").st_mode) == 0o600


async def test_a_failure_of_the_database_inside_a_job_is_the_jobs_own(database: Database) -> None:
    with pytest.raises(OperationalError):
        await database.run(lambda conn: conn.execute(text("SELECT 1 FROM nowhere")))
    await database.run(lambda conn: write_meta(conn, "a", "1"))
