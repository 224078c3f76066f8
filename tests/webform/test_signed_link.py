"""Pages opened by a signed link: no captcha, what it fixes, who may not trigger it, and where its token does not go
(SPEC A12.7, H10)."""

from __future__ import annotations

import re

import httpx
import pytest

from b2bua.desk import LinkPass, Refused, VisitorRequest
from tests.webform.desk import ScriptedDesk
from tests.webform.public import PAGE, beside, hidden, set_page

TOKEN = "AAIA_15emwEt3i_c1zWcUBnGGUgyJwAB"
BY_ID, INDEX = f"{PAGE}?link={TOKEN}", f"/callnow/index.php?call=john_doe&link={TOKEN}"
AT_ONCE = [
    pytest.param(f"{INDEX}&now=1", "", id="its own number, now"),
    pytest.param(f"{INDEX}&myname=Mary&phone=5555555555", "5555555555", id="a number in the link"),
]
BROWSER = {"User-Agent": "Mozilla/5.0 Chrome/156", "Sec-Fetch-Dest": "document"}
NO_PERSON = [
    {"Sec-Purpose": "prefetch"}, {"Purpose": "prefetch"}, {"User-Agent": "Slackbot-LinkExpanding 1.0"},
    {"Sec-Fetch-Dest": "iframe"},
]  # fmt: skip
USED_UP = Refused("signed-link-used-up", "This link has been used already.", 410)


@pytest.fixture(autouse=True)
def captcha_for_strangers(desk: ScriptedDesk) -> None:
    set_page(desk, image_validation=True)


@pytest.fixture
def given(desk: ScriptedDesk) -> ScriptedDesk:
    """A desk that knows the link, which fixes nothing."""
    desk.links[TOKEN] = LinkPass()
    return desk


async def test_both_addresses_give_the_form_without_the_captcha(client: httpx.AsyncClient, given: ScriptedDesk) -> None:
    forms = [await client.get(url, headers=BROWSER) for url in (BY_ID, INDEX)]
    assert [form.status_code for form in forms] == [200, 200]
    assert len({re.sub(r'name="nonce" value="[^"]*"', "", form.text) for form in forms}) == 1
    assert 'name="captcha"' not in forms[0].text
    assert hidden(forms[0].text, "link") == TOKEN
    assert given.asked == []
    assert given.opened == [("john_doe", TOKEN, "192.0.2.7")] * 2


async def test_strangers_still_get_it(client: httpx.AsyncClient, given: ScriptedDesk) -> None:
    for url in (PAGE, "/callnow/index.php?call=john_doe", f"{PAGE}?link="):
        assert 'name="captcha"' in (await client.get(url)).text
    answer = await client.post(PAGE, data={"name": "Mary", "phone": "5555555555", "link": ""})
    assert (answer.status_code, given.asked) == (422, [])
    assert "These are not the digits" in answer.text


