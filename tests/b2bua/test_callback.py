"""The callback flow on the virtual clock: the conversation (SPEC 31-36, AT-16 to AT-18)."""

from __future__ import annotations

import asyncio

from b2bua.outcome import Outcome
from store import callers, journal
from tests.callback import CALLER, MOBILE, Caller, callback_plan
from tests.world import World, play


def wallet(world: World, number: str = CALLER) -> int | None:
    """What the authorised CallerID has left, in micros."""
    rows = world.read(lambda conn: callers.search_callers(conn, 2, number))
    return rows[0].available


def test_a_caller_is_refused_called_back_and_connected() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        began = world.loop.time()
        trigger = caller.rings()
        await trigger.told(180, within_s=0.5)
        await trigger.told(486)
        assert 3.0 <= world.loop.time() - began < 3.1
        back = (await caller.trunk.expects_call(within_s=3)).rings()
        assert back.request is not None
        assert back.request.uri.user == CALLER
        assert back.shown() == ("Callback", "5555559000")
        back.answers()
        await back.hears("callback-greeting")
        await back.hears("dial-number")
        back.presses(f"{MOBILE}#")
        far = (await caller.trunk.expects_call()).rings().answers().speaks()
        assert far.shown() == ("Callback", "5555559000")
        back.speaks()
        await asyncio.sleep(31)
        far.hangs_up()
        await back.hears("call-ended")
        await back.hears("dial-number")
        back.hangs_up()
        call = await world.over()
        assert call.outcome is Outcome.TALKED
        assert (call.charged, wallet(world)) == (120_000 + 200_000, 5_000_000 - 320_000)
        assert [(r.reason, r.number, r.cost, r.trunk) for r in world.requests()] == [("talked", CALLER, 320_000, "R1")]
        legs = world.read(lambda conn: journal.legs_of(conn, call.id))
        assert [(leg.lane, leg.direction, leg.status, leg.cost) for leg in legs] == [
            (0, "in", 486, 0), (0, "out", 200, 120_000), (2, "out", 200, 200_000),
        ]  # fmt: skip
        assert len(world.read(lambda conn: journal.read_ladder(conn, call.id))) > 30

    play(scenario, callback_plan())
