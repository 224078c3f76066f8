"""RFC 8866 as real phones write it, and RFC 3264 offer/answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.sdp import BadSdp, MediaPeer, NoCommonCodec, accept, answer, is_ipv6, offer, parse, switched_off

PHONE = b"""v=0
o=- 1 2 IN IP4 192.0.2.9
s=call
c=IN IP4 192.0.2.9
t=0 0
m=audio 4000 RTP/AVP 9 8 0 96
a=rtpmap:9 G722/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-16
"""
PEER = MediaPeer("192.0.2.9", 4000, 4001, "PCMA", 8, 96, event_types=(96,))


def changed(old: bytes, new: bytes) -> bytes:
    assert old in PHONE
    return PHONE.replace(old, new)


def answered(body: bytes, **more: object) -> tuple[bytes, MediaPeer]:
    return answer(parse(body), "198.51.100.1", 30000, session_id=5, version=6, **more)  # type: ignore[arg-type]


def test_the_answer_names_one_codec_of_theirs_and_echoes_their_event_type() -> None:
    body, peer = answered(PHONE)
    assert peer == PEER
    assert body.decode().split("\r\n") == [
        "v=0",
        "o=ringback 5 6 IN IP4 198.51.100.1",
        "s=-",
        "c=IN IP4 198.51.100.1",
        "t=0 0",
        "m=audio 30000 RTP/AVP 8 96",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]


@pytest.mark.parametrize(
    ("body", "peer"),
    [
        pytest.param(PHONE.replace(b"\n", b"\r\n"), PEER, id="CRLF"),
        pytest.param(PHONE.replace(b"\n", b"\r"), PEER, id="bare CR"),
        pytest.param(changed(b"s=call\n", b"s=call\nx-junk\nz=0 0\nb=AS:64\n"), PEER, id="unknown lines"),
        pytest.param(changed(b"c=IN IP4 192.0.2.9\n", b"") + b"c=IN IP4 192.0.2.9\n", PEER, id="c= only in the media"),
        pytest.param(PHONE + b"c=IN IP4 192.0.2.77\n", replace(PEER, address="192.0.2.77"), id="the media's c= wins"),
        pytest.param(changed(b"192.0.2.9\nt", b"192.0.2.9/127\nt"), PEER, id="a TTL in c="),
        pytest.param(
            changed(b" 9 8 0 96", b" 0 8 96"),
            replace(PEER, codec="PCMU", payload_type=0),
            id="their first choice is mu-law",
        ),
        pytest.param(
            changed(b"9 8 0 96\n", b"107 96\na=rtpmap:107 pcmu/8000/1\n"),
            replace(PEER, codec="PCMU", payload_type=107),
            id="mu-law under a dynamic number",
        ),
        pytest.param(
            changed(b"a=rtpmap:96 telephone-event/8000\n", b""),
            replace(PEER, telephone_event=None, event_types=()),
            id="no telephone-event",
        ),
        pytest.param(
            changed(b"8 0 96", b"8 0 97 96") + b"a=rtpmap:97 telephone-event/48000\n",
            PEER,
            id="telephone-event at 48 kHz is not ours",
        ),
        pytest.param(PHONE + b"a=rtcp:5555 IN IP4 192.0.2.9\n", replace(PEER, rtcp_port=5555), id="a=rtcp"),
        pytest.param(PHONE + b"a=rtcp:x\na=ptime:x\n", PEER, id="a=rtcp and a=ptime that say nothing"),
        pytest.param(PHONE + b"a=ptime:30\n", replace(PEER, ptime_ms=30), id="a=ptime"),
        pytest.param(PHONE + b"a=sendonly\n", replace(PEER, send=False), id="hold by sendonly"),
        pytest.param(PHONE + b"a=recvonly\n", replace(PEER, receive=False), id="recvonly"),
        pytest.param(PHONE + b"a=inactive\n", replace(PEER, send=False, receive=False), id="hold by inactive"),
        pytest.param(changed(b"t=0 0\n", b"t=0 0\na=sendonly\n"), replace(PEER, send=False), id="hold for the session"),
        pytest.param(
            changed(b"IN IP4 192.0.2.9\nt", b"IN IP4 0.0.0.0\nt"),
            replace(PEER, address="0.0.0.0", send=False),
            id="hold by c=0.0.0.0",
        ),
        pytest.param(
            changed(b"IN IP4 192.0.2.9\nt", b"IN IP6 2001:DB8::1\nt"), replace(PEER, address="2001:db8::1"), id="IPv6"
        ),
        pytest.param(changed(b"m=audio", b"m=video 6000 RTP/AVP 31\nm=audio"), replace(PEER, line=1), id="video first"),
        pytest.param(changed(b"m=audio", b"m=audio 0 RTP/AVP 0\nm=audio"), replace(PEER, line=1), id="one is dead"),
        pytest.param(changed(b"o=- 1 2 IN IP4 192.0.2.9\n", b""), PEER, id="no o= line"),
    ],
)
def test_what_phones_send(body: bytes, peer: MediaPeer) -> None:
    assert answered(body)[1] == peer


@pytest.mark.parametrize(
    ("line", "direction"),
    [
        pytest.param(b"", "sendrecv", id="no direction"),
        pytest.param(b"a=sendonly\n", "recvonly", id="sendonly"),
        pytest.param(b"a=recvonly\n", "sendonly", id="recvonly"),
        pytest.param(b"a=inactive\n", "inactive", id="inactive"),
        pytest.param(b"c=IN IP4 0.0.0.0\n", "recvonly", id="c=0.0.0.0"),
        pytest.param(b"c=IN IP4 0.0.0.0\na=inactive\n", "inactive", id="c=0.0.0.0 and inactive"),
    ],
)
def test_the_direction_answered_mirrors_the_one_offered(line: bytes, direction: str) -> None:
    assert f"a={direction}\r\n".encode() in answered(PHONE + line)[0]


def test_we_may_narrow_the_direction() -> None:
    assert b"a=sendonly\r\n" in answered(PHONE, direction="sendonly")[0]
    assert b"a=inactive\r\n" in answered(PHONE + b"a=sendonly\n", direction="sendonly")[0]


def test_every_other_stream_is_answered_with_port_zero_in_its_place() -> None:
    body, _ = answered(changed(b"m=audio", b"m=video 6000 RTP/AVP 31 32\nm=audio") + b"m=audio 7000 RTP/SAVP 0\n")
    assert [line for line in body.decode().split("\r\n") if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 31 32",
        "m=audio 30000 RTP/AVP 8 96",
        "m=audio 0 RTP/SAVP 0",
    ]


def test_the_time_of_the_offer_is_repeated() -> None:
    assert b"\r\nt=3034423619 0\r\n" in answered(changed(b"t=0 0", b"t=3034423619 0"))[0]


def test_an_ipv6_address_is_named_so() -> None:
    assert b"c=IN IP6 2001:db8::2\r\n" in offer("2001:db8::2", 30000, session_id=1, version=1)


def test_our_offer_and_its_answer() -> None:
    body = offer("198.51.100.1", 30000, session_id=1, version=1)
    assert b"m=audio 30000 RTP/AVP 0 8 101\r\n" in body
    theirs, us = answered(body, codecs=("PCMA",))
    assert us == MediaPeer("198.51.100.1", 30000, 30001, "PCMA", 8, 101)
    assert accept(parse(theirs)) == MediaPeer("198.51.100.1", 30000, 30001, "PCMA", 8, 101)


def test_an_answer_with_another_event_type_is_heard_by_both() -> None:
    assert accept(parse(PHONE)) == replace(PEER, event_types=(101, 96))


@pytest.mark.parametrize(
    ("body", "codecs", "warning"),
    [
        pytest.param(changed(b" 9 8 0 96", b" 9 96"), ("PCMU", "PCMA"), 305, id="no G.711"),
        pytest.param(PHONE, ("PCMU2",), 305, id="none that we allow"),
        pytest.param(changed(b"audio 4000", b"audio 0"), ("PCMU",), 304, id="the stream is refused"),
        pytest.param(changed(b"RTP/AVP", b"RTP/SAVP"), ("PCMU",), 302, id="encrypted"),
        pytest.param(changed(b"m=audio 4000 RTP/AVP 9 8 0 96", b"m=image 4000 udptl t38"), ("PCMU",), 304, id="fax"),
        pytest.param(b"v=0\n", ("PCMU",), 304, id="no stream at all"),
        pytest.param(changed(b"9 8 0 96\n", b"0\na=rtpmap:0 PCMU/16000\n"), ("PCMU",), 305, id="a wrong clock rate"),
    ],
)
def test_nothing_in_common(body: bytes, codecs: tuple[str, ...], warning: int) -> None:
    with pytest.raises(NoCommonCodec) as refused:
        answered(body, codecs=codecs)
    assert refused.value.warning == warning


def test_the_second_audio_stream_is_taken_where_the_first_cannot_be() -> None:
    second = b"m=audio 5000 RTP/AVP 0\n"
    for first in (b"m=audio 4000 RTP/AVP 9\n", b"m=audio 4000 RTP/SAVP 0\n"):
        body, peer = answered(changed(b"m=audio", first + second + b"m=audio"))
        assert (peer.port, peer.line, peer.codec) == (5000, 1, "PCMU")
        ports = [line.split()[1] for line in body.decode().split("\r\n") if line.startswith("m=")]
        assert ports == ["0", "30000", "0"]


def test_3264_6_the_transport_of_an_answer_is_that_of_the_offer() -> None:
    assert b"m=audio 30000 RTP/AVPF 8 96\r\n" in answered(changed(b"RTP/AVP", b"RTP/AVPF"))[0]


def test_3264_8_our_later_offer_has_every_line_of_the_session() -> None:
    theirs = parse(changed(b"m=audio", b"m=video 6000 RTP/AVP 31 32\nm=audio") + b"m=image 7000 udptl t38\n")
    body = offer("198.51.100.1", 30000, session_id=1, version=1, among=theirs.media, line=1)
    assert [line for line in body.decode().split("\r\n") if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 31 32",
        "m=audio 30000 RTP/AVP 0 8 101",
        "m=image 0 udptl t38",
    ]


def test_3264_6_an_offer_of_nothing_is_answered_by_nothing() -> None:
    theirs = parse(changed(b"audio 4000", b"audio 0") + b"m=video 0 RTP/AVP 31\n")
    assert theirs.off
    body = switched_off(theirs, "198.51.100.1", session_id=1, version=2)
    assert [line for line in body.decode().split("\r\n") if line.startswith("m=")] == [
        "m=audio 0 RTP/AVP 9 8 0 96",
        "m=video 0 RTP/AVP 31",
    ]
    assert not parse(PHONE).off


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "v=0", id="empty"),
        pytest.param(b"hello", "v=0", id="no SDP"),
        pytest.param(changed(b"c=IN IP4 192.0.2.9\n", b""), "no c= line", id="no address"),
        pytest.param(
            changed(b"IN IP4 192.0.2.9\nt", b"IN IP4 phone.example\nt"), "not an IP address", id="a host name"
        ),
        pytest.param(changed(b"c=IN IP4 192.0.2.9\n", b"c=ATM x\n"), "c= line", id="another network"),
        pytest.param(changed(b"audio 4000", b"audio 70000"), "m=audio 70000", id="a port too high"),
        pytest.param(changed(b"m=audio 4000 RTP/AVP 9 8 0 96", b"m=audio"), "m=audio", id="a short m= line"),
    ],
)
def test_a_bad_body_says_where(body: bytes, words: str) -> None:
    with pytest.raises(BadSdp, match=words):
        answered(body)


@given(
    st.lists(
        st.sampled_from(
            [
                b"v=0",
                b"m=audio 1 RTP/AVP 0",
                b"m=",
                b"c=IN IP4 1.1.1.1",
                b"c=",
                b"a=rtpmap:",
                b"a=rtcp",
                b"a",
                b"=",
                b"t=",
                b"o=1 2 3",
                b"\xff\xfe",
                b"m=audio \xd9\xa3 RTP/AVP 0",
            ]
        )
    )
)
def test_any_lines_are_understood_or_refused(lines: list[bytes]) -> None:
    try:
        answered(b"\n".join([b"v=0", *lines]))
    except (BadSdp, NoCommonCodec):
        pass


@pytest.mark.parametrize(("body", "six"), [
    pytest.param(b"v=0\r\nc=IN IP6 2001:db8::1\r\nm=audio 4000 RTP/AVP 0\r\n", True, id="of the session"),
    pytest.param(b"v=0\r\nc=IN IP6 ::1\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n", False, id="of the stream"),
    pytest.param(b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n", None, id="RFC 2543 hold"),
    pytest.param(b"v=0\r\nc=IN IP6 ::1\r\nm=video 4000 RTP/AVP 34\r\n", None, id="no sound"),
    pytest.param(b"hello", None, id="no description"),
])
def test_by_which_family_sound_is_received(body: bytes, six: bool | None) -> None:
    assert is_ipv6(body) is six
