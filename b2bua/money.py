"""Money as people write it: `0.12` and `0.12 USD`, exact to the micro."""

from __future__ import annotations

import re

from store.values import Micros

__all__ = ["format_credit", "format_money", "parse_credit", "parse_money"]

UNLIMITED = "unlimited"


def parse_money(text: str) -> Micros:
    """Read `12`, `0.12` or `-10`, with at most six decimals and any zeros after them.

    Raises: ValueError with a sentence.
    """
    found = re.fullmatch(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,6})0*)?", text)
    if found is None:
        raise ValueError(f'"{text}" is no amount of money: write digits, with at most 6 after the point, as in "0.12"')
    sign, whole, part = found.groups("")
    micros = int(whole) * 1_000_000 + int(part.ljust(6, "0"))
    return Micros(-micros if sign else micros)


def format_money(micros: Micros, currency: str = "") -> str:
    """Write the amount with two decimals, or as many as it needs."""
    whole, part = divmod(abs(micros), 1_000_000)
    decimals = f"{part:06}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{decimals} {currency}".rstrip()


def parse_credit(text: str) -> Micros | None:
    """Read an amount, or `unlimited` as None. Raises: ValueError with a sentence."""
    return None if text == UNLIMITED else parse_money(text)


def format_credit(credit: Micros | None, currency: str = "") -> str:
    """Write an amount, or None as `unlimited`."""
    return UNLIMITED if credit is None else format_money(credit, currency)
