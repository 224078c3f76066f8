"""AT-15: whoever calls, also hidden, the call back goes to one fixed number; it can be set in that mode only."""

from __future__ import annotations

from tests.acceptance.api import Api
from tests.acceptance.callback import callback, does, ring
from tests.acceptance.scene import Scene

FIXED = "5557777777"


async def test_at15_the_fixed_number_is_called_whoever_rings(scene: Scene) -> None:
    server = await scene.serve(callback(trigger_s=1, return_to="fixed", fixed_number=FIXED))
    await scene.trunk("trunk_called_back_bye_after", calls=2, does=does(), talk="300")
    known = await ring(scene, caller="5552222222")
    await known.sipp.passed()
    await server.request_over()
    hidden = await ring(scene, "trunk_trigger_anonymous")
    await hidden.sipp.passed()
    ended = await server.request_over(2)
    for trigger in (known, hidden):
        trigger.check(1.0)
    assert [invite.start_line.split()[1].split("@")[0] for invite in scene.invites()] == [f"sip:{FIXED}"] * 2
    await scene.nobody_rang(ended.ended or 0, expected=2)


async def test_at15_the_fixed_number_is_refused_in_another_mode(scene: Scene) -> None:
    server = await scene.serve(callback())
    async with Api(server) as api:
        path = "/extensions/001*900/callback"
        for mode in ("authorised", "caller"):
            await api.patch(path, {"return_to": mode}, status=200)
            refused = await api.patch(path, {"fixed_number": FIXED}, status=422)
            assert refused["field"] == "fixed_number"
            assert (await api.get(path))["fixed_number"] == ""
        both = await api.patch(path, {"return_to": "fixed", "fixed_number": FIXED}, status=200)
        assert (both["return_to"], both["fixed_number"]) == ("fixed", FIXED)
