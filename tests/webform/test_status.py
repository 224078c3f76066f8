"""The visitor's status page over HTTP: stages, event stream, cancel."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from b2bua.desk import Stage, VisitorStatus
from tests.webform.desk import ScriptedDesk
from tests.webform.ground import until
from tests.webform.public import MARY, PAGE


async def test_the_status_page_follows_by_refresh_and_then_stops(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    url = (await client.post(PAGE, data=MARY)).headers["location"]
    seen = []
    for stage in (Stage.RINGING_OWNER, Stage.CALLING_VISITOR, Stage.TALKING, Stage.ENDED):
        await desk.tell("token-1", stage, talk_s=65)
        html = (await client.get(url)).text
        heading = re.search(r'<h1 id="headline">([^<]*)<', html)
        assert heading is not None
        seen.append((heading[1], 'http-equiv="refresh"' in html))
    assert seen == [
        ("Ringing John Doe", True),
        ("Calling you now", True),
        ("You are connected", True),
        ("The call has ended", False),
    ]
    assert "You talked for 1 min 05 s." in html
    assert 'id="cancel" hidden' in html


@pytest.mark.parametrize(
    ("stage", "headline"),
    [
        (Stage.NOT_AVAILABLE, "Not available right now"),
        (Stage.NOT_REACHED, "We could not reach you"),
        (Stage.CANCELLED, "You cancelled the call"),
        (Stage.ENDED, "The call has ended"),
    ],
)
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


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/callnow/status/x"),
        ("GET", "/callnow/status/x/events"),
        ("POST", "/callnow/status/x/cancel"),
    ],
)
async def test_an_unknown_token_is_404(client: httpx.AsyncClient, desk: ScriptedDesk, method: str, url: str) -> None:
    assert (await client.request(method, url)).status_code == 404
    assert desk.cancelled == []


async def test_the_status_page_outlives_the_owner_s_page(client: httpx.AsyncClient, desk: ScriptedDesk) -> None:
    url = (await client.post(PAGE, data=MARY)).headers["location"]
    del desk.pages["john_doe"]
    assert "Ringing the person you want to reach" in (await client.get(url)).text


async def test_who_waits_is_told_when_and_the_page_is_asked_for_seldom(
    client: httpx.AsyncClient, desk: ScriptedDesk
) -> None:
    desk.statuses["later"] = VisitorStatus(
        Stage.SCHEDULED, "john_doe", "5555555555", due=1_795_185_000.0, told="at 16:30", zone="Europe/Bucharest"
    )
    html = (await client.get("/callnow/status/later")).text
    assert '<h1 id="headline">We will call at 16:30</h1>' in html
    assert "John Doe’s rings first, then yours. The time is that of Europe/Bucharest." in html
    assert 'http-equiv="refresh" content="30"' in html
    assert 'data-due="1795185000.0"' in html
    assert 'id="cancel">' in html
