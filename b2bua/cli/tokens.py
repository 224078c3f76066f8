"""`ringback token ...`: who may use the REST API."""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Annotated

import typer
from sqlalchemy import Connection, select

from b2bua.cli.common import ConfigOption, DatabaseOption, clear_errors, database_url, show
from b2bua.config import BadConfig
from b2bua.office.jobs import iso
from store import tokens
from store.database import transact
from store.tables import accounts

__all__ = ["app"]

app = typer.Typer(help="Tokens of the REST API.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Whose it is, or what for.")]


@app.command()
def create(
    name: Name, account: Annotated[str, typer.Option(help="Sees this account's extensions only.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Make a token and show it: once, as only its hash is kept."""
    token = f"rb_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(token.encode()).hexdigest()

    def made(conn: Connection) -> None:
        tokens.new_token(conn, name, _account_id(conn, account), digest, time.time())

    with clear_errors():
        if not 0 < len(name) <= 64 or not name.isprintable():
            raise BadConfig("a token's name has 1 to 64 characters")
        transact(database_url(database, config), made)
    typer.echo(token)
    typer.echo("It is not shown again.", err=True)


def _account_id(conn: Connection, name: str) -> int | None:
    if not name:
        return None
    found: int | None = conn.execute(select(accounts.c.id).where(
        accounts.c.name == name, accounts.c.kind == "client",
    )).scalar_one_or_none()  # fmt: skip
    if found is None:
        raise BadConfig(f"there is no account {name}")
    return found


@app.command("list")
def list_(config: ConfigOption = None, database: DatabaseOption = "") -> None:
    """Show all tokens by name, without the tokens."""

    def found(conn: Connection) -> list[tuple[str, str, str, str]]:
        names = {row.id: row.name for row in conn.execute(select(accounts.c.id, accounts.c.name))}
        return [
            (each.name, "all" if each.account_id is None else names[each.account_id], iso(each.created),
             "never" if each.used is None else iso(each.used))
            for each in tokens.list_tokens(conn)
        ]  # fmt: skip

    with clear_errors():
        show(("name", "account", "created", "last used"), transact(database_url(database, config), found))


@app.command()
def revoke(name: Name, config: ConfigOption = None, database: DatabaseOption = "") -> None:
    """Let a token in no longer."""
    with clear_errors():
        if not transact(database_url(database, config), lambda conn: tokens.revoke_token(conn, name)):
            raise BadConfig(f"there is no token {name}")
    typer.echo(f"revoked {name}")
