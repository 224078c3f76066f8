"""Kamailio as an edge proxy that we trust: phones behind it, over UDP and WebSocket, by Path and their flows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from store.bindings import Binding, load_bindings
from tests.acceptance.ports import PEER_RTP, free_port
from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.server import Server, until
from tests.interop.test_kamailio import MOBILE
from tests.peers.jssip_phone import JsSipPhone
from tests.peers.servers import kamailio_edge, kamailio_version
from tests.peers.sipp import Sipp

TRUSTED = '\n[server]\nedge_proxies = ["127.0.0.9"]\n'


@pytest.fixture
def proves(proven: Callable[..., None]) -> Callable[..., None]:
    """Say what was shown; skips where Kamailio is not installed."""
    version = kamailio_version() or pytest.skip("needs the program kamailio")
    return lambda what: proven("Kamailio", version, what)


async def bound(server: Server) -> Binding:
    """Where John is, once he is somewhere."""
    return (await until(lambda: server.read(lambda conn: load_bindings(conn, 0.0)), "binding"))[0]


async def test_a_phone_behind_it_over_udp(scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
    """Registered, called by its Path, calling out, with sound both ways."""
    at = scene.address("127.0.0.9")
    server = await scene.serve(more=TRUSTED)

    def phone(behaviour: str, **keys: str) -> Sipp:
        return Sipp(
            behaviour, local=scene.ph, remote=at, folder=tmp_path / behaviour, media_port=free_port(PEER_RTP, 10),
            **keys,  # type: ignore[arg-type]
        )

    async with kamailio_edge(tmp_path / "kamailio", at=at, left=server.sip):
        async with phone("phone_answer") as called:
            binding = await bound(server)
            assert f"@{at};" in binding.path
            assert (";lr" in binding.path, binding.seen_ip) == (True, "127.0.0.5")
            caller = await scene.trunk("trunk_call_in", d="2000")
            await caller.passed()
            await called.passed()
            (invite,) = scene.invites(at)
            assert f"@{at};" in (invite.header("Route") or "")
            began = scene.said("ACK ", source=at, target=scene.ph)[0].at + 0.3
            assert scene.share("127.0.0.5", "127.0.0.2", began, 1.5) >= 0.95
            proves("edge proxy with Path: a call to a phone behind it goes by its Path, sound both ways")
        trunk = await scene.trunk("trunk_answer")
        async with phone("uac_call", service=MOBILE, d="500") as calling:
            await calling.passed()
        await trunk.passed()
        await until(lambda: len(server.calls()) == 2, "two calls")
        assert {call.reason for call in server.calls()} == {"talked"}
        await server.rest()
    proves("edge proxy with Path: a call out of a phone behind it")


async def test_a_phone_behind_it_over_websocket(scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
    """JsSIP registers with Outbound, rings, and is gone: Kamailio says 430."""
    if JsSipPhone.version() is None:
        pytest.skip("needs node and JsSIP in .venv/jssip")
    at = scene.address("127.0.0.9")
    server = await scene.serve(NO_CAPTCHA, more=TRUSTED)
    visitor = await scene.visitor()
    async with kamailio_edge(tmp_path / "kamailio", at=at, left=server.sip):
        async with JsSipPhone(
            tmp_path, url=f"ws://{at}", user="001*002", password="secret", domain=server.host
        ) as page:
            await page.event("registered")
            binding = await bound(server)
            assert (binding.reg_id, ";ob" in binding.path) == (1, True)
            proves("edge proxy with Path: JsSIP on WebSocket behind it registers with Outbound")
            await visitor.ask()
            assert (await page.event("incoming"))["name"] == "Mary"
            page.command("busy")
            assert (await server.request_over()).reason == "busy"
            proves("edge proxy with Path: JsSIP on WebSocket behind it rings by its flow")
            page.kill()
        await visitor.ask(phone="5555555556")
        assert (await server.request_over(2)).reason == "offline"
        assert scene.said("SIP/2.0 430", source=at)
    proves("edge proxy with Path: a phone that is gone is offline at its 430")
