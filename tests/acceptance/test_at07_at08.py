"""AT-07 numbers as people type them; AT-08 the visitor's name."""

from __future__ import annotations

import httpx

from tests.acceptance.scene import NO_CAPTCHA, NO_CONFIRMATION, Scene
from tests.acceptance.visitor import token_of

SEPARATED = ("555-555-5555", "(555) 555 5555", "555.555.5555", "+15555555555")
NOT_CALLED = (
    "001*002", "001002", "555abc", "112", "12", "19005551234", "+19005551234", "5555555555\r\nX-Evil: 1",
    "555\n5555555", "sip:5555555555@evil.example", "",
)
EVIL_NAME = 'Ma"ry\r\nX-Evil: <1>'


async def test_at07_separators_make_no_difference(scene: Scene) -> None:
    server = await scene.serve(NO_CONFIRMATION)
    await scene.phone("phone_answer", calls=len(SEPARATED), d="0")
    await scene.trunk("trunk_answer_bye_after", calls=len(SEPARATED), d="50")
    for number, typed in enumerate(SEPARATED, 1):
        visitor = httpx.AsyncHTTPTransport(local_address=f"127.0.0.{5 + number}")  # one visitor's repeats are one call
        async with httpx.AsyncClient(base_url=server.url, transport=visitor) as http:
            token_of(await http.post("/callnow/john_doe", data={"name": "Mary", "phone": typed}))
            await server.request_over(number)
    lines = [message.start_line.partition("@")[0] for message in scene.invites(scene.t1)]
    assert lines == ["INVITE sip:5555555555"] * len(SEPARATED)


async def test_at07_what_is_no_public_number_is_refused(scene: Scene) -> None:
    server = await scene.serve(NO_CONFIRMATION)
    await scene.phone("phone_answer")
    visitor = await scene.visitor()
    for typed in NOT_CALLED:
        answer = await visitor.post(name="Mary", phone=typed)
        assert (typed, answer.status_code) == (typed, 422)
        assert 'id="phone-error"' in answer.text
    await scene.nobody_rang(scene.now())
    assert not [request for request in server.requests() if request.call_id]


async def test_at07_a_name_cannot_write_headers(scene: Scene) -> None:
    await scene.serve(NO_CAPTCHA)
    phone, visitor = await scene.phone("phone_busy"), await scene.visitor()
    for name, status in ((EVIL_NAME, 422), ('Ma"ry \\', 303)):
        assert (await visitor.post(name=name, phone="5555555555")).status_code == status
    await phone.passed()
    (invite,) = scene.invites(scene.ph)
    assert "X-Evil" not in invite.text
    assert (invite.header("From") or "").startswith(r'"Ma\"ry \\" <sip:5555555555@')


async def test_at08_name_required(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA)
    await scene.phone("phone_answer")
    visitor = await scene.visitor()
    for name in ("", "   ", "\u00a0\u2003", "\u200b"):
        answer = await visitor.post(name=name, phone="5555555555")
        assert (answer.status_code, 'id="name-error"' in answer.text) == (422, True)
        one_step = await visitor.http.get("/callnow/index.php", params={
            "call": "john_doe", "myname": name, "phone": "5555555555",
        })
        assert (one_step.status_code, 'id="name-error"' in one_step.text) == (422, True)
    await scene.nobody_rang(scene.now())
    assert not [request for request in server.requests() if request.call_id]


async def test_at08_name_not_required(scene: Scene) -> None:
    await scene.serve((NO_CAPTCHA[0], f"{NO_CAPTCHA[1]}\nask_name = false"))
    phone, visitor = await scene.phone("phone_busy"), await scene.visitor()
    await visitor.ask(name="")
    await phone.passed()
    (invite,) = scene.invites(scene.ph)
    assert (invite.header("From") or "").startswith('"Anonymous" <sip:5555555555@')
