"""The demo page in a real browser, on the real server: the callback number from the button to the last cent."""

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright, expect

from b2bua.demo.start import start_demo
from tests.demo.settings import TEST

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture
async def browser():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def demo(tmp_path, request):
    async with AsyncExitStack() as stack:
        timing = replace(TEST.timing, ring_s=getattr(request, "param", TEST.timing.ring_s))
        yield await start_demo(replace(TEST, home=tmp_path, credit="0.15", timing=timing, ring_s=30), stack)


async def test_the_callback_number_is_rung_and_followed_to_the_last_cent(browser, demo):
    page = await browser.new_page(base_url=demo.running.base_url)
    await page.goto("/demo")
    ring, credit, ladder = page.get_by_role("button", name="Ring it"), page.locator("#credit"), page.locator("#ladder")
    await expect(credit).to_have_text("0.15 USD")
    await ring.click()
    await expect(ladder).to_contain_text("486 Busy Here", timeout=5000)
    await expect(ladder).to_contain_text("said: Your credit is three cents", timeout=20_000)
    await expect(ladder).to_contain_text("joined", timeout=20_000)
    await expect(page.locator("#summary")).to_contain_text("credit-spent", timeout=20_000)
    await expect(page.locator("#summary")).to_contain_text("0.15 USD")
    await expect(ladder).to_contain_text("said: Your credit is used up.")
    await expect(credit).to_have_text("0.00 USD")
    await expect(page.get_by_label("Recording: left the caller")).to_be_visible()
    assert (await Axe().run(page)).response["violations"] == []
    await ring.click()
    await expect(page.locator("#summary")).to_contain_text("There was not enough credit", timeout=5000)
    await page.get_by_role("button", name="Recharge 0.50 USD").click()
    await expect(credit).to_have_text("0.50 USD")


@pytest.mark.parametrize("demo", [15.0], indirect=True)  # how long the first call back rings
async def test_pressed_twice_the_second_is_refused_as_pending_also_without_javascript(browser, demo):
    context = await browser.new_context(base_url=demo.running.base_url, java_script_enabled=False)
    page = await context.new_page()
    await page.goto("/demo")
    for _ in range(2):
        await page.get_by_role("button", name="Ring it").click()
    await expect(page.locator("#ladder")).to_contain_text("180 Ringing")
    await expect(page.locator("#summary")).to_contain_text(
        "already-pending", timeout=10_000
    )  # the page asks again by itself
    await expect(page.locator("#summary")).to_contain_text("A call back to this number was under way already.")
    await expect(page.locator("#calls tr").nth(1)).to_contain_text("ringing")
