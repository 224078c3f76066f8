"""What texts of a plan must be: names, languages, countries and prefixes; pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import phonenumbers

from b2bua.plan.toml_lines import Path
from media.prompt import languages
from store.values import DialPlan

__all__ = ["country_fault", "dial_plan_faults", "language_fault", "prompts_fault", "text_faults"]

_MANY_LINES = ("message",)
_MOST, _MOST_OF_LINES = 255, 5000
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def text_faults(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    """Where a table as written has text that would break headers, logs, sheets or columns, and why."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from text_faults((*path, key), each)
    elif isinstance(value, list):
        for each in value:
            yield from text_faults(path, each)
    elif isinstance(value, str):
        kept = value.translate(_LINES) if path[-1] in _MANY_LINES else value
        if any(unicodedata.category(character) == "Cc" for character in kept):
            yield path, "a text here has no control characters"
        most = _MOST_OF_LINES if path[-1] in _MANY_LINES or "headers" in path else _MOST
        if len(value) > most:
            yield path, f"a text here has up to {most} characters"


_LINES = {ord(character): None for character in "\r\n\t"}


def country_fault(region: str) -> str:
    """Why this is no country of telephone numbers; empty where it is."""
    return "" if region in phonenumbers.SUPPORTED_REGIONS else f'"{region}" is no ISO 3166 code as in "US"'


def language_fault(text: str) -> str:
    """Why this cannot be told to browsers as a language."""
    return "" if _LANGUAGE.fullmatch(text) else f'"{text}" is no language as in "en" or "pt-BR"'


def prompts_fault(text: str) -> str:
    """Why nothing can be said in this language."""
    return "" if text in languages() else f"there are no prompts in \"{text}\"; there are in {', '.join(languages())}"


def dial_plan_faults(plan: DialPlan) -> Iterator[tuple[str, str]]:
    """Key and sentence of what a dial plan cannot have."""
    if fault := country_fault(plan.country):
        yield "country", fault
    for key, prefixes in (("strip", plan.strip), ("refused", plan.refused), ("premium", plan.premium)):
        for prefix in prefixes:
            if not re.fullmatch(r"\+?[0-9]+", prefix):
                yield key, f'"{prefix}" is no prefix: write digits, with or without + before them'
