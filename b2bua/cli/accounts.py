"""`ringback account ...`: what accounts have, and how they are recharged."""

from __future__ import annotations

from typing import Annotated

import typer

from b2bua.cli.common import OPERATOR, ConfigOption, DatabaseOption, order
from b2bua.desk import NewRecharge

__all__ = ["app"]

app = typer.Typer(help="The money of accounts.", no_args_is_help=True)
Account = Annotated[str, typer.Argument(help="Its name.")]


@app.command(context_settings={"ignore_unknown_options": True})  # so that -10 is an amount
def recharge(
    account: Account, amount: Annotated[str, typer.Argument(help="5.00 or -10.")],
    order_number: Annotated[str, typer.Option("--order", help="The order it belongs to; posted once.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Add money to an account, or take some; a call that is up goes on with it."""
    new = NewRecharge(amount=amount, order_number=order_number)
    row = order(database, config, lambda office: office.recharge_account(OPERATOR, account, new))
    typer.echo(f"added {row.credit_added}, left {row.credit_left}")


@app.command()
def balance(account: Account, config: ConfigOption = None, database: DatabaseOption = "") -> None:
    """Show what an account has, what its calls hold, and what a new call may use."""
    now = order(database, config, lambda office: office.account_balance(OPERATOR, account))
    typer.echo(f"balance {now.balance}, held {now.held}, available {now.available} {now.currency}")
