"""kill -9 at every step of a call back: after the restart nothing is held, the charge is what the wire saw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from store import ledger
from tests.acceptance.callback import B_BY_T2, CALLER, callback, caller, does, ring, sound_to, wallet
from tests.acceptance.scene import Scene
from tests.acceptance.server import until
from tests.acceptance.test_at20 import spans_of
from tests.acceptance.test_crash import BY_THE_SECOND

A_BY_THE_SECOND = """
[[rate]]
table = "at-12"
prefix = "5551"
first_interval_s = 1
first_cost = "0.01"
increment_s = 1
increment_cost = "0.01"
"""
PRICE_OF_A_SECOND = {0: 10_000, 2: 100_000}
"""By lane: A is the leg in lane 0, B that in lane 2."""
GIVEN_AWAY_S = 3.0
"""How much of a leg's talk a crash may give away: a heartbeat every 2 s, written within one."""
DIALS = does((0.3, "4321#"), (0.8, "040000#"))
LEAVES = "trunk_called_back_bye_after"


async def rings(scene: Scene) -> None:
    await until(lambda: scene.said("SIP/2.0 180", source=scene.server.sip), "180")
    assert [request.reason for request in scene.server.requests()] == ["ringing"], "written before it is heard"


async def is_called_back(scene: Scene) -> None:
    await until(lambda: scene.said("SIP/2.0 180", source=scene.t1), "180 of A")


async def is_greeted(scene: Scene) -> None:
    await until(lambda: len(sound_to(scene).samples) > 4000, "half a second of greeting", 10)


async def is_asked_for_a_number(scene: Scene) -> None:
    """The last key of the password was pressed, and sound went on."""
    await until(lambda: len(sound_to(scene).samples) > 8000 * 4, "four seconds of sound", 15)


async def b_rings(scene: Scene) -> None:
    await until(lambda: scene.said("SIP/2.0 180", source=scene.t2), "180 of B", 20)


async def talk(scene: Scene) -> None:
    """Each leg's heartbeat is written."""
    await until(lambda: heartbeat(scene) > 1.0, "heartbeat", 30)


async def b_has_left(scene: Scene) -> None:
    """B hung up, and A hears something."""
    await until(lambda: scene.said("BYE ", source=scene.t2), "BYE of B", 30)
    so_far = len(sound_to(scene).samples)
    await until(lambda: len(sound_to(scene).samples) > so_far + 4000, "sound after it")


async def b_is_cut_off(scene: Scene) -> None:
    await until(lambda: scene.said("BYE ", source=scene.server.sip, target=scene.t2), "BYE to B", 30)


async def a_has_left(scene: Scene) -> None:
    await until(lambda: scene.said("BYE ", source=scene.t1), "BYE of A", 30)


def heartbeat(scene: Scene) -> float:
    """How long B has talked by its last heartbeat, in seconds."""
    rows = scene.server.read(lambda conn: conn.exec_driver_sql(
        "SELECT answered_at, heartbeat_at FROM holds WHERE answered_at IS NOT NULL ORDER BY answered_at"
    ).all())
    return (rows[1][1] or 0) - rows[1][0] if len(rows) == 2 else 0.0


def seconds_begun(talk_ms: int) -> int:
    """An answered call has begun its first one."""
    return max(1, -(-talk_ms // 1000))


@dataclass(frozen=True, slots=True)
class Step:
    """When the server is killed, and how A, B and the credit lead there."""

    reached: Callable[[Scene], Awaitable[None]]
    a: str = "trunk_called_back"
    a_rings_ms: int = 100
    b: str = "trunk_answer"
    b_ms: int = 100
    credit: str = "5.00"


@pytest.mark.parametrize("step", [
    pytest.param(Step(rings), id="the trigger rings"),
    pytest.param(Step(is_called_back, a_rings_ms=5000), id="A rings"),
    pytest.param(Step(is_greeted), id="A is greeted"),
    pytest.param(Step(is_asked_for_a_number), id="A is asked for a number"),
    pytest.param(Step(b_rings, b_ms=5000), id="B rings"),
    pytest.param(Step(talk), id="they talk"),
    pytest.param(Step(b_has_left, b="trunk_answer_bye_after", b_ms=1500), id="B has left"),
    pytest.param(Step(b_is_cut_off, credit="0.45"), id="A hears the last sound"),
    pytest.param(Step(a_has_left, a=LEAVES), id="A has left"),
])
async def test_a_crash_is_settled_once(scene: Scene, step: Step) -> None:
    server = await scene.serve(
        callback(trigger_s=1), *BY_THE_SECOND, more=caller(credit=step.credit) + B_BY_T2 + A_BY_THE_SECOND,
    )
    keys: dict[str, Any] = {"talk": "1500"} if step.a == LEAVES else {}
    await scene.trunk(step.a, d=str(step.a_rings_ms), does=DIALS, **keys)
    await scene.trunk(step.b, at=scene.t2, d=str(step.b_ms))
    await ring(scene)
    await step.reached(scene)
    before = wallet(server, CALLER)
    await server.kill()
    spans = {0: spans_of(scene, scene.t1), 2: spans_of(scene, scene.t2)}
    assert 0 <= before[1] <= before[0]

    opened = round(float(step.credit) * 1_000_000)
    for _ in range(2):  # a second start finds nothing left to settle
        await server.start()
        assert (server.read(ledger.open_holds), server.read(ledger.audit)) == ([], [])
        left, held = wallet(server, CALLER)
        requests, calls = server.requests(), server.calls()
        legs = [leg for call in calls for leg in server.legs(call.id) if leg.direction == "out"]
        assert [request.kind for request in requests if request.ended] == ["callback"], "one record of each trigger"
        assert (held, 0 <= left) == (0, True)
        costs = [sum(each.cost for each in records) for records in (requests, calls, legs)]
        assert costs == [opened - left] * 3
        for leg in legs:
            assert leg.cost == (seconds_begun(leg.talk_ms) * PRICE_OF_A_SECOND[leg.lane] if leg.answered else 0)
        for lane, on_the_wire in spans.items():
            charged = sum(leg.talk_ms for leg in legs if leg.lane == lane) / 1000
            lasted = sum(end - begin for begin, end in on_the_wire)
            assert lasted - GIVEN_AWAY_S <= charged <= lasted + 0.1, lane
        await server.kill()
