"""SIP over WebSocket with JsSIP, the phone of others that browsers run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from store.bindings import Binding, load_bindings
from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.server import Server, until
from tests.peers.jssip_phone import JsSipPhone

pytestmark = pytest.mark.skipif(JsSipPhone.version() is None, reason="needs node and JsSIP in .venv/jssip")


def jssip(server: Server, folder: Path, **more: Any) -> JsSipPhone:
    """John's page."""
    told = {"url": f"ws://{server.ws}/", "user": "001*002", "password": "secret", "domain": server.host}
    return JsSipPhone(folder, **(told | more))


def bound(server: Server) -> list[Binding]:
    """Where John is."""
    return server.read(lambda conn: load_bindings(conn, 0.0))


async def last_reason(server: Server, count: int) -> str:
    """Why the last of so many requests ended or became no call."""
    return (await until(lambda: server.requests()[count - 1 :], "request"))[0].reason


@pytest.fixture
def proves(proven: Callable[..., None]) -> Callable[..., None]:
    """Say what was shown."""
    return lambda what: proven("JsSIP", JsSipPhone.version(), what)


async def test_a_page_registers_rings_and_is_gone_with_its_connection(
    scene: Scene, tmp_path: Path, proves: Callable[..., None]
) -> None:
    server = await scene.serve(NO_CAPTCHA)
    visitor = await scene.visitor()
    async with jssip(server, tmp_path, url=f"wss://{server.wss}/", ca=server.certificate, name="pbx.test") as page:
        await page.event("registered")
        (binding,) = await until(lambda: bound(server), "binding")
        assert (".invalid;transport=ws" in binding.contact, binding.reg_id) == (True, 1)
        page.command("options", f"sip:{server.host}")
        assert (await page.event("options"))["status"] == 200
        await visitor.ask()
        incoming = await page.event("incoming")
        assert (incoming["name"], ".invalid" in incoming["uri"]) == ("Mary", True)
        page.command("busy")
        assert (await server.request_over()).reason == "busy"
        proves("WebSocket with TLS: registers with Outbound, OPTIONS, rings, is busy")
        await visitor.ask(phone="5555555556")
        await page.event("incoming", times=2)
        page.command("cut")  # while it rings: nobody waits for it
        assert (await server.request_over(2)).reason == "no-answer"
        await page.event("registered", times=2)  # by another connection
        await until(lambda: len(bound(server)) == 1, "one binding")
        proves("WebSocket with TLS: its connection is cut while it rings, and made again")
    await until(lambda: not bound(server), "no binding")
    answer = await visitor.post(name="Mary", phone="5555555557")
    assert (answer.status_code, await last_reason(server, 3)) == (409, "offline")


async def test_a_wrong_password_and_what_is_no_sip_are_refused(
    scene: Scene, tmp_path: Path, proves: Callable[..., None]
) -> None:
    server = await scene.serve()
    async with jssip(server, tmp_path / "wrong", password="guess") as page:
        assert (await page.event("refused"))["status"] == 403
    async with jssip(server, tmp_path / "chat", protocols=["chat"]) as page:
        assert (await page.event("turned-away"))["status"] == 400
    assert bound(server) == []
    proves("WebSocket: a wrong password, another subprotocol are refused")


async def test_after_a_restart_a_page_that_is_gone_is_not_called(scene: Scene, tmp_path: Path) -> None:
    server = await scene.serve(NO_CAPTCHA)
    async with jssip(server, tmp_path) as page:
        await page.event("registered")
        await until(lambda: bound(server), "binding")
        await server.kill()
        page.command("quit")
        await server.start()
        answer = await (await scene.visitor()).post(name="Mary", phone="5555555555")
        assert (answer.status_code, await last_reason(server, 1)) == (409, "offline")
