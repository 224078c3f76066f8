"""`ringback caller ...`: the authorised CallerIDs of a callback extension and their credit (SPEC 53-62)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from b2bua.cli.common import OPERATOR, ConfigOption, DatabaseOption, clear_errors, order, show
from b2bua.config import BadConfig
from b2bua.desk import CallerChange, CallerView, NewCaller, NewRecharge, QuotaView
from b2bua.money import UNLIMITED

__all__ = ["app"]

app = typer.Typer(help="Authorised CallerIDs of a callback extension, and their credit.", no_args_is_help=True)
Extension = Annotated[str, typer.Argument(help="The callback extension, for example 001*900.")]
Number = Annotated[str, typer.Argument(help="The caller's number, in any notation.")]
Text = Annotated[str, typer.Option("--text", help="Only those that contain this.")]
AskPin = Annotated[bool, typer.Option("--pin", help="Ask for a PIN; it is not shown.")]
PinFile = Annotated[Path | None, typer.Option("--pin-file", help="Read the PIN from this file; - is standard input.")]
Enabled = Annotated[bool | None, typer.Option("--enabled/--disabled", help="Only these; both where not said.")]
Language = Annotated[str | None, typer.Option("--language", help="Of the prompts; empty: the extension's.")]
_EVERYONE = 1_000_000


@app.command("list")
def list_(
    extension: Extension, text: Text = "", enabled: Enabled = None, config: ConfigOption = None,
    database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Show the CallerIDs with their credit, and how many more may be active."""
    found = order(database, config, lambda office: office.callers(
        OPERATOR, extension, text=text, enabled=enabled, limit=_EVERYONE,
    ))  # fmt: skip
    show(
        ("number", "status", "PIN", "total", "available", "spent", "", "created"),
        [(row.number, "enabled" if row.enabled else "disabled", "yes" if row.pin else "no", row.total_credit,
          row.available_credit, row.spent, row.currency, row.created) for row in found.callers],
    )  # fmt: skip
    typer.echo(_quota(found.quota))


def _quota(quota: QuotaView) -> str:
    if quota.maximum is None:
        return f"{quota.active} active, no limit"
    return f"{quota.active} active of at most {quota.maximum}, {quota.addable} more may be"


@app.command()
def add(
    extension: Extension, number: Number, credit: Annotated[str, typer.Option(help="5.00 or unlimited.")] = "0.00",
    order_number: Annotated[str, typer.Option("--order", help="Of the first credit.")] = "",
    pin: AskPin = False, pin_file: PinFile = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Not active yet.")] = False, language: Language = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Add a CallerID."""
    new = NewCaller(
        number=number, pin=_pin(pin, pin_file) or "", credit=credit, order_number=order_number, enabled=not disabled,
        language=language or "",
    )  # fmt: skip
    _tell("added", order(database, config, lambda office: office.add_caller(OPERATOR, extension, new)))


@app.command()
def edit(
    extension: Extension, number: Number, new_number: Annotated[str | None, typer.Option("--number")] = None,
    pin: AskPin = False, pin_file: PinFile = None,
    no_pin: Annotated[bool, typer.Option("--no-pin", help="Ask for no PIN any more.")] = False,
    language: Language = None, config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Change a CallerID's number, PIN or language."""
    secret = "" if no_pin else _pin(pin, pin_file)
    _change(extension, number, CallerChange(number=new_number, pin=secret, language=language), config, database)


@app.command()
def enable(
    extension: Extension, number: Number, config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Let a CallerID be called back; refused where the quota is full."""
    _change(extension, number, CallerChange(enabled=True), config, database)


@app.command()
def disable(
    extension: Extension, number: Number, config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Call a CallerID back no longer; frees a place of the quota."""
    _change(extension, number, CallerChange(enabled=False), config, database)


def _change(extension: str, number: str, change: CallerChange, config: Path | None, database: str) -> None:
    _tell("changed", order(database, config, lambda office: office.edit_caller(OPERATOR, extension, number, change)))


@app.command()
def remove(
    extension: Extension, number: Number, config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Forget a CallerID; what it paid stays in the ledger."""
    order(database, config, lambda office: office.remove_caller(OPERATOR, extension, number))
    typer.echo(f"removed {number}")


@app.command(context_settings={"ignore_unknown_options": True})  # so that -10 is an amount
def recharge(
    extension: Extension, number: Number, amount: Annotated[str, typer.Argument(help="5.00, -10 or unlimited.")],
    order_number: Annotated[str, typer.Option("--order", help="The order it belongs to; posted once.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Add credit to a CallerID, or take some; a call that is up goes on with it."""
    new = NewRecharge(amount=amount, order_number=order_number)
    row = order(database, config, lambda office: office.recharge(OPERATOR, extension, number, new))
    typer.echo(f"added {row.credit_added}, left {row.credit_left}")


@app.command()
def history(
    extension: Extension, number: Number, text: Text = "", config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Show the recharges of a CallerID, newest first."""
    rows = order(database, config, lambda office: office.recharges(OPERATOR, extension, number, text))
    show(("order", "added", "left", "date"),
         [(row.order_number, row.credit_added, row.credit_left, row.added) for row in rows])  # fmt: skip


@app.command("import")
def import_(
    extension: Extension, file: Annotated[Path, typer.Argument(help="number, PIN, order number, initial credit")],
    separator: Annotated[str, typer.Option(help="Between the cells of a line.")] = ",",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look whether it would be taken.")] = False,
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Add every line of a file, or none; `u` is unlimited credit."""
    with clear_errors():
        data = file.read_bytes()
    done = order(database, config, lambda office: office.import_callers(
        OPERATOR, extension, data, separator=separator, dry_run=dry_run, progress=_progress,
    ))  # fmt: skip
    typer.echo(f"{done.added} CallerIDs {'would be' if dry_run else 'were'} added")


def _progress(done: int, of: int) -> None:
    """On one line of a terminal, and nowhere else."""
    if sys.stderr.isatty():
        typer.echo(f"\r{done} of {of}", err=True, nl=done == of)


@app.command()
def export(
    extension: Extension, file: Annotated[Path, typer.Argument(help="Ends with .csv or .xlsx.")], text: Text = "",
    enabled: Enabled = None, config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Write the list to a file."""
    with clear_errors():
        kind = _kind(file)
        data = order(database, config, lambda office: office.export_callers(
            OPERATOR, extension, kind, text=text, enabled=enabled,
        ))  # fmt: skip
        file.write_bytes(data)


def _kind(file: Path) -> Literal["csv", "xlsx"]:
    match file.suffix.lower():
        case ".csv":
            return "csv"
        case ".xlsx":
            return "xlsx"
    raise BadConfig(f"{file}: name it .csv or .xlsx")


def _pin(ask: bool, file: Path | None) -> str | None:
    """The PIN that was keyed in or stands in a file; never on the command line, where others see it."""
    if file is not None:
        with clear_errors():
            return (sys.stdin.read() if str(file) == "-" else file.read_text()).strip()
    if not ask:
        return None
    pin: str = typer.prompt("PIN", hide_input=True, confirmation_prompt=True)
    return pin


def _tell(done: str, caller: CallerView) -> None:
    left = caller.available_credit + (f" {caller.currency}" if caller.available_credit != UNLIMITED else "")
    state, pin = "enabled" if caller.enabled else "disabled", "a PIN is asked" if caller.pin else "no PIN"
    typer.echo(f"{done} {caller.number}: {state}, {pin}, credit {left}")
