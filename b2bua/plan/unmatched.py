"""Numbers and prefixes in settings that no number can match, as the dial plan writes numbers otherwise (SPEC H17)."""

from __future__ import annotations

from collections.abc import Iterator

from store.values import CallbackSettings, CallNowSettings, DialPlan, Extension

__all__ = ["Path", "unmatched", "unmatched_by", "unmatched_in"]

Path = tuple[str | int, ...]
"""Where something stands in a table."""


def unmatched(digits: str, mode: str) -> str:
    """Why no number of a dial plan's mode begins with these; empty where one may."""
    if not digits or digits.startswith("+") is (mode == "e164"):
        return ""
    how = "begin with +" if mode == "e164" else "are without +"
    return f'"{digits}" matches nothing: numbers {how} in mode {mode}'


def unmatched_in(settings: CallNowSettings | CallbackSettings, plan: DialPlan) -> Iterator[tuple[Path, str]]:
    """What a fence names that way (SPEC A12.2): it would keep nobody out, or everybody."""
    for key in ("allowed", "forbidden"):
        for prefix in getattr(settings, key):
            if why := unmatched(prefix, plan.mode):
                yield (key,), f"{key}: {why}"


def unmatched_by(extension: Extension, plan: DialPlan) -> Iterator[tuple[Path, str]]:
    """All of an extension."""
    for name, settings in (("callnow", extension.callnow), ("callback", extension.callback)):
        for path, sentence in unmatched_in(settings, plan):
            yield (name, *path), f"{name} of {extension.number}: {sentence}"
    for index, rule in enumerate(extension.callnow.rules):
        for key in ("number", "prefix"):
            if why := unmatched(getattr(rule, key), plan.mode):
                yield ("callnow", "rules", index, key), f"callnow of {extension.number}: rules: {key}: {why}"
