"""`ringback public-caller-id ...`: the number set by the user, and the code that proves it (SPEC 39)."""

from __future__ import annotations

from typing import Annotated

import typer

from b2bua.cli.common import OPERATOR, ConfigOption, DatabaseOption, clear_errors, database_url, order
from b2bua.config import BadConfig
from b2bua.control import NoServer, ask_code_call
from b2bua.desk import TypedCode
from b2bua.explain import sentence

__all__ = ["app"]

app = typer.Typer(help="Prove that a number set by the user may be shown in public calls.", no_args_is_help=True)
Extension = Annotated[str, typer.Argument(help="The extension, for example 001*002.")]


@app.command()
def call(extension: Extension, config: ConfigOption = None, database: DatabaseOption = "") -> None:
    """Let the running server call the number, at the extension's expense, and speak a code."""
    with clear_errors():
        try:
            for told in ask_code_call(database_url(database, config), extension):
                if told.refused:
                    raise BadConfig(told.refused)
                typer.echo(f"{told.reason}: {sentence(told.reason)}" if told.reason else f"calling {told.number}")
                if told.reason:
                    return
        except NoServer as error:
            raise BadConfig(str(error)) from error
        raise BadConfig("the server has ended")


@app.command()
def confirm(
    extension: Extension, code: Annotated[str, typer.Argument(help="The code; asked for where not said.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Type the code that was heard: the number is shown from the next call on."""
    typed = TypedCode(code or typer.prompt("Code"))
    view = order(database, config, lambda office: office.confirm_code(OPERATOR, extension, typed))
    typer.echo(f"{view.number} is approved")
