"""Tokens, quoting and lists, named as in RFC 3261 section 25."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sip_stack.errors import BadMessage

__all__ = ["Params", "comma_list", "is_token", "param", "parse_params", "quote", "unquote", "write_params"]

Params = tuple[tuple[str, str | None], ...]
"""Parameters in order, names in lower case, values unquoted; None for a name alone."""

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_PARAM = re.compile(
    r"\s*;\s*([A-Za-z0-9\-.!%*_+`'~\[\]/$&:]+)\s*"  # pname; the wider class is what phones put in URI parameters
    r"(?:=\s*(\"(?:[^\"\\]|\\.)*\"|[^;,\s\"?]*)\s*)?"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPLIT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|<[^>]*>|,")


def is_token(text: str) -> bool:
    """True for a `token`."""
    return _TOKEN.fullmatch(text) is not None


def quote(text: str) -> str:
    """A quoted-string: control characters become spaces, quotes and backslashes are escaped.

    This is where text typed on a web page meets a SIP header: nothing that ends the header passes.
    """
    return '"' + _CONTROL.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """The text of a quoted-string; other text as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def comma_list(value: str) -> Iterator[str]:
    """The elements of a comma-separated header, commas inside quotes and angle brackets respected."""
    if "," not in value:
        yield value.strip()
        return
    start = 0
    for match in _SPLIT.finditer(value):
        if match[0] == ",":
            yield value[start : match.start()].strip()
            start = match.end()
    yield value[start:].strip()


def parse_params(text: str) -> Params:
    """`;name=value` pairs.  Raises: BadMessage for anything left over."""
    if not text:
        return ()
    params = []
    at = 0
    while at < len(text):
        match = _PARAM.match(text, at)
        if match is None:
            if not text[at:].strip(" \t;"):  # a stray ; at the end, sent by several phones
                break
            raise BadMessage(f"parameters cannot be read: {text[at : at + 40]!r}")
        name, value = match.groups()
        params.append((name.lower(), unquote(value) if value is not None else None))
        at = match.end()
    return tuple(params)


def param(params: Params, name: str) -> str | None:
    """The value of one parameter; empty for a name alone, None where it is absent."""
    for key, value in params:
        if key == name:
            return value or ""
    return None


def write_params(params: Params) -> str:
    """`;name=value` text, quoting the values that are no tokens."""
    return "".join(f";{name}" if value is None else f";{name}={_value(value)}" for name, value in params)


def _value(value: str) -> str:
    return value if value and re.fullmatch(r"[A-Za-z0-9\-.!%*_+`'~\[\]:]+", value) else quote(value)
