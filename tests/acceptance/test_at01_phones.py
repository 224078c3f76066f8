"""AT-01 with phones that others wrote: baresip confirms and listens, pyVoIP is the second phone, chromium asks."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from media.g711 import Samples, decode
from media.prompt import read_wav
from tests.acceptance.ports import SIP, free_port
from tests.acceptance.scene import NO_CAPTCHA, NO_CONFIRMATION, Scene
from tests.acceptance.server import until
from tests.acceptance.sound import seconds_of
from tests.peers.addresses import namespace
from tests.peers.baresip import TONE_HZ, Baresip
from tests.peers.pyvoip_phone import PyVoipPhone
from tests.peers.websocket_bridge import websocket_bridge

TRUNK_TONE_HZ = 440
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "ws"])
async def test_at01_baresip_confirms_by_key_and_hears_the_visitor(
    scene: Scene, tmp_path: Path, transport: str
) -> None:
    async with AsyncExitStack() as stack:
        space = stack.enter_context(namespace())
        server = await scene.serve(NO_CAPTCHA, host=space.host_address)
        domain = server.tls if transport == "tls" else server.sip
        if transport == "ws":
            port, phone = free_port(SIP), f"{space.address}:5060"
            bridge = websocket_bridge(space.host_address, port, server=server.ws, phone=phone)
            domain = (await stack.enter_async_context(bridge)).at
        async with Baresip(
            tmp_path / "john", user="001*002", password="secret", address=space.address, sip_port=5060, domain=domain,
            prefix=space.prefix, transport="tcp" if transport == "ws" else transport,
        ) as john:
            await john.registered()
            trunk, visitor = await scene.trunk("trunk_rtp_stops"), await scene.visitor()
            token = await visitor.ask()
            ringing = await john.incoming()
            assert (ringing["peerdisplayname"], "5555555555" in ringing["peeruri"]) == ("Mary", True)
            await john.answer()
            await john.established()
            assert scene.invites(scene.t1) == []
            await john.press("1")
            await trunk.until("ACK")
            await visitor.until_stage(token, "talking")
            await until(lambda: len(heard_by_trunk(scene)) >= 20_000, "2.5 s of sound at the trunk", 10)
            await john.hangup()
            await john.closed()
            await trunk.passed()
            assert (await server.request_over()).reason == "talked"
        assert seconds_of(heard_by_trunk(scene), TONE_HZ) >= 2.0
        (heard,) = john.heard
        assert seconds_of(read_wav(heard), TRUNK_TONE_HZ) >= 2.0


def heard_by_trunk(scene: Scene) -> Samples:
    """What was sent to T1."""
    sound = b"".join(stream.audio() for stream in scene.wire.rtp() if stream.target.startswith("127.0.0.2:"))
    return decode(sound, "PCMU")


async def test_at01_pyvoip_answers_and_hears_the_visitor(scene: Scene, tmp_path: Path) -> None:
    server = await scene.serve(NO_CONFIRMATION)
    trunk, visitor = await scene.trunk("trunk_rtp_stops"), await scene.visitor()
    async with pyvoip(scene, tmp_path) as phone:
        await phone.event("registered")
        await visitor.ask()
        assert "5555555555" in (await phone.event("incoming"))["caller"]
        await phone.event("answered")
        await trunk.until("ACK")
        await until(lambda: len(scene.stream(target="127.0.0.6").packets) > 120, "2.4 s of sound", 10)
        phone.hangup()
        assert (await phone.event("ended"))["loud"] >= 75
        await trunk.passed()
        assert (await server.request_over()).reason == "talked"


async def test_at01_pyvoip_is_the_second_phone_that_rings(scene: Scene, tmp_path: Path) -> None:
    """John has two phones: the one that is not taken is cancelled; where it answers even so it gets ACK and BYE."""
    server = await scene.serve(NO_CAPTCHA)
    visitor = await scene.visitor()
    async with pyvoip(scene, tmp_path, auto_answer=False) as second:
        await second.event("registered")
        phone = await scene.phone("phone_answer_press_1_bye_after", d="3000")
        trunk = await scene.trunk()
        await visitor.ask()
        await second.event("incoming")
        (cancel,) = await until(lambda: scene.said("CANCEL ", source=server.sip), "CANCEL")
        second.answer()
        await until(lambda: scene.said("BYE ", source=server.sip, target=cancel.target), "BYE")
        assert scene.said("ACK ", source=server.sip, target=cancel.target)
        await phone.passed()
        await trunk.passed()
        request = await server.request_over()
        assert (request.reason, len(scene.invites(scene.t1))) == ("talked", 1)


def pyvoip(scene: Scene, folder: Path, *, auto_answer: bool = True) -> PyVoipPhone:
    """pyVoIP as 001*002 at an address of its own."""
    return PyVoipPhone(
        folder, user="001*002", password="secret", server=scene.server.sip, address="127.0.0.6",
        sip_port=free_port(SIP, 50), auto_answer=auto_answer,
    )


async def test_at01_chromium_submits_the_form_and_follows_the_call(scene: Scene) -> None:
    server = await scene.serve()
    await scene.phone("phone_answer_press_1_bye_after", d="3000")
    trunk, visitor = await scene.trunk(), await scene.visitor()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = await browser.new_page(base_url=server.url)
        await page.goto("/callnow/john_doe")
        challenge = await page.locator("input[name=challenge]").get_attribute("value")
        solved = await visitor.solve({"challenge": challenge or ""})
        for label, value in {"Your name": "Mary", "Your phone number": "(555) 555-5555"}.items():
            await page.get_by_label(label).fill(value)
        await page.locator("#captcha").fill(solved["captcha"])
        await page.get_by_role("button", name="Call me now").click()
        loads: list[str] = []
        await page.wait_for_url("**/callnow/status/*")
        page.on("framenavigated", lambda frame: loads.append(frame.url))
        stage = page.locator("#call")
        for word in ("talking", "ended"):
            await expect(stage).to_have_attribute("data-stage", word, timeout=10_000)
        await expect(page.locator("#sentence")).to_contain_text("You talked for")
        assert loads == []  # it followed live, it was not loaded again
        await browser.close()
    await trunk.passed()
    assert (await server.request_over()).reason == "talked"
