"""Which name and number a public call shows (SPEC 11, 38-41)."""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.numbers import to_trunk
from store.values import Extension, Trunk

__all__ = ["Shown", "shown_on_trunk"]


@dataclass(frozen=True, slots=True)
class Shown:
    """The display name and number of a From header."""

    name: str
    number: str


def shown_on_trunk(extension: Extension, trunk: Trunk) -> Shown:
    """Name and number are chosen independently (SPEC 40); the number leaves in the trunk's format.

    A number set by the user rules out every other choice of numbers (SPEC 41).
    """
    rules = extension.caller_id
    name = rules.name if rules.name_by == "user" else extension.name
    number = rules.number if rules.number_by == "user" else extension.public_number
    return Shown(name, to_trunk(number, trunk))
