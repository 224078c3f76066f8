"""Which name and number a public call shows and asserts (SPEC 11, 38-41, 51)."""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.numbers import to_trunk
from sip_stack.headers import NameAddr
from sip_stack.uri import sip_uri
from store.values import Extension, Trunk

__all__ = ["Shown", "identity_headers", "shown_on_trunk"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The display name and number of a From header."""

    name: str
    number: str


def shown_on_trunk(extension: Extension, trunk: Trunk) -> Shown:
    """Name and number are chosen independently (SPEC 40); the number leaves in the trunk's format.

    A number set by the user rules out every other choice of numbers (SPEC 41).
    """
    rules = extension.caller_id
    name = rules.name if rules.name_by == "user" else extension.name
    number = rules.number if rules.number_by == "user" else extension.public_number
    return Shown(name, to_trunk(number, trunk))


def identity_headers(extension: Extension, trunk: Trunk, domain: str) -> list[tuple[str, str]]:
    """P-Asserted-Identity and P-Preferred-Identity for an external call, where the extension sends them (SPEC 51).

    Both name what the call shows, or the extension itself where the trunk wants that. RFC 3325 9.1: a name-addr.
    """
    if not extension.caller_id.identity_headers:
        return []
    shown = shown_on_trunk(extension, trunk)
    user = extension.number if trunk.pai == "extension" else shown.number
    if not user:
        return []
    who = sip_uri(user, domain)
    return [
        ("P-Asserted-Identity", str(NameAddr("", who))),
        ("P-Preferred-Identity", str(NameAddr(shown.name, who))),
    ]
