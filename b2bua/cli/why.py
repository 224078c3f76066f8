"""`ringback why NUMBER`: what became of its requests, triggers and calls (SPEC A12.5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from b2bua.cli.common import OPERATOR, ConfigOption, DatabaseOption, order
from b2bua.desk import LegView, StoryView
from b2bua.trace.text_ladder import heading, text_line

__all__ = ["why"]

_LANES = ("Caller", "Ringback", "Called")


def why(
    number: Annotated[str, typer.Argument(help="A number in any notation, or an extension.")],
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    ladder: Annotated[bool, typer.Option("--ladder", help="With the kept SIP ladder of each call.")] = False,
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Tell why, or why not: every request, trigger and call of a number, newest first."""
    found = order(database, config, lambda office: office.stories(OPERATOR, number, limit=limit, ladder=ladder))
    if not found:
        typer.echo(f"nothing is known of {number}")
    for story in found:
        typer.echo("\n".join(_lines(story)))


def _lines(story: StoryView) -> Iterator[str]:
    yield f"{story.at}  {story.kind}  {story.caller or '(hidden)'} -> {story.called}  {story.cost}"
    if story.buy:
        yield f"    bought for {story.buy}, margin {story.margin}"
    yield f"    {story.reason or 'open'}: {story.sentence}"
    if story.call_id:
        yield f"    call {story.call_id}"
    if story.verified:
        yield f"    {story.verified}"
    if story.source:
        yield f"    from {story.source}"
    for leg in story.legs:
        yield from _leg_lines(leg)
    if story.ladder:
        yield heading(_LANES)
        yield from map(text_line, story.ladder)


def _leg_lines(leg: LegView) -> Iterator[str]:
    if leg.direction == "none":
        yield f"    not called by {leg.party}: {leg.ended_by}"
        return
    arrow = "called" if leg.direction == "out" else "called by"
    bought = f" (bought for {leg.buy})" if leg.buy else ""
    ended = f", ended by {leg.ended_by}" if leg.ended_by else ""
    yield f"    {arrow} {leg.called if leg.direction == 'out' else leg.caller} ({leg.party}): " \
          f"status {leg.status or 'none'}, {leg.talk_s:g} s, {leg.cost}{bought}{ended}"  # fmt: skip
    for line in leg.cost_lines:
        yield f"        {line}"
