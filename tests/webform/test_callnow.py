"""The public page over HTTP: SPEC 5, 6, 9, 13, 19-23, H10, H13, H14 as far as the web decides them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette

from b2bua.desk import Refused, Stage, VisitorRequest
from tests.webform.conftest import BASE, Clock, client_of, tone_for, until
from tests.webform.desk import JOHN, ScriptedDesk
from webform.app import create_app
from webform.captcha import LIFE_S, Challenges
from webform.visitor import Submissions

PAGE = "/callnow/john_doe"
ONE_STEP = "/callnow/index.php?call=john_doe&myname=Mary&phone=5555555555"
MARY = {"name": "Mary", "phone": "5555555555"}
BROWSER = {"User-Agent": "Mozilla/5.0 Chrome/156", "Sec-Fetch-Dest": "document"}


def hidden(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found is not None
    return found[1]


def beside(html: str, field: str) -> str:
    """The error sentence beside a field that refers to it."""
    assert re.search(rf'id="{field}"[^>]* aria-describedby="{field}-error[^"]*" aria-invalid="true"', html)
    assert f'<a href="#{field}">' in html
    found = re.search(rf'id="{field}-error">([^<]*)<', html)
    assert found is not None
    return found[1]


def set_page(desk: ScriptedDesk, **changes: object) -> None:
    page = replace(JOHN, **changes)  # type: ignore[arg-type]
    desk.pages[page.id] = page


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every challenge's answer by its id: what a visitor would read in the image."""
    known: dict[str, str] = {}
    real_new = Challenges.new

    def new(self: Challenges, page_id: str) -> str:
        challenge_id = real_new(self, page_id)
        known[challenge_id] = self.answer(challenge_id) or ""
        return challenge_id

    monkeypatch.setattr(Challenges, "new", new)
    return known


async def form_with_captcha(client: httpx.AsyncClient, answers: dict[str, str], page: str = PAGE) -> dict[str, str]:
    """The fields of a freshly loaded and rightly filled form."""
    html = (await client.get(page)).text
    challenge = hidden(html, "challenge")
    return MARY | {"nonce": hidden(html, "nonce"), "challenge": challenge, "captcha": answers[challenge]}


# --- AT-04: the two addresses, and the one 404

async def test_at04_both_addresses_give_the_same_form(client: httpx.AsyncClient) -> None:
    forms = [(await client.get(url)) for url in (PAGE, "/callnow/index.php?call=john_doe")]
    assert [form.status_code for form in forms] == [200, 200]
    assert re.sub(r'name="nonce" value="[^"]*"', "", forms[0].text) == re.sub(
        r'name="nonce" value="[^"]*"', "", forms[1].text
    )


@pytest.mark.parametrize("url", [
    "/callnow/nobody", "/callnow/index.php?call=nobody", "/callnow/index.php", "/callnow/index.php?call=nobody&phone=5",
])
async def test_at04_an_unknown_id_is_the_one_404(client: httpx.AsyncClient, url: str) -> None:
    reference = await client.get("/callnow/other")
    answer = await client.get(url)
    assert (answer.status_code, answer.text) == (404, reference.text)
    posted = await client.post(url, data=MARY)
    assert (posted.status_code, posted.text) == (404, reference.text)


