"""Whoever leaves a callback call, and whenever it ends, a crash included: nothing is left, and the money is right."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection

from b2bua.call import Call
from store import callers, journal, ledger
from store.audit import audit
from store.database import connect
from store.rates import price
from store.values import Micros, Rate
from tests.callback import CALLER, MOBILE, Caller, callback_plan
from tests.world import Far, World, play

LOCAL = Rate("555", connection_fee=Micros(120_000))
TO_MOBILE = Rate("04", "", Micros(0), 30, Micros(100_000), 30, Micros(100_000))
CREDIT = 5_000_000
PLAN = callback_plan("credit_enquiry = true\nspeak_number = true\nask_pin = true", password="4321", row='pin = "2468"')


@dataclass
class Cast:
    """Who plays."""

    world: World
    talk_s: float = 5.0
    trigger: Far | None = None
    back: Far | None = None
    fars: list[Far] = field(default_factory=list)


Leave = Callable[[Cast], None]


def by_caller(cast: Cast) -> None:
    """Whichever leg he has."""
    far = cast.back or cast.trigger
    if far is not None and not far.gone:
        far.hangs_up()


def by_callee(cast: Cast) -> None:
    if cast.fars and not cast.fars[-1].gone:
        cast.fars[-1].hangs_up()


def by_both(cast: Cast) -> None:
    by_callee(cast)
    by_caller(cast)


def by_server(cast: Cast) -> None:
    for call in cast.world.exchange.live.values():
        call.cancel()


def by_stars(cast: Cast) -> None:
    if cast.back is not None and not cast.back.gone:
        cast.back.presses("**")


async def whole_call(cast: Cast) -> None:
    """A call back with password, PIN and credit menu, a number that is busy, and one that talks."""
    caller = Caller(cast.world)
    cast.trigger = caller.rings()
    cast.back = back = await caller.trunk.expects_call()
    back.rings()
    await asyncio.sleep(1)
    if back.gone:
        return
    back.answers().speaks()
    for clip, keys in (("ask-password", "4321#"), ("ask-pin", "2468#"), ("credit-menu", "1"), ("unlimited", "")):
        await back.hears(clip if clip != "unlimited" else "dollars")
        back.presses(keys)
    await asyncio.sleep(1)
    back.presses("2")
    for busy in (True, False):
        back.heard.clear()
        await back.hears("dial-number")
        back.presses(f"{MOBILE}#")
        far = await caller.trunk.expects_call()
        cast.fars.append(far)
        far.rings()
        await asyncio.sleep(1)
        if busy and not far.gone:
            far.refuses(486)
        elif not far.gone:
            far.answers().speaks()
    await asyncio.sleep(cast.talk_s)
    by_callee(cast)
    await asyncio.sleep(8)
    by_caller(cast)


def price_of(call: Call) -> int:
    """What the legs that were up cost by their own clocks."""
    outgoing = [leg for leg in call.legs if leg.direction == "out" and leg.answered_at is not None]
    return sum(price(LOCAL if leg.lane == 0 else TO_MOBILE, leg.talk_s) for leg in outgoing)


def wallet(conn: Connection) -> int | None:
    return callers.search_callers(conn, 2, CALLER)[0].available


async def begun(world: World) -> Call:
    """The call, as soon as it is one."""
    async for _ in world.exchange.moves.follow():
        if world.exchange.live:
            break
    return next(iter(world.exchange.live.values()))


async def interrupted(world: World, leave: Leave, after_row: int) -> Call | None:
    """A whole call in which someone leaves right after a row of its ladder; None: there was no such row."""
    cast = Cast(world)
    script = asyncio.create_task(whole_call(cast))
    call = await begun(world)
    left = False
    async for row in call.ladder.watch():
        if row.n == after_row:
            leave(cast)
            left = True
    script.cancel()
    await asyncio.gather(script, return_exceptions=True)
    for far in (cast.trigger, cast.back, *cast.fars):
        if far is not None and not far.gone:
            far.hangs_up()
    await asyncio.sleep(33)  # an INVITE that nobody answered at all dies by timer B
    assert await world.over() is call
    return call if left else None


@pytest.mark.parametrize(
    ("leave", "first"), [(by_caller, 0), (by_callee, 1), (by_both, 2), (by_server, 3), (by_stars, 4)]
)
def test_nothing_is_left_whenever_someone_leaves(leave: Leave, first: int) -> None:
    """After every fifth row of the ladder; among the five of them after every one."""
    endings = set()
    for rows in range(first, 300, 5):

        async def scenario(world: World, rows: int = rows) -> Call | None:
            call = await interrupted(world, leave, rows)
            if call is not None:
                assert call.charged == price_of(call)
                assert world.read(wallet) == CREDIT - call.charged
                assert [(r.reason, r.cost) for r in world.requests()] == [(str(call.outcome), call.charged)]
                assert str(call.outcome) not in ("server-error", "None")
                assert world.exchange.triggers.waiting == 0
            return call

        call = play(scenario, PLAN)
        if call is None and rows > 60:
            break
        if call is not None:
            endings.add(call.outcome)
    assert 60 < rows < 299, "a whole call has more than sixty rows, and an end"
    assert endings, endings


def settled_copy(world: World, at: float) -> tuple[int, str, list[str]]:
    """What a restart makes of the database as it is at this instant: what is charged, the trigger's reason, faults."""
    path = Path(world.url.removeprefix("sqlite:///"))
    copy = path.with_suffix(".copy")
    copy.unlink(missing_ok=True)
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    engine = connect(f"sqlite:///{copy}")
    with engine.begin() as conn:
        ledger.settle_after_crash(conn, at)
        faults = audit(conn) + [f"open hold {hold.id}" for hold in ledger.open_holds(conn)]
        left = wallet(conn)
        assert left is not None
        rows = journal.recent_requests(conn, 0.0)
        faults += [f"cost {row.cost} of {CREDIT - left}" for row in rows if row.cost != CREDIT - left]
        assert ledger.settle_after_crash(conn, at + 60) == [], "settled once"
        assert wallet(conn) == left
    engine.dispose()
    return CREDIT - left, rows[0].reason if rows else "", faults


