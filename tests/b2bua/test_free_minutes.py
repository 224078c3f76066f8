"""Free minutes and monthly fees: set aside like money, never more than there are, back when not talked (SPEC 71)."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.outcome import Outcome
from b2bua.plan.apply import apply
from b2bua.plan.reader import parse
from store import ledger
from store.database import connect
from store.rates import price
from store.tables import holds
from store.values import Micros, Rate
from tests.plans import fixture
from tests.world import PHONE, T1, Far, Peer, World, play

MOBILE = "0412345678"
"""0.10 for each 30 s begun."""
FULL = 100_000_000


def plan(minutes: int, *changes: tuple[str, str], more: str = "") -> str:
    gold = f"""
[[charging_plan]]
name = "gold"
rate_table = "at-12"
free_minutes = {minutes}
{more}
[[trunk]]
name = "R1\""""
    return fixture(
        ('id = "john_doe"', 'id = "john_doe"\nconfirm = false\nreject_while_on_phone = false'),
        ('rate_table = "at-12"', 'charging_plan = "gold"'), ('\n[[trunk]]\nname = "R1"', gold), *changes,
    )  # fmt: skip


async def talks(world: World, phone: Peer, trunk: Peer, number: str = MOBILE) -> Far:
    await world.callnow(number=number)
    (await phone.expects_call()).answers().speaks()
    return (await trunk.expects_call()).answers().speaks()


async def peers(world: World) -> tuple[Peer, Peer]:
    phone = Peer(world, PHONE)
    assert await phone.register("001*002", "secret") == 200
    return phone, Peer(world, T1)


@pytest.mark.parametrize(("minutes", "talk_s", "charged"), [
    pytest.param(10, 299.5, 0, id="all of it is free"),
    pytest.param(2, 119.5, 0, id="just inside"),
    pytest.param(2, 121, 100_000, id="a second beyond begins the first paid interval"),
    pytest.param(2, 155, 200_000, id="35 s beyond"),
    pytest.param(0, 31, 200_000, id="none"),
])
def test_what_a_talk_costs(minutes: int, talk_s: float, charged: int) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await peers(world)
        visitor = await talks(world, phone, trunk)
        await asyncio.sleep(talk_s)
        visitor.hangs_up()
        call = await world.over()
        assert (call.outcome, call.charged, world.balance()) == (Outcome.TALKED, charged, FULL - charged)
        assert left(world, minutes) == max(0, minutes * 60 - int(talk_s) - 1)

    play(scenario, plan(minutes))


def left(world: World, minutes: int) -> int:
    """What the pool of this month has now; the virtual clock begins on 15 January 2027."""
    pool = ledger.FreePool("gold 2027-01", minutes * 60)
    return world.read(lambda conn: ledger.free_left(conn, 1, pool))


def test_without_credit_a_call_is_cut_when_the_free_minutes_end() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await peers(world)
        began = world.loop.time()
        visitor = await talks(world, phone, trunk)
        await visitor.left_alone(400)
        call = await world.over()
        assert call.outcome is Outcome.CREDIT_SPENT
        assert call.talk_s == pytest.approx(300, abs=0.1)
        assert world.loop.time() - began < 303
        assert (call.charged, world.balance(), left(world, 5)) == (0, 0, 0)
        assert (await world.refused()).reason == "no-credit"

    play(scenario, plan(5, ('credit = "100.00"', "")))


def test_two_calls_at_once_share_what_there_is() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await peers(world)
        one = await talks(world, phone, trunk)
        other = await talks(world, phone, trunk, "0412345679")
        await one.left_alone(400)
        await other.left_alone(400)
        await world.over()
        free = world.read(lambda conn: [row.free_s for row in conn.execute(holds.select())])
        assert sum(free) == 300
        assert world.balance() == 0

    play(scenario, plan(5, ('credit = "100.00"', "")))


def test_minutes_of_some_prefixes_pay_for_no_other_number() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await peers(world)
        visitor = await talks(world, phone, trunk)
        await asyncio.sleep(10)
        visitor.hangs_up()
        assert (await world.over()).charged == 100_000

    play(scenario, plan(5, more='free_prefixes = ["555"]'))


