"""Which number a call is signed for, and how much of it we vouch for (RFC 8588, SPEC H18); pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Literal

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from sip_stack.errors import BadMessage
from sip_stack.headers import NameAddr, parse_name_addr
from sip_stack.identity import is_hidden_user
from store.values import Trunk

__all__ = ["attestation", "canonical", "signed_number"]


def attestation(number: str, own: Collection[str], *, relayed: bool) -> Literal["A", "B", "C"]:
    """A: an extension of ours and a number it may use; B: an extension of ours; C: the call came by another trunk."""
    if relayed:
        return "C"
    return "A" if number in own else "B"


def signed_number(from_: NameAddr, headers: Iterable[tuple[str, str]], trunk: Trunk) -> str:
    """The number that a far end will compare with: of P-Asserted-Identity, else of From (RFC 8224 4.1).

    Empty where there is none, as in an anonymous call: `orig` would tell what the caller hides.
    """
    asserted = next((value for name, value in headers if name == "P-Asserted-Identity"), None)
    try:
        user = from_.uri.user if asserted is None else parse_name_addr(asserted).uri.user
    except BadMessage:
        return ""
    return "" if is_hidden_user(user) else canonical(user, trunk)


def canonical(number: str, trunk: Trunk) -> str:
    """A number as a trunk has it in digits with its country code (RFC 8224 8.3); empty for what is no number."""
    return _canonical(number, trunk.number_format == "e164", trunk.country)


@lru_cache(4096)
def _canonical(number: str, whole: bool, country: str) -> str:
    bare = re.sub(r"[-.() ]", "", number)
    if whole and bare.isdecimal():
        bare = f"+{bare}"
    if not re.fullmatch(r"\+?[0-9]{3,18}", bare, re.ASCII):
        return ""
    if bare[0] == "+":
        return bare[1:]
    try:
        parsed = phonenumbers.parse(bare, country)
    except NumberParseException:
        return bare
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)[1:]
