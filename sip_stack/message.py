"""Requests and responses: bytes in, headers read when somebody asks, bytes out (RFC 3261 section 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

from sip_stack.errors import BadMessage
from sip_stack.grammar import comma_list, is_token
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
from sip_stack.uri import Uri, parse_uri

__all__ = ["REASONS", "Fields", "Message", "Request", "Response", "parse"]

Fields = dict[str, list[str]]
"""Raw header values by canonical name, in the order of arrival."""

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
    202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 400: "Bad Request",
    401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type",
    416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required", 422: "Session Interval Too Small",
    423: "Interval Too Brief", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending",
    493: "Undecipherable", 500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway",
    503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip

_FOLD = re.compile(r"\r\n[ \t]+")
_ONCE = ("From", "To", "Call-ID", "CSeq")
_AT_MOST_ONCE = ("Max-Forwards", "Content-Length", "Content-Type", "Expires")

M = TypeVar("M", bound="Message")


class Message:
    """What requests and responses share."""

    __slots__ = ("_cseq", "_from", "_to", "_via", "body", "defect", "fields")

    def __init__(self, fields: Fields, body: bytes = b"") -> None:
        self.fields = fields
        self.body = body
        self.defect: BadMessage | None = None
        """What is wrong with the start line or the framing, found while parsing; `check` raises it."""
        self._via: Via | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._cseq: CSeq | None = None

    def get(self, name: str) -> str | None:
        """The first raw value of a header (canonical name), None where it is absent."""
        values = self.fields.get(name)
        return values[0] if values else None

    def tokens(self, name: str) -> list[str]:
        """The elements of a comma-separated header of tokens (Require, Supported, Allow...)."""
        return [t for value in self.fields.get(name, ()) for t in comma_list(value) if t]

    def addresses(self, name: str) -> tuple[NameAddr, ...]:
        """The addresses of a header (Contact, Route, P-Asserted-Identity...).  Raises: BadMessage."""
        return parse_name_addrs(self.fields.get(name, []))

    def _one(self, name: str) -> str:
        values = self.fields.get(name)
        if not values:
            raise BadMessage(f"{name} is missing")
        return values[0]

    @property
    def call_id(self) -> str:
        """Call-ID.  Raises: BadMessage where it is missing, as do the next four."""
        return self._one("Call-ID")

    @property
    def via(self) -> Via:
        """The topmost Via."""
        if self._via is None:
            self._via = parse_via(next(comma_list(self._one("Via"))))
        return self._via

    @property
    def from_(self) -> NameAddr:
        """From."""
        if self._from is None:
            self._from = parse_name_addr(self._one("From"))
        return self._from

    @property
    def to(self) -> NameAddr:
        """To."""
        if self._to is None:
            self._to = parse_name_addr(self._one("To"))
        return self._to

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        if self._cseq is None:
            self._cseq = parse_cseq(self._one("CSeq"))
        return self._cseq

    def check(self) -> None:
        """Refuse what sections 8.1.1, 18.3 and 20 forbid.  Raises: BadMessage with the status to answer."""
        if self.defect is not None:
            raise self.defect
        fields = self.fields
        for name in _ONCE:
            if len(fields.get(name, ())) != 1:
                raise BadMessage(f"{name} must appear once")
        for name in _AT_MOST_ONCE:
            if len(fields.get(name, ())) > 1:
                raise BadMessage(f"{name} appears twice")
        parse_vias(fields.get("Via", []))
        _ = self.via, self.from_, self.to, self.cseq

    def _head(self, start: str) -> list[str]:
        lines = [start]
        for name, values in self.fields.items():
            for value in values:
                lines.append(f"{name}: {value}")
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return lines

    def _encode(self, start: str) -> bytes:
        self.fields.pop("Content-Length", None)  # always ours: what we write is what we frame (18.3)
        return "\r\n".join(self._head(start)).encode("utf-8", "surrogateescape") + self.body


class Request(Message):
    """One request; `uri_text` is the Request-URI as written."""

    __slots__ = ("_uri", "method", "uri_text")

    def __init__(self, method: str, uri: Uri | str, fields: Fields, body: bytes = b"") -> None:
        super().__init__(fields, body)
        self.method = method
        self.uri_text = str(uri)
        self._uri = uri if isinstance(uri, Uri) else None

    @property
    def uri(self) -> Uri:
        """The Request-URI.  Raises: BadMessage, 416 for a foreign scheme."""
        if self._uri is None:
            self._uri = parse_uri(self.uri_text)
        return self._uri

    @property
    def max_forwards(self) -> int:
        """Max-Forwards; 70 where an old client left it out.  Raises: BadMessage outside 0..255 (20.22)."""
        text = self.get("Max-Forwards")
        if text is None:
            return 70
        text = text.strip()
        if not (text.isascii() and text.isdigit()) or int(text) > 255:
            raise BadMessage("Max-Forwards is not a number of 0 to 255")
        return int(text)

    def check(self) -> None:
        """As for any message, and the start line agrees with CSeq (8.1.1.5)."""
        super().check()
        if self.cseq.method != self.method:
            raise BadMessage("CSeq method differs from the request line")
        if self.uri.headers:
            raise BadMessage("headers are not allowed in the Request-URI")  # 19.1.1
        _ = self.max_forwards
        for name in ("Contact", "Route", "Record-Route"):
            for value in self.fields.get(name, ()):
                if value.strip() != "*":
                    parse_name_addrs([value])

    def encode(self) -> bytes:
        """The bytes on the wire."""
        return self._encode(f"{self.method} {self.uri_text} SIP/2.0")


class Response(Message):
    """One response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, fields: Fields, body: bytes = b"") -> None:
        super().__init__(fields, body)
        self.status = status
        self.reason = reason

    @classmethod
    def to_request(
        cls,
        request: Request,
        status: int,
        reason: str = "",
        *,
        tag: str = "",
        extra: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Response:
        """A response to `request` with its Via, From, To, Call-ID and CSeq (8.2.6.2)."""
        source = request.fields
        fields: Fields = {name: source[name] for name in ("Via", "From", "To", "Call-ID", "CSeq") if name in source}
        if 100 < status < 300 and "Record-Route" in source:
            fields["Record-Route"] = source["Record-Route"]  # 12.1.1
        if tag and fields.get("To") and ";tag=" not in fields["To"][0].lower().rpartition(">")[2]:
            fields["To"] = [f"{fields['To'][0]};tag={tag}"]
        for name, value in extra:
            fields.setdefault(name, []).append(value)
        return cls(status, reason or REASONS.get(status, "Unknown"), fields, body)

    def encode(self) -> bytes:
        """The bytes on the wire."""
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")


def parse(data: bytes) -> Message | None:
    """Read one datagram; None for a keep-alive or bytes that are no SIP at all.

    A message that is SIP but broken comes back with `defect` set, so that it can still be answered.
    """
    head, gap, body = data.partition(b"\r\n\r\n")
    text = head.decode("utf-8", "surrogateescape")
    if not gap:
        text = text.rstrip("\r\n")
    if text[:2] == "\r\n":
        text = text.lstrip("\r\n")  # 7.5: a CRLF before the start line is ignored
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    start, *lines = text.split("\r\n")
    message = _start_line(start)
    if message is None:
        return None
    fields = message.fields
    for line in lines:
        name, colon, value = line.partition(":")
        key = canonical(name)
        if not colon or not name or name[0] in " \t" or not is_token(name.rstrip(" \t")):
            message.defect = message.defect or BadMessage(f"not a header line: {line[:40]!r}")
            continue
        values = fields.get(key)
        if values is None:
            fields[key] = [value.strip(" \t")]
        else:
            values.append(value.strip(" \t"))
    message.body = body
    if not gap:
        message.defect = message.defect or BadMessage("no empty line ends the headers")
    else:
        _frame(message)
    return message


def _start_line(line: str) -> Message | None:
    if line.startswith("SIP/"):
        return _status_line(line)
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if not is_token(method) or not version.upper().startswith("SIP/"):
        return None
    request = Request(method, uri, {})
    if version.upper() != "SIP/2.0":
        request.defect = BadMessage(f"SIP version {version[:20]} is not supported", status=505)
    elif not uri or " " in uri or "\t" in uri or uri[0] == "<":
        request.defect = BadMessage("malformed request line")  # 7.1: single spaces, no brackets
    return request


def _status_line(line: str) -> Response | None:
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(status) != 3 or not (status.isascii() and status.isdigit()):
        return None
    return Response(int(status), reason, {}) if 100 <= int(status) <= 699 else None


def _frame(message: Message) -> None:
    """18.3: bytes beyond Content-Length are dropped, a body shorter than it says is an error."""
    length = message.get("Content-Length")
    if length is None:
        return
    if not (length.isascii() and length.isdigit()) or len(length) > 9:
        message.defect = message.defect or BadMessage("Content-Length is not a number")
    elif int(length) > len(message.body):
        message.defect = message.defect or BadMessage("the body is shorter than Content-Length")
    else:
        message.body = message.body[: int(length)]
