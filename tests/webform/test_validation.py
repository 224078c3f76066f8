"""Image validation over HTTP: SPEC 21."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.webform.desk import ScriptedDesk
from tests.webform.ground import Clock, until
from tests.webform.public import MARY, PAGE, beside, hidden, set_page
from webform.captcha import LIFE_S, Challenges


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every challenge's answer by its id: what a visitor would read in the image."""
    known: dict[str, str] = {}
    real_new = Challenges.new

    def new(self: Challenges, page_id: str, source: str) -> str:
        challenge_id = real_new(self, page_id, source)
        known[challenge_id] = self.answer(challenge_id) or ""
        return challenge_id

    monkeypatch.setattr(Challenges, "new", new)
    return known


async def form_with_captcha(client: httpx.AsyncClient, answers: dict[str, str], page: str = PAGE) -> dict[str, str]:
    """The fields of a freshly loaded and rightly filled form."""
    html = (await client.get(page)).text
    challenge = hidden(html, "challenge")
    return MARY | {"nonce": hidden(html, "nonce"), "challenge": challenge, "captcha": answers[challenge]}


async def test_at06_the_right_digits_make_one_call(
    client: httpx.AsyncClient, desk: ScriptedDesk, answers: dict[str, str]
) -> None:
    set_page(desk, image_validation=True)
    answer = await client.post(PAGE, data=await form_with_captcha(client, answers))
    assert (answer.status_code, len(desk.asked)) == (303, 1)


@pytest.mark.parametrize("typed", ["", "abcde", "123", "999999"])
async def test_at06_other_digits_make_none_and_bring_a_new_image(
    client: httpx.AsyncClient, desk: ScriptedDesk, answers: dict[str, str], typed: str
) -> None:
    set_page(desk, image_validation=True)
    form = await form_with_captcha(client, answers)
    answer = await client.post(PAGE, data=form | {"captcha": typed})
    assert (answer.status_code, desk.asked) == (422, [])
    assert beside(answer.text, "captcha")
    assert hidden(answer.text, "challenge") != form["challenge"]
    assert 'value="Mary"' in answer.text
    assert answers[hidden(answer.text, "challenge")] not in answer.text


async def test_at06_a_used_challenge_is_refused(
    client: httpx.AsyncClient, desk: ScriptedDesk, answers: dict[str, str]
) -> None:
    set_page(desk, image_validation=True)
    form = await form_with_captcha(client, answers)
    await client.post(PAGE, data=form)
    replay = await client.post(PAGE, data=form | {"nonce": "another form"})
    assert (replay.status_code, len(desk.asked)) == (422, 1)


async def test_at06_an_expired_challenge_is_refused(
    client: httpx.AsyncClient, desk: ScriptedDesk, clock: Clock, answers: dict[str, str]
) -> None:
    set_page(desk, image_validation=True)
    form = await form_with_captcha(client, answers)
    clock.now += LIFE_S
    assert (await client.post(PAGE, data=form)).status_code == 422
    assert (await client.get(f"/callnow/captcha/{form['challenge']}.png")).status_code == 404
    assert desk.asked == []


async def test_at06_a_challenge_of_another_page_is_refused(
    client: httpx.AsyncClient, desk: ScriptedDesk, answers: dict[str, str]
) -> None:
    set_page(desk, image_validation=True)
    set_page(desk, id="jane", image_validation=True)
    form = await form_with_captcha(client, answers, "/callnow/jane")
    assert (await client.post(PAGE, data=form)).status_code == 422
    assert desk.asked == []


@pytest.mark.parametrize("nonces", [("a", "a"), ("a", "b")], ids=["same form", "two forms"])
async def test_at06_two_posts_of_one_challenge_at_once_make_one_call(
    client: httpx.AsyncClient, desk: ScriptedDesk, answers: dict[str, str], nonces: tuple[str, str]
) -> None:
    set_page(desk, image_validation=True)
    desk.hold = asyncio.Event()
    form = await form_with_captcha(client, answers)
    posts = [asyncio.create_task(client.post(PAGE, data=form | {"nonce": nonce})) for nonce in nonces]
    await until(lambda: bool(desk.asked))
    desk.hold.set()
    statuses = sorted([(await post).status_code for post in posts])
    assert statuses == ([303, 303] if nonces[0] == nonces[1] else [303, 422])
    assert len(desk.asked) == 1


async def test_at06_image_and_sound_are_served_while_the_challenge_is_open(
    client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    set_page(desk, image_validation=True)
    challenge = hidden((await client.get(PAGE)).text, "challenge")
    image, sound = [await client.get(f"/callnow/captcha/{challenge}.{kind}") for kind in ("png", "wav")]
    assert (image.headers["content-type"], image.content[:4]) == ("image/png", b"\x89PNG")
    assert (sound.headers["content-type"], sound.content[:4]) == ("audio/wav", b"RIFF")
    assert image.headers["cache-control"] == "no-store"
    assert (await client.get("/callnow/captcha/unknown.wav")).status_code == 404


async def test_other_digits_keep_what_was_typed(
    client: httpx.AsyncClient, desk: ScriptedDesk, answers: dict[str, str]
) -> None:
    set_page(desk, image_validation=True)
    form = await form_with_captcha(client, answers)
    answer = await client.post(PAGE, data=form | {"other": "1"})
    assert (answer.status_code, desk.asked) == (200, [])
    assert 'value="Mary"' in answer.text
    assert hidden(answer.text, "challenge") != form["challenge"]
    assert (await client.post(PAGE, data=form)).status_code == 422
