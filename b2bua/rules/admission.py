"""Whether a CallNow request becomes a call: every refusal is one named reason (SPEC A12.3, A12.5, A12.12, H13, H14).

The order, so that each request ends in one reason: page, signed link (b2bua.links.signed_links), `misfilled`, number
(b2bua.rules.numbers), the same request again and the limits (b2bua.rules.limits) around `admit_callnow`. Only accepted
requests count against a limit, or use a link.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from b2bua.desk import Refused
from b2bua.rules.accept_rules import verdict
from b2bua.rules.fence import Fence, crossed
from b2bua.rules.meter import first_hold, talk_limit
from b2bua.rules.numbers import BadNumber
from store.blocked import BlockedBy
from store.values import CallNowSettings, Micros, Rate

__all__ = [
    "AWAY", "Facts", "Reason", "admit_callnow", "admit_later", "misfilled", "refuse", "refuse_number",
]

MAX_NAME = 80
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Reason(StrEnum):
    """Why a request is no call; a bad number's reasons are b2bua.rules.numbers.NumberFault."""

    UNKNOWN_PAGE = "unknown-page"
    NAME_REQUIRED = "name-required"
    NAME_UNFIT = "name-unfit"
    """Too long, or not to be shown in one line."""
    PAUSED = "paused"
    CLOSED = "outside-interval"
    ON_PHONE = "on-phone"
    OFFLINE = "offline"
    NO_ROUTE = "no-route"
    NO_RATE = "no-rate"
    PRICE_TOO_HIGH = "price-too-high"
    NUMBER_FORBIDDEN = "number-forbidden"
    NUMBER_NOT_ALLOWED = "number-not-allowed"
    REFUSED_BY_RULE = "refused-by-rule"
    NUMBER_BLOCKED = "number-blocked"
    OPTED_OUT = "number-opted-out"
    NO_CREDIT = "no-credit"
    LINK_MONEY_TODAY = "link-money-today"
    LINK_CALLS_TODAY = "link-calls-today"
    IP_QUARTER_HOUR = "ip-15-minutes"
    IP_DAY = "ip-day"
    IP_NUMBERS = "ip-numbers"
    NUMBER_PENDING = "number-pending"
    NUMBER_DAY = "number-day"
    SIGNED_FORGED = "signed-link-forged"
    SIGNED_KEY = "signed-link-key-rotated"
    SIGNED_OTHER_PAGE = "signed-link-other-page"
    SIGNED_EXPIRED = "signed-link-expired"
    SIGNED_REVOKED = "signed-link-revoked"
    SIGNED_USED_UP = "signed-link-used-up"
    SIGNED_NUMBER = "signed-link-other-number"
    # of requests that wait for their time
    SLOT_GONE = "slot-not-free"
    LINK_WAITING = "link-waiting"
    NUMBER_WAITING = "number-waiting"
    QUARANTINED = "number-quarantined"
    MISSED = "time-missed"


AWAY = (Reason.OFFLINE, Reason.ON_PHONE)
"""The owner is not reached now, and may be later."""
NOT_AVAILABLE = "This person is not available right now. Please try again later."
TOO_MANY = "There were too many requests. Please try again later."
BAD_LINK = "This link does not work. Please ask whoever gave it to you for a new one."
_Shown = tuple[int, str, Literal["name", "number", "when", ""]]
_SHOWN: dict[Reason, _Shown] = {
    Reason.UNKNOWN_PAGE: (404, "There is no such page.", ""),
    Reason.NAME_REQUIRED: (422, "Enter your name.", "name"),
    Reason.NAME_UNFIT: (422, "Use up to 80 letters, digits and punctuation for your name.", "name"),
    **{reason: (409, NOT_AVAILABLE, "") for reason in (  # one neutral sentence, never why (SPEC H13)
        Reason.PAUSED, Reason.CLOSED, Reason.ON_PHONE, Reason.OFFLINE, Reason.NO_CREDIT, Reason.LINK_MONEY_TODAY,
        Reason.LINK_CALLS_TODAY, Reason.REFUSED_BY_RULE, Reason.NUMBER_BLOCKED, Reason.QUARANTINED, Reason.MISSED,
        Reason.LINK_WAITING,
    )},
    **{reason: (422, "This number cannot be called from here.", "number") for reason in (
        Reason.NO_ROUTE, Reason.NO_RATE, Reason.PRICE_TOO_HIGH, Reason.NUMBER_FORBIDDEN, Reason.NUMBER_NOT_ALLOWED,
        Reason.OPTED_OUT,
    )},
    # whoever asks for a number is not told that others call it, or will
    **{reason: (429, TOO_MANY, "") for reason in (
        Reason.IP_QUARTER_HOUR, Reason.IP_DAY, Reason.IP_NUMBERS, Reason.NUMBER_PENDING, Reason.NUMBER_DAY,
        Reason.NUMBER_WAITING,
    )},
    Reason.SLOT_GONE: (422, "Choose one of the times that are free.", "when"),
    **{reason: (403, BAD_LINK, "") for reason in (  # whoever tries tokens is not told what was wrong with one
        Reason.SIGNED_FORGED, Reason.SIGNED_KEY, Reason.SIGNED_OTHER_PAGE,
    )},
    Reason.SIGNED_EXPIRED: (410, "This link has expired.", ""),  # these have a good signature: it was given to them
    Reason.SIGNED_REVOKED: (410, "This link has been withdrawn.", ""),
    Reason.SIGNED_USED_UP: (410, "This link has been used already.", ""),
    Reason.SIGNED_NUMBER: (422, "This link is for one telephone number, and for no other.", ""),
}


