"""No bytes make a parser raise anything but its own error, and nothing makes it slow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import rtcp, rtp, sdp, telephone_event
from sip_stack.digest import NonceMaker, parse_challenge, parse_proof, proves
from sip_stack.errors import BadMessage
from sip_stack.framing import BadFrame, Framer
from sip_stack.identity import caller_of
from sip_stack.message import Request, Response, parse
from tests.fuzz import found
from tests.fuzz.damage import damaged, request, response

OFFER = (
    b"v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=call\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\na=sendrecv\r\n"
    b"m=audio 4000 RTP/AVP 9 8 0 96\r\na=rtpmap:9 G722/8000\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\n"
    b"a=rtcp:4001\r\na=ptime:20\r\nm=video 4002 RTP/AVP 99\r\nc=IN IP6 2001:db8::1\r\na=inactive\r\n"
)
PROOF = (
    b'Digest username="001*002", realm="192.0.2.1", nonce="abc", uri="sip:192.0.2.1;transport=UDP", response="00ff", '
    b'algorithm=MD5, qop=auth, nc=00000001, cnonce="x", opaque="\\"o"'
)
CHALLENGE = b'Digest realm="a, \\"b\\"", nonce="n", algorithm=SHA-256, qop="auth,auth-int", stale=TRUE, opaque=""'
KEYS = b"\x05\x8a\x03\x20"
REPORTS = rtcp.sender_report(7, 1.8e9, 160, 5, 800, rtcp.Reception().block(0, 0)) + rtcp.bye(7)


def texts(*sound: bytes) -> st.SearchStrategy[str]:
    """Damaged header values."""
    return damaged(st.sampled_from(sound)).map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(damaged(st.sampled_from([OFFER, OFFER.replace(b"\r\n", b"\n")]), 4) | st.binary())
def test_a_session_description_is_read_or_refused(body: bytes) -> None:
    take_description(body)


@pytest.mark.parametrize("body", found.SDP)
def test_a_session_description_that_once_broke_us(body: bytes) -> None:
    take_description(body)


def take_description(body: bytes) -> None:
    with suppress(sdp.BadSdp, sdp.NoCommonCodec):
        told = sdp.parse(body)
        sdp.accept(told)
        answer, peer = sdp.answer(told, "192.0.2.1", 4000, session_id=1, version=1)
        assert 0 <= peer.port <= 0xFFFF
        assert sdp.accept(sdp.parse(answer)).port == 4000


@given(texts(PROOF, CHALLENGE))
def test_a_digest_is_read_or_refused(value: str) -> None:
    with suppress(BadMessage):
        proof = parse_proof(value)
        assert not proves(proof, "0" * 32, "REGISTER")
        NonceMaker(b"key").state(proof.nonce, 0.0, "192.0.2.9")
    with suppress(BadMessage):
        parse_challenge(value)


@given(st.binary(max_size=80), st.lists(st.binary(max_size=12), max_size=5))
def test_rtp_and_its_keys_are_read_or_ignored(data: bytes, payloads: list[bytes]) -> None:
    packet = rtp.parse(b"\x80\x60" + data)
    rtp.parse(data)
    if packet is not None:
        assert rtp.parse(rtp.write(packet)) is not None
    keys = telephone_event.KeyReader()
    for n, payload in enumerate([KEYS, *payloads]):
        assert len(keys.read(1, 160 * n, payload)) <= 1


@given(damaged(st.just(REPORTS)) | st.binary(max_size=80))
def test_rtcp_is_read_or_ignored(data: bytes) -> None:
    for report in rtcp.read_reports(data):
        report.round_trip_ms(0)


REQUESTS = [
    request(
        method, body="v=0\r\n",
        more=["P-Asserted-Identity: \"A\" <sip:1@a>, <tel:+1>", "Privacy: id",
              "Remote-Party-ID: <sip:1@a>;privacy=full", "Route: <sip:p;lr>, <sip:q>", "Require: x",
              "Expires: 60", "Date: Sat, 13 Nov 2010 23:29:00 GMT"],
    )
    for method in ("INVITE", "REGISTER", "ACK", "HELLO")
]  # fmt: skip
RESPONSE = response(
    200,
    via="SIP/2.0/UDP a;branch=z9hG4bK1",
    from_="<sip:a@b>;tag=1",
    to="<sip:a@b>;tag=2",
    call_id="c",
    cseq="1 INVITE",
)


@given(damaged(st.sampled_from([*REQUESTS, RESPONSE]), 4))
def test_every_header_is_read_or_refused(data: bytes) -> None:
    message = parse(data)
    for read in () if message is None else READERS:
        with suppress(BadMessage):
            read(message)


READERS = [
    lambda m: m.check(), lambda m: m.via, lambda m: m.from_, lambda m: m.to, lambda m: m.cseq, lambda m: m.uri.user,
    lambda m: m.max_forwards, lambda m: m.tokens("Require"), lambda m: str(m.addresses("Contact")),
    lambda m: m.addresses("Route"), lambda m: caller_of(m, trusted=True), lambda m: caller_of(m, trusted=False),
    lambda m: m.encode(),
]  # fmt: skip
READERS = [
    read if n not in (5, 6, 10, 11, 12) else (lambda m, read=read: isinstance(m, Request) and read(m))
    for n, read in enumerate(READERS)
]


def _flat(value: object) -> Iterator[object]:
    """Every text within a value."""
    for part in value if isinstance(value, tuple) else (value,):
        yield from _flat(part) if isinstance(part, tuple) else (part,)


@given(damaged(st.sampled_from(REQUESTS), 4))
def test_a_header_that_can_be_read_is_written_so_that_it_is_read_alike(data: bytes) -> None:
    message = parse(data)
    for name in ("via", "from_", "to") if isinstance(message, Request) else ():
        with suppress(BadMessage):
            value = getattr(message, name)
            message.fields[name.strip("_").capitalize()] = [str(value)]
            again = parse(message.encode())
            if not re.search(r"[\x00-\x1f\x7f]", "".join(map(str, _flat(value)))):  # those are written as spaces
                assert getattr(again, name) == value


@given(st.lists(damaged(st.sampled_from([*REQUESTS, b"\r\n\r\n", b"\r\n"])), max_size=4), st.integers(1, 200))
def test_a_stream_is_cut_into_messages_or_given_up(messages: list[bytes], piece: int) -> None:
    stream, framer = b"".join(messages), Framer()
    with suppress(BadFrame):
        for at in range(0, len(stream), piece):
            for message in framer.feed(stream[at : at + piece]):
                found_there = parse(message)
                assert found_there is None or isinstance(found_there, Request | Response)


LONG = 60_000
SLOW = {
    "quotes": b'"' * LONG, "backslashes": b"\\" * LONG, "open quote": b'"' + b"\\a" * (LONG // 2),
    "brackets": b"<" * LONG, "commas": b"," * LONG, "semicolons": b";" * LONG,
    "spaced parameters": b" ; a" * (LONG // 4),
    "spaces": b" " * LONG, "tabs and a letter": b"\t" * LONG + b"x", "equals": b";a=" * (LONG // 3),
    "addresses": b"<sip:a@b>," * (LONG // 10), "digits": b"9" * LONG, "folds": b"\r\n " * (LONG // 3),
    "headers": b"\r\nX: y" * (LONG // 6), "vias": b"\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1" * (LONG // 36),
    "percent": b"%41" * (LONG // 3), "dots": b"a." * (LONG // 2), "colons": b"sip:" * (LONG // 4),
    "letters": "\u0430".encode() * (LONG // 2), "pairs": b'a="b",' * (LONG // 6), "line ends": b"\n" * LONG,
}  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("shape", SLOW)
def test_a_datagram_full_of_one_thing_is_no_work_for_minutes(shape: str) -> None:
    """Whatever reads it takes time in step with its length; a pattern that tries again would not end in time."""
    bulk = SLOW[shape]
    for name in (b"Via", b"From", b"To", b"Contact", b"CSeq", b"Call-ID", b"Authorization", b"Content-Length", b"X"):
        message = parse(REQUESTS[0].replace(b"\r\n", b"\r\n" + name + b": " + bulk + b"\r\n", 1))
        for read in () if message is None else READERS:
            with suppress(BadMessage):
                read(message)
    value = bulk.decode("utf-8", "replace")
    for reader in (parse_proof, parse_challenge):
        with suppress(BadMessage):
            reader(f"Digest {value}")
    with suppress(BadMessage):
        parse(b"INVITE sip:" + bulk + b" SIP/2.0\r\nVia: x\r\n\r\n").uri  # type: ignore[union-attr]  # noqa: B018
    for where in (b"m=audio ", b"a=", b"c=IN IP4 ", b"o="):
        take_description(b"v=0\r\n" + where + bulk)
    with suppress(BadFrame):
        list(Framer().feed(REQUESTS[0].replace(b"\r\n", b"\r\nX: " + bulk + b"\r\n", 1)))
