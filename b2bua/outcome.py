"""How a call ends: exactly one named reason each, the word in records, logs and answers to "why not?"."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from b2bua.leg import Leg

__all__ = [
    "MEDIA_FAULTS", "CallError", "Congested", "CreditRefused", "Ended", "LegGone", "MoneySpent", "NewNumber", "NoRoute",
    "NotAdmitted", "NotProven", "NotReached", "Offline", "Outcome", "Unwanted", "refusal",
]  # fmt: skip


class Outcome(StrEnum):
    """The reason of an ended call."""

    TALKED = "talked"
    CREDIT_SPENT = "credit-spent"
    """Cut at the second the money or the longest allowed talk ended."""
    REFUSED = "refused"
    """The extension pressed 2."""
    BLOCKED = "refused-and-blocked"
    """The extension pressed 9: refused, and the number is blocked."""
    PUT_OFF = "put-off"
    """The extension pressed 3: it is called again later."""
    OPTED_OUT = "visitor-opted-out"
    """The called visitor pressed 9: nobody asked for this."""
    NOT_CONFIRMED = "not-confirmed"
    """The extension answered and pressed nothing."""
    OFFLINE = "offline"
    BUSY = "busy"
    DECLINED = "declined"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    """The far end could not be reached: no such number, a refusal by the network, a fault."""
    PHONE_LEFT = "phone-left"
    """The extension hung up before the talk."""
    VISITOR_BUSY = "visitor-busy"
    VISITOR_DECLINED = "visitor-declined"
    VISITOR_NO_ANSWER = "visitor-no-answer"
    VISITOR_FAILED = "visitor-failed"
    VISITOR_LEFT = "visitor-left"
    """The called visitor answered and hung up before the talk."""
    NO_CREDIT = "no-credit"
    NO_RATE = "no-rate"
    NO_ROUTE = "no-route"
    NOT_ALLOWED = "number-refused"
    CANCELLED = "cancelled"
    """Whoever asked for the call gave it up."""
    MEDIA_LOST = "media-lost"
    """No RTP came for too long."""
    CONGESTED = "congested"
    """No media port was free."""
    SHUT_DOWN = "server-stopped"
    SERVER_ERROR = "server-error"
    # callback numbers: how the call back ended
    CALLER_LEFT = "caller-left"
    """The person called back hung up before any talk."""
    WRONG_SECRET = "wrong-secret"
    NOTHING_DIALLED = "nothing-dialled"
    """The person called back pressed nothing in time."""
    # calls that speak a code
    CODE_SPOKEN = "code-spoken"
    CODE_UNHEARD = "code-not-heard"
    """Whoever answered hung up before it was spoken once."""
    CODE_UNWANTED = "code-unwanted"
    """Whoever answered pressed 9: nobody asked for this."""
    # callback numbers: why there was none
    NOT_CONFIGURED = "not-configured"
    HIDDEN_CALLER = "hidden-callerid"
    UNTRUSTED_CALLER = "untrusted-caller"
    """The number came by a trunk whose callers are not believed."""
    UNKNOWN_CALLER = "unknown-caller"
    CALLER_DISABLED = "caller-disabled"
    ALREADY_PENDING = "already-pending"
    LOCKED = "number-locked"
    """Too many wrong passwords or PINs."""
    NUMBER_TODAY = "number-calls-today"
    MONEY_TODAY = "money-today"
    PRICE_TOO_HIGH = "price-too-high"
    NOT_PROVEN = "not-proven"
    """The trunk's calls must be signed (STIR)."""

    @property
    def of_visitor(self) -> Outcome:
        """The same fate of the second leg of a CallNow call."""
        return _VISITOR.get(self, Outcome.VISITOR_FAILED)


_VISITOR = {
    Outcome.BUSY: Outcome.VISITOR_BUSY,
    Outcome.DECLINED: Outcome.VISITOR_DECLINED,
    Outcome.NO_ANSWER: Outcome.VISITOR_NO_ANSWER,
    Outcome.CONGESTED: Outcome.CONGESTED,  # ours, not the visitor's
}


