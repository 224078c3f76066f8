"""Which requests are put through, asked about or refused, by number and name (SPEC 14)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from store.values import AcceptRule, CallNowSettings

__all__ = ["accept_rule_faults", "verdict"]


def verdict(
    settings: CallNowSettings, name: str, number: str, spellings: Collection[str] = (), abroad: Collection[str] = ()
) -> Literal["accept", "confirm", "refuse"]:
    """What the first rule that fits says; where none does, what the check box says (SPEC 18).

    `spellings`: other ones of the number, `abroad`: what follows its international prefix (b2bua.rules.spelling).
    """
    for rule in settings.rules:
        if _fits(rule, name, (number, *spellings), (number, *abroad)):
            return rule.do
    return "confirm" if settings.confirm else "accept"


def _fits(rule: AcceptRule, name: str, numbers: Collection[str], forms: Collection[str]) -> bool:
    given = " ".join(name.split()).casefold()
    return (
        rule.number in ("", *numbers)
        and any(form.startswith(rule.prefix) for form in forms)
        and " ".join(rule.name.split()).casefold() in ("", given)
        and not (rule.no_name and given)
    )


def accept_rule_faults(rules: Sequence[AcceptRule]) -> Iterator[tuple[int, str, str]]:
    """What is wrong with them: (index, key, sentence)."""
    for index, rule in enumerate(rules):
        if not (rule.number or rule.prefix or rule.name.strip() or rule.no_name):
            yield index, "do", "a rule needs number, prefix, name or no_name"
        if rule.name.strip() and rule.no_name:
            yield index, "no_name", "no name, and this name, are never both given"
        for key in ("number", "prefix"):
            text: str = getattr(rule, key)
            if text and not (text.removeprefix("+").isdecimal() and text.isascii()):
                yield index, key, f"{key}: expected digits, with + before them in E.164"
