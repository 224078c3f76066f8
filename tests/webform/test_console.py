"""Behind the counter: who may enter, what is shown, what a button does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from b2bua.desk import LadderRow
from tests.webform.desk import CALL, LADDER, ScriptedDesk
from tests.webform.ground import BASE, Clock, client_of, served, tone_for
from webform.app import create_app
from webform.guard import SESSION_S

PRIVATE = ["/calls", "/calls/c1", "/calls/c1/events", "/calls/c1/recording.wav", "/calls/events", "/demo", "/admin"]


@pytest.fixture
async def desk() -> ScriptedDesk:
    desk = ScriptedDesk()
    await desk.write(CALL, *LADDER)
    return desk


def csrf_of(html: str) -> str:
    found = re.search(r'name="csrf" value="([^"]*)"', html)
    assert found is not None
    return found[1]


# --- who may enter


@pytest.mark.parametrize("url", PRIVATE)
async def test_outside_the_demo_everything_needs_the_admin(
    client: httpx.AsyncClient, desk: ScriptedDesk, url: str
) -> None:
    desk.demo = False
    answer = await client.get(url)
    assert answer.status_code == 403
    assert "001*002" not in answer.text


@pytest.mark.parametrize("url", PRIVATE)
async def test_a_public_only_application_has_no_such_pages(desk: ScriptedDesk, url: str) -> None:
    app = create_app(desk, secret=b"s", base_url=BASE, speak_digits=tone_for, admin=False)
    async with client_of(app) as client:
        assert (await client.get(url)).status_code == 404
        assert (await client.get("/admin/once")).status_code == 404
        assert 'href="/demo"' not in (await client.get("/")).text


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:35000", 200),
        ("localhost:8080", 200),
        ("[::1]:8080", 200),
        ("localhost", 200),
        ("rebound.example:8080", 403),
        ("127.0.0.1.rebound.example", 403),
        ("", 403),
    ],
)
async def test_the_open_demo_answers_to_loopback_names_only(client: httpx.AsyncClient, host: str, status: int) -> None:
    assert (await client.get("/calls", headers={"Host": host})).status_code == status


async def test_a_one_time_link_works_once(app: Starlette, client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.demo = False
    answer = await client.get("/admin/once")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    listed = await client.get("/admin")
    assert listed.status_code == 200
    for text in ("001*002", "John Doe", "24.88 USD", "sip:john@127.0.0.1:5080", "offline"):
        assert text in listed.text
    async with client_of(app) as thief:
        assert (await thief.get("/admin/once")).status_code == 403
        assert (await thief.get("/admin")).status_code == 403


@pytest.mark.parametrize("headers", [{"Sec-Purpose": "prefetch"}, {"User-Agent": "Slackbot"}], ids=str)
async def test_a_previewer_does_not_spend_the_link(
    client: httpx.AsyncClient, desk: ScriptedDesk, headers: dict[str, str]
) -> None:
    shown = await client.get("/admin/once", headers=headers)
    assert (shown.status_code, desk.admin_links) == (200, {"once"})
    assert '<form method="post">' in shown.text
    await client.head("/admin/once")
    assert desk.admin_links == {"once"}
    assert (await client.post("/admin/once")).status_code == 303


async def test_a_session_ends_by_itself_and_by_signing_out(
    client: httpx.AsyncClient, desk: ScriptedDesk, clock: Clock
) -> None:
    desk.demo = False
    desk.admin_links = {"a", "b"}
    await client.get("/admin/a")
    clock.now += SESSION_S
    assert (await client.get("/admin")).status_code == 403
    await client.get("/admin/b")
    page = await client.get("/admin")
    assert (await client.post("/admin/sign-out", data={"csrf": csrf_of(page.text)})).status_code == 303
    assert (await client.get("/admin")).status_code == 403


# --- the demo


async def test_a_button_steers_the_simulated_phone(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    form = {"csrf": csrf_of((await client.get("/demo")).text), "behaviour": "busy"}
    answer = await client.post("/demo/behaviour", data=form, follow_redirects=True)
    assert desk.behaviour == "busy"
    assert re.search(r'value="busy" aria-pressed="true"', answer.text)


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        pytest.param({"csrf": "forged"}, {}, 403, id="forged token"),
        pytest.param({}, {"Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
        pytest.param({}, {"Origin": "http://evil.example"}, 403, id="another origin"),
        pytest.param({"behaviour": "explode"}, {}, 422, id="no such behaviour"),
    ],
)
async def test_a_button_pressed_by_others_does_nothing(
    client: httpx.AsyncClient, desk: ScriptedDesk, fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    form = {"csrf": csrf_of((await client.get("/demo")).text), "behaviour": "busy"} | fields
    assert (await client.post("/demo/behaviour", data=form, headers=headers)).status_code == status
    assert desk.behaviour == "accept"


async def test_the_callback_number_is_rung_and_its_caller_recharged(
    client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    html = (await client.get("/demo")).text
    assert "+12025550190 rings" in html
    assert '<strong id="credit">0.34 USD</strong>' in html
    rung = await client.post("/demo/callback", data={"csrf": csrf_of(html), "do": "ring"})
    assert (rung.status_code, rung.headers["location"], desk.rings) == (303, "/demo#call", 1)
    recharged = await client.post("/demo/callback", data={"csrf": csrf_of(html), "do": "recharge"})
    assert (recharged.status_code, recharged.headers["location"]) == (303, "/demo#callback")
    assert '<strong id="credit">0.84 USD</strong>' in (await client.get("/demo")).text


@pytest.mark.parametrize(
    ("fields", "status"),
    [pytest.param({"csrf": "forged"}, 403, id="forged token"), pytest.param({"do": "dance"}, 422, id="no such button")],
)
async def test_the_callback_number_is_not_rung_by_others(
    client: httpx.AsyncClient, desk: ScriptedDesk, fields: dict[str, str], status: int
) -> None:
    form = {"csrf": csrf_of((await client.get("/demo")).text), "do": "ring"} | fields
    assert (await client.post("/demo/callback", data=form)).status_code == status
    assert desk.rings == 0


async def test_the_demo_shows_phone_numbers_and_newest_call(client: httpx.AsyncClient) -> None:
    html = (await client.get("/demo")).text
    assert "?myname=Mary&amp;phone=%2B12025550101" in html
    assert "early media, then 404" in html
    assert html.count('<li id="row-') == len(LADDER)


async def test_the_demo_page_is_absent_outside_the_demo(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.demo = False
    await client.get("/admin/once")
    assert (await client.get("/demo")).status_code == 404
    assert 'href="/demo"' not in (await client.get("/calls")).text


async def test_pages_without_calls_say_so(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    desk.call_list = []
    assert "No calls yet." in (await client.get("/calls")).text
    assert "No call yet." in (await client.get("/demo")).text


# --- calls


async def test_a_call_shows_every_message_escaped(client: httpx.AsyncClient) -> None:
    html = (await client.get("/calls/c1")).text
    assert "From: &#34;Mary&#34; &lt;sip:+12025550100@127.0.0.1&gt;;tag=a1" in html
    assert html.count("<details>") == sum(bool(row.text) for row in LADDER)
    assert 'class="arrow from-1 to-0 kind-sip"' in html
    assert 'class="arrow from-2 to-1 kind-sip status-4"' in html
    assert 'class="point from-1 to-1 kind-event"' in html
    assert "<span>John</span><span>Ringback</span><span>PSTN</span>" in html


async def test_an_internal_call_has_two_phones(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    await desk.write(replace(CALL, id="c2", kind="internal"))
    assert "<span>Caller</span><span>Ringback</span><span>Called</span>" in (await client.get("/calls/c2")).text


@pytest.mark.parametrize(
    "url", ["/calls/none", "/calls/none/events", "/calls/none/recording.wav", "/calls/c1/recording.wav"]
)
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, url: str) -> None:
    assert (await client.get(url)).status_code == 404


async def test_a_recording_is_played_in_parts(client: httpx.AsyncClient, desk: ScriptedDesk, tmp_path: Path) -> None:
    desk.recordings["c1"] = tmp_path / "c1.wav"
    assert (await client.get("/calls/c1/recording.wav")).status_code == 404
    desk.recordings["c1"].write_bytes(tone_for("1"))
    await desk.write(replace(CALL, state="ended", reason="talked", charge="0.12 USD", recorded=True))
    page = await client.get("/calls/c1")
    assert 'src="/calls/c1/recording.wav"' in page.text
    assert "0.12 USD" in page.text
    part = await client.get("/calls/c1/recording.wav", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"RIFF", "audio/wav")


async def events_of(answer: httpx.Response) -> AsyncIterator[tuple[str, str, str]]:
    """(event, data, id) of each frame as it comes."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if not line and fields:
            yield fields.get("event", ""), fields.get("data", ""), fields.get("id", "")
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = fields.get(name, "") + value


