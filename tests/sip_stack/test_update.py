"""UPDATE, and offers in every other place, over an in-memory wire (RFC 3311, RFC 3264, RFC 3261 13 and 14)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip_stack.message import Request, reply
from sip_stack.options import InviteOptions
from sip_stack.outgoing_invite import OutgoingInvite
from tests.sip_stack.test_calls import answered, in_dialog

Quiet = Callable[[], None]
REQUIRED = [("Require", "100rel")]


def taking(agent, usage, body: bytes = b"answer 2") -> None:
    """Answer every offer inside the dialog."""
    agent.on_request = lambda incoming: usage.accept(incoming, body)


# UPDATE


@pytest.mark.parametrize("ours", [True, False])
def test_3311_5_an_offer_by_update_and_its_answer(wire, a, b, ours: bool, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    asking, (agent, usage) = (out, (b, b.call)) if ours else (b.call, (a, out))
    taking(agent, usage)
    done: list = []
    asking.update(b"hold", done.append)
    wire.run(0.1)
    way = ("1>2", "2>1") if ours else ("2>1", "1>2")
    assert wire.rows == [f"{way[0]} UPDATE", f"{way[1]} 200 UPDATE"]
    assert [r.body for r in done] == [b"answer 2"]
    assert (asking.described, usage.described) == (b"hold", b"answer 2")
    update = wire.last("UPDATE")
    assert ("Contact" in update.fields, update.get("Content-Type")) == (True, "application/sdp")
    assert "UPDATE" in (update.get("Allow") or "")
    assert "Contact" in wire.last("200").fields  # 5.2: as for a re-INVITE
    out.bye()
    quiet()


def test_3311_5_2_an_update_without_an_offer_may_move_the_target(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    update = in_dialog(wire, "UPDATE").replace(b"CSeq", b"Contact: <sip:x@10.0.0.1:5062>\r\nCSeq")
    b.core.receive(update, a.hop)
    assert str(b.call.dialog.remote_target) == "sip:x@10.0.0.1:5062"
    assert b.told == []
    b.call.bye()
    wire.run(0.1)
    out.bye()
    quiet()


def test_3311_5_2_updates_that_cross_get_491(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    done: list = []
    out.update(b"x", done.append)
    b.call.update(b"y", done.append)
    wire.run(0.1)
    assert [r.status for r in done] == [491, 491]
    out.bye()
    quiet()


@pytest.mark.parametrize("first", ["INVITE", "UPDATE"])
def test_3311_5_2_an_offer_while_another_of_theirs_waits_is_500_with_a_random_retry_after(
    wire, a, b, first: str, quiet: Quiet
) -> None:
    answered(wire, a, b)
    waiting: list = []
    b.on_request = waiting.append
    b.core.receive(in_dialog(wire, first, cseq=9, body=b"x", kind="application/sdp"), a.hop)
    b.core.receive(in_dialog(wire, "UPDATE", cseq=10, body=b"x", kind="application/sdp"), a.hop)
    assert wire.messages[-1].status == 500  # type: ignore[union-attr]
    assert 0 <= int(wire.messages[-1].get("Retry-After")) <= 10
    b.core.receive(in_dialog(wire, "UPDATE", cseq=11), a.hop)
    assert wire.messages[-1].status == 200, "one without an offer disturbs nothing"  # type: ignore[union-attr]
    waiting[0].respond(488)
    wire.run(0.1)
    b.call.bye()
    quiet()


def test_3311_5_2_a_refused_update_changes_nothing(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    b.on_request = lambda incoming: incoming.respond(488)
    done: list = []
    out.update(b"hold", done.append)
    wire.run(0.1)
    assert [r.status for r in done] == [488]
    assert (out.described, a.told) == (b"offer", [])
    out.bye()
    quiet()


@pytest.mark.parametrize(("status", "gone"), [(481, True), (408, True), (488, False)])
def test_12_2_1_2_an_update_that_nobody_knows_ends_the_dialog(
    wire, a, b, status: int, gone: bool, quiet: Quiet
) -> None:
    out = answered(wire, a, b)
    b.on_request = lambda incoming: incoming.respond(status)
    out.update(b"x", lambda _: None)
    wire.run(0.1)
    assert (("gone", "lost") in a.told) is gone
    b.call.bye()
    out.bye()
    quiet()


def test_15_1_2_an_update_that_waits_when_the_dialog_ends_gets_487(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    b.on_request = lambda incoming: None
    done: list = []
    out.update(b"x", done.append)
    wire.run(0.1)
    b.call.bye()
    wire.run(0.1)
    assert [r.status for r in done] == [487]
    quiet()


def test_a_provisional_answer_to_an_update_is_no_answer(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    b.on_request = lambda incoming: (incoming.respond(100), incoming.respond(488))
    done: list = []
    out.update(b"x", done.append)
    wire.run(0.1)
    assert [r.status for r in done] == [488]
    out.bye()
    quiet()


# Early dialogs


def ringing(wire, a, b, body: bytes = b"answer") -> OutgoingInvite:
    """An INVITE whose answer has come in a reliable provisional."""
    out = a.dial(b, extra=REQUIRED)
    wire.run(0.1)
    b.call.ring(body)
    wire.run(0.1)
    wire.ladder.clear()
    return out


@pytest.mark.parametrize(("body", "status"), [
    pytest.param(b"answer", 200, id="the answer is there: a new offer may come"),
    pytest.param(b"", 491, id="3311 5.2: our offer still waits for its answer"),
])  # fmt: skip
def test_3311_5_1_the_far_end_updates_an_early_dialog(
    wire, a, b, body: bytes, status: int, quiet: Quiet
) -> None:
    out = ringing(wire, a, b, body)
    taking(a, out)
    done: list = []
    b.call.update(b"new offer", done.append)
    wire.run(0.1)
    assert [r.status for r in done] == [status]
    b.call.answer(b"answer")
    wire.run(0.1)
    assert out.dialog is not None
    out.bye()
    quiet()


def test_3262_3_a_prack_to_the_side_that_invited_is_481(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    done: list = []
    b.call.send("PRACK", done.append, extra=[("RAck", "1 1 INVITE")])
    wire.run(0.1)
    assert [r.status for r in done] == [481]
    out.bye()
    quiet()


@pytest.mark.parametrize(("contact", "offer", "status"), [
    pytest.param("<sip:10.0.0.3>", b"", 200, id="3311 5.2: without an offer"),
    pytest.param("<sip:10.0.0.3>", b"x", 491, id="3311 5.2: our offer has no answer that counts"),
    pytest.param("<", b"", 481, id="a dialog without a Contact is none"),
])  # fmt: skip
def test_12_1_2_a_provisional_with_a_tag_makes_an_early_dialog(
    wire, a, contact: str, offer: bytes, status: int, quiet: Quiet
) -> None:
    peer = wire.agent("10.0.0.3")
    wire.drop = lambda s, t, what: t == "10.0.0.3"
    out = a.dial(peer)
    invite = wire.last("INVITE")
    a.core.receive(reply(invite, 180, tag="t", extra=[("Contact", contact)]), peer.hop)
    for tag, expected in (("t", status), ("other", 481)):
        fields = {
            "Via": [f"SIP/2.0/UDP 10.0.0.3;branch=z9hG4bK{tag}"], "From": [f"<sip:b@h>;tag={tag}"],
            "To": [invite.fields["From"][0]], "Call-ID": [out.call_id], "CSeq": ["1 UPDATE"],
            "Contact": ["<sip:10.0.0.3>"],
        }  # fmt: skip
        a.core.receive(Request("UPDATE", "sip:a@10.0.0.1", fields, offer).encode(), peer.hop)
        assert wire.messages[-1].status == expected  # type: ignore[union-attr]
    out.cancel()
    a.core.receive(reply(invite, 487, tag="t"), peer.hop)
    quiet()


@pytest.mark.parametrize(("body", "status"), [
    pytest.param(b"answer", 200, id="the answer is there: a new offer may come"),
    pytest.param(b"", 500, id="3311 5.2: their offer still waits for its answer"),
])  # fmt: skip
def test_3311_5_1_the_caller_updates_an_early_dialog(wire, a, b, body: bytes, status: int, quiet: Quiet) -> None:
    ringing(wire, a, b, body)
    taking(b, b.call)
    b.core.receive(in_dialog(wire, "UPDATE", cseq=7, body=b"new offer", kind="application/sdp"), a.hop)
    update = wire.messages[-1]
    assert update.status == status  # type: ignore[union-attr]
    b.call.refuse(486)
    quiet()


# 13.2.1: no offer in the INVITE


def test_13_2_1_an_invite_without_an_offer_gets_it_in_the_200_and_answers_in_the_ack(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b, body=b"")
    assert "Content-Type" not in wire.last("INVITE").fields
    wire.run(0.1)
    b.call.answer(b"their offer")
    wire.run(1.0)
    assert wire.rows == ["1>2 INVITE", "2>1 200 INVITE", "2>1 200 INVITE"]  # no ACK before our answer
    assert a.told == [("answer", b"their offer")]
    out.acknowledge(b"our answer")
    out.acknowledge(b"another")
    wire.run(5.0)
    assert wire.rows == ["1>2 ACK"]
    assert (b.told[-1], out.described) == (("ack", b"our answer"), b"our answer")
    out.bye()
    quiet()


def test_13_2_2_4_the_ack_with_our_answer_is_repeated_with_the_200(wire, a, b, quiet: Quiet) -> None:
    lost: list[int] = []
    wire.drop = lambda s, t, what: what == "ACK" and not lost and not lost.append(1)
    out = a.dial(b, body=b"")
    wire.run(0.1)
    b.call.answer(b"their offer")
    wire.run(0.1)
    out.acknowledge(b"our answer")
    wire.run(2.0)
    assert wire.rows[-3:] == ["1>2 ACK", "2>1 200 INVITE", "1>2 ACK"]
    assert b.told[-1] == ("ack", b"our answer")
    out.bye()
    quiet()


def test_15_who_leaves_before_having_answered_acks_and_then_says_bye(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b, body=b"")
    wire.run(0.1)
    b.call.answer(b"their offer")
    wire.run(0.1)
    out.bye()
    wire.run(0.1)
    assert wire.rows[-3:] == ["1>2 ACK", "1>2 BYE", "2>1 200 BYE"]
    quiet()


def test_14_1_a_re_invite_without_an_offer(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    taking(b, b.call, b"their offer")
    done: list = []
    out.reinvite(b"", done.append)
    wire.run(0.1)
    assert (wire.rows, [r.body for r in done]) == (["1>2 INVITE", "2>1 200 INVITE"], [b"their offer"])
    out.acknowledge(b"our answer")
    wire.run(0.1)
    assert b.told == [("ack", b"our answer")]
    out.bye()
    quiet()


def test_5407_3_1_5_an_offer_while_our_own_waits_for_the_answer_in_an_ack_is_491(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    taking(b, b.call, b"their offer")
    out.reinvite(b"", lambda _: None)
    wire.run(0.1)
    for method, number in (("INVITE", 8), ("UPDATE", 9)):
        b.core.receive(in_dialog(wire, method, cseq=number, body=b"x", kind="application/sdp"), a.hop)
        assert wire.messages[-1].status == 491  # type: ignore[union-attr]
    out.acknowledge(b"our answer")
    wire.run(0.1)
    b.call.bye()
    quiet()


def test_5407_3_1_4_a_re_invite_before_the_ack_of_the_last_says_that_its_200_has_arrived(
    wire, a, b, quiet: Quiet
) -> None:
    wire.drop = lambda s, t, what: what == "ACK"
    out = a.dial(b)
    wire.run(0.1)
    b.call.answer(b"answer")
    wire.run(0.1)
    wire.drop = lambda s, t, what: False
    taking(b, b.call)
    done: list = []
    out.reinvite(b"hold", done.append)
    wire.run(40.0)
    assert [r.status for r in done] == [200]
    assert b.told == [("invite", "bob"), ("ack", b"")]  # nobody missed the first ACK
    out.bye()
    quiet()


def test_14_1_the_wait_after_a_491_is_longer_where_the_call_id_is_ours(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    ours, theirs = {out.glare_wait_s for _ in range(200)}, {b.call.glare_wait_s for _ in range(200)}
    assert min(ours) >= 2.1
    assert max(ours) <= 4.0
    assert min(theirs) >= 0.0
    assert max(theirs) < 2.0
    assert len(ours) > 20
    assert len(theirs) > 20
    out.bye()
    quiet()


def test_13_2_1_a_provisional_with_an_offer_to_an_invite_without_one_is_answered_when_we_can(
    wire, a, quiet: Quiet
) -> None:
    peer = wire.agent("10.0.0.3")
    wire.drop = lambda s, t, what: t == "10.0.0.3"
    out = a.dial(peer, body=b"", options=InviteOptions(reliable=True))
    invite = wire.last("INVITE")
    assert isinstance(invite, Request)
    extra = [("Require", "100rel"), ("RSeq", "1"), ("Contact", "<sip:10.0.0.3>")]
    a.core.receive(reply(invite, 183, tag="t", extra=extra, body=b"offer"), peer.hop)
    out.cancel()
    a.core.receive(reply(invite, 487, tag="t"), peer.hop)
    out.acknowledge(b"late")
    assert (wire.count("PRACK"), a.told[-1]) == (0, ("refused", 487))
    quiet()
