"""The situations of RFC 5118, IPv6 in SIP, section by section, in messages of our own."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from media import sdp as descriptions
from sip_stack.core import Hop
from sip_stack.message import Request, Response, parse
from tests.sip_stack.test_torture import basic

SOURCE = Hop("UDP", "2001:db8::9:1", 5060)
REGISTER = "REGISTER sip:[2001:db8::10] SIP/2.0"
INVITE = "INVITE sip:user@[2001:db8::10] SIP/2.0"
VIA = "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111"
CONTACT = 'Contact: "Caller" <sip:caller@[2001:db8::1]>'
SDP = "Content-Type: application/sdp"


def sdp(*media: str, host: str = "2001:db8::20", session: bool = True) -> str:
    """A session description of one host."""
    told = [f"c=IN IP6 {host}"] if session else []
    return "\r\n".join(["v=0", f"o=assistant 971731711378798081 0 IN IP6 {host}", "s=-", *told, "t=0 0", *media, ""])


AUDIO = "m=audio 6000 RTP/AVP 0"

# the status of our answer; None: the INVITE rings
MESSAGES = [
    pytest.param(basic(REGISTER, VIA, CONTACT, method="REGISTER"), 200, id="4.1 an address in brackets"),
    pytest.param(
        basic("REGISTER sip:2001:db8::10 SIP/2.0", VIA, CONTACT, method="REGISTER"),
        400,
        id="4.2 an address without brackets",
    ),
    pytest.param(
        basic("REGISTER sip:[2001:db8::10:5070] SIP/2.0", VIA, CONTACT, method="REGISTER"),
        200,
        id="4.3 what looks like a port is the end of the address",
    ),
    pytest.param(
        basic("REGISTER sip:[2001:db8::10]:5070 SIP/2.0", VIA, CONTACT, method="REGISTER"),
        200,
        id="4.4 a port behind the brackets",
    ),
    pytest.param(
        basic(
            "BYE sip:user@[2001:db8::10] SIP/2.0",
            "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111",
            method="BYE",
        ),
        481,
        id="4.5 `received` with brackets",
    ),
    pytest.param(
        basic(
            "OPTIONS sip:user@[2001:db8::10] SIP/2.0",
            "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3",
        ),
        200,
        id="4.5 `received` without brackets",
    ),
    pytest.param(
        basic(INVITE, VIA, CONTACT, SDP, method="INVITE", body=sdp(AUDIO)), None, id="4.6 addresses in the body"
    ),
    pytest.param(
        basic(
            "BYE sip:user@host.example.com SIP/2.0",
            VIA,
            "Via: SIP/2.0/UDP 192.0.2.1;received=2001:db8::9:255;branch=z9hG4bKjhja8781hjuaij65144",
            "Via: SIP/2.0/TCP [2001:db8::9:1];branch=z9hG4bKjhja8781hjuaij65144",
            method="BYE",
        ),
        481,
        id="4.7 addresses of both kinds in the headers",
    ),
    pytest.param(
        basic(
            INVITE, VIA, CONTACT, SDP, method="INVITE",
            body=sdp(AUDIO, "c=IN IP6 2001:db8::1", "m=video 6024 RTP/AVP 107", "c=IN IP4 192.0.2.1", session=False),
        ),
        None,
        id="4.8 addresses of both kinds in the body",
    ),
    pytest.param(
        basic(
            INVITE, VIA, "Contact: <sip:user@[::ffff:192.0.2.10]:19823>", SDP, method="INVITE",
            body=sdp(AUDIO, host="::ffff:192.0.2.2"),
        ),
        None,
        id="4.9 an IPv4 address mapped into IPv6",
    ),
    pytest.param(
        basic("OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0", VIA),
        200,
        id="4.10 three colons, which the grammar of RFC 3261 gives by mistake",
    ),
    pytest.param(
        basic("OPTIONS sip:user@[2001:db8::192.0.2.1] SIP/2.0", VIA), 200, id="4.10 two colons, as they should be"
    ),
]  # fmt: skip


@pytest.mark.parametrize(("data", "status"), MESSAGES)
def test_5118(wire, b, data: bytes, status: int | None) -> None:
    b.core.receive(data, SOURCE)
    assert b.bugs == []
    if status is None:
        assert len(b.calls) == 1
        b.call.ring()
        status = 180
    (answer,) = [m for m in wire.messages if isinstance(m, Response)]
    assert (answer.status, answer.via.host) == (status, "[2001:db8::9:1]")


@pytest.mark.parametrize(
    ("section", "host", "port"),
    [("4.6", "2001:db8::20", 6000), ("4.8", "2001:db8::1", 6000), ("4.9", "::ffff:192.0.2.2", 6000)],
)
def test_5118_where_media_goes(section: str, host: str, port: int) -> None:
    (data,) = [param.values[0] for param in MESSAGES if str(param.id).startswith(section)]
    request = parse(data)  # type: ignore[arg-type]
    assert isinstance(request, Request)
    peer = descriptions.accept(descriptions.parse(request.body))
    assert (ip_address(peer.address), peer.port) == (ip_address(host), port)
