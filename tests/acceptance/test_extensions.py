"""PRACK and session timers with a phone that others wrote and that requires both: PJSUA2."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.acceptance.ports import SIP, free_port
from tests.acceptance.scene import Scene
from tests.acceptance.server import until
from tests.peers.pjsua2_phone import Pjsua2Phone

TONE = Path(__file__).parents[2] / "media/prompts/en/demo-voice.wav"
PRACK = ('password = "secret"', 'password = "secret"\nprack = true')


async def test_a_phone_that_requires_prack_and_session_timers_calls_holds_and_is_called(
    scene: Scene, tmp_path: Path
) -> None:
    server = await scene.serve(PRACK)
    phone = f"127.0.0.6:{free_port(SIP, 50)}"
    host, _, port = phone.rpartition(":")
    async with Pjsua2Phone(
        tmp_path, user="001*002", password="secret", server=server.sip, address=host, sip_port=int(port), speaks=TONE,
        demanding=True,
    ) as john:
        await john.event("registered")
        trunk = await scene.trunk("trunk_reliable_183")
        john.command("dial", "0412345678")
        await john.event("answered")
        await trunk.until("ACK")
        assert len(scene.said("PRACK ", source=phone)) == len(scene.said("PRACK ", target=scene.t1)) == 1
        answer = scene.said("SIP/2.0 200", source=server.sip, target=phone)[-1]
        assert answer.header("Session-Expires") == "120;refresher=uac"
        john.command("hold")
        invites = partial(scene.said, "INVITE ", source=phone)
        (held,) = await until(lambda: [m for m in invites() if "a=sendonly" in m.text], "hold")
        assert (held.header("Session-Expires") or "").startswith("120")
        john.command("resume")
        await until(lambda: len(scene.said("ACK ", source=phone)) >= 3, "ACK of the resume")
        john.command("hangup")
        await trunk.passed()
        caller = await scene.trunk("trunk_call_in", d="500")
        await john.event("incoming")
        john.command("answer")
        await caller.passed()
        assert len(scene.said("PRACK ", source=server.sip, target=phone)) == 1
        assert {call.reason for call in [await server.call_over(2)]} == {"talked"}
