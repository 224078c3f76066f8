"""What a call costs whatever happens: races, a failing database, a set clock, limits, trunks that fail (SPEC A12.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from b2bua.cli.common import OPERATOR
from b2bua.desk import NewRecharge
from b2bua.office.office import BackOffice
from b2bua.outcome import Outcome
from store import journal, ledger
from tests.plans import fixture
from tests.world import PHONE, T1, T2, Far, Peer, World, play

NO_CONFIRM = ('id = "john_doe"', 'id = "john_doe"\nconfirm = false')
ANNOUNCE = ("announce_to_visitor = false", "announce_to_visitor = true")
MOBILE, LOCAL = "0412345678", "5555555555"
FULL = 100_000_000


async def john(world: World) -> Peer:
    phone = Peer(world, PHONE)
    assert await phone.register("001*002", "secret") == 200
    return phone


async def talking(world: World, number: str = MOBILE) -> tuple[Far, Far]:
    """Both far ends, in the talk, and not silent."""
    phone, trunk = await john(world), Peer(world, T1)
    await world.callnow(number=number)
    owner = (await phone.expects_call()).answers().speaks()
    visitor = (await trunk.expects_call()).answers().speaks()
    await visitor.until(lambda: len(visitor.heard) > 0)
    return owner, visitor


@pytest.mark.parametrize("after_s", [0.0, 0.0005])
def test_who_gives_up_while_the_money_is_being_held_leaves_no_hold(after_s: float) -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        asking = asyncio.ensure_future(world.callnow())
        async for _ in world.exchange.moves.follow():
            if world.exchange.live:
                break
        await asyncio.sleep(after_s)
        assert next(iter(world.exchange.live.values())).cancel()
        token = await asking
        assert (await world.over()).outcome is Outcome.CANCELLED
        assert (phone.invited, world.balance()) == (0, FULL)
        assert [(r.token, r.reason) for r in world.requests()] == [(token, "cancelled")]

    play(scenario, fixture())


def test_two_requests_on_money_for_one_ring_one_phone() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await asyncio.gather(world.callnow(number=LOCAL), world.callnow(number="5555555556"))
        (await phone.expects_call()).answers()
        (await trunk.expects_call()).answers().hangs_up()
        await world.over()
        assert (phone.invited, trunk.invited, world.balance()) == (1, 1, 0)
        assert sorted(r.reason for r in world.requests())[0] == "no-credit"

    plan = fixture(NO_CONFIRM, ("announce_to_visitor", "reject_while_on_phone = false\nannounce_to_visitor"),
                   ('credit = "100.00"', 'credit = "0.12"'))  # fmt: skip
    play(scenario, plan)


def test_a_call_that_ends_while_the_database_fails_is_settled_when_it_works_again() -> None:
    async def scenario(world: World) -> None:
        _, visitor = await talking(world)
        await asyncio.sleep(20)
        world.database.broken = True
        visitor.hangs_up()
        await asyncio.sleep(30)
        assert world.exchange.live == {}, "the call itself is over"
        assert world.balance() == FULL
        world.database.broken = False
        await asyncio.sleep(5)
        call = await world.over()
        assert (call.outcome, call.charged, world.balance()) == (Outcome.TALKED, 100_000, FULL - 100_000)
        record = world.read(lambda conn: journal.find_call(conn, call.id))
        assert record is not None
        assert record.ended is not None
        assert record.ended - record.started == pytest.approx(20, abs=1), "the end of the call, not of the trouble"
        assert [r.reason for r in world.requests()] == ["talked"]

    play(scenario, fixture(NO_CONFIRM))


def test_what_is_unsettled_when_the_server_stops_is_offered_a_last_time() -> None:
    async def scenario(world: World) -> None:
        _, visitor = await talking(world)
        world.database.broken = True
        visitor.hangs_up()
        await asyncio.sleep(1)
        assert list(world.exchange.unsettled) == [world.last.id]
        world.database.broken = False
        await world.exchange.close()
        world.check_nothing_left()
        assert world.balance() == FULL - 100_000

    play(scenario, fixture(NO_CONFIRM))


@pytest.mark.parametrize(
    ("works_again_s", "takes_s", "cut_s"),
    [
        pytest.param(57.0, 0.001, 90, id="fails at the first asking: asked again"),
        pytest.param(300.0, 0.001, 60, id="fails until the money is used up"),
        pytest.param(0.0, 10.0, 60, id="takes longer than the money lasts"),
    ],
)
def test_a_database_in_trouble_neither_ends_a_talk_early_nor_lets_it_go_on(
    works_again_s: float, takes_s: float, cut_s: int
) -> None:
    async def scenario(world: World) -> None:
        owner, _ = await talking(world)
        began = world.loop.time()
        await asyncio.sleep(50)
        world.database.broken, world.database.takes_s = works_again_s > 0, takes_s
        world.loop.call_at(began + works_again_s, setattr, world.database, "broken", False)
        await owner.left_alone(within_s=100)
        assert world.loop.time() - began == pytest.approx(cut_s, abs=0.1)
        await asyncio.sleep(max(0.0, began + works_again_s - world.loop.time()) + 15)
        world.database.takes_s = 0.001
        call = await world.over()
        assert call.outcome is Outcome.CREDIT_SPENT
        assert world.balance() == 300_000 - cut_s // 30 * 100_000

    play(scenario, fixture(NO_CONFIRM, ('credit = "100.00"', 'credit = "0.30"')))


async def recharged(world: World, amount: str) -> None:
    """By what the API and the command line call."""
    office = BackOffice(world.database, world.wall)  # type: ignore[arg-type]
    await office.recharge_account(OPERATOR, "client", NewRecharge(amount=amount, order_number="A1"))


@pytest.mark.parametrize(("credit", "amount", "at_s", "cut_s"), [
    pytest.param("0.30", "0.30", 10.0, 180, id="added early"),
    pytest.param("0.30", "0.30", 89.5, 180, id="added in the last second"),
    pytest.param("0.30", "0.30", 91.0, 90, id="added too late: only the next call has it"),
    pytest.param("5.00", "-10", 70.0, 90, id="taken: the increment under way is talked to its end"),
])  # fmt: skip
def test_a_recharge_of_the_account_moves_the_cut(credit: str, amount: str, at_s: float, cut_s: int) -> None:
    async def scenario(world: World) -> None:
        owner, _ = await talking(world)
        began = world.loop.time()
        recharge = asyncio.ensure_future(later(at_s, recharged(world, amount)))
        await owner.left_alone(within_s=300)
        assert world.loop.time() - began == pytest.approx(cut_s, abs=0.1)
        await recharge
        call = await world.over()
        assert (call.outcome, call.charged) == (Outcome.CREDIT_SPENT, cut_s // 30 * 100_000)
        assert world.balance() == (300_000 if at_s > cut_s else 0)

    play(scenario, fixture(NO_CONFIRM, ('credit = "100.00"', f'credit = "{credit}"')))


async def later(after_s: float, what: Awaitable[None]) -> None:
    await asyncio.sleep(after_s)
    await what


@pytest.mark.parametrize("hour", [3600.0, -3600.0])
def test_a_clock_set_during_the_talk_changes_no_charge_not_even_after_a_crash(hour: float) -> None:
    async def scenario(world: World) -> None:
        _, visitor = await talking(world)
        await asyncio.sleep(20)
        world.clock_set_s = hour
        await asyncio.sleep(15)
        at = world.exchange.steady(world.loop.time())
        dead = world.read(lambda conn: (ledger.settle_after_crash(conn, at), journal.recent_calls(conn)))
        assert dead[0][0].charged == 200_000
        assert dead[1][0].talk_ms == pytest.approx(35_000, abs=2_500)
        visitor.hangs_up()
        assert (await world.over()).charged == 200_000

    play(scenario, fixture(NO_CONFIRM))


def test_a_crash_is_charged_from_the_answer_not_from_the_bridge() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow(number=LOCAL)
        (await phone.expects_call()).answers()
        visitor = (await trunk.expects_call()).answers()
        await visitor.until(lambda: len(visitor.heard) > 800)
        assert next(iter(world.exchange.live.values())).talk_began is None
        dead = world.read(lambda conn: ledger.settle_after_crash(conn, world.wall()))
        assert [settled.charged for settled in dead] == [120_000]
        visitor.hangs_up()
        await world.over()

    play(scenario, fixture(NO_CONFIRM, ANNOUNCE))


def test_a_mark_that_failed_is_made_by_the_next_heartbeat() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        (await phone.expects_call()).answers()
        visitor = await trunk.expects_call()
        world.database.broken = True
        visitor.answers().speaks()
        await asyncio.sleep(5)
        world.database.broken = False
        await asyncio.sleep(3)
        dead = world.read(lambda conn: ledger.settle_after_crash(conn, world.wall()))
        assert [settled.charged for settled in dead] == [120_000]
        visitor.hangs_up()
        await world.over()

    play(scenario, fixture(NO_CONFIRM))


def test_the_longest_call_ends_to_the_second_and_our_lateness_begins_no_increment() -> None:
    async def scenario(world: World) -> None:
        owner, _ = await talking(world)
        began = world.loop.time()
        await owner.left_alone(within_s=40)
        assert world.loop.time() - began == pytest.approx(30, abs=0.1)
        call = await world.over()
        assert (call.outcome, call.charged) == (Outcome.CREDIT_SPENT, 100_000)

    play(scenario, fixture(NO_CONFIRM, ("announce_to_visitor", "longest_call_s = 30\nannounce_to_visitor")))


def test_live_calls_count_at_their_worst_against_the_money_of_a_link() -> None:
    """0.30 a day pays 90 s of one call; a second one meanwhile would be another 90 s."""

    async def scenario(world: World) -> None:
        owner, visitor = await talking(world)
        assert (await world.refused(number="0412345679")).reason == "link-money-today"
        await asyncio.sleep(20)
        visitor.hangs_up()
        await owner.left_alone()
        await world.over()
        await world.callnow(number="0412345679")  # what was not talked may be used
        (await owner.peer.expects_call()).refuses(486)
        await world.over()

    plan = fixture(NO_CONFIRM, ("announce_to_visitor",
                   'money_a_day = "0.30"\nreject_while_on_phone = false\nannounce_to_visitor'))  # fmt: skip
    play(scenario, plan)


def test_an_answer_that_cannot_be_used_is_none_and_costs_nothing() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        owner = (await phone.expects_call()).answers()
        visitor = await trunk.expects_call()
        visitor._answer = b"v=0\r\no=- 1 1 IN IP4 192.0.2.21\r\ns=-\r\nc=IN IP4 192.0.2.21\r\nt=0 0\r\n"
        visitor.answers()
        await owner.hears("visitor-failed")
        await visitor.left_alone()
        call = await world.over()
        assert (call.outcome, call.charged, world.balance()) == (Outcome.VISITOR_FAILED, 0, FULL)
        legs = world.read(lambda conn: journal.legs_of(conn, call.id))
        assert [(leg.lane, leg.status, leg.answered is None) for leg in legs] == [(0, 200, False), (2, 200, True)]

    play(scenario, fixture(NO_CONFIRM))


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(0, id="rings until our patience ends"),
        pytest.param(408, id="rings and is not answered downstream"),
        pytest.param(503, id="rings and fails"),
    ],
)
def test_a_visitor_whose_phone_rang_is_not_rung_by_another_trunk(status: int) -> None:
    async def scenario(world: World) -> None:
        phone, first, other = await john(world), Peer(world, T1), Peer(world, T2)
        await world.callnow()
        (await phone.expects_call()).answers()
        visitor = (await first.expects_call()).rings()
        if status:
            await asyncio.sleep(1)
            visitor.refuses(status)
        call = await world.over()
        assert call.outcome in (Outcome.VISITOR_NO_ANSWER, Outcome.VISITOR_FAILED)
        assert (first.invited, other.invited, call.charged) == (1, 0, 0)

    play(scenario, fixture(NO_CONFIRM))


def test_a_silent_trunk_hands_over_and_the_leg_that_answered_is_paid() -> None:
    async def scenario(world: World) -> None:
        phone, first, other = await john(world), Peer(world, T1), Peer(world, T2)
        first.silent = True
        await world.callnow(number=MOBILE)
        owner = (await phone.expects_call()).answers().speaks()
        visitor = (await other.expects_call(within_s=60)).answers().speaks()
        await asyncio.sleep(31)
        owner.hangs_up()
        await visitor.left_alone()
        call = await world.over()
        legs = world.read(lambda conn: journal.legs_of(conn, call.id))
        assert [(leg.party, leg.status, leg.cost) for leg in legs][1:] == [("R1", 408, 0), ("R2", 200, 200_000)]

    play(scenario, fixture(NO_CONFIRM))


@pytest.mark.parametrize("early_s", [0.003, 0.002, 0.0015, 0.001, 0.0005, 0.0, -0.0005])
def test_an_answer_in_the_moment_our_patience_ends_is_a_talk_or_costs_nothing(early_s: float) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        owner = (await phone.expects_call()).answers()
        visitor = await trunk.expects_call()
        dialled = next(leg.invited_at for leg in next(iter(world.exchange.live.values())).legs if leg.lane == 2)
        visitor.rings()
        await asyncio.sleep(dialled + 60 - early_s - world.loop.time())
        visitor.answers()
        await asyncio.sleep(8)
        if not owner.gone:
            owner.hangs_up()
        await visitor.left_alone()
        call = await world.over()
        talked = call.outcome is Outcome.TALKED
        assert talked or call.outcome is Outcome.VISITOR_NO_ANSWER
        assert call.charged == (120_000 if talked else 0)
        assert trunk.invited == 1
        assert len(world.read(lambda conn: journal.legs_of(conn, call.id))) == 2

    play(scenario, fixture(NO_CONFIRM))


def test_early_media_is_free() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow(number=MOBILE)
        (await phone.expects_call()).answers()
        visitor = (await trunk.expects_call()).early()
        await asyncio.sleep(45)
        visitor.answers()
        await asyncio.sleep(1)
        visitor.hangs_up()
        assert (await world.over()).charged == 100_000

    play(scenario, fixture(NO_CONFIRM))
