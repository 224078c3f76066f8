"""Typed header values: frozen, read once, written by `str` (RFC 3261 section 20)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sip_stack.errors import BadMessage
from sip_stack.grammar import (
    LONGEST_KNOWN,
    Params,
    comma_list,
    is_token,
    param,
    parse_params,
    quote,
    remembered,
    unquote,
    write_params,
)
from sip_stack.hop import bare
from sip_stack.uri import Uri, parse_uri

__all__ = [
    "MAGIC_COOKIE",
    "CSeq",
    "NameAddr",
    "Via",
    "canonical",
    "is_branch",
    "is_plain_via",
    "parse_cseq",
    "parse_name_addr",
    "parse_name_addrs",
    "parse_via",
    "parse_vias",
    "read_branch",
    "read_line",
    "text_length",
    "top_via",
    "written",
]

_COMPACT = {
    "i": "Call-ID", "m": "Contact", "e": "Content-Encoding", "l": "Content-Length", "c": "Content-Type", "f": "From",
    "s": "Subject", "k": "Supported", "t": "To", "v": "Via", "u": "Allow-Events", "o": "Event", "r": "Refer-To",
    "b": "Referred-By", "x": "Session-Expires", "y": "Identity", "d": "Request-Disposition", "j": "Reject-Contact",
    "a": "Accept-Contact",
}  # fmt: skip
_KNOWN = (
    "Accept", "Accept-Encoding", "Alert-Info", "Allow", "Authorization", "Call-ID", "Contact", "Content-Disposition",
    "Content-Encoding", "Content-Length", "Content-Type", "CSeq", "Date", "Error-Info", "Event", "Expires",
    "From", "Identity", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization",
    "P-Asserted-Identity", "P-Preferred-Identity", "Path", "Privacy", "Proxy-Authenticate",
    "Proxy-Authorization", "Proxy-Require", "RAck", "Reason", "Record-Route", "Refer-Sub", "Refer-To",
    "Referred-By", "Remote-Party-ID", "Replaces", "Require", "Retry-After", "Route", "RSeq", "Server", "Service-Route",
    "Session-Expires", "Subject", "Subscription-State", "Supported", "Timestamp", "To", "Unsupported", "User-Agent",
    "Via", "Warning", "WWW-Authenticate",
)  # fmt: skip
_NAMES = (*_KNOWN, *_COMPACT.values())
_CANONICAL = {name.lower(): name for name in _NAMES} | _COMPACT
_EXACT = {name: name for name in _NAMES} | _CANONICAL


_known_name = _EXACT.get


def canonical(name: str) -> str:
    """The usual spelling of a header name, compact forms expanded; unknown names in lower case."""
    known = _known_name(name)
    if known is None:
        name = name.rstrip(" \t").lower()
        known = _CANONICAL.get(name, name)
    return known


@remembered
def read_line(line: str) -> tuple[str, tuple[str]]:
    """The canonical name of a header line, and its one raw value.  Raises: BadMessage."""
    written, colon, value = line.partition(": ")
    name = _known_name(written)
    if name is None or not colon or "\r" in line or "\n" in line:
        name, value = _rarer_line(line)
    return name, (value.strip(" \t"),)


def _rarer_line(line: str) -> tuple[str, str]:
    if "\r" in line or "\n" in line:
        raise BadMessage("CR and LF must come together")
    written, colon, value = line.partition(":")
    written = written.rstrip(" \t")
    if not colon or not is_token(written):
        raise BadMessage(f"not a header line: {line[:40]!r}")
    return canonical(written), value


class Via(NamedTuple):
    """One Via value: where a response goes (20.42)."""

    transport: str
    host: str
    port: int | None
    params: Params = ()
    branch: str = ""
    """That of `params`; empty where there is none (RFC 2543 peers)."""

    def seen_from(self, host: str, port: int) -> Via:
        """The same Via with `received` and `rport` filled by what the packet showed (18.2.1, RFC 3581 4)."""
        params = [(k, v) for k, v in self.params if k not in ("received", "rport")]
        asked = param(self.params, "rport") is not None
        if asked or bare(self.host) != host:
            params.append(("received", host))
        if asked:
            params.append(("rport", str(port)))
        return self._replace(params=tuple(params))

    def __str__(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        return f"SIP/2.0/{self.transport} {self.host}{port}{write_params(self.params)}"


_VIA = re.compile(
    r"[sS][iI][pP]\s*+/\s*+[0-9.]++\s*+/\s*+([A-Za-z0-9.!%*_+`'~-]++)\s++"
    r"(\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9._-]++)\s*+(?::\s*+([0-9]{1,5}+))?\s*+((?:;.*)?)",
    re.DOTALL,
)


MAGIC_COOKIE = "z9hG4bK"
is_branch = re.compile(rf"{MAGIC_COOKIE}[A-Za-z0-9\-.!%*_+`'~]+").fullmatch
_PLAIN_VIA = re.compile(r"Via: [^\"<>,\x00-\x1f\x7f]*+")


@remembered
def is_plain_via(line: str) -> bool:
    """True for the line of one Via that, but for a branch cut out of it, has nothing quoted and is not too long."""
    return len(line) <= LONGEST_KNOWN and _PLAIN_VIA.fullmatch(line) is not None


def top_via(text: str) -> Via:
    """The first of the Via values of one line.  Raises: BadMessage."""
    before, _, after = text.partition(";branch=")
    branch, more, rest = after.partition(";")
    if is_token(branch):
        try:
            transport, host, port, params, _ = parse_via(before)  # all but the branch comes again with each message
            behind = parse_params(f";{rest}") if more else ()
            return Via(transport, host, port, (*params, ("branch", branch), *behind), branch)
        except BadMessage:  # a quoted text was cut in two, or there are several values
            pass
    return parse_via(comma_list(text)[0])


def read_branch(text: str) -> str:
    """The branch of the first Via of a line where it is unique, as 8.1.1.7 asks; else empty.  Raises: BadMessage."""
    branch = top_via(text).branch
    return branch if branch[:7] == MAGIC_COOKIE != branch else ""


@remembered
def parse_via(text: str) -> Via:
    """Read one Via value, of any version, so that what comes in one we do not speak can be answered.

    Raises: BadMessage.
    """
    match = _VIA.fullmatch(text)
    if match is None:
        raise BadMessage(f"Via cannot be read: {text[:60]!r}")
    transport, host, port, params = match.groups()
    if port and not 0 < int(port) < 65536:
        raise BadMessage(f"port out of range in Via: {text[:60]!r}")
    read = parse_params(params)
    return Via(transport.upper(), host, int(port) if port else None, read, param(read, "branch") or "")


def parse_vias(values: Sequence[str]) -> tuple[Via, ...]:
    """Every Via of a message, topmost first.  Raises: BadMessage."""
    return tuple(top_via(element) for value in values for element in comma_list(value))


class NameAddr(NamedTuple):
    """A `name-addr` with its header parameters: From, To, Contact, Route, P-Asserted-Identity..."""

    display: str
    uri: Uri
    params: Params = ()
    """All but the tag."""
    tag: str = ""

    def with_tag(self, tag: str) -> NameAddr:
        """The same address in a dialog."""
        return NameAddr(self.display, self.uri, self.params, tag)

    def __str__(self) -> str:
        display, uri, params, tag = self
        text = f"{quote(display)} <{uri}>" if display else f"<{uri}>"
        if tag:
            params = (*params, ("tag", tag))
        return text + write_params(params) if params else text


_DISPLAY = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\s\x80-\U0010ffff]*+")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*+\"\s*+", re.DOTALL)
_ADDR_SPEC = re.compile(r"\s*+([^;<>\"\s,?]++)\s*+((?:;.*)?)", re.DOTALL)


_COMMON = re.compile(
    r"(?:\"([^\"\\]*+)\"[ \t]*+|([A-Za-z0-9\-.!%*_+`'~ ]*+))"
    r"<(sips?):(?:([^@\s<>\"\x00-\x1f\x7f]*+)@)?([a-z0-9._-]++)(?::([1-5][0-9]{4}|[1-9][0-9]{0,3}))?"
    r"(;[^?\s<>\"\x00-\x1f\x7f]*+)?>"
)


@remembered
def parse_name_addr(text: str) -> NameAddr:
    """Read one name-addr or addr-spec; parameters outside brackets are the header's (20.10).  Raises: BadMessage."""
    before, _, tag = text.rpartition(";tag=")
    if before[-1:] != ">" or not is_token(tag):
        return _read_name_addr(text)
    display, uri, params, _ = _read_name_addr(before)  # the tag is another in each call, the rest comes again
    return NameAddr(display, uri, params, tag)


