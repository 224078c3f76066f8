"""Rows of [[did]] and [[route]]."""

from __future__ import annotations

from b2bua.cli.common import OPERATOR
from tests.settings.pages import MORNING
from tests.settings.probes import dialled, rang_in, trunk
from tests.settings.row import Row
from tests.settings.scene import CALLER, CB, DID, Scene

__all__ = ["ROWS"]


async def who_rings(scene: Scene) -> str:
    """Whose phone rings when DID is called."""
    john, jane = await scene.johns_phone(), await scene.janes_phone()
    caller = scene.t1.calls(DID, CALLER)
    rung = await scene.rung(john, jane, by=caller)
    assert rung is not None
    rung.refuses(486)
    await scene.quiet()
    return "John" if rung.peer is john else "Jane"


async def choices(scene: Scene) -> list[str]:
    """The public numbers that John's calls may show, as his account is told them."""
    return [each.number for each in (await scene.office.public_caller_id(OPERATOR, "001*002")).available]


SPARE = {"number": "5555550055"}

ROWS = [
    Row("did.number", DID, "5555550088", rang_in(lambda rung: "rings"), ("rings", 404)),
    Row("did.extension", "001*002", "001*003", who_rings, ("John", "Jane")),
    Row("did[2].account", "client", "second", choices, ([DID, "5555550055", CB], [DID, CB]),
        given={"account[1]": {"name": "second"}, "did[2]": SPARE}),
    Row("did.trunk", "R1", "R2", rang_in(lambda rung: "rings"), ("rings", 404)),
    Row("route.trunk", "R1", "T3", dialled(trunk), ("T1", "T3")),
    Row("route.prefix", "", "04", dialled(trunk), ("T1", "T2")),
    Row("route.priority", 0, 2, dialled(trunk), ("T1", "T2")),
    Row("route[1].weight", 0, 1, dialled(trunk), ("T1", "T2"), given={"route[1].priority": 0}),
    Row("route.interval", "", "evening", dialled(trunk), ("T1", "T2"), given=MORNING),
]
