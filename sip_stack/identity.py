"""Who a request says is calling: P-Asserted-Identity, Privacy, From (RFC 3325, RFC 3323)."""

from __future__ import annotations

from typing import NamedTuple

from sip_stack.errors import BadMessage
from sip_stack.grammar import remembered
from sip_stack.headers import NameAddr, text_length
from sip_stack.message import Request

__all__ = ["Caller", "caller_of", "is_anonymous", "is_hidden_user", "privacy_of", "wants_anonymity"]

_HIDDEN_USERS = frozenset({"", "anonymous", "restricted", "unavailable", "private", "unknown", "withheld"})


class Caller(NamedTuple):
    """A caller as far as the far end is believed (SPEC H18)."""

    name: str
    user: str
    asserted: bool
    """True when the number comes from a P-Asserted-Identity of a trusted peer."""
    hidden: bool
    """The caller asked not to be shown, or sends nothing that could be."""


def is_hidden_user(user: str) -> bool:
    """True for the user parts that mean "no caller identity" on trunks."""
    return user.strip().lower() in _HIDDEN_USERS


def is_anonymous(address: NameAddr) -> bool:
    """True for an address that says nobody (RFC 3323 4.1.1.3)."""
    return is_hidden_user(address.uri.user) or address.uri.host == "anonymous.invalid"


def privacy_of(request: Request) -> frozenset[str]:
    """What the caller wants kept from the called side: priv-values in lower case (RFC 3323 4.2)."""
    if "Privacy" not in request.fields:
        return frozenset()
    return frozenset(p.strip().lower() for value in request.tokens("Privacy") for p in value.split(";"))


def wants_anonymity(request: Request) -> bool:
    """The caller does not want to be shown: by Privacy, or as it shows itself (RFC 3323 4.1.1.3)."""
    return _asks_for_anonymity(request) or is_anonymous(request.from_)


def _asks_for_anonymity(request: Request) -> bool:
    return "Privacy" in request.fields and not privacy_of(request).isdisjoint(("id", "user"))


def caller_of(request: Request, *, trusted: bool) -> Caller:
    """Read the caller: from a trusted peer P-Asserted-Identity first, else From (RFC 3325 9.1)."""
    display, uri, _, _ = request.from_
    caller = _shown(NameAddr(display, uri))  # its tag is another in each call
    if trusted and "P-Asserted-Identity" in request.fields and (said := _asserted(request)) is not None:
        hidden = caller.hidden or is_hidden_user(said.uri.user)
        caller = Caller(said.display or display, said.uri.number, True, hidden)
    return caller._replace(hidden=True) if _asks_for_anonymity(request) else caller


def _read_shown(address: NameAddr) -> Caller:
    return Caller(address.display, address.uri.number, False, is_anonymous(address))


_shown = remembered(_read_shown, text_length)
"""Who an address says that it is: one value for all calls of one number."""


def _asserted(request: Request) -> NameAddr | None:
    """The first identity that can be dialled; none where it cannot be read."""
    try:
        identities = request.addresses("P-Asserted-Identity")
    except BadMessage:
        return None
    return next((each for each in identities if each.uri.scheme in ("sip", "sips", "tel")), None)
