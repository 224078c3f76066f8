"""Provisional responses that are acknowledged, both ways, over an in-memory wire (RFC 3262)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip_stack.errors import BadMessage
from sip_stack.message import Request, reply
from sip_stack.options import InviteOptions
from sip_stack.reliable import RAck, parse_rack

Quiet = Callable[[], None]
RELIABLE = InviteOptions(reliable=True)
REQUIRED = [("Require", "100rel")]


def provisional(invite: Request, number: str, tag: str, body: bytes = b"", *, contact: str = "<sip:10.0.0.2>") -> bytes:
    """A reliable 183 as some far end writes it."""
    extra = [("Require", "100rel"), ("RSeq", number), ("Contact", contact)]
    return reply(invite, 183, tag=tag, extra=extra, body=body)


@pytest.mark.parametrize(("text", "rack"), [
    pytest.param("776656 1 INVITE", RAck(776656, 1, "INVITE"), id="7.2"),
    pytest.param(" 1  2\tINVITE ", RAck(1, 2, "INVITE"), id="any space"),
    pytest.param("1 INVITE", None, id="a number is missing"),
    pytest.param("", None, id="empty"),
])  # fmt: skip
def test_7_2_rack(text: str, rack: RAck | None) -> None:
    if rack is None:
        with pytest.raises(BadMessage):
            parse_rack(text)
    else:
        assert parse_rack(text) == rack
        assert str(rack) == " ".join(text.split())


def test_3_a_provisional_is_acknowledged_and_the_next_waits_for_it(wire, a, b, quiet: Quiet) -> None:
    b.options = RELIABLE
    out = a.dial(b, options=RELIABLE)
    wire.run(0.1)
    assert wire.last("INVITE").get("Supported") == "100rel, replaces, norefersub"
    b.call.ring()
    b.call.ring()  # says nothing new
    b.call.ring(b"answer")
    wire.run(0.1)
    assert wire.rows == [
        "1>2 INVITE", "2>1 180 INVITE", "1>2 PRACK", "2>1 200 PRACK", "2>1 183 INVITE", "1>2 PRACK", "2>1 200 PRACK",
    ]  # fmt: skip
    first, second = wire.last("180"), wire.last("183")
    assert int(second.get("RSeq")) == int(first.get("RSeq")) + 1
    assert (first.get("Require"), second.body) == ("100rel", b"answer")
    prack = wire.last("PRACK")
    assert (prack.get("RAck"), prack.cseq.number) == (f"{second.get('RSeq')} 1 INVITE", 3)
    b.call.answer(b"answer")
    wire.run(0.1)
    assert wire.rows == ["2>1 200 INVITE", "1>2 ACK"]
    assert wire.last("200").body == b""  # RFC 6337 2.1: they have it already
    assert a.told == [("progress", 180), ("progress", 183), ("answer", b"")]
    assert (b.call.described, out.described) == (b"answer", b"offer")
    out.bye()
    wire.run(0.1)
    assert wire.last("BYE").cseq.number == 4
    quiet()


def test_3_without_a_prack_the_provisional_is_repeated_with_doubling_intervals_and_then_refused_with_504(
    wire, a, b, quiet: Quiet
) -> None:
    wire.drop = lambda s, t, what: what == "PRACK"
    a.dial(b, extra=REQUIRED)
    wire.run(0.1)
    b.call.ring()
    began, sent = wire.now, []
    while wire.now - began < 33.0:
        sent += [round(wire.now - began, 1)] * sum(row == "2>1 180 INVITE" for row in wire.rows)
        wire.run(0.1)
    assert sent == pytest.approx([0.0, 0.6, 1.6, 3.6, 7.6, 15.6, 31.6], abs=0.15)
    assert wire.last("504").cseq.method == "INVITE"
    assert (b.told[-1], a.told[-1]) == (("gone", "no-prack"), ("refused", 504))
    assert a.told.count(("progress", 180)) == 1  # 4: what is repeated is not looked at again
    quiet()


def test_3_a_description_that_waits_for_its_prack_holds_back_the_200(wire, a, b, quiet: Quiet) -> None:
    dropped: list[int] = []
    wire.drop = lambda s, t, what: what == "PRACK" and len(dropped) < 2 and not dropped.append(1)
    out = a.dial(b, extra=REQUIRED)
    wire.run(0.1)
    b.call.ring(b"answer")
    b.call.answer(b"answer")
    wire.run(0.3)
    assert wire.rows == ["1>2 INVITE", "2>1 183 INVITE", "1>2 PRACK"]
    wire.run(5.0)
    assert wire.rows[-4:] == ["1>2 PRACK", "2>1 200 PRACK", "2>1 200 INVITE", "1>2 ACK"]
    out.bye()
    quiet()


def test_3_a_ringing_without_description_does_not_hold_back_the_200_and_its_prack_is_answered_after_it(
    wire, a, b, quiet: Quiet
) -> None:
    held: list[int] = []
    wire.drop = lambda s, t, what: what == "PRACK" and not held and not held.append(1)
    out = a.dial(b, extra=REQUIRED)
    wire.run(0.1)
    b.call.ring()
    b.call.answer(b"answer")
    wire.run(1.0)
    assert wire.rows == [
        "1>2 INVITE", "2>1 180 INVITE", "2>1 200 INVITE", "1>2 PRACK", "1>2 ACK", "1>2 PRACK", "2>1 200 PRACK",
    ]  # fmt: skip
    assert b.told == [("invite", "bob"), ("ack", b"")]
    out.bye()
    quiet()


def test_3_a_refusal_does_not_wait(wire, a, b, quiet: Quiet) -> None:
    wire.drop = lambda s, t, what: what == "PRACK"
    a.dial(b, extra=REQUIRED)
    wire.run(0.1)
    b.call.ring()
    b.call.refuse(486)
    wire.run(2.0)
    assert [row for row in wire.rows if "PRACK" not in row] == [
        "1>2 INVITE", "2>1 180 INVITE", "2>1 486 INVITE", "1>2 ACK",
    ]  # fmt: skip
    quiet()


@pytest.mark.parametrize(("extra", "options", "reliable"), [
    pytest.param(REQUIRED, InviteOptions(), True, id="3: MUST where it is required"),
    pytest.param([("Supported", "timer, 100rel")], RELIABLE, True, id="3: MAY where it is supported, and we want it"),
    pytest.param([("Supported", "100rel")], InviteOptions(), False, id="3: not where nobody asks for it"),
    pytest.param([], RELIABLE, False, id="3: MUST NOT where they do not know it"),
])  # fmt: skip
def test_3_when_a_provisional_is_reliable(
    wire, a, b, extra: list[tuple[str, str]], options: InviteOptions, reliable: bool, quiet: Quiet
) -> None:
    b.options = options
    a.dial(b, extra=extra)
    wire.run(0.1)
    b.call.ring()
    assert b.call.reliable is reliable
    assert ("RSeq" in wire.last("180").fields) is reliable
    b.call.refuse(486)
    quiet()


@pytest.mark.parametrize("rack", ["1 1 INVITE", "{rseq} 2 INVITE", "{rseq} 1 BYE"])
def test_3_a_prack_that_matches_nothing_is_481_and_one_that_cannot_be_read_400(
    wire, a, b, rack: str, quiet: Quiet
) -> None:
    wire.drop = lambda s, t, what: what == "PRACK"
    a.dial(b, extra=REQUIRED)
    wire.run(0.1)
    b.call.ring()
    wire.run(0.1)
    prack = wire.last("PRACK")
    prack.fields["RAck"] = [rack.format(rseq=wire.last("180").get("RSeq"))]
    b.core.receive(prack.encode(), a.hop)
    assert wire.messages[-1].status == 481  # type: ignore[union-attr]
    prack.fields["RAck"] = ["x"]
    prack.fields["Via"] = [prack.fields["Via"][0].replace("branch=", "branch=z9hG4bKx")]
    b.core.receive(prack.encode(), a.hop)
    assert wire.messages[-1].status == 400  # type: ignore[union-attr]
    b.call.refuse(486)
    quiet()


def test_4_the_caller_acknowledges_in_order_only(wire, a, quiet: Quiet) -> None:
    peer = type("Peer", (), {"hop": wire.agent("10.0.0.3").hop})
    wire.drop = lambda s, t, what: t == "10.0.0.3"
    out = a.dial(peer, options=RELIABLE)
    invite = wire.last("INVITE")
    for number in ("7", "7", "9", "8", "9"):
        a.core.receive(provisional(invite, number, "t1"), peer.hop)
    racks = [m.get("RAck") for m in wire.messages if isinstance(m, Request) and m.method == "PRACK"]
    assert racks == ["7 1 INVITE", "8 1 INVITE", "9 1 INVITE"]
    assert a.told == [("progress", 183)] * 3
    for number, why in (("0", "no number of 7.1"), ("x", "none at all")):
        a.core.receive(provisional(invite, number, "t1"), peer.hop)
        assert a.told[-1] == ("progress", 183), why
    a.core.receive(provisional(invite, "1", "t2", contact="<"), peer.hop)  # nowhere to send a PRACK
    assert wire.count("PRACK") == 3
    out.cancel()
    a.core.receive(reply(invite, 487, tag="t1"), peer.hop)
    quiet()


def test_4_each_branch_of_a_forked_invite_counts_for_itself_and_the_answered_one_goes_on(wire, a, quiet: Quiet) -> None:
    peer = wire.agent("10.0.0.3")
    wire.drop = lambda s, t, what: t == "10.0.0.3"
    out = a.dial(peer, options=RELIABLE)
    invite = wire.last("INVITE")
    a.core.receive(provisional(invite, "5", "t1", b"sound 1"), peer.hop)
    a.core.receive(provisional(invite, "70", "t2", b"sound 2"), peer.hop)
    a.core.receive(provisional(invite, "71", "t2"), peer.hop)
    pracks = [(m.to.tag, m.get("RAck"), m.cseq.number)
              for m in wire.messages if isinstance(m, Request) and m.method == "PRACK"]  # fmt: skip
    assert pracks == [("t1", "5 1 INVITE", 2), ("t2", "70 1 INVITE", 2), ("t2", "71 1 INVITE", 3)]
    contact = [("Contact", "<sip:10.0.0.3>")]
    a.core.receive(reply(invite, 200, tag="t2", extra=contact, body=b"ignored"), peer.hop)
    a.core.receive(reply(invite, 200, tag="t1", extra=contact, body=b"x"), peer.hop)
    assert a.told[-1] == ("answer", b"")  # 13.2.1: the first description was the answer
    assert out.dialog is not None
    assert (out.dialog.remote.tag, out.dialog.local_seq) == ("t2", 3)
    bye = wire.last("BYE")
    assert bye.to.tag == "t1"
    assert bye.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert wire.rows[-3:] == ["1>3 ACK", "1>3 ACK", "1>3 BYE"]
    wire.drop = lambda s, t, what: False
    out.bye()
    quiet()


def test_5_an_invite_without_an_offer_gets_it_in_the_first_reliable_provisional_and_answers_by_prack(
    wire, a, b, quiet: Quiet
) -> None:
    out = a.dial(b, body=b"", options=RELIABLE, extra=REQUIRED)
    wire.run(0.1)
    b.call.ring(b"their offer")
    wire.run(0.2)
    assert wire.rows == ["1>2 INVITE", "2>1 180 INVITE"]
    out.acknowledge(b"our answer")
    wire.run(0.1)
    b.call.answer(b"their offer")
    wire.run(0.1)
    assert wire.rows == ["1>2 PRACK", "2>1 200 PRACK", "2>1 200 INVITE", "1>2 ACK"]
    assert wire.last("PRACK").body == b"our answer"
    assert (wire.last("PRACK").get("Content-Type"), wire.last("ACK").body) == ("application/sdp", b"")
    assert b.told == [("invite", "bob"), ("ack", b"our answer"), ("ack", b"")]
    out.bye()
    quiet()


def test_5_a_prack_may_bring_a_new_offer(wire, a, b, quiet: Quiet) -> None:
    wire.drop = lambda s, t, what: what == "PRACK"
    a.dial(b, extra=REQUIRED)
    wire.run(0.1)
    b.call.ring(b"answer")
    wire.run(0.1)
    prack = wire.last("PRACK")
    prack.fields["Content-Type"], prack.body = ["application/sdp"], b"offer 2"
    b.on_request = lambda incoming: b.call.accept(incoming, b"answer 2")
    b.core.receive(prack.encode(), a.hop)
    final = wire.last("200")
    assert (final.cseq.method, final.body) == ("PRACK", b"answer 2")
    b.call.refuse(486)
    quiet()


def test_a_prack_is_proven_where_it_is_asked_for(wire, a, who, quiet: Quiet) -> None:
    peer = wire.agent("10.0.0.3")
    wire.drop = lambda s, t, what: t == "10.0.0.3"
    out = a.dial(peer, options=RELIABLE, credentials=who)
    invite = wire.last("INVITE")
    a.core.receive(provisional(invite, "1", "t1"), peer.hop)
    challenge = ("Proxy-Authenticate", 'Digest realm="r", nonce="n"')
    a.core.receive(reply(wire.last("PRACK"), 407, extra=[challenge]), peer.hop)
    prack = wire.last("PRACK")
    assert ("Proxy-Authorization" in prack.fields, prack.cseq.number) == (True, 3)
    a.core.receive(reply(prack, 481), peer.hop)
    assert a.told == [("progress", 183)]  # a PRACK that is not known there ends no call
    out.cancel()
    a.core.receive(reply(invite, 487, tag="t1"), peer.hop)
    quiet()


def test_a_cancelled_invite_is_not_acknowledged_any_more(wire, a, quiet: Quiet) -> None:
    peer = wire.agent("10.0.0.3")
    wire.drop = lambda s, t, what: t == "10.0.0.3"
    out = a.dial(peer, options=RELIABLE)
    invite = wire.last("INVITE")
    out.cancel()
    a.core.receive(provisional(invite, "1", "t1"), peer.hop)
    assert wire.rows == ["1>3 INVITE", "1>3 CANCEL"]
    a.core.receive(reply(invite, 487, tag="t1"), peer.hop)
    assert a.told == [("refused", 487)]
    quiet()


def test_3_a_100_is_never_reliable(wire, a, quiet: Quiet) -> None:
    peer = wire.agent("10.0.0.3")
    wire.drop = lambda s, t, what: t == "10.0.0.3"
    out = a.dial(peer, options=RELIABLE)
    invite = wire.last("INVITE")
    a.core.receive(reply(invite, 100, tag="t", extra=[("Require", "100rel"), ("RSeq", "1")]), peer.hop)
    a.core.receive(reply(invite, 180, tag="t", extra=[("Require", "x"), ("RSeq", "1")]), peer.hop)
    assert (wire.count("PRACK"), a.told) == (0, [("progress", 180)])
    out.cancel()
    a.core.receive(reply(invite, 487, tag="t"), peer.hop)
    quiet()


def test_an_early_bye_or_cancel_ends_the_repeating(wire, a, b, quiet: Quiet) -> None:
    wire.drop = lambda s, t, what: what == "PRACK"
    out = a.dial(b, extra=REQUIRED)
    wire.run(0.1)
    b.call.ring()
    b.call.ring(b"queued")
    wire.run(0.1)
    out.cancel('SIP;cause=200;text="elsewhere"')
    wire.run(0.1)
    wire.ladder.clear()
    wire.run(40.0)
    assert [row for row in wire.rows if "18" in row] == []
    assert (b.told[-1], b.call.heard_reason) == (("cancel",), 'SIP;cause=200;text="elsewhere"')
    quiet()