_REFUSALS = {
    Outcome.BUSY: (486, "Q.850;cause=17"),
    Outcome.DECLINED: (603, "Q.850;cause=21"),
    Outcome.NO_ANSWER: (480, "Q.850;cause=19"),
    Outcome.OFFLINE: (480, "Q.850;cause=20"),
    Outcome.FAILED: (404, "Q.850;cause=1"),
    Outcome.NO_ROUTE: (404, "Q.850;cause=3"),
    Outcome.NO_RATE: (403, "Q.850;cause=57"),
    Outcome.NO_CREDIT: (402, "Q.850;cause=57"),
    Outcome.NOT_ALLOWED: (403, "Q.850;cause=57"),
    Outcome.CONGESTED: (503, "Q.850;cause=42"),
    Outcome.SERVER_ERROR: (500, "Q.850;cause=41"),
    Outcome.SHUT_DOWN: (503, "Q.850;cause=41"),
}


def refusal(outcome: Outcome) -> tuple[int, str]:
    """The status for a far end that rang us in vain, and the Reason of a BYE (RFC 6432)."""
    return _REFUSALS.get(outcome, (480, "Q.850;cause=16"))


MEDIA_FAULTS = frozenset({"rtp-timeout", "media-failed", "no-codec"})
"""Why a leg is of no use though it is there by SIP."""


class CallError(Exception):
    """The call ends, with a reason that the record and the web page can show."""

    outcome = Outcome.FAILED

    @property
    def refusal(self) -> tuple[int, str]:
        """See `refusal`."""
        return refusal(self.outcome)


class LegGone(CallError):
    """A far end left while the flow counted on it; raised at the await by `Leg.alive()`.

    A talk ends by nothing else: there it is no exception, but what the talk gives back.
    """

    def __init__(self, leg: Leg, why: str) -> None:
        self.leg = leg
        self.why = why

    def __str__(self) -> str:
        return f"{self.leg.party} left: {self.why}"


Ended: TypeAlias = Outcome | LegGone
"""What a flow gives back."""


class NotReached(CallError):
    """A far end did not answer; `status` tells busy from no answer from failure (RFC 3261 21)."""

    def __init__(self, status: int, *, rang: bool = False) -> None:
        super().__init__(f"not reached: {status}")
        self.status = status
        self.rang = rang
        """It rang, or was heard already: to try another way would be to call a second time."""

    @property
    def outcome(self) -> Outcome:  # type: ignore[override]
        """The named reason of the status."""
        if self.status in (486, 600):
            return Outcome.BUSY
        if self.status in (603, 403):
            return Outcome.DECLINED
        if self.status == 430:  # the last flow of a phone is gone (RFC 5626 7)
            return Outcome.OFFLINE
        return Outcome.NO_ANSWER if self.status in (408, 480, 487) else Outcome.FAILED

    @property
    def refusal(self) -> tuple[int, str]:
        """A fault of the network is none of the number."""
        return (503, "Q.850;cause=41") if 500 <= self.status < 600 else super().refusal


class Offline(CallError):
    """No phone of the extension is registered."""

    outcome = Outcome.OFFLINE


class Congested(CallError):
    """There is no media port for one more leg."""

    outcome = Outcome.CONGESTED


class NoRoute(CallError):
    """No trunk takes this number."""

    outcome = Outcome.NO_ROUTE


class NotAdmitted(CallError):
    """A trigger that rings nobody, or a number that its caller may not dial."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


class NotProven(CallError):
    """A call whose number is not signed, or not truly (RFC 8224 6.2.2)."""

    outcome = Outcome.NOT_PROVEN

    def __init__(self, status: int, phrase: str) -> None:
        super().__init__(phrase)
        self._refusal = (status, f'SIP;cause={status};text="{phrase}"')

    @property
    def refusal(self) -> tuple[int, str]:
        """The status that says what is wrong with the signature."""
        return self._refusal


class CreditRefused(CallError):
    """The account cannot pay, or has no rate for the number."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.value)
        self.outcome = outcome


class MoneySpent(CallError):
    """The moment has come at which the held money is used up, or the longest call over."""

    outcome = Outcome.CREDIT_SPENT


class Unwanted(CallError):
    """Whoever was called with a code pressed 9."""

    outcome = Outcome.CODE_UNWANTED


class NewNumber(CallError):
    """The person called back pressed `**`: he wants another number."""
