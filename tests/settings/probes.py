"""Short stories that show a setting: each uses the server once and gives what was seen, for rows to compare."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

from sip_stack.headers import canonical
from tests.settings.row import Probe
from tests.settings.scene import CALLER, CB, DID, LOCAL, MOBILE, Scene
from tests.world import Far

__all__ = [
    "Look", "Story", "asked", "called_back", "charged", "dialled", "header", "name", "number", "opened", "page",
    "rang_in", "registers", "shown", "talks_for", "triggered", "trunk", "user",
]  # fmt: skip

Look = Callable[[Far], Any]
"""What there is to see of an INVITE."""
Story = Callable[[Scene, Far], Awaitable[Any]]
"""What follows an answer; it hangs up."""


# Looks


def shown(far: Far) -> tuple[str, str]:
    """The name and number in From."""
    return far.shown()


def name(far: Far) -> str:
    """The name in From."""
    return far.shown()[0]


def number(far: Far) -> str:
    """The number in From."""
    return far.shown()[1]


def user(far: Far) -> str:
    """The number called."""
    assert far.request is not None
    return far.request.uri.user


def header(field: str) -> Look:
    """The first value of a header field; None without."""

    def look(far: Far) -> str | None:
        assert far.request is not None
        return far.request.get(canonical(field))

    return look


def trunk(far: Far) -> str:
    """Which trunk it is."""
    return f"T{int(far.peer.address[0][-1])}"


# Calls of phones and trunks


def dialled(look: Look, called: str = LOCAL, **more: Any) -> Probe:
    """John dials; what the trunk that rings sees, or the status that John gets."""

    async def probe(scene: Scene) -> Any:
        caller = await scene.dials(called, **more)
        rung = await scene.rung(by=caller)
        seen = look(rung) if rung is not None else caller.statuses[-1]
        if rung is not None:
            rung.refuses(486)
        await scene.quiet()
        return seen

    return probe


def rang_in(look: Look, called: str = DID, caller: str = CALLER, **more: Any) -> Probe:
    """Somebody calls by T1; what John's phone sees, or the status that the trunk gets."""

    async def probe(scene: Scene) -> Any:
        phone = await scene.johns_phone()
        calling = scene.t1.calls(called, caller, **more)
        rung = await scene.rung(phone, by=calling)
        seen = look(rung) if rung is not None else calling.statuses[-1]
        if rung is not None:
            rung.refuses(486)
        await scene.quiet()
        return seen

    return probe


def charged(talk_s: float, called: str = MOBILE) -> Probe:
    """What a talk costs John's account; the status that John gets, where there is none."""

    async def probe(scene: Scene) -> Any:
        scene.world.exchange.rtp_timeout_s = 1e9  # nobody speaks: that is what a minute costs here
        caller = await scene.dials(called)
        rung = await scene.rung(by=caller)
        if rung is None:
            return caller.statuses[-1]
        rung.answers()
        await caller.told(200)
        await asyncio.sleep(talk_s)
        caller.hangs_up()
        await scene.quiet()
        return scene.charged()

    return probe


def talks_for(begin: Callable[[Scene], Awaitable[tuple[Far, Far]]]) -> Probe:
    """For how many seconds a talk may go on."""

    async def probe(scene: Scene) -> int:
        scene.world.exchange.rtp_timeout_s = 1e9
        one, other = await begin(scene)
        began = scene.world.loop.time()
        await other.left_alone(20_000)
        seconds = round(scene.world.loop.time() - began)
        if not one.gone:
            await one.left_alone()
        await scene.quiet()
        return seconds

    return probe


def registers(*proofs: tuple[str, str]) -> Probe:
    """The status that each user with his password gets."""

    async def probe(scene: Scene) -> list[int]:
        return [await scene.john.register(*proof, expires=60) for proof in proofs]

    return probe


# The page


def asked(called: str = LOCAL, name: str = "Mary", page: str = "john_doe") -> Probe:
    """A visitor asks for a call: `rings`, or why not."""

    async def probe(scene: Scene) -> str:
        phone = await scene.johns_phone()
        if reason := await scene.asks(called, name, page):
            return reason
        (await phone.expects_call()).refuses(486)
        await scene.quiet()
        return "rings"

    return probe


def opened(story: Story, called: str = LOCAL, name: str = "Mary") -> Probe:
    """A visitor asks for a call and John answers; the story has John's phone."""

    async def probe(scene: Scene) -> Any:
        phone = await scene.johns_phone()
        scene.t1, scene.t2  # noqa: B018 - they are there
        assert await scene.asks(called, name) == ""
        owner = (await phone.expects_call()).rings().answers()
        seen = await story(scene, owner)
        if not owner.gone:
            owner.hangs_up()
        await scene.quiet()
        return seen

    return probe


def page(pattern: str, path: str = "/callnow/john_doe") -> Probe:
    """What a browser finds of this on the page; the status, where it is not 200."""

    async def probe(scene: Scene) -> Any:
        answer = await scene.browses(path)
        found = re.search(pattern, answer.text)
        return found[found.re.groups and 1] if found else answer.status_code if answer.status_code != 200 else None

    return probe


# The callback number


def triggered(caller: str = CALLER, within_s: float = 300.0) -> Probe:
    """Somebody rings CB by T1: whom a trunk is asked to call back, or why nobody."""

    async def probe(scene: Scene) -> str:
        trigger = scene.t1.calls(CB, caller)
        await trigger.left_alone(within_s)
        if (back := await scene.call_back()) is not None:
            back.refuses(486)
        await scene.quiet()
        return user(back) if back is not None else str(scene.world.last.outcome)

    return probe


def called_back(story: Story, caller: str = CALLER) -> Probe:
    """Somebody rings CB and answers when called back; the story has that leg."""

    async def probe(scene: Scene) -> Any:
        trigger = scene.t1.calls(CB, caller)
        await trigger.left_alone()
        back = (await scene.t1.expects_call()).rings().answers()
        seen = await story(scene, back)
        if not back.gone:
            back.hangs_up()
        await scene.quiet()
        return seen

    return probe