def test_a_crash_at_any_instant_charges_what_the_wire_saw() -> None:
    """The books as a restart leaves them, every 100 ms, against the answers and ends on the wire."""

    async def scenario(world: World) -> None:
        cast = Cast(world, talk_s=35.0)
        script = asyncio.create_task(whole_call(cast))
        call = await begun(world)
        seen, reasons = set(), set()
        while world.exchange.live:
            now = world.loop.time()
            charged, reason, faults = settled_copy(world, world.exchange.steady(now))
            assert faults == []
            up = [leg for leg in call.legs if leg.direction == "out" and leg.answered_at is not None]
            most = least = 0
            for leg in up:
                rate, answered = LOCAL if leg.lane == 0 else TO_MOBILE, leg.answered_at or 0.0
                end = leg.ended_at or now
                most += price(rate, end - answered)
                if end - answered > 0.02:  # until the answer is written down, a crash is free
                    least += price(rate, max(0.0, end - answered - 2.2))
            assert least <= charged <= most, (now, least, charged, most)
            seen.add(charged)
            reasons.add(reason)
            await asyncio.sleep(0.1)
        await script
        assert seen == {0, 120_000, 220_000, 320_000}
        assert reasons == {"", "server-restarted"}
        await world.over()
        charged, reason, faults = settled_copy(world, world.exchange.steady(world.loop.time()))
        assert (charged, reason, faults) == (320_000, "talked", [])

    play(scenario, PLAN)


@pytest.mark.parametrize("policy", ["no", "both"])
def test_a_crash_by_the_policy_of_the_leg_back(policy: str) -> None:
    """H5: nothing for the leg back before B answered, from its own answer after that; or nothing at all."""

    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        await asyncio.sleep(2.5)
        back.presses(f"{MOBILE}#")
        far = (await back.peer.expects_call()).rings()
        await asyncio.sleep(3)
        assert settled_copy(world, world.exchange.steady(world.loop.time()))[0] == 0
        far.answers().speaks()
        back.speaks()
        await asyncio.sleep(4)
        due = 100_000 if policy == "no" else 220_000
        assert settled_copy(world, world.exchange.steady(world.loop.time()))[0] == due
        back.hangs_up()
        assert (await world.over()).charged == due

    play(scenario, callback_plan(f'pay_call_back = "{policy}"'))
