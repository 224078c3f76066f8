"""Session timers: the rules as tables, refreshing and its end over an in-memory wire (RFC 4028)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip_stack.errors import BadMessage, PeerError
from sip_stack.message import Request, reply
from sip_stack.options import InviteOptions
from sip_stack.outgoing_invite import OutgoingInvite
from sip_stack.session_timer import Terms, agree, headers_of_answer

Quiet = Callable[[], None]
TIMED = InviteOptions(session_s=1800)
SHORT = InviteOptions(session_s=300)


def asking(**fields: str) -> Request:
    return Request("INVITE", "sip:b@h", {name.replace("_", "-"): [value] for name, value in fields.items()})


@pytest.mark.parametrize(("request_", "options", "terms"), [
    pytest.param(asking(), TIMED, None, id="they do not know it: no timer"),
    pytest.param(asking(Supported="timer"), TIMED, Terms(1800, "uac"), id="they know it: we ask, they refresh"),
    pytest.param(asking(Supported="timer", Min_SE="3600"), TIMED, Terms(3600, "uac"), id="9: never below Min-SE"),
    pytest.param(asking(Supported="timer", Session_Expires="600"), TIMED, Terms(600, "uac"), id="theirs is taken"),
    pytest.param(asking(Supported="timer", Session_Expires="600 ; refresher = UAS"), TIMED, Terms(600, "uas"),
                 id="9: the refresher they name"),
    pytest.param(asking(Supported="timer", Session_Expires="600;refresher=uac;x=y"), TIMED, Terms(600, "uac"),
                 id="9: with a parameter nobody knows"),
    pytest.param(asking(Session_Expires="600"), TIMED, Terms(600, "uas"), id="table 2: a proxy asked, so we refresh"),
    pytest.param(asking(Session_Expires="600;refresher=uac"), TIMED, Terms(600, "uas"),
                 id="table 2: who does not know it cannot refresh"),
    pytest.param(asking(Session_Expires="5"), TIMED, Terms(90, "uas"),
                 id="9: no 422 to who does not know it, and no interval below 90"),
    pytest.param(asking(Require="timer", Session_Expires="7200"), TIMED, Terms(1800, "uac"), id="9: may be shortened"),
    pytest.param(asking(Supported="timer", Session_Expires="7200", Min_SE="3600"), TIMED, Terms(3600, "uac"),
                 id="9: shortened to Min-SE"),
    pytest.param(asking(Supported="timer", Session_Expires="7200", Min_SE="x"), TIMED, Terms(1800, "uac"),
                 id="a Min-SE nobody can read is 90"),
    pytest.param(asking(Supported="timer", Session_Expires="600"), InviteOptions(), None, id="switched off"),
])  # fmt: skip
def test_9_what_is_agreed(request_: Request, options: InviteOptions, terms: Terms | None) -> None:
    assert agree(request_, options) == terms


def test_9_an_interval_below_ours_is_422_with_min_se() -> None:
    with pytest.raises(PeerError) as refused:
        agree(asking(Supported="timer", Session_Expires="100"), InviteOptions(session_s=1800, min_se_s=120))
    assert (refused.value.status, refused.value.headers) == (422, (("Min-SE", "120"),))


def test_4_a_session_expires_that_cannot_be_read_is_400() -> None:
    with pytest.raises(BadMessage):
        agree(asking(Session_Expires="soon"), TIMED)


@pytest.mark.parametrize(("terms", "headers"), [
    (None, []),
    (Terms(600, "uas"), [("Session-Expires", "600;refresher=uas")]),
    (Terms(600, "uac"), [("Require", "timer"), ("Session-Expires", "600;refresher=uac")]),
])
def test_9_require_timer_where_they_refresh(terms: Terms | None, headers: list[tuple[str, str]]) -> None:
    assert headers_of_answer(terms) == headers


def up(wire, a, b, ours: InviteOptions = SHORT, theirs: InviteOptions = SHORT, **options: object) -> OutgoingInvite:
    """A call that is up, with what both sides want."""
    b.options = theirs
    out = a.dial(b, options=ours, **options)
    wire.run(0.1)
    b.call.answer(b"answer")
    wire.run(0.1)
    return out


def restart(wire, *agents) -> None:
    wire.ladder.clear()
    for agent in agents:
        agent.told.clear()


def test_7_1_what_an_invite_and_its_200_say(wire, a, b, quiet: Quiet) -> None:
    out = up(wire, a, b, InviteOptions(session_s=600, min_se_s=100), TIMED)
    invite, final = wire.last("INVITE"), wire.last("200")
    assert [invite.get(n) for n in ("Supported", "Session-Expires", "Min-SE")] == [
        "timer, replaces, norefersub", "600", "100",
    ]  # fmt: skip
    assert [final.get(n) for n in ("Require", "Session-Expires")] == ["timer", "600;refresher=uac"]
    out.bye()
    quiet()


def test_10_the_caller_refreshes_by_update_after_half_the_interval_for_ever(wire, a, b, quiet: Quiet) -> None:
    out = up(wire, a, b)
    restart(wire, a, b)
    wire.run(149.0)
    assert wire.rows == []
    wire.run(3.0)
    assert wire.rows == ["1>2 UPDATE", "2>1 200 UPDATE"]
    update, final = wire.last("UPDATE"), wire.last("200")
    assert [update.get(n) for n in ("Session-Expires", "Supported")] == ["300;refresher=uac", "timer"]
    assert (final.get("Session-Expires"), update.body) == ("300;refresher=uac", b"")
    wire.run(3600.0)
    assert wire.rows == ["1>2 UPDATE", "2>1 200 UPDATE"] * 23
    assert (a.told, b.told) == ([], [])
    out.bye()
    quiet()


def test_10_the_callee_refreshes_where_the_caller_says_so(wire, a, b, quiet: Quiet) -> None:
    b.options = SHORT
    out = a.dial(b, options=SHORT)
    invite = wire.last("INVITE")
    assert invite.fields["Session-Expires"] == ("300",)
    invite.fields["Session-Expires"] = ["300;refresher=uas"]
    b.core.receive(invite.encode(), a.hop)
    wire.run(0.1)
    b.call.answer(b"answer")
    wire.run(0.1)
    restart(wire, a, b)
    wire.run(160.0)
    assert wire.rows == ["2>1 UPDATE", "1>2 200 UPDATE"]
    out.bye()
    quiet()


def test_7_4_without_update_a_re_invite_says_the_same_description_again(wire, a, b, quiet: Quiet) -> None:
    out = up(wire, a, b)
    out.far_allows = ["INVITE, ACK, BYE"]
    b.on_request = lambda incoming: b.call.accept(incoming, b"answer")
    restart(wire, a, b)
    wire.run(160.0)
    assert wire.rows == ["1>2 INVITE", "2>1 200 INVITE", "1>2 ACK"]
    assert wire.last("INVITE").body == b"offer"
    wire.run(160.0)
    assert wire.rows == ["1>2 INVITE", "2>1 200 INVITE", "1>2 ACK"]
    out.bye()
    quiet()


@pytest.mark.parametrize(("status", "rows"), [
    pytest.param(405, ["1>2 INVITE", "2>1 200 INVITE", "1>2 ACK"], id="UPDATE is not allowed: a re-INVITE"),
    pytest.param(501, ["1>2 INVITE", "2>1 200 INVITE", "1>2 ACK"], id="UPDATE is not known: a re-INVITE"),
    pytest.param(422, ["1>2 UPDATE", "2>1 200 UPDATE"], id="7.4: 422, with a longer interval"),
    pytest.param(491, ["1>2 UPDATE", "2>1 200 UPDATE"], id="14.1: 491, after a random wait"),
    pytest.param(500, ["1>2 UPDATE", "2>1 200 UPDATE"], id="any other fault, a little later"),
])  # fmt: skip
def test_7_4_a_refresh_that_is_not_taken_is_tried_again(
    wire, a, b, status: int, rows: list[str], quiet: Quiet
) -> None:
    out = up(wire, a, b)
    restart(wire, a, b)
    b.on_request = lambda incoming: b.call.accept(incoming, b"answer")
    receive, refused = b.call._receive_update, []

    def refuse_first(incoming) -> None:
        refused.append(incoming)
        if len(refused) > 1:
            receive(incoming)
        else:
            incoming.respond(status, extra=[("Min-SE", "1000")] if status == 422 else [])

    type(b.call)._receive_update, kept = lambda self, incoming: refuse_first(incoming), type(b.call)._receive_update
    try:
        wire.run(170.0)
    finally:
        type(b.call)._receive_update = kept
    assert wire.rows == ["1>2 UPDATE", f"2>1 {status} UPDATE", *rows]
    if status == 422:
        assert wire.last("UPDATE").get("Session-Expires") == "1000;refresher=uac"
    wire.run(100.0)
    assert (a.told, [t for t in b.told if t[0] == "gone"]) == ([], [])
    out.bye()
    quiet()


@pytest.mark.parametrize(("status", "rows"), [
    pytest.param(200, ["1>2 UPDATE", "2>1 200 UPDATE"], id="who begins a session by UPDATE knows it"),
    pytest.param(405, ["1>2 UPDATE", "2>1 405 UPDATE"] * 2, id="or does not, and is asked again a little later"),
])  # fmt: skip
def test_7_4_where_our_description_was_let_go_a_session_begun_late_is_refreshed_by_update(
    wire, a, b, status: int, rows: list[str], quiet: Quiet
) -> None:
    out = up(wire, a, b, theirs=InviteOptions())
    assert out.session is None
    out.described, out.far_allows = b"", ()
    b.call.send("UPDATE", lambda _: None, extra=[("Supported", "timer"), ("Session-Expires", "300;refresher=uas")])
    wire.run(0.1)
    restart(wire, a, b)
    kept = type(b.call)._receive_update
    type(b.call)._receive_update = lambda self, incoming: incoming.respond(status)
    try:
        wire.run(165.0)
    finally:
        type(b.call)._receive_update = kept
    assert wire.rows == rows
    out.bye()
    quiet()


def test_10_nobody_refreshes_and_the_session_ends_by_a_bye_with_a_reason(wire, a, b, quiet: Quiet) -> None:
    up(wire, a, b)
    restart(wire, a, b)
    wire.drop = lambda s, t, what: what == "UPDATE"
    a.core._wheel._slots.clear()  # the caller is dead: it says nothing any more
    a.core._wheel._due.clear()
    wire.run(267.0)
    assert wire.rows == []
    wire.run(5.0)
    assert wire.rows[0] == "2>1 BYE"
    assert wire.last("BYE").get("Reason") == 'SIP;cause=408;text="Session timer expired"'
    assert b.told == [("gone", "expired")]


def test_10_a_refresh_that_nobody_answers_ends_the_call(wire, a, b, quiet: Quiet) -> None:
    up(wire, a, b)
    restart(wire, a, b)
    wire.drop = lambda s, t, what: t == "10.0.0.2"
    wire.run(250.0)
    assert a.told == [("gone", "lost")]
    wire.run(300.0)
    assert b.told == [("gone", "expired")]
    quiet()


def test_10_refreshes_refused_until_the_end_are_an_expired_session(wire, a, b, quiet: Quiet) -> None:
    out = up(wire, a, b)
    out.far_allows = []
    b.on_request = lambda incoming: incoming.respond(488)
    b.call.session.stop()
    restart(wire, a, b)
    wire.run(280.0)
    assert a.told == [("gone", "expired")]
    assert wire.count("INVITE") in range(10, 14)
    quiet()


def test_7_2_a_200_without_session_expires_is_a_session_that_does_not_expire(wire, a, b, quiet: Quiet) -> None:
    out = up(wire, a, b, SHORT, InviteOptions())
    restart(wire, a, b)
    wire.run(4000.0)
    assert wire.rows == []
    out.bye()
    quiet()


@pytest.mark.parametrize("value", ["never", "300"])
def test_7_2_a_200_whose_session_expires_is_odd(wire, a, b, value: str, quiet: Quiet) -> None:
    out = a.dial(b, options=SHORT)
    wire.run(0.1)
    answer = reply(wire.last("INVITE"), 200, tag=b.call.local_tag, body=b"x",
                   extra=[("Session-Expires", value), ("Contact", "<sip:10.0.0.2>")])  # fmt: skip
    a.core.receive(answer, b.hop)
    wire.run(155.0)
    assert (wire.count("UPDATE") + wire.count("INVITE") > 1) is (value == "300")  # 9: no refresher named: it is us
    out.bye()
    b.call.refuse(486)
    wire.run(50.0)


def test_7_3_a_422_is_answered_by_a_longer_interval(wire, a, b, quiet: Quiet) -> None:
    b.on["invite"] = lambda incoming: (b.on.pop("invite"), incoming.respond(422, extra=[("Min-SE", "900")]))
    out = a.dial(b, options=SHORT)
    wire.run(0.1)
    invite = wire.last("INVITE")
    assert [invite.get(n) for n in ("Session-Expires", "Min-SE", "CSeq")] == ["900", "900", "2 INVITE"]
    assert wire.rows == ["1>2 INVITE", "2>1 422 INVITE", "1>2 ACK", "1>2 INVITE"]
    b.call.answer(b"answer")
    wire.run(0.1)
    out.bye()
    quiet()


@pytest.mark.parametrize(("options", "least"), [
    pytest.param(SHORT, "200", id="a Min-SE that we kept"),
    pytest.param(InviteOptions(), "900", id="we did not ask for a session"),
])
def test_7_3_a_422_that_makes_no_sense_is_a_refusal(
    wire, a, b, options: InviteOptions, least: str, quiet: Quiet
) -> None:
    b.on["invite"] = lambda incoming: incoming.respond(422, extra=[("Min-SE", least)])
    a.dial(b, options=options)
    wire.run(0.1)
    assert a.told == [("refused", 422)]
    quiet()


def test_7_3_a_far_end_that_always_wants_more_is_given_up(wire, a, b, quiet: Quiet) -> None:
    wanted = iter(range(1000, 2000, 100))
    b.on["invite"] = lambda incoming: incoming.respond(422, extra=[("Min-SE", str(next(wanted)))])
    a.dial(b, options=SHORT)
    wire.run(0.5)
    assert (a.told, wire.count("INVITE")) == ([("refused", 422)], 4)
    quiet()


def test_9_an_invite_or_update_below_our_interval_is_422(wire, a, b, quiet: Quiet) -> None:
    b.options = InviteOptions(session_s=1800, min_se_s=600)
    asked = [("Supported", "timer"), ("Session-Expires", "300")]
    a.dial(b, extra=asked)
    wire.run(0.1)
    assert (wire.count("422 INVITE"), wire.last("422").get("Min-SE")) == (1, "600")
    out = up(wire, a, b, InviteOptions(), b.options)
    done: list = []
    out.send("UPDATE", done.append, extra=asked)
    out.send("INVITE", done.append, extra=asked, body=b"hold")
    wire.run(0.1)
    assert [r.status for r in done] == [422, 422]
    assert not b.call._invited
    out.bye()
    quiet()


def test_9_a_re_invite_keeps_the_timer_going_and_one_without_knowledge_of_it_stops_it(
    wire, a, b, quiet: Quiet
) -> None:
    out = up(wire, a, b)
    b.on_request = lambda incoming: b.call.accept(incoming, b"answer 2")
    wire.run(100.0)
    out.reinvite(b"hold", lambda _: None)
    restart(wire, a, b)
    wire.run(149.0)
    assert wire.count("UPDATE") == 0  # the interval began anew
    wire.run(5.0)
    assert wire.count("UPDATE") == 1
    out.session.stop()
    out.session, out.options = None, InviteOptions()  # a far end that has forgotten all about timers
    out.reinvite(b"resume", lambda _: None)
    restart(wire, a, b)
    wire.run(1000.0)
    assert (b.told, wire.count("BYE")) == ([("ack", b"")], 0)
    out.bye()
    quiet()


def test_an_offer_under_way_puts_the_refresh_off_for_a_moment(wire, a, b, quiet: Quiet) -> None:
    out = up(wire, a, b)
    waiting: list = []
    b.on_request = waiting.append
    wire.run(149.0)
    out.reinvite(b"hold", lambda _: None)
    restart(wire, a, b)
    wire.run(10.0)
    assert [row for row in wire.rows if "UPDATE" in row] == []
    waiting[0].respond(488)
    wire.run(3.0)
    assert "1>2 UPDATE" in wire.rows
    out.bye()
    quiet()


def test_an_ended_call_leaves_no_timer_behind_for_longer_than_a_tick(wire, a, b, quiet: Quiet) -> None:
    out = up(wire, a, b)
    out.bye()
    wire.run(70.0)
    assert (a.core._wheel._slots, b.core._wheel._slots) == ({}, {})
    quiet()


def test_a_refresh_refused_after_theirs_has_begun_a_new_interval_is_not_repeated(wire, a, b, quiet: Quiet) -> None:
    out = up(wire, a, b)
    receive, waiting = type(b.call)._receive_update, []
    type(b.call)._receive_update = lambda self, incoming: waiting.append(incoming)
    wire.run(151.0)
    type(b.call)._receive_update = receive
    b.call.options, kept = InviteOptions(), b.call.options
    b.call.send("UPDATE", lambda _: None, extra=[("Supported", "timer"), ("Session-Expires", "300;refresher=uas")])
    wire.run(0.1)
    b.call.options = kept
    restart(wire, a, b)
    waiting[0].respond(500)
    wire.run(60.0)
    assert wire.rows == ["2>1 500 UPDATE"]
    out.bye()
    quiet()


def test_a_refresh_refused_when_the_call_is_over_means_nothing(wire, a, b, quiet: Quiet) -> None:
    up(wire, a, b)
    receive, waiting = type(b.call)._receive_update, []
    type(b.call)._receive_update = lambda self, incoming: waiting.append(incoming)
    wire.run(151.0)
    type(b.call)._receive_update = receive
    b.call.bye()
    wire.run(0.1)
    restart(wire, a, b)
    waiting[0].respond(500)
    wire.run(200.0)
    assert (wire.rows, a.told) == (["2>1 500 UPDATE"], [])
    quiet()
