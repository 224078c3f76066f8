"""The pages in a real browser: with and without JavaScript, by keyboard, light and dark, on a phone's width."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect
from starlette.applications import Starlette

from b2bua.desk import LadderRow, LinkPass, Refused, Stage, VisitorStatus
from tests.webform.desk import CALL, JOHN, LADDER, SLOTS, ScriptedDesk
from tests.webform.ground import served, until

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one browser for all tests here

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PATHS = [
    "/",
    "/callnow/john_doe",
    "/callnow/off",
    "/callnow/john_doe?link=good",
    "/callnow/john_doe?link=over",
    "/callnow/later",
    "/callnow/closed",
    "/demo",
    "/calls",
    "/calls/c1",
    "/admin",
    *(f"/callnow/status/{stage.value}" for stage in Stage),
]


WAITING = VisitorStatus(
    Stage.SCHEDULED, "john_doe", "+12025550100", due=1_795_185_000.0, told="at 16:30", zone="Europe/Bucharest"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def url(app: Starlette) -> AsyncIterator[str]:
    async with served(app) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, url: str) -> AsyncIterator[Page]:
    page = await browser.new_page(base_url=url)
    yield page
    await page.close()


@pytest_asyncio.fixture(loop_scope="module")
async def plain_page(browser: Browser, url: str) -> AsyncIterator[Page]:
    """A page in a browser without JavaScript."""
    page = await browser.new_page(base_url=url, java_script_enabled=False)
    yield page
    await page.close()


async def ask(page: Page) -> None:
    """Fill in the form as Mary and send it."""
    await page.goto("/callnow/john_doe")
    await page.get_by_label("Your name").fill("Mary")
    await page.get_by_label("Your phone number").fill("202 555 0100")
    await page.get_by_role("button", name="Call me now").click()


async def test_the_status_follows_live_and_ends_with_call_again(page: Page, desk: ScriptedDesk) -> None:
    await ask(page)
    await expect(page.get_by_role("heading")).to_have_text("Ringing John Doe")
    await until(lambda: desk.watchers == 1)
    await page.wait_for_load_state()
    loads: list[str] = []
    page.on("load", lambda _: loads.append(page.url))
    await desk.tell("token-1", Stage.CALLING_VISITOR)
    await expect(page.get_by_role("status")).to_contain_text("Please answer your phone: 202 555 0100.")
    await desk.tell("token-1", Stage.TALKING)
    await expect(page.get_by_role("button")).to_have_count(0)
    await desk.tell("token-1", Stage.ENDED, talk_s=12)
    await expect(page.get_by_role("heading")).to_have_text("The call has ended")
    assert loads == []
    await page.get_by_role("link", name="Call again").click()
    await expect(page.get_by_label("Your phone number")).to_be_visible()


async def test_a_signed_link_is_one_click_and_its_address_is_told_to_nobody(page: Page, desk: ScriptedDesk) -> None:
    desk.pages["john_doe"], desk.links = replace(JOHN, image_validation=True), {"good": LinkPass("Mary", "55")}
    sent: list[tuple[str, str]] = []
    page.on("request", lambda request: sent.append((request.url, request.headers.get("referer", ""))))
    await page.goto("/callnow/john_doe?link=good")
    await expect(page.get_by_role("textbox")).to_have_count(0)
    await page.get_by_role("button", name="Call me now").click()
    await expect(page.get_by_role("heading")).to_have_text("Ringing John Doe")
    assert [asked.link for asked in desk.asked] == ["good"]
    assert len(sent) > 3
    assert [url for url, referer in sent if "link=good" in referer] == []


async def test_cancel(page: Page, desk: ScriptedDesk) -> None:
    await ask(page)
    await page.get_by_role("button", name="Cancel the call").click()
    await expect(page.get_by_role("heading")).to_have_text("You cancelled the call")
    assert desk.cancelled == ["token-1"]


async def test_a_time_is_chosen_and_told_by_the_visitor_s_own_clock_too(
    browser: Browser, url: str, desk: ScriptedDesk
) -> None:
    desk.slots["john_doe"] = SLOTS
    page = await browser.new_page(base_url=url, timezone_id="America/New_York", locale="en-GB")
    await page.goto("/callnow/john_doe")
    await page.get_by_label("Your name").fill("Mary")
    await page.get_by_label("Your phone number").fill("202 555 0100")
    choice = page.get_by_label("When shall we call you?")
    await expect(choice).to_have_value("")
    await expect(choice).to_have_accessible_description("Times are those of Europe/Bucharest, where it is 14:12 now.")
    await choice.select_option("Friday, 20 November, 16:30")
    await page.get_by_role("button", name="Call me").click()
    await expect(page.get_by_role("heading")).to_have_text("Ringing John Doe")
    assert [asked.at for asked in desk.asked] == [1_795_185_000.0]
    await until(lambda: desk.watchers == 1)
    desk.statuses["token-1"] = WAITING
    await desk.wake()
    await expect(page.get_by_role("heading")).to_have_text("We will call at 16:30")
    await expect(page.get_by_role("status")).to_contain_text("The time is that of Europe/Bucharest.")
    here = re.compile("By the clock of your device: Friday.* 9:30.AM")
    await expect(page.get_by_role("status")).to_contain_text(here)
    await page.get_by_role("button", name="Cancel the call").click()
    await expect(page.get_by_role("heading")).to_have_text("You cancelled the call")
    await page.close()


async def test_without_javascript_a_closed_page_takes_times_only(plain_page: Page, desk: ScriptedDesk) -> None:
    desk.pages["john_doe"] = replace(JOHN, available=False)
    desk.slots["john_doe"] = SLOTS
    await plain_page.goto("/callnow/john_doe")
    await expect(plain_page.get_by_role("status")).to_contain_text("takes no calls at the moment")
    await plain_page.get_by_label("Your name").fill("Mary")
    await plain_page.get_by_label("Your phone number").fill("202 555 0100")
    desk.refusal = Refused("slot-not-free", "Choose one of the times that are free.", 422, "when")
    await plain_page.get_by_role("button", name="Call me").click()
    choice = plain_page.get_by_label("When shall we call you?")
    await expect(choice).to_have_accessible_description(re.compile("Choose one of the times that are free."))
    desk.refusal = None
    await choice.select_option(label="Monday, 23 November, 09:30")
    await plain_page.get_by_role("button", name="Call me").click()
    await expect(plain_page.get_by_role("heading")).to_have_text("Ringing John Doe")
    assert [asked.at for asked in desk.asked] == [0.0, 1_795_419_000.0]
    desk.statuses["token-2"] = WAITING
    await expect(plain_page.get_by_role("heading")).to_have_text("We will call at 16:30", timeout=10_000)
    await plain_page.get_by_role("button", name="Cancel the call").click()
    await expect(plain_page.get_by_role("heading")).to_have_text("You cancelled the call")


async def test_without_javascript_the_page_refreshes_itself(plain_page: Page, desk: ScriptedDesk) -> None:
    await ask(plain_page)
    await expect(plain_page.get_by_role("heading")).to_have_text("Ringing John Doe")
    await desk.tell("token-1", Stage.NOT_AVAILABLE)
    await expect(plain_page.get_by_role("heading")).to_have_text("Not available right now", timeout=10_000)
    await expect(plain_page.get_by_role("link", name="Call again")).to_be_visible()


async def test_by_keyboard_alone(page: Page, desk: ScriptedDesk) -> None:
    await page.goto("/callnow/john_doe")
    for typed in ("Mary", "+12025550100"):  # the first Tab passes the skip link, then the country
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.type(typed)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading")).to_have_text("Ringing John Doe")
    assert [(asked.name, asked.number) for asked in desk.asked] == [("Mary", "+12025550100")]


async def test_enter_sends_the_form_and_does_not_change_the_digits(page: Page, desk: ScriptedDesk) -> None:
    desk.pages["john_doe"] = replace(JOHN, image_validation=True)
    await page.goto("/callnow/john_doe")
    await page.get_by_label("The five digits").fill("1")
    await page.get_by_label("The five digits").press("Enter")
    summary = page.get_by_role("alert")
    await expect(summary).to_be_focused()
    await summary.get_by_role("link", name="Enter your name.").click()
    await expect(page.get_by_label("Your name")).to_be_focused()
    await expect(page.get_by_label("Your name")).to_have_accessible_description("Enter your name.")


async def test_the_digits_can_be_seen_and_heard(page: Page, desk: ScriptedDesk) -> None:
    desk.pages["john_doe"] = replace(JOHN, image_validation=True)
    await page.goto("/callnow/john_doe")
    assert await page.locator("img.captcha").evaluate("image => image.complete && image.naturalWidth") == 300
    seconds = await page.locator("audio").evaluate(
        "audio => new Promise((done, failed) => {"
        "  audio.onloadedmetadata = () => done(audio.duration); audio.onerror = failed; audio.preload = 'auto';"
        "})"
    )
    assert 2 < seconds < 6


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_accessible_fits_the_screen_and_keeps_its_own_policy(
    browser: Browser, url: str, desk: ScriptedDesk, scheme: Literal["light", "dark"], width: int
) -> None:
    desk.pages["john_doe"] = replace(JOHN, image_validation=True, message="A\nB " + "long" * 40)
    desk.pages["off"] = replace(JOHN, id="off", available=False, owner_name=None)
    desk.links = {"good": LinkPass("Mary", "55"), "over": Refused("", "This link has been used already.", 410)}
    desk.pages["later"] = replace(JOHN, id="later", image_validation=True)
    desk.pages["closed"] = replace(JOHN, id="closed", available=False)
    desk.slots = {"later": SLOTS, "closed": SLOTS}
    desk.statuses = {stage.value: VisitorStatus(stage, "john_doe", "+12025550100") for stage in Stage}
    desk.statuses["scheduled"] = WAITING
    await desk.write(replace(CALL, recorded=True), *LADDER)
    page = await browser.new_page(base_url=url, color_scheme=scheme, viewport={"width": width, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for path in PATHS:
        await page.goto(path)
        await page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
        complaints += [f"{path}: {fault}" for fault in await faults_of(page)]
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.goto("/callnow/john_doe")
    await page.get_by_role("button", name="Call me now").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    complaints += [f"errors: {fault}" for fault in await faults_of(page)]
    await page.close()
    refused = "Failed to load resource: the server responded with a status of"
    assert complaints == [f"{refused} 410 (Gone)", f"{refused} 422 (Unprocessable Entity)"]
    assert ground == {"light": "rgb(238, 242, 243)", "dark": "rgb(13, 19, 23)"}[scheme]


async def faults_of(page: Page) -> list[str]:
    """What axe-core finds, WCAG 2.2 AA and best practice, and how far the page scrolls sideways."""
    found = (await Axe().run(page)).response["violations"]
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [violation["id"] for violation in found] + [f"{wide} px too wide"] * bool(wide)


async def test_the_demo_follows_the_newest_call(page: Page, desk: ScriptedDesk) -> None:
    await desk.write(CALL, *LADDER[:2])
    await page.goto("/demo")
    rows = page.locator("#ladder > li")
    await expect(rows).to_have_count(2)
    await desk.write(CALL, LADDER[2])
    await expect(rows).to_have_count(3)
    await rows.nth(1).locator("summary").click()
    await expect(rows.nth(1).locator("pre")).to_contain_text("INVITE sip:001*002@127.0.0.1:5080 SIP/2.0")
    await desk.write(replace(CALL, id="c2", to="nobody yet"), LadderRow(0, 0.0, "event", 1, 1, "A new call"))
    await expect(page.locator("#summary")).to_contain_text("nobody yet")
    await expect(rows).to_contain_text(["A new call"])
    await expect(page.locator("#calls tr")).to_have_count(2)
    await desk.write(replace(CALL, id="c2", state="ended", reason="talked", charge="0.12 USD"))
    await expect(page.locator("#summary")).to_contain_text("0.12 USD")


async def test_the_demo_s_buttons_say_which_is_pressed(page: Page, desk: ScriptedDesk) -> None:
    await page.goto("/demo")
    await page.get_by_role("button", name="Offline").click()
    await expect(page.get_by_role("button", name="Offline", pressed=True)).to_be_visible()
    assert desk.behaviour == "offline"


async def test_the_demo_shows_the_credit_as_it_falls(page: Page, desk: ScriptedDesk) -> None:
    await page.goto("/demo")
    await expect(page.locator("#credit")).to_have_text("0.34 USD")
    desk.credit = "0.33 USD"
    await expect(page.locator("#credit")).to_have_text("0.33 USD")


async def test_the_time_of_talk_counts_on_while_nothing_else_happens(page: Page, desk: ScriptedDesk) -> None:
    await desk.write(CALL)
    for path in ("/calls", f"/calls/{CALL.id}"):
        await page.goto(path)
        shown = page.locator("[data-talking]")
        await expect(shown).to_have_text("1 min 05 s")
        await expect(shown).to_have_text(re.compile("1 min 0[6-9] s"))
    await desk.write(replace(CALL, state="ended", talk_s=80))
    await expect(shown).to_have_count(0)


async def test_figures_and_prompts_have_room_on_a_phone(page: Page, desk: ScriptedDesk) -> None:
    long = "RTP 512 received, 0 lost, jitter 0.3 ms, 498 sent"
    rows = [LadderRow(n, 5.0, "rtp", lane, 1, long) for n, lane in enumerate((0, 2))]
    await desk.write(CALL, *rows, LadderRow(2, 6.0, "prompt", 1, 0, long))
    await page.set_viewport_size({"width": 360, "height": 800})
    await page.goto(f"/calls/{CALL.id}")
    heights = [(await row.bounding_box() or {})["height"] for row in await page.locator("#ladder li").all()]
    assert max(heights) < 50, "two lines of text"
