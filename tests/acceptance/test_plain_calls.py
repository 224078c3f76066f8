"""Plain calls: between extensions, out by a trunk at the account's expense, and in from a trunk."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from media.g711 import decode
from media.listen import tone_share
from media.prompt import read_wav
from media.rtp import Packet, write
from tests.acceptance.scene import SECOND_PHONE, Scene
from tests.acceptance.server import until
from tests.acceptance.sound import seconds_of
from tests.peers.addresses import namespace
from tests.peers.baresip import TONE_HZ, Baresip

JANE, JANE_SECRET = "001*003", "secret3"
MOBILE = "0412345678"
PHONE_TONE_HZ = 440
TENTH = (("first_interval_s = 30\n", "first_interval_s = 3\n"), ("increment_s = 30\n", "increment_s = 3\n"))


def statuses(scene: Scene, target: str) -> list[int]:
    """The final statuses that one address got for its INVITEs."""
    said = [m for m in scene.said("SIP/2.0 ", target=target) if "INVITE" in (m.header("CSeq") or "")]
    return [status for m in said if (status := int(m.start_line.split()[1])) >= 200]


async def test_plain_baresip_calls_sipp(scene: Scene, tmp_path: Path) -> None:
    with namespace() as space:
        server = await scene.serve(more=SECOND_PHONE, host=space.host_address)
        async with Baresip(
            tmp_path / "jane", user=JANE, password=JANE_SECRET, domain=server.sip, address=space.address,
            sip_port=5060, prefix=space.prefix,
        ) as jane:
            await jane.registered()
            phone = await scene.phone("phone_answer")
            await jane.dial("001*002")
            await jane.established()
            await until(lambda: len(scene.stream(target="127.0.0.5").packets) > 125, "2.5 s of sound", 10)
            await jane.hangup()
            await phone.passed()
            call = await server.call_over()
        assert (call.kind, call.from_, call.to, call.reason) == ("internal", JANE, "001*002", "talked")
        assert (call.cost, server.spent()) == (0, 0)
        assert seconds_of(decode(scene.stream(target="127.0.0.5").audio(), "PCMU"), TONE_HZ) >= 2.0
        (heard,) = jane.heard
        assert seconds_of(read_wav(heard), PHONE_TONE_HZ) >= 2.0


async def test_plain_call_out_is_rated(scene: Scene) -> None:
    server = await scene.serve(*TENTH)
    trunk = await scene.trunk()
    caller = await scene.phone("uac_call", service=MOBILE, d="3200")
    await caller.passed()
    await trunk.passed()
    (invite,) = scene.invites()
    assert invite.start_line.startswith(f"INVITE sip:{MOBILE}@")
    assert '"John Doe" <sip:5555550000@' in (invite.header("From") or "")
    call = await server.call_over()
    assert (call.kind, call.extension, call.to, call.reason) == ("outbound", "001*002", MOBILE, "talked")
    assert (call.cost, server.spent(), call.talk_ms // 1000) == (200_000, 200_000, 3)
    assert [(leg.lane, leg.status, leg.cost) for leg in server.legs(call.id)] == [(0, 200, 0), (2, 200, 200_000)]


async def test_plain_call_in_by_did(scene: Scene) -> None:
    server = await scene.serve()
    phone = await scene.phone("phone_answer")
    caller = await scene.trunk("trunk_call_in", d="1000")
    await caller.passed()
    await phone.passed()
    (invite,) = scene.invites()
    assert "<sip:5551111111@" in (invite.header("From") or "")
    call = await server.call_over()
    assert (call.kind, call.from_, call.to, call.reason, call.cost) == (
        "inbound", "5551111111", "5555550000", "talked", 0,
    )


@pytest.mark.parametrize(("changes", "behaviour", "keys", "status"), [
    pytest.param((), "uac_call", {"service": MOBILE, "password": "wrong"}, 403, id="wrong password"),
    pytest.param((), "uac_call", {"service": MOBILE, "user": "001*099"}, 403, id="nobody's user"),
    pytest.param((("100.00", "0.05"),), "uac_call", {"service": MOBILE}, 402, id="no credit"),
    pytest.param((), "uac_call", {"service": "001*099"}, 404, id="no such extension"),
    pytest.param((), "uac_call", {"service": "0612345678"}, 403, id="no rate for the number"),
    pytest.param((), "uac_call", {"service": "19005551234"}, 403, id="a refused number"),
    pytest.param((), "uac_call", {"service": JANE}, 480, id="an extension without a phone"),
    pytest.param((), "trunk_call_in", {"service": "5550009999"}, 404, id="a trunk calls an unknown number"),
    pytest.param((), "trunk_call_in", {}, 480, id="a trunk calls an extension without a phone"),
])
async def test_plain_call_refused(
    scene: Scene, changes: tuple[tuple[str, str], ...], behaviour: str, keys: dict[str, Any], status: int
) -> None:
    server = await scene.serve(*changes, more=SECOND_PHONE)
    caller = await (scene.phone if behaviour == "uac_call" else scene.trunk)(behaviour, **keys)
    assert not (await caller.verdict()).passed
    got = statuses(scene, scene.ph if behaviour == "uac_call" else scene.t1)
    assert got == ([401, status] if behaviour == "uac_call" else [status])
    assert (scene.invites(), server.spent()) == ([], 0)


async def test_plain_call_without_proof_is_challenged(scene: Scene) -> None:
    """A stranger, and a trunk's address that is nobody's: no call."""
    await scene.serve()
    stranger = scene.address("127.0.0.9")
    caller = await scene.trunk("trunk_call_in", at=stranger)
    assert not (await caller.verdict()).passed
    assert (statuses(scene, stranger), scene.invites()) == ([401], [])


async def test_plain_trunk_puts_on_hold_and_back(scene: Scene) -> None:
    server = await scene.serve()
    trunk = await scene.trunk("trunk_hold_reinvite", d="800")
    caller = await scene.phone("uac_call", service=MOBILE, d="4000")
    await caller.passed()
    await trunk.passed()
    assert (await server.call_over()).reason == "talked"


async def test_plain_trunk_challenges_us(scene: Scene) -> None:
    server = await scene.serve((
        "trusted = true", 'trusted = true\nuser = "ringback"\npassword = "trunksecret"',
    ))
    trunk = await scene.trunk("trunk_digest_407")
    caller = await scene.phone("uac_call", service=MOBILE, d="500")
    await caller.passed()
    await trunk.passed()
    assert (await server.call_over()).reason == "talked"


async def test_plain_cancel_while_ringing(scene: Scene) -> None:
    server = await scene.serve()
    trunk = await scene.trunk("trunk_no_answer")
    caller = await scene.phone("uac_cancel_while_ringing", service=MOBILE, d="500")
    await caller.passed()
    await trunk.passed()
    call = await server.call_over()
    assert (call.reason, call.cost) == ("cancelled", 0)


async def test_plain_busy_is_busy(scene: Scene) -> None:
    server = await scene.serve()
    await scene.trunk("trunk_busy")
    caller = await scene.phone("uac_call", service=MOBILE)
    assert not (await caller.verdict()).passed
    assert statuses(scene, scene.ph) == [401, 486]
    assert ((await server.call_over()).reason, server.spent()) == ("busy", 0)


async def test_plain_next_trunk_when_one_is_out_of_service(scene: Scene) -> None:
    server = await scene.serve()
    first, second = await scene.trunk("trunk_unavailable_503"), await scene.trunk(at=scene.t2)
    caller = await scene.phone("uac_call", service=MOBILE, d="500")
    for sipp in (caller, first, second):
        await sipp.passed()
    call = await server.call_over()
    assert [(leg.party, leg.status) for leg in server.legs(call.id)] == [("001*002", 200), ("R1", 503), ("R2", 200)]


async def test_plain_early_media_is_heard(scene: Scene) -> None:
    server = await scene.serve()
    await scene.trunk("trunk_early_media_then_404", d="2000")
    caller = await scene.phone("uac_call", service=MOBILE)
    assert not (await caller.verdict()).passed
    assert caller.received("183")
    assert statuses(scene, scene.ph) == [401, 404]
    assert seconds_of(decode(scene.stream(target="127.0.0.5").audio(), "PCMU"), PHONE_TONE_HZ) >= 1.5
    assert ((await server.call_over()).reason, server.spent()) == ("failed", 0)


async def test_plain_silence_ends_the_call(scene: Scene) -> None:
    """The trunk answers and never sends RTP; rtp_timeout_s is 1.5 s here."""
    server = await scene.serve(rtp_timeout_s=1.5)
    trunk = await scene.trunk("trunk_one_way_audio")
    caller = await scene.phone("uac_call_hung_up", service=MOBILE)
    await caller.passed()
    await trunk.passed()
    assert (await server.call_over()).reason == "media-lost"


async def test_plain_stranger_is_neither_heard_nor_answered(scene: Scene) -> None:
    """Forged RTP to both ports of a call, with the phone's payload type, from an address that has no part in it."""
    server = await scene.serve()
    trunk = await scene.trunk("trunk_rtp_stops")
    caller = await scene.phone("uac_call", service=MOBILE, d="4000")
    await trunk.until("ACK")
    await until(lambda: len(scene.stream(source="127.0.0.5").packets) > 25, "sound")
    forged = b"\x33" * 160
    ports = {
        int(found[1]) for m in scene.wire.sip() if m.source == server.sip
        if (found := re.search(r"^m=audio (\d+) ", m.text, re.MULTILINE))
    }
    assert len(ports) == 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        stranger.bind(("127.0.0.9", 0))
        for n in range(100):
            for port in ports:
                stranger.sendto(write(Packet(0, n, n * 160, 0xBAD, False, forged)), (server.host, port))
            await asyncio.sleep(0.005)
        await caller.passed()
        await trunk.passed()
        with pytest.raises((BlockingIOError, ConnectionRefusedError)):
            stranger.recv(2048)
    heard = [p for s in scene.wire.rtp() if s.source.startswith(server.host) for p in s.packets]
    assert heard
    assert not [packet for packet in heard if forged[:80] in packet.payload]
    assert tone_share(decode(scene.stream(target="127.0.0.2").audio(), "PCMU")[8000:16000], PHONE_TONE_HZ) > 0.8
