"""SIP, SIPS and tel URIs (RFC 3261 19.1, RFC 3966)."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote as percent_encode
from urllib.parse import unquote as percent_decode

from sip_stack.errors import BadMessage
from sip_stack.grammar import Params, param, parse_params, remembered, write_params

__all__ = ["Uri", "parse_uri", "sip_uri"]

_SIP = re.compile(
    r"([sS][iI][pP][sS]?):"
    r"(?:([^@\s<>\"\x00-\x1f\x7f]*+)@)?"
    r"(\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9._-]++)"
    r"(?::([0-9]{1,5}+))?"
    r"(;[^?\s<>\"\x00-\x1f\x7f]*+)?"
    r"(?:\?([^\s<>\"\x00-\x1f\x7f]*+))?"
)
_TEL = re.compile(r"\+?[0-9A-Fa-f*#().-]+")
_GLOBAL_CONTEXT = re.compile(r"\+[0-9().-]*[0-9][0-9().-]*")
_LOCAL_DIGITS = re.compile(r"[0-9().-]+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_USER_SAFE = "-_.!~*'()&=+$,;?/"


class Uri(NamedTuple):
    """One URI; `userinfo` is kept as it was written, so that what we send back compares equal (19.1.4)."""

    scheme: str
    userinfo: str
    host: str
    port: int | None = None
    params: Params = ()
    headers: str = ""

    @property
    def user(self) -> str:
        """The user part, percent-decoded, without password and user parameters."""
        user = self.userinfo
        return user if user.isalnum() else _user(user)  # most are digits or a name: nothing to look for

    @property
    def number(self) -> str:
        """The user part as a telephone number, of a tel URI or one with `user=phone` (RFC 3966 5.1.5).

        A local number with a global context is read as the digits of both; whether they are a number (`+1` and `911`
        are none) its reader must see. In the context of a domain, or none, it is as it is.
        """
        user = self.userinfo
        if self.host and ";" not in user:
            return user if user.isalnum() else _user(user)
        local = self.user
        context = _GLOBAL_CONTEXT.fullmatch(self._context())
        if context is None or not _LOCAL_DIGITS.fullmatch(local):
            return local
        return "+" + "".join(each for each in context[0] + local if each.isdigit())

    def _context(self) -> str:
        """The phone-context; empty where there is none."""
        params = self.params
        if self.host:
            if (param(params, "user") or "").lower() != "phone":
                return ""
            try:
                params = parse_params(self.userinfo[self.userinfo.index(";") :])
            except BadMessage:  # a user part that is no telephone-subscriber
                return ""
        return percent_decode(param(params, "phone-context") or "")

    @property
    def transport(self) -> str:
        """`UDP`, `TCP`... from the transport parameter, in capitals; empty where none is named."""
        return (param(self.params, "transport") or "").upper()

    def __str__(self) -> str:
        scheme, userinfo, host, port, params, headers = self
        at = "@" if userinfo and host else ""  # no host: tel, and what is carried only
        text = f"{scheme}:{userinfo}{at}{host}"
        if port is not None:
            text += f":{port}"
        if params:
            text += write_params(params)
        return f"{text}?{headers}" if headers else text


def _user(userinfo: str) -> str:
    user = userinfo.partition(":")[0].partition(";")[0]
    return percent_decode(user) if "%" in user else user


def sip_uri(user: str, host: str, port: int | None = None, params: Params = ()) -> Uri:
    """A SIP URI from plain text: the user part is percent-encoded as 25.1 asks, an IPv6 address put in brackets."""
    if ":" in host and host[0] != "[":
        host = f"[{host}]"
    return Uri("sip", _escaped(user), host, port, params)


@remembered
def _escaped(user: str) -> str:
    return percent_encode(user, _USER_SAFE, errors="surrogateescape")


@remembered
def parse_uri(text: str) -> Uri:
    """Read one URI.  Raises: BadMessage, 416 for a scheme that is none of ours."""
    match = _SIP.fullmatch(text)
    if match is not None:
        scheme, userinfo, host, port, params, headers = match.groups()
        if port and not 0 < int(port) < 65536:
            raise BadMessage(f"port out of range in {text[:60]!r}")
        return Uri(
            scheme.lower(),
            userinfo or "",
            host.lower(),
            int(port) if port else None,
            parse_params(params) if params else (),
            headers or "",
        )
    scheme_match = _SCHEME.match(text)
    if scheme_match is None:
        raise BadMessage(f"not a URI: {text[:60]!r}")
    scheme = scheme_match[1].lower()
    if scheme in ("sip", "sips"):
        raise BadMessage(f"malformed SIP URI: {text[:60]!r}")
    if scheme == "tel":
        number, semicolon, rest = text[4:].partition(";")
        if not _TEL.fullmatch(number):
            raise BadMessage(f"malformed tel URI: {text[:60]!r}")
        return Uri("tel", number, "", None, parse_params(semicolon + rest))
    raise BadMessage(f"URI scheme {scheme} is not supported", status=416)
