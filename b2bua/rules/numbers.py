"""A typed number becomes the number that rates and trunks see, or is refused (SPEC 8, 9, H17, H20)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

from b2bua.rules.spelling import abroad, understood
from store.values import DialPlan, Trunk

__all__ = ["BadNumber", "NumberFault", "called_on_trunk", "from_trunk", "is_emergency", "read_number", "to_trunk"]

MAX_DIGITS = 18
"""E.164 has 15; an international prefix comes before them."""
_REMEMBERED = 4096
"""Readings of numbers that are kept: one costs as much as all the messages of a call."""


class NumberFault(StrEnum):
    """Why a typed number is not called."""

    EMPTY = "number-empty"
    CHARACTERS = "number-characters"
    INTERNAL = "number-internal"
    EMERGENCY = "number-emergency"
    PREMIUM = "number-premium"
    SHORT_CODE = "number-short-code"
    REFUSED = "number-refused"
    TOO_SHORT = "number-too-short"
    TOO_LONG = "number-too-long"
    IMPOSSIBLE = "number-impossible"


SENTENCES = {
    NumberFault.EMPTY: "Enter your telephone number.",
    NumberFault.CHARACTERS: "A telephone number has digits only.",
    NumberFault.INTERNAL: "This is an internal number. Enter a public telephone number.",
    NumberFault.EMERGENCY: "Emergency numbers cannot be called from here.",
    NumberFault.PREMIUM: "Premium-rate numbers cannot be called from here.",
    NumberFault.SHORT_CODE: "Short numbers cannot be called from here.",
    NumberFault.REFUSED: "This number cannot be called from here.",
    NumberFault.TOO_SHORT: "This number is too short. Enter it with its area code.",
    NumberFault.TOO_LONG: "This number is too long.",
    NumberFault.IMPOSSIBLE: "This is not a telephone number of the chosen country.",
}


class BadNumber(Exception):
    """The typed number is not called; the sentence is for whoever typed it."""

    def __init__(self, reason: NumberFault) -> None:
        super().__init__(SENTENCES[reason])
        self.reason, self.sentence = reason, SENTENCES[reason]


def read_number(
    typed: str, plan: DialPlan, country: str = "", *, extensions: Container[str] = (), phone: bool = False
) -> str:
    """The number to rate and dial: `+` and digits in E.164, or the digits themselves where the plan is as-dialled.

    `extensions` holds the internal numbers, with and without their `*`. `phone`: a phone of the tenant dials, which
    may reach short numbers, and the premium numbers that the plan names, where there are rates and routes.
    Raises: BadNumber.
    """
    number = _bare(typed)
    if "*" in number or number in extensions:
        raise BadNumber(NumberFault.INTERNAL)
    if not re.fullmatch(r"\+?[0-9]+", number):
        raise BadNumber(NumberFault.CHARACTERS if number.strip("+") else NumberFault.EMPTY)
    if len(number.lstrip("+")) > MAX_DIGITS:
        raise BadNumber(NumberFault.TOO_LONG)
    if plan.mode == "as-dialled":
        return _as_dialled(number, plan, phone)
    return _e164(number, plan, country or plan.country, phone)


def _bare(typed: str) -> str:
    """Without separators: those of SPEC 9, and the dashes, spaces and direction marks that pasted numbers carry."""
    if typed.isascii() and typed.isalnum():
        return typed
    return "".join(_plain(character) for character in typed)


def _plain(character: str) -> str:
    if character in "-.()/" or unicodedata.category(character) in ("Pd", "Zs", "Cf"):
        return ""
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


@lru_cache(_REMEMBERED)
def _as_dialled(number: str, plan: DialPlan, phone: bool) -> str:
    digits = number.removeprefix("+")
    kept = _stripped(number, plan)
    # the typed form too: +1 900 ... must not pass as 900 ..., nor 00 1 900 ...
    written = {digits, kept, *abroad(digits, plan), *abroad(kept, plan)}
    known = [parsed for parsed in (understood(form, plan) for form in {number, kept}) if parsed is not None]
    forms = written | {phonenumbers.format_number(parsed, PhoneNumberFormat.E164) for parsed in known}
    if _begins(forms, plan.refused):
        raise BadNumber(NumberFault.REFUSED)
    if any(phonenumbers.is_emergency_number(form, plan.country) for form in {digits, kept}):
        raise BadNumber(NumberFault.EMERGENCY)  # SPEC H20: whatever the table of the tenant leaves out
    if len(kept) < plan.min_digits:
        raise BadNumber(NumberFault.TOO_SHORT)
    reached = phone and _begins(forms, plan.premium)
    if not reached and PhoneNumberType.PREMIUM_RATE in map(phonenumbers.number_type, known):
        raise BadNumber(NumberFault.PREMIUM)  # SPEC A12.2: always, likewise
    return kept


def _stripped(number: str, plan: DialPlan) -> str:
    for prefix in plan.strip:
        rest = number.removeprefix(prefix)
        if rest != number and len(rest) >= 10:
            return rest.removeprefix("+")
    return number.removeprefix("+")


@lru_cache(_REMEMBERED)
def _e164(number: str, plan: DialPlan, country: str, phone: bool) -> str:
    if phonenumbers.is_emergency_number(number, country):
        raise BadNumber(NumberFault.EMERGENCY)
    try:
        parsed = phonenumbers.parse(number, country)
    except NumberParseException as fault:
        raise BadNumber(_UNREADABLE.get(fault.error_type, NumberFault.IMPOSSIBLE)) from fault
    national = phonenumbers.national_significant_number(parsed)
    e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    at_home = parsed.country_code == phonenumbers.country_code_for_region(plan.country)
    forms = (e164, national) if at_home else (e164,)
    special = _special(parsed, national)
    reached = phone and (special is NumberFault.SHORT_CODE or _begins(forms, plan.premium))
    if special is not None and not (reached and special in (NumberFault.PREMIUM, NumberFault.SHORT_CODE)):
        raise BadNumber(special)
    if _begins(forms, plan.refused):
        raise BadNumber(NumberFault.REFUSED)
    return e164


def _begins(forms: Iterable[str], prefixes: tuple[str, ...]) -> bool:
    return bool(prefixes) and any(form.startswith(prefixes) for form in forms)


def _special(parsed: PhoneNumber, national: str) -> NumberFault | None:
    """Emergency, short, premium or of a length that its country does not have."""
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    if phonenumbers.is_emergency_number(national, region):
        return NumberFault.EMERGENCY
    kind = phonenumbers.number_type(parsed)
    if kind == PhoneNumberType.PREMIUM_RATE:
        return NumberFault.PREMIUM
    if kind == PhoneNumberType.UNKNOWN and phonenumbers.is_valid_short_number_for_region(parsed, region):
        return NumberFault.SHORT_CODE
    return _LENGTHS.get(phonenumbers.is_possible_number_with_reason(parsed))


_UNREADABLE = {
    NumberParseException.NOT_A_NUMBER: NumberFault.TOO_SHORT,  # of digits only: a single one
    NumberParseException.TOO_SHORT_NSN: NumberFault.TOO_SHORT,
    NumberParseException.TOO_SHORT_AFTER_IDD: NumberFault.TOO_SHORT,
}
# never is_valid: the manual's own 555-555-5555 is possible and not valid
_LENGTHS = {
    ValidationResult.TOO_SHORT: NumberFault.TOO_SHORT,
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: NumberFault.TOO_SHORT,
    ValidationResult.TOO_LONG: NumberFault.TOO_LONG,
    ValidationResult.INVALID_LENGTH: NumberFault.IMPOSSIBLE,
    ValidationResult.INVALID_COUNTRY_CODE: NumberFault.IMPOSSIBLE,
}


def is_emergency(typed: str, plan: DialPlan) -> bool:
    """True for a number that a phone of this tenant may always call (SPEC H20)."""
    number = _bare(typed)
    return len(number) <= MAX_DIGITS and _is_emergency(number, plan.country)


@lru_cache(_REMEMBERED)
def _is_emergency(number: str, country: str) -> bool:
    return phonenumbers.is_emergency_number(number, country)


def to_trunk(number: str, trunk: Trunk) -> str:
    """The number as this trunk takes it; one without a plus was dialled as it is and stays so."""
    if not number.startswith("+") or trunk.number_format in ("+e164", "as-is"):
        return number
    if trunk.number_format == "e164":
        return number[1:]
    parsed = _parsed(number, trunk)
    if parsed is None or parsed.country_code != phonenumbers.country_code_for_region(trunk.country):
        return number
    return re.sub(r"\D", "", phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL))


def called_on_trunk(number: str, trunk: Trunk) -> str:
    """A number to call as this trunk takes it: in its format, `out_prefix` in the place of `out_strip`."""
    return _replaced(to_trunk(number, trunk), trunk.out_strip, trunk.out_prefix)


_KEYS, _DIGITS = re.compile("[0-9*#]+"), re.compile("[0-9]+")


def from_trunk(number: str, trunk: Trunk) -> str:
    """The number as Ringback writes it; what is no number (`anonymous`) stays as it came."""
    strip, prefix = trunk.in_strip, trunk.in_prefix
    if (strip or prefix) and (strip[:1] == "+" or _KEYS.fullmatch(number)):  # one with a plus is whole already
        number = _replaced(number, strip, prefix)
    if trunk.number_format in ("+e164", "as-is") or not _DIGITS.fullmatch(number):
        return number
    if trunk.number_format == "e164":
        return f"+{number}"
    parsed = _parsed(number, trunk)
    return number if parsed is None else phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


def _replaced(number: str, strip: str, prefix: str) -> str:
    return prefix + number[len(strip) :] if number.startswith(strip) else number


def _parsed(number: str, trunk: Trunk) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, trunk.country)
    except NumberParseException:
        return None
