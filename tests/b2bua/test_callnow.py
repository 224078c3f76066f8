"""The CallNow flow on the virtual clock: order, confirmation, every way it ends, and the money (SPEC 10-13, 17, 18)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from b2bua.desk import Stage
from b2bua.outcome import Outcome
from store import journal
from tests.plans import fixture
from tests.world import PHONE, T1, T2, Far, Peer, World, play

NO_CONFIRM = ('id = "john_doe"', 'id = "john_doe"\nconfirm = false')
ANNOUNCE = ("announce_to_visitor = false", "announce_to_visitor = true")


async def john(world: World) -> Peer:
    phone = Peer(world, PHONE)
    assert await phone.register("001*002", "secret") == 200
    return phone


async def confirmed(world: World, number: str = "5555555555") -> tuple[Far, Far]:
    """The phone accepted and the visitor answered: both far ends, in the talk."""
    phone, trunk = await john(world), Peer(world, T1)
    await world.callnow(number=number)
    owner = (await phone.expects_call()).rings().answers()
    await owner.hears("confirm")
    owner.presses("1")
    visitor = (await trunk.expects_call()).rings().answers()
    return owner, visitor


def test_a_visitor_is_told_that_it_is_accepted_when_that_is_written() -> None:
    """So that `kill -9` leaves no accepted request without a record (SPEC A12.12)."""
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = await world.callnow()
        assert [(request.token, request.reason) for request in world.requests()] == [(token, "")]
        (await phone.expects_call()).refuses(486)
        await world.over()

    play(scenario, fixture())


def test_the_extension_is_rung_first_and_the_visitor_after_the_key() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = await world.callnow()
        owner = (await phone.expects_call()).rings()
        assert owner.shown() == ("Mary", "5555555555")
        await asyncio.sleep(3)
        owner.answers()
        await owner.hears("confirm")
        assert trunk.invited == 0
        owner.presses("1")
        visitor = (await trunk.expects_call()).rings()
        assert visitor.shown() == ("John Doe", "5555550000")
        assert visitor.request is not None
        assert visitor.request.uri.user == "5555555555"
        assert b"Mary" not in visitor.request.encode()
        visitor.answers().speaks()
        owner.speaks()
        await asyncio.sleep(10)
        assert world.desk.visitor_status(token).stage is Stage.TALKING
        visitor.hangs_up()
        await owner.left_alone(within_s=1)
        call = await world.over()
        assert call.outcome is Outcome.TALKED
        assert world.balance() == 100_000_000 - 120_000
        assert [r.reason for r in world.requests()] == ["talked"]
        heard = [len(far.heard) / 8000 for far in (owner, visitor)]
        assert min(heard) > 9, f"both hear ten seconds of the other: {heard}"
        kept = world.read(lambda conn: journal.read_ladder(conn, call.id))
        assert [row["title"] for row in kept] == [row.title for row in call.ladder.rows()][: len(kept)]
        assert "ended: talked" in [row["title"] for row in kept]

    play(scenario, fixture())


def test_the_owner_hears_ringback_while_the_visitor_rings_and_early_media_when_the_trunk_sends_it() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        owner = (await phone.expects_call()).rings().answers()
        await owner.hears("confirm")
        owner.presses("1")
        visitor = (await trunk.expects_call()).rings()
        before = len(owner.heard)
        await asyncio.sleep(2)
        assert len(owner.heard) - before > 14_000, "two seconds of ringback"
        visitor.early()
        await asyncio.sleep(2)
        await owner.hears("demo-voice")
        visitor.answers()
        await asyncio.sleep(1)
        owner.hangs_up()
        await visitor.left_alone(within_s=1)
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture())


def test_without_confirmation_the_visitor_is_called_at_the_answer() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        (await phone.expects_call()).rings().answers()
        visitor = await trunk.expects_call(within_s=1)
        visitor.hangs_up()
        assert (await world.over()).outcome is Outcome.VISITOR_DECLINED

    play(scenario, fixture(NO_CONFIRM))


def test_the_visitor_is_told_that_this_is_the_call_asked_for() -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await confirmed(world)
        await visitor.hears("visitor-announce")
        owner.hangs_up()
        await visitor.left_alone()
        assert (await world.over()).outcome in (Outcome.PHONE_LEFT, Outcome.TALKED)

    play(scenario, fixture(ANNOUNCE))


def test_a_wrong_key_repeats_the_question_and_three_silences_end_it() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        await world.callnow()
        owner = (await phone.expects_call()).rings().answers()
        await owner.hears("confirm")
        owner.presses("7")
        await owner.hears("wrong-key")
        await owner.hears("confirm-repeat")
        await owner.left_alone(within_s=60)
        assert (await world.over()).outcome is Outcome.NOT_CONFIRMED

    play(scenario, fixture())


def _answers_then(act: Callable[[Far], object]) -> Callable[[Far], None]:
    def behave(owner: Far) -> None:
        owner.rings().answers()
        act(owner)

    return behave


@pytest.mark.parametrize(
    ("behave", "outcome"),
    [
        pytest.param(_answers_then(lambda far: far.presses("2")), Outcome.REFUSED, id="key 2"),
        pytest.param(_answers_then(lambda far: far.hangs_up()), Outcome.PHONE_LEFT, id="answers and hangs up"),
        pytest.param(lambda far: far.refuses(486), Outcome.BUSY, id="486"),
        pytest.param(lambda far: far.refuses(603), Outcome.DECLINED, id="603"),
        pytest.param(lambda far: far.refuses(500), Outcome.FAILED, id="500"),
        pytest.param(lambda far: far.rings(), Outcome.NO_ANSWER, id="rings for ever"),
    ],
)
def test_a_refusal_costs_nothing_and_the_page_never_says_why(behave: Callable[[Far], None], outcome: Outcome) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = await world.callnow()
        owner = await phone.expects_call()
        behave(owner)
        call = await world.over()
        assert call.outcome is outcome
        assert trunk.invited == 0
        assert world.desk.visitor_status(token).stage is Stage.NOT_AVAILABLE
        assert world.balance() == 100_000_000
        await owner.left_alone()

    play(scenario, fixture())


@pytest.mark.parametrize(
    ("status", "clip", "outcome"),
    [
        pytest.param(486, "visitor-busy", Outcome.VISITOR_BUSY, id="busy"),
        pytest.param(480, "visitor-no-answer", Outcome.VISITOR_NO_ANSWER, id="no answer"),
        pytest.param(603, "visitor-failed", Outcome.VISITOR_DECLINED, id="declined"),
        pytest.param(404, "visitor-failed", Outcome.VISITOR_FAILED, id="no such number"),
    ],
)
def test_the_owner_hears_why_the_visitor_is_not_there(status: int, clip: str, outcome: Outcome) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = await world.callnow()
        owner = (await phone.expects_call()).rings().answers()
        await owner.hears("confirm")
        owner.presses("1")
        (await trunk.expects_call()).refuses(status)
        await owner.hears(clip)
        await owner.left_alone()
        assert (await world.over()).outcome is outcome
        assert world.desk.visitor_status(token).stage is Stage.NOT_REACHED
        assert world.balance() == 100_000_000

    play(scenario, fixture())


def test_a_trunk_that_fails_hands_over_to_the_next() -> None:
    async def scenario(world: World) -> None:
        phone, first, second = await john(world), Peer(world, T1), Peer(world, T2)
        await world.callnow()
        (await phone.expects_call()).rings().answers()
        (await first.expects_call()).refuses(503)
        visitor = (await second.expects_call()).answers()
        await asyncio.sleep(1)
        visitor.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(NO_CONFIRM))


@pytest.mark.parametrize("after_s", [0.0025, 0.0035, 0.0015, 1.0, 3.0, 7.0, 7.5])
def test_the_visitor_may_cancel_until_the_talk(after_s: float) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = await world.callnow()
        ring = asyncio.create_task(phone.expects_call())
        await asyncio.sleep(after_s)
        if ring.done():
            ring.result().rings()
            if after_s > 2:
                ring.result().answers()
                await ring.result().hears("confirm")
                ring.result().presses("1")
                (await trunk.expects_call()).rings()
        assert await world.desk.cancel_visitor(token)
        if not ring.done():
            (await ring).rings()  # 9.1: the CANCEL waits for a first response
        call = await world.over()
        assert call.outcome is Outcome.CANCELLED
        assert world.desk.visitor_status(token).stage is Stage.CANCELLED
        assert not await world.desk.cancel_visitor(token)
        assert world.balance() == 100_000_000

    play(scenario, fixture())


def test_an_owner_on_the_phone_is_not_rung_again_until_the_call_is_over() -> None:
    async def scenario(world: World) -> None:
        owner, _visitor = await confirmed(world)
        assert (await world.refused(number="5555555556")).reason == "on-phone"
        owner.hangs_up()
        await world.over()
        await world.callnow(number="5555555557")
        again = await owner.peer.expects_call()
        assert (await world.refused(number="5555555558")).reason == "on-phone", "a pending confirmation counts"
        again.refuses(486)
        await world.over()

    play(scenario, fixture())


def test_the_option_off_lets_a_second_call_ring() -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await confirmed(world)
        await world.callnow(number="5555555556")
        (await owner.peer.expects_call()).refuses(486)
        visitor.hangs_up()
        await world.over()

    play(scenario, fixture(('id = "john_doe"', 'id = "john_doe"\nreject_while_on_phone = false')))


def test_nobody_is_rung_without_credit() -> None:
    async def scenario(world: World) -> None:
        await john(world)
        refusal = await world.refused()
        assert (refusal.reason, refusal.status) == ("no-credit", 409)
        assert world.wire.requests("INVITE") == []

    play(scenario, fixture(('credit = "100.00"', 'credit = "0.11"')))


def test_an_offline_extension_is_not_available() -> None:
    async def scenario(world: World) -> None:
        assert (await world.refused()).reason == "offline"
        phone = await john(world)
        assert await phone.register("001*002", "secret", expires=0) == 200
        assert (await world.refused(number="5555555556")).reason == "offline"

    play(scenario, fixture())


@pytest.mark.parametrize(
    ("number", "talk_s", "cost"),
    [
        pytest.param("5555555555", 200, 120_000, id="local: flat"),
        pytest.param("0412345678", 31, 200_000, id="mobile: second increment"),
        pytest.param("0045678901", 10, 500_000, id="international: first minute whole"),
        pytest.param("0045678901", 61, 750_000, id="international: one increment more"),
        pytest.param("0412345678", 30, 100_000, id="mobile: exactly the first interval"),
    ],
)
def test_at12_figures_to_the_second(number: str, talk_s: int, cost: int) -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await confirmed(world, number)
        for far in (owner, visitor):
            far.speaks()
        await asyncio.sleep(talk_s - 0.01)
        visitor.hangs_up()
        call = await world.over()
        assert call.charged == cost
        assert world.balance() == 100_000_000 - cost

    play(scenario, fixture())


def test_the_talk_is_cut_at_the_second_the_money_ends_and_the_balance_is_zero() -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await confirmed(world, "0412345678")
        for far in (owner, visitor):
            far.speaks()
        began = world.loop.time()
        await owner.left_alone(within_s=200)
        assert world.loop.time() - began == pytest.approx(90, abs=0.1)
        call = await world.over()
        assert call.outcome is Outcome.CREDIT_SPENT
        assert world.balance() == 0

    play(scenario, fixture(('credit = "100.00"', 'credit = "0.30"')))


def test_silence_ends_the_call() -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await confirmed(world)
        owner.speaks()
        visitor.speaks()
        await asyncio.sleep(5)
        visitor.audio.port.stop()
        await visitor.left_alone(within_s=30)
        assert (await world.over()).outcome is Outcome.MEDIA_LOST

    play(scenario, fixture())


def test_the_same_visitor_and_number_within_30_s_is_one_request() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        first, second = await world.callnow(), await world.callnow()
        assert first == second
        (await phone.expects_call()).refuses(486)
        await world.over()
        assert phone.invited == 1

    play(scenario, fixture())


@pytest.mark.parametrize("seed", range(6))
def test_a_call_survives_a_bad_wire(seed: int) -> None:
    """15 % loss, repeats and reordering: retransmission carries the call through, exactly one visitor leg is paid."""

    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        world.wire.loss, world.wire.repeat, world.wire.reorder = 0.15, 0.1, 0.1
        await world.callnow()
        owner = (await phone.expects_call(40)).answers()
        await owner.hears("confirm")
        owner.presses("1")
        visitor = (await trunk.expects_call(40)).answers()
        await asyncio.sleep(15)
        visitor.hangs_up()
        await owner.left_alone(within_s=40)
        world.wire.loss = 0.0
        await asyncio.sleep(64)
        assert (await world.over()).outcome is Outcome.TALKED
        assert world.balance() == 100_000_000 - 120_000
        assert trunk.invited == 1

    play(scenario, fixture(), seed=seed)
