"""AT-01: the order of the legs, who is shown to whom, sound both ways, and what is written down."""

from __future__ import annotations

import re

from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.server import until
from tests.acceptance.visitor import token_of
from tests.peers.capture import SipMessage
from tests.peers.sipp import Sipp

PHONE, TRUNK = "127.0.0.5", "127.0.0.2"


def name_and_user(value: str | None) -> tuple[str, str]:
    """`"Mary" <sip:555@host>` -> (Mary, 555)."""
    found = re.match(r'"?([^"<]*?)"?\s*<sip:([^@>]+)@', value or "")
    assert found, value
    return found[1], found[2]


def keys_on_the_wire(scene: Scene) -> list[float]:
    """When the phone sent telephone-event packets."""
    return [
        packet.at
        for stream in scene.wire.rtp() if stream.source.startswith(PHONE)
        for packet in stream.packets if packet.payload_type == 96
    ]


async def test_at01_order_and_identity(scene: Scene) -> None:
    server = await scene.serve()
    phone, trunk = await scene.phone("phone_answer_press_1_bye_after", d="3600"), await scene.trunk()
    visitor = await scene.visitor()
    fields = await visitor.solve(await visitor.form())
    token = token_of(await visitor.post(name="Mary", phone="5555555555", **fields))
    await phone.until("ACK")
    assert (await visitor.stage(token), scene.invites(scene.t1)) == ("ringing", [])
    await trunk.until("ACK")
    assert await visitor.stage(token) == "talking"
    await phone.passed()
    await trunk.passed()
    await visitor.until_stage(token, "ended")

    (asked,), (called,) = scene.invites(scene.ph), scene.invites(scene.t1)
    assert len(scene.invites()) == 2
    assert name_and_user(asked.header("From")) == ("Mary", "5555555555")
    assert called.start_line.startswith("INVITE sip:5555555555@")
    assert name_and_user(called.header("From")) == ("John Doe", "5555550000")
    assert called.at > keys_on_the_wire(scene)[0]
    assert "5555550000" not in asked.text
    assert "Mary" not in called.text
    assert "5555555555" not in "".join(called.header(name) or "" for name in ("From", "Contact", "Via"))

    (request,), (call,) = server.requests(), server.calls()
    assert (request.name, request.number, request.reason, request.cost) == ("Mary", "5555555555", "talked", 120_000)
    assert (call.kind, call.id, call.cost) == ("callnow", request.call_id, 120_000)
    phone_leg, trunk_leg = server.legs(call.id)
    assert (phone_leg.party, phone_leg.status, phone_leg.cost) == ("001*002", 200, 0)
    assert (trunk_leg.party, trunk_leg.status, trunk_leg.cost) == ("R1", 200, 120_000)


async def both_hear_each_other(scene: Scene, phone: Sipp, trunk: Sipp) -> None:
    """For 2 s at least 95 % of what each side sends reaches the other."""
    await phone.until("ACK")
    await trunk.until("ACK")
    began = scene.said("ACK ", target=scene.t1)[0].at

    def audio_since() -> float | None:
        """When the tone began, once 2.5 s of it are captured."""
        tone = [p.at for p in scene.stream(source=PHONE).packets if p.payload_type == 0 and p.at > began]
        return tone[0] if tone and tone[-1] - tone[0] > 2.5 else None

    since = await until(audio_since, "2.5 s of tone", 8) + 0.2
    assert scene.share(PHONE, TRUNK, since) >= 0.95
    assert scene.share(TRUNK, PHONE, since) >= 0.95


def bye(scene: Scene, source: str, target: str) -> SipMessage:
    """The first BYE from one address to another."""
    return scene.said("BYE ", source=source, target=target)[0]


async def test_at01_sound_both_ways_and_the_phone_hangs_up(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA)
    phone, trunk = await scene.phone("phone_answer_press_1_bye_after", d="4500"), await scene.trunk()
    await (await scene.visitor()).ask()
    await both_hear_each_other(scene, phone, trunk)
    await phone.passed()
    await trunk.passed()
    left = bye(scene, scene.ph, server.sip)
    assert 0 < bye(scene, server.sip, scene.t1).at - left.at < 1


async def test_at01_sound_both_ways_and_the_visitor_hangs_up(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA)
    phone, trunk = await scene.phone(), await scene.trunk("trunk_answer_bye_after", d="4000")
    await (await scene.visitor()).ask()
    await both_hear_each_other(scene, phone, trunk)
    await trunk.passed()
    await phone.passed()
    left = bye(scene, scene.t1, server.sip)
    assert 0 < bye(scene, server.sip, scene.ph).at - left.at < 1
    assert (await server.request_over()).reason == "talked"
