"""Whoever leaves, and whenever: after each row of the ladder in turn nothing is left, and the money is right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from b2bua.call import Call
from store.rates import price
from store.values import Micros, Rate
from tests.plans import fixture
from tests.world import PHONE, T1, Far, Peer, World, play

MOBILE = Rate("04", "", Micros(0), 30, Micros(100_000), 30, Micros(100_000))
ANNOUNCE = ("announce_to_visitor = false", "announce_to_visitor = true")
Leave = Callable[[World, str, list[Far]], None]


def by_phone(world: World, token: str, fars: list[Far]) -> None:
    fars[0].hangs_up()


def by_visitor(world: World, token: str, fars: list[Far]) -> None:
    if len(fars) > 1:
        fars[1].hangs_up()


def by_both(world: World, token: str, fars: list[Far]) -> None:
    for far in fars:
        far.hangs_up()


def by_page(world: World, token: str, fars: list[Far]) -> None:
    world.exchange.keep(world.desk.cancel_visitor(token))


def by_server(world: World, token: str, fars: list[Far]) -> None:
    for call in world.exchange.live.values():
        call.cancel()


async def _whole_call(world: World, token: str, fars: list[Far], phone: Peer, trunk: Peer) -> None:
    """A call that talks 35 s, played by far ends that go on as long as they are not ended."""
    owner = await phone.expects_call()
    fars.append(owner)
    owner.rings()
    await asyncio.sleep(1)
    if owner.gone:
        return
    owner.answers()
    await owner.hears("confirm")
    owner.presses("1")
    visitor = await trunk.expects_call()
    fars.append(visitor)
    visitor.rings()
    await asyncio.sleep(1)
    if not visitor.gone:
        visitor.answers().speaks()
    if not owner.gone:
        owner.speaks()
    await asyncio.sleep(35)
    if not visitor.gone:
        visitor.hangs_up()


async def _interrupted(world: World, leave: Leave, after_rows: int) -> Call | None:
    """Play the call; after so many rows of its ladder somebody leaves.  None when it has fewer rows."""
    phone, trunk = Peer(world, PHONE), Peer(world, T1)
    assert await phone.register("001*002", "secret") == 200
    token = await world.callnow(number="0412345678")
    call = next(iter(world.exchange.live.values()))
    fars: list[Far] = []
    script = asyncio.create_task(_whole_call(world, token, fars, phone, trunk))
    left = False
    async for row in call.ladder.watch():
        if row.n == after_rows and fars:
            leave(world, token, fars)
            left = True
    script.cancel()
    await asyncio.gather(script, return_exceptions=True)
    for far in fars:
        if not far.gone:
            far.hangs_up()
    await asyncio.sleep(33)  # an INVITE that nobody answered at all dies by timer B
    assert await world.over() is call
    return call if left else None


def _fair(world: World, call: Call) -> None:
    paid = [leg for leg in call.legs if leg.lane == 2]
    due = sum(price(MOBILE, leg.talk_s) for leg in paid if leg.answered_at is not None)
    assert call.charged == due
    assert world.balance() == 100_000_000 - due
    assert [r.reason for r in world.requests()] == [str(call.outcome)]
    assert str(call.outcome) not in ("server-error", "None")


@pytest.mark.parametrize("leave", [by_phone, by_visitor, by_both, by_page, by_server])
def test_nothing_is_left_whenever_someone_leaves(leave: Leave) -> None:
    endings = set()
    for rows in range(200):

        async def scenario(world: World, rows: int = rows) -> Call | None:
            call = await _interrupted(world, leave, rows)
            if call is not None:
                _fair(world, call)
            return call

        call = play(scenario, fixture(ANNOUNCE))
        if call is None and rows > 30:
            break
        if call is not None:
            endings.add(call.outcome)
    assert 30 < rows < 199, "a whole call has more than thirty rows, and an end"
    assert len(endings) >= 2, endings
