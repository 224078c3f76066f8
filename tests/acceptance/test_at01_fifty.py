"""AT-01 fifty times at once, with sound: every call completes and nothing is left behind."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

from sip_stack.digest import Credentials
from tests.acceptance.register import register
from tests.acceptance.scene import Scene
from tests.peers.capture import RtpStream, SipMessage

CALLS = 50
SPAN_S = 2.0


def extensions() -> str:
    """Fifty extensions, each with a page."""
    return "".join(f"""
[[extension]]
number = "002*{n:03}"
account = "client"
name = "Owner {n}"
password = "secret{n}"
public_number = "55555510{n:02}"
[extension.callnow]
id = "page{n}"
announce_to_visitor = false
image_validation = false
""" for n in range(CALLS))


async def test_at01_fifty_calls_at_once(scene: Scene) -> None:
    server = await scene.serve(more=extensions())
    for n in range(CALLS):
        await register(server.sip, scene.ph, Credentials(f"002*{n:03}", f"secret{n}"))
    phones = await scene.phone("phone_answer_press_1_bye_after", calls=CALLS, register=False, d="7000")
    trunk, visitor = await scene.trunk(calls=CALLS), await scene.visitor()
    await asyncio.gather(*(visitor.ask(f"page{n}", phone=f"55555520{n:02}") for n in range(CALLS)))
    await server.request_over(CALLS, within_s=30)
    assert Counter(request.reason for request in server.requests()) == {"talked": CALLS}
    await phones.passed()
    await trunk.passed()
    assert (len(scene.invites(scene.ph)), len(scene.invites(scene.t1))) == (CALLS, CALLS)
    assert server.spent() == CALLS * 120_000

    asked, called = ports_by_number(scene.invites(scene.ph), "From"), ports_by_number(scene.invites(scene.t1), "To")
    assert len(asked.keys() & called.keys()) == CALLS
    towards = {stream.target: stream for stream in scene.wire.rtp() if sound(stream)}
    out_of = {stream.source: stream for stream in scene.wire.rtp() if sound(stream)}
    bridged = max(message.at for message in scene.said("ACK ", target=scene.t1))
    since = max(bridged, *(sound(towards[port])[0] for port in asked.values())) + 0.2
    for number, owner_port in asked.items():
        for sent, heard in ((owner_port, called[number]), (called[number], owner_port)):
            assert shares(towards[sent], out_of[heard], since) >= 0.95, number


def ports_by_number(invites: list[SipMessage], header: str) -> dict[str, str]:
    """The visitor's number in a header -> our RTP address in the offer."""
    found = {}
    for invite in invites:
        number = re.search(r"sip:(\d+)@", invite.header(header) or "")
        port = re.search(r"^m=audio (\d+) ", invite.text, re.MULTILINE)
        assert number
        assert port
        found[number[1]] = f"{invite.source.split(':')[0]}:{port[1]}"
    return found


def sound(stream: RtpStream) -> list[float]:
    """When the packets of sound of a stream came."""
    return [packet.at for packet in stream.packets if packet.payload_type == 0]


def shares(sent: RtpStream, heard: RtpStream, since: float) -> float:
    """Of the packets that one far end sent in the span, how many left towards the other."""
    return len(heard.between(since, since + SPAN_S)) / len(sent.between(since, since + SPAN_S))
