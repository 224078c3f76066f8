"""Whether a CallNow request becomes a call: every refusal is one named reason (SPEC A12.3, A12.5, A12.12, H13, H14).

The order, so that each request ends in one reason: page, signed link (b2bua.links.signed_links), `misfilled`, number
(b2bua.rules.numbers), the same request again (`RecentRequests`), `admit_callnow`, `Limits.take`. Only accepted requests
count against a limit, or use a link.
"""

from __future__ import annotations

import unicodedata
from bisect import insort
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import Generic, Literal, TypeVar

from b2bua.desk import Refused
from b2bua.rules.accept_rules import verdict
from b2bua.rules.fence import Fence, crossed
from b2bua.rules.meter import first_hold, talk_limit
from b2bua.rules.numbers import BadNumber
from b2bua.rules.sources import source_of
from store.blocked import BlockedBy
from store.values import CallNowSettings, Micros, Rate

__all__ = [
    "AWAY", "Facts", "LimitNumbers", "Limits", "Reason", "RecentRequests", "TooMany", "admit_callnow", "admit_later",
    "misfilled", "refuse", "refuse_number",
]

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
MAX_NAME = 80
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
MOST_KEYS = 50_000
"""Addresses, numbers or links remembered at once; the one longest unused is forgotten first."""


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


@dataclass(frozen=True, slots=True)
class LimitNumbers:
    """How many accepted requests are too many."""

    per_ip_15_min: int = 7
    per_ip_day: int = 15
    numbers_per_ip_hour: int = 3
    per_number_day: int = 10
    waiting_per_number: int = 1


@dataclass(frozen=True, slots=True)
class TooMany:
    """A limit that is reached, and when it will not be."""

    reason: Reason
    retry_after_s: int | None = None


V = TypeVar("V")


class _Recent(Generic[V]):
    """What happened per key in the last day, or will, oldest first, for a bounded number of keys."""

    def __init__(self, most_keys: int) -> None:
        self._events: OrderedDict[str, deque[tuple[float, V]]] = OrderedDict()
        self._most_keys = most_keys

    def since(self, key: str, then: float, until: float = inf) -> list[tuple[float, V]]:
        return [event for event in self._events.get(key, ()) if then < event[0] < until]

    def around(self, key: str, at: float) -> list[tuple[float, V]]:
        """Whatever shares a span of a day with this moment."""
        return self.since(key, at - DAY, at + DAY)

    def add(self, key: str, now: float, at: float, what: V) -> None:
        events = self._events.setdefault(key, deque())
        while events and events[0][0] <= now - DAY:
            events.popleft()
        insort(events, (at, what), key=_moment)
        self._events.move_to_end(key)
        if len(self._events) > self._most_keys:
            self._events.popitem(last=False)

    def remove(self, key: str, at: float, what: V) -> None:
        events = self._events.get(key)
        if events and (at, what) in events:
            events.remove((at, what))


def _moment(event: tuple[float, object]) -> float:
    return event[0]