async def test_at04_a_page_that_the_desk_withdraws_is_the_same_404(
    client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    desk.refusal = Refused("not-permitted", "John has no CallNow.", status=404)
    answer = await client.post(PAGE, data=MARY)
    assert (answer.status_code, answer.text) == (404, (await client.get("/callnow/other")).text)


@pytest.mark.parametrize("url", [PAGE, ONE_STEP])
async def test_at04_head_never_asks_for_a_call(client: httpx.AsyncClient, desk: ScriptedDesk, url: str) -> None:
    answer = await client.head(url, headers=BROWSER)
    assert (answer.status_code, answer.text, desk.asked) == (200, "", [])


# --- AT-05: the one-step link

async def test_at05_one_step_asks_for_the_call(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    answer = await client.get(ONE_STEP, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/callnow/status/token-1")
    assert desk.asked == [VisitorRequest("john_doe", "Mary", "5555555555", "US", "192.0.2.7", one_step=True)]


async def test_at05_with_validation_it_is_a_filled_form(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    set_page(desk, image_validation=True)
    answer = await client.get(ONE_STEP, headers=BROWSER)
    assert answer.status_code == 200
    assert 'value="Mary"' in answer.text
    assert 'value="5555555555"' in answer.text
    assert hidden(answer.text, "challenge")
    assert desk.asked == []


@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize("headers", [
    {"Sec-Purpose": "prefetch"}, {"Purpose": "prefetch"}, {"User-Agent": "Slackbot-LinkExpanding 1.0"},
    {"User-Agent": "WhatsApp/2.23"}, {"Sec-Fetch-Dest": "image"},
], ids=str)
async def test_at05_a_prefetch_or_previewer_gets_a_button(
    client: httpx.AsyncClient, desk: ScriptedDesk, headers: dict[str, str], validation: bool
) -> None:
    set_page(desk, image_validation=validation)
    answer = await client.get(ONE_STEP, headers=headers)
    assert (answer.status_code, desk.asked) == (200, [])
    assert '<form method="post" action="/callnow/john_doe"' in answer.text
    assert 'value="5555555555"' in answer.text


async def test_at05_index_php_takes_the_form_too(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    answer = await client.post("/callnow/index.php?call=john_doe", data={"myname": "Mary", "phone": "5555555555"})
    assert (answer.status_code, desk.asked[0].one_step) == (303, False)


async def test_at05_only_index_php_is_one_step(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    answer = await client.get(f"{PAGE}?myname=Mary&phone=5555555555", headers=BROWSER)
    assert (answer.status_code, desk.asked) == (200, [])
    assert 'value="Mary"' in answer.text


# --- AT-06: image validation

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


# --- AT-07: the number

@pytest.mark.parametrize("phone", ["555-555-5555", "(555) 555 5555", "555.555.5555", "+15555555555"])
async def test_at07_separators_reach_the_desk_as_typed(
    client: httpx.AsyncClient, desk: ScriptedDesk, phone: str
) -> None:
    assert (await client.post(PAGE, data=MARY | {"phone": phone})).status_code == 303
    assert desk.asked[0].number == phone


@pytest.mark.parametrize(("field", "value"), [
    ("name", "Mary\r\nVia: x"), ("phone", "555\r\n5555555"), ("phone", "5" * 41), ("name", "M" * 81), ("phone", " "),
])
async def test_at07_what_no_form_sends_is_refused_beside_its_field(
    client: httpx.AsyncClient, desk: ScriptedDesk, field: str, value: str
) -> None:
    answer = await client.post(PAGE, data=MARY | {field: value})
    assert (answer.status_code, desk.asked) == (422, [])
    assert beside(answer.text, field)
    assert "<title>Error: " in answer.text


async def test_at07_the_desk_s_word_on_a_number_stands_beside_it(
    client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    desk.refusal = Refused("premium", "This number cannot be called.", field="number")
    answer = await client.post(PAGE, data=MARY | {"phone": "19005551212"})
    assert answer.status_code == 422
    assert beside(answer.text, "phone") == "This number cannot be called."
    assert 'value="19005551212"' in answer.text


async def test_the_country_is_chosen_where_the_page_has_one(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    await client.post(PAGE, data=MARY | {"country": "RO"})
    assert desk.asked[0].country == "RO"
    assert '<option value="US" selected>' in (await client.get(PAGE)).text
    set_page(desk, country="")
    assert "<select" not in (await client.get(PAGE)).text


# --- AT-08: the name

@pytest.mark.parametrize("name", ["", "   "])
async def test_at08_a_required_name_is_required_everywhere(
    client: httpx.AsyncClient, desk: ScriptedDesk, name: str
) -> None:
    posted = await client.post(PAGE, data=MARY | {"name": name})
    one_step = await client.get(ONE_STEP.replace("Mary", name))
    assert (posted.status_code, one_step.status_code, desk.asked) == (422, 422, [])
    assert beside(posted.text, "name") == beside(one_step.text, "name") == "Enter your name."


async def test_at08_an_optional_name_may_be_empty(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    set_page(desk, ask_name=False)
    assert (await client.post(PAGE, data={"phone": "5555555555"})).status_code == 303
    assert desk.asked[0].name == ""


# --- AT-11: escaping, and the owner's name

EVIL = "<script>alert(1)</script>\"'&"


async def test_at11_message_and_values_are_shown_escaped(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    set_page(desk, message=f"Hello\n{EVIL}", owner_name=EVIL)
    html = (await client.post(PAGE, data={"name": EVIL, "phone": ""})).text
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;") >= 3


async def test_at11_a_hidden_owner_is_nowhere(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    set_page(desk, owner_name=None)
    answer = await client.get(PAGE)
    assert "John" not in answer.text.replace("john_doe", "")
    posted = await client.post(PAGE, data=MARY)
    status = await client.get(posted.headers["location"])
    assert "John" not in status.text + str(status.headers)


# --- what else the desk may say

async def test_h13_unavailable_says_only_that(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    set_page(desk, available=False)
    shown = await client.get(PAGE)
    assert shown.status_code == 200
    assert "Not available right now" in shown.text
    assert 'name="phone"' not in shown.text
    desk.refusal = Refused("on-the-phone", "secret reason", status=409)
    answer = await client.post(PAGE, data=MARY)
    assert (answer.status_code, answer.text) == (409, shown.text)


async def test_a_limit_says_when_to_come_back(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.refusal = Refused("ip-limit", "Too many requests from your address.", status=429, retry_after_s=900)
    answer = await client.post(PAGE, data=MARY)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
    assert "<li>Too many requests from your address.</li>" in answer.text
    assert 'value="Mary"' in answer.text


async def test_the_same_form_sent_twice_is_one_call(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    form = MARY | {"nonce": hidden((await client.get(PAGE)).text, "nonce")}
    first, second = [await client.post(PAGE, data=form) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    assert len(desk.asked) == 1


async def test_a_refused_form_may_be_sent_again(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.refusal = Refused("number", "No.", field="number")
    await client.post(PAGE, data=MARY | {"nonce": "n"})
    desk.refusal = None
    assert (await client.post(PAGE, data=MARY | {"nonce": "n"})).status_code == 303


async def test_only_so_many_forms_are_remembered() -> None:
    submissions = Submissions(capacity=2)
    for nonce in "abc":
        submissions.open("john", nonce).set_result(None)
    assert list(submissions._answers) == [("john", "b"), ("john", "c")]


async def test_a_proxy_names_the_visitor(desk: ScriptedDesk) -> None:
    app = create_app(desk, secret=b"s", base_url=BASE, speak_digits=tone_for, proxies=["192.0.2.0/24"])
    async with client_of(app) as client:
        await client.post(PAGE, data=MARY, headers={"X-Forwarded-For": "203.0.113.9"})
    assert desk.asked[0].source_ip == "203.0.113.9"


async def test_a_stranger_cannot_name_another_address(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    await client.post(PAGE, data=MARY, headers={"X-Forwarded-For": "203.0.113.9"})
    assert desk.asked[0].source_ip == "192.0.2.7"


# --- pages of errors, and headers

@pytest.mark.parametrize(("method", "url", "options", "status"), [
    ("GET", "/nothing", {}, 404),
    ("DELETE", PAGE, {}, 405),
    ("POST", "/callnow/captcha/x.png", {}, 405),
    ("POST", PAGE, {"json": MARY}, 415),
    ("POST", PAGE, {"data": {"name": "M" * 20_000}}, 413),
    ("POST", PAGE, {"data": {str(n): "x" for n in range(30)}}, 400),
])
async def test_errors_are_pages(
    client: httpx.AsyncClient, desk: ScriptedDesk, method: str, url: str, options: dict[str, object], status: int
) -> None:
    answer = await client.request(method, url, **options)  # type: ignore[arg-type]
    assert (answer.status_code, desk.asked) == (status, [])
    assert "<h1>" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_a_crash_is_a_page_without_a_traceback(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    del desk.pages
    answer = await client.get(PAGE)
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "Traceback" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("url", ["/", PAGE, "/nothing", "/demo", "/calls", "/admin"])
async def test_every_page_is_kept_from_robots_frames_and_strangers_scripts(
    client: httpx.AsyncClient, url: str
) -> None:
    answer = await client.get(url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert '<meta name="robots" content="noindex, nofollow">' in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"\son\w+=|style=|<script>|<style|https?://(?!127\.0\.0\.1)", answer.text)


async def test_static_files_have_a_fingerprint_and_may_be_kept(client: httpx.AsyncClient) -> None:
    html = (await client.get(PAGE)).text
    url = re.search(r'href="(/static/style\.css\?v=\w{12})"', html)
    assert url is not None
    assert "immutable" in (await client.get(url[1])).headers["cache-control"]
    assert (await client.get("/static/nothing.css")).status_code == 404
    assert (await client.get("/static/../app.py")).status_code == 404


async def test_https_is_remembered_by_the_browser(desk: ScriptedDesk) -> None:
    app = create_app(desk, secret=b"s", base_url="https://call.example", speak_digits=tone_for)
    async with client_of(app) as client:
        assert "max-age" in (await client.get("/")).headers["strict-transport-security"]


async def test_the_index_leads_to_the_demo_only_where_there_is_one(
    app: Starlette, desk: ScriptedDesk, client: httpx.AsyncClient
) -> None:
    assert 'href="/demo"' in (await client.get("/")).text
    desk.demo = False
    assert 'href="/demo"' not in (await client.get("/")).text


# --- the status page

async def test_the_status_page_follows_by_refresh_and_then_stops(
    client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    url = (await client.post(PAGE, data=MARY)).headers["location"]
    seen = []
    for stage in (Stage.RINGING_OWNER, Stage.CALLING_VISITOR, Stage.TALKING, Stage.ENDED):
        await desk.tell("token-1", stage, talk_s=65)
        html = (await client.get(url)).text
        heading = re.search(r'<h1 id="headline">([^<]*)<', html)
        assert heading is not None
        seen.append((heading[1], 'http-equiv="refresh"' in html))
    assert seen == [
        ("Ringing John Doe", True), ("Calling you now", True), ("You are connected", True),
        ("The call has ended", False),
    ]
    assert "You talked for 1 min 05 s." in html
    assert 'id="cancel" hidden' in html


@pytest.mark.parametrize(("stage", "headline"), [
    (Stage.NOT_AVAILABLE, "Not available right now"), (Stage.NOT_REACHED, "We could not reach you"),
    (Stage.CANCELLED, "You cancelled the call"), (Stage.ENDED, "The call has ended"),
])
async def test_the_event_stream_ends_with_the_call(
    client: httpx.AsyncClient, desk: ScriptedDesk, stage: Stage, headline: str
) -> None:
    url = (await client.post(PAGE, data=MARY)).headers["location"]
    following = asyncio.create_task(client.get(f"{url}/events"))
    await until(lambda: desk.watchers == 1)
    await desk.tell("token-1", stage)
    answer = await following
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [line for line in answer.text.splitlines() if line.startswith("event:")] == ["event: status"] * 2
    assert headline in answer.text
    assert '"final": true' in answer.text
    assert desk.watchers == 0


async def test_cancel_tells_the_desk_and_shows_it(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    url = (await client.post(PAGE, data=MARY)).headers["location"]
    answer = await client.post(f"{url}/cancel", follow_redirects=True)
    assert desk.cancelled == ["token-1"]
    assert "You cancelled the call" in answer.text


@pytest.mark.parametrize(("method", "url"), [
    ("GET", "/callnow/status/x"), ("GET", "/callnow/status/x/events"), ("POST", "/callnow/status/x/cancel"),
])
async def test_an_unknown_token_is_404(client: httpx.AsyncClient, desk: ScriptedDesk, method: str, url: str) -> None:
    assert (await client.request(method, url)).status_code == 404
    assert desk.cancelled == []


async def test_the_status_page_outlives_the_owner_s_page(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    url = (await client.post(PAGE, data=MARY)).headers["location"]
    del desk.pages["john_doe"]
    assert "Ringing the person you want to reach" in (await client.get(url)).text
