"""From trunk to trunk: which statuses, every try in the story of the call, and the money of it (SPEC A12.1, A12.5)."""

from __future__ import annotations

import asyncio

import pytest

from b2bua.desk import Holder, LegView, MarginsBy
from b2bua.office.office import BackOffice
from b2bua.office.stories import stories
from b2bua.outcome import Outcome
from store import journal
from store.tables import holds
from tests.plans import fixture
from tests.world import PHONE, SERVER, T1, T2, Peer, World, play

MOBILE = "0412345678"
FULL = 100_000_000
R1, R2 = '[[trunk]]\nname = "R1"', '[[trunk]]\nname = "R2"'
NO_CONFIRM = ('id = "john_doe"', 'id = "john_doe"\nconfirm = false')
BUY = """
[[rate]]
table = "buy-1"
first_cost = "0.30"
increment_cost = "0.30"

[[rate]]
table = "buy-2"
connection_fee = "0.05"
increment_s = 1
increment_cost = "0.001"

[[charging_plan]]
name = "markup"
method = "relative"
factor = "2"
adjustment = "0.01"

[[route]]
trunk = "R1\""""
"""By R1 0.61 and then 0.60 a minute; by R2 0.11 and, after the first minute, 0.002 a second."""


def priced(*changes: tuple[str, str]) -> str:
    return fixture(
        NO_CONFIRM, (R1, R1 + '\nrate_table = "buy-1"'), (R2, R2 + '\nrate_table = "buy-2"'),
        ('\n[[route]]\ntrunk = "R1"', BUY), *changes,
    )  # fmt: skip


RELATIVE = ('rate_table = "at-12"', 'charging_plan = "markup"')


async def asked(world: World, number: str = MOBILE) -> None:
    phone = Peer(world, PHONE)
    assert await phone.register("001*002", "secret") == 200
    await world.callnow(number=number)
    (await phone.expects_call()).answers().speaks()


def legs(world: World, number: str = MOBILE) -> list[LegView]:
    """The tries of the last call, as `why` tells them to the operator."""
    story = world.read(lambda conn: stories(conn, Holder("operator", None), number))[0]
    return [leg for leg in story.legs if leg.party in ("R1", "R2")]


@pytest.mark.parametrize(("status", "goes_on"), [
    (503, True), (500, True), (401, True), (407, True), (403, True), (404, False), (486, False),
])  # fmt: skip
def test_the_next_trunk_is_tried_after_5xx_and_what_the_trunk_names(status: int, goes_on: bool) -> None:
    async def scenario(world: World) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        await asked(world)
        (await first.expects_call()).refuses(status)
        if goes_on:
            (await second.expects_call()).answers().hangs_up()
        await world.over()
        assert second.invited == int(goes_on)
        assert [(leg.party, leg.status) for leg in legs(world)] == [("R1", status), ("R2", 200)][: 1 + goes_on]

    play(scenario, fixture(NO_CONFIRM, (R1, R1 + "\nfailover = [403]")))


def test_trunks_that_are_passed_over_are_in_the_story_with_the_cause() -> None:
    async def scenario(world: World) -> None:
        second = Peer(world, T2)
        await asked(world)
        (await second.expects_call()).answers().hangs_up()
        await world.over()
        found = [(leg.party, leg.direction, leg.ended_by) for leg in legs(world)]
        assert found[0] == ("R1", "none", "nowhere.example is not known: Name or service not known")
        assert found[1][:2] == ("R2", "out")

    play(scenario, fixture(NO_CONFIRM, ('host = "192.0.2.21"', 'host = "nowhere.example"')))


def test_a_trunk_at_our_own_address_is_no_way_out() -> None:
    async def scenario(world: World) -> None:
        second = Peer(world, T2)
        await asked(world)
        (await second.expects_call()).answers().hangs_up()
        await world.over()
        assert [(leg.party, leg.status, leg.ended_by) for leg in legs(world)][0] == (
            "R1", 482, "its address is our own: the call would come back",
        )

    play(scenario, fixture(NO_CONFIRM, ('host = "192.0.2.21"', f'host = "{SERVER[0]}"')))


