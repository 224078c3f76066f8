"""What a visitor typed, read and judged: pure functions of the fields and the page."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import phonenumbers
from babel import Locale

from b2bua.desk import CallNowPage

__all__ = ["Filled", "Problem", "countries", "problems", "read"]

FieldName = Literal["name", "phone", "captcha", ""]

MAX_NAME = 80
MAX_NUMBER = 40
MAX_NONCE = 64
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it came, only trimmed, so that it can be shown again."""

    name: str = ""
    phone: str = ""
    country: str = ""
    challenge: str = ""
    captcha: str = field(default="", repr=False)
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence for the visitor, shown beside `field`; an empty field means the whole request."""

    field: FieldName
    sentence: str


def read(fields: Mapping[str, str], page: CallNowPage) -> Filled:
    """Take the fields of the form or of a one-step link; `myname` is the manual's name for `name` (SPEC 6)."""
    country, name = fields.get("country", ""), fields.get("name", fields.get("myname", "")).strip(" ")
    return Filled(
        name=name if _is_visible(name) else "",
        phone=fields.get("phone", "").strip(" "),
        country=country if country in phonenumbers.SUPPORTED_REGIONS else page.country,
        challenge=fields.get("challenge", ""),
        captcha=fields.get("captcha", ""),
        nonce=fields.get("nonce", "")[:MAX_NONCE],
    )


def problems(filled: Filled, page: CallNowPage) -> list[Problem]:
    """What is wrong with name and number as text; the desk judges the number itself (SPEC 8, 9, 20)."""
    found = []
    if page.ask_name and not filled.name:
        found.append(Problem("name", "Enter your name."))
    elif len(filled.name) > MAX_NAME:
        found.append(Problem("name", f"Shorten your name to {MAX_NAME} characters."))
    elif _has_controls(filled.name):
        found.append(Problem("name", "Use only letters, digits and punctuation in your name."))
    if not filled.phone:
        found.append(Problem("phone", "Enter your phone number."))
    elif len(filled.phone) > MAX_NUMBER or _has_controls(filled.phone):
        found.append(Problem("phone", "Enter a phone number, for example +1 202 555 0100."))
    return found


def _is_visible(text: str) -> bool:
    """False for blanks of every width, of none at all too; controls count, so that they are complained of."""
    return any(unicodedata.category(c) not in ("Zs", "Cf") for c in text)


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in BIDI_CONTROLS for c in text)


@cache
def countries() -> tuple[tuple[str, str], ...]:
    """(region, label) for the country choice, sorted by label: `("RO", "Romania (+40)")`."""
    names = Locale("en").territories
    rows = [
        (region, f"{names.get(region, region)} (+{phonenumbers.country_code_for_region(region)})")
        for region in phonenumbers.SUPPORTED_REGIONS
    ]
    return tuple(sorted(rows, key=lambda row: _sort_key(row[1])))


def _sort_key(label: str) -> str:
    return unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().casefold() or label
