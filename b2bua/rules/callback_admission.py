"""Whether a trigger is called back, and what the person called back may dial: each refusal has one reason (SPEC 28-30).

Pure. The wording of SPEC A11 is binding: H4 who pays, H12 locks, H18 what is believed, A12.2 the spend firewall.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from b2bua.outcome import Outcome
from b2bua.rules.fence import Fence, crossed
from b2bua.rules.numbers import BadNumber, from_trunk, read_number
from b2bua.stir.verdict import Finding, Verdict
from sip_stack.identity import Caller
from store.directory import Directory
from store.values import AuthorisedCaller, CallbackSettings, DialPlan, Micros, Rate, Trunk

__all__ = [
    "Facts", "Trigger", "admit_callback", "firewall", "needs_secret", "number_to_ring", "proven_trigger",
    "read_trigger", "too_poor",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trigger:
    """Who rang a callback number, as far as the trunk is believed (SPEC H18)."""

    name: str
    number: str
    """As lists and rates know it; as it came where it is no number that may be called."""
    hidden: bool
    trusted: bool

    @property
    def listed(self) -> bool:
        """It may match an authorised CallerID: a stranger's and a hidden one cannot (SPEC 30, A12.9)."""
        return self.trusted and not self.hidden


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when the ringing ends."""

    row: AuthorisedCaller | None
    """The authorised CallerID of the trigger's number, enabled or not."""
    repeated: bool
    """A trigger before this one, not yet answered, is called back."""
    locked: bool
    calls_today: int
    """Call backs to the number."""
    used_today: Micros
    """By the extension, what its live calls hold included."""
    available: Micros | None
    """What the payer may still use; None: no limit."""
    rate: Rate | None
    """Of the number to ring."""
    callable: bool
    """The number to ring is none that is never called: emergency, premium, short, unreadable (SPEC A12.2, H20)."""
    routed: bool
    abroad: tuple[str, ...] = ()
    """What may follow the international prefix of the number to ring."""


def read_trigger(caller: Caller, trunk: Trunk, plan: DialPlan, directory: Directory) -> Trigger:
    """The caller of a trigger, its number in the form of lists and rates (SPEC H17)."""
    name, number = ("", "") if caller.hidden else (caller.name, from_trunk(caller.user, trunk))
    return Trigger(name, _read(number, plan, directory) or number, caller.hidden, trunk.trusted)


def proven_trigger(trigger: Trigger, verdict: Verdict, *, must: bool) -> Trigger:
    """The trigger by its signature; `must`: without a good one it is a stranger's."""
    stranger = verdict.finding.failed or (must and verdict.finding is not Finding.PASSED)
    return replace(trigger, trusted=False) if stranger else trigger


def number_to_ring(
    settings: CallbackSettings, trigger: Trigger, plan: DialPlan, directory: Directory
) -> tuple[str, bool]:
    """Where the call is returned (SPEC 28), and whether that may be called at all."""
    wanted = settings.fixed_number if settings.return_to == "fixed" else trigger.number
    number = _read(wanted, plan, directory)
    return number or wanted, bool(number)


def _read(number: str, plan: DialPlan, directory: Directory) -> str:
    try:
        return read_number(number, plan, extensions=directory.internal_numbers)
    except BadNumber:
        return ""


def admit_callback(settings: CallbackSettings, trigger: Trigger, number: str, facts: Facts) -> Outcome | None:
    """The one reason against ringing `number` back; None: ring it."""
    return (
        _unwanted(settings, trigger, facts.row)
        or _uncallable(settings, number, facts)
        or _too_often(settings, facts)
        or (Outcome.NO_CREDIT if too_poor(settings, facts.available) else None)
    )


def _unwanted(settings: CallbackSettings, trigger: Trigger, row: AuthorisedCaller | None) -> Outcome | None:
    """Whether this caller is called back by the settings (SPEC 26, 28, 30, H4)."""
    if not settings.enabled:
        return Outcome.NOT_CONFIGURED
    if settings.return_to != "fixed":
        if trigger.hidden:
            return Outcome.HIDDEN_CALLER
        if not trigger.trusted:  # display only (H18): whoever can send a From could make us ring anybody
            return Outcome.UNTRUSTED_CALLER
    if row is not None and row.enabled:
        return None
    if settings.return_to == "authorised" or settings.ask_pin:  # H4: an unlisted caller has no PIN to give
        return Outcome.UNKNOWN_CALLER if row is None else Outcome.CALLER_DISABLED
    return None if settings.password_hash else Outcome.NOT_CONFIGURED  # H4: the owner pays for the password only


def _uncallable(settings: CallbackSettings, number: str, facts: Facts) -> Outcome | None:
    if not facts.callable:
        return Outcome.NOT_ALLOWED
    if settings.return_to != "authorised" and (reason := firewall(settings, number, facts.rate, facts.abroad)):
        return reason  # an authorised number was let in by name
    if facts.rate is None and settings.pay_call_back != "no":
        return Outcome.NO_RATE
    return None if facts.routed else Outcome.NO_ROUTE


def _too_often(settings: CallbackSettings, facts: Facts) -> Outcome | None:
    if facts.repeated:
        return Outcome.ALREADY_PENDING
    if facts.locked:
        return Outcome.LOCKED
    if facts.calls_today >= settings.calls_a_number_a_day:
        return Outcome.NUMBER_TODAY
    if settings.money_a_day is not None and facts.used_today >= settings.money_a_day:
        return Outcome.MONEY_TODAY
    return None


def too_poor(settings: CallbackSettings, available: Micros | None) -> bool:
    """Credit is used up, or below what a call needs at least (SPEC 64)."""
    return available is not None and (available <= 0 or available < settings.least_credit)


def firewall(
    settings: CallbackSettings, number: str, rate: Rate | None, abroad: tuple[str, ...] = ()
) -> Outcome | None:
    """Why a number that could be called is not (SPEC A12.2); `abroad`: what follows its international prefix."""
    fence = crossed(settings, number, rate, abroad)
    if fence is None:
        return Outcome.NO_RATE if rate is None else None
    return Outcome.PRICE_TOO_HIGH if fence is Fence.PRICE else Outcome.NOT_ALLOWED


def needs_secret(settings: CallbackSettings, row: AuthorisedCaller | None) -> list[tuple[str, str]]:
    """What is asked, and the hash of each: the password, then the PIN of a row that has one (SPEC 35, H3)."""
    secrets = [("ask-password", settings.password_hash)] if settings.password_hash else []
    if settings.ask_pin and row is not None and row.pin_hash:
        secrets.append(("ask-pin", row.pin_hash))
    return secrets
