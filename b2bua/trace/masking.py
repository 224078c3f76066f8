"""What of a SIP message may be seen in traces: no proof of a password, no key of a media stream, no digit pressed.

Pure. What is hidden becomes as many `x`: lengths stay true, so that a trace still reads as SIP.
"""

from __future__ import annotations

import re

__all__ = ["masked"]

_VALUE = rb"[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*"
"""The rest of a header, with the lines it is continued on (RFC 3261 7.3.1)."""
_HEADER = re.compile(
    rb"^((?:proxy-)?(?:authorization|authentication-info))([ \t]*:)(" + _VALUE + rb")", re.IGNORECASE | re.MULTILINE
)
_DIGEST = re.compile(rb"\s*digest\s", re.IGNORECASE)
_RESPONSE = re.compile(rb'(\b(?:response|rspauth)\s*=\s*)("[^"\r\n]*"?|[^",\s]+)', re.IGNORECASE)
_SCHEME = re.compile(rb"(\s*(?:[\w-]+\s+)?)(.*)", re.DOTALL)
_USERINFO = re.compile(rb"(\bsips?:[^\s@:;<>\"]{1,128}+:)([^\s@<>\"]{1,128}+)(?=@)", re.IGNORECASE)
"""The password of a SIP URI (RFC 3261 19.1.1)."""
_KEYS = re.compile(rb"(\binline:|^k=\w+:|^a=key-mgmt:\S+ )([^\r\n|;\s]+)", re.IGNORECASE | re.MULTILINE)
"""The keys of a session description (RFC 4568 6.1, RFC 8866 5.12, RFC 4567 3.1)."""
_GAP = re.compile(rb"\r?\n\r?\n")


def masked(message: bytes) -> bytes:
    """The message, as long as it was, without what must not leave."""
    start = len(message) - len(message.lstrip(b"\r\n"))  # RFC 3261 7.5: what may come before it
    gap = _GAP.search(message, start)
    head, rest = (message[: gap.end()], message[gap.end() :]) if gap else (message, b"")
    if b"uth" in head or b"UTH" in head:  # Authorization and its like
        head = _HEADER.sub(_proof, head)
    if b"@" in head:
        head = _USERINFO.sub(_hide, head)
    if not rest:
        return head
    if head[start : start + 5].upper() == b"INFO ":  # keys pressed: they may be somebody's PIN
        return head + _crosses(rest)
    return head + _KEYS.sub(_hide, rest)


def _proof(found: re.Match[bytes]) -> bytes:
    """A digest shows who asked for what; its response can be attacked offline. Of other schemes nothing is shown."""
    name, colon, value = found.groups()
    if _DIGEST.match(value) or name.lower().endswith(b"info"):
        return bytes(name + colon + _RESPONSE.sub(_hide, value))
    scheme = _SCHEME.fullmatch(value)
    assert scheme is not None
    return bytes(name + colon + scheme[1] + _crosses(scheme[2]))


def _hide(found: re.Match[bytes]) -> bytes:
    return found[1] + _crosses(found[2])


def _crosses(text: bytes) -> bytes:
    return re.sub(rb'[^\r\n"]', b"x", text)
