"""Requests and responses: bytes in, headers read when somebody asks, bytes out (RFC 3261 section 7)."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

from sip_stack.errors import BadMessage
from sip_stack.grammar import comma_list, is_token, remembered
from sip_stack.headers import (
    CSeq,
    NameAddr,
    Via,
    is_branch,
    is_plain_via,
    parse_cseq,
    parse_name_addr,
    parse_name_addrs,
    parse_vias,
    read_branch,
    read_line,
    top_via,
)
from sip_stack.uri import Uri, parse_uri

__all__ = ["REASONS", "Fields", "Message", "Request", "Response", "header_lines", "parse", "reply"]

Fields = dict[str, Sequence[str]]
"""Raw header values by canonical name, in the order of arrival; another takes a value's place, none is changed."""

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
    202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 400: "Bad Request",
    401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
    423: "Interval Too Brief", 430: "Flow Failed", 439: "First Hop Lacks Outbound Support",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending",
    428: "Use Identity Header", 436: "Bad Identity Info", 437: "Unsupported Credential", 438: "Invalid Identity Header",
    493: "Undecipherable", 500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip

_FOLD = re.compile(r"\r\n[ \t]+")
_SINGLE = frozenset({"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Expires"})
_MORE = frozenset({"Contact", "Route", "Record-Route", "Date"})
_DATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")


class Message:
    """What requests and responses share.

    Asking for a typed value that is missing or cannot be read raises BadMessage.
    """

    __slots__ = ("around", "body", "branch", "call_id", "cseq", "defect", "fields", "raw", "to")

    branch: str
    """Its branch, unique with its method; empty where there is none of that kind (RFC 2543 peers)."""
    around: tuple[str, str, str] | None
    """Of what was received: the line of a plain topmost Via without `;branch=` and branch; None where it is rarer."""
    to: NameAddr
    cseq: CSeq
    fields: Fields
    body: bytes
    call_id: str
    """Call-ID; empty where it is missing."""
    raw: bytes
    """The bytes it came as; empty for one of our own."""
    defect: BadMessage | None
    """What is wrong with the start line or the framing, found while parsing; `check` raises it."""

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return top_via(self.must("Via"))

    @property
    def from_(self) -> NameAddr:
        """From."""
        return parse_name_addr(self.must("From"))

    def get(self, name: str) -> str | None:
        """The first raw value of a header (canonical name), None where it is absent."""
        values = self.fields.get(name)
        return values[0] if values else None

    def must(self, name: str) -> str:
        """The first raw value of a header.  Raises: BadMessage where it is absent."""
        if name not in self.fields:
            raise BadMessage(f"{name} is missing")
        return self.fields[name][0]

    def tokens(self, name: str) -> list[str]:
        """The elements of a comma-separated header of tokens (Require, Supported, Allow...)."""
        return [t for value in self.fields.get(name, ()) for t in comma_list(value) if t]

    def addresses(self, name: str) -> tuple[NameAddr, ...]:
        """The addresses of a header (Contact, Route, P-Asserted-Identity...).  Raises: BadMessage."""
        values = self.fields.get(name)
        return parse_name_addrs(values) if values else ()

    @abstractmethod
    def check(self) -> None:
        """Refuse what sections 8.1.1, 18.3 and 20 forbid.  Raises: BadMessage with the status to answer."""

    def leave_unread(self, defect: BadMessage | None = None) -> None:
        """It is broken, or lacks something that each message must have."""
        self.__class__ = _UnreadRequest if isinstance(self, Request) else _UnreadResponse
        self.call_id = self.get("Call-ID") or ""
        self.defect = defect


class _Unread(Message):
    """One that lacks something, or something of it cannot be read: what is asked for is told, or why it is not there.

    A class apart: the interpreter reads each attribute of a class with a __getattr__ many times slower.
    """

    __slots__ = ()
    if not TYPE_CHECKING:  # for the checker all is there, and nothing else

        def __getattr__(self, name: str) -> object:
            """Asked only for what is not there."""
            if name not in _TYPED:
                raise AttributeError(name)
            header, read = _TYPED[name]
            return read(self.must(header))