async def test_the_button_asks_with_the_link(client: httpx.AsyncClient, given: ScriptedDesk) -> None:
    form = {"name": "Mary", "phone": "5555555555", "link": TOKEN, "nonce": "n"}
    answer = await client.post(PAGE, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/callnow/status/token-1")
    assert given.asked == [VisitorRequest("john_doe", "Mary", "5555555555", "US", "192.0.2.7", link=TOKEN)]
    assert TOKEN not in (await client.get(answer.headers["location"])).text
    assert (await client.post(PAGE, data=form)).headers["location"] == "/callnow/status/token-1", "the same form again"
    assert len(given.asked) == 1


async def test_what_the_link_fixes_is_not_asked(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.links[TOKEN] = LinkPass("Mary <b>Poe</b>", "67")
    form = await client.get(BY_ID)
    for absent in ('name="name"', 'name="phone"', 'name="country"', 'name="captcha"', "<b>"):
        assert absent not in form.text
    assert "ends in <strong>67</strong>" in form.text
    assert "the name Mary &lt;b&gt;Poe&lt;/b&gt; and your number" in form.text
    answer = await client.post(PAGE, data={"link": TOKEN})
    assert answer.status_code == 303
    assert desk.asked == [VisitorRequest("john_doe", "", "", "US", "192.0.2.7", link=TOKEN)]


async def test_a_fault_of_what_is_fixed_stands_above_the_form(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.links[TOKEN] = LinkPass("", "67")
    desk.refusal = Refused("no-rate", "This number cannot be called from here.", field="number")
    answer = await client.post(PAGE, data={"name": "Mary", "link": TOKEN, "phone": "5"})
    assert answer.status_code == 422
    assert "<li>This number cannot be called from here.</li>" in answer.text
    assert 'href="#phone"' not in answer.text
    assert hidden(answer.text, "link") == TOKEN
    desk.refusal = Refused("name-unfit", "Shorten it.", field="name")
    unfit = await client.post(PAGE, data={"name": "M" * 81, "link": TOKEN})
    assert unfit.status_code == 422
    assert beside(unfit.text, "name") == "Shorten it."
    assert "Enter your telephone number." not in unfit.text


@pytest.mark.parametrize(("url", "number"), AT_ONCE)
async def test_one_step_asks_at_once(client: httpx.AsyncClient, given: ScriptedDesk, url: str, number: str) -> None:
    answer = await client.get(url, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/callnow/status/token-1")
    assert [(asked.number, asked.link, asked.one_step) for asked in given.asked] == [(number, TOKEN, True)]


@pytest.mark.parametrize("headers", NO_PERSON, ids=str)
@pytest.mark.parametrize(("url", "number"), AT_ONCE)
async def test_h10_who_only_looks_gets_a_button(
    client: httpx.AsyncClient, given: ScriptedDesk, url: str, number: str, headers: dict[str, str]
) -> None:
    answer = await client.get(url, headers=headers)
    assert (answer.status_code, given.asked) == (200, [])
    assert "press the button to be called" in answer.text
    assert '<form method="post" action="/callnow/john_doe"' in answer.text
    assert given.opened == [("john_doe", TOKEN, "")], "nobody's doing: a refusal would not be written down"


@pytest.mark.parametrize("url", [BY_ID, INDEX, f"{INDEX}&now=1"])
async def test_h10_head_never_asks(client: httpx.AsyncClient, given: ScriptedDesk, url: str) -> None:
    answer = await client.head(url, headers=BROWSER)
    assert (answer.status_code, answer.text, given.asked) == (200, "", [])
    assert given.opened == [("john_doe", TOKEN, "")]


@pytest.mark.parametrize(("status", "sentence"), [
    (410, "This link has been used already."), (410, "This link has expired."), (403, "This link does not work."),
])
async def test_a_link_that_is_no_good_says_so_and_leads_to_the_plain_page(
    client: httpx.AsyncClient, desk: ScriptedDesk, status: int, sentence: str
) -> None:
    desk.links[TOKEN] = desk.refusal = Refused("signed-link-x", sentence, status)
    answers = [
        await client.get(BY_ID), await client.get(INDEX), await client.get(f"{INDEX}&now=1", headers=BROWSER),
        await client.post(PAGE, data={"link": TOKEN, "name": "Mary", "phone": "5555555555"}),
        await client.post(PAGE, data={"link": TOKEN, "other": "1"}),
    ]  # fmt: skip
    assert {(answer.status_code, answer.text) for answer in answers} == {(status, answers[0].text)}
    assert sentence in answers[0].text
    assert 'href="/callnow/john_doe"' in answers[0].text
    assert TOKEN not in answers[0].text


async def test_a_link_used_up_by_this_very_click_is_asked_of_the_desk(
    client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    """Within 30 s it answers with the same call (H10): so a page must not look at the link before."""
    desk.links[TOKEN] = USED_UP
    for answer in (
        await client.get(f"{INDEX}&now=1", headers=BROWSER), await client.post(PAGE, data={"link": TOKEN}),
    ):
        assert answer.status_code == 303


async def test_a_link_that_ends_while_its_form_is_open(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.links[TOKEN], desk.refusal = USED_UP, Refused("name-unfit", "Shorten it.", field="name")
    answer = await client.post(PAGE, data={"link": TOKEN, "name": "M" * 81})
    assert answer.status_code == 410


async def test_a_page_that_is_not_there_is_the_one_404(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    reference = await client.get("/callnow/other")
    desk.links[TOKEN] = desk.refusal = Refused("unknown-page", "There is no such page.", 404)
    for answer in (await client.get(f"/callnow/nobody?link={TOKEN}"),
                   await client.get(f"/callnow/index.php?call=nobody&link={TOKEN}&now=1"),
                   await client.post("/callnow/nobody", data={"link": TOKEN}),
                   await client.get(BY_ID)):  # fmt: skip
        assert (answer.status_code, answer.text) == (404, reference.text)
    assert (await client.post(PAGE, data={"link": TOKEN})).text == reference.text
    assert [opened for opened in desk.opened if opened[0] == "nobody"] == [("nobody", TOKEN, "192.0.2.7")] * 2
    assert [(asked.page_id, asked.link) for asked in desk.asked] == [("nobody", TOKEN), ("john_doe", TOKEN)]


async def test_try_again_keeps_the_link(client: httpx.AsyncClient, given: ScriptedDesk) -> None:
    set_page(given, image_validation=True, available=False)
    assert f'href="{BY_ID}"' in (await client.get(BY_ID)).text
    given.refusal = Refused("busy", "", 409)
    answer = await client.post(PAGE, data={"link": TOKEN, "name": "Mary", "phone": "5555555555"})
    assert answer.status_code == 409
    assert f'href="{BY_ID}"' in answer.text
    assert 'href="/callnow/john_doe"' in (await client.get(PAGE)).text


async def test_no_address_with_a_token_is_told_to_anybody(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.links[TOKEN] = LinkPass()
    assert (await client.get(BY_ID)).headers["referrer-policy"] == "no-referrer"
    set_page(desk, available=False)
    assert (await client.get(BY_ID)).headers["referrer-policy"] == "no-referrer"
    desk.links[TOKEN] = USED_UP
    answer = await client.get(BY_ID)
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")
    assert (await client.get(PAGE)).headers["referrer-policy"] == "same-origin"


async def test_a_token_of_any_length_and_letters_is_no_fault_of_ours(
    client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    for text in ("%00", "x" * 5000, "%22%3E%3Cscript%3E", "%F0%9F%98%80", "%FF"):
        answer = await client.get(f"{PAGE}?link={text}")
        assert (answer.status_code, "<script>" in answer.text) == (403, False)
    assert max(len(token) for _, token, _ in desk.opened) == 64
