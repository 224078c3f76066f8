"""CallNow: rules by number and name, blocked numbers, and who presses 9 (SPEC 14, H11, A12.6)."""

from __future__ import annotations

import asyncio

import pytest

from b2bua.desk import Stage
from b2bua.outcome import Outcome
from b2bua.rules.admission import NOT_AVAILABLE
from store.blocked import Blocked, list_blocked
from tests.b2bua.test_callnow import ANNOUNCE, confirmed, john
from tests.plans import fixture
from tests.world import T1, Peer, World, play

OTHER_PAGE = """
[[extension]]
number = "001*003"
account = "client"
password = "secret3"
public_number = "5555550001"
[extension.callnow]
id = "jane"
"""


def rules(*written: str) -> tuple[str, str]:
    """001*002 with these rules."""
    return 'id = "john_doe"', f'id = "john_doe"\nrules = [{", ".join(written)}]'


def blocked(world: World) -> list[tuple[str, str | None, str]]:
    """Number, extension and who blocked it."""
    rows: list[Blocked] = world.read(list_blocked)
    return [(row.number, row.extension, row.by) for row in rows]


def test_a_rule_puts_a_number_through_without_the_question() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow(number="5555555555")
        (await phone.expects_call()).rings().answers()
        visitor = await trunk.expects_call(within_s=1)
        visitor.hangs_up()
        await world.over()
        await world.callnow(number="5555555556")
        owner = (await phone.expects_call()).rings().answers()
        await owner.hears("confirm")
        owner.hangs_up()
        await world.over()

    play(scenario, fixture(rules('{do = "accept", number = "5555555555"}')))


def test_a_rule_asks_though_the_page_does_not() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        await world.callnow(name="Bob")
        owner = (await phone.expects_call()).rings().answers()
        await owner.hears("confirm")
        owner.hangs_up()
        await world.over()

    asks = rules('{do = "confirm", name = "bob"}')
    play(scenario, fixture((asks[0], f"{asks[1]}\nconfirm = false")))


def test_a_rule_refuses_and_the_visitor_is_not_told_why() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        answer = await world.refused(name="Bob")
        assert (answer.reason, answer.sentence) == ("refused-by-rule", NOT_AVAILABLE)
        assert phone.invited == 0
        await world.callnow(name="Mary")
        (await phone.expects_call()).refuses(486)
        await world.over()
        assert [request.reason for request in world.requests()] == ["busy", "refused-by-rule"]

    play(scenario, fixture(rules('{do = "refuse", name = "bob"}')))


@pytest.mark.parametrize("asked", [pytest.param(1, id="at once"), pytest.param(2, id="asked again")])
def test_the_owner_refuses_and_blocks_the_number(asked: int) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = await world.callnow()
        owner = (await phone.expects_call()).rings().answers()
        await owner.hears("confirm")
        if asked == 2:
            await owner.hears("confirm-repeat", within_s=30)
        owner.presses("9")
        assert (await world.over()).outcome is Outcome.BLOCKED
        assert world.desk.visitor_status(token).stage is Stage.NOT_AVAILABLE
        assert blocked(world) == [("5555555555", "001*002", "owner")]
        await asyncio.sleep(31)  # before that it is the same request
        answer = await world.refused()
        assert (answer.reason, answer.sentence) == ("number-blocked", NOT_AVAILABLE)
        assert (phone.invited, trunk.invited, world.balance()) == (1, 0, 100_000_000)
        jane = Peer(world, ("192.0.2.77", 5060))
        assert await jane.register("001*003", "secret3") == 200
        await world.callnow(page="jane")  # the block is of one page
        (await jane.expects_call()).refuses(486)
        await world.over()

    play(scenario, fixture() + OTHER_PAGE)


def test_the_visitor_who_did_not_ask_is_called_by_no_page_again() -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await confirmed(world)
        await visitor.hears("visitor-announce")
        visitor.presses("9")
        await owner.left_alone(within_s=2)
        assert (await world.over()).outcome is Outcome.OPTED_OUT
        assert blocked(world) == [("5555555555", None, "visitor")]
        await asyncio.sleep(31)
        for page in ("john_doe", "jane"):
            answer = await world.refused(page=page)
            assert (answer.reason, answer.status, answer.field) == ("number-opted-out", 422, "number")

    play(scenario, fixture(ANNOUNCE) + OTHER_PAGE)


def test_another_key_of_the_visitor_only_ends_the_announcement() -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await confirmed(world)
        await visitor.hears("visitor-announce")  # the middle of it: more than two seconds are to come
        visitor.presses("5")
        await asyncio.sleep(1)
        visitor.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED
        assert blocked(world) == []

    play(scenario, fixture(ANNOUNCE))


def test_a_page_that_is_not_there_is_written_down_but_fills_no_disk() -> None:
    async def scenario(world: World) -> None:
        for n in range(12):
            answer = await world.refused(page="nobody", number=f"55555555{n:02}")
            assert (answer.reason, answer.status) == ("unknown-page", 404)
        await asyncio.sleep(1)
        written = sorted((request.reason, request.extension, request.page_id) for request in world.requests())
        assert written == [("more-refused", "", ""), *[("unknown-page", "", "nobody")] * 10]
        await asyncio.sleep(900)
        await world.refused(page="nobody")
        await asyncio.sleep(1)
        assert len(world.requests()) == 12

    play(scenario, fixture())
