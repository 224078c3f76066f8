"""AT-09 the hours of a page (16, 68, 69, H14): the server's wall clock is set by libfaketime."""

from __future__ import annotations

from datetime import datetime
from time import time
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.scene import NO_CONFIRMATION, Change, Scene
from tests.acceptance.server import clock_ahead

SYDNEY = ZoneInfo("Australia/Sydney")


def hours(algorithm: str) -> tuple[Change, str]:
    """The page of 001*002 open Monday to Friday, 8 to 20, in Sydney."""
    week = '{ hours = "08:00-20:00", weekdays = "Mon-Fri" }'
    table = f'[[interval]]\nname = "office"\nzone = "Australia/Sydney"\nalgorithm = "{algorithm}"\nlimits = [{week}]\n'
    return (NO_CONFIRMATION[0], f'{NO_CONFIRMATION[1]}\ninterval = "office"'), table


def clock(local: str) -> dict[str, str]:
    """The environment of a process that believes it is this moment in Sydney, and whose clock goes on."""
    moment = datetime.fromisoformat(local).replace(tzinfo=SYDNEY).timestamp()
    return clock_ahead(moment - time())


@pytest.mark.parametrize(("algorithm", "open_at", "closed_at", "opens"), [
    pytest.param("days", "2026-11-23 08:00:00", "2026-11-20 20:30:00", "Monday, 23 November 2026, 08:00",
                 id="individual days: Monday 8:00, Friday 20:30"),
    pytest.param("interval", "2026-11-25 02:00:00", "2026-11-28 12:00:00", "Monday, 30 November 2026, 08:00",
                 id="one span: Wednesday 2:00, Saturday noon"),
    pytest.param("days", "2026-10-05 08:00:00", "2026-10-05 07:59:30", "Monday, 5 October 2026, 08:00",
                 id="the day after clocks went forward"),
])  # fmt: skip
async def test_at09_hours_of_a_page(scene: Scene, algorithm: str, open_at: str, closed_at: str, opens: str) -> None:
    change, table = hours(algorithm)
    server = await scene.serve(change, more=table, environment=clock(closed_at))
    visitor = await scene.visitor()
    shown = await visitor.http.get("/callnow/john_doe")
    assert f"{opens} (Australia/Sydney)" in shown.text
    refused = await visitor.post(name="Mary", phone="5555555555")
    assert (refused.status_code, f"{opens} (Australia/Sydney)" in refused.text) == (409, True)
    assert (await server.request_over()).reason == "outside-interval"

    await server.stop()
    server.environment |= clock(open_at)
    await server.start()
    phone, trunk = await scene.phone("phone_answer_hangup"), await scene.trunk()
    await visitor.ask()
    await trunk.until("INVITE")
    assert len(await phone.until("INVITE")) == 1
    assert [invite.target for invite in scene.invites()] == [scene.ph, scene.t1]
    await server.request_over(2)
