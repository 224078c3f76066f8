"""The database: synchronous jobs over a Connection, run by one writer thread with group commit.

Why not the async engine: a job here is three or four statements of some 30 us, and every awaited statement would be two
hops between threads. One thread that owns one connection hops once per job, commits all jobs that queued up meanwhile
together (one fsync for all of them), and PostgreSQL later needs only a synchronous driver for the same code.

Why synchronous=FULL: in WAL mode NORMAL forgets the last commits at a power cut, and a forgotten hold or settlement is
money that moved twice. FULL costs an fsync a commit; group commit shares it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter, itemgetter
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Dialect, Engine, Insert, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.compiler import SQLCompiler

from store.errors import StoreError

__all__ = ["Database", "Job", "connect", "migrate", "transact"]

T = TypeVar("T")
Job = Callable[[Connection], T]
Row = Mapping[str, Any] | Struct
"""Values by the names of columns: a mapping, or a record with such fields."""
Posted = tuple[Insert, Sequence[Row]]
Outcome = tuple["asyncio.Future[Any]", Any, Exception | None]

BUSY_S = 5.0
"""How long a transaction waits for another process (`ringback apply`) to finish its own."""
GROUP = 256
"""Most jobs in one transaction."""
LINGER_S = 1.0
"""How long posted rows wait for company when no job commits anyway: a transaction costs as much as 50 rows."""

log = logging.getLogger(__name__)


def connect(url: str, *, busy_s: float = BUSY_S, read_only: bool = False) -> Engine:
    """An engine whose transactions really begin with BEGIN; the database file is readable by its owner only."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        raise StoreError(f"no such database yet: {parsed.get_backend_name()} (use sqlite:///FILE)")
    if not parsed.database or parsed.database == ":memory:":
        raise StoreError("the database must be a file: sqlite:///FILE")
    try:
        Path(parsed.database).touch(mode=0o600)  # trunk passwords are in it
    except OSError as broken:
        raise StoreError(f"cannot open {parsed.database}: {broken.strerror}") from broken
    engine = create_engine(parsed, connect_args={"timeout": busy_s})

    @event.listens_for(engine, "connect")
    def _settings(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # the driver's own BEGIN comes too late for SAVEPOINT and never locks
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"query_only={int(read_only)}"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE waits for the other writer here; a read turned into a write later would fail at once
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def migrate(url: str, *, busy_s: float = BUSY_S) -> None:
    """Bring an empty or older database up to this version of the tables, in one transaction.

    Raises: StoreError.
    """
    from alembic import command  # a tenth of a second of imports that only a start needs
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = connect(url, busy_s=busy_s)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except SQLAlchemyError as broken:
        raise _store_error(broken) from broken
    finally:
        engine.dispose()


def transact(url: str, job: Job[T], *, busy_s: float = BUSY_S) -> T:
    """Run one job in one transaction without a server: what command-line verbs use.

    Raises: StoreError, and whatever the job raises.
    """
    migrate(url, busy_s=busy_s)
    engine = connect(url, busy_s=busy_s)
    try:
        with engine.begin() as connection:
            return job(connection)
    except SQLAlchemyError as broken:
        raise _store_error(broken) from broken
    finally:
        engine.dispose()


def _store_error(broken: Exception) -> StoreError:
    cause = str(getattr(broken, "orig", None) or broken)
    if "locked" in cause:
        return StoreError("the database is locked by another process; try again when it has finished")
    return StoreError(f"the database refused: {cause}")


@dataclass(frozen=True, slots=True)
class _Asked:
    job: Job[Any]
    answer: asyncio.Future[Any]


class Database:
    """One writer thread and one reader thread over one database."""

    def __init__(self, url: str, busy_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._writes, self._reads = connect(url, busy_s=busy_s), connect(url, busy_s=busy_s, read_only=True)
        self._queue: SimpleQueue[_Asked | list[Posted] | None] = SimpleQueue()
        self._posted: list[Posted] = []
        self._unwritten: list[Posted] = []
        self._closed = False
        self._readers = ThreadPoolExecutor(1, "store-reader")
        self._writer = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._writer.start()

    @classmethod
    async def open(cls, url: str, *, busy_s: float = BUSY_S) -> Database:
        """Migrate and open. Raises: StoreError."""
        await asyncio.to_thread(migrate, url, busy_s=busy_s)
        return cls(url, busy_s, asyncio.get_running_loop())

    async def run(self, job: Job[T]) -> T:
        """Run a job in the next transaction; returns after COMMIT, and the job is kept even if the waiter is cancelled.

        Raises: what the job raises (its own statements are undone); StoreError when the transaction itself failed.
        """
        if self._closed:
            raise StoreError("the database is closed")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._hand_over()
        self._queue.put(_Asked(job, answer))
        return await answer

    def post(self, insert: Insert, rows: Sequence[Row]) -> None:
        """Insert rows soon, many at a time, after the jobs of their transaction; `close` writes what is left."""
        if self._closed:
            raise StoreError("the database is closed")
        if not self._posted:
            self._loop.call_later(LINGER_S, self._hand_over)
        self._posted.append((insert, rows))

    def _hand_over(self) -> None:
        """Posted rows go to the writer together: waking a thread for each call costs more than its rows."""
        if self._posted:
            self._queue.put(self._posted)
            self._posted = []

    async def read(self, job: Job[T]) -> T:
        """Run a job that only reads, beside the writer, on what is committed now.

        Raises: what the job raises; StoreError.
        """
        def snapshot() -> T:
            try:
                with self._reads.connect() as connection:
                    return job(connection)
            except SQLAlchemyError as broken:
                raise _store_error(broken) from broken
        if self._closed:
            raise StoreError("the database is closed")
        return await self._loop.run_in_executor(self._readers, snapshot)

    async def close(self) -> None:
        """Write everything that was asked and posted, then let the database go."""
        if self._closed:
            return
        self._closed = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        self._writes.dispose()
        self._reads.dispose()

    # ---- the writer thread ----

    def _write(self) -> None:
        closing = False
        while not closing:
            asked, posted, closing = self._collect()
            self._transact(asked, self._unwritten + posted)
        if self._unwritten:
            log.error("event=rows-lost count=%d", sum(len(rows) for _, rows in self._unwritten))

    def _collect(self) -> tuple[list[_Asked], list[Posted], bool]:
        """The next transaction's work: everything queued now, but no more than GROUP jobs."""
        asked: list[_Asked] = []
        posted: list[Posted] = []
        try:
            item = self._queue.get(timeout=BUSY_S if self._unwritten else None)
            while item is not None:
                if isinstance(item, _Asked):
                    asked.append(item)
                else:
                    posted += item
                if len(asked) == GROUP:
                    break
                item = self._queue.get_nowait()
            return asked, posted, item is None
        except Empty:
            return asked, posted, False

    def _transact(self, asked: Sequence[_Asked], posted: list[Posted]) -> None:
        outcomes: list[Outcome] = []
        try:
            with self._writes.begin() as connection:
                outcomes = [_attempt(connection, item) for item in asked]
                for insert, rows in _grouped(posted):
                    _insert(connection, insert, rows)
            self._unwritten = []
        except Exception as broken:  # whatever it was, the thread lives on and every waiter is told
            outcomes = [(item.answer, None, _store_error(broken)) for item in asked]
            self._unwritten = posted
            log.error("event=transaction-failed jobs=%d error=%s", len(asked), _store_error(broken))
        self._loop.call_soon_threadsafe(_answer, outcomes)


def _attempt(connection: Connection, item: _Asked) -> Outcome:
    """Run one job in its SAVEPOINT, so that its failure spoils no other job of the transaction."""
    try:
        with connection.begin_nested():
            return item.answer, item.job(connection), None
    except Exception as error:
        # a full disk makes SQLite roll back the whole transaction: then no job of it may report success
        if isinstance(error, SQLAlchemyError) and not getattr(connection.connection, "in_transaction", True):
            raise
        return item.answer, None, error


def _grouped(posted: Iterable[Posted]) -> Iterable[tuple[Insert, list[Row]]]:
    groups: dict[Insert, list[Row]] = {}
    for insert, rows in posted:
        groups.setdefault(insert, []).extend(rows)
    return groups.items()


def _insert(connection: Connection, insert: Insert, rows: Sequence[Row]) -> None:
    """Insert many; when one is refused, insert the others one by one and log the loss."""
    statement, values = _compiled(insert, connection.dialect, *_shape(rows[0]))
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement, [values(row) for row in rows])
    except Exception as broken:
        if len(rows) == 1:
            log.error("event=row-refused table=%s error=%s", insert.table, getattr(broken, "orig", broken))
            return
        for row in rows:
            _insert(connection, insert, [row])


def _shape(row: Row) -> tuple[tuple[str, ...], Any]:
    """The names in a row, and what makes a reader of some of them."""
    return (row.__struct_fields__, attrgetter) if isinstance(row, Struct) else (tuple(row), itemgetter)


@lru_cache(16)
def _compiled(insert: Insert, dialect: Dialect, keys: tuple[str, ...], read: Any) -> tuple[str, Callable[[Row], Any]]:
    """The text of a statement and its values of a row: half the cost of a row was to find that out again."""
    compiled = insert.compile(dialect=dialect, column_keys=list(keys))
    assert isinstance(compiled, SQLCompiler)
    assert compiled.positiontup is not None
    assert len(compiled.positiontup) > 1  # of a single name, a reader would give no tuple
    return compiled.string, read(*compiled.positiontup)


def _answer(outcomes: Sequence[Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():  # the waiter was cancelled; the job stays done
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
