"""The plan of how much money to hold, when to ask for more, and when the talk must end; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from store.rates import price, talk_seconds
from store.values import CallNowSettings, Micros, Rate

__all__ = [
    "PLAIN", "WARNED", "FirstHold", "Foresight", "Metered", "Step", "first_hold", "last_moment", "moves", "needs",
    "next_step", "owed", "price", "talk_limit", "talk_seconds",
]  # fmt: skip

_FAR_S = 10 * 365 * 86_400
"""What ten years cannot use up is never used up."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """How far ahead a call holds money."""

    first_s: int = 60
    """How much talk the hold before dialling pays for, where the credit allows."""
    ahead_s: int = 60
    """How much more each further asking is for."""
    leads_s: tuple[float, ...] = (5, 1, 0.2)
    """How long before the held money is used up more is asked for: in vain, it is asked again, for a late recharge."""
    warn_s: float | None = None
    """How long before the end the caller is warned; None: never."""


PLAIN = Foresight()
WARNED = Foresight(first_s=125, leads_s=(65, 5, 1, 0.2), warn_s=60)
"""More is asked for before the warning is due, so that it never comes while there is credit."""


class Metered(NamedTuple):
    """One leg that is paid for: its rate, and the moments (seconds of one clock) of its answer and its end."""

    rate: Rate
    began: float | None = None
    """None: it rings, and must be able to pay its first second."""
    ended: float | None = None


class Step(NamedTuple):
    """What comes next on the way to the end of the money, and when; `at` None: nothing."""

    do: Literal["ask", "warn", "end"]
    at: float | None


@dataclass(frozen=True, slots=True)
class FirstHold:
    """What to hold before dialling: `amount`, or what is left when that pays at least for the first second."""

    amount: Micros
    least: Micros


def first_hold(rate: Rate, first_s: int = PLAIN.first_s) -> FirstHold:
    """The hold before dialling."""
    return FirstHold(price(rate, first_s), price(rate, 1))


def needs(leg: Metered, at: float) -> Micros:
    """What one leg needs of the held money up to this moment, which is not before its answer."""
    if leg.began is None:
        return price(leg.rate, 1)
    return price(leg.rate, (at if leg.ended is None else min(at, leg.ended)) - leg.began)


def owed(legs: Sequence[Metered], at: float) -> Micros:
    """What all legs need together."""
    return Micros(sum(needs(leg, at) for leg in legs))


def last_moment(legs: Sequence[Metered], held: Micros) -> float | None:
    """The moment, to the millisecond, until which the held money pays for all legs together; None: for ever."""
    began = [leg.began for leg in legs if leg.began is not None]
    if not began or owed(legs, (base := max(began)) + _FAR_S) <= held:
        return None
    if len(legs) == 1:
        return base + (talk_seconds(held, legs[0].rate) or 0)
    paid_ms, unpaid_ms = 0, _FAR_S * 1000
    while unpaid_ms - paid_ms > 1:
        middle_ms = (paid_ms + unpaid_ms) // 2
        if owed(legs, base + middle_ms / 1000) <= held:
            paid_ms = middle_ms
        else:
            unpaid_ms = middle_ms
    return base + paid_ms / 1000


def next_step(
    end: float | None, now: float, foresight: Foresight, *, limited: bool = False, asked: float | None = None
) -> Step:
    """What comes next before `end`, when the held money is used up, or the longest call over (`limited`).

    `asked` is the end for which more was asked already: in vain, as the end is still the same.
    """
    if end is None:
        return Step("end", None)
    if not limited and asked != end and now >= end - foresight.leads_s[0]:
        return Step("ask", now)
    ahead = {end: Step("end", end)}
    if foresight.warn_s is not None:
        ahead[end - foresight.warn_s] = Step("warn", end - foresight.warn_s)
    if not limited:
        ahead |= {end - lead_s: Step("ask", end - lead_s) for lead_s in foresight.leads_s}
    return ahead[min((at for at in ahead if at > now), default=end)]


def moves(wanted: Sequence[Micros], held: Sequence[Micros]) -> list[tuple[int, int, Micros]]:
    """What to move (from, to, how much) so that each hold has what its leg needs, where together they have it."""
    spare = [has - wants for wants, has in zip(wanted, held, strict=True)]
    found = []
    for to, lack in enumerate(spare):
        for from_, more in enumerate(spare):
            moved = min(more, -lack)
            if moved > 0:
                found.append((from_, to, Micros(moved)))
                spare[from_] -= moved
                lack += moved
    return found


def talk_limit(settings: CallNowSettings, rate: Rate, spent_today: Micros) -> int:
    """The longest talk of one call of a public link: its own limit, or what is left of its money for today."""
    if settings.money_a_day is None:
        return settings.longest_call_s
    left_s = talk_seconds(Micros(max(0, settings.money_a_day - spent_today)), rate)
    return settings.longest_call_s if left_s is None else min(settings.longest_call_s, left_s)
