"""RFC 3261 18.1.1: requests that are too big for UDP go by TCP, and back to UDP where no connection comes about."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sip_stack.client_transaction import MOST_DATAGRAM
from sip_stack.headers import NameAddr
from sip_stack.hop import Hop
from sip_stack.message import Request, parse
from sip_stack.ourselves import Oversize
from sip_stack.uri import sip_uri

BIG, SMALL = b"x" * MOST_DATAGRAM, b"offer"
WHO = NameAddr("", sip_uri("bob", "10.0.0.2"))
B_UDP, B_TCP = Hop("UDP", "10.0.0.2", 5060), Hop("TCP", "10.0.0.2", 5060)


class Ways:
    """What a core sends, and by which transport; nothing arrives by TCP unless `tcp`."""

    def __init__(self, agent, tcp: bool) -> None:
        self.sent: list[tuple[str, str]] = []
        self._agent, self._carry, self._tcp = agent, agent.core._send, tcp
        agent.core._send = self._send

    def _send(self, data: bytes, hop: Hop) -> None:
        message = parse(data)
        assert message is not None
        self.sent.append((hop.transport, message.method if isinstance(message, Request) else str(message.status)))
        if isinstance(message, Request):
            assert message.via.transport == hop.transport, "18.1.1: the Via MUST tell the transport"
        if hop.transport == "UDP" or self._tcp:
            self._carry(data, hop)
        else:
            self._agent.wire.at(self._agent.wire.now + 0.5, lambda: self._agent.core.lost(hop))


def test_an_invite_that_is_big_goes_by_tcp_and_so_do_its_cancel_and_ack(wire, a, b, quiet: Callable[[], None]) -> None:
    ways = Ways(a, tcp=True)
    call = a.dial(b, body=BIG)
    wire.run()
    call.cancel()
    b.call.ring()
    wire.run()
    assert ways.sent == [("TCP", "INVITE"), ("TCP", "CANCEL"), ("TCP", "ACK")]
    assert a.told == [("refused", 487)]
    quiet()


def test_where_tcp_is_refused_the_same_invite_goes_by_udp_with_its_timers(
    wire, a, b, quiet: Callable[[], None]
) -> None:
    ways = Ways(a, tcp=False)
    wire.drop = lambda s, t, what: what == "INVITE" and wire.count("INVITE") == 1
    a.dial(b, body=BIG)
    wire.run(2.0)
    assert ways.sent == [("TCP", "INVITE"), ("UDP", "INVITE"), ("UDP", "INVITE")]
    b.call.refuse(486)
    wire.run()
    assert ways.sent[3:] == [("UDP", "ACK")]
    assert a.told == [("refused", 486)]
    assert len(b.calls) == 1
    quiet()


def test_a_refusal_is_remembered_for_ten_minutes(wire, a, b) -> None:
    ways = Ways(a, tcp=False)
    expected = {0.0: ["TCP", "UDP"], 300.0: ["UDP"], 301.0: ["TCP", "UDP"]}
    for pause, transports in expected.items():
        wire.run(pause)
        ways.sent.clear()
        a.core.request(a.core.build("MESSAGE", WHO.uri, WHO, WHO, [("X-Filler", "x" * 1300)]), B_UDP, bool)
        wire.run(1.0)
        assert [way for way, what in ways.sent if what == "MESSAGE"] == transports


@pytest.mark.parametrize(("size", "stays", "transport"), [
    pytest.param(SMALL, False, "UDP", id="small"),
    pytest.param(BIG, False, "TCP", id="big"),
    pytest.param(BIG, True, "UDP", id="big, and the far end wants UDP"),
])
def test_which_way(wire, a, b, size: bytes, stays: bool, transport: str) -> None:
    ways = Ways(a, tcp=True)
    a.core.oversize.stays = lambda hop: stays
    a.dial(b, body=size)
    assert ways.sent == [(transport, "INVITE")]


def test_without_tcp_of_our_own_everything_goes_by_udp(wire, a, b) -> None:
    ways = Ways(a, tcp=True)
    a.core.oversize = Oversize(frozenset({"UDP"}), lambda: wire.now)
    a.core.wider = a.core.oversize.wider
    a.dial(b, body=BIG)
    assert ways.sent == [("UDP", "INVITE")]


def test_a_connection_lost_after_the_answer_began_is_no_reason_to_send_again(wire, a, b) -> None:
    ways = Ways(a, tcp=True)
    a.dial(b, body=BIG)
    wire.run()
    b.call.ring()
    wire.run()
    a.core.lost(B_TCP)
    wire.run()
    assert ways.sent == [("TCP", "INVITE")]


def test_so_many_refusals_are_remembered(wire, a) -> None:
    for number in range(5000):
        a.core.narrow(Hop("TCP", f"10.0.{number >> 8}.{number & 255}", 5060))
    assert len(a.core.oversize._refused) <= 4096
