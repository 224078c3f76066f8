"""Sliding windows over accepted requests: how many are too many, and which one is the same again (SPEC A12.3, H10)."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict, deque
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

from b2bua.rules.admission import Reason
from b2bua.rules.sources import source_of

__all__ = ["LimitNumbers", "Limits", "RecentRequests", "TooMany"]

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
MOST_KEYS = 50_000
"""Addresses, numbers or links remembered at once; the one longest unused is forgotten first."""


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
