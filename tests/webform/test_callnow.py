"""The public page over HTTP: SPEC 5, 6, 9, 13, 19-23, H10, H13, H14 as far as the web decides them."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.applications import Starlette

from b2bua.desk import Refused, VisitorRequest
from tests.webform.desk import SLOTS, ScriptedDesk
from tests.webform.ground import BASE, client_of, tone_for
from tests.webform.public import MARY, PAGE, beside, hidden, set_page
from webform.app import create_app
from webform.captcha import LIFE_S, PER_SOURCE
from webform.visitor import Submissions

ONE_STEP = "/callnow/index.php?call=john_doe&myname=Mary&phone=5555555555"
BROWSER = {"User-Agent": "Mozilla/5.0 Chrome/156", "Sec-Fetch-Dest": "document"}


# --- AT-04: the two addresses, and the one 404


async def test_at04_both_addresses_give_the_same_form(client: httpx.AsyncClient) -> None:
    forms = [(await client.get(url)) for url in (PAGE, "/callnow/index.php?call=john_doe")]
    assert [form.status_code for form in forms] == [200, 200]
    assert re.sub(r'name="nonce" value="[^"]*"', "", forms[0].text) == re.sub(
        r'name="nonce" value="[^"]*"', "", forms[1].text
    )


@pytest.mark.parametrize(
    "url",
    [
        "/callnow/nobody",
        "/callnow/index.php?call=nobody",
        "/callnow/index.php",
        "/callnow/index.php?call=nobody&phone=5",
    ],
)
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
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Purpose": "prefetch"},
        {"User-Agent": "Slackbot-LinkExpanding 1.0"},
        {"User-Agent": "WhatsApp/2.23"},
        {"Sec-Fetch-Dest": "image"},
    ],
    ids=str,
)
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


# --- AT-07: the number


@pytest.mark.parametrize("phone", ["555-555-5555", "(555) 555 5555", "555.555.5555", "+15555555555"])
async def test_at07_separators_reach_the_desk_as_typed(
    client: httpx.AsyncClient, desk: ScriptedDesk, phone: str
) -> None:
    assert (await client.post(PAGE, data=MARY | {"phone": phone})).status_code == 303
    assert desk.asked[0].number == phone


async def test_at07_the_desk_s_word_on_a_number_stands_beside_it(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.refusal = Refused("premium", "This number cannot be called.", field="number")
    answer = await client.post(PAGE, data=MARY | {"phone": "19005551212"})
    assert answer.status_code == 422
    assert beside(answer.text, "phone") == "This number cannot be called."
    assert 'value="19005551212"' in answer.text


async def test_what_is_missing_is_all_told_at_once(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.refusal = Refused("name-unfit", "Use another name.", field="name")
    answer = await client.post(PAGE, data={"name": "M" * 81, "phone": ""})
    assert (answer.status_code, len(desk.asked)) == (422, 1)
    assert beside(answer.text, "name") == "Use another name."
    assert beside(answer.text, "phone") == "Enter your telephone number."
    assert "<title>Error: " in answer.text


async def test_a_page_that_is_not_there_is_asked_too(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    """So that the desk writes it down; not where a program looks ahead, or nobody asks for a call."""
    form, one_step = "/callnow/nobody", ONE_STEP.replace("john_doe", "nobody")
    answers = [
        await client.post(form, data=MARY), await client.get(one_step, headers=BROWSER), await client.get(form),
        await client.get(one_step, headers={"Sec-Purpose": "prefetch"}), await client.head(one_step, headers=BROWSER),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert [(wanted.page_id, wanted.number) for wanted in desk.asked] == [("nobody", MARY["phone"])] * 2


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
    desk.refusal = Refused("name-required", "Enter your name.", field="name")
    posted = await client.post(PAGE, data=MARY | {"name": name})
    one_step = await client.get(ONE_STEP.replace("Mary", name))
    assert (posted.status_code, one_step.status_code) == (422, 422)
    assert [wanted.name for wanted in desk.asked] == ["", ""], "the desk writes the reason down"
    assert beside(posted.text, "name") == beside(one_step.text, "name") == "Enter your name."


async def test_at08_an_optional_name_may_be_empty(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    set_page(desk, ask_name=False)
    assert (await client.post(PAGE, data={"phone": "5555555555"})).status_code == 303
    assert desk.asked[0].name == ""


# --- AT-11: escaping, and the owner's name

EVIL = "<script>alert(1)</script>\"'&"


async def test_at11_message_and_values_are_shown_escaped(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    set_page(desk, message=f"Hello\n{EVIL}", owner_name=EVIL)
    desk.refusal = Refused("number-empty", "Enter your telephone number.", field="number")
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


# --- A12.3: one visitor cannot use up the challenges of all


async def test_a_source_that_asks_for_ever_new_digits_must_wait(
    app: Starlette, client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    set_page(desk, image_validation=True)
    answers = [await client.get(PAGE) for _ in range(PER_SOURCE + 1)]
    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    assert answers[-1].headers["Retry-After"] == str(round(LIFE_S))
    async with client_of(app, peer="192.0.2.8") as other:
        assert (await other.get(PAGE)).status_code == 200


# --- A12.8: calls at another time


async def test_a_one_step_link_is_for_now(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.slots["john_doe"] = SLOTS
    answer = await client.get(f"{ONE_STEP}&when=1795185000", headers=BROWSER)
    assert answer.status_code == 303
    assert [asked.at for asked in desk.asked] == [None]


async def test_who_is_not_available_now_can_be_asked_for_another_time(
    client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    desk.refusal = Refused("offline", "This person is not available right now.", 409)
    assert "You can choose a time" not in (await client.post(PAGE, data=MARY)).text
    desk.slots["john_doe"] = SLOTS
    answer = await client.post(PAGE, data=MARY)
    assert answer.status_code == 409
    assert "You can choose a time at which you are called." in answer.text
    assert f'href="{PAGE}">Choose a time</a>' in answer.text


async def test_what_was_typed_and_chosen_is_shown_again(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.slots["john_doe"] = SLOTS
    desk.refusal = Refused("slot-not-free", "Choose one of the times that are free.", 422, "when")
    answer = await client.post(PAGE, data=MARY | {"when": "1795417200"})
    assert answer.status_code == 422
    assert beside(answer.text, "when") == "Choose one of the times that are free."
    assert '<option value="1795417200" selected>Monday, 23 November, 09:00</option>' in answer.text
    assert desk.asked[0].at == 1_795_417_200.0
