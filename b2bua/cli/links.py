"""`ringback link ...`: signed links to CallNow pages (SPEC A12.7)."""

from __future__ import annotations

from typing import Annotated

import typer

from b2bua.cli.common import OPERATOR, ConfigOption, DatabaseOption, order, show
from b2bua.desk import KeyRotation, NewLink

__all__ = ["app"]

app = typer.Typer(help="Links to a CallNow page that need no image validation.", no_args_is_help=True)
Extension = Annotated[str, typer.Argument(help="Whose page: 001*002.")]


@app.command()
def make(
    extension: Extension,
    number: Annotated[str, typer.Option(help="The only number it calls; else the visitor gives one.")] = "",
    name: Annotated[str, typer.Option(help="Whom the extension is told; else the visitor says it.")] = "",
    label: Annotated[str, typer.Option(help="For the list; visitors never see it.")] = "",
    uses: Annotated[int, typer.Option(help="How many calls it is good for.")] = 1,
    hours: Annotated[int, typer.Option(help="How long it is good; a week where not said.")] = 168,
    base_url: Annotated[str, typer.Option(help="Where visitors reach the pages; else that of --config.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Make a link and show it, once, with the most that it can cost."""
    new = NewLink(number=number, name=name, label=label, uses=uses, valid_hours=hours)
    made = order(database, config, lambda office: office.make_link(OPERATOR, extension, new), base_url)
    typer.echo(made.url)
    typer.echo(f"one step: {made.one_step_url}{'' if made.link.number else '&myname=NAME&phone=NUMBER'}", err=True)
    typer.echo(f"link {made.link.id}, good until {made.link.expires}. It is not shown again.", err=True)
    typer.echo(f"WARNING   {made.warning}", err=True)


@app.command("list")
def list_(
    extension: Extension,
    text: Annotated[str, typer.Option("--text", help="Part of a label, name or number.")] = "",
    usable: Annotated[bool, typer.Option("--usable", help="Only those that still work.")] = False,
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Show them, the newest first, without their addresses."""
    found = order(database, config, lambda office: office.links(OPERATOR, extension, text, usable=usable))
    show(
        ("link", "state", "left", "of", "expires", "last used", "number", "name", "label"),
        [(row.id, row.state, str(row.left), str(row.uses), row.expires, row.last_used or "never", row.number or "any",
          row.name, row.label) for row in found],
    )  # fmt: skip


@app.command()
def revoke(
    extension: Extension, link: Annotated[str, typer.Argument(help="As in the list.")],
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Let a link work no longer; a call that is up goes on."""
    order(database, config, lambda office: office.revoke_link(OPERATOR, extension, link))
    typer.echo(f"revoked {link}")


@app.command()
def rotate(
    keep: Annotated[bool, typer.Option("--keep", help="Links that are out still work.")] = False,
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Sign by a new key; without --keep every link that is out ends."""
    done = order(database, config, lambda office: office.rotate_link_key(OPERATOR, KeyRotation(keep_links=keep)))
    typer.echo(f"a new key signs links; ended: {done.links_ended}")
