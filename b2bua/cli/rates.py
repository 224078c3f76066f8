"""`ringback rate` and `ringback route`: tables of rates, how a price comes about, which way a call takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar, cast

import typer

from b2bua.cli.common import OPERATOR, ConfigOption, DatabaseOption, clear_errors, order, show
from b2bua.config import BadConfig
from b2bua.desk import MarginsBy, NotDone, PriceView, RateView, TrunkPriceView
from b2bua.office.office import BackOffice

__all__ = ["app", "routes"]

T = TypeVar("T")
app = typer.Typer(help="Rates: what calls cost, and cost us.", no_args_is_help=True)
routes = typer.Typer(help="Routes: by which trunks calls leave.", no_args_is_help=True)
Table = Annotated[str, typer.Argument(help="The name that charging plans, accounts and trunks use.")]
Separator = Annotated[str, typer.Option(help="Between the cells of a line.")]
Number = Annotated[str, typer.Argument(help="As somebody dials it.")]
Payer = Annotated[str, typer.Option("--account", help="Whose price; not needed where there is one account.")]
Moment = Annotated[str, typer.Option("--at", help="2026-12-01 or \"2026-12-01 18:00\"; else now.")]


@routes.callback()
def _routes() -> None:
    """Routes of the configuration in the database."""


@app.command("import")
def import_(
    table: Table, file: Annotated[Path, typer.Argument(help="CSV; its first line names the columns.")],
    separator: Separator = ",",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the rates that are not in the file.")] = False,
    plus: Annotated[bool, typer.Option("--plus", help="Put + before prefixes that have none.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look what it would do.")] = False,
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Make a table what a file says, whole or not at all; a running server takes it within a second."""
    with clear_errors():
        data = file.read_bytes()
    done = order(database, config, _at_line(file, lambda office: office.import_rates(
        OPERATOR, table, data, separator=separator, keep=keep, plus=plus, dry_run=dry_run,
    )))  # fmt: skip
    typer.echo(
        f"{'would be ' if dry_run else ''}added {done.added}, changed {done.changed}, removed {done.removed}, "
        f"unchanged {done.unchanged}"
    )


