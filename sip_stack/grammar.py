"""Tokens, quoting and lists, named as in RFC 3261 section 25.

Every pattern here runs in linear time: what may repeat is possessive (`*+`), so nothing is tried twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sized
from typing import TypeVar

from sip_stack.errors import BadMessage

__all__ = [
    "LONGEST_KNOWN", "Params", "comma_list", "is_token", "number", "param", "parse_params", "quote",
    "remembered", "unquote", "write_params",
]  # fmt: skip

K = TypeVar("K", bound=Sized)
T = TypeVar("T")
Params = tuple[tuple[str, str | None], ...]
"""Parameters in order, names in lower case, values unquoted; None for a name alone."""

_NAME = r"[A-Za-z0-9\-.!%*_+`'~\[\]/$&:]++"  # wider than a token: what phones put in URI parameters
_token = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+").fullmatch
_PLAIN_PARAMS = re.compile(rf"(?:;{_NAME}(?:=[^;,=\s\"?<>]*+)?)++")
_PARAM = re.compile(rf"\s*+;\s*+({_NAME})\s*+(?:=\s*+(\"(?:[^\"\\]|\\.)*+\"|[^;,\s\"?]*+)\s*+)?", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SPLIT = re.compile(r"\"(?:[^\"\\]|\\.?)*+(?:\"|\Z)|<[^>]*+(?:>|\Z)|,", re.DOTALL)
_is_plain = re.compile(r"[A-Za-z0-9\-.!%*_+`'~\[\]:]+").fullmatch
_MOST_KNOWN, LONGEST_KNOWN = 1024, 160


class _Memory(dict[K, T]):
    """What was read of texts; what is there is found without a step of Python.

    Two generations: what comes again moves over to the new one, what came once is gone with the old.
    """

    __slots__ = ("_length", "_older", "_read")

    def __init__(self, read: Callable[[K], T], length: Callable[[K], int]) -> None:
        self._read = read
        self._length = length
        self._older: dict[K, T] = {}

    def __missing__(self, text: K) -> T:
        older = self._older
        if text in older:
            value = older.pop(text)
        else:
            read, length = self._read, self._length
            value = read(text)
            if length(text) > LONGEST_KNOWN:
                return value
        if len(self) >= _MOST_KNOWN:
            self._older = dict(self)
            self.clear()
        self[text] = value
        return value


def remembered(read: Callable[[K], T], length: Callable[[K], int] = len) -> Callable[[K], T]:
    """`read` for texts that come again and again: the addresses, routes and numbers of one far end are always the same.

    What it gives must be frozen. `length` is that of the text in what is no text itself: what is long is not kept.
    """
    return _Memory(read, length).__getitem__


def is_token(text: str) -> bool:
    """True for a `token`."""
    return (text.isalnum() and text.isascii()) or _token(text) is not None  # most have no marks


@remembered
def quote(text: str) -> str:
    """A quoted-string: control characters become spaces, quotes and backslashes are escaped.

    This is where text typed on a web page meets a SIP header: nothing that ends the header passes.
    """
    return '"' + _CONTROL.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """The text of a quoted-string; other text as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _ESCAPED.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]
    return text


def number(text: str, most: int) -> int | None:
    """A decimal number, `most` where it is larger however long it is written; None for anything else."""
    if not (text.isascii() and text.isdecimal()):
        return None
    digits = text.lstrip("0")
    return most if len(digits) > 10 else min(int(digits or "0"), most)


def comma_list(value: str) -> list[str]:
    """The elements of a comma-separated header, commas inside quotes and angle brackets respected."""
    if "," not in value:
        return [value.strip()]
    elements = []
    start = 0
    for match in _SPLIT.finditer(value):
        if match[0] == ",":
            elements.append(value[start : match.start()].strip())
            start = match.end()
    elements.append(value[start:].strip())
    return elements


@remembered
def parse_params(text: str) -> Params:
    """`;name=value` pairs.  Raises: BadMessage for anything left over."""
    if not text:
        return ()
    if _PLAIN_PARAMS.fullmatch(text) is None:
        return _spaced_params(text)
    params: list[tuple[str, str | None]] = []
    for pair in text[1:].split(";"):
        name, equals, value = pair.partition("=")
        params.append((name.lower(), value if equals else None))
    return tuple(params)


def _spaced_params(text: str) -> Params:
    """The rarer forms: white space, quoted values."""
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
    text = ""
    for name, value in params:
        if value is None:
            text += f";{name}"
        else:
            text += f";{name}={value if _is_plain(value) else quote(value)}"
    return text
