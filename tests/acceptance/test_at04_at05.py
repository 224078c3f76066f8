"""AT-04 the forms of the page's address; AT-05 the one-step link."""

from __future__ import annotations

import re
from statistics import median
from time import perf_counter

import httpx
import pytest

from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.visitor import token_of

ONE_STEP = "/callnow/index.php?call=john_doe&myname=Mary&phone=5555555555"
CALLNOW = '[extension.callnow]\nid = "john_doe"'


def form_of(answer: httpx.Response) -> str:
    """The page without what is new at each opening."""
    assert answer.status_code == 200
    return re.sub(r'(name="nonce" value="|name="challenge" value="|/captcha/)[\w-]+', r"\1", answer.text)


async def test_at04_url_forms_and_head(scene: Scene) -> None:
    server = await scene.serve()
    http = (await scene.visitor()).http
    both = [form_of(await http.get(path)) for path in ("/callnow/john_doe", "/callnow/index.php?call=john_doe")]
    assert both[0] == both[1]
    assert (await http.head("/callnow/john_doe")).status_code == 200
    assert (await http.head(ONE_STEP)).status_code == 200
    assert server.requests() == []


@pytest.mark.parametrize("gone", [
    pytest.param((CALLNOW, f"{CALLNOW}\nenabled = false"), id="the switch is off"),
    pytest.param(('credit = "100.00"', 'credit = "100.00"\ncall_api = false'), id="CallAPI is off at client level"),
])
async def test_at04_a_disabled_page_is_an_unknown_one(scene: Scene, gone: tuple[str, str]) -> None:
    await scene.serve(gone)
    http = (await scene.visitor()).http
    took: dict[str, list[float]] = {"john_doe": [], "nobody": []}
    bodies = {}
    for _ in range(31):
        for page, times in took.items():
            began = perf_counter()
            answer = await http.get(f"/callnow/{page}")
            times.append(perf_counter() - began)
            assert answer.status_code == 404
            bodies[page] = answer.text
    assert bodies["john_doe"] == bodies["nobody"]
    assert 1 / 3 < median(took["john_doe"]) / median(took["nobody"]) < 3


@pytest.mark.parametrize(("change", "sentence"), [
    pytest.param(('name = "Callback"', 'name = "Callback"\n[extension.callnow]\nid = "cb"\n[[extension]]\n'
                  'number = "001*004"\naccount = "client"'), "phone", id="CallNow on a callback extension"),
    pytest.param(("# CB: the callback extension", '[[extension]]\nnumber = "001*005"\naccount = "client"\n'
                  '[extension.callnow]\nid = "john_doe"'), "john_doe", id="a second john_doe"),
])
async def test_at04_refused_when_applied(scene: Scene, change: tuple[str, str], sentence: str) -> None:
    with pytest.raises(AssertionError, match=rf"plan\.toml:\d+: .*{sentence}"):
        await scene.serve(change)


async def test_at05_one_step_calls_once(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA)
    phone, visitor = await scene.phone("phone_no_answer"), await scene.visitor()
    prefetched = await visitor.http.get(ONE_STEP, headers={"Sec-Purpose": "prefetch"})
    headed = await visitor.http.head(ONE_STEP)
    assert (prefetched.status_code, headed.status_code, server.requests()) == (200, 200, [])
    token = token_of(await visitor.http.get(ONE_STEP))
    await phone.until("INVITE")
    assert token_of(await visitor.http.get(ONE_STEP)) == token
    await visitor.http.post(f"/callnow/status/{token}/cancel")
    await phone.passed()
    request = await server.request_over()
    assert (request.reason, request.ended is not None) == ("cancelled", True)
    await visitor.until_stage(token, "cancelled")
    await scene.nobody_rang(request.ended or 0.0, expected=1)


async def test_at05_validation_on_shows_the_form(scene: Scene) -> None:
    server = await scene.serve()
    await scene.phone("phone_answer")
    http = (await scene.visitor()).http
    for headers in ({}, {"Sec-Purpose": "prefetch"}):
        answer = await http.get(ONE_STEP, headers=headers)
        assert answer.status_code == 200
        for shown in ('value="Mary"', 'value="5555555555"', 'name="captcha"'):
            assert shown in answer.text
    assert server.requests() == []
    await scene.nobody_rang(scene.now())