_TYPED: dict[str, tuple[str, Callable[[str], object]]] = {
    "branch": ("Via", read_branch),
    "from_": ("From", parse_name_addr),
    "to": ("To", parse_name_addr),
    "cseq": ("CSeq", parse_cseq),
}


class Request(Message):
    """One request; `uri_text` is the Request-URI as written."""

    __slots__ = ("_echoed", "from_", "method", "sent_by", "uri_text")

    from_: NameAddr
    sent_by: tuple[str, int | None]
    """Host and port of the topmost Via, once the way back is known."""

    def __init__(
        self,
        method: str,
        uri: Uri | str,
        fields: Fields,
        body: bytes = b"",
        raw: bytes = b"",
        branch: str = "",
        around: tuple[str, str, str] | None = None,
    ) -> None:
        """`branch` counts together with what is `around` it; else the Via is read."""
        self.method = method
        self.uri_text = str(uri)
        self.fields = fields
        self.body = body
        self.raw = raw
        self.around = around
        self.defect = None
        self._echoed = ""
        try:
            self.call_id = fields["Call-ID"][0]
            self.branch = read_branch(fields["Via"][0]) if around is None else branch
            self.cseq = parse_cseq(fields["CSeq"][0])
            self.from_ = parse_name_addr(fields["From"][0])
            self.to = parse_name_addr(fields["To"][0])
        except (BadMessage, KeyError):
            self.leave_unread()

    @property
    def uri(self) -> Uri:
        """The Request-URI.  Raises: BadMessage, 416 for a foreign scheme."""
        return parse_uri(self.uri_text)

    @property
    def max_forwards(self) -> int:
        """Max-Forwards; 70 where an old client left it out.  Raises: BadMessage for what is no number."""
        values = self.fields.get("Max-Forwards")
        return _hops(values[0]) if values else 70

    def check(self) -> None:
        """As for any message: all that a request can get wrong without knowing what it is for."""
        fields = self.fields
        if self.cseq.method != self.method:
            raise BadMessage("CSeq method differs from the request line")  # 8.1.1.5
        if "Max-Forwards" in fields:
            _hops(fields["Max-Forwards"][0])
        if self.around is None or len(fields["Via"]) > 1:
            parse_vias(fields["Via"])
        if _MORE.isdisjoint(fields):
            return  # nearly all but an INVITE
        contacts = fields.get("Contact")
        if contacts and contacts[0] != "*":
            parse_name_addrs(contacts)
        if "Route" in fields:
            parse_name_addrs(fields["Route"])
        if "Record-Route" in fields:
            parse_name_addrs(fields["Record-Route"])
        if "Date" in fields and not _DATE.fullmatch(fields["Date"][0]):
            raise BadMessage("Date is not of the one form there is")  # 20.17: always GMT

    def encode(self) -> bytes:
        """The bytes on the wire."""
        fields, body = self.fields, self.body
        fields.pop("Content-Length", None)  # always ours: what we write is what we frame (18.3)
        lines = "".join([f"\r\n{name}: {value}" for name, values in fields.items() for value in values])
        head = f"{self.method} {self.uri_text} SIP/2.0{lines}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode("utf-8", "surrogateescape") + body


class _UnreadRequest(_Unread, Request):
    __slots__ = ()

    def check(self) -> None:
        if self.defect is not None:
            raise self.defect
        _ = self.must("Call-ID"), self.branch, self.from_, self.to
        super().check()


