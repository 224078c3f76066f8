"""AT-06: image validation. An expired challenge needs a clock that jumps: tests/webform/test_validation.py."""

from __future__ import annotations

import asyncio

from tests.acceptance.scene import Scene
from tests.acceptance.visitor import hidden, token_of

WHO = {"name": "Mary", "phone": "5555555555"}


async def test_at06_wrong_empty_and_used_digits_call_nobody(scene: Scene) -> None:
    server = await scene.serve()
    await scene.phone("phone_answer")
    visitor = await scene.visitor()
    fields = await visitor.solve(await visitor.form())
    right = fields["captcha"]
    wrong = str((int(right) + 1) % 100_000).zfill(5)
    for typed in (wrong, "", right):  # the last is right, for a challenge that the first has spent
        answer = await visitor.post(**WHO, **(fields | {"captcha": typed}))
        assert answer.status_code == 422
        assert 'id="captcha-error"' in answer.text
        new = hidden(answer.text)["challenge"]
        assert new != fields["challenge"]
        assert (await visitor.http.get(f"/callnow/captcha/{new}.png")).status_code == 200
    assert server.requests() == []
    await scene.nobody_rang(scene.now())


async def test_at06_right_digits_call_once(scene: Scene) -> None:
    """Two forms sent at once with one challenge, then the same again: one call."""
    server = await scene.serve()
    phone, visitor = await scene.phone("phone_busy"), await scene.visitor()
    fields = await visitor.solve(await visitor.form())
    other = fields | {"nonce": "another-form"}
    answers = await asyncio.gather(visitor.post(**WHO, **fields), visitor.post(**WHO, **other))
    assert sorted(answer.status_code for answer in answers) == [303, 422]
    await phone.passed()
    (token,) = (token_of(answer) for answer in answers if answer.status_code == 303)
    await visitor.until_stage(token, "not-available")
    late = other if answers[0].status_code == 303 else fields  # whichever of the two came second
    assert (await visitor.post(**WHO, **late)).status_code == 422
    request = await server.request_over()
    assert len(server.requests()) == 1
    await scene.nobody_rang(request.ended or 0.0, expected=1)
