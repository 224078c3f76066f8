"""The plan of how much money to hold, when to ask for more, and when the talk must end; pure."""

from __future__ import annotations

from dataclasses import dataclass

from store.rates import charge, price, talk_seconds
from store.values import CallNowSettings, Micros, Rate

__all__ = ["FirstHold", "NextHold", "charge", "first_hold", "next_hold", "price", "talk_limit", "talk_seconds"]

AHEAD_S = 60
"""How much talk one hold pays for, where the credit allows."""
LEADS_S = (5, 1, 0.2)
"""How long before the held money is used up more is asked for: in vain, it is asked again, for a late recharge."""


@dataclass(frozen=True, slots=True)
class FirstHold:
    """What to hold before dialling: `amount`, or what is left when that pays at least for the first second."""

    amount: Micros
    least: Micros


@dataclass(frozen=True, slots=True)
class NextHold:
    """Ask for `more` when the talk has lasted `at_s`."""

    at_s: float
    more: Micros


def first_hold(rate: Rate, ahead_s: int = AHEAD_S) -> FirstHold:
    """The hold before dialling."""
    return FirstHold(price(rate, ahead_s), price(rate, 1))


def next_hold(
    rate: Rate, held: Micros, talked_s: float, limit_s: int | None = None, ahead_s: int = AHEAD_S,
) -> NextHold | None:
    """When to ask for more, and how much; None: no more, the held money or the longest talk decides the end."""
    paid_s = talk_seconds(held, rate)
    if paid_s is None or (limit_s is not None and limit_s <= paid_s):
        return None
    at_s = next((at_s for at_s in (paid_s - lead_s for lead_s in LEADS_S) if at_s > talked_s), None)
    if at_s is None:
        return None
    wanted_s = paid_s + ahead_s if limit_s is None else min(paid_s + ahead_s, limit_s)
    return NextHold(at_s, Micros(price(rate, wanted_s) - held))


def talk_limit(settings: CallNowSettings, rate: Rate, spent_today: Micros) -> int:
    """The longest talk of one call of a public link: its own limit, or what is left of its money for today."""
    if settings.money_a_day is None:
        return settings.longest_call_s
    left_s = talk_seconds(Micros(max(0, settings.money_a_day - spent_today)), rate)
    return settings.longest_call_s if left_s is None else min(settings.longest_call_s, left_s)
