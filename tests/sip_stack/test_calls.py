"""INVITE usages over an in-memory wire: calls, and the traps others fell into (RFC 3261 9, 12-15)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip_stack.core import Hop
from sip_stack.digest import Challenge, Credentials, ha1, parse_proof, proves
from sip_stack.message import Request, Response, reply
from sip_stack.outgoing_invite import OutgoingInvite

Quiet = Callable[[], None]


def answered(wire, a, b) -> OutgoingInvite:
    """A call that is up, the ladder and the notes empty."""
    out = a.dial(b)
    wire.run(0.1)
    b.call.answer(b"answer")
    wire.run(0.1)
    assert out.dialog is not None
    wire.ladder.clear()
    a.told.clear()
    b.told.clear()
    return out


def test_13_a_call_from_invite_to_bye(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b, extra=[("X-One", "1"), ("X-One", "2")])
    wire.run(0.1)
    assert b.call.request.body == b"offer"
    b.call.incoming.respond(100)
    b.call.ring()
    b.call.ring(b"early")
    b.call.answer(b"answer")
    wire.run(0.1)
    out.bye("Q.850;cause=16")
    wire.run(0.1)
    assert wire.rows == [
        "1>2 INVITE", "2>1 100 INVITE", "2>1 180 INVITE", "2>1 183 INVITE", "2>1 200 INVITE", "1>2 ACK", "1>2 BYE",
        "2>1 200 BYE",
    ]  # fmt: skip
    assert a.told == [("progress", 180), ("progress", 183), ("answer", b"answer")]
    assert b.told == [("invite", "bob"), ("ack", b""), ("gone", "bye")]
    assert wire.last("BYE").get("Reason") == "Q.850;cause=16"
    invite = wire.last("INVITE")
    assert (invite.fields["x-one"], invite.body) == (("1", "2"), b"offer")
    assert (wire.last("180").get("Contact"), wire.last("183").body) == ("<sip:10.0.0.2:5060>", b"early")
    quiet()


def test_the_contact_has_no_display_name_and_brackets_an_ipv6_host(wire) -> None:
    x, y = wire.agent("2001:db8::1"), wire.agent("2001:db8::2")
    x.dial(y)
    wire.run(0.1)
    assert wire.last("INVITE").get("Contact") == "<sip:[2001:db8::1]:5060>"
    assert wire.last("INVITE").via.host == "[2001:db8::1]"
    y.call.answer(b"")
    wire.run(0.1)
    assert wire.last("ACK").uri_text == "sip:[2001:db8::2]:5060"  # type: ignore[union-attr]
    y.call.bye()
    wire.run(0.1)
    assert x.told[-1] == ("gone", "bye")


def test_15_the_callee_hangs_up(wire, a, b, quiet: Quiet) -> None:
    answered(wire, a, b)
    b.call.bye()
    wire.run(0.1)
    assert wire.rows == ["2>1 BYE", "1>2 200 BYE"]
    assert (a.told, b.told) == ([("gone", "bye")], [])
    quiet()


def test_15_byes_that_cross(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    out.bye()
    b.call.bye()
    wire.run(0.1)
    assert sorted(wire.rows) == ["1>2 200 BYE", "1>2 BYE", "2>1 200 BYE", "2>1 BYE"]
    assert (a.told, b.told) == ([], [])
    quiet()


def test_15_a_repeated_hangup_is_one_bye(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    out.bye()
    out.bye()
    out.cancel()
    wire.run(0.1)
    assert wire.rows == ["1>2 BYE", "2>1 200 BYE"]
    quiet()


def test_13_refused(wire, a, b, quiet: Quiet) -> None:
    a.dial(b)
    wire.run(0.1)
    b.call.refuse(486, extra=[("X-Why", "busy")])
    b.call.refuse(480)
    b.call.answer(b"late")
    b.call.ring()
    wire.run(0.1)
    assert wire.rows == ["1>2 INVITE", "2>1 486 INVITE", "1>2 ACK"]
    assert a.told == [("refused", 486)]
    quiet()


def test_17_1_1_2_a_phone_may_ring_for_minutes(wire, a, b, quiet: Quiet) -> None:
    a.dial(b)
    wire.run(0.1)
    b.call.ring()
    wire.run(300.0)
    assert a.told == [("progress", 180)]
    assert wire.rows == ["1>2 INVITE", "2>1 180 INVITE"]
    b.call.answer(b"")
    wire.run(0.1)
    assert a.told[-1] == ("answer", b"")
    b.call.bye()
    quiet()


def test_17_1_1_2_nobody_there_is_408_after_32_s(wire, a, quiet: Quiet) -> None:
    a.dial(type("Nobody", (), {"hop": Hop("UDP", "10.0.0.9", 5060)}))
    wire.run(31.9)
    assert a.told == []
    wire.run(0.2)
    assert a.told == [("refused", 408)]
    assert wire.count("INVITE") == 7
    quiet()


def test_13_2_2_4_the_ack_to_a_2xx_has_its_own_branch_and_every_repeated_2xx_is_acked(wire, a, b, quiet: Quiet) -> None:
    acks = []
    wire.drop = lambda s, t, what: what == "ACK" and len(acks) < 2 and not acks.append(what)
    out = a.dial(b)
    wire.run(0.1)
    b.call.answer(b"answer")
    wire.run(5.0)
    assert wire.rows == ["1>2 INVITE", "2>1 200 INVITE", "1>2 ACK"] + ["2>1 200 INVITE", "1>2 ACK"] * 2
    assert a.told == [("answer", b"answer")]
    assert b.told == [("invite", "bob"), ("ack", b"")]
    assert wire.last("ACK").via.branch != wire.last("INVITE").via.branch
    assert wire.last("ACK").cseq.number == wire.last("INVITE").cseq.number
    out.bye()
    quiet()


def test_13_3_1_4_no_ack_after_32_s_ends_the_call_by_a_bye(wire, a, b, quiet: Quiet) -> None:
    wire.drop = lambda s, t, what: what == "ACK"
    a.dial(b)
    wire.run(0.1)
    b.call.answer(b"")
    wire.run(32.2)
    assert b.told[-1] == ("gone", "no-ack")
    assert a.told[-1] == ("gone", "bye")
    assert wire.rows[-2:] == ["2>1 BYE", "1>2 200 BYE"]
    quiet()


def test_15_the_callee_must_not_send_a_bye_before_the_ack(wire, a, b, quiet: Quiet) -> None:
    dropped = []
    wire.drop = lambda s, t, what: what == "ACK" and not dropped and not dropped.append(what)
    a.dial(b)
    wire.run(0.1)
    b.call.answer(b"")
    b.call.bye()
    wire.run(0.3)
    assert wire.rows == ["1>2 INVITE", "2>1 200 INVITE", "1>2 ACK"]
    wire.run(0.5)
    assert wire.rows == ["2>1 200 INVITE", "1>2 ACK", "2>1 BYE", "1>2 200 BYE"]
    assert b.told == [("invite", "bob")]
    quiet()


def test_15_a_bye_held_back_leaves_when_no_ack_ever_comes(wire, a, b, quiet: Quiet) -> None:
    wire.drop = lambda s, t, what: what == "ACK"
    a.dial(b)
    wire.run(0.1)
    b.call.answer(b"")
    b.call.bye()
    wire.run(33.0)
    assert wire.rows[-2:] == ["2>1 BYE", "1>2 200 BYE"]
    assert b.told == [("invite", "bob")]
    quiet()


def test_15_a_bye_before_the_answer_is_a_refusal(wire, a, b, quiet: Quiet) -> None:
    a.dial(b)
    wire.run(0.1)
    b.call.bye()
    wire.run(0.1)
    assert wire.rows == ["1>2 INVITE", "2>1 480 INVITE", "1>2 ACK"]
    quiet()


# 9 CANCEL


def test_9_1_cancel_while_it_rings(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b)
    wire.run(0.1)
    b.call.ring()
    wire.run(0.1)
    out.cancel('SIP;cause=200;text="elsewhere"')
    out.cancel()
    wire.run(0.1)
    assert wire.rows == ["1>2 INVITE", "2>1 180 INVITE", "1>2 CANCEL", "2>1 200 CANCEL", "2>1 487 INVITE", "1>2 ACK"]
    assert (a.told[-1], b.told[-1]) == (("refused", 487), ("cancel",))
    cancel, invite = wire.last("CANCEL"), wire.last("INVITE")
    assert cancel.via == invite.via
    assert (cancel.cseq.number, cancel.uri_text) == (invite.cseq.number, invite.uri_text)
    assert cancel.get("Reason") == 'SIP;cause=200;text="elsewhere"'
    assert (
        wire.last("487").to.tag
        == next(m for m in wire.messages if m.cseq.method == "CANCEL" and isinstance(m, Response)).to.tag
    )
    quiet()


def test_9_1_cancel_before_any_provisional_waits_for_one(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b)
    out.cancel()
    wire.run(0.1)
    assert wire.rows == ["1>2 INVITE"]
    b.call.incoming.respond(100)
    b.call.ring()
    wire.run(0.1)
    assert wire.rows == [
        "2>1 100 INVITE",
        "2>1 180 INVITE",
        "1>2 CANCEL",
        "2>1 200 CANCEL",
        "2>1 487 INVITE",
        "1>2 ACK",
    ]
    assert a.told == [("refused", 487)]
    quiet()


def test_9_1_cancel_with_nobody_there_ends_as_487(wire, a, quiet: Quiet) -> None:
    out = a.dial(type("Nobody", (), {"hop": Hop("UDP", "10.0.0.9", 5060)}))
    out.cancel()
    wire.run(33.0)
    assert a.told == [("refused", 487)]
    assert wire.count("CANCEL") == 0
    quiet()


def test_9_1_a_cancel_that_crosses_the_200_ends_in_ack_and_bye(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b)
    wire.run(0.1)
    b.call.ring()
    wire.run(0.1)
    b.call.answer(b"answer")
    out.cancel()
    wire.run(1.0)
    assert wire.rows[3:] == ["1>2 CANCEL", "1>2 ACK", "1>2 BYE", "2>1 200 CANCEL", "2>1 200 BYE"]
    assert a.told[-1] == ("refused", 487)
    assert b.told[-2:] == [("ack", b""), ("gone", "bye")]
    quiet()


def test_9_1_a_lost_cancel_is_repeated(wire, a, b, quiet: Quiet) -> None:
    lost = []
    wire.drop = lambda s, t, what: what == "CANCEL" and len(lost) < 2 and not lost.append(what)
    out = a.dial(b)
    wire.run(0.1)
    b.call.ring()
    wire.run(0.1)
    out.cancel()
    wire.run(3.0)
    assert wire.count("CANCEL") == 3
    assert a.told[-1] == ("refused", 487)
    quiet()


def test_9_1_a_cancel_that_brings_no_final_response_ends_after_32_s(wire, a, b) -> None:
    wire.drop = lambda s, t, what: what == "487 INVITE"
    out = a.dial(b)
    wire.run(0.1)
    b.call.ring()
    wire.run(0.1)
    out.cancel()
    wire.run(31.0)
    assert a.told == [("progress", 180)]
    wire.run(1.2)
    assert a.told[-1] == ("refused", 487)
    wire.drop = lambda s, t, what: False
    wire.run(100.0)
    assert a.core.load == {"clients": 0, "servers": 0, "dialogs": 0}


def test_pyvoip_answers_200_to_the_cancel_and_then_200_to_the_invite(wire, a, b, quiet: Quiet) -> None:
    b.on["cancel"] = lambda: None
    wire.drop = lambda s, t, what: what == "CANCEL"
    out = a.dial(b)
    wire.run(0.1)
    b.call.ring()
    wire.run(0.1)
    out.cancel()
    wire.run(0.1)
    b.call.answer(b"late")
    wire.run(0.1)
    assert "1>2 ACK" in wire.rows
    assert a.told[-1] == ("refused", 487)
    assert b.told[-1] == ("gone", "bye")
    quiet()


def test_9_2_a_cancel_after_the_answer_changes_nothing(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    invite = wire.last("INVITE")
    fields = {n: invite.fields[n] for n in ("Via", "From", "To", "Call-ID")} | {"CSeq": ["1 CANCEL"]}
    a.core.request(Request("CANCEL", invite.uri_text, fields), b.hop, lambda _: None)
    wire.run(0.1)
    assert wire.rows == ["1>2 CANCEL", "2>1 200 CANCEL"]
    assert b.told == []
    out.bye()
    quiet()


def test_15_1_2_a_bye_in_an_early_dialog_ends_the_invite(wire, a, b, quiet: Quiet) -> None:
    a.dial(b)
    wire.run(0.1)
    b.call.ring()
    wire.run(0.1)
    invite, ringing = wire.last("INVITE"), wire.last("180")
    fields = {n: invite.fields[n] for n in ("From", "Call-ID")} | {"To": ringing.fields["To"], "CSeq": ["2 BYE"]}
    b.core.receive(
        Request("BYE", "sip:b@h", {"Via": ["SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx"], **fields}).encode(), a.hop
    )
    wire.run(0.1)
    assert b.told[-1] == ("cancel",)
    assert a.told[-1] == ("refused", 487)
    quiet()


@pytest.mark.parametrize(("rings_after_s", "rows"), [
    pytest.param(0.1, ["2>1 180 INVITE"], id="it rings at once: no 100"),
    pytest.param(0.4, ["2>1 100 INVITE", "2>1 180 INVITE"], id="it rings late"),
])  # fmt: skip
def test_17_2_1_a_100_leaves_unless_something_else_does_within_200_ms(wire, a, b, rings_after_s, rows) -> None:
    a.dial(b)
    wire.run(0.02)
    b.call.trying()
    wire.rows  # noqa: B018
    wire.run(rings_after_s)
    b.call.ring()
    wire.run(0.3)
    assert wire.rows == rows


@pytest.mark.parametrize("port", [5061, 40_000])
def test_18_1_2_answers_from_another_port_are_answers(wire, a, b, quiet: Quiet, port: int) -> None:
    """Some trunks answer from a socket of their own; the branch is what counts, and the dialog goes to the Contact."""
    away = Hop("UDP", "10.0.0.2", port)
    out = a.dial(b)
    wire.run(0.02)
    invite = wire.last("INVITE")
    contact = ("Contact", "<sip:10.0.0.2:5060>")
    a.core.receive(reply(invite, 180, tag="t", extra=[contact]), away)
    a.core.receive(reply(invite, 200, tag="t", extra=[contact], body=b"answer"), away)
    assert a.told == [("progress", 180), ("answer", b"answer")]
    assert wire.rows == ["1>2 INVITE", "1>2 ACK"]
    b.call.answer(b"answer")
    out.bye()
    b.call.bye()
    wire.run(100.0)
    assert a.core.load["dialogs"] == 0


# 13.2.2.4 forks


def test_13_2_2_4_a_second_phone_that_answers_gets_ack_and_bye(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    ok = wire.last("200").raw
    fork = ok.replace(b.call.local_tag.encode(), b"fork").replace(b"10.0.0.2:5060>", b"10.0.0.3:5060>")
    for _ in range(2):
        a.core.receive(fork, b.hop)
    assert wire.rows == ["1>3 ACK", "1>3 BYE"] * 2
    assert wire.last("BYE").to.tag == "fork"
    assert out.dialog is not None
    assert (out.dialog.remote.tag, out.dialog.local.tag) == (b.call.local_tag, out.local_tag)
    assert a.told == []
    out.bye()
    quiet()


def test_a_2xx_whose_contact_cannot_be_read_is_a_refusal_told_once(wire, a, b) -> None:
    a.dial(b)
    wire.run(0.1)
    ok = reply(wire.last("INVITE"), 200, tag="t", extra=[("Contact", "<sip:")])
    for _ in range(2):
        a.core.receive(ok, b.hop)
    assert a.told == [("refused", 502)]


def test_a_second_2xx_whose_contact_cannot_be_read_is_met_with_nothing(wire, a, b, quiet: Quiet) -> None:
    """Fuzzing: there is nowhere to send its ACK and BYE; the call with the first phone goes on."""
    out = a.dial(b)
    wire.run(0.1)
    b.call.answer(b"")
    wire.run(0.1)
    invite, _ = wire.last("INVITE"), wire.rows
    a.core.receive(reply(invite, 200, tag="another", extra=[("Contact", "sip:bob@10.0.0.2>")]), b.hop)
    wire.run(1)
    assert (a.bugs, wire.rows) == ([], [])
    out.bye()
    quiet()


# 12 inside a dialog


def test_12_2_1_1_requests_go_to_the_remote_target_through_the_route_set(wire, a, b, quiet: Quiet) -> None:
    proxy = Hop("UDP", "10.0.0.7", 5060)
    a.dial(b)
    wire.run(0.1)
    invite = wire.last("INVITE")
    ok = reply(invite, 200, tag="t", extra=[
        ("Record-Route", "<sip:10.0.0.8;lr>"), ("Record-Route", "<sip:10.0.0.7;lr>"), ("Contact",
        "<sip:b@10.0.0.2:5070>"),
    ])  # fmt: skip
    wire.rows  # noqa: B018
    a.core.receive(ok, proxy)
    ack = wire.last("ACK")
    assert wire.rows == ["1>7 ACK"]
    assert isinstance(ack, Request)
    assert (ack.uri_text, ack.fields["Route"]) == ("sip:b@10.0.0.2:5070", ("<sip:10.0.0.7;lr>", "<sip:10.0.0.8;lr>"))


def test_12_2_1_1_a_strict_router_gets_itself_as_request_uri(wire, a, b) -> None:
    a.dial(b)
    wire.run(0.1)
    ok = reply(wire.last("INVITE"), 200, tag="t", extra=[
        ("Record-Route", "<sip:10.0.0.8;lr>"), ("Record-Route", "<sip:10.0.0.7>"), ("Contact", "<sip:b@10.0.0.2>"),
    ])  # fmt: skip
    a.core.receive(ok, b.hop)
    ack = wire.last("ACK")
    assert isinstance(ack, Request)
    assert (ack.uri_text, ack.fields["Route"]) == ("sip:10.0.0.7", ("<sip:10.0.0.8;lr>", "<sip:b@10.0.0.2>"))


def test_a_route_by_name_goes_where_the_invite_went(wire, a, b) -> None:
    a.dial(b)
    wire.run(0.1)
    ok = reply(wire.last("INVITE"), 200, tag="t", extra=[("Contact", "<sip:b@phone.invalid>")])
    wire.ladder.clear()
    a.core.receive(ok, b.hop)
    assert wire.rows == ["1>2 ACK"]


def test_behind_a_nat_requests_go_where_the_packets_came_from(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b, nat=True)
    wire.run(0.1)
    ok = reply(wire.last("INVITE"), 200, tag="t", extra=[("Contact", "<sip:b@192.168.1.5>")])
    wire.ladder.clear()
    a.core.receive(ok, b.hop)
    out.bye()
    assert wire.rows == ["1>2 ACK", "1>2 BYE"]


def test_5626_4_3_ob_in_a_contact_keeps_requests_on_its_flow(wire, a, b) -> None:
    a.dial(b)
    invite = wire.messages[0]
    invite.fields["Contact"] = ["<sip:a@10.0.0.1:5060;ob>"]
    b.core.receive(invite.encode(), Hop("UDP", "10.0.0.1", 40000))
    b.call.answer(b"")
    assert b.call.hop_now == Hop("UDP", "10.0.0.1", 40000)


@pytest.mark.parametrize(("transport", "follows"), [("WS", True), ("TCP", False)])
def test_7118_a_page_that_comes_back_by_another_connection_is_reached_by_that(wire, a, b, transport, follows) -> None:
    first, second = (Hop(transport, "10.0.0.1", 40000 + n, 64 * n) for n in (1, 2))
    a.dial(b)
    invite = wire.messages[0]
    b.core.receive(invite.encode(), first)
    b.call.answer(b"")
    b.core.receive(ack_to(wire.last("200")), first)
    b.core.receive(in_dialog(wire, "INFO"), second)
    assert b.call.hop is (second if follows else first)


def test_an_invite_from_behind_a_nat_is_answered_to_its_source(wire, a, b) -> None:
    a.dial(b)
    invite = wire.messages[0]
    invite.fields["Via"] = ["SIP/2.0/UDP 192.168.1.5:5060;branch=z9hG4bKn;rport"]
    invite.fields["Contact"] = ["<sip:a@192.168.1.5>"]
    b.core.receive(invite.encode(), Hop("UDP", "10.0.0.1", 40000))
    assert b.call.nat
    b.call.answer(b"")
    assert wire.last("200").via.params[-2:] == (("received", "10.0.0.1"), ("rport", "40000"))
    b.core.receive(ack_to(wire.last("200")), a.hop)
    b.call.bye()
    assert b.call.hop_now == Hop("UDP", "10.0.0.1", 40000)


def ack_to(ok: Response) -> bytes:
    fields = {n: ok.fields[n] for n in ("From", "To", "Call-ID")}
    fields |= {"Via": ["SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKack"], "CSeq": [f"{ok.cseq.number} ACK"]}
    return Request("ACK", "sip:b@h", fields).encode()


def test_12_1_1_an_invite_without_contact_is_served_at_its_from(wire, a, b) -> None:
    a.dial(b)
    invite = wire.messages[0]
    del invite.fields["Contact"]
    b.core.receive(invite.encode(), a.hop)
    assert str(b.call.dialog.remote_target) == "sip:alice@10.0.0.1"


def in_dialog(wire, method: str, *, cseq: int = 9, body: bytes = b"", kind: str = "", tag: str = "") -> bytes:
    """A request of side a inside the last call, by hand."""
    ok = wire.last("200")
    fields = {"Via": [f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{method}{cseq}"], "CSeq": [f"{cseq} {method}"]}
    fields |= {n: ok.fields[n] for n in ("From", "To", "Call-ID")}
    if tag:
        fields["To"] = [f"<sip:b@h>;tag={tag}"]
    if kind:
        fields["Content-Type"] = [kind]
    return Request(method, "sip:b@h", fields, body).encode()


@pytest.mark.parametrize(("make", "status"), [
    pytest.param({"method": "OPTIONS"}, 200, id="OPTIONS inside a dialog"),
    pytest.param({"method": "BYE", "tag": "nobody"}, 481, id="12.2.2: a tag of no dialog"),
    pytest.param({"method": "INVITE", "tag": "nobody"}, 481, id="14.2: a re-INVITE of no dialog"),
    pytest.param({"method": "OPTIONS", "cseq": 0}, 500, id="12.2.2: a CSeq that goes back"),
    pytest.param({"method": "MESSAGE"}, 405, id="a method we do not serve"),
    pytest.param({"method": "PRACK"}, 481, id="3262 3: a PRACK to nothing"),
    pytest.param({"method": "UPDATE"}, 200, id="3311 5.2: an UPDATE without an offer"),
])  # fmt: skip
def test_12_2_2_requests_inside_a_dialog(wire, a, b, make: dict[str, str], status: int, quiet: Quiet) -> None:
    answered(wire, a, b)
    b.core.receive(in_dialog(wire, **make), a.hop)
    assert wire.messages[-1].status == status  # type: ignore[union-attr]
    wire.run(0.1)
    a.told.clear()
    b.call.bye()
    quiet()


def test_12_2_2_another_call_id_or_from_tag_is_another_dialog(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    for old, new in ((out.call_id, "other"), (out.local_tag, "other")):
        b.core.receive(
            in_dialog(wire, "BYE").replace(old.encode(), new.encode()).replace(b"z9hG4bK", b"z9hG4bK" + old.encode()),
            a.hop,
        )
        assert wire.messages[-1].status == 481  # type: ignore[union-attr]
    assert b.told == []
    out.bye()
    quiet()


@pytest.mark.parametrize(
    ("kind", "body"), [("application/dtmf-relay", b"Signal=5\r\nDuration=160"), ("application/dtmf", b"5")]
)
def test_2976_an_info_goes_to_the_owner(wire, a, b, quiet: Quiet, kind: str, body: bytes) -> None:
    out = answered(wire, a, b)
    got = []
    b.on_request = lambda incoming: (got.append(incoming.request), incoming.respond(200))
    done = []
    out.send("INFO", done.append, body=body, content_type=kind)
    wire.run(0.1)
    assert [(r.method, r.get("Content-Type"), r.body) for r in got] == [("INFO", kind, body)]
    assert [r.status for r in done] == [200]
    out.bye()
    quiet()


def test_a_request_inside_a_dialog_we_have_not_got_yet_is_481(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b)
    wire.run(0.1)
    fields = {
        "Via": ["SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKe"], "From": ["<sip:b@h>;tag=9"],
        "To": [f"<sip:a@h>;tag={out.local_tag}"],
        "Call-ID": [out.call_id], "CSeq": ["1 INFO"],
    }  # fmt: skip
    a.core.receive(Request("INFO", "sip:a@h", fields).encode(), b.hop)
    assert wire.messages[-1].status == 481  # type: ignore[union-attr]
    b.call.refuse(486)
    quiet()


def test_requests_after_our_bye_are_481_until_it_is_answered(wire, a, b, quiet: Quiet) -> None:
    answered(wire, a, b)
    b.call.bye()
    b.core.receive(in_dialog(wire, "INFO"), a.hop)
    assert wire.messages[-1].status == 481  # type: ignore[union-attr]
    quiet()


@pytest.mark.parametrize(("reply", "bye"), [(None, True), (408, True), (481, False)])
def test_12_2_1_2_a_dialog_the_far_end_has_lost_is_over(wire, a, b, reply: int | None, bye: bool, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    if reply is None:
        wire.drop = lambda s, t, what: what == "INFO"
    b.on_request = lambda incoming: incoming.respond(reply)
    done = []
    out.send("INFO", done.append, extra=[("X-One", "1")])
    wire.run(33.0)
    assert [r and r.status for r in done] == [reply]
    assert a.told == [("gone", "lost")]
    assert ("1>2 BYE" in wire.rows) is bye
    b.call.bye()
    quiet()


# 14 re-INVITE


def accepting(agent, body: bytes = b"answer 2") -> None:
    agent.on_request = lambda incoming: agent.call.accept(incoming, body)


def test_14_1_a_re_invite_is_acked_and_its_repeated_200_too_and_told_once(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    accepting(b)
    lost = []
    wire.drop = lambda s, t, what: what == "ACK" and not lost and not lost.append(1)
    done = []
    out.reinvite(b"hold", done.append)
    wire.run(2.0)
    assert wire.rows == ["1>2 INVITE"] + ["2>1 200 INVITE", "1>2 ACK"] * 2
    assert [r.body for r in done] == [b"answer 2"]
    assert b.told == [("ack", b"")]
    out.bye()
    quiet()


def test_14_1_a_re_invite_may_move_the_target(wire, a, b) -> None:
    out = answered(wire, a, b)
    reinvite = in_dialog(wire, "INVITE").replace(b"Max", b"Contact: <sip:x@10.0.0.1:5062>\r\nMax")
    reinvite = reinvite.replace(b"CSeq", b"Contact: <sip:x@10.0.0.3:5062?a=b>\r\nCSeq")
    asked = []
    b.on_request = asked.append
    b.core.receive(reinvite, a.hop)
    assert b.call.dialog.remote_target.port == 5060  # 12.2.2: not before it is accepted
    b.call.accept(asked[0], b"x")
    assert str(b.call.dialog.remote_target) == "sip:x@10.0.0.3:5062"
    wire.drop = lambda s, t, what: t == "10.0.0.3"
    b.core.receive(in_dialog(wire, "ACK"), a.hop)
    b.call.bye()
    assert wire.rows[-1] == "2>3 BYE"
    out.bye()
    wire.run(40.0)
    assert a.core.load["dialogs"] == b.core.load["dialogs"] == 0


def test_14_1_a_200_with_an_unreadable_contact_keeps_the_target(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    b.on_request = lambda incoming: None
    done = []
    out.reinvite(b"hold", done.append)
    a.core.receive(reply(wire.last("INVITE"), 200, extra=[("Contact", "<")]), b.hop)
    assert [r.status for r in done] == [200]
    assert str(out.dialog.remote_target) == "sip:10.0.0.2:5060"
    wire.run(0.1)
    out.bye()
    quiet()


def test_14_1_a_refused_re_invite_changes_nothing(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    b.on_request = lambda incoming: (incoming.respond(100), incoming.respond(488), b.call.accept(incoming, b"late"))
    done = []
    out.reinvite(b"hold", done.append)
    wire.run(0.1)
    assert wire.rows == ["1>2 INVITE", "2>1 100 INVITE", "2>1 488 INVITE", "1>2 ACK"]
    assert [r.status for r in done] == [488]
    out.bye()
    quiet()


def test_14_2_re_invites_that_cross_get_491(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    done = []
    out.reinvite(b"x", done.append)
    b.call.reinvite(b"y", done.append)
    wire.run(0.1)
    assert sorted(r for r in wire.rows if "491" in r) == ["1>2 491 INVITE", "2>1 491 INVITE"]
    assert [r.status for r in done] == [491, 491]
    assert (a.told, b.told) == ([], [])
    out.bye()
    quiet()


def test_14_2_a_second_re_invite_before_the_answer_to_the_first_is_500_with_retry_after(
    wire, a, b, quiet: Quiet
) -> None:
    answered(wire, a, b)
    waiting = []
    b.on_request = waiting.append
    b.core.receive(in_dialog(wire, "INVITE", cseq=9), a.hop)
    b.core.receive(in_dialog(wire, "INVITE", cseq=10), a.hop)
    assert (wire.messages[-1].status, wire.messages[-1].get("Retry-After")) == (500, "1")  # type: ignore[union-attr]
    waiting[0].respond(488)
    wire.run(0.1)
    b.call.bye()
    quiet()


def test_15_1_2_a_re_invite_that_waits_when_the_dialog_ends_gets_487(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    waiting, done = [], []
    b.on_request = waiting.append
    out.reinvite(b"x", done.append)
    wire.run(0.1)
    b.call.bye()
    b.call.accept(waiting[0], b"too late")
    wire.run(0.1)
    assert [r.status for r in done] == [487]
    quiet()


def test_a_cancelled_re_invite_is_still_answered(wire, a, b, quiet: Quiet) -> None:
    answered(wire, a, b)
    waiting = []
    b.on_request = waiting.append
    b.core.receive(in_dialog(wire, "INVITE"), a.hop)
    b.core.receive(in_dialog(wire, "CANCEL").replace(b"z9hG4bKCANCEL9", b"z9hG4bKINVITE9"), a.hop)
    assert wire.messages[-1].status == 200  # type: ignore[union-attr]
    waiting[0].respond(488)
    wire.run(0.1)
    b.call.bye()
    quiet()


def test_a_cancel_for_a_re_invite_we_sent_a_caller(wire, a, b, quiet: Quiet) -> None:
    """The same on the side that invited: nothing happens to the call."""
    out = answered(wire, a, b)
    waiting = []
    a.on_request = waiting.append
    b.call.reinvite(b"x", lambda _: None)
    wire.run(0.1)
    out.receive_cancel(Request("CANCEL", "sip:x@y", {}))
    assert not out.over
    waiting[0].respond(488)
    out.bye()
    quiet()


# 22 authentication by a trunk


class Trunk:
    """Challenges what it is told to, and checks the proofs."""

    def __init__(self, agent, challenges: list[list[Challenge]], status: int = 407) -> None:
        self.agent, self.challenges, self.status = agent, challenges, status
        self.nonces: list[str] = []
        agent.on["invite"] = self.on_invite

    def on_invite(self, incoming) -> None:
        if self.challenges:
            self.challenge(incoming)
            return
        del self.agent.on["invite"]
        self.check(incoming.request)
        self.agent.on_invite(incoming)

    def challenge(self, incoming) -> None:
        name = "Proxy-Authenticate" if self.status == 407 else "WWW-Authenticate"
        incoming.respond(self.status, extra=[(name, str(c)) for c in self.challenges.pop(0)])

    def check(self, request: Request) -> None:
        value = request.get("Proxy-Authorization" if self.status == 407 else "Authorization")
        assert value is not None
        proof = parse_proof(value)
        assert proves(proof, ha1("alice", proof.realm, "secret", proof.algorithm), request.method)
        assert proof.uri == request.uri_text
        self.nonces.append(f"{proof.algorithm} {proof.nonce}")


MD5, SHA = Challenge("r", "n1", "MD5", "auth", "o"), Challenge("r", "n2", "SHA-256", "auth")
STALE = Challenge("r", "n3", "MD5", "auth", stale=True)


@pytest.mark.parametrize(("challenges", "used"), [
    pytest.param([[MD5]], "MD5 n1", id="MD5 with qop"),
    pytest.param([[Challenge("r", "n1")]], "MD5 n1", id="no qop"),
    pytest.param([[SHA, MD5]], "SHA-256 n2", id="8760: SHA-256 where it is offered first"),
    pytest.param([[MD5, SHA]], "MD5 n1", id="8760 2.4: the first we know"),
    pytest.param([[MD5], [STALE]], "MD5 n3", id="22.4: a stale nonce, once more"),
])  # fmt: skip
@pytest.mark.parametrize("status", [401, 407])
def test_22_2_a_challenged_invite_is_sent_again_with_a_proof(
    wire, a, b, quiet: Quiet, who: Credentials, challenges: list[list[Challenge]], used: str, status: int
) -> None:
    rounds = len(challenges)
    trunk = Trunk(b, list(challenges), status)
    out = a.dial(b, credentials=who)
    wire.run(0.2)
    assert trunk.nonces == [used]
    invites = [m for m in wire.messages if isinstance(m, Request) and m.method == "INVITE"]
    assert [m.cseq.number for m in invites] == list(range(1, rounds + 2))
    assert len({m.via.branch for m in invites}) == rounds + 1
    assert len({(m.call_id, m.from_.tag) for m in invites}) == 1
    b.call.answer(b"")
    wire.run(0.1)
    name = "Proxy-Authorization" if status == 407 else "Authorization"
    assert wire.last("ACK").get(name) == invites[-1].get(name)  # 22.1
    assert wire.last("ACK").cseq.number == rounds + 1
    out.bye()
    wire.run(0.1)
    assert wire.last("BYE").cseq.number == rounds + 2
    quiet()


@pytest.mark.parametrize("challenges", [
    pytest.param([[MD5], [MD5]], id="a wrong password is not tried again"),
    pytest.param([[MD5], [STALE], [STALE]], id="stale twice"),
    pytest.param([[]], id="no challenge at all"),
])  # fmt: skip
def test_22_2_what_we_cannot_prove_is_a_refusal(
    wire, a, b, quiet: Quiet, who, challenges: list[list[Challenge]]
) -> None:
    Trunk(b, challenges)
    a.dial(b, credentials=who)
    wire.run(0.5)
    assert a.told == [("refused", 407)]
    quiet()


@pytest.mark.parametrize("value", ["Basic realm=x", 'Digest realm="r", nonce="n", algorithm=SHA-1'])
def test_22_2_a_challenge_we_do_not_know_is_a_refusal(wire, a, b, quiet: Quiet, who, value: str) -> None:
    b.on["invite"] = lambda incoming: incoming.respond(401, extra=[("WWW-Authenticate", value)])
    a.dial(b, credentials=who)
    wire.run(0.1)
    assert a.told == [("refused", 401)]
    quiet()


def test_without_credentials_a_challenge_is_a_refusal(wire, a, b, quiet: Quiet) -> None:
    Trunk(b, [[MD5]])
    a.dial(b)
    wire.run(0.1)
    assert a.told == [("refused", 407)]
    quiet()


def test_cancelled_meanwhile_a_challenge_is_not_answered(wire, a, b, quiet: Quiet, who) -> None:
    Trunk(b, [[MD5]])
    a.dial(b, credentials=who).cancel()
    wire.run(0.1)
    assert a.told == [("refused", 487)]
    quiet()


def test_after_a_challenge_cancel_waits_for_a_provisional_again(wire, a, b, quiet: Quiet, who) -> None:
    trunk = Trunk(b, [[MD5]])
    b.on["invite"] = lambda incoming: (incoming.respond(100), trunk.challenge(incoming), b.on.clear())
    out = a.dial(b, credentials=who)
    wire.run(0.1)
    out.cancel()
    wire.run(0.1)
    assert wire.count("CANCEL") == 0
    b.call.ring()
    wire.run(0.1)
    assert wire.rows[-4:] == ["1>2 CANCEL", "2>1 200 CANCEL", "2>1 487 INVITE", "1>2 ACK"]
    assert a.told == [("refused", 487)]
    quiet()


@pytest.mark.parametrize("stale", [False, True])
def test_22_2_a_challenged_bye_is_sent_again(wire, a, b, quiet: Quiet, who, stale: bool) -> None:
    out = a.dial(b, credentials=who)
    wire.run(0.1)
    b.call.answer(b"")
    wire.run(0.1)
    trunk = Trunk(b, [[MD5], [STALE]] if stale else [[MD5]])
    plain = b.call.receive

    def challenge_first(incoming) -> None:
        if trunk.challenges:
            trunk.challenge(incoming)
        else:
            trunk.check(incoming.request)
            plain(incoming)

    b.core.drop_usage(b.call.local_tag)
    b.core.add_usage(b.call.local_tag, Wrapped(b.call, challenge_first))
    out.bye()
    wire.run(0.2)
    assert b.told[-1] == ("gone", "bye")
    assert wire.last("BYE").cseq.number == (4 if stale else 3)
    quiet()


class Wrapped:
    """A usage whose requests somebody else sees first."""

    def __init__(self, usage, receive) -> None:
        self.receive = receive
        self.receive_ack, self.receive_cancel = usage.receive_ack, usage.receive_cancel


# Faults: calls end cleanly whatever the wire does


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("who_leaves", ["caller", "callee", "cancel", "refuse"])
def test_calls_end_cleanly_over_a_wire_that_loses_repeats_and_reorders(wire, a, b, seed: int, who_leaves: str) -> None:
    wire.dice.seed(seed)
    wire.loss, wire.repeats, wire.shuffle_s = 0.3, 0.2, 0.4
    out = a.dial(b)
    wire.run(10.0)
    if b.calls:
        b.call.incoming.respond(100)
        b.call.ring()
        wire.run(3.0)
        if who_leaves == "cancel":
            out.cancel()
        elif who_leaves == "refuse":
            b.call.refuse(486)
        else:
            b.call.answer(b"x")
            wire.run(10.0)
            (out if who_leaves == "caller" else b.call).bye()
    wire.run(200.0)
    for agent in (a, b):
        assert agent.bugs == []
        assert agent.core.load == {"clients": 0, "servers": 0, "dialogs": 0}
    final = [n for n in a.told if n[0] in ("answer", "refused")]
    assert len(final) == 1 or not b.calls
    assert len([n for n in b.told if n[0] == "invite"]) <= 1


def test_a_100_call_burst_over_a_bad_wire_leaves_nothing(wire, a, b, quiet: Quiet) -> None:
    wire.loss, wire.repeats, wire.shuffle_s = 0.1, 0.1, 0.2
    b.on_invite = lambda incoming: serve(b, incoming)
    for _ in range(100):
        a.dial(b)
        wire.run(0.05)
    wire.run(60.0)
    wire.loss = wire.repeats = wire.shuffle_s = 0.0
    for call in b.calls:
        call.bye()
    quiet()


def serve(agent, incoming) -> None:
    type(agent).on_invite(agent, incoming)
    agent.call.trying()
    agent.call.ring()
    agent.call.answer(b"x")


def test_a_bug_in_the_owner_of_one_call_is_reported_and_the_next_call_goes_on(wire, a, b) -> None:
    def broken() -> None:
        raise RuntimeError("owner")

    a.on["answer"] = broken
    out = a.dial(b)
    wire.run(0.1)
    b.call.answer(b"")
    wire.run(0.1)
    assert [str(e) for e in a.bugs] == ["owner"]
    a.on.clear()
    out.bye()
    answered(wire, a, b).bye()
    wire.run(100.0)
    assert a.core.load == {"clients": 0, "servers": 0, "dialogs": 0}


def test_a_180_never_leaves_after_the_200(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b)
    wire.run(0.1)
    b.call.answer(b"")
    b.call.ring()
    b.call.ring(b"early")
    b.call.answer(b"again")
    b.call.refuse(486)
    wire.run(0.1)
    assert wire.rows == ["1>2 INVITE", "2>1 200 INVITE", "1>2 ACK"]
    out.bye()
    quiet()


def test_over_tcp_a_2xx_is_not_repeated_but_still_waits_for_its_ack(wire, a, b, quiet: Quiet) -> None:
    tcp = type("Peer", (), {"hop": Hop("TCP", "10.0.0.2", 5060)})
    wire.drop = lambda s, t, what: what == "ACK"
    a.dial(tcp)
    assert wire.last("INVITE").via.transport == "TCP"
    assert wire.last("INVITE").get("Contact") == "<sip:10.0.0.1:5060;transport=tcp>"
    b.core.receive(wire.last("INVITE").encode(), Hop("TCP", "10.0.0.1", 5060))
    b.call.answer(b"")
    wire.run(31.0)
    assert wire.count("200 INVITE") == 1
    wire.run(2.0)
    assert b.told[-1] == ("gone", "no-ack")


def test_the_far_end_re_invites_the_side_that_invited_and_its_ack_is_lost_once(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    a.on_request = lambda incoming: out.accept(incoming, b"ours")
    lost = []
    wire.drop = lambda s, t, what: what == "ACK" and not lost and not lost.append(1)
    b.call.reinvite(b"theirs", lambda _: None)
    wire.run(2.0)
    assert wire.rows == ["2>1 INVITE"] + ["1>2 200 INVITE", "2>1 ACK"] * 2
    assert a.told == [("ack", b"")]
    out.bye()
    quiet()


def test_an_ack_to_a_2xx_with_the_branch_of_the_invite_is_an_ack_all_the_same(wire, a, b, quiet: Quiet) -> None:
    wire.drop = lambda s, t, what: what == "ACK"
    a.dial(b)
    wire.run(0.1)
    b.call.answer(b"")
    wire.run(0.1)
    ack = wire.last("ACK")
    ack.fields["Via"] = wire.last("INVITE").fields["Via"]
    for _ in range(2):
        b.core.receive(ack.encode(), a.hop)
    assert b.told == [("invite", "bob"), ("ack", b"")]
    b.call.bye()
    quiet()


def test_a_200_to_a_re_invite_without_contact_keeps_the_target(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    b.on_request = lambda incoming: None
    out.reinvite(b"hold", lambda _: None)
    a.core.receive(reply(wire.last("INVITE"), 200), b.hop)
    assert str(out.dialog.remote_target) == "sip:10.0.0.2:5060"
    wire.run(0.1)
    out.bye()
    quiet()


def test_a_bye_is_over_with_its_final_response_not_before(wire, a, b, quiet: Quiet) -> None:
    out = answered(wire, a, b)
    out.bye()
    bye = wire.last("BYE")
    a.core.receive(reply(bye, 100), b.hop)
    assert a.core.load["dialogs"] == 1
    a.core.receive(reply(bye, 401), b.hop)
    assert a.core.load["dialogs"] == 0
    quiet()


def test_9_2_a_cancel_that_crosses_our_refusal_is_answered_for_itself(wire, a, b, quiet: Quiet) -> None:
    out = a.dial(b)
    wire.run(0.1)
    b.call.ring()
    wire.run(0.1)
    b.call.refuse(486)
    out.cancel()
    wire.run(0.1)
    assert sorted(wire.rows[2:]) == ["1>2 ACK", "1>2 CANCEL", "2>1 200 CANCEL", "2>1 486 INVITE"]
    assert a.told[-1] == ("refused", 487)
    quiet()
