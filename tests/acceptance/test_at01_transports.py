"""AT-01 with sound, over IPv6, with one side by each family, and with trunks over TCP and TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from media.g711 import decode
from media.prompt import read_wav
from tests.acceptance.ports import SIP, free_port
from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.sound import seconds_of
from tests.peers.addresses import namespace
from tests.peers.baresip import TONE_HZ as TRUNK_TONE_HZ
from tests.peers.baresip import Baresip
from tests.sip_stack.certificates import certificate

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
        assert tone_s(scene, ours, at) >= 1.0


def tone_s(scene: Scene, ours: str, at: str, hz: int = TONE_HZ) -> float:
    """For how long the tone was sent to an address."""
    streams = [s for s in scene.wire.rtp() if s.source.startswith(f"{ours}:") and s.target.startswith(f"{at}:")]
    longest = max(streams, key=lambda stream: len(stream.packets))
    return seconds_of(decode(longest.audio(), "PCMU"), hz)


async def test_at01_with_a_trunk_over_tcp(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA, (T1, f'{T1}\ntransport = "tcp"'))
    phone, trunk = await scene.phone("phone_answer_press_1_bye_after", d="1500"), await scene.trunk(tcp=True)
    visitor = await scene.visitor()
    await visitor.ask()
    await phone.passed()
    await trunk.passed()
    assert (await server.request_over()).reason == "talked"
    (invite,) = trunk.received("INVITE")
    assert (invite.header("Via") or "").startswith("SIP/2.0/TCP ")
    assert ";transport=tcp>" in (invite.header("Contact") or "")
    assert tone_s(scene, "127.0.0.1", "127.0.0.2") >= 1.0


@pytest.mark.parametrize(("tcp", "went_by"), [
    pytest.param(True, "TCP", id="18.1.1: by TCP"),
    pytest.param(False, "UDP", id="18.1.1: by UDP where TCP is refused"),
])
async def test_an_invite_of_more_than_1300_bytes(scene: Scene, tcp: bool, went_by: str) -> None:
    filler = f'headers = {{ X-Filler = "{"x" * 1000}" }}'
    server = await scene.serve((T1, f"{T1}\n{filler}"))
    trunk = await scene.trunk(tcp=tcp)
    caller = await scene.phone("uac_call", service="5555555555", d="300")
    await caller.passed()
    await trunk.passed()
    (invite,) = trunk.received("INVITE")
    assert (invite.header("Via") or "").startswith(f"SIP/2.0/{went_by} ")
    assert len(invite.text) > 1300
    assert ("event=not-connected" in server.log.read_text()) is (went_by == "UDP")


async def test_at01_with_a_trunk_over_tls(scene: Scene, tmp_path: Path) -> None:
    """baresip is the trunk: its certificate is for its address, and ours is at hand."""
    with namespace() as space:
        theirs, ours = certificate(tmp_path, space.address), certificate(tmp_path, "pbx.test")
        tls = f'transport = "tls"\ntls_ca = "{theirs[0]}"\ntls_certificate = "{ours[0]}"\ntls_key = "{ours[1]}"'
        there = f"{T1}\nport = {scene.t1.rpartition(':')[2]}"
        server = await scene.serve(
            NO_CAPTCHA, (there, f'host = "{space.address}"\nport = 5061\n{tls}'), host=space.host_address
        )
        pem = tmp_path / "trunk.pem"
        pem.write_bytes(theirs[0].read_bytes() + theirs[1].read_bytes())
        async with Baresip(
            tmp_path / "trunk", user="5555555555", password="", address=space.address, sip_port=5060,
            domain=space.address, prefix=space.prefix, transport="tls", regint=0, auto_answer=True,
            more=f"sip_certificate {pem}\nsip_cafile {ours[0]}\n",
        ) as trunk:  # fmt: skip
            phone, visitor = await scene.phone("phone_answer_press_1_bye_after", d="1500"), await scene.visitor()
            await visitor.ask()
            await trunk.established(within_s=15)
            await phone.passed()
            await trunk.closed()
        assert (await server.request_over()).reason == "talked"
        (heard,) = trunk.heard
        assert seconds_of(read_wav(heard), TONE_HZ) >= 1.0
        assert tone_s(scene, space.host_address, "127.0.0.5", TRUNK_TONE_HZ) >= 1.0