_OF_THE_VISITOR = (Reason.IP_QUARTER_HOUR, Reason.IP_DAY, Reason.IP_NUMBERS)


def refuse(reason: Reason, retry_after_s: int | None = None) -> Refused:
    """What the visitor gets for a reason; when to come back, where the limit is of what he himself has asked."""
    status, sentence, field = _SHOWN[reason]
    return Refused(reason, sentence, status, field, retry_after_s if reason in _OF_THE_VISITOR else None)


def refuse_number(bad: BadNumber) -> Refused:
    """What the visitor gets for a number that is not called."""
    return Refused(bad.reason, bad.sentence, 422, "number")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when a request comes in."""

    on_phone: bool
    """Any dialog of the extension, a pending confirmation included (SPEC 17)."""
    registered: bool
    routed: bool
    rate: Rate | None
    available: Micros | None
    """What the paying account may still use; None: no limit."""
    spent_today: Micros = Micros(0)
    """By this link, its live calls' holds included."""
    number: str = ""
    """As the account's dial plan keeps it."""
    spellings: tuple[str, ...] = ()
    """Others in which it may have been kept."""
    abroad: tuple[str, ...] = ()
    """What may follow its international prefix."""
    free: bool = False
    """Free minutes are left for it."""
    closed: bool = False
    """Outside the page's time interval (SPEC 16)."""
    blocked: BlockedBy | None = None
    """Who does not want it called (SPEC A12.6)."""
    quarantined: bool = False
    """It was called in vain too often (SPEC A12.8)."""


_FENCED = {
    Fence.FORBIDDEN: Reason.NUMBER_FORBIDDEN,
    Fence.NOT_ALLOWED: Reason.NUMBER_NOT_ALLOWED,
    Fence.PRICE: Reason.PRICE_TOO_HIGH,
}


def misfilled(settings: CallNowSettings, name: str) -> Reason | None:
    """What is wrong with the form but for the number."""
    if settings.ask_name and not name.strip():
        return Reason.NAME_REQUIRED
    return Reason.NAME_UNFIT if len(name) > MAX_NAME or any(map(_is_unfit, name)) else None


def _is_unfit(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI_CONTROLS


def admit_callnow(settings: CallNowSettings, name: str, facts: Facts) -> Reason | None:
    """The one reason against this call, None when it may begin."""
    if facts.blocked is not None:
        return Reason.NUMBER_BLOCKED if facts.blocked == "owner" else Reason.OPTED_OUT
    if facts.quarantined:
        return Reason.QUARANTINED
    if verdict(settings, name, facts.number, facts.spellings, facts.abroad) == "refuse":
        return Reason.REFUSED_BY_RULE
    if settings.paused:
        return Reason.PAUSED
    if facts.closed:
        return Reason.CLOSED
    if settings.reject_while_on_phone and facts.on_phone:
        return Reason.ON_PHONE
    if not facts.registered:
        return Reason.OFFLINE
    if not facts.routed:
        return Reason.NO_ROUTE
    if facts.rate is None:
        return Reason.NO_RATE
    if (fence := crossed(settings, facts.number, facts.rate, facts.abroad)) is not None:
        return _FENCED[fence]
    if not facts.free and facts.available is not None and facts.available < first_hold(facts.rate).least:
        return Reason.NO_CREDIT
    if talk_limit(settings, facts.rate, facts.spent_today) == 0:
        return Reason.LINK_MONEY_TODAY
    return None


def admit_later(settings: CallNowSettings, name: str, facts: Facts) -> Reason | None:
    """The one reason against a call at another time: what may be another then is judged then."""
    then = replace(facts, on_phone=False, registered=True, closed=False, available=None, spent_today=Micros(0))
    return admit_callnow(settings, name, then)