@remembered
def _read_name_addr(text: str) -> NameAddr:
    match = _COMMON.fullmatch(text)  # nearly all there are: one look instead of five
    if match is None:
        return _rarer_name_addr(text)
    quoted, words, scheme, userinfo, host, port, params = match.groups()
    uri = Uri(scheme, userinfo or "", host, int(port) if port else None, parse_params(params) if params else ())
    return NameAddr(words.strip() if quoted is None else quoted, uri)


def _rarer_name_addr(text: str) -> NameAddr:
    display, bracket, rest = _split_display(text)
    if not bracket:
        match = _ADDR_SPEC.fullmatch(text)
        if match is None:
            raise BadMessage(f"address cannot be read: {text[:60]!r}")
        return _tagged("", _address(match[1]), parse_params(match[2]))
    uri, closed, params = rest.partition(">")
    params = params.lstrip()
    if not closed or not uri or (params and params[0] != ";"):
        raise BadMessage(f"address cannot be read: {text[:60]!r}")
    if uri[-1] in " \t" or uri[0] in " \t":
        raise BadMessage(f"spaces around an address: {text[:60]!r}")
    return _tagged(unquote(display.strip()) if display else "", _address(uri), parse_params(params))


def _tagged(display: str, uri: Uri, params: Params) -> NameAddr:
    others = tuple(each for each in params if each[0] != "tag")
    return NameAddr(display, uri, others, param(params, "tag") or "")