@pytest.mark.parametrize("beats", [True, False])
def test_a_crash_takes_what_was_talked_and_gives_the_rest_back(beats: bool) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await peers(world)
        visitor = await talks(world, phone, trunk)
        await asyncio.sleep(90.5 if beats else 0.0005)
        with connect(world.url).connect() as conn:  # what the next start finds, and does
            ledger.settle_after_crash(conn, world.wall())
            assert ledger.audit(conn) == []
            used = 300 - ledger.free_left(conn, 1, ledger.FreePool("gold 2027-01", 300))
            assert (88 <= used <= 91) if beats else used == 0
            assert ledger.balance(conn, 1).balance == FULL
            conn.rollback()
        visitor.hangs_up()
        await world.over()

    play(scenario, plan(5))


RATE = Rate("", "", Micros(2), 10, Micros(5), 7, Micros(3))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90), st.floats(0, 120), st.booleans()), max_size=12), st.integers(0, 3))
def test_holds_at_once_never_take_more_than_there_is(calls: list[tuple[int, float, bool]], minutes: int) -> None:
    async def scenario(world: World) -> None:
        pool, open_ = ledger.FreePool("x 2027-01", minutes * 60), []
        with connect(world.url).connect() as conn:
            used = 0
            for n, (wanted, talked, ends) in enumerate(calls):
                before = ledger.free_left(conn, 1, pool)
                rate = Rate(**{**{name: getattr(RATE, name) for name in RATE.__slots__}, "free_s": min(wanted, before)})
                hold = ledger.place_hold(
                    conn, call_id=f"c{n}", leg="b", account_id=1, rate=rate, amount=price(rate, 200), at=0.0,
                    free_period=pool.period,
                )  # fmt: skip
                more = ledger.extend_free(conn, hold.id, pool, wanted)
                assert hold.free_s + more <= before
                open_.append(hold.id)
                if ends:
                    ledger.settle(conn, hold.id, Micros(1), 1.0, talked)
                    used += min(hold.free_s + more, -(-round(talked * 1000) // 1000))
                    open_.remove(hold.id)
                assert 0 <= ledger.free_left(conn, 1, pool) <= pool.total_s - used
                assert ledger.audit(conn) == []
            for hold_id in open_:
                ledger.settle(conn, hold_id, Micros(0), 1.0)
            assert ledger.free_left(conn, 1, pool) == pool.total_s - used
            conn.rollback()

    play(scenario, fixture())


def test_a_monthly_fee_is_taken_once_each_month_from_a_postpaid_account() -> None:
    async def scenario(world: World) -> None:
        assert world.balance() == 95_000_000
        await world.exchange._take_fees()
        assert world.balance() == 95_000_000
        world.clock_set_s = 31 * 86_400
        await asyncio.sleep(700)
        assert world.balance() == 90_000_000
        kinds = world.read(lambda conn: [(e.kind, e.amount, e.order_number) for e in ledger.entries(conn, 1)])
        assert kinds[1:] == [("fee", -5_000_000, "fee 2027-01"), ("fee", -5_000_000, "fee 2027-02")]
        assert world.read(ledger.audit) == []

    play(scenario, plan(0, ('plan = "prepaid"', 'plan = "postpaid"'), more='monthly_fee = "5.00"'))


def test_a_prepaid_account_pays_no_fee() -> None:
    async def scenario(world: World) -> None:
        await world.exchange._take_fees()
        assert world.balance() == FULL

    play(scenario, plan(0, more='monthly_fee = "5.00"'))


def test_a_postpaid_account_talks_below_zero_as_far_as_its_limit() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await peers(world)
        visitor = await talks(world, phone, trunk)
        await visitor.left_alone(400)
        call = await world.over()
        assert (call.outcome, world.balance()) == (Outcome.CREDIT_SPENT, -300_000)
        assert call.talk_s == pytest.approx(90 + 60, abs=0.1)

    changes = (('credit = "100.00"', 'credit_limit = "0.30"'), ('plan = "prepaid"', 'plan = "postpaid"'))
    play(scenario, plan(1, *changes))


def test_another_plan_holds_for_the_next_call_and_not_for_the_one_that_is_up() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await peers(world)
        visitor = await talks(world, phone, trunk)
        with connect(world.url).begin() as conn:
            apply(conn, parse(plan(0), "plan.toml"), world.wall(), "http://test", str)
        await asyncio.sleep(50)
        visitor.hangs_up()
        assert (await world.over()).charged == 0
        visitor = await talks(world, phone, trunk, "0412345679")
        await asyncio.sleep(10)
        visitor.hangs_up()
        assert (await world.over()).charged == 100_000

    play(scenario, plan(5))
