"""The spend firewall that pages and callback numbers have alike (SPEC A12.2): prefixes and a price."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Protocol

from store.rates import price_a_minute
from store.values import Micros, Rate

__all__ = ["Fence", "crossed"]


class Fence(Enum):
    """What keeps a number from being called."""

    FORBIDDEN = "forbidden"
    NOT_ALLOWED = "not-allowed"
    PRICE = "price"


class Fences(Protocol):
    """The settings it reads."""

    @property
    def forbidden(self) -> tuple[str, ...]:
        """Prefixes never called."""

    @property
    def allowed(self) -> tuple[str, ...]:
        """Prefixes that may be called; empty: all."""

    @property
    def highest_price_a_minute(self) -> Micros | None:
        """None: no limit."""


def crossed(settings: Fences, number: str, rate: Rate | None, abroad: Iterable[str] = ()) -> Fence | None:
    """The first fence in a number's way; no price is looked at where there is none.

    `abroad`: what follows its international prefix, where it has one (b2bua.rules.spelling).
    """
    if any(form.startswith(settings.forbidden) for form in (number, *abroad)):
        return Fence.FORBIDDEN
    if settings.allowed and not number.startswith(settings.allowed):
        return Fence.NOT_ALLOWED
    highest = settings.highest_price_a_minute
    if rate is not None and highest is not None and price_a_minute(rate) > highest:
        return Fence.PRICE
    return None
