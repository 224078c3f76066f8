"""AT-10: an owner who is on the phone, with a call that CallNow did not start."""

from __future__ import annotations

from tests.acceptance.scene import NO_CAPTCHA, Scene

PATIENT = (NO_CAPTCHA[0], f"{NO_CAPTCHA[1]}\nreject_while_on_phone = false")


async def test_at10_on_the_phone_is_not_disturbed(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA)
    visitor = await scene.visitor()
    phone = await scene.phone("phone_answer", calls=2)
    caller = await scene.trunk("trunk_call_in", d="1500")
    await caller.until("200 INVITE")
    busy = await visitor.post(name="Mary", phone="5555555555")
    assert busy.status_code == 409
    assert "try again later" in busy.text.lower()
    assert (await server.request_over()).reason == "on-phone"
    await caller.passed()
    await server.call_over()
    token = await visitor.ask()
    await phone.until("ACK", times=2)
    assert len(scene.invites(scene.ph)) == 2
    await visitor.http.post(f"/callnow/status/{token}/cancel")
    await phone.passed()
    assert (await server.request_over(2)).reason == "cancelled"


async def test_at10_option_off_rings_all_the_same(scene: Scene) -> None:
    server = await scene.serve(PATIENT)
    visitor = await scene.visitor()
    phone = await scene.phone("phone_answer", calls=2)
    caller = await scene.trunk("trunk_call_in", d="2500")
    await caller.until("200 INVITE")
    token = await visitor.ask()
    await phone.until("ACK", times=2)
    assert not caller.received("BYE")
    await visitor.http.post(f"/callnow/status/{token}/cancel")
    await caller.passed()
    await phone.passed()
    assert (await server.request_over()).reason == "cancelled"
