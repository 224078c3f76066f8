"""Requests and responses: bytes in, headers read when somebody asks, bytes out (RFC 3261 section 7)."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable

from sip_stack.errors import BadMessage
from sip_stack.grammar import comma_list, is_token, remembered
from sip_stack.headers import (
    CSeq,
    NameAddr,
    Via,
    canonical,
    known_name,
    parse_cseq,
    parse_name_addr,
    parse_name_addrs,
    parse_via,
    parse_vias,
)
from sip_stack.uri import Uri, parse_uri

__all__ = ["REASONS", "Fields", "Message", "Request", "Response", "parse", "reply"]

Fields = dict[str, list[str]]
"""Raw header values by canonical name, in the order of arrival."""

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
_DATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")


class Message:
    """What requests and responses share.  Typed values are read when somebody asks, and once."""

    __slots__ = ("_cseq", "_from", "_to", "_via", "body", "call_id", "defect", "fields", "raw")

    _cseq: CSeq | None
    _from: NameAddr | None
    _to: NameAddr | None
    _via: Via | None
    fields: Fields
    body: bytes
    call_id: str
    """Call-ID; empty where it is missing."""
    raw: bytes
    """The bytes it came as; empty for one of our own."""
    defect: BadMessage | None
    """What is wrong with the start line or the framing, found while parsing; `check` raises it."""

    def get(self, name: str) -> str | None:
        """The first raw value of a header (canonical name), None where it is absent."""
        values = self.fields.get(name)
        return values[0] if values else None

    def tokens(self, name: str) -> list[str]:
        """The elements of a comma-separated header of tokens (Require, Supported, Allow...)."""
        return [t for value in self.fields.get(name, ()) for t in comma_list(value) if t]

    def addresses(self, name: str) -> tuple[NameAddr, ...]:
        """The addresses of a header (Contact, Route, P-Asserted-Identity...).  Raises: BadMessage."""
        values = self.fields.get(name)
        return parse_name_addrs(values) if values else ()

    def _one(self, name: str) -> str:
        values = self.fields.get(name)
        if not values:
            raise BadMessage(f"{name} is missing")
        return values[0]

    @property
    def via(self) -> Via:
        """The topmost Via.  Raises: BadMessage where it is missing, as do the next three."""
        if (read := self._via) is None:
            self._via = read = parse_via(comma_list(self._one("Via"))[0])
        return read

    @property
    def from_(self) -> NameAddr:
        """From."""
        if (read := self._from) is None:
            self._from = read = parse_name_addr(self._one("From"))
        return read

    @property
    def to(self) -> NameAddr:
        """To."""
        if (read := self._to) is None:
            self._to = read = parse_name_addr(self._one("To"))
        return read

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        if (read := self._cseq) is None:
            self._cseq = read = parse_cseq(self._one("CSeq"))
        return read

    @abstractmethod
    def check(self) -> None:
        """Refuse what sections 8.1.1, 18.3 and 20 forbid.  Raises: BadMessage with the status to answer."""


class Request(Message):
    """One request; `uri_text` is the Request-URI as written."""

    __slots__ = ("method", "uri_text")

    def __init__(self, method: str, uri: Uri | str, fields: Fields, body: bytes = b"") -> None:
        self.method = method
        self.uri_text = uri if isinstance(uri, str) else str(uri)
        self.fields = fields
        self.body = body
        self.call_id = fields["Call-ID"][0] if "Call-ID" in fields else ""
        self.defect = None
        self.raw = b""
        self._cseq = self._from = self._to = self._via = None

    @property
    def uri(self) -> Uri:
        """The Request-URI.  Raises: BadMessage, 416 for a foreign scheme."""
        return parse_uri(self.uri_text)

    @property
    def max_forwards(self) -> int:
        """Max-Forwards; 70 where an old client left it out.  Raises: BadMessage for what is no number."""
        text = self.get("Max-Forwards")
        if text is None or text == "70":
            return 70
        if not (text.isascii() and text.isdecimal()) or len(text) > 9:
            raise BadMessage("Max-Forwards is not a number of 0 to 255")
        return int(text)

    def check(self) -> None:
        """As for any message: all that a request can get wrong without knowing what it is for."""
        if self.defect is not None:
            raise self.defect
        fields = self.fields
        _ = self._one("Call-ID"), self.via, self.from_, self.to
        if self.cseq.method != self.method:
            raise BadMessage("CSeq method differs from the request line")  # 8.1.1.5
        if self.uri.headers:
            raise BadMessage("headers are not allowed in the Request-URI")  # 19.1.1
        if self.max_forwards > 255:
            raise BadMessage("Max-Forwards is not a number of 0 to 255")  # 20.22
        vias = fields["Via"]
        if len(vias) > 1 or "," in vias[0]:
            parse_vias(vias)
        contacts = fields.get("Contact")
        if contacts and contacts[0] != "*":
            parse_name_addrs(contacts)
        for name in ("Route", "Record-Route"):
            if name in fields:
                self.addresses(name)
        if "Date" in fields and not _DATE.fullmatch(fields["Date"][0]):
            raise BadMessage("Date is not of the one form there is")  # 20.17: always GMT

    def encode(self) -> bytes:
        """The bytes on the wire."""
        fields, body = self.fields, self.body
        fields.pop("Content-Length", None)  # always ours: what we write is what we frame (18.3)
        lines = "".join([f"\r\n{name}: {value}" for name, values in fields.items() for value in values])
        head = f"{self.method} {self.uri_text} SIP/2.0{lines}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode("utf-8", "surrogateescape") + body


class Response(Message):
    """One response of a far end."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        self.fields = {}
        self.body = b""
        self.call_id = ""
        self.defect = None
        self._cseq = self._from = self._to = self._via = None

    def check(self) -> None:
        """What matching needs, and To where a dialog or an ACK may come of it; From is our own text, come back."""
        if self.defect is not None:
            raise self.defect
        if "Call-ID" not in self.fields or "Via" not in self.fields:
            raise BadMessage("Call-ID or Via is missing")
        if self.cseq.method == "INVITE":
            _ = self.to