@remembered
def _hops(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 9 or int(text) > 255:
        raise BadMessage("Max-Forwards is not a number of 0 to 255")  # 20.22
    return int(text)


class Response(Message):
    """One response of a far end."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str,
        fields: Fields,
        body: bytes = b"",
        raw: bytes = b"",
        branch: str = "",
        around: tuple[str, str, str] | None = None,
    ) -> None:
        """`branch` counts together with what is `around` it; else the Via is read."""
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body = body
        self.raw = raw
        self.around = around
        self.defect = None
        try:
            self.call_id = fields["Call-ID"][0]
            self.branch = read_branch(fields["Via"][0]) if around is None else branch
            self.cseq = parse_cseq(fields["CSeq"][0])
            self.to = parse_name_addr(fields["To"][0])
        except (BadMessage, KeyError):
            self.leave_unread()

    def check(self) -> None:
        """What matching needs, and To where a dialog or an ACK may come of it; From is our own text, come back."""


class _UnreadResponse(_Unread, Response):
    __slots__ = ()

    def check(self) -> None:
        if self.defect is not None:
            raise self.defect
        _ = self.must("Call-ID"), self.cseq.method != "INVITE" or self.to


_ECHOED = ("Via", "From", "Call-ID", "CSeq", "To")  # To is the last: the tag is put behind it
_echoed_of = itemgetter(*_ECHOED)


def header_lines(fields: Iterable[tuple[str, str]]) -> str:
    """Header fields as text, each behind its CRLF."""
    return "".join([f"\r\n{name}: {value}" for name, value in fields])


def reply(
    request: Request,
    status: int,
    reason: str = "",
    tag: str = "",
    lines: str = "",
    body: bytes = b"",
    extra: Iterable[tuple[str, str]] = (),
) -> bytes:
    """A response to `request` with its Via, From, Call-ID, CSeq and To (8.2.6.2), as the bytes on the wire.

    `lines` are header fields that are text already, each behind its CRLF; `extra` come before them.
    """
    fields = request.fields
    echoed = request._echoed
    if not echoed:
        request._echoed = echoed = _echo(fields)  # for all responses to it
    if tag:
        try:
            if not request.to.tag:
                echoed = f"{echoed};tag={tag}"
        except BadMessage:
            pass  # a To that cannot be read goes back as it came
    if "Record-Route" in fields and 100 < status < 300:  # 12.1.1
        echoed += header_lines([("Record-Route", value) for value in fields["Record-Route"]])
    if "Timestamp" in fields and status == 100:  # 8.2.6.1
        echoed = f"{echoed}\r\nTimestamp: {fields['Timestamp'][0]}"
    if extra:
        lines = header_lines(extra) + lines
    return (
        f"SIP/2.0 {status} {reason or REASONS.get(status, 'Unknown')}{echoed}{lines}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode("utf-8", "surrogateescape") + body


def _echo(fields: Fields) -> str:
    try:
        vias, (from_,), (call_id,), (cseq,), (to,) = _echoed_of(fields)
    except (KeyError, ValueError):  # a broken request goes back with what it has
        return header_lines([(name, value) for name in _ECHOED if name in fields for value in fields[name]])
    via = "\r\nVia: ".join(vias)
    return f"\r\nVia: {via}\r\nFrom: {from_}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\nTo: {to}"


def parse(data: bytes) -> Request | Response | None:
    """Read one datagram; None for a keep-alive or bytes that are no SIP at all.

    A message that is SIP but broken comes back with `defect` set, so that it can still be answered.
    """
    head, gap, body = data.partition(b"\r\n\r\n")
    try:
        start, top, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        before, _, after = top.partition(";branch=")
        branch, more, behind = after.partition(";")
        if is_plain_via(before + more + behind) and is_branch(branch):  # all but the branch comes again and again
            fields: Fields = {"Via": (top[5:],)}
            fields.update(map(read_line, lines))  # a line that came before costs no step of Python
            if len(fields) <= len(lines):
                fields, twice = _together(map(read_line, (top, *lines)))
                if twice is not None:
                    raise twice
            message = _start_line(start)(fields, body, data, branch, (before, more, behind))
            if gap and fields["Content-Length"][0] == str(len(body)):
                return message  # nearly all there are
    except (BadMessage, KeyError, ValueError):  # ValueError: no header at all
        pass
    return _parse_rarer(data)


def _parse_rarer(data: bytes) -> Request | Response | None:
    """What is folded, cut off or broken: each fault is noted, the rest is read all the same."""
    data = data.lstrip(b"\r\n")  # 7.5: a CRLF before the start line is ignored
    head, gap, body = data.partition(b"\r\n\r\n")
    text = _FOLD.sub(" ", head.decode("utf-8", "surrogateescape"))  # 7.3.1
    start, *lines = text.split("\r\n")
    read, broken = [], None
    for line in filter(None, lines):
        try:
            read.append(read_line(line))
        except BadMessage as error:
            broken = error
    fields, twice = _together(read)
    defect = broken or twice
    try:
        make = _start_line(start)
    except BadMessage as error:
        if start[:4].upper() == "SIP/":
            return None  # a response is never answered
        method, _, rest = start.partition(" ")
        make, defect = partial(Request, method, rest.rpartition(" ")[0]), error
    if defect is None:
        body, defect = _frame(fields, body, complete=gap != b"")
    message = make(fields, body, data)
    if defect is not None:
        message.leave_unread(defect)
    return message if defect is None or "Via" in fields else None


def _together(read: Iterable[tuple[str, tuple[str]]]) -> tuple[Fields, BadMessage | None]:
    """The values of headers that come in several lines, and what is wrong with that."""
    fields: Fields = {}
    more: dict[str, list[str]] = {}
    defect = None
    for name, values in read:
        if name not in fields:
            fields[name] = values
            continue
        more.setdefault(name, []).extend(values)
        if name in _SINGLE:
            defect = BadMessage(f"{name} must appear once")
    for name, values_behind in more.items():
        fields[name] = (*fields[name], *values_behind)
    return fields, defect


@remembered
def _start_line(line: str) -> Callable[..., Request | Response]:
    """What makes the message of all that it has but its start line.  Raises: BadMessage."""
    if "\r" in line or "\n" in line:
        raise BadMessage("CR and LF must come together")
    first, _, rest = line.partition(" ")
    if line[:4].upper() == "SIP/":
        return partial(Response, *_status(first, rest))
    uri, _, version = rest.rpartition(" ")
    if version.upper() != "SIP/2.0" and version[:4].upper() == "SIP/":  # 7.1: the version is case-insensitive
        raise BadMessage(f"SIP version {version[:20]} is not supported", status=505)
    if version.upper() != "SIP/2.0" or not _is_plain(uri) or not is_token(first):
        raise BadMessage("malformed request line")
    if parse_uri(uri).headers:
        raise BadMessage("headers are not allowed in the Request-URI")  # 19.1.1
    return partial(Request, first, uri)


def _is_plain(uri: str) -> bool:
    """7.1: single spaces around the Request-URI, no brackets."""
    return uri != "" and " " not in uri and "\t" not in uri and uri[0] != "<"


def _status(version: str, rest: str) -> tuple[int, str]:
    """7.2: status and reason phrase."""
    status, _, reason = rest.partition(" ")
    if version.upper() == "SIP/2.0" and len(status) == 3 and status.isascii() and status.isdecimal():
        if 100 <= int(status) <= 699:
            return int(status), reason
    raise BadMessage("malformed status line")


def _frame(fields: Fields, body: bytes, *, complete: bool) -> tuple[bytes, BadMessage | None]:
    """18.3: bytes beyond Content-Length are dropped, a body shorter than it says is an error."""
    if not complete:
        return body, BadMessage("no empty line ends the headers")
    if "Content-Length" not in fields:
        return body, None
    text = fields["Content-Length"][0]
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        return body, BadMessage("Content-Length is not a number")
    if int(text) > len(body):
        return body, BadMessage("the body is shorter than Content-Length")
    return body[: int(text)], None
