"""Error pages, headers of every page, static files, the index."""

from __future__ import annotations

import re

import httpx
import pytest
from starlette.applications import Starlette

from tests.webform.desk import ScriptedDesk
from tests.webform.ground import client_of, tone_for
from tests.webform.public import MARY, PAGE
from webform.app import create_app


@pytest.mark.parametrize(
    ("method", "url", "options", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("DELETE", PAGE, {}, 405),
        ("POST", "/callnow/captcha/x.png", {}, 405),
        ("POST", PAGE, {"json": MARY}, 415),
        ("POST", PAGE, {"data": {"name": "M" * 20_000}}, 413),
        ("POST", PAGE, {"data": {str(n): "x" for n in range(30)}}, 400),
    ],
)
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
async def test_every_page_is_kept_from_robots_frames_and_strangers_scripts(client: httpx.AsyncClient, url: str) -> None:
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
