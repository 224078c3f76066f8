"""One number in several spellings: an account `as-dialled` may write 00, 011, 0 or 1 before it, or nothing (SPEC H17).

By this numbers are compared, never changed: rates and trunks get the digits that were dialled. What digits mean is
known as far as the dial plan's country is right. In mode e164 a number has one spelling.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import chain

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, PhoneNumberFormat

from store.values import DialPlan

__all__ = ["abroad", "read_e164", "same_number", "spellings", "understood"]

_COMMON = "00"
"""The international prefix that ITU-T E.164 names; most networks take it beside their country's own."""


@cache
def _prefixes(country: str) -> tuple[re.Pattern[str], ...]:
    """The usual international prefix of a country, those with its choices of a carrier, and the common one."""
    known = PhoneMetadata.metadata_for_region(country)
    own = (known.preferred_international_prefix, known.international_prefix) if known is not None else ()
    patterns = dict.fromkeys(filter(None, (*own, _COMMON)))
    return tuple(re.compile(rf"(?:{each})(?=[1-9])") for each in patterns)  # no country code begins with 0


def abroad(number: str, plan: DialPlan) -> tuple[str, ...]:
    """What may follow the international prefix that a number begins with; empty where it has none."""
    if plan.mode == "e164":
        return ()
    found = (prefix.match(number) for prefix in _prefixes(plan.country))
    return tuple(dict.fromkeys(number[each.end() :] for each in found if each))


def understood(number: str, plan: DialPlan) -> PhoneNumber | None:
    """The number as the plan's country reads it; None where it is none."""
    rests = abroad(number, plan)
    plain = (number,) if number.startswith("+") else (number, f"+{number}")
    for form in [f"+{rest}" for rest in rests] if rests else plain:
        parsed = _parsed(form, plan)
        if parsed is not None and phonenumbers.is_possible_number(parsed):
            return parsed
    return None


def read_e164(number: str, plan: DialPlan) -> str:
    """The number in E.164; empty where it is none."""
    parsed = understood(number, plan)
    return "" if parsed is None else phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


def same_number(number: str, plan: DialPlan) -> str:
    """What all spellings of a number have in common; one that cannot be read is itself."""
    return number if plan.mode == "e164" else read_e164(number, plan) or number


def spellings(number: str, plan: DialPlan) -> tuple[str, ...]:
    """The number as it is kept, and the other ways in which it may have been."""
    e164 = "" if plan.mode == "e164" else read_e164(number, plan)
    parsed = _parsed(e164, plan)
    if parsed is None:
        return (number,)
    digits = e164[1:]
    national: tuple[str, ...] = ()
    if parsed.country_code == phonenumbers.country_code_for_region(plan.country):
        written = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
        national = (phonenumbers.national_significant_number(parsed), re.sub(r"\D", "", written))
    forms = chain((e164, digits), (before + digits for before in _plain_prefixes(plan.country)), national)
    return tuple(dict.fromkeys((number, *(form for form in forms if read_e164(form, plan) == e164))))


@cache
def _plain_prefixes(country: str) -> tuple[str, ...]:
    known = PhoneMetadata.metadata_for_region(country)
    own = (known.preferred_international_prefix or known.international_prefix or "") if known is not None else ""
    return (own, _COMMON) if own.isdigit() else (_COMMON,)


def _parsed(number: str, plan: DialPlan) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, plan.country)
    except NumberParseException:
        return None
