"""Several phones of one extension: early media of more than one, the first answer, and those that come too late."""

from __future__ import annotations

import pytest

from b2bua.outcome import Outcome
from tests.b2bua.test_plain_calls import SECOND
from tests.plans import fixture
from tests.world import PHONE, SECOND_PHONE, Far, Peer, World, play

THIRD, FOURTH = ("192.0.2.12", 5060), ("192.0.2.13", 5060)


async def two_ring(world: World) -> tuple[Far, Far, Far]:
    """John calls Jane, who has two phones: the caller, and both of them."""
    john, first, second = Peer(world, PHONE), Peer(world, SECOND_PHONE), Peer(world, THIRD)
    assert await john.register("001*002", "secret") == 200
    for phone in (first, second):
        assert await phone.register("001*003", "geheim") == 200
    caller = john.calls("001*003", "001*002", "secret")
    return caller, await first.expects_call(), await second.expects_call()


@pytest.mark.parametrize("winner", [0, 1], ids=["the first to be heard", "the last to be heard"])
def test_two_can_be_heard_before_one_answers_and_the_one_that_answers_stays(winner: int) -> None:
    async def scenario(world: World) -> None:
        caller, *phones = await two_ring(world)
        for count, phone in enumerate(phones, 1):
            phone.early()
            await caller.until(lambda count=count: caller.statuses.count(183) == count)
            await caller.hears("demo-voice")
            phone.audio.port.stop()  # so that what is heard next is the other
            caller.heard.clear()
        won, lost = phones[winner], phones[1 - winner]
        won.answers()
        await caller.told(200)
        await lost.left_alone(within_s=1)
        assert lost.gone == "cancelled"
        caller.heard.clear()
        caller.speaks()
        won.speaks()
        await won.hears("demo-voice")
        await caller.hears("demo-voice")
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(SECOND))


def test_one_that_was_heard_and_refuses_leaves_the_others_ringing() -> None:
    async def scenario(world: World) -> None:
        caller, first, second = await two_ring(world)
        first.early()
        await caller.told(183)
        await caller.hears("demo-voice")
        first.refuses(480)
        second.rings()
        caller.heard.clear()
        second.answers().speaks()
        await caller.told(200)
        await caller.hears("demo-voice")
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(SECOND))


def test_who_answers_a_moment_too_late_gets_an_ack_and_a_bye() -> None:
    async def scenario(world: World) -> None:
        caller, first, second = await two_ring(world)
        for phone in (first, second):
            phone.rings()
        first.answers()
        second.answers()  # before any CANCEL can reach it
        await caller.told(200)
        late = second if first.gone == "" else first
        await late.left_alone(within_s=1)
        assert late.gone == "bye"
        acked = world.wire.requests("ACK", late.peer.address)
        assert len(acked) == len(world.wire.requests("BYE", late.peer.address)) == 1
        caller.hangs_up()
        call = await world.over()
        assert (call.outcome, sum(leg.answered_at is not None for leg in call.legs)) == (Outcome.TALKED, 2)

    play(scenario, fixture(SECOND))


def test_a_6xx_of_one_ends_the_ringing_of_all() -> None:
    async def scenario(world: World) -> None:
        caller, first, second = await two_ring(world)
        first.rings()
        second.refuses(603)
        await first.left_alone(within_s=1)
        await caller.left_alone(within_s=1)
        assert (first.gone, caller.statuses[-1]) == ("cancelled", 603)
        await world.over()

    play(scenario, fixture(SECOND))
