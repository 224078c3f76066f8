"""Which name and number a public call shows and asserts (SPEC 11, 38-52)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from b2bua.rules.numbers import BadNumber, read_number, to_trunk
from sip_stack.headers import NameAddr
from sip_stack.uri import sip_uri
from store.values import CallerId, DialPlan, Did, Extension, Trunk

__all__ = [
    "ANONYMOUS", "Shown", "by_server", "caller_id_faults", "equipment_of", "from_header", "identity_headers", "line_of",
    "numbers_to_show", "shown_on_trunk",
]


class Shown(NamedTuple):
    """The display name and number of a From header."""

    name: str
    number: str


ANONYMOUS = Shown("Anonymous", "anonymous")
_PUBLIC = re.compile(r"\+?[0-9]{3,18}")
_LONGEST_NAME = 80
_NOTHING = Shown("", "")
_ANONYMOUS = NameAddr("Anonymous", sip_uri("anonymous", "anonymous.invalid"))


def caller_id_faults(rules: CallerId) -> Iterator[tuple[str, str]]:
    """What is wrong with the rules of an extension: (key, sentence)."""
    if rules.number_by == "user" and not _PUBLIC.fullmatch(rules.number):  # SPEC 39
        yield "number", "the number by user has three or more digits"
    if len(rules.name) > _LONGEST_NAME:
        yield "name", f"a name has up to {_LONGEST_NAME} characters"
    if any(unicodedata.category(character)[0] == "C" for character in rules.name):
        yield "name", "a name has no control characters"
    if rules.default and rules.default not in rules.numbers:  # SPEC H6
        yield "default", "the default is one of the numbers"


def numbers_to_show(extension: Extension, trunk: Trunk, dids: Mapping[str, Did]) -> tuple[str, ...]:
    """Of which numbers one is shown, by chance, where the server sets the number and this trunk routes (SPEC 47-49).

    Those associated with the extension that are the trunk's, else those of no trunk in particular, else the default,
    else the extension's public number. `dids` are all public numbers, by number.
    """
    rules = extension.caller_id
    if rules.number_by != "server":  # SPEC 41: nothing can be selected
        return (extension.public_number,)
    there = {number: dids[number].trunk_id for number in rules.numbers if number in dids}
    of_trunk = tuple(number for number, trunk_id in there.items() if trunk_id == trunk.id)
    of_any = tuple(number for number, trunk_id in there.items() if trunk_id is None)
    return of_trunk or of_any or (rules.default or extension.public_number,)


def shown_on_trunk(extension: Extension, trunk: Trunk, number: str, equipment: Shown | None = None) -> Shown:
    """Name and number are chosen independently (SPEC 40); the number leaves in the trunk's format.

    `number` is what the server sets. A number by user is shown once it is approved. `equipment` is what the extension's
    phone, or the person a callback number has called back (SPEC H15), shows of itself: where it shows nothing, the
    server decides.
    """
    rules, equipment = extension.caller_id, equipment or _NOTHING
    name = {"user": rules.name, "equipment": equipment.name or extension.name}.get(rules.name_by, extension.name)
    by_user = rules.number if rules.approved else ""
    number = {"user": by_user, "equipment": equipment.number}.get(rules.number_by) or number
    return Shown(name, to_trunk(number, trunk))


def equipment_of(from_: NameAddr, extension: Extension, plan: DialPlan) -> Shown:
    """What a phone shows of itself, the number as its dial plan reads it (SPEC H17).

    Its own extension number is no number for the public.
    """
    user = from_.uri.number
    own = user in (extension.number, extension.number.replace("*", ""))  # as a keypad dials it
    if own or not _PUBLIC.fullmatch(user):
        return Shown(from_.display, "")
    try:
        return Shown(from_.display, read_number(user, plan, phone=True))
    except BadNumber:  # none that could be called, and yet what it says of itself
        return Shown(from_.display, user)


def by_server(extension: Extension) -> Extension:
    """The extension as its leg to the person called back shows it: name and number by the server (SPEC H15)."""
    return replace(extension, caller_id=replace(extension.caller_id, name_by="server", number_by="server"))


def line_of(extension: Extension, *, private: bool, emergency: bool) -> Extension:
    """The extension as one call shows it: not, where that is wanted (RFC 3323), but always to who comes to help."""
    anonymous = (private or extension.caller_id.anonymous) and not emergency
    return replace(extension, caller_id=replace(extension.caller_id, anonymous=anonymous))


def from_header(extension: Extension, shown: Shown, domain: str) -> NameAddr:
    """Who an external call says is calling; where no CallerID is sent, anonymous (SPEC 50, RFC 3323 4.1.1.3)."""
    return _ANONYMOUS if extension.caller_id.anonymous else NameAddr(shown.name, sip_uri(shown.number, domain))


def identity_headers(extension: Extension, trunk: Trunk, shown: Shown, domain: str) -> list[tuple[str, str]]:
    """P-Asserted-Identity and P-Preferred-Identity for an external call, where the extension sends them (SPEC 51).

    Both name what the call shows, or the extension itself where the trunk wants that. RFC 3325 9.1: a name-addr.
    An anonymous call has `Privacy: id`, and an identity for trusted trunks alone (SPEC 52, H7).
    """
    rules = extension.caller_id
    privacy = [("Privacy", "id")] if rules.anonymous else []
    if not rules.identity_headers or (rules.anonymous and not trunk.trusted):
        return privacy
    user = extension.number if trunk.pai == "extension" else shown.number
    if not user:
        return privacy
    who = sip_uri(user, domain)
    asserted = ("P-Asserted-Identity", str(NameAddr("", who)))
    if rules.anonymous:
        return [asserted, *privacy]
    return [asserted, ("P-Preferred-Identity", str(NameAddr(shown.name, who)))]
