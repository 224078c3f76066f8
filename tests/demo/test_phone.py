"""John's behaviours, asked for as visitors and the demo page do."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from b2bua.demo.start import start_demo
from b2bua.desk import Accepted, VisitorRequest
from b2bua.outcome import Outcome
from tests.demo.settings import TEST

MARY = VisitorRequest("my_phone", "Mary", "+12025550101", "US", "127.0.0.1")


@pytest.fixture
async def demo(tmp_path):
    async with AsyncExitStack() as stack:
        yield await start_demo(replace(TEST, home=tmp_path), stack)


async def _call(demo):
    answer = await demo.running.front.request_call(MARY)
    assert isinstance(answer, Accepted), answer
    (call,) = demo.running.exchange.live.values()
    return answer.token, call


async def _row(demo, call, title):
    async with asyncio.timeout(10):
        async for row in demo.running.front.watch_ladder(call.id):
            if row.title == title:
                return row
    raise AssertionError(f"no {title}")


@pytest.mark.parametrize(("behaviour", "outcome"), [("refuse", Outcome.REFUSED), ("busy", Outcome.BUSY)])
async def test_the_owner_does_not_take_the_call(demo, behaviour, outcome):
    assert await demo.running.front.demo_set(behaviour)
    _, call = await _call(demo)
    await call.ended()
    assert call.outcome is outcome
    assert not demo.pstn.agent.talks


async def test_ignored_until_the_visitor_cancels(demo):
    await demo.running.front.demo_set("ignore")
    token, call = await _call(demo)
    await _row(demo, call, "180 Ringing")
    assert demo.phone.agent.talking
    assert await demo.running.front.cancel_visitor(token)
    await _row(demo, call, "487 Request Terminated")
    await call.ended()
    assert call.outcome is Outcome.CANCELLED
    assert not demo.phone.agent.talking


async def test_offline_is_not_registered_and_comes_back(demo):
    front, locations = demo.running.front, demo.running.exchange.locations
    assert len(locations.of("001*003")) == 1
    await front.demo_set("offline")
    assert locations.of("001*003") == ()
    refused = await front.request_call(MARY)
    assert (refused.status, refused.reason) == (409, "offline")
    await front.demo_set("accept")
    assert [f"{b.source_ip}:{b.source_port}" for b in locations.of("001*003")] == [
        "{}:{}".format(*demo.phone.agent.address)
    ]


async def test_an_unknown_behaviour_changes_nothing(demo):
    assert not await demo.running.front.demo_set("dance")
    assert demo.running.front.demo_state().behaviour == "accept"


async def test_the_page_is_told_the_behaviours_and_the_numbers(demo):
    state = demo.running.front.demo_state()
    assert [name for name, _ in state.behaviours] == ["accept", "refuse", "ignore", "busy", "offline"]
    assert state.numbers[1] == ("+12025550101", "Is busy (486)")
    assert state.page_url == f"{demo.running.base_url}/callnow/my_phone"


async def test_a_registration_is_proven_by_digest(demo):
    """The phone has no way in but its password."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo.phone, "_who", replace(demo.phone._who, password="wrong"))
        assert await demo.phone._send("*", 0) == 403
    assert await demo.phone._send("*", 0) == 200
