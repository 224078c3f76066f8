"""SipCore: matching, refusing and routing (RFC 3261 8.2, 17.1.3, 17.2.3, 18), by hand-made datagrams."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip_stack.core import ALLOW, Hop, SipCore
from sip_stack.errors import PeerError
from sip_stack.headers import NameAddr
from sip_stack.message import Request, Response, reply
from sip_stack.uri import sip_uri

A = Hop("UDP", "10.0.0.1", 5060)


def request(method: str, **change: str | None) -> bytes:
    """A request of 10.0.0.1; `Name=value` changes a header (`_` for `-`), None leaves it out."""
    fields: dict[str, str | None] = {
        "Via": "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1", "Max-Forwards": "70", "From": "<sip:a@10.0.0.1>;tag=a1",
        "To": "<sip:b@10.0.0.2>", "Call-ID": "c1", "CSeq": f"1 {method}", "Contact": "<sip:a@10.0.0.1>",
    }  # fmt: skip
    fields |= {name.replace("_", "-"): value for name, value in change.items() if name not in ("uri", "body")}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    return f"{method} {change.get('uri') or 'sip:b@10.0.0.2'} SIP/2.0\r\n{lines}\r\n{change.get('body') or ''}".encode()


def replies(wire) -> list[int]:
    """The statuses that left since the last look."""
    found = [m.status for m in wire.messages if isinstance(m, Response)]
    wire.messages.clear()
    return found


def test_what_is_sent_to_our_own_address_comes_back(b) -> None:
    hops = [Hop("UDP", "10.0.0.2", 5060), Hop("UDP", "10.0.0.2", 5062), A, Hop("SCTP", "10.0.0.2", 5060)]
    assert [b.core.is_ours(hop) for hop in hops] == [True, False, False, False]


# 8.2 what we refuse


@pytest.mark.parametrize(("data", "status", "header"), [
    pytest.param(request("SUBSCRIBE"), 405, ("Allow", ALLOW), id="8.2.1: a method we know and do not serve"),
    pytest.param(request("HELLO"), 501, ("Allow", ALLOW), id="8.2.1: a method nobody knows"),
    pytest.param(request("INVITE", Require="100rel, gruu, timer"), 420, ("Unsupported", "gruu"),
                 id="8.2.2.3: Require"),
    pytest.param(request("INVITE", Require="100rel, Timer"), None, None, id="8.2.2.3: Require of what we have"),
    pytest.param(request("PRACK"), 481, None, id="3262: PRACK outside a dialog"),
    pytest.param(request("UPDATE"), 481, None, id="3311: UPDATE outside a dialog"),
    pytest.param(request("INVITE", Require=""), None, None, id="an empty Require asks for nothing"),
    pytest.param(request("INVITE", Content_Encoding="gzip"), 415, ("Accept-Encoding", "identity"),
                 id="8.2.3: encoding"),
    pytest.param(request("INVITE", Content_Type="text/plain", body="x"), 415, ("Accept", "application/sdp"),
                 id="8.2.3: body"),
    pytest.param(request("INVITE", Content_Type="Application/SDP;charset=x", body="x"), None, None,
                 id="sdp in any case"),
    pytest.param(request("INVITE", Content_Type="text/plain"), None, None, id="the type of no body does not matter"),
    pytest.param(request("INVITE", uri="mailto:x@y"), 416, None, id="8.2.2.1: scheme"),
    pytest.param(request("INVITE", Contact="*"), 400, None, id="12.1.1: an INVITE needs a Contact that can be called"),
    pytest.param(request("BYE"), 481, None, id="15.1.2: BYE outside a dialog"),
    pytest.param(request("INFO"), 481, None, id="INFO outside a dialog"),
    pytest.param(request("CANCEL"), 481, None, id="9.2: CANCEL of nothing"),
    pytest.param(request("CANCEL", Require="x"), 481, None, id="8.2.2.3: Require is ignored in a CANCEL"),
    pytest.param(request("OPTIONS", To="<sip:b@h>;tag=nobody"), 481, None, id="12.2.2: a dialog nobody has"),
    pytest.param(request("OPTIONS"), 200, None, id="11.2: OPTIONS is the user's to answer"),
    pytest.param(request("OPTIONS", From=None), 400, None, id="no From"),
    pytest.param(request("OPTIONS", CSeq="1 INVITE"), 400, None, id="CSeq method"),
    pytest.param(request("OPTIONS", CSeq="x"), 400, None, id="CSeq"),
    pytest.param(request("INVITE").replace(b"SIP/2.0\r\nVia", b"SIP/9.9\r\nVia"), 505, None, id="version"),
])  # fmt: skip
def test_8_2_each_request_gets_its_answer(wire, b, data: bytes, status: int | None, header) -> None:
    b.core.receive(data, A)
    if status is None:
        assert b.told == [("invite", "b")]
        b.call.refuse(486)
        return
    answer = wire.messages[-1]
    assert answer.status == status
    assert answer.reason
    assert answer.to.tag
    assert answer.get("Server") == "Ringback"
    if header:
        assert answer.get(header[0]) == header[1]


def test_12_1_1_an_invite_whose_contact_is_no_address_leaves_no_dialog(wire, b) -> None:
    b.core.receive(request("INVITE", Contact="*"), A)
    assert b.core.load["dialogs"] == 0


def test_a_malformed_request_is_told_why_in_one_line(wire, b) -> None:
    b.core.receive(request("OPTIONS", Max_Forwards="\x01" * 300), A)
    answer = wire.messages[-1]
    assert (answer.status, answer.reason) == (400, "Max-Forwards is not a number of 0 to 255")
    b.core.receive(request("OPTIONS", CSeq="\x01\x02" * 300), A)
    assert (wire.messages[-1].reason.isprintable(), len(wire.messages[-1].reason) <= 120) == (True, True)


@pytest.mark.parametrize("data", [
    pytest.param(request("ACK"), id="an ACK to nothing"),
    pytest.param(request("ACK", Require="x"), id="8.2.2.3: no 420 to an ACK"),
    pytest.param(request("ACK", From=None), id="a malformed ACK"),
    pytest.param(request("ACK", CSeq="1 INVITE"), id="an ACK with another CSeq method"),
    pytest.param(request("OPTIONS", Via=None), id="no Via"),
    pytest.param(request("OPTIONS", Via="UDP"), id="an unreadable Via"),
    pytest.param(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK9\r\nCSeq: 1 INVITE\r\n\r\n",
                 id="a response without Call-ID"),
    pytest.param(b"SIP/2.0 200 OK\r\nVia: x\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 9\r\n\r\n",
                 id="a cut response"),
    pytest.param(b"\r\n\r\n", id="a keep-alive"),
    pytest.param(b"\x16\x03\x01", id="garbage"),
])  # fmt: skip
def test_what_is_never_answered(wire, b, data: bytes) -> None:
    b.core.receive(data, A)
    assert (wire.messages, b.told, b.bugs) == ([], [], [])


def test_a_response_without_call_id_breaks_no_tap(wire, b) -> None:
    told = []
    b.core.tap = lambda received, data, hop, call_id: told.append(call_id)
    b.core.receive(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK9\r\nCSeq: 1 INVITE\r\n\r\n", A)
    assert told == [""]


def test_8_2_7_a_refusal_without_a_transaction_has_the_same_tag_each_time(wire, b) -> None:
    for _ in range(2):
        b.core.receive(request("HELLO"), A)
    assert wire.messages[0].raw == wire.messages[1].raw
    assert b.core.load["servers"] == 0


def test_a_peer_error_raised_by_the_user_is_the_answer_and_kept_for_repeats(wire, b) -> None:
    def refuse(incoming) -> None:
        raise PeerError("no\r\nsuch\tuser", 404, (("X-Why", "1"),))

    b.on["invite"] = refuse
    for _ in range(2):
        b.core.receive(request("INVITE"), A)
    assert [(m.status, m.reason, m.get("x-why")) for m in wire.messages] == [(404, "no  such user", "1")] * 2
    assert b.bugs == []


def test_26_3_2_4_who_floods_is_challenged_without_state(wire, b) -> None:
    def challenge(incoming) -> None:
        raise PeerError("Unauthorized", 401, (("WWW-Authenticate", "Digest"),))

    b.on["invite"] = challenge
    for n in range(5000):
        b.core.receive(request("INVITE", Via=f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{n}", Call_ID=f"c{n}"), A)
    assert b.core.load["servers"] == 4096
    assert replies(wire) == [401] * 5000
    last = request("INVITE", Via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK4999", Call_ID="c4999")
    for _ in range(2):
        b.core.receive(last, A)
    assert wire.messages[0].to.tag == wire.messages[1].to.tag
    wire.run(0.9)
    assert wire.count("401 INVITE") == 5002 + 4096, "those with a transaction are repeated, the others are not"
    wire.run(40.0)
    assert b.core.load["servers"] == 0


def test_a_bug_in_the_user_is_a_500_and_reported(wire, b) -> None:
    def broken(incoming) -> None:
        raise KeyError("oops")

    b.on["request"] = broken
    b.core.receive(request("OPTIONS"), A)
    assert replies(wire) == [500]
    assert [type(e) for e in b.bugs] == [KeyError]


def test_a_bug_while_an_ack_is_handed_up_answers_nothing(wire, b) -> None:
    b.core.receive(request("INVITE"), A)
    b.call.answer(b"")
    tag = wire.last("200").to.tag
    b.on["ack"] = lambda: 1 / 0
    replies(wire)
    b.core.receive(request("ACK", To=f"<sip:b@h>;tag={tag}", Via="SIP/2.0/UDP h;branch=z9hG4bK2"), A)
    assert replies(wire) == []
    assert [type(e) for e in b.bugs] == [ZeroDivisionError]


def test_a_bug_in_a_timer_does_not_stop_the_timers_behind_it(wire, b) -> None:
    class Broken:
        armed: dict[str, object] = {}

        def fire(self, timer: str) -> None:
            fired.append(timer)
            raise RuntimeError(timer)

    fired: list[str] = []
    broken = Broken()
    b.core.arm(broken, "one", 1.0)
    b.core.arm(broken, "two", 2.0)
    wire.run(3.0)
    assert fired == ["one", "two"]
    assert [str(e) for e in b.bugs] == ["one", "two"]


# 8.2.2.2, 17.2.3: what belongs to what


def test_a_repeated_request_gets_the_stored_response_before_anyone_looks_at_it(wire, b) -> None:
    """Or else loss would turn a proven REGISTER into a 401 by its used nonce."""
    b.core.receive(request("REGISTER"), A)
    b.on["request"] = lambda incoming: incoming.respond(401)
    b.core.receive(request("REGISTER"), A)
    assert replies(wire) == [200, 200]
    assert b.told == [("register",)]


def test_17_2_3_the_key_has_the_cseq_number_for_pyvoip_reuses_the_branch(wire, b) -> None:
    b.on["invite"] = lambda incoming: incoming.respond(401)
    b.core.receive(request("INVITE"), A)
    b.core.receive(request("ACK", To=wire.messages[-1].get("To")), A)
    del b.on["invite"]
    b.core.receive(request("INVITE", CSeq="2 INVITE"), A)
    b.call.ring()
    assert replies(wire) == [401, 180]


def test_17_2_3_the_key_has_the_sent_by(wire, b) -> None:
    b.core.receive(request("OPTIONS"), A)
    b.core.receive(request("OPTIONS", Via="SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK1", Call_ID="c2"), A)
    assert b.told == [("options",)] * 2


@pytest.mark.parametrize("branch", ["", ";branch=old", ";branch=z9hG4bK"])
def test_17_2_3_a_2543_peer_without_the_magic_cookie(wire, b, branch: str) -> None:
    via = f"SIP/2.0/UDP 10.0.0.1:5060{branch}"
    for _ in range(2):
        b.core.receive(request("INVITE", Via=via), A)
    assert b.told == [("invite", "b")]
    b.core.receive(request("CANCEL", Via=via), A)
    assert replies(wire) == [200, 487]
    b.core.receive(request("INVITE", Via=via, Call_ID="another"), A)
    assert len(b.told) == 3
    b.core.receive(request("ACK", Via=via), A)
    wire.run(10.0)
    assert replies(wire) == []  # the ACK was found: the 487 is not repeated


def test_17_2_3_of_2543_peers_the_whole_top_via_counts(wire, b) -> None:
    for branch in ("old", "older"):
        b.core.receive(request("OPTIONS", To="<sip:b@h>;tag=x", Via=f"SIP/2.0/UDP 10.0.0.1:5060;branch={branch}"), A)
    assert [(m.status, m.via.params) for m in wire.messages] == [  # type: ignore[attr-defined]
        (481, (("branch", branch),)) for branch in ("old", "older")
    ]


def test_8_2_2_2_a_request_that_comes_by_two_paths_is_merged_by_482(wire, b) -> None:
    b.core.receive(request("INVITE"), A)
    b.core.receive(request("INVITE", Via="SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK2"), A)
    assert replies(wire) == [482]
    assert len(b.told) == 1
    b.call.refuse(486)
    wire.run(100.0)
    b.core.receive(request("INVITE", Via="SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK3"), A)
    assert len(b.told) == 2  # nothing is remembered for ever


def test_18_2_2_the_ack_to_a_failure_ends_its_repeats(wire, b) -> None:
    b.core.receive(request("INVITE"), A)
    b.call.refuse(486)
    wire.run(0.6)
    assert replies(wire) == [486, 486]
    b.core.receive(request("ACK"), A)
    wire.run(100.0)
    assert replies(wire) == []
    assert b.core.load == {"clients": 0, "servers": 0, "dialogs": 0}


# 18.2: where responses go


@pytest.mark.parametrize(("via", "source", "target", "written"), [
    pytest.param("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1", A._replace(port=999), A._replace(port=5070),
                 "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1", id="18.2.2: the Via's port"),
    pytest.param("SIP/2.0/UDP h.invalid;branch=z9hG4bK1", A._replace(port=999), A,
                 "SIP/2.0/UDP h.invalid;branch=z9hG4bK1;received=10.0.0.1", id="18.2.2: received, port 5060"),
    pytest.param("SIP/2.0/UDP h.invalid:5070;rport;branch=z9hG4bK1", A._replace(port=999), A._replace(port=999),
                 "SIP/2.0/UDP h.invalid:5070;received=10.0.0.1;rport=999;branch=z9hG4bK1", id="RFC 3581 4: rport"),
    pytest.param("SIP/2.0/UDP h.invalid;RPort;branch=z9hG4bK1", A._replace(port=999), A._replace(port=999),
                 "SIP/2.0/UDP h.invalid;branch=z9hG4bK1;received=10.0.0.1;rport=999", id="rport in any case"),
    pytest.param("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1, SIP/2.0/UDP x;rport", A, A,
                 "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1, SIP/2.0/UDP x;rport", id="another's rport is not ours to fill"),
    pytest.param("SIP/2.0/TCP h.invalid:5070;branch=z9hG4bK1", Hop("TCP", "10.0.0.1", 999, 7), Hop("TCP",
                 "10.0.0.1", 5070, 7),
                 "SIP/2.0/TCP h.invalid:5070;branch=z9hG4bK1;received=10.0.0.1", id="18.2.2: same connection"),
    pytest.param("SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bK1", Hop("UDP", "2001:db8::1", 5070), Hop("UDP",
                 "2001:db8::1", 5070),
                 "SIP/2.0/UDP [2001:db8::1]:5070;branch=z9hG4bK1", id="IPv6"),
])  # fmt: skip
def test_18_2_responses_go_where_the_request_came_from(wire, via: str, source: Hop, target: Hop, written: str) -> None:
    sent: list[tuple[bytes, Hop]] = []
    agent = wire.agent("10.0.0.2")
    agent.core._send = lambda data, hop: sent.append((data, hop))
    agent.core.receive(request("OPTIONS", Via=f"{via}, SIP/2.0/UDP upstream"), source)
    ((data, hop),) = sent
    assert hop == target
    assert f"Via: {written}, SIP/2.0/UDP upstream\r\n".encode() in data or f"Via: {written}\r\n".encode() in data


def test_17_1_3_a_via_that_comes_back_in_other_words_is_still_ours(wire, a, b) -> None:
    a.dial(b)
    ringing = reply(wire.messages[0], 180, tag="t")
    a.core.receive(ringing.replace(b";branch=", b" ; Branch = "), b.hop)
    assert a.told == [("progress", 180)]


def test_17_1_3_a_response_of_no_transaction_is_dropped(wire, a, b) -> None:
    a.dial(b)
    invite = wire.messages[0]
    for change in ({"Via": ["SIP/2.0/UDP x;branch=z9hG4bKother"]}, {"CSeq": ["1 BYE"]}):
        other = Request("INVITE", invite.uri_text, invite.fields | change)
        a.core.receive(reply(other, 180, tag="t"), b.hop)
    assert a.told == []


# Requests of our own outside a dialog


def test_11_1_options_out_of_a_dialog(wire, a, b) -> None:
    seen: list[Response | None] = []
    me, you = NameAddr("", sip_uri("ping", "10.0.0.1")), NameAddr("", sip_uri("b", "10.0.0.2"))
    for _ in range(2):
        a.core.request(
            a.core.build("OPTIONS", you.uri, me, you, [("Accept", "application/sdp"), ("X-A", "1")]), b.hop, seen.append
        )
    wire.run(0.1)
    assert [r.status for r in seen if r] == [200, 200]
    first, second = (m for m in wire.messages if isinstance(m, Request))
    assert first.call_id != second.call_id
    assert (first.get("User-Agent"), first.get("x-a"), first.max_forwards) == ("Ringback", "1", 70)
    assert "rport" in dict(first.via.params)


def test_a_request_nobody_answers_is_told_once(wire, a) -> None:
    seen: list[Response | None] = []
    me = NameAddr("", sip_uri("ping", "10.0.0.1"))
    a.core.request(a.core.build("OPTIONS", me.uri, me, me), Hop("UDP", "10.0.0.9", 5060), seen.append)
    wire.run(100.0)
    assert seen == [None]
    assert wire.count("OPTIONS") == 11
    assert a.core.load["clients"] == 0


@pytest.mark.parametrize(("transport", "answers"), [("UDP", 1), ("TCP", 0)])
def test_5626_4_4_2_a_stun_keep_alive_over_udp_is_answered(wire, a, transport, answers) -> None:
    sent: list[tuple[bytes, Hop]] = []
    a.core._send = lambda data, hop: sent.append((data, hop))
    phone = Hop(transport, "10.0.0.9", 40000)
    for data in (b"\r\n\r\n", b"\x00\x01", bytes.fromhex("000100002112a442") + b"0" * 12):
        a.core.receive(data, phone)
    assert [(data[:2], hop) for data, hop in sent] == [(b"\x01\x01", phone)] * answers


@pytest.mark.parametrize("verb", ["lost", "gone"])
def test_18_4_a_hop_that_cannot_be_reached_is_told_to_who_waits_for_it(wire, a, b, verb) -> None:
    heard: list[object] = []
    gone, there = Hop("TCP", "10.0.0.9", 5060), Hop("TCP", "10.0.0.8", 5060)
    for hop in (gone, there, gone):
        from_, to = NameAddr("", sip_uri("a", "10.0.0.1")), NameAddr("", sip_uri("b", hop.host))
        options = a.core.build("OPTIONS", to.uri, from_, to)
        a.core.request(options, hop, lambda answer, hop=hop: heard.append((hop, answer)))
    getattr(a.core, verb)(gone)
    assert heard == [(gone, None)] * 2


@pytest.mark.parametrize("verb", ["lost", "gone"])
def test_a_bug_of_one_who_is_told_of_a_loss_leaves_the_others(wire, a, verb) -> None:
    heard: list[object] = []
    gone = Hop("TCP", "10.0.0.9", 5060)

    def broken(answer: object) -> None:
        raise RuntimeError

    for tell in (broken, heard.append):
        from_, to = NameAddr("", sip_uri("a", "10.0.0.1")), NameAddr("", sip_uri("b", "10.0.0.9"))
        a.core.request(a.core.build("OPTIONS", to.uri, from_, to), gone, tell)
    getattr(a.core, verb)(gone)
    assert (heard, [type(bug) for bug in a.bugs]) == ([None], [RuntimeError])


def test_the_tap_sees_every_message_and_its_call(wire) -> None:
    seen: list[tuple[bool, bytes, str]] = []
    agent = wire.agent("10.0.0.2")
    agent.core.tap = lambda received, data, hop, call_id: seen.append((received, data.split(b" ")[0], call_id))
    agent.core.receive(request("OPTIONS"), A)
    agent.core.receive(request("OPTIONS", Call_ID=None, CSeq="2 OPTIONS"), A)
    assert seen == [
        (True, b"OPTIONS", "c1"),
        (False, b"SIP/2.0", "c1"),
        (True, b"OPTIONS", ""),
        (False, b"SIP/2.0", ""),
    ]


def test_ended_transactions_hold_no_request(wire, a, b) -> None:
    """They outlive their call by 32 s: at 2,000 calls/s each kept message would be hundreds of megabytes."""
    a.dial(b)
    wire.run(0.1)
    b.call.answer(b"")
    wire.run(0.1)
    b.call.bye()
    wire.run(0.1)
    a.calls.clear()
    b.calls.clear()
    wire.messages.clear()
    wire._due.clear()
    held = {
        id(m)
        for core in (a.core, b.core)
        for t in core._servers.values()
        for m in reachable(t)
        if isinstance(m, Request)
    }
    assert held == set()
    assert (len(b.core._servers), len(a.core._servers)) == (1, 1)


def reachable(thing: object) -> list[object]:
    """What an object holds in its slots, two levels deep."""
    found: list[object] = []
    for slot in [s for kind in type(thing).__mro__ for s in getattr(kind, "__slots__", ())]:
        value = getattr(thing, slot, None)
        if not isinstance(value, SipCore):
            found += [
                value,
                *(
                    []
                    if value is None or isinstance(value, str | int | float | bytes | tuple | dict)
                    else reachable(value)
                ),
            ]
    return found


# No bytes may raise


BASE = [request(m, body="v=0") for m in ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "INFO", "HELLO")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(BASE),
    st.lists(st.tuples(st.integers(0, 330), st.integers(0, 20), st.binary(max_size=8)), max_size=4),
)
def test_no_bytes_make_the_core_raise(wire, b, data: bytes, damage: list[tuple[int, int, bytes]]) -> None:
    for at, cut, put in damage:
        data = data[:at] + put + data[at + cut :]
    b.core.receive(data, A)
    assert b.bugs == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary())
def test_no_garbage_makes_the_core_raise_or_answer(wire, b, data: bytes) -> None:
    b.core.receive(data, A)
    assert (b.bugs, wire.ladder) == ([], [])
