"""RFC 3261 7, 8.1.1, 8.2.6, 18.3: messages in and out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_stack.errors import BadMessage
from sip_stack.message import Request, Response, parse, reply
from sip_stack.uri import sip_uri

INVITE = (
    b"INVITE sip:bob@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport\r\nMax-Forwards: 70\r\n"
    b'From: "Alice" <sip:alice@10.0.0.1>;tag=a1\r\nTo: <sip:bob@10.0.0.2>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n'
    b"Contact: <sip:10.0.0.1>\r\nContent-Length: 5\r\n\r\noffer"
)


def request(data: bytes = INVITE) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message


def answer(invite: bytes, status: int, **options: object) -> Response:
    message = parse(reply(request(invite), status, **options))  # type: ignore[arg-type]
    assert isinstance(message, Response)
    return message


def test_a_request_is_read() -> None:
    invite = request()
    invite.check()
    assert (invite.method, invite.uri, invite.body) == ("INVITE", sip_uri("bob", "10.0.0.2"), b"offer")
    assert (invite.via.branch, invite.from_.tag, invite.to.tag, invite.call_id) == ("z9hG4bK1", "a1", "", "c1")
    assert (invite.cseq.number, invite.max_forwards, invite.addresses("Contact")[0].uri.host) == (7, 70, "10.0.0.1")
    assert invite.addresses("Route") == ()
    assert invite.get("Nothing") is None


def test_a_request_is_written_as_it_was_read() -> None:
    assert request().encode() == INVITE


def test_a_response_is_read() -> None:
    data = b"SIP/2.0 200 O K\r\nVia: SIP/2.0/UDP h\r\nContent-Length: 0\r\n\r\n"
    response = parse(data)
    assert isinstance(response, Response)
    assert (response.status, response.reason, response.raw) == (200, "O K", data)


@pytest.mark.parametrize(("old", "new", "check"), [
    pytest.param(b"INVITE sip", b"\r\n\r\nINVITE sip", lambda m: m.method == "INVITE",
                 id="7.5: CRLFs before the start line"),
    pytest.param(b"; rport", b";\r\n rport", lambda m: m.via.branch == "z9hG4bK1", id="7.3.1: a folded line"),
    pytest.param(b"Call-ID:", b"i  :", lambda m: m.call_id == "c1", id="compact form, space before the colon"),
    pytest.param(b"Call-ID: c1", b"Call-ID:c1\t", lambda m: m.call_id == "c1", id="no space behind the colon"),
    pytest.param(b"Call-ID:", b"X-Odd:a: b\r\nCall-ID:", lambda m: m.get("x-odd") == "a: b",
                 id="no space behind the colon, a colon and a space in the value"),
    pytest.param(b"SIP/2.0\r\nVia", b"sip/2.0\r\nVia", lambda m: m.uri.user == "bob",
                 id="7.1: the version in any case"),
    pytest.param(b"5\r\n\r\noffer", b"3\r\n\r\noffer", lambda m: m.body == b"off",
                 id="18.3: bytes beyond Content-Length"),
    pytest.param(b"Content-Length: 5\r\n", b"", lambda m: m.body == b"offer",
                 id="18.3: no Content-Length in a datagram"),
    pytest.param(b"Max-Forwards: 70\r\n", b"", lambda m: m.max_forwards == 70, id="an old client without Max-Forwards"),
    pytest.param(b"c1", b"\xff\xfe", lambda m: b"\xff\xfe" in m.encode(), id="bytes that are no UTF-8 come through"),
    pytest.param(b"Contact: <", b"Supported: a, b\r\nSupported: c\r\nContact: <",
                 lambda m: m.tokens("Supported") == ["a", "b", "c"], id="tokens of two lines"),
    pytest.param(b"Contact: <sip:10.0.0.1>", b"Contact: *", lambda m: m.get("Contact") == "*", id="Contact *"),
])  # fmt: skip
def test_parse(old: bytes, new: bytes, check: Callable[[Request], object]) -> None:
    message = request(INVITE.replace(b";rport", b"; rport").replace(old, new))
    message.check()
    assert check(message)


@pytest.mark.parametrize(("old", "new", "status"), [
    pytest.param(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 505, id="version"),
    pytest.param(b"SIP/2.0\r\n", b"HTTP/1.1\r\n", 400, id="no SIP version"),
    pytest.param(b" SIP/2.0\r\n", b"\r\n", 400, id="no version"),
    pytest.param(b"INVITE sip", b"INV@TE sip", 400, id="the method is no token"),
    pytest.param(b"bob@10.0.0.2 ", b"bob@10.0.0.2?x=y ", 400, id="19.1.1: headers in the Request-URI"),
    pytest.param(b"sip:bob@10.0.0.2 SIP", b"http://h SIP", 416, id="foreign scheme"),
    pytest.param(b"7 INVITE", b"7 BYE", 400, id="8.1.1.5: CSeq method"),
    pytest.param(b"7 INVITE", b"x INVITE", 400, id="CSeq number"),
    pytest.param(b"CSeq: 7 INVITE\r\n", b"", 400, id="no CSeq"),
    pytest.param(b"Call-ID: c1\r\n", b"", 400, id="no Call-ID"),
    pytest.param(b"CSeq: 7 INVITE\r\n", b"CSeq: 7 INVITE\r\nCSeq: 7 INVITE\r\n", 400, id="two CSeq"),
    pytest.param(b"To: <", b"To: <sip:x@h>\r\nTo: <", 400, id="two To"),
    pytest.param(b"Forwards: 70", b"Forwards: 256", 400, id="Max-Forwards too large"),
    pytest.param(b"Forwards: 70", b"Forwards: -1", 400, id="Max-Forwards negative"),
    pytest.param(b"Length: 5", b"Length: 6", 400, id="18.3: body too short"),
    pytest.param(b"Length: 5", b"Length: x", 400, id="Content-Length is no number"),
    pytest.param(b"Contact: <sip:10.0.0.1>", b"Contact: <sip:10.0.0.1", 400, id="Contact"),
    pytest.param(b"Contact: <", b"Record-Route: <sip:\r\nContact: <", 400, id="Record-Route"),
    pytest.param(b"Contact: <", b"Date: today\r\nContact: <", 400, id="Date"),
    pytest.param(b"Contact: <", b"no colon\r\nContact: <", 400, id="a line without a colon"),
    pytest.param(b"Contact: <", b"Subject\r\nContact: <", 400, id="a known name without a colon"),
    pytest.param(b"Contact: <", b"a@b: c\r\nContact: <", 400, id="a name that is no token"),
    pytest.param(b"Contact: <", b"Via: x\r\nContact: <", 400, id="a second Via"),
    pytest.param(b"c1", b"c1\nEvil: 1", 400, id="a bare LF"),
    pytest.param(b"c1", b"c1\rEvil: 1", 400, id="a bare CR"),
    pytest.param(b"\r\n\r\noffer", b"", 400, id="no empty line"),
    pytest.param(b"\r\n\r\noffer", b"\r\n", 400, id="cut before the empty line"),
])  # fmt: skip
def test_check_refuses(old: bytes, new: bytes, status: int) -> None:
    message = request(INVITE.replace(old, new, 1))
    with pytest.raises(BadMessage) as caught:
        message.check()
    assert caught.value.status == status
    assert caught.value.reason


@pytest.mark.parametrize("data", [
    b"", b"\r\n\r\n", b"\x00\x01\x02", b"hello", b"SIP/2.0 2000 OK\r\n\r\n", b"SIP/2.0 099 x\r\n\r\n",
    b"SIP/2.0 700 x\r\n\r\n",
    b"SIP/3.0 200 OK\r\n\r\n", b"INVITE sip:b@h\r\nFrom: x\r\n\r\n", "SIP/2.0 ٢٠٠ OK\r\n\r\n".encode(),
])  # fmt: skip
def test_what_is_no_sip_is_none(data: bytes) -> None:
    assert parse(data) is None


def test_a_good_date_passes() -> None:
    request(INVITE.replace(b"Contact: <", b"Date: Sat, 13 Nov 2010 23:29:00 GMT\r\nContact: <")).check()


@given(st.binary())
def test_no_bytes_make_parse_raise(data: bytes) -> None:
    parse(data)


@given(st.integers(0, len(INVITE)), st.integers(0, 40), st.binary(max_size=12))
def test_no_damage_makes_parse_or_check_raise_anything_else(at: int, cut: int, put: bytes) -> None:
    message = parse(INVITE[:at] + put + INVITE[at + cut :])
    if message is not None:
        with suppress(BadMessage):
            message.check()


@pytest.mark.parametrize(("to", "tag", "written"), [
    pytest.param(b"<sip:bob@10.0.0.2>", "t", "<sip:bob@10.0.0.2>;tag=t", id="a tag is put"),
    pytest.param(b"<sip:bob@10.0.0.2>;tag=x", "t", "<sip:bob@10.0.0.2>;tag=x", id="a tag that is there stays"),
    pytest.param(b"<sip:bob@h> ; tag = x", "t", "<sip:bob@h> ; tag = x", id="also between spaces"),
    pytest.param(b"<sip:bob@10.0.0.2>", "", "<sip:bob@10.0.0.2>", id="no tag in a 100"),
    pytest.param(b'"Bob <sip:bob@h>', "t", '"Bob <sip:bob@h>', id="an unreadable To goes back as it came"),
])  # fmt: skip
def test_a_response_has_the_request_s_to_and_a_tag(to: bytes, tag: str, written: str) -> None:
    assert answer(INVITE.replace(b"<sip:bob@10.0.0.2>", to), 180, tag=tag).get("To") == written


def test_a_response_echoes_what_it_must() -> None:
    invite = INVITE.replace(b"Contact", b"Record-Route: <sip:p;lr>\r\nTimestamp: 54\r\nContact")
    echoed = answer(invite, 200, extra=[("Server", "x")], body=b"y")
    assert list(echoed.fields) == [
        "Via", "From", "Call-ID", "CSeq", "To", "Record-Route", "Server", "Content-Length",
    ]  # fmt: skip
    assert echoed.body == b"y"
    assert "Timestamp" in answer(invite, 100).fields  # 8.2.6.1
    assert "Record-Route" not in answer(invite, 404).fields
    assert (answer(invite, 200).reason, answer(invite, 299).reason) == ("OK", "Unknown")


@pytest.mark.parametrize("line", [
    pytest.param(b"m:a\r\n", id="one header, very many times"),
    pytest.param(b"m:a\r\nno header\r\n", id="and broken lines between"),
])  # fmt: skip
def test_hostile_repetition_is_read_in_linear_time(line: bytes) -> None:
    head = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nCSeq: 1 OPTIONS\r\n"
    message = parse(head + line * 400_000 + b"\r\n")  # quadratic, it takes minutes and meets the suite's timeout
    assert message is not None
    assert len(message.fields["Contact"]) == 400_000