@pytest.mark.parametrize(
    ("query", "headers", "first"),
    [
        ("", {}, "0"),
        ("?after=9", {}, "10"),
        ("?after=3", {"Last-Event-ID": "9"}, "10"),
        ("?after=x", {}, "0"),
    ],
)
async def test_a_ladder_is_followed_from_where_it_was_left(
    app: Starlette, query: str, headers: dict[str, str], first: str
) -> None:
    async with (
        served(app) as url,
        httpx.AsyncClient(base_url=url) as client,
        client.stream("GET", f"/calls/c1/events{query}", headers=headers) as answer,
        asyncio.timeout(5),
    ):
        async for event, _, event_id in events_of(answer):
            if event == "row":
                assert event_id == first
                return


async def test_a_call_is_followed_live(app: Starlette, desk: ScriptedDesk) -> None:
    async with (
        served(app) as url,
        httpx.AsyncClient(base_url=url) as client,
        client.stream("GET", "/calls/c1/events?after=11") as answer,
        asyncio.timeout(5),
    ):
        events = events_of(answer)
        event, data, _ = await anext(events)
        assert (event, "talking" in data) == ("call", True)
        await desk.write(CALL, LadderRow(12, 9.5, "sip", 2, 1, "BYE <now>"))
        event, data, event_id = await anext(events)
        assert (event, event_id, "BYE &lt;now&gt;" in data) == ("row", "12", True)
        await desk.write(replace(CALL, state="ended", reason="talked", charge="0.12 USD"))
        event, data, _ = await anext(events)
        assert (event, "0.12 USD" in data) == ("call", True)


async def test_the_list_is_followed_live(app: Starlette, desk: ScriptedDesk) -> None:
    async with (
        served(app) as url,
        httpx.AsyncClient(base_url=url) as client,
        client.stream("GET", "/calls/events") as answer,
        asyncio.timeout(5),
    ):
        events = events_of(answer)
        assert (await anext(events))[2] == "c1"
        await desk.write(replace(CALL, id="c2"))
        event, data, newest = await anext(events)
        assert (event, newest, data.count("<tr>")) == ("calls", "c2", 2)
