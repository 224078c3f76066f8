"""RFC 3261 20: typed header values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_stack.errors import BadMessage
from sip_stack.headers import (
    CSeq,
    NameAddr,
    Via,
    canonical,
    parse_cseq,
    parse_name_addr,
    parse_name_addrs,
    parse_via,
    parse_vias,
)
from sip_stack.uri import Uri, sip_uri


@pytest.mark.parametrize(("name", "known"), [
    ("Via", "Via"), ("v", "Via"), ("VIA", "Via"), ("V", "Via"), ("call-id ", "Call-ID"), ("X-Odd", "x-odd"),
    ("u", "Allow-Events"), ("Allow-Events", "Allow-Events"),
])  # fmt: skip
def test_canonical(name: str, known: str) -> None:
    assert canonical(name) == known


@pytest.mark.parametrize(("text", "via"), [
    pytest.param("SIP/2.0/UDP h", Via("UDP", "h", None), id="shortest"),
    pytest.param("sip / 2.0 / udp h : 5070 ; branch=z9hG4bK1", Via("UDP", "h", 5070, (("branch", "z9hG4bK1"),),
                                                                     "z9hG4bK1"), id="spaces"),
    pytest.param("SIP/2.0/TCP [::1]:5060;rport", Via("TCP", "[::1]", 5060, (("rport", None),)), id="IPv6"),
    pytest.param("SIP/7.0/UDP h", Via("UDP", "h", None), id="a version we do not speak can still be answered"),
])  # fmt: skip
def test_parse_via(text: str, via: Via) -> None:
    assert parse_via(text) == via


@pytest.mark.parametrize("text", ["", "SIP/2.0/UDP", "UDP h", "SIP/2.0/UDP h x", "SIP/2.0/UDP h:0",
                         "SIP/2.0/UDP h:70000",
                                  "SIP/2.0/UDP h;;,"])  # fmt: skip
def test_parse_via_refuses(text: str) -> None:
    with pytest.raises(BadMessage):
        parse_via(text)


def test_parse_vias_of_two_lines() -> None:
    assert [v.host for v in parse_vias(["SIP/2.0/UDP a, SIP/2.0/UDP b", "SIP/2.0/UDP c"])] == ["a", "b", "c"]


@pytest.mark.parametrize(("via", "source", "written"), [
    pytest.param("SIP/2.0/UDP 10.0.0.1;branch=x;rport", ("10.0.0.9", 99),
                 "SIP/2.0/UDP 10.0.0.1;branch=x;received=10.0.0.9;rport=99", id="rport asked (RFC 3581 4)"),
    pytest.param("SIP/2.0/UDP 10.0.0.1;branch=x", ("10.0.0.1", 99), "SIP/2.0/UDP 10.0.0.1;branch=x",
                 id="nothing to say"),
    pytest.param("SIP/2.0/UDP h:5070;branch=x", ("10.0.0.9", 99), "SIP/2.0/UDP h:5070;branch=x;received=10.0.0.9",
                 id="another host (18.2.1)"),
    pytest.param("SIP/2.0/UDP [::1];received=1.2.3.4;rport=7", ("::1", 99), "SIP/2.0/UDP [::1];received=::1;rport=99",
                 id="what the peer filled in is not believed"),
    pytest.param("SIP/2.0/UDP [::1]", ("::1", 99), "SIP/2.0/UDP [::1]", id="IPv6 with brackets is the same host"),
])  # fmt: skip
def test_via_seen_from(via: str, source: tuple[str, int], written: str) -> None:
    assert str(parse_via(via).seen_from(*source)) == written


BOB = Uri("sip", "bob", "h")


@pytest.mark.parametrize(("text", "address"), [
    pytest.param("<sip:bob@h>", NameAddr("", BOB), id="no display name"),
    pytest.param('"Bob \\"B\\"" <sip:bob@h>;tag=1', NameAddr('Bob "B"', BOB, (), "1"), id="quoted"),
    pytest.param("Bob Builder<sip:bob@h>", NameAddr("Bob Builder", BOB), id="tokens, no space before the bracket"),
    pytest.param('"a<b>" <sip:bob@h>', NameAddr("a<b>", BOB), id="brackets in the display name"),
    pytest.param("  Zo\u00eb  <sip:bob@h> ; tag = x", NameAddr("Zo\u00eb", BOB, (), "x"),
                 id="white space, UTF-8"),
    pytest.param("sip:bob@h;tag=1", NameAddr("", BOB, (), "1"),
                 id="an addr-spec: the parameters are the header's"),
    pytest.param("<sip:bob@h;lr>;q=0.5", NameAddr("", Uri("sip", "bob", "h", None, (("lr", None),)), (("q", "0.5"),)),
                 id="a name-addr: inside the URI's, outside the header's"),
    pytest.param("<isdn:2983792873>", NameAddr("", Uri("isdn", "2983792873", "")),
                 id="a scheme we cannot dial is carried"),
])  # fmt: skip
def test_parse_name_addr(text: str, address: NameAddr) -> None:
    assert parse_name_addr(text) == address


@pytest.mark.parametrize("text", [
    '"Bob <sip:bob@h>', "Bell, Alexander <sip:bob@h>", "< sip:bob@h>", "<sip:bob@h >", "<sip:bob@h", "<>", "",
    "<sip:bob@h> x", '"Bob" sip:bob@h', "sip:bob@h?Route=x", "<a b:c>", "<sip:>", '<isdn:1 "2>',
])  # fmt: skip
def test_parse_name_addr_refuses(text: str) -> None:
    with pytest.raises(BadMessage):
        parse_name_addr(text)


def test_name_addr_tags() -> None:
    address = parse_name_addr("<sip:bob@h>;tag=1;x=2")
    assert (address.tag, address.with_tag("9").tag, parse_name_addr("<sip:h>").tag) == ("1", "9", "")
    assert str(address.with_tag("9")) == "<sip:bob@h>;x=2;tag=9"


def test_parse_name_addrs() -> None:
    assert [a.uri.user for a in parse_name_addrs(['"a, b" <sip:1@h>, <sip:2@h>,', "<sip:3@h>"])] == ["1", "2", "3"]


@given(st.text())
def test_a_display_name_comes_back_and_cannot_inject(display: str) -> None:
    written = str(NameAddr(display, sip_uri("a", "h")))
    assert "\r" not in written
    assert "\n" not in written
    read = parse_name_addr(written)
    assert read.uri == sip_uri("a", "h")
    assert read.display == "".join(" " if ord(c) < 32 or ord(c) == 127 else c for c in display)


@pytest.mark.parametrize(("text", "cseq"), [("1 INVITE", CSeq(1, "INVITE")), ("0009  \tBYE ", CSeq(9, "BYE")),
                                            ("2147483647 ACK", CSeq(2**31 - 1, "ACK"))])  # fmt: skip
def test_parse_cseq(text: str, cseq: CSeq) -> None:
    assert parse_cseq(text) == cseq
    assert parse_cseq(str(cseq)) == cseq


@pytest.mark.parametrize("text", ["", "1", "INVITE", "-1 INVITE", "2147483648 INVITE",
                         "36893488147419103232 REGISTER", "1 IN VITE",
                                  "٣ INVITE"])  # fmt: skip
def test_parse_cseq_refuses(text: str) -> None:
    with pytest.raises(BadMessage):
        parse_cseq(text)


@pytest.mark.parametrize("text", [
    pytest.param(" " * 60_000 + "x", id="spaces"),
    pytest.param("a " * 30_000, id="words"),
    pytest.param('"\\' * 30_000, id="unclosed quote"),
    pytest.param("<" * 60_000, id="brackets"),
    pytest.param("0" * 60_000, id="zeros"),
    pytest.param("SIP/2.0/UDP h" + " " * 50_000 + "x", id="spaces behind a host"),
])  # fmt: skip
def test_hostile_values_are_read_in_linear_time(text: str) -> None:
    for read in (parse_name_addr, parse_via, parse_cseq):
        with pytest.raises(BadMessage):
            read(text)
