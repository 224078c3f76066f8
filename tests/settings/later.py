"""Rows of [extension.callnow] about calls at another time."""

from __future__ import annotations

import asyncio

from b2bua.desk import Accepted, Stage, VisitorRequest, VisitorStatus
from tests.settings.row import Probe, Row
from tests.settings.scene import LOCAL, Scene

__all__ = ["ROWS"]

SLOTS = {"extension.callnow.slot_min": 5}
TRIES = {"extension.callnow.tries": 1}
UNCONFIRMED = {"extension.callnow.confirm": False, "extension.callnow.announce_to_visitor": False}


async def waiting(scene: Scene, at: float | None = None) -> tuple[str, VisitorStatus | None]:
    """A visitor asks: the token and where it stands; without a token, why not."""
    answer = await scene.world.desk.request_call(
        VisitorRequest("john_doe", "Mary", LOCAL, "", f"198.51.100.{scene.world.loop.time() % 250:.0f}", at=at)
    )
    if not isinstance(answer, Accepted):
        return "", None
    return answer.token, scene.world.desk.visitor_status(answer.token)


async def put_off(scene: Scene) -> int:
    """John presses 3: in how many seconds he is called again."""
    phone = await scene.johns_phone()
    token, _ = await waiting(scene)
    owner = (await phone.expects_call()).rings().answers()
    await owner.hears("confirm")
    owner.presses("3")
    await owner.hears("called-later")
    pressed = scene.world.wall()
    await scene.quiet()
    status = scene.world.desk.visitor_status(token)
    assert status is not None
    await scene.world.desk.cancel_visitor(token)
    return round((status.due - pressed) / 10) * 10


async def offered(scene: Scene) -> list[int]:
    """On how many days there are times, and how far the first two are apart, in minutes."""
    days = scene.world.desk.callnow_slots("john_doe").days
    return [len(days), *((days[0].times[1][0] - days[0].times[0][0]) // 60 for _ in days[:1])]


async def lateness(scene: Scene) -> int:
    """For how long John may be away when the chosen time has come, in half minutes."""
    at = float(scene.world.desk.callnow_slots("john_doe").days[0].times[0][0])
    token, status = await waiting(scene, at)
    while status is not None and status.stage is Stage.SCHEDULED:
        await asyncio.sleep(1)
        status = scene.world.desk.visitor_status(token)
    return int((scene.world.wall() - at) // 30)


async def tried(scene: Scene) -> int | None:
    """In how many seconds John, who is offline, is tried again; None: he is not."""
    asked = scene.world.wall()
    token, status = await waiting(scene)
    if status is None:
        return None
    await scene.world.desk.cancel_visitor(token)
    return round(status.due - asked)


def unanswered(then_s: float) -> Probe:
    """What a visitor gets who did not answer his last call, some time later: `rings`, or why not."""

    async def probe(scene: Scene) -> str:
        phone = await scene.johns_phone()
        scene.t1  # noqa: B018
        if not await scene.asks():
            (await phone.expects_call()).answers()
            (await scene.t1.expects_call()).refuses(603)
            await scene.quiet()
        await asyncio.sleep(then_s)
        if reason := await scene.asks():
            return reason
        (await phone.expects_call()).refuses(486)
        await scene.quiet()
        return "rings"

    return probe


ROWS = [
    Row("extension.callnow.later_s", 900, 60, put_off, (900, 60)),
    Row("extension.callnow.slot_min", 0, 30, offered, ([0], [8, 30])),
    Row("extension.callnow.slot_days", 2, 3, offered, ([3, 60], [4, 60]),
        given={"extension.callnow.slot_min": 60}),
    Row("extension.callnow.most_waiting", 20, 0, offered, ([2, 5], [0]),
        given={**SLOTS, "extension.callnow.slot_days": 1}),
    Row("extension.callnow.grace_s", 10, 60, lateness, (0, 2), given=SLOTS),
    Row("extension.callnow.tries", 0, 1, tried, (None, 600)),
    Row("extension.callnow.try_after_s", 600, 60, tried, (600, 60), given=TRIES),
    Row("extension.callnow.quarantine_after", 0, 1, unanswered(1), ("rings", "number-quarantined"), given=UNCONFIRMED),
    Row("extension.callnow.quarantine_s", 1000, 100, unanswered(150), ("number-quarantined", "rings"),
        given={**UNCONFIRMED, "extension.callnow.quarantine_after": 1}),
]
