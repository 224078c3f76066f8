"""`ringback blocked ...`: numbers that pages do not call (SPEC A12.6)."""

from __future__ import annotations

from typing import Annotated

import typer

from b2bua.cli.common import OPERATOR, ConfigOption, DatabaseOption, order, show
from b2bua.desk import NewBlocked

__all__ = ["app"]

app = typer.Typer(help="Numbers that no CallNow page calls, or one of them does not.", no_args_is_help=True)
Number = Annotated[str, typer.Argument(help="The number, in any notation.")]
Of = Annotated[str, typer.Option("--extension", help="Of this extension's page; all pages where not said.")]


@app.command("list")
def list_(
    text: Annotated[str, typer.Option("--text", help="Only those that contain this.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Show them, the newest first."""
    found = order(database, config, lambda office: office.blocked_numbers(OPERATOR, text))
    show(("number", "page of", "by", "since"), [(row.number, row.extension or "all", row.by, row.at) for row in found])


@app.command()
def add(number: Number, extension: Of = "", config: ConfigOption = None, database: DatabaseOption = "") -> None:
    """Block one."""
    row = order(database, config, lambda office: office.block_number(OPERATOR, NewBlocked(number, extension)))
    typer.echo(f"blocked {row.number} for {row.extension or 'all pages'}")


@app.command()
def remove(number: Number, extension: Of = "", config: ConfigOption = None, database: DatabaseOption = "") -> None:
    """Let it be called again."""
    order(database, config, lambda office: office.unblock_number(OPERATOR, extension, number))
    typer.echo(f"{number} may be called again")
