"""What a call began with holds until its end, whatever `apply` changes meanwhile; README says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.settings.files import Changes, written
from tests.settings.scene import LOCAL, MOBILE, Scene
from tests.virtual import VirtualLoop
from tests.world import Far, World, opened

Story = Callable[[World, Scene], Awaitable[None]]


def play(story: Story, *given: Changes) -> None:
    async def main() -> None:
        async with opened(written(*given)[0]) as world:
            world.exchange.rtp_timeout_s = 1e9
            await story(world, Scene(world))

    VirtualLoop().run(main())


async def applied(world: World, *changes: Changes) -> None:
    """The file, taken by the server."""
    before = world.exchange.directory.version
    world.applies(written(*changes)[0])
    await asyncio.sleep(1)
    assert world.exchange.directory.version > before


async def talking(scene: Scene, number: str = MOBILE) -> tuple[Far, Far]:
    """John and whom he has called."""
    john = await scene.dials(number)
    far = await scene.rung()
    assert far is not None
    far.answers()
    await john.told(200)
    return john, far


@pytest.mark.parametrize("change", [
    pytest.param({"rate.increment_cost": "9.00"}, id="another price"),
    pytest.param({"rate.prefix": "05"}, id="no price"),
    pytest.param({"account.rate_table": "nosuch"}, id="no table of prices"),
    pytest.param({"route": []}, id="no route"),
    pytest.param({"account.currency": "EUR"}, id="another currency"),
    pytest.param({"account.dial_plan.refused": ["04"], "caller": []}, id="a number that is refused now"),
    pytest.param({"trunk.name": "Q1", "did": [], "route": [{"trunk": "Q1"}]}, id="a trunk that is gone"),
    pytest.param({"extension.password": "other"}, id="another password"),
    pytest.param({"trunk.channels": 1, "trunk.calls_per_s": 1}, id="fewer channels"),
])
def test_a_talk_costs_what_it_cost_when_it_began(change: Changes) -> None:
    """31 s at 0.10 for every 30 s begun, and 60 s more."""

    async def story(world: World, scene: Scene) -> None:
        john, far = await talking(scene)
        await asyncio.sleep(31)
        await applied(world, change)
        await asyncio.sleep(60)
        assert (john.gone, far.gone) == ("", "")
        john.hangs_up()
        await far.left_alone(1)
        await scene.quiet()
        assert scene.charged() == "0.40"

    play(story)


def test_the_next_call_has_the_new_price_while_one_goes_on() -> None:
    async def story(world: World, scene: Scene) -> None:
        john, far = await talking(scene)
        await applied(world, {"rate.first_cost": "0.70"})
        second = scene.john.calls("0498765432", "001*002", "secret")
        other = await scene.rung()
        assert other is not None
        other.answers()
        await second.told(200)
        for each in (second, john):
            each.hangs_up()
            await asyncio.sleep(1)
        await scene.quiet()
        charged = {call.to: call.charged for call in world.exchange.recent.values()}
        assert charged == {"0498765432": 700_000, MOBILE: 100_000}

    play(story)


def test_an_extension_that_is_gone_talks_to_the_end_and_pays() -> None:
    async def story(world: World, scene: Scene) -> None:
        john, far = await talking(scene, LOCAL)
        world.applies(written({"extension": [], "did": [], "caller": []})[0])
        await asyncio.sleep(5)
        assert world.exchange.directory.extensions == {}
        far.hangs_up()
        await john.left_alone(1)
        await scene.quiet()
        assert scene.charged() == "0.12"
        assert world.balance() == 100_000_000 - 120_000

    play(story)


def test_a_page_that_is_switched_off_lets_its_call_finish_with_its_terms() -> None:
    """The longest talk, too, is that of the moment when the visitor asked."""

    async def story(world: World, scene: Scene) -> None:
        phone = await scene.johns_phone()
        scene.t1, scene.t2  # noqa: B018 - they are there
        assert await scene.asks() == ""
        owner = (await phone.expects_call()).rings().answers()
        await applied(world, {"extension.callnow.enabled": False, "extension.callnow.longest_call_s": 10})
        await owner.hears("confirm")
        owner.presses("1")
        visitor = await scene.rung()
        assert visitor is not None
        began = world.loop.time()
        await visitor.answers().left_alone(200)
        assert round(world.loop.time() - began) == 100
        await scene.quiet()
        assert await scene.asks() == "unknown-page"

    play(story, {"extension.callnow.longest_call_s": 100})
