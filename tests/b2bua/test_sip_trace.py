"""Who watches sees every message with its call; nobody watching costs nothing."""

from __future__ import annotations

import pytest

from b2bua.trace.sip_trace import CallOfWire, Filter, Seen, SipTrace
from sip_stack.hop import Hop
from tests.b2bua.test_callnow import confirmed
from tests.plans import fixture
from tests.world import PHONE, SERVER, T1, Peer, World, play

INVITE = (
    b"INVITE sip:+15555555555@h SIP/2.0\r\nf: \"Mary\" <sip:001*002@h>;tag=1\r\n"
    b"TO : <tel:+1-202-555-0100;phone-context=x>\r\nP-Asserted-Identity: <sip:5550001111@h>\r\n"
    b"Contact: <sip:7777777777@h>\r\nCSeq: 1 INVITE\r\n\r\nsip:8888888888@h"
)
RINGING = b"SIP/2.0 180 Ringing\r\nFrom: <sip:a@h>\r\nTo: <sip:b@h>\r\nCSEQ:  7  INVITE\r\n\r\n"
CALL = CallOfWire("c1", ("3333333333", "4444444444"))


def seen(data: bytes, call: CallOfWire | None = None) -> Seen:
    return Seen(0.0, True, data, Hop("UDP", "192.0.2.1", 5060), ("192.0.2.9", 5060), call)


@pytest.mark.parametrize(("wanted", "data", "call", "found"), [
    pytest.param(Filter(), b"", None, True, id="nothing is asked: everything"),
    pytest.param(Filter(ip="192.0.2.1"), INVITE, None, True, id="the peer's address"),
    pytest.param(Filter(ip="192.0.2.9"), INVITE, None, False, id="ours is everywhere"),
    pytest.param(Filter(method="invite"), INVITE, None, True, id="a request"),
    pytest.param(Filter(method="INVITE"), RINGING, None, True, id="an answer to it"),
    pytest.param(Filter(method="BYE"), RINGING, None, False, id="an answer to another"),
    pytest.param(Filter(method="BYE"), b"no SIP", None, False, id="no method at all"),
    pytest.param(Filter(number="+1 555 555 5555"), INVITE, None, True, id="in the request line"),
    pytest.param(Filter(number="5555555555"), INVITE, None, True, id="without its prefix"),
    pytest.param(Filter(number="0015555555555"), INVITE, None, True, id="with a longer prefix"),
    pytest.param(Filter(number="001*002"), INVITE, None, True, id="in a short From, an extension"),
    pytest.param(Filter(number="12025550100"), INVITE, None, True, id="a tel URI with separators in To"),
    pytest.param(Filter(number="5550001111"), INVITE, None, True, id="asserted"),
    pytest.param(Filter(number="555"), INVITE, None, False, id="a short end is no number"),
    pytest.param(Filter(number="7777777777"), INVITE, None, False, id="not in Contact"),
    pytest.param(Filter(number="8888888888"), INVITE, None, False, id="not in the body"),
    pytest.param(Filter(number="3333333333"), INVITE, CALL, True, id="the caller of its call"),
    pytest.param(Filter(number="4444444444"), RINGING, CALL, True, id="the called of its call"),
    pytest.param(Filter(number="4444444444", method="BYE"), RINGING, CALL, False, id="both must be so"),
])  # fmt: skip
def test_a_filter(wanted: Filter, data: bytes, call: CallOfWire | None, found: bool) -> None:
    assert wanted.wants(seen(data, call)) is found


def test_each_message_is_told_with_its_call_from_the_first_invite_to_the_last_answer() -> None:
    async def scenario(world: World) -> None:
        trace, told = SipTrace(world.exchange, ladders=True), list[Seen]()
        stop = trace.watch(told.append)
        phone, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await phone.register("001*002", "secret") == 200
        assert [(each.method, each.call) for each in told] == [("REGISTER", None)] * 4
        told.clear()
        caller = trunk.calls("5555550000", "5552222222")
        (await phone.expects_call()).rings().answers()
        await caller.told(200)
        caller.hangs_up()
        call = await world.over()
        assert [each.call and each.call.id for each in told] == [call.id] * len(told)
        first, last = told[0], told[-1]
        assert (first.method, first.received, first.hop, first.local) == ("INVITE", True, Hop("UDP", *T1), SERVER)
        assert (last.method, last.received, last.hop) == ("BYE", True, Hop("UDP", *PHONE))
        assert first.at == pytest.approx(call.wall(call.started))
        assert [row.title for row in call.ladder.rows() if row.kind == "sip"][0] == "INVITE"
        told.clear()
        stop()
        assert await phone.register("001*002", "secret") == 200
        assert told == []

    play(scenario, fixture())


@pytest.mark.parametrize("ladders", [True, False])
def test_the_core_is_tapped_for_ladders_and_watchers_only(ladders: bool) -> None:
    async def scenario(world: World) -> None:
        trace = SipTrace(world.exchange, ladders)
        quiet = world.exchange.ladders.tap if ladders else None
        assert world.core.tap == quiet
        stops = [trace.watch(print), trace.watch(repr)]
        assert world.core.tap not in (None, quiet)
        stops[0]()
        assert world.core.tap not in (None, quiet)
        stops[1]()
        assert world.core.tap == quiet

    play(scenario, fixture())


def test_no_secret_of_a_registration_and_no_key_is_in_what_is_shown() -> None:
    async def scenario(world: World) -> None:
        trace, shown = SipTrace(world.exchange, ladders=True), list[bytes]()
        trace.watch(lambda each: shown.append(each.shown))
        owner, visitor = await confirmed(world)
        visitor.hangs_up()
        await owner.left_alone()
        await world.over()
        proofs = [text for text in shown if b"\r\nAuthorization: Digest " in text]
        assert len(proofs) == 1
        assert b'response="xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"' in proofs[0]

    play(scenario, fixture())
