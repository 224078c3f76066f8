"""REFER: what it asks for, and its subscription over an in-memory wire (RFC 3515, 3891, 4488, 6665)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip_stack.core import Hop
from sip_stack.errors import BadMessage, PeerError
from sip_stack.headers import NameAddr
from sip_stack.incoming import Incoming
from sip_stack.message import Request
from sip_stack.refer import Replaces, Subscription, read_refer, read_replaces, subscribes
from sip_stack.uri import sip_uri

Quiet = Callable[[], None]


def refer(*targets: str, **more: str) -> Request:
    fields = {"Refer-To": list(targets)} if targets else {}
    return Request("REFER", "sip:h", fields | {name.replace("_", "-"): [value] for name, value in more.items()})


@pytest.mark.parametrize(
    ("target", "user", "replaces"),
    [
        pytest.param("<sip:001*003@h>", "001*003", None, id="an extension"),
        pytest.param("sip:5551234@h;user=phone", "5551234", None, id="without brackets"),
        pytest.param('"Jane" <sips:5551234@h;method=INVITE>;x=y', "5551234", None, id="with all that may be there"),
        pytest.param("<tel:+12025550105>", "+12025550105", None, id="a number"),
        pytest.param("<sip:1@h?Subject=x&Priority=urgent>", "1", None, id="headers of the INVITE are not taken"),
        pytest.param(
            "<sip:1@h?Replaces=a%40b%3Bto-tag%3Dt%3Bfrom-tag%3Df>", "1", Replaces("a@b", "t", "f"), id="attended",
        ),
        pytest.param(
            "<sip:1@h?x=y&replaces=a%3Bfrom-tag%3Df%3Bto-tag%3Dt%3Bearly-only>", "1", Replaces("a", "t", "f", True),
            id="in another order",
        ),
    ],
)  # fmt: skip
def test_rfc3515_2_1_refer_to(target: str, user: str, replaces: Replaces | None) -> None:
    found = read_refer(refer(target))
    assert (found.uri.user, found.replaces) == (user, replaces)


@pytest.mark.parametrize(
    ("targets", "status"),
    [
        pytest.param((), 400, id="RFC 3515 2.4.1: none"),
        pytest.param(("<sip:1@h>", "<sip:2@h>"), 400, id="RFC 3515 2.4.1: two"),
        pytest.param(("<sip:1@h>, <sip:2@h>",), 400, id="two in one line"),
        pytest.param(("<sip:1@h",), 400, id="unreadable"),
        pytest.param(("<http://h/>",), 400, id="never 416, which would end the dialog"),
        pytest.param(("<sip:1@h;method=BYE>",), 501, id="another method"),
        pytest.param(("<sip:1@h?Replaces=a%3Bto-tag%3D1>",), 400, id="one tag"),
        pytest.param(("<sip:1@h?Replaces=a&Replaces=b>",), 400, id="two dialogs"),
    ],
)
def test_a_refer_that_asks_for_nothing_we_do(targets: tuple[str, ...], status: int) -> None:
    with pytest.raises(PeerError) as refused:
        read_refer(refer(*targets))
    assert refused.value.status == status


@pytest.mark.parametrize(
    "value", ["", "a", "a;to-tag=1", "a;from-tag=1", ";to-tag=1;from-tag=2", "a;to-tag;from-tag=1"]
)
def test_rfc3891_6_1_replaces_has_a_call_id_and_both_tags(value: str) -> None:
    with pytest.raises(BadMessage):
        read_replaces(value)


@pytest.mark.parametrize(
    ("value", "wanted"), [("false", False), (" False ;x=y", False), ("true", True), ("", True), (None, True)]
)
def test_rfc4488_4_refer_sub(value: str | None, wanted: bool) -> None:
    assert subscribes(refer("<sip:1@h>", **({} if value is None else {"Refer_Sub": value}))) is wanted


class Referred:
    """A call of a with b, in which a has sent a REFER that b accepted; each NOTIFY is answered by `answers`."""

    def __init__(self, wire, a, b, *, first: bool = True) -> None:
        self.wire, self.a, self.b = wire, a, b
        self.answers: int | None = 200
        self.notified: list[tuple[str, str, str, str]] = []
        self.out = a.dial(b)
        wire.run(0.1)
        b.call.answer(b"answer")
        wire.run(0.1)
        a.on["request"] = self._notify
        b.on["request"] = lambda incoming: self._refer(incoming, first)
        self.out.send("REFER", lambda response: None, extra=[("Refer-To", "<sip:1@h>")])
        wire.run(0.1)
        wire.ladder.clear()

    def _refer(self, incoming: Incoming, first: bool) -> None:
        self.subscription = Subscription(self.b.call, incoming.request, first=first)
        incoming.respond(202)

    def _notify(self, incoming: Incoming) -> None:
        request = incoming.request
        event, state, kind = (request.get(name) or "" for name in ("Event", "Subscription-State", "Content-Type"))
        self.notified.append((event, state, kind, request.body.decode()))
        if self.answers is not None:
            incoming.respond(self.answers)


FRAG = "message/sipfrag;version=2.0"
ACTIVE, OVER = "active;expires=180", "terminated;reason=noresource"


def test_rfc3515_2_4_4_progress_is_notified_and_the_final_status_ends_it(wire, a, b, quiet: Quiet) -> None:
    referred, over = Referred(wire, a, b), []
    for status in (100, 180):
        referred.subscription.notify(status)
        wire.run(0.1)
    referred.subscription.finish(200, lambda: over.append(wire.ladder[-1]))
    wire.run(0.1)
    referred.subscription.notify(486)
    wire.run(0.1)
    assert referred.notified == [
        ("refer", ACTIVE, FRAG, "SIP/2.0 100 Trying\r\n"),
        ("refer", ACTIVE, FRAG, "SIP/2.0 180 Ringing\r\n"),
        ("refer", OVER, FRAG, "SIP/2.0 200 OK\r\n"),
    ]
    assert wire.rows == ["2>1 NOTIFY", "1>2 200 NOTIFY"] * 3
    assert wire.last("NOTIFY").get("Contact") == "<sip:10.0.0.2:5060>"
    assert over == [("10.0.0.1", "10.0.0.2", "200 NOTIFY")], "the referrer has it"
    referred.out.bye()
    wire.run(0.1)
    quiet()


def test_rfc3515_2_4_6_a_second_refer_of_a_dialog_has_an_id(wire, a, b) -> None:
    referred = Referred(wire, a, b, first=False)
    referred.subscription.notify(100)
    wire.run(0.1)
    assert referred.notified == [("refer;id=2", ACTIVE, FRAG, "SIP/2.0 100 Trying\r\n")]


def test_while_a_notify_is_under_way_the_newest_waits(wire, a, b) -> None:
    referred = Referred(wire, a, b)
    for status in (100, 180, 181, 599):
        referred.subscription.notify(status)
    wire.run(0.1)
    assert [body for _, _, _, body in referred.notified] == ["SIP/2.0 100 Trying\r\n", "SIP/2.0 599 Unknown\r\n"]


def test_rfc6665_a_lost_notify_is_sent_again(wire, a, b, quiet: Quiet) -> None:
    referred = Referred(wire, a, b)
    wire.drop = lambda source, target, what: what == "NOTIFY" and len(wire.ladder) < 3
    referred.subscription.notify(200)
    wire.run(5)
    assert wire.rows == ["2>1 NOTIFY"] * 3 + ["1>2 200 NOTIFY"]
    assert [body for _, _, _, body in referred.notified] == ["SIP/2.0 200 OK\r\n"]
    referred.out.bye()
    wire.run(0.1)
    quiet()


@pytest.mark.parametrize("status", [481, 489, 500])
def test_rfc5057_5_1_a_refused_notify_ends_the_subscription_and_not_the_call(wire, a, b, status: int) -> None:
    referred, over = Referred(wire, a, b), []
    referred.answers = status
    referred.subscription.notify(100)
    referred.subscription.notify(180)
    wire.run(0.1)
    referred.subscription.finish(200, lambda: over.append("over"))
    wire.run(0.1)
    assert [body for _, _, _, body in referred.notified] == ["SIP/2.0 100 Trying\r\n"]
    assert over == ["over"]
    referred.out.send("INFO", lambda response: None)
    wire.run(0.1)
    assert wire.rows[-1] != "2>1 481 INFO", "the call goes on"


def test_a_notify_that_nobody_answers_ends_the_subscription(wire, a, b) -> None:
    referred, over = Referred(wire, a, b), []
    referred.answers = None
    referred.subscription.finish(200, lambda: over.append("over"))
    wire.run(33)
    assert over == ["over"]
    assert not b.call.over, "the call goes on"


def test_rfc5057_4_1_the_subscription_outlives_the_bye(wire, a, b, quiet: Quiet) -> None:
    referred = Referred(wire, a, b)
    referred.subscription.notify(100)
    wire.run(0.1)
    b.call.bye()
    wire.run(0.1)
    a.core.add_usage(referred.out.local_tag, referred.out)  # as a referrer that waits for the end
    referred.out.over = False
    referred.subscription.notify(486)
    wire.run(0.1)
    assert [body for _, _, _, body in referred.notified] == ["SIP/2.0 100 Trying\r\n", "SIP/2.0 486 Busy Here\r\n"]
    a.core.drop_usage(referred.out.local_tag)
    wire.run(33)
    quiet()


def test_a_provisional_answer_to_a_notify_changes_nothing(wire, a, b) -> None:
    referred = Referred(wire, a, b)

    def slowly(incoming: Incoming) -> None:
        incoming.respond(100)
        incoming.respond(200)

    a.on["request"] = slowly
    referred.subscription.notify(100)
    wire.run(0.1)
    referred.subscription.notify(200)
    wire.run(0.1)
    assert wire.rows.count("2>1 NOTIFY") == 2


def test_rfc6665_4_1_3_a_notify_outside_a_dialog_matches_no_subscription(wire, a, b) -> None:
    who = NameAddr("", sip_uri("a", "h"))
    request = a.core.build("NOTIFY", who.uri, who, who, [("Event", "keep-alive")])
    a.core.request(request, Hop("UDP", "10.0.0.2", 5060), lambda response: None)
    wire.run(0.1)
    assert wire.rows == ["1>2 NOTIFY", "2>1 481 NOTIFY"]