def test_a_relative_price_is_that_of_the_trunk_that_carried_the_call() -> None:
    async def scenario(world: World) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        await asked(world)
        (await first.expects_call()).refuses(503)
        visitor = (await second.expects_call()).answers().speaks()
        await asyncio.sleep(90.5)
        visitor.hangs_up()
        call = await world.over()
        assert call.charged == 2 * (50_000 + 31 * 1_000) + 10_000
        assert world.balance() == FULL - call.charged
        record = world.read(lambda conn: journal.find_call(conn, call.id))
        assert record is not None
        assert (record.cost, record.buy) == (172_000, 81_000)
        hold = world.read(lambda conn: conn.execute(holds.select()).one())
        assert (hold.trunk, hold.rate["connection_fee"]) == ("R2", 110_000)

    play(scenario, priced(RELATIVE))


@pytest.mark.parametrize(("credit", "rings"), [("0.71", True), ("0.70", False)])
def test_what_is_held_is_enough_by_whichever_trunk(credit: str, rings: bool) -> None:
    """The fee of R2 and the first minute of R1, each the dearer: 0.11 and 0.60."""

    async def scenario(world: World) -> None:
        if not rings:
            phone = Peer(world, PHONE)
            assert await phone.register("001*002", "secret") == 200
            assert (await world.refused(number=MOBILE)).reason == "no-credit"
            return
        first = Peer(world, T1)
        await asked(world)
        visitor = (await first.expects_call()).answers().speaks()
        await visitor.left_alone(200)
        call = await world.over()
        assert (call.outcome, call.charged, world.balance()) == (Outcome.CREDIT_SPENT, 610_000, 100_000)
        assert call.talk_s == pytest.approx(60, abs=0.1)

    play(scenario, priced(RELATIVE, ('credit = "100.00"', f'credit = "{credit}"')))


def test_by_a_fixed_price_each_call_tells_its_margin() -> None:
    async def scenario(world: World) -> None:
        first = Peer(world, T1)
        await asked(world)
        visitor = (await first.expects_call()).answers().speaks()
        await asyncio.sleep(61)
        visitor.hangs_up()
        call = await world.over()
        record = world.read(lambda conn: journal.find_call(conn, call.id))
        assert record is not None
        assert (record.cost, record.buy) == (300_000, 600_000), "sold by 30 s, bought by the minute: a loss"
        operator, client = Holder("operator", None), Holder("client", 1)
        told = world.read(lambda conn: stories(conn, operator, MOBILE))[0]
        assert (told.cost, told.buy, told.margin) == ("0.30 USD", "0.60 USD", "-0.30 USD")
        hidden = world.read(lambda conn: stories(conn, client, MOBILE))[0]
        assert (hidden.cost, hidden.buy, hidden.margin) == ("0.30 USD", "", "")
        assert [leg.buy for leg in hidden.legs] == ["", ""]

    play(scenario, priced())


def test_margins_add_calls_up() -> None:
    async def scenario(world: World) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        await asked(world)
        visitor = (await first.expects_call()).answers().speaks()
        await asyncio.sleep(61)
        visitor.hangs_up()
        await world.over()
        await asked(world, "5555555555")
        (await first.expects_call()).refuses(503)
        (await second.expects_call()).answers().hangs_up()
        await world.over()
        office = BackOffice(world.database, world.wall)  # type: ignore[arg-type]
        operator = Holder("operator", None)

        async def found(by: MarginsBy, **more: str) -> list[tuple[str, int, str, str, str]]:
            rows = await office.margins(operator, by=by, **more)
            return [(row.name, row.calls, row.sold, row.bought, row.margin) for row in rows]

        assert await found("trunk") == [("R1", 1, "0.30", "0.60", "-0.30"), ("R2", 1, "0.12", "0.05", "0.07")]
        assert await found("account") == [("client", 2, "0.42", "0.65", "-0.23")]
        assert await found("extension") == [("001*002", 2, "0.42", "0.65", "-0.23")]
        assert await found("day") == [("2027-01-15", 2, "0.42", "0.65", "-0.23")]
        assert await found("account", until="2027-01-15") == await found("account", since="2027-01-16") == []

    play(scenario, priced())


def test_after_a_crash_the_cost_to_us_is_known_too() -> None:
    async def scenario(world: World) -> None:
        from store import ledger
        from store.database import connect

        first = Peer(world, T1)
        await asked(world)
        visitor = (await first.expects_call()).answers().speaks()
        await asyncio.sleep(100)
        with connect(world.url).connect() as conn:
            ledger.settle_after_crash(conn, world.wall())
            record = journal.recent_calls(conn)[0]
            assert (record.reason, record.cost, record.buy) == ("server-restarted", 400_000, 600_000)
            assert journal.legs_of(conn, record.id)[0].party == "R1"
            conn.rollback()
        visitor.hangs_up()
        await world.over()

    play(scenario, priced())
