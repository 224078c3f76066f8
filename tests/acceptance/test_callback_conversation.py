"""A call back in which one number after the other is tried, and one in another language; proved by what A was sent."""

from __future__ import annotations

from media.prompt import Pack
from tests.acceptance.callback import B_BY_T2, callback, caller, does, ring, spoken
from tests.acceptance.scene import Scene

OPEN = {"trigger_s": 1, "password": None, "dial_s": 5}
BUSY_AT_T3 = '[[route]]\nprefix = "0411"\ntrunk = "T3"\n'


async def test_busy_then_refused_then_a_talk_then_a_new_number(scene: Scene) -> None:
    """A hears each time why, and is asked again; `**` ends the talk for another number."""
    server = await scene.serve(callback(**OPEN), more=caller() + B_BY_T2 + BUSY_AT_T3)
    steps = does((0.3, "041100#"), (3.3, "112#"), (4.3, "040000#"), (2.0, "**"))
    back = await scene.trunk("trunk_called_back_bye_after", does=steps, talk="1200")
    busy, trunk = await scene.trunk("trunk_busy", at=scene.t3), await scene.trunk(at=scene.t2)
    await (await ring(scene)).sipp.passed()
    await back.passed(60)
    await busy.passed()
    await trunk.passed()
    request = await server.request_over()
    heard = [clip.name for clip in spoken(scene) if clip.name not in ("connecting", "goodbye")]
    assert heard == [
        "callback-greeting", "number-busy", "dial-number", "number-not-allowed", "dial-number", "dial-number",
    ]
    assert [invite.target for invite in scene.invites()] == [scene.t1, scene.t3, scene.t2]
    assert request.reason == "talked"


async def test_the_number_is_spoken_back(scene: Scene) -> None:
    server = await scene.serve(callback(**OPEN, speak_number=True), more=caller() + B_BY_T2)
    back = await scene.trunk("trunk_called_back", does=does((0.3, "040276#")))
    await scene.trunk("trunk_answer_bye_after", at=scene.t2, d="300")
    await (await ring(scene)).sipp.passed()
    await back.passed()
    await server.request_over()
    heard = [clip.name for clip in spoken(scene)]
    assert heard[1:8] == ["you-dialled", *"040276"]


async def test_a_caller_is_spoken_to_in_his_language(scene: Scene) -> None:
    """The second language, chosen by the row of the CallerID."""
    server = await scene.serve(callback(**OPEN), more=caller(language="ru"))
    back = await scene.trunk("trunk_called_back_bye_after", does=does(), talk="3000")
    await (await ring(scene)).sipp.passed()
    await back.passed()
    await server.request_over()
    pack = Pack.load("ru")
    heard = spoken(scene, clips={name: pack.samples(name) for name in pack.clips})
    assert [clip.name for clip in heard][:2] == ["callback-greeting", "dial-number"]
    assert "dial-number" not in [clip.name for clip in spoken(scene)]
