"""What the command-line verbs share: options, sentences for errors, and one order to the back office."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from b2bua.config import BadConfig, Config, read_config
from b2bua.desk import Holder, NotDone
from b2bua.office.office import BackOffice
from store.database import Database
from store.errors import StoreError

__all__ = ["OPERATOR", "ConfigOption", "DatabaseOption", "clear_errors", "database_url", "order", "show"]

T = TypeVar("T")
DatabaseOption = Annotated[str, typer.Option("--database", help="sqlite:///FILE; before the one in --config.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The server's file, for its database.")]
OPERATOR = Holder("operator", None)


def order(
    database: str, config: Path | None, what: Callable[[BackOffice], Awaitable[T]], base_url: str = ""
) -> T:
    """Open the database, do one thing, close it; what goes wrong is a sentence on stderr and exit status 1."""

    async def done() -> T:
        opened = await Database.open(database_url(database, config))
        pages = base_url or (read_config(config) if config else Config()).base_url()
        try:
            return await what(BackOffice(opened, time.time, base_url=pages))
        finally:
            await opened.close()

    with clear_errors():
        return asyncio.run(done())


def database_url(database: str, config: Path | None) -> str:
    """The database that is named, else the server's, else its default."""
    if database:
        return database
    return read_config(config).server.database if config else "sqlite:///ringback.db"


@contextmanager
def clear_errors() -> Iterator[None]:
    """An operator reads a sentence, never a traceback."""
    try:
        yield
    except (BadConfig, NotDone, OSError, StoreError, TimeoutError) as error:
        sentence = str(error)
        if isinstance(error, OSError) and error.filename:
            sentence = f"{error.filename}: {error.strerror}"
        typer.echo(f"ringback: {sentence}", err=True)
        sys.exit(1)


def show(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, as wide as its cells."""
    lines = [columns, *rows]
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
