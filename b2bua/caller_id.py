"""Which name and number a public call shows and asserts (SPEC 11, 38-41, 51)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from b2bua.numbers import to_trunk
from sip_stack.headers import NameAddr
from sip_stack.uri import sip_uri
from store.values import CallerId, Extension, Trunk

__all__ = ["Shown", "by_server", "from_header", "identity_headers", "shown_on_trunk"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The display name and number of a From header."""

    name: str
    number: str


_NOTHING = Shown("", "")
_ANONYMOUS = NameAddr("Anonymous", sip_uri("anonymous", "anonymous.invalid"))


def shown_on_trunk(extension: Extension, trunk: Trunk, equipment: Shown | None = None) -> Shown:
    """Name and number are chosen independently (SPEC 40); the number leaves in the trunk's format.

    A number set by the user rules out every other choice of numbers (SPEC 41). `equipment` is what the extension's
    phone, or the person a callback number has called back (SPEC H15), shows of itself: where it shows nothing, the
    server decides.
    """
    rules, equipment = extension.caller_id, equipment or _NOTHING
    name = {"user": rules.name, "equipment": equipment.name or extension.name}.get(rules.name_by, extension.name)
    number = {"user": rules.number, "equipment": equipment.number}.get(rules.number_by) or extension.public_number
    return Shown(name, to_trunk(number, trunk))


def by_server(extension: Extension) -> Extension:
    """The extension as its leg to the person called back shows it: name and number by the server (SPEC H15)."""
    kept = extension.caller_id
    return replace(extension, caller_id=CallerId(identity_headers=kept.identity_headers, anonymous=kept.anonymous))


def from_header(extension: Extension, shown: Shown, domain: str) -> NameAddr:
    """Who an external call says is calling; where no CallerID is sent, anonymous (SPEC 50, RFC 3323 4.1.1.3)."""
    return _ANONYMOUS if extension.caller_id.anonymous else NameAddr(shown.name, sip_uri(shown.number, domain))


def identity_headers(
    extension: Extension, trunk: Trunk, domain: str, equipment: Shown | None = None
) -> list[tuple[str, str]]:
    """P-Asserted-Identity and P-Preferred-Identity for an external call, where the extension sends them (SPEC 51).

    Both name what the call shows, or the extension itself where the trunk wants that. RFC 3325 9.1: a name-addr.
    An anonymous call has `Privacy: id`, and an identity for trusted trunks alone (SPEC 52, H7).
    """
    rules = extension.caller_id
    privacy = [("Privacy", "id")] if rules.anonymous else []
    if not rules.identity_headers or (rules.anonymous and not trunk.trusted):
        return privacy
    shown = shown_on_trunk(extension, trunk, equipment)
    user = extension.number if trunk.pai == "extension" else shown.number
    if not user:
        return privacy
    who = sip_uri(user, domain)
    asserted = ("P-Asserted-Identity", str(NameAddr("", who)))
    if rules.anonymous:
        return [asserted, *privacy]
    return [asserted, ("P-Preferred-Identity", str(NameAddr(shown.name, who)))]
