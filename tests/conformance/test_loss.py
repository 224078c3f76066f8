"""Whole calls on a wire that loses, repeats and delays: they succeed, nothing rings twice, money is taken once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conformance.loss import KINDS, LOSSES, PRICE, Ends, measure, nobody_live
from tests.plans import fixture
from tests.world import DELAY_S, PHONE, T1, Peer, World, play

RINGS = {"calls out": (0, 1), "calls in": (1, 0), "CallNow calls": (1, 1)}
"""How often the phone and the trunk are rung."""
PAID = ("calls out", "CallNow calls")

HOW = {
    "twice at once": (DELAY_S, DELAY_S),
    "again 0.7 s later": (DELAY_S, 0.7),
    "again 6 s later": (DELAY_S, 6.0),
    "late by 50 ms, behind what follows it": (0.05,),
    "late by 0.7 s, behind its own repeat": (0.7,),
    "lost": (),
}


@pytest.mark.parametrize("loss", LOSSES[1:])
@pytest.mark.parametrize("kind", KINDS)
def test_it_succeeds_although_much_is_lost(kind: str, loss: float) -> None:
    figure = measure(kind, loss, 50, seed=7)
    assert figure.share >= figure.must


@pytest.mark.full
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_succeeds_a_thousand_times_although_much_is_lost(kind: str, loss: float) -> None:
    figure = measure(kind, loss, 1000, seed=1000)
    assert figure.share >= figure.must


def every_way(kind: str, how: str) -> Any:
    """A CallNow has all that plain calls have: of those the quicker half is enough each time."""
    long = kind != "CallNow calls" and how not in ("lost", "twice at once")
    return pytest.param(kind, how, id=f"{kind}, {how}", marks=[pytest.mark.full] * long)


@pytest.mark.parametrize(("kind", "how"), [every_way(kind, how) for kind in RINGS for how in HOW])
def test_each_message_in_turn(kind: str, how: str) -> None:
    """The n-th message of a whole call, for every n: it succeeds, each side rings once, and it is paid once."""
    for n in range(play(lambda world: one(world, kind), fixture())):
        play(lambda world, n=n: one(world, kind, n, HOW[how]), fixture())


@pytest.mark.parametrize("kind", RINGS)
@pytest.mark.parametrize("seed", range(5))
def test_all_at_once(kind: str, seed: int) -> None:
    """A fifth lost, a fifth doubled, a fifth overtaken."""

    async def scenario(world: World) -> None:
        world.wire.loss = world.wire.repeat = world.wire.reorder = 0.2
        await one(world, kind)

    play(scenario, fixture(), seed=seed)


async def one(world: World, kind: str, n: int = -1, arrives: tuple[float, ...] = ()) -> int:
    """One call, its n-th message arriving so; how many messages it was."""
    phone, trunk = Peer(world, PHONE), Peer(world, T1)
    wire, loss = world.wire, world.wire.loss
    wire.loss = 0.0
    assert await phone.register("001*002", "secret") == 200
    wire.loss, before = loss, len(wire.sent)
    wire.travels = lambda at: arrives if at == before + n else (DELAY_S,)
    assert await KINDS[kind](Ends(world, phone, trunk, 1, []))
    said = len(wire.sent) - before
    wire.loss = 0.0
    await nobody_live(world)
    await asyncio.sleep(8)
    world.check_nothing_left()
    assert (phone.invited, trunk.invited) == RINGS[kind]
    assert world.balance() == 100_000_000 - PRICE * (kind in PAID)
    return said
