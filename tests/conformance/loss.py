"""Registrations and whole calls on a wire that loses in both directions, by the hundred, on the virtual clock.

SIP alone is lost: sound has nothing to repeat. Each figure is of one seed, so it is the same at each run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from b2bua.desk import Accepted, VisitorRequest
from b2bua.outcome import Outcome
from store.journal import recent_calls
from tests.plans import fixture
from tests.world import PHONE, T1, Far, Peer, World, play

__all__ = ["KINDS", "LOSSES", "PRICE", "Ends", "Figure", "measure", "nobody_live"]

LOSSES = (0.0, 0.1, 0.3)
MUST = {0.0: 1.0, 0.1: 0.975, 0.3: 0.95}
"""GOALS: of registrations and calls, how many succeed at a loss of so much in each direction."""
BATCH = 25
TALK_S = 5.0
PRICE = 120_000


class Figure(NamedTuple):
    """How many of so many succeeded."""

    kind: str
    loss: float
    tried: int
    good: int

    @property
    def share(self) -> float:
        return self.good / self.tried

    @property
    def must(self) -> float:
        return MUST[self.loss]


class Ends(NamedTuple):
    """Both far ends of a world, and the number of the try."""

    world: World
    phone: Peer
    trunk: Peer
    n: int
    fars: list[Far]

    async def rung(self, peer: Peer) -> Far:
        """The call that reaches one of them."""
        self.fars.append(await peer.expects_call(40))
        return self.fars[-1]

    def call(self, peer: Peer, number: str, user: str, password: str = "") -> Far:
        """A call that one of them places."""
        self.fars.append(peer.calls(number, user, password))
        return self.fars[-1]

    async def talk(self, last: Far) -> bool:
        """Whether both are there for the whole of the talk, and it ends as one when `last` hangs up."""
        await asyncio.sleep(TALK_S)
        if any(far.gone for far in self.fars):
            return False
        last.hangs_up()
        await nobody_live(self.world)
        return self.world.last.outcome is Outcome.TALKED


async def registration(ends: Ends) -> bool:
    """REGISTER, the challenge, REGISTER with a proof."""
    try:
        return await ends.phone.register("001*002", "secret") == 200
    except AssertionError:  # nobody answered
        return False


async def call_out(ends: Ends) -> bool:
    """A phone calls by the trunk, they talk, and the caller hangs up."""
    caller = ends.call(ends.phone, "5555555555", "001*002", "secret")
    (await ends.rung(ends.trunk)).rings().answers()
    await caller.told(200, 40)
    return await ends.talk(caller)


async def call_in(ends: Ends) -> bool:
    """A call by the trunk rings the phone, they talk, and the phone hangs up."""
    caller = ends.call(ends.trunk, "5555550000", "5551111111")
    called = (await ends.rung(ends.phone)).rings().answers()
    await caller.told(200, 40)
    return await ends.talk(called)


async def callnow(ends: Ends) -> bool:
    """A visitor's request: the owner answers and presses 1, the visitor answers, and hangs up after the talk."""
    number = f"555{ends.n:07d}"
    answer = await ends.world.desk.request_call(
        VisitorRequest("john_doe", "Mary", number, "", f"198.51.100.{ends.n % 250}")
    )
    assert isinstance(answer, Accepted), answer
    owner = (await ends.rung(ends.phone)).rings().answers()
    await owner.hears("confirm", 40)
    owner.presses("1")
    visitor = (await ends.rung(ends.trunk)).rings().answers()
    await visitor.until(lambda: visitor.audio.peer is not None, 40)
    return await ends.talk(visitor)


KINDS: dict[str, Callable[[Ends], Awaitable[bool]]] = {
    "registrations": registration, "calls out": call_out, "calls in": call_in, "CallNow calls": callnow,
}  # fmt: skip


async def nobody_live(world: World) -> None:
    """Wait until the server has written its calls."""
    async with asyncio.timeout(120):
        async for _ in world.exchange.moves.follow():
            if not world.exchange.live:
                return


def measure(kind: str, loss: float, tries: int, *, seed: int = 1) -> Figure:
    """Try so often; after each world nothing may be left, and the money is right to the last micro."""
    good = sum(
        play(lambda world: _batch(world, kind, loss), fixture(), seed=seed + first) for first in range(0, tries, BATCH)
    )
    return Figure(kind, loss, -(-tries // BATCH) * BATCH, good)


async def _batch(world: World, kind: str, loss: float) -> int:
    phone, trunk = Peer(world, PHONE), Peer(world, T1)
    assert await phone.register("001*002", "secret") == 200
    world.wire.loss = loss
    good = 0
    for n in range(BATCH):
        fars: list[Far] = []
        try:
            good += await KINDS[kind](Ends(world, phone, trunk, n, fars))
        except TimeoutError:
            for far in fars:
                far.hangs_up()
        await nobody_live(world)
    world.wire.loss = 0.0
    await asyncio.sleep(100)  # BYEs under way, and every timer
    world.check_nothing_left()
    calls = world.read(recent_calls)
    paid = [call for call in calls if call.cost]
    assert {call.cost for call in paid} <= {PRICE}
    assert world.balance() == 100_000_000 - PRICE * len(paid)
    return good