class Limits:
    """Sliding windows over accepted requests: per visitor address, called number and link."""

    def __init__(self, numbers: LimitNumbers | None = None, most_keys: int = MOST_KEYS) -> None:
        self._numbers = numbers or LimitNumbers()
        self._by_ip: _Recent[str] = _Recent(most_keys)
        self._by_number: _Recent[None] = _Recent(most_keys)
        self._by_page: _Recent[None] = _Recent(most_keys)
        self._pending: set[str] = set()

    def take(
        self, now: float, *, ip: str, number: str, page_id: str, calls_a_day: int, due: float | None = None,
    ) -> TooMany | None:
        """Count one request and mark its number as pending, or say which limit forbids it and count nothing.

        One that waits until `due` is not pending; to its number and link it counts then.
        """
        if due is None and number in self._pending:
            return TooMany(Reason.NUMBER_PENDING)
        source, limit, at = source_of(ip), self._numbers, now if due is None else due
        reached = (
            _too_many(self._by_ip.since(source, now - 15 * MINUTE), limit.per_ip_15_min, 15 * MINUTE, now,
                      Reason.IP_QUARTER_HOUR)
            or _too_many(self._by_ip.since(source, now - DAY), limit.per_ip_day, DAY, now, Reason.IP_DAY)
            or self._too_many_numbers(source, number, now)
            or _too_many(self._by_number.around(number, at), limit.per_number_day, DAY, now, Reason.NUMBER_DAY)
            or _too_many(self._by_page.around(page_id, at), calls_a_day, DAY, now, Reason.LINK_CALLS_TODAY)
        )
        if reached is None:
            self.note(now, ip=ip, number=number, page_id=page_id, due=due)
            if due is None:
                self._pending.add(number)
        return reached

    def note(self, at: float, *, ip: str, number: str, page_id: str, due: float | None = None) -> None:
        """Count a request that was accepted, be it before a restart; one that waits counts when it is due."""
        self._by_ip.add(source_of(ip), at, at, number)
        self.note_call(at, at if due is None else due, number=number, page_id=page_id)

    def note_call(self, now: float, due: float, *, number: str, page_id: str) -> None:
        """Count one more call of a request that was accepted: it holds its place until it is made."""
        self._by_number.add(number, now, due, None)
        self._by_page.add(page_id, now, due, None)

    def release(self, due: float, *, number: str, page_id: str) -> None:
        """It will not be made."""
        self._by_number.remove(number, due, None)
        self._by_page.remove(page_id, due, None)

    def begin(self, number: str) -> bool:
        """A waiting request's number becomes pending; False where it is."""
        if number in self._pending:
            return False
        self._pending.add(number)
        return True

    def too_many_waiting(self, number: int) -> bool:
        """Whether one number has as many requests that wait as it may."""
        return number >= self._numbers.waiting_per_number

    def undo(self, at: float, *, ip: str, number: str, page_id: str, due: float | None = None) -> None:
        """What was taken at this moment became no call after all."""
        self._by_ip.remove(source_of(ip), at, number)
        self.release(at if due is None else due, number=number, page_id=page_id)
        if due is None:
            self.done(number)

    def done(self, number: str) -> None:
        """The call to this number is over: it may be asked for again."""
        self._pending.discard(number)

    def _too_many_numbers(self, source: str, number: str, now: float) -> TooMany | None:
        last = {called: at for at, called in self._by_ip.since(source, now - HOUR)}
        if number in last or len(last) < self._numbers.numbers_per_ip_hour:
            return None
        if self._numbers.numbers_per_ip_hour == 0:
            return TooMany(Reason.IP_NUMBERS)
        # a place is free when enough of the called numbers have left the window
        leaving = sorted(last.values())[len(last) - self._numbers.numbers_per_ip_hour]
        return TooMany(Reason.IP_NUMBERS, _seconds_until(leaving + HOUR, now))


def _too_many(
    events: list[tuple[float, V]], limit: int, span: float, now: float, reason: Reason,
) -> TooMany | None:
    if len(events) < limit:
        return None
    if limit == 0:
        return TooMany(reason)
    return TooMany(reason, _seconds_until(events[-limit][0] + span, now))


def _seconds_until(then: float, now: float) -> int:
    return max(1, int(-(-(then - now) // 1)))


class RecentRequests:
    """The same visitor and number on the same page within 30 s is one request (SPEC H10, AT-05)."""

    def __init__(self, window_s: float = 30.0, most_keys: int = MOST_KEYS) -> None:
        self._window_s, self._most_keys = window_s, most_keys
        self._tokens: OrderedDict[tuple[str, str, str], tuple[float, str]] = OrderedDict()

    def find(self, now: float, *, page_id: str, ip: str, number: str) -> str | None:
        """The token of the request that this one repeats."""
        at, token = self._tokens.get((page_id, ip, number), (-self._window_s, ""))
        return token if token and now - at < self._window_s else None

    def remember(self, now: float, token: str, *, page_id: str, ip: str, number: str) -> None:
        """A request was accepted."""
        self._tokens[page_id, ip, number] = (now, token)
        self._tokens.move_to_end((page_id, ip, number))
        if len(self._tokens) > self._most_keys:
            self._tokens.popitem(last=False)

    def forget(self, *, page_id: str, ip: str, number: str) -> None:
        """The request was refused after all: asking again is asking anew."""
        self._tokens.pop((page_id, ip, number), None)
