"""Signed links whose calls wait: one request is one use, whatever becomes of it (SPEC A12.7, A12.8)."""

from __future__ import annotations

import asyncio

import pytest

from b2bua.desk import Accepted, Refused, Stage, VisitorRequest
from b2bua.outcome import Outcome
from tests.b2bua.test_callnow import john
from tests.b2bua.test_callnow_later import SLOTS, SOON, TRIES, offered, only_request, put_off, put_through, settings
from tests.b2bua.test_signed_links import CLIENT, IP, OTHER_IP, ask, left, made, office, token_of
from tests.plans import fixture
from tests.world import PHONE, T1, Peer, World, play


async def choose(world: World, token: str, at: float, number: str = "", ip: str = IP) -> Accepted | Refused:
    """A time is chosen on a link's page."""
    return await world.desk.request_call(VisitorRequest("john_doe", "Mary", number, "", ip, at=at, link=token))


def test_a_time_that_is_chosen_is_a_use_until_the_visitor_gives_it_up() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = token_of(await made(world, number="5551112222"))
        at = offered(world)[2]
        answer = await choose(world, token, at)
        assert isinstance(answer, Accepted)
        assert await left(world) == [("used-up", 0)]
        status = world.desk.visitor_status(answer.token)
        assert (status.stage, status.number) == (Stage.SCHEDULED, "•••22")
        assert await world.desk.cancel_visitor(answer.token)
        assert await left(world) == [("open", 1)]
        assert (phone.invited, only_request(world).reason) == (0, "cancelled")

    play(scenario, fixture(SLOTS))


def test_two_times_chosen_at_once_with_one_use_are_one_call_and_the_other_time_stays_free() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = token_of(await made(world))
        first, second, *_ = offered(world)
        answers = await asyncio.gather(
            choose(world, token, first, "5551112222"), choose(world, token, second, "5553334444", OTHER_IP)
        )
        (refused,) = [each for each in answers if isinstance(each, Refused)]
        assert refused.reason == "signed-link-used-up"
        assert len({first, second} & {*offered(world)}) == 1
        await put_through(world, phone, trunk, within_s=second - world.wall() + 10)
        await asyncio.sleep(600)
        assert (phone.invited, await left(world)) == (1, [("used-up", 0)])

    play(scenario, fixture(SLOTS))


def test_a_call_put_off_by_the_owner_has_used_its_link() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = token_of(await made(world, number="5551112222"))
        answer = await ask(world, token)
        assert isinstance(answer, Accepted)
        await (await put_off(world, phone)).hears("called-later")
        assert (await world.over()).outcome is Outcome.PUT_OFF
        await world.kill()
        await world.start()
        assert await left(world) == [("used-up", 0)]
        assert world.desk.visitor_status(answer.token).number == "•••22"
        await put_through(world, phone, trunk, within_s=70)
        assert (only_request(world).reason, await left(world)) == ("talked", [("used-up", 0)])

    play(scenario, fixture(SOON))


def test_killed_between_the_use_and_the_first_ring_a_use_is_used() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = token_of(await made(world, number="5551112222"))
        world.database.takes_s = 1
        asked = asyncio.create_task(ask(world, token))
        await asyncio.sleep(3.5)  # the use is written, the money is not yet held
        await world.kill()
        asked.cancel()
        world.database.takes_s = 0.001
        await world.start()
        assert await left(world) == [("used-up", 0)]
        assert (phone.invited, only_request(world).reason) == (0, "server-restarted")
        again = await ask(world, token)
        assert isinstance(again, Refused)
        assert again.reason == "signed-link-used-up"

    play(scenario, fixture())


def test_tries_that_never_rang_anybody_give_the_use_back_at_their_end() -> None:
    async def scenario(world: World) -> None:
        phone = Peer(world, PHONE)  # not registered
        token = token_of(await made(world, number="5551112222"))
        assert isinstance(await ask(world, token), Accepted)
        assert await left(world) == [("used-up", 0)]
        await asyncio.sleep(3000)
        assert (phone.invited, only_request(world).ended is not None) == (0, True)
        assert await left(world) == [("open", 1)]

    play(scenario, fixture(TRIES))


@pytest.mark.parametrize("end", ["paused", "missed"])
def test_a_use_for_which_nobody_was_rung_is_given_back(end: str) -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        at = float(offered(world)[0])
        assert isinstance(await choose(world, token_of(await made(world, number="5551112222")), at), Accepted)
        if end == "paused":
            world.applies(fixture(settings("slot_min = 5", "paused = true")))
            await asyncio.sleep(at + 10 - world.wall())
        else:
            await world.kill()
            await asyncio.sleep(at + 70 - world.wall())
            await world.start()
            await asyncio.sleep(5)
        assert only_request(world).reason == {"missed": "time-missed"}.get(end, end)
        assert (await left(world), phone.invited) == ([("open", 1)], 0)

    play(scenario, fixture(settings("slot_min = 5", "grace_s = 60")))


def test_a_visitor_who_was_put_off_and_gives_up_has_used_the_link() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        link = token_of(await made(world, number="5551112222"))
        asked = await ask(world, link)
        assert isinstance(asked, Accepted)
        await (await put_off(world, phone)).left_alone()
        assert (await world.over()).outcome is Outcome.PUT_OFF
        await world.kill()
        await world.start()
        assert await world.desk.cancel_visitor(asked.token)
        assert (await left(world), only_request(world).reason) == ([("used-up", 0)], "cancelled")
        assert phone.invited == 1

    play(scenario, fixture(SOON))


def test_a_request_that_was_taken_is_called_though_its_link_was_withdrawn_since() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        link = await made(world, number="5551112222")
        at = float(offered(world)[0])
        assert isinstance(await choose(world, token_of(link), at), Accepted)
        await office(world).revoke_link(CLIENT, "001*002", link.link.id)
        await asyncio.sleep(at - world.wall())
        await put_through(world, phone, trunk)
        assert only_request(world).reason == "talked"

    play(scenario, fixture(SLOTS))
