"""A signed link and a call at another time: one use, given back where nobody was rung (SPEC A12.7, A12.8)."""

from __future__ import annotations

import asyncio

import pytest

from b2bua.desk import Accepted, Refused, VisitorRequest
from b2bua.outcome import Outcome
from tests.b2bua.test_callnow import john
from tests.b2bua.test_callnow_later import SLOTS, SOON, offered, only_request, put_off, put_through, settings
from tests.b2bua.test_signed_links import CLIENT, ask, left, made, office, refusal, token_of
from tests.plans import fixture
from tests.world import T1, Peer, World, play


async def choose(world: World, link: str, at: float, ip: str = "198.51.100.7") -> Accepted | Refused:
    """A time is chosen on the page of a link."""
    return await world.desk.request_call(VisitorRequest("john_doe", "Mary", "", "", ip, at=at, link=link))


async def scheduled(world: World, link: str, at: float) -> str:
    """The same, and it is taken."""
    answer = await choose(world, link, at)
    assert isinstance(answer, Accepted), answer
    return answer.token


def test_a_time_chosen_by_a_link_is_one_use_of_it_and_shows_no_number_after_a_restart_either() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        link = token_of(await made(world, number="5551112222"))
        at = float(offered(world)[0])
        token = await scheduled(world, link, at)
        assert (await left(world), world.desk.visitor_status(token).number) == ([("used-up", 0)], "•••22")
        refused = await choose(world, link, float(offered(world)[0]), "198.51.100.8")
        assert isinstance(refused, Refused)
        assert refused.reason == "signed-link-used-up"
        await world.kill()
        await world.start()
        assert world.desk.visitor_status(token).number == "•••22"
        await asyncio.sleep(at - world.wall())
        await put_through(world, phone, trunk)
        assert [row.reason for row in world.requests() if row.token == token] == ["talked"]
        assert await left(world) == [("used-up", 0)]

    play(scenario, fixture(SLOTS))


def test_of_two_who_choose_with_the_last_use_one_is_told_no_and_his_time_is_free_again() -> None:
    async def scenario(world: World) -> None:
        link = token_of(await made(world, number="5551112222"))
        first, second = map(float, offered(world)[:2])
        answers = await asyncio.gather(
            choose(world, link, first, "198.51.100.7"), choose(world, link, second, "198.51.100.8"),
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["Accepted", "Refused"]
        assert len({first, second} & set(offered(world))) == 1
        assert await left(world) == [("used-up", 0)]

    play(scenario, fixture(SLOTS))


@pytest.mark.parametrize("end", ["cancelled", "paused", "missed"])
def test_a_use_for_which_nobody_was_rung_is_given_back(end: str) -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        at = float(offered(world)[0])
        token = await scheduled(world, token_of(await made(world, number="5551112222")), at)
        if end == "cancelled":
            assert await world.desk.cancel_visitor(token)
        elif end == "paused":
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


@pytest.mark.parametrize("restart", [False, True])
def test_a_use_for_which_the_owner_was_rung_and_pressed_3_is_used(restart: bool) -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        link = token_of(await made(world, number="5551112222"))
        asked = await ask(world, link)
        assert isinstance(asked, Accepted)
        await (await put_off(world, phone)).left_alone()
        assert (await world.over()).outcome is Outcome.PUT_OFF
        if restart:
            await world.kill()
            await world.start()
        assert await world.desk.cancel_visitor(asked.token)
        assert (await left(world), only_request(world).reason) == ([("used-up", 0)], "cancelled")
        assert await refusal(world, link, ip="198.51.100.9") == (
            "signed-link-used-up", 410, "This link has been used already.",
        )  # fmt: skip
        assert phone.invited == 1

    play(scenario, fixture(SOON))


def test_a_request_that_was_taken_is_called_though_its_link_was_withdrawn_since() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        link = await made(world, number="5551112222")
        at = float(offered(world)[0])
        await scheduled(world, token_of(link), at)
        await office(world).revoke_link(CLIENT, "001*002", link.link.id)
        await asyncio.sleep(at - world.wall())
        await put_through(world, phone, trunk)
        assert only_request(world).reason == "talked"

    play(scenario, fixture(SLOTS))
