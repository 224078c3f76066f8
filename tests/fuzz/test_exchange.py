"""The whole server with calls in progress, and anything said to it between: nothing breaks, hangs or is lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from sip_stack.core import Hop
from sip_stack.errors import BadMessage
from sip_stack.message import Request, Response, parse
from tests.fuzz.damage import damaged, request, response
from tests.fuzz.test_core import same_place
from tests.plans import fixture
from tests.world import PHONE, SERVER, T1, Far, Peer, World, play

STRANGER = ("198.51.100.66", 5060)
METHODS = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "REGISTER", "MESSAGE", "PRACK", "UPDATE", "REFER"]
SDP = (
    "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=sendonly\r\n"
)
PROOF = (
    'Authorization: Digest username="001*002", realm="192.0.2.1", nonce="1-0.0", uri="sip:192.0.2.1", response="0", '
    "qop=auth, nc=00000001, cnonce=x"
)
NUMBERS = [
    "5555555555",
    "0412345678",
    "001*002",
    "001*900",
    "5555550000",
    "5555559000",
    "911",
    "",
    "%00",
    "+",
    "*" * 70,
]


@st.composite
def something(draw: st.DrawFn) -> tuple[int, bytes]:
    """Number of an earlier message to take the names of, and a message with places for them."""
    method, user = draw(st.sampled_from(METHODS)), draw(st.sampled_from(NUMBERS))
    of = {
        "via": draw(st.sampled_from(["SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-new;rport", "{via}"])),
        "from_": draw(st.sampled_from(["{from}", "{to}", f"<sip:{user}@192.0.2.1>;tag=new", "<sip:anonymous@x>"])),
        "to": draw(st.sampled_from(["{from}", "{to}", f"<sip:{user}@192.0.2.1>", "<sip:x@192.0.2.1>;tag=nobody"])),
        "call_id": draw(st.sampled_from(["{call}", "new"])),
    }  # fmt: skip
    number = draw(st.sampled_from([0, 1, 2, 3, 50, 2**31 - 1]))
    if draw(st.integers(0, 2)):
        body = draw(st.sampled_from(["", SDP, "Signal=1\r\n", "v=0\r\n"]))
        extras = [PROOF, "P-Asserted-Identity: <sip:1@x>", "Privacy: id", "Expires: 0"]
        more = draw(st.lists(st.sampled_from(extras), max_size=2))
        data = request(method, uri=f"sip:{user}@192.0.2.1", cseq=number, body=body, more=more, **of)
    else:
        status = draw(st.sampled_from([100, 180, 183, 200, 302, 401, 407, 408, 422, 481, 486, 487, 491, 500, 503, 603]))
        data = response(status, cseq=f"{number} {method}", **of)
    return draw(st.integers(0, 30)), data


MOST = max(25, settings().max_examples // 10)
"""A whole server is a tenth of a second."""


@given(st.data())
@settings(max_examples=MOST)
def test_whatever_is_said_the_server_goes_on_and_the_books_balance(data: st.DataObject) -> None:
    play(lambda world: live_through(world, data), fixture())


async def live_through(world: World, data: st.DataObject) -> None:
    """A call out in the talk, a CallNow whose phone is asked, a callback number that rings; and whatever comes."""
    phone, trunk = Peer(world, PHONE), Peer(world, T1)
    assert await phone.register("001*002", "secret") == 200
    await world.callnow()
    fars = [(await phone.expects_call()).rings()]
    fars.append(phone.calls("5555555555", "001*002", "secret"))
    (await trunk.expects_call()).rings().answers()
    await fars[-1].told(200)
    fars.append(trunk.calls("5555559000", "5551111111"))
    await asyncio.sleep(0.1)
    asked = []
    for pick, plain in data.draw(st.lists(something(), max_size=6)):
        whole = with_names(world, pick, plain)
        message = data.draw(damaged(st.just(whole), 2))
        source = data.draw(st.sampled_from([PHONE, T1, STRANGER]))
        world.core.receive(message, Hop("UDP", *source))
        asked.append(message)
        await asyncio.sleep(data.draw(st.floats(0, 2)))
    await end(world, [phone, trunk], fars)
    answered(world, asked)


def with_names(world: World, pick: int, plain: bytes) -> bytes:
    """The names of an earlier message put in."""
    said = (parse(data) for *_, data in world.wire.sent[:60])
    sound = [message for message in said if message and {"Via", "From", "To"} <= message.fields.keys()]
    earlier = sound[pick % len(sound)]
    names = {
        b"{via}": earlier.fields["Via"][0], b"{from}": earlier.fields["From"][0], b"{to}": earlier.fields["To"][0],
        b"{call}": earlier.call_id,
    }  # fmt: skip
    for place, name in names.items():
        plain = plain.replace(place, name.encode("utf-8", "surrogateescape"))
    return plain


async def end(world: World, peers: list[Peer], fars: list[Far]) -> None:
    """Everybody leaves; no call, port, dialog or hold is left, and no transaction either."""
    for _ in range(2):
        for far in [*fars, *(far for peer in peers for far in peer.rung)]:
            far.hangs_up()
        await asyncio.sleep(3)
    for call in list(world.exchange.live.values()):
        call.cancel()  # a number that a message asked for may be rung for long
    await asyncio.sleep(100)  # 64*T1 for the last BYE, and again for what answers it
    assert world.exchange.live == {}
    assert world.core.load == {"clients": 0, "servers": 0, "dialogs": 0}
    world.check_nothing_left()


def answered(world: World, asked: list[bytes]) -> None:
    """Each request with a Via that can be read."""
    replies = [
        m for _, source, _, data in world.wire.sent if source == SERVER and isinstance(m := parse(data), Response)
    ]
    for data in asked:
        message = parse(data)
        if isinstance(message, Request) and message.method != "ACK":
            with suppress(BadMessage):
                via = message.via
                assert [reply for reply in replies if same_place(reply, via)], f"never answered: {data!r}"
