"""What a visitor typed, as it was typed: pure functions of the fields and the page."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import phonenumbers
from babel import Locale

from b2bua.desk import CallNowPage

__all__ = ["Filled", "Problem", "countries", "missing", "read"]

FieldName = Literal["name", "phone", "captcha", "when", ""]

MAX_NONCE = 64
MAX_LINK = 64
MAX_WHEN = 12
NO_TIME = "-"
"""What a choice of times says where now is none of them."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it came, only trimmed, so that it can be shown again."""

    name: str = ""
    phone: str = ""
    country: str = ""
    challenge: str = ""
    captcha: str = field(default="", repr=False)
    nonce: str = ""
    link: str = field(default="", repr=False)
    """The token of a signed link; it stands for the captcha, and may fix name and number (SPEC A12.7)."""
    when: str = ""
    """Unix time of a slot; empty: now."""

    @property
    def at(self) -> float | None:
        """The slot; None for now, and what is no time is a time that nobody offers."""
        if not self.when:
            return None
        return float(self.when) if self.when.isascii() and self.when.isdecimal() else 0.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence for the visitor, shown beside `field`; an empty field means the whole request."""

    field: FieldName
    sentence: str


def read(fields: Mapping[str, str], page: CallNowPage | None) -> Filled:
    """Take the fields of the form or of a one-step link; `myname` is the manual's name for `name` (SPEC 6)."""
    country, name = fields.get("country", ""), fields.get("name", fields.get("myname", "")).strip(" ")
    return Filled(
        name=name if _is_visible(name) else "",
        phone=fields.get("phone", "").strip(" "),
        country=country if country in phonenumbers.SUPPORTED_REGIONS else page.country if page else "",
        challenge=fields.get("challenge", ""),
        captcha=fields.get("captcha", ""),
        nonce=fields.get("nonce", "")[:MAX_NONCE],
        link=fields.get("link", "")[:MAX_LINK],
        when=fields.get("when", "")[:MAX_WHEN],
    )


def missing(filled: Filled, page: CallNowPage) -> list[Problem]:
    """What was left empty; all else is for the desk to judge (SPEC 8, 9, 20)."""
    found = []
    if page.ask_name and not filled.name:
        found.append(Problem("name", "Enter your name."))
    if not filled.phone:
        found.append(Problem("phone", "Enter your telephone number."))
    if filled.when == NO_TIME:
        found.append(Problem("when", "Choose a time."))
    return found


def _is_visible(text: str) -> bool:
    """False for blanks of every width, of none at all too; controls count, so that they are complained of."""
    return any(unicodedata.category(c) not in ("Zs", "Cf") for c in text)


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