def _split_display(text: str) -> tuple[str, str, str]:
    """What stands before the bracket that opens an address, the bracket, the rest; no bracket in an addr-spec."""
    if text[:1] == "<":
        return "", "<", text[1:]
    text = text.lstrip()
    match = _DISPLAY.match(text) if text[:1] != '"' else _QUOTED.match(text)
    if match is None or text[match.end() : match.end() + 1] != "<":
        return "", "", text
    return match[0], "<", text[match.end() + 1 :]


def parse_name_addrs(values: Sequence[str]) -> tuple[NameAddr, ...]:
    """Every address of a header that may repeat.  Raises: BadMessage."""
    if len(values) == 1:
        return _read_name_addrs(values[0])
    return tuple([address for value in values for address in _read_name_addrs(value)])


@remembered
def _read_name_addrs(text: str) -> tuple[NameAddr, ...]:
    return tuple([parse_name_addr(element) for element in comma_list(text) if element])


_OTHER_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")


def _address(text: str) -> Uri:
    """An address outside the Request-URI may have any scheme (RFC 4475 3.3.4): it is carried, not dialled."""
    try:
        return parse_uri(text)
    except BadMessage as error:
        if error.status != 416 or not _OTHER_SCHEME.fullmatch(text):
            raise
        scheme, _, rest = text.partition(":")
        return Uri(scheme.lower(), rest, "")


def text_length(address: NameAddr | Uri) -> int:
    """How long an address is as it is written."""
    return len(str(address))


written: Callable[[NameAddr | Uri], str] = remembered(str, text_length)
"""`str` of an address that comes again and again: the same phones, numbers and callers."""


class CSeq(NamedTuple):
    """Sequence number and method (20.16)."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


_CSEQ = re.compile(r"0*([0-9]{1,10})\s++([A-Za-z0-9\-.!%*_+`'~]++)\s*+")


@remembered
def parse_cseq(text: str) -> CSeq:
    """Read CSeq.  Raises: BadMessage; 8.1.1.5: the number MUST be below 2**31."""
    match = _CSEQ.fullmatch(text)
    if match is None or int(match[1]) >= 2**31:
        raise BadMessage(f"CSeq cannot be read: {text[:40]!r}")
    return CSeq(int(match[1]), match[2])
