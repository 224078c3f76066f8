"""Sound messages, and what hypothesis does to them: bytes cut and put in, lines dropped, repeated and rewritten."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

__all__ = ["NASTY", "VALUES", "damaged", "request", "response"]

NASTY = [
    b"", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\x00", b"\xff\xfe", b'"', b"\\", b"<", b">", b";", b",", b"=", b":",
    b"@", b"[", b"]", b"*", b"%", b"?", b" ", b"\t", b"\r\n ", b"sip:", b"SIP/2.0", b"z9hG4bK", b";tag=", b";branch=",
    b";rport", b"-1", b"4294967296", b"9" * 5000, b"a" * 3000, b";" * 400, b'"' * 301, "\u2028\U0001f600".encode(),
]  # fmt: skip
"""What parsers stumble over."""

VALUES = [
    b"", b"*", b";;,,;", b"0", b"-1", b"2147483648", b"9" * 5000, b'"', b"<sip:", b"<>", b"\xe9", b"sip:a@b", b"tel:+1",
    b"<sip:a@[::1]:5060;lr>", b"mailto:a@b", b"1 INVITE", b"1 ACK", b"100rel", b"timer", b"SIP/2.0/UDP h", b"Digest",
    b'Digest username="001*002"', b"application/sdp", b"multipart/mixed;boundary=x", b"text/plain, */*", b"gzip", b"id",
]  # fmt: skip
"""Values that another header would be glad of."""

_NAMES = [
    b"Via", b"From", b"To", b"Call-ID", b"CSeq", b"Contact", b"Max-Forwards", b"Content-Length", b"Content-Type", b"l",
    b"Content-Encoding", b"Require", b"Proxy-Require", b"Supported", b"Route", b"Record-Route", b"Expires", b"Accept",
    b"Authorization", b"Proxy-Authorization", b"P-Asserted-Identity", b"Remote-Party-ID", b"Privacy", b"Date", b"RAck",
    b"Session-Expires", b"Replaces", b"Refer-To", b"Timestamp", b"Warning", b"Retry-After", b"Reason", b"Event", b"X",
    b"Identity", b"Date", b"Path", b"RSeq", b"Min-SE", b"Diversion", b"",
]  # fmt: skip

Lines = list[bytes]


def request(
    method: str, *, uri: str = "sip:bob@10.0.0.2", via: str = "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKfuzz;rport",
    from_: str = "<sip:alice@10.0.0.1>;tag=a1", to: str = "<sip:bob@10.0.0.2>", call_id: str = "fuzz@10.0.0.1",
    cseq: int = 1, more: Sequence[str] = (), body: str = "",
) -> bytes:  # fmt: skip
    """A sound request."""
    kind = ["Content-Type: application/sdp"] if body else []
    lines = [
        f"{method} {uri} SIP/2.0", f"Via: {via}", "Max-Forwards: 70", f"From: {from_}", f"To: {to}",
        f"Call-ID: {call_id}", f"CSeq: {cseq} {method}", "Contact: <sip:alice@10.0.0.1>", *more, *kind,
        f"Content-Length: {len(body)}", "", body,
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def response(
    status: int, *, via: str, from_: str, to: str, call_id: str, cseq: str, more: Sequence[str] = ()
) -> bytes:  # fmt: skip
    """A sound response."""
    lines = [
        f"SIP/2.0 {status} Whatever", f"Via: {via}", f"From: {from_}", f"To: {to}", f"Call-ID: {call_id}",
        f"CSeq: {cseq}", "Contact: <sip:bob@10.0.0.2>", *more, "Content-Length: 0", "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode()


def damaged(bases: SearchStrategy[bytes], most: int = 3) -> SearchStrategy[bytes]:
    """Sound messages and up to `most` things done to each."""
    return _damaged(bases, st.lists(_DEEDS, max_size=most))


@st.composite
def _damaged(
    draw: DrawFn, bases: SearchStrategy[bytes], deeds: SearchStrategy[list[Callable[[DrawFn, bytes], bytes]]]
) -> bytes:
    data = draw(bases)
    for deed in draw(deeds):
        data = deed(draw, data)
    return data[:60_000]


def _cut(draw: DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    return data[:at] + data[at + draw(st.integers(1, 40)) :]


def _put(draw: DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    return data[:at] + draw(st.sampled_from(NASTY) | st.binary(max_size=8)) + data[at:]


def _in_lines(deed: Callable[[DrawFn, Lines, int], None]) -> Callable[[DrawFn, bytes], bytes]:
    def do(draw: DrawFn, data: bytes) -> bytes:
        head, gap, body = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        deed(draw, lines, draw(st.integers(0, len(lines) - 1)))
        return b"\r\n".join(lines) + gap + body

    return do


def _drop(draw: DrawFn, lines: Lines, at: int) -> None:
    del lines[at]


def _repeat(draw: DrawFn, lines: Lines, at: int) -> None:
    lines.insert(draw(st.integers(0, len(lines))), lines[at])


def _rewrite(draw: DrawFn, lines: Lines, at: int) -> None:
    lines[at] = lines[at].partition(b":")[0] + b": " + draw(st.sampled_from(VALUES))


def _add(draw: DrawFn, lines: Lines, at: int) -> None:
    lines.insert(at + 1, draw(st.sampled_from(_NAMES)) + b": " + draw(st.sampled_from(VALUES)))


def _rename(draw: DrawFn, lines: Lines, at: int) -> None:
    lines[at] = draw(st.sampled_from(_NAMES)) + b":" + lines[at].partition(b":")[2]


_DEEDS = st.sampled_from([_cut, _put, *(_in_lines(deed) for deed in (_drop, _repeat, _rewrite, _add, _rename))])