_ECHOED = ("Via", "From", "Call-ID", "CSeq", "To")  # To is the last: the tag is put behind it


def reply(
    request: Request,
    status: int,
    reason: str = "",
    *,
    tag: str = "",
    extra: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> bytes:
    """A response to `request` with its Via, From, Call-ID, CSeq and To (8.2.6.2), as the bytes on the wire."""
    fields = request.fields
    lines = [f"SIP/2.0 {status} {reason or REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name in _ECHOED if name in fields for value in fields[name]]
    if tag and "To" in fields and not _has_tag(request):
        lines[-1] += f";tag={tag}"
    if "Record-Route" in fields and 100 < status < 300:  # 12.1.1
        lines += [f"Record-Route: {value}" for value in fields["Record-Route"]]
    if "Timestamp" in fields and status == 100:  # 8.2.6.1
        lines.append(f"Timestamp: {fields['Timestamp'][0]}")
    lines += [f"{name}: {value}" for name, value in extra]
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body


def _has_tag(request: Request) -> bool:
    try:
        return request.to.tag != ""
    except BadMessage:
        return True  # a To that cannot be read goes back as it came


def parse(data: bytes) -> Request | Response | None:
    """Read one datagram; None for a keep-alive or bytes that are no SIP at all.

    A message that is SIP but broken comes back with `defect` set, so that it can still be answered.
    """
    if data[:2] == b"\r\n":
        data = data.lstrip(b"\r\n")  # 7.5: a CRLF before the start line is ignored
    head, gap, body = data.partition(b"\r\n\r\n")
    text = head.decode("utf-8", "surrogateescape")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    start, *lines = text.split("\r\n")
    message = _response(start) if start[:4].upper() == "SIP/" else _request(start)
    if message is None:
        return None
    fields = message.fields
    defect = _read_fields(lines, fields)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        defect = BadMessage("CR and LF must come together")
    message.raw, message.body = data, body
    if "Call-ID" in fields:
        message.call_id = fields["Call-ID"][0]
    message.defect = message.defect or defect or _frame(message, complete=gap != b"")
    return message if message.defect is None or "Via" in fields else None


def _read_fields(lines: list[str], fields: Fields) -> BadMessage | None:
    """Fill `fields`; what is found wrong is given back, the rest is read all the same."""
    defect = None
    for line in lines:
        name, colon, value = line.partition(":")
        key = known_name(name)
        if key is None:
            key = canonical(name)
            if not colon or not is_token(name.rstrip(" \t")):
                if line:
                    defect = BadMessage(f"not a header line: {line[:40]!r}")
                continue
        if key not in fields:
            fields[key] = [value.strip(" \t")]
        else:
            fields[key].append(value.strip(" \t"))
            if key in _SINGLE:
                defect = BadMessage(f"{key} must appear once")
    return defect


def _request(line: str) -> Request:
    """7.1: method, URI and version between single spaces, no brackets, nothing behind."""
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    request = Request(method, uri, {})
    spoken = version.upper() == "SIP/2.0"  # 7.1: the version is case-insensitive
    if spoken and uri and " " not in uri and "\t" not in uri and uri[0] != "<" and is_token(method):
        return request
    if not spoken and version[:4].upper() == "SIP/":
        request.defect = BadMessage(f"SIP version {version[:20]} is not supported", status=505)
    else:
        request.defect = BadMessage("malformed request line")
    return request


def _response(line: str) -> Response | None:
    read = _status_line(line)
    return None if read is None else Response(*read)


@remembered
def _status_line(line: str) -> tuple[int, str] | None:
    """7.2; None for what is none."""
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(status) != 3 or not (status.isascii() and status.isdecimal()):
        return None
    return (int(status), reason) if 100 <= int(status) <= 699 else None


def _frame(message: Message, *, complete: bool) -> BadMessage | None:
    """18.3: bytes beyond Content-Length are dropped, a body shorter than it says is an error."""
    if not complete:
        return BadMessage("no empty line ends the headers")
    if "Content-Length" not in message.fields:
        return None
    text = message.fields["Content-Length"][0]
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        return BadMessage("Content-Length is not a number")
    length, there = int(text), len(message.body)
    if length > there:
        return BadMessage("the body is shorter than Content-Length")
    if length < there:
        message.body = message.body[:length]
    return None
