"""RFC 3261 18.3: messages out of a stream, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_stack.framing import MOST_BODY, MOST_HEAD, BadFrame, Framer

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c\r\nContent-Length: 0\r\n\r\n"
INVITE = b"INVITE sip:a@b SIP/2.0\r\nl : 5\r\nSubject: x\r\n\r\nv=0\r\n"
FOLDED = b"INVITE sip:a@b SIP/2.0\r\nContent-Length:\r\n 5\r\n\r\n\r\n\r\n."


@given(st.lists(st.sampled_from([OPTIONS, INVITE, FOLDED]), max_size=5), st.lists(st.integers(1, 60), max_size=40))
def test_messages_come_out_whole_wherever_the_stream_is_cut(messages: list[bytes], cuts: list[int]) -> None:
    stream, framer, out, at = b"".join(messages), Framer(), [], 0
    for cut in [*cuts, len(stream) + 1]:
        out += list(framer.feed(stream[at : at + cut]))
        at += cut
    assert out == messages
    assert not framer.waiting


@pytest.mark.parametrize(("pieces", "pings", "messages"), [
    pytest.param([b"\r\n\r\n"], 1, 0, id="a ping"),
    pytest.param([b"\r\n", b"\r\n"], 1, 0, id="a ping in two pieces"),
    pytest.param([b"\r\n\r\n\r\n\r\n" + OPTIONS], 2, 1, id="two pings and a message"),
    pytest.param([b"\r\n" + OPTIONS], 0, 1, id="7.5: a blank line before a start line"),
    pytest.param([b"\r\n", OPTIONS], 0, 1, id="the answer to a ping of ours"),
    pytest.param([OPTIONS + b"\r\n\r\n"], 1, 1, id="a ping behind a message"),
])
def test_keep_alives(pieces: list[bytes], pings: int, messages: int) -> None:
    framer = Framer()
    out = [message for piece in pieces for message in framer.feed(piece)]
    assert (framer.pings, out) == (pings, [OPTIONS] * messages)


@pytest.mark.parametrize(("data", "reason", "answerable"), [
    pytest.param(b"OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n\r\n", "is missing", True, id="20.14: no length"),
    pytest.param(b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n", "told twice", True, id="two lengths"),
    pytest.param(b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n", "no number", True, id="a negative length"),
    pytest.param(b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY + 1), "body is longer", True,
                 id="a long body"),
    pytest.param(b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "body is longer", True,
                 id="a length of five thousand digits"),
    pytest.param(b"A" * (MOST_HEAD + 1), "headers are longer", False, id="headers without an end"),
])
def test_a_stream_that_cannot_be_read_on(data: bytes, reason: str, answerable: bool) -> None:
    with pytest.raises(BadFrame, match=reason) as caught:
        list(Framer().feed(data))
    assert bool(caught.value.head) is answerable


def test_the_same_length_told_twice_is_one_length() -> None:
    data = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\nl: 0\r\n\r\n"
    assert list(Framer().feed(data)) == [data]


def test_messages_before_a_broken_one_are_served() -> None:
    messages = Framer().feed(OPTIONS + b"x\r\n\r\n")
    assert next(messages) == OPTIONS
    with pytest.raises(BadFrame):
        next(messages)


def test_a_message_that_has_begun_is_waited_for() -> None:
    framer = Framer()
    assert list(framer.feed(b"\r\n")) == []
    assert not framer.waiting
    assert list(framer.feed(OPTIONS[:-1])) == []
    assert framer.waiting