@app.command()
def clone(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The table whose rates are copied.")],
    table: Annotated[str, typer.Argument(metavar="TO", help="The table that gets those it does not have.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look what it would do.")] = False,
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Copy the rates of one table that another does not have; those it has stay as they are."""
    done = order(database, config, lambda office: office.clone_rates(OPERATOR, source, table, dry_run=dry_run))
    typer.echo(f"{'would be ' if dry_run else ''}added {done.added}, kept {done.kept}")


def _at_line(file: Path, what: Callable[[BackOffice], Awaitable[T]]) -> Callable[[BackOffice], Awaitable[T]]:
    """A bad line is told as `FILE:LINE: sentence`."""

    async def done(office: BackOffice) -> T:
        try:
            return await what(office)
        except NotDone as wrong:
            if wrong.line is None:
                raise
            raise BadConfig(f"{file}:{wrong.line}: {wrong.sentence.removeprefix(f'Line {wrong.line}: ')}") from wrong

    return done


@app.command()
def export(
    table: Table, file: Annotated[Path, typer.Argument(help="Where to write it.")], separator: Separator = ",",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Write a table to a CSV file, which `import` takes."""
    data = order(database, config, lambda office: office.export_rates(OPERATOR, table, separator=separator))
    with clear_errors():
        file.write_bytes(data)


@app.command("list")
def list_(
    table: Annotated[str, typer.Argument(help="Which; the tables where none is named.")] = "",
    prefix: Annotated[str, typer.Option(help="What their prefix begins with.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 1000,
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Show the tables, or the rates of one."""
    if not table:
        found = order(database, config, lambda office: office.rate_tables(OPERATOR))
        show(("table", "rates", "used by"), [(each.table, str(each.rates), ", ".join(each.used_by)) for each in found])
        return
    rates = order(database, config, lambda office: office.rates(OPERATOR, table, prefix=prefix, limit=limit))
    show(("prefix", "description", "price", "interval", "from", "until"), [
        (rate.prefix or "(any)", rate.description, rate.formula, rate.interval, rate.valid_from, rate.valid_until)
        for rate in rates
    ])  # fmt: skip


@app.command()
def explain(
    number: Number, account: Payer = "", at: Moment = "",
    trunk: Annotated[str, typer.Option(help="By this trunk alone.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Tell how the price of a number comes about: number, plan, table, rate, trunks and margin."""
    told = order(database, config, lambda office: office.explain_price(
        OPERATOR, number, account=account, at=at, trunk=trunk,
    ))  # fmt: skip
    typer.echo("\n".join(_price_lines(told)))


@app.command()
def margins(
    by: Annotated[str, typer.Option(help="trunk, account, extension or day")] = "trunk",
    since: Annotated[str, typer.Option(help="A date; else the first of the month.")] = "",
    until: Annotated[str, typer.Option(help="A date, before which.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Show what calls brought, and what they cost us."""
    rows = order(database, config, lambda office: office.margins(
        OPERATOR, by=cast("MarginsBy", by), since=since, until=until,
    ))  # fmt: skip
    show((by, "calls", "minutes", "sold", "bought", "margin", "", "cost unknown"), [
        (row.name, str(row.calls), row.minutes, row.sold, row.bought, row.margin, row.currency, str(row.unknown or ""))
        for row in rows
    ])  # fmt: skip


@routes.command("explain")
def explain_route(
    number: Number, account: Payer = "", at: Moment = "", config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Show the trunks of a number in the order in which they are tried."""
    told = order(database, config, lambda office: office.explain_price(OPERATOR, number, account=account, at=at))
    lines = [f"number     {told.typed} -> {told.number or told.refused}", *_trunk_lines(told)]
    typer.echo("\n".join(lines if told.trunks or not told.number else [*lines, "           no trunk takes it"]))


def _price_lines(told: PriceView) -> Iterator[str]:
    yield f"number     {told.typed} -> {told.number or told.refused} (dial plan {told.dial_plan})"
    plan = f"charging plan {told.charging_plan}, {told.method}" if told.charging_plan else "by its rate table"
    yield f"account    {told.account}: {plan}; {told.at}"
    if told.sell is not None:
        yield f"rate       {_rate(told.sell)}"
        yield f"price      {told.sell.formula}"
        yield "           " + "; ".join(f"{each.seconds} s: {each.price}" for each in told.prices) + f" {told.currency}"
    if told.free_minutes:
        yield f"free       {told.free_minutes}"
    yield from _trunk_lines(told)
    if told.refused and told.number:
        yield f"refused    {told.refused}"


def _trunk_lines(told: PriceView) -> Iterator[str]:
    for nth, each in enumerate(told.trunks, 1):
        yield f"trunk {nth}    {each.trunk}: {each.why}"
        if each.buy is not None:
            yield f"           buys by {_rate(each.buy)}: {each.buy.formula}"
            yield f"           {_margin(told, each)}"
        else:
            yield "           what it costs us is not known"


def _margin(told: PriceView, each: TrunkPriceView) -> str:
    sold = f"sold for {each.sell_price}" if each.sell_price else "not sold"
    margin = f", margin {each.margin}" if each.margin else ""
    return f"{told.talk_s} s: bought for {each.buy_price}, {sold}{margin} {told.currency}"


def _rate(rate: RateView) -> str:
    """Which row of which table."""
    parts = [f"table {rate.table}" if rate.table else "", f"prefix {rate.prefix or '(any)'}", rate.description]
    parts += [f"in {rate.interval}" if rate.interval else "", f"since {rate.valid_from}" if rate.valid_from else ""]
    return ", ".join(filter(None, [*parts, f"until {rate.valid_until}" if rate.valid_until else ""]))
