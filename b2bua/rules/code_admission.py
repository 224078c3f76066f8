"""Whether a number is called with a code: it is a stranger's until it is proven (SPEC 39, A12.5, A12.6).

Pure, but for the sentences. A number that cannot be called at all has a reason of b2bua.rules.numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from store.blocked import BlockedBy
from store.codes import TRIES, Code
from store.values import CallerId, Rate

__all__ = ["CodeFacts", "CodeLimits", "CodeRefusal", "admit_code_call", "code_fault", "nothing_to_prove"]


class CodeRefusal(StrEnum):
    """Why nobody is called."""

    NUMBER_BLOCKED = "number-blocked"
    OPTED_OUT = "number-opted-out"
    NO_ROUTE = "no-route"
    NO_RATE = "no-rate"
    NUMBER_PENDING = "number-pending"
    NUMBER_DAY = "number-day"
    ACCOUNT_HOUR = "code-calls-hour"
    ACCOUNT_DAY = "code-calls-day"


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """How many calls that rang somebody are enough."""

    per_number_day: int = 3
    per_account_hour: int = 5
    per_account_day: int = 15


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What is known when a call is asked for."""

    blocked: BlockedBy | None
    """Who does not want it called."""
    routed: bool
    rate: Rate | None
    pending: bool
    """It is called with a code already, whoever asked for that."""
    number_day: int
    """Such calls to the number, for anybody, in the last day."""
    account_hour: int
    account_day: int
    """Such calls of the account."""


def admit_code_call(facts: CodeFacts, limits: CodeLimits) -> CodeRefusal | None:
    """The one reason against this call; None: it may begin."""
    if facts.blocked is not None:
        return CodeRefusal.NUMBER_BLOCKED if facts.blocked == "owner" else CodeRefusal.OPTED_OUT
    if not facts.routed:
        return CodeRefusal.NO_ROUTE
    if facts.rate is None:
        return CodeRefusal.NO_RATE
    if facts.pending:
        return CodeRefusal.NUMBER_PENDING
    if facts.number_day >= limits.per_number_day:
        return CodeRefusal.NUMBER_DAY
    if facts.account_hour >= limits.per_account_hour:
        return CodeRefusal.ACCOUNT_HOUR
    return CodeRefusal.ACCOUNT_DAY if facts.account_day >= limits.per_account_day else None


def nothing_to_prove(rules: CallerId) -> str:
    """Why no code is needed; empty where one is."""
    if rules.number_by != "user" or not rules.number:
        return "The number is not set by the user, so there is nothing to prove"
    return f"{rules.number} is approved already" if rules.approved else ""


def code_fault(code: Code | None, rules: CallerId) -> str:
    """Why nothing can be typed now; empty where it can."""
    if reason := nothing_to_prove(rules):
        return reason
    if code is None or code.number != rules.number:
        return f"No code of {rules.number} counts now: ask for a call first"
    if code.spoken_at is None:
        return "The code was not spoken yet"
    return "Too many wrong codes: ask for another call" if code.tries >= TRIES else ""
