"""Whoever leaves, and whenever, while a talk changes hands: nothing is left, and each leg is paid by its own clock."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from b2bua.outcome import Outcome
from store import journal, ledger
from store.audit import audit
from store.database import connect
from store.rates import price
from store.values import Micros, Rate
from tests.plans import fixture
from tests.world import PHONE, T1, Far, Peer, World, play

ONE, TWO = "0412345678", "5555551234"
BY_THE_SECOND = Rate("", "", Micros(0), 1, Micros(10_000), 1, Micros(10_000))
PLAN = fixture() + "".join(
    f'[[rate]]\ntable = "at-12"\nprefix = "{prefix}"\nfirst_interval_s = 1\nfirst_cost = "0.01"\nincrement_s = 1\n'
    'increment_cost = "0.01"\n'
    for prefix in ("0412", "555555")
)
JOHN = ("001*002", "secret")


class Cast:
    """Everybody of a story, as far as it has come."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.phone, self.trunk = Peer(world, PHONE), Peer(world, T1)
        self.johns: list[Far] = []
        self.fars: list[Far] = []

    async def calls(self, number: str) -> Far:
        john = self.phone.calls(number, *JOHN)
        self.johns.append(john)
        far = await self.trunk.expects_call()
        self.fars.append(far)
        far.rings().answers()
        await john.told(200)
        await asyncio.sleep(1)
        return john


Leave = Callable[[Cast], None]
Story = Callable[[Cast], Awaitable[None]]


def leaves(fars: list[Far], nth: int | None = None) -> None:
    for far in fars if nth is None else fars[nth : nth + 1]:
        if not far.gone:
            far.hangs_up()


def by_phone(cast: Cast) -> None:
    leaves(cast.johns)


def by_first(cast: Cast) -> None:
    leaves(cast.fars, 0)


def by_second(cast: Cast) -> None:
    leaves(cast.fars, 1)


def by_both(cast: Cast) -> None:
    leaves(cast.fars)


def by_server(cast: Cast) -> None:
    for call in list(cast.world.exchange.live.values()):
        call.cancel()


async def blind(cast: Cast) -> None:
    """John's call is sent on, to one who rings for a while."""
    john = await cast.calls(ONE)
    john.refers(TWO)
    two = await cast.trunk.expects_call()
    cast.fars.append(two)
    two.rings()
    await asyncio.sleep(2.5)
    if not two.gone:
        two.answers()
    await asyncio.sleep(5.5)


async def busy(cast: Cast) -> None:
    """John's call is sent on in vain."""
    john = await cast.calls(ONE)
    john.refers(TWO)
    two = await cast.trunk.expects_call()
    cast.fars.append(two)
    two.rings()
    await asyncio.sleep(2.5)
    if not two.gone:
        two.refuses(486)
    await asyncio.sleep(3.5)


async def attended(cast: Cast) -> None:
    """John asks the second, and joins both."""
    first = await cast.calls(ONE)
    second = await cast.calls(TWO)
    first.refers("", instead=second)
    await asyncio.sleep(5.5)


class Datagrams(list[Any]):
    """What was sent; calls `then` right after so many."""

    def __init__(self, at: int, then: Callable[[], None]) -> None:
        super().__init__()
        self.at, self.then = at, then

    def append(self, item: Any) -> None:
        super().append(item)
        if len(self) == self.at:
            asyncio.get_running_loop().call_soon(self.then)


def interrupted(story: Story, leave: Leave, at: int) -> bool:
    """A story in which somebody leaves after so many datagrams; False where it has fewer."""

    async def scenario(world: World) -> bool:
        cast = Cast(world)
        assert await cast.phone.register(*JOHN) == 200
        world.wire.sent = sent = Datagrams(at, lambda: leave(cast))
        try:
            async with asyncio.timeout(40):
                await story(cast)
        except TimeoutError:  # somebody it waits for has left
            pass
        reached = len(sent) >= at
        leaves(cast.johns + cast.fars)
        await asyncio.sleep(33)  # an INVITE that nobody answered at all dies by timer B
        assert not world.exchange.live
        world.check_nothing_left()
        charged = 0
        for call in world.exchange.recent.values():
            assert call.outcome not in (None, Outcome.SERVER_ERROR)
            legs = world.read(lambda conn, call=call: journal.legs_of(conn, call.id))
            costs = [(leg.direction, leg.cost) for leg in legs if leg.cost]
            up = [leg for leg in call.legs if leg.direction == "out" and leg.answered_at is not None]
            due = [price(BY_THE_SECOND, leg.talk_s) for leg in up]
            assert costs == [("out", cost) for cost in due]
            assert call.charged == sum(due)
            charged += sum(due)
        assert 100_000_000 - world.balance() == charged
        return reached

    return play(scenario, PLAN)


@pytest.mark.parametrize("leave", [by_phone, by_first, by_second, by_both, by_server])
@pytest.mark.parametrize("story", [blind, busy, attended])
def test_somebody_leaves_at_any_instant(story: Story, leave: Leave) -> None:
    at = 6  # the call itself is told of elsewhere
    while interrupted(story, leave, at):
        at += 1
    assert at > 25, "a transfer has more than twenty messages, and an end"


def settled_copy(world: World, at: float) -> tuple[int, list[str]]:
    """What a restart makes of the database as it is at this instant: what is charged, and faults."""
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
        charged = 100_000_000 - ledger.balance(conn, 1).balance
        recorded = sum(call.cost for call in journal.recent_calls(conn))
    engine.dispose()
    return charged, faults + ([] if recorded == charged else [f"records say {recorded} of {charged}"])


@pytest.mark.parametrize("story", [blind, busy, attended])
def test_a_crash_at_any_instant_charges_what_the_wire_saw(story: Story) -> None:
    async def scenario(world: World) -> None:
        cast = Cast(world)
        assert await cast.phone.register(*JOHN) == 200
        script = asyncio.create_task(story(cast))  # type: ignore[arg-type]
        seen = set()
        while not script.done():
            now = world.loop.time()
            charged, faults = settled_copy(world, world.exchange.steady(now))
            assert faults == []
            calls = [*world.exchange.recent.values(), *world.exchange.live.values()]
            up = [leg for call in calls for leg in call.legs if leg.direction == "out" and leg.answered_at is not None]
            lasted = [(leg.ended_at or now) - (leg.answered_at or 0.0) for leg in up]
            most = sum(price(BY_THE_SECOND, talk_s) for talk_s in lasted)
            least = sum(price(BY_THE_SECOND, max(0.0, talk_s - 2.2)) for talk_s in lasted if talk_s > 0.02)
            assert least <= charged <= most, now
            seen.add(charged)
            await asyncio.sleep(0.1)
        assert len(seen) > 3
        leaves(cast.johns + cast.fars)
        await world.over()

    play(scenario, PLAN)
