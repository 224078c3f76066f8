"""AT-14: the call back goes to whoever called; a hidden caller, in whatever form, is not called back."""

from __future__ import annotations

from typing import Any

from tests.acceptance.callback import CB, callback, does, ring
from tests.acceptance.scene import Scene
from tests.acceptance.test_at01 import name_and_user

TO_CALLER = callback(return_to="caller")
HIDDEN: dict[str, tuple[str, dict[str, Any]]] = {
    "From anonymous@anonymous.invalid": ("trunk_trigger_anonymous", {}),
    "user anonymous": ("trunk_trigger", {"caller": "anonymous"}),
    "user Restricted": ("trunk_trigger", {"caller": "Restricted"}),
    "user unavailable": ("trunk_trigger", {"caller": "unavailable"}),
    "empty user": ("trunk_trigger_empty_user", {}),
    "Privacy: id without PAI": ("trunk_trigger", {"caller": "5552222222", "more": "Privacy: id"}),
    "Privacy: id with PAI": ("trunk_trigger", {
        "caller": "5552222222", "more": "P-Asserted-Identity: <sip:5552222222@127.0.0.2>\r\nPrivacy: id",
    }),
    "anonymous From, PAI and Privacy: id": ("trunk_trigger_anonymous", {
        "more": "P-Asserted-Identity: <sip:5552222222@127.0.0.2>\r\nPrivacy: id",
    }),
}


async def test_at14_the_caller_is_called_back(scene: Scene) -> None:
    server = await scene.serve(TO_CALLER)
    back = await scene.trunk("trunk_called_back_bye_after", does=does(), talk="300")
    trigger = await ring(scene, caller="5552222222")
    await trigger.sipp.passed()
    await back.passed()
    trigger.check()
    (invite,) = scene.invites()
    assert invite.start_line.startswith("INVITE sip:5552222222@")
    assert name_and_user(invite.header("From"))[1] == CB
    assert invite.at - trigger.refused().at < 3
    assert (await server.request_over()).number == "5552222222"


async def test_at14_a_hidden_caller_is_not_called_back(scene: Scene) -> None:
    server = await scene.serve(TO_CALLER)
    triggers = {form: await ring(scene, behaviour, **keys) for form, (behaviour, keys) in HIDDEN.items()}
    for trigger in triggers.values():
        await trigger.sipp.passed()
        trigger.check()
    await server.request_over(len(HIDDEN))
    assert [request.reason for request in server.requests()] == ["hidden-callerid"] * len(HIDDEN)
    await scene.nobody_rang(max(request.ended or 0 for request in server.requests()))
