"""AT-01 with sound, over IPv6, with one side by each family, and with trunks over TCP and TLS."""

from __future__ import annotations

import pytest

from media.g711 import decode
from tests.acceptance.ports import SIP, free_port
from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.sound import seconds_of

TONE_HZ = 440
T1 = 'host = "127.0.0.2"'


@pytest.mark.parametrize(("phone_at", "trunk_at"), [
    pytest.param("[::1]", "127.0.0.2", id="the phone by IPv6, the trunk by IPv4"),
    pytest.param("[::1]", "[::1]", id="both by IPv6"),
])
async def test_at01_by_ipv6(scene: Scene, phone_at: str, trunk_at: str) -> None:
    port = scene.t1.rpartition(":")[2]
    server = await scene.serve(NO_CAPTCHA, (T1, f'host = "{trunk_at.strip("[]")}"'), six=True)
    phone = await scene.phone("phone_answer_press_1_bye_after", at=f"{phone_at}:{free_port(SIP)}", d="1500")
    trunk = await scene.trunk(at=f"{trunk_at}:{port}")
    visitor = await scene.visitor()
    await visitor.ask()
    await trunk.until("ACK", within_s=10)
    await phone.passed()
    await trunk.passed()
    assert (await server.request_over()).reason == "talked"
    for peer, at in ((phone, phone_at), (trunk, trunk_at)):
        (invite, *_) = peer.received("INVITE")
        ours, family = ("[::1]", "IP6 ::1") if at == "[::1]" else ("127.0.0.1", "IP4 127.0.0.1")
        assert (invite.header("Via") or "").startswith(f"SIP/2.0/UDP {ours}:")
        assert f"c=IN {family}\n" in invite.text.replace("\r", "")
        assert f"{ours}:" in (invite.header("Contact") or "")
        heard = max(
            (s for s in scene.wire.rtp() if s.source.startswith(f"{ours}:") and s.target.startswith(f"{at}:")),
            key=lambda stream: len(stream.packets),
        )
        assert seconds_of(decode(heard.audio(), "PCMU"), TONE_HZ) >= 1.0
