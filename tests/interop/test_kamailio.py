"""Kamailio between us and the far end: a carrier's proxy, and a proxy in front of phones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.ports import PEER_RTP, free_port
from tests.acceptance.scene import Change, Scene
from tests.acceptance.server import until
from tests.peers.servers import kamailio, kamailio_version
from tests.peers.sipp import Sipp

MOBILE = "0412345678"


@pytest.fixture
def proves(proven: Callable[..., None]) -> Callable[..., None]:
    """Say what was shown; skips where Kamailio is not installed."""
    version = kamailio_version() or pytest.skip("needs the program kamailio")
    return lambda what: proven("Kamailio", version, what)


def by(scene: Scene, at: str) -> tuple[Change, Change]:
    """R1 is at this address."""
    host, _, port = at.rpartition(":")
    return ('host = "127.0.0.2"', f'host = "{host}"'), (f"port = {scene.t1.rpartition(':')[2]}", f"port = {port}")


async def test_a_call_out(scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
    at = scene.address("127.0.0.9")
    server = await scene.serve(*by(scene, at))
    async with kamailio(tmp_path / "kamailio", at=at, left=server.sip, right=scene.t1):
        trunk = await scene.trunk("trunk_answer")
        caller = await scene.phone("uac_call", service=MOBILE, d="2000")
        await caller.passed()
        await trunk.passed()
        (invite,) = scene.said("INVITE ", source=at)
        assert f"<sip:{at};" in (invite.header("Record-Route") or "")
        sent = scene.said("ACK ", source=server.sip, target=at) + scene.said("BYE ", source=server.sip, target=at)
        assert [f"<sip:{at};" in (m.header("Route") or "") for m in sent] == [True, True]
        assert (await server.call_over()).reason == "talked"
        began = scene.said("ACK ", target=scene.t1)[0].at + 0.3
        assert scene.share("127.0.0.5", "127.0.0.2", began, 1.5) >= 0.95
        assert scene.share("127.0.0.2", "127.0.0.5", began, 1.5) >= 0.95
        await server.rest()
    proves("trunk: a call out through it, with Record-Route")


async def test_a_call_in(scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
    at = scene.address("127.0.0.9")
    server = await scene.serve(*by(scene, at))
    async with kamailio(tmp_path / "kamailio", at=at, left=server.sip, right=scene.t1):
        phone = await scene.phone("phone_answer")
        async with Sipp(
            "trunk_call_in", local=scene.t1, remote=at, folder=tmp_path, media_port=free_port(PEER_RTP, 10), d="1000",
        ) as caller:
            await caller.passed()
        await phone.passed()
        assert (await server.call_over()).reason == "talked"
        await server.rest()
    proves("trunk: a call in through it")


async def test_its_503(scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
    at = scene.address("127.0.0.9")
    server = await scene.serve(*by(scene, at))
    full = 'if (is_method("INVITE")) { sl_send_reply("503", "Full"); exit; }'
    async with kamailio(tmp_path / "kamailio", at=at, left=server.sip, right=scene.t1, before=full):
        second = await scene.trunk("trunk_answer", at=scene.t2)
        caller = await scene.phone("uac_call", service=MOBILE, d="500")
        await caller.passed()
        await second.passed()
        assert len(scene.invites(at)) == 1
        assert (await server.call_over()).reason == "talked"
        await server.rest()
    proves("trunk: its 503 sends the call to the next trunk")


async def test_a_phone_behind_it(scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
    at = scene.address("127.0.0.9")
    server = await scene.serve()

    def phone(behaviour: str, **keys: str) -> Sipp:
        return Sipp(
            behaviour, local=scene.ph, remote=at, folder=tmp_path / behaviour, media_port=free_port(PEER_RTP, 10),
            **keys,  # type: ignore[arg-type]
        )

    async with kamailio(tmp_path / "kamailio", at=at, left=server.sip):
        async with phone("phone_answer") as called:
            assert scene.said("SIP/2.0 200", source=server.sip, target=at)
            proves("edge proxy: a phone behind it registers")
            caller = await scene.trunk("trunk_call_in", d="500")
            await caller.passed()
            await called.passed()
            proves("edge proxy: a call to a phone behind it")
        trunk = await scene.trunk("trunk_answer")
        async with phone("uac_call", service=MOBILE, d="500") as calling:
            await calling.passed()
        await trunk.passed()
        assert len(scene.said("INVITE ", source=at, target=server.sip)) == 2
        assert scene.said("ACK ", source=at, target=server.sip)[-1].header("Via")
        await until(lambda: len(server.calls()) == 2, "two calls")
        assert {call.reason for call in server.calls()} == {"talked"}
        await server.rest()
    proves("edge proxy: a call out of a phone behind it")
