"""AT-02 the owner does not want or cannot; AT-03 an owner who is connected without being asked."""

from __future__ import annotations

import pytest

from tests.acceptance.scene import NO_CAPTCHA, NO_CONFIRMATION, Scene

SHORT = ('name = "John Doe"', 'name = "John Doe"\nring_s = 2\nconfirm_s = 1')


@pytest.mark.parametrize(("behaviour", "reason", "ended_by"), [
    pytest.param("phone_answer_press_2", "refused", "BYE", id="key 2"),
    pytest.param("phone_answer_hangup", "phone-left", "", id="answers and hangs up"),
    pytest.param("phone_busy", "busy", "", id="486"),
    pytest.param("phone_no_answer", "no-answer", "CANCEL", id="no answer for the ring time"),
])
async def test_at02_refusal(scene: Scene, behaviour: str, reason: str, ended_by: str) -> None:
    server = await scene.serve(NO_CAPTCHA, SHORT)
    phone, visitor = await scene.phone(behaviour), await scene.visitor()
    token = await visitor.ask()
    await phone.passed()
    request = await server.request_over()
    await visitor.until_stage(token, "not-available")
    assert (request.reason, request.cost, server.spent()) == (reason, 0, 0)
    assert [m.start_line.split()[0] for m in scene.said("", source=server.sip, target=scene.ph)
            if m.start_line.startswith(("BYE", "CANCEL"))] == ([ended_by] if ended_by else [])
    assert request.ended is not None
    await scene.nobody_rang(request.ended, expected=1)
    assert scene.invites(scene.t1) == []


async def test_at02_no_key_at_all(scene: Scene) -> None:
    """Three questions of a second each, then good-bye."""
    server = await scene.serve(NO_CAPTCHA, SHORT)
    phone, visitor = await scene.phone("phone_answer"), await scene.visitor()
    token = await visitor.ask()
    request = await server.request_over(within_s=60)
    await phone.passed()
    await visitor.until_stage(token, "not-available")
    assert (request.reason, request.cost, scene.invites(scene.t1)) == ("not-confirmed", 0, [])


async def test_at03_confirmation_off(scene: Scene) -> None:
    server = await scene.serve(NO_CONFIRMATION)
    await scene.phone("phone_answer")
    trunk = await scene.trunk("trunk_answer_bye_after", d="500")
    await (await scene.visitor()).ask()
    await trunk.passed()
    answered = next(m for m in scene.said("SIP/2.0 200", source=scene.ph) if "INVITE" in (m.header("CSeq") or ""))
    (called,) = scene.invites(scene.t1)
    assert 0 < called.at - answered.at < 1
    assert (await server.request_over()).reason == "talked"
