"""Time intervals (SPEC 68-70): is it open now, and when is the next opening; pure, on the wall clock of the zone.

A limit of "individual days" is hours checked on each matching day; of "interval" it is one continuous span, from the
start hour of the start day to the end hour of the end day. Ends are exclusive, ranges may wrap (22:00 to 6:00, Friday
to Monday). Where clocks are set, hours are what the wall clock shows: a repeated hour counts twice, a skipped never.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from store.values import Limit, TimeInterval

__all__ = ["MOST_LIMITS", "Limit", "TimeInterval", "is_open", "next_opening", "told_opening"]

MOST_LIMITS = 10
"""SPEC 68."""
_FAR_DAYS = 366 * 8 + 1
"""How far ahead an opening is looked for: over a 29 February left out at the turn of a century."""
_MOST_DAYS = 400
"""How many of those days are looked at closely: where so many have no opening, all of it is left out."""


def is_open(interval: TimeInterval, at: float) -> bool:
    """Whether a moment, Unix time, is inside.  Raises: zoneinfo.ZoneInfoNotFoundError."""
    local = datetime.fromtimestamp(at, ZoneInfo(interval.zone))
    holds = _on_days if interval.algorithm == "days" else _in_span
    inside = any(holds(limit, local.date(), _minute(local)) for limit in interval.limits)
    return inside and not any(is_open(other, at) for other in interval.without)


def next_opening(interval: TimeInterval, at: float) -> float | None:
    """The first moment from `at` on, Unix time, that is inside; None when there is none within eight years.

    Nor where none was found on the first 400 days that could have one, since calls wait meanwhile.

    Raises: zoneinfo.ZoneInfoNotFoundError.
    """
    if is_open(interval, at):
        return at
    everyone, zone = list(_family(interval)), ZoneInfo(interval.zone)
    day = datetime.fromtimestamp(at, zone).date()
    days = (day + timedelta(ahead) for ahead in range(-1, _FAR_DAYS))
    possible = (each for each in days if any(_may(limit, each) for limit in interval.limits))
    for today in islice(possible, _MOST_DAYS):
        begins, ends = _midnight(today, zone), _midnight(today + timedelta(1), zone)
        moments = {moment for each in everyone for moment in _turns_within(each, max(at, begins), ends)}
        found = next((moment for moment in sorted(moments) if is_open(interval, moment)), None)
        if found is not None:
            return found
    return None


def told_opening(interval: TimeInterval, at: float) -> str | None:
    """`Monday, 23 November 2026, 08:00 (Australia/Sydney)`; None while it is open, empty where it never opens again."""
    return _told(interval, at // 60 * 60)  # it opens and closes at whole minutes


@lru_cache(256)  # pages ask at each view, and what never opens is looked for in eight years
def _told(interval: TimeInterval, at: float) -> str | None:
    opens = next_opening(interval, at)
    if opens is None or opens <= at:
        return "" if opens is None else None
    local = datetime.fromtimestamp(opens, ZoneInfo(interval.zone))
    return f"{local:%A}, {local.day} {local:%B %Y, %H:%M} ({interval.zone})"


def _may(limit: Limit, day: date) -> bool:
    """Whether it can be open around a date: most days of a rare opening need no closer look."""
    whole_month = limit.start_day == limit.end_day and limit.start_min >= limit.end_min  # but for some hours
    return whole_month or any(_month_day(limit, day + timedelta(n)) for n in (-1, 0, 1))


def _minute(local: datetime) -> float:
    return local.hour * 60 + local.minute + local.second / 60 + local.microsecond / 60e6


def _on_days(limit: Limit, day: date, minute: float) -> bool:
    """SPEC 69, individual days; the hours after midnight belong to the day on which they began."""
    if limit.start_min < limit.end_min:
        return limit.start_min <= minute < limit.end_min and _matches(limit, day)
    if minute >= limit.start_min:
        return _matches(limit, day)
    return minute < limit.end_min and _matches(limit, day - timedelta(1))


def _in_span(limit: Limit, day: date, minute: float) -> bool:
    """SPEC 69, one continuous span of the week, else of the month, else of the day."""
    if limit.start_weekday is not None and limit.end_weekday is not None:
        inside = _within((day.weekday(), minute), limit.start_weekday, limit.end_weekday, limit)
        return inside and _month_day(limit, day)
    if limit.start_day is not None and limit.end_day is not None:
        return _within((day.day, minute), limit.start_day, limit.end_day, limit) and limit.month in (None, day.month)
    return _on_days(limit, day, minute)


def _within(moment: tuple[int, float], first: int, last: int, limit: Limit) -> bool:
    start, end = (first, limit.start_min), (last, limit.end_min)
    return start <= moment < end if start < end else moment >= start or moment < end


def _matches(limit: Limit, day: date) -> bool:
    return _between(day.weekday(), limit.start_weekday, limit.end_weekday) and _month_day(limit, day)


def _month_day(limit: Limit, day: date) -> bool:
    return _between(day.day, limit.start_day, limit.end_day) and limit.month in (None, day.month)


def _between(value: int, first: int | None, last: int | None) -> bool:
    if first is None or last is None:
        return True
    return first <= value <= last if first <= last else value >= first or value <= last


def _family(interval: TimeInterval) -> Iterator[TimeInterval]:
    yield interval
    for other in interval.without:
        yield from _family(other)


def _midnight(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()


def _turns_within(interval: TimeInterval, begins: float, ends: float) -> Iterator[float]:
    """The moments of a span at which it may open or close; what is left out may have another zone, and other days."""
    zone = ZoneInfo(interval.zone)
    first, last = (datetime.fromtimestamp(moment, zone).date() for moment in (begins, ends))
    for ahead in range((last - first).days + 1):
        yield from (moment for moment in _turns(interval, first + timedelta(ahead), zone) if begins <= moment < ends)


def _turns(interval: TimeInterval, day: date, zone: ZoneInfo) -> Iterator[float]:
    """Those of a local day: midnight, its hours, and where clocks are set."""
    midnight = datetime.combine(day, time(), zone)
    minutes = {0} | {minute for limit in interval.limits for minute in (limit.start_min, limit.end_min)}
    for minute in minutes:
        local = (midnight.replace(tzinfo=None) + timedelta(minutes=minute)).replace(tzinfo=zone)
        yield from (local.timestamp(), local.replace(fold=1).timestamp())
    for change in _clock_changes(midnight.timestamp() - 7200, midnight.timestamp() + 93_600, zone):
        if datetime.fromtimestamp(change, zone).date() == day:  # else it comes with its own day, in its turn
            yield change


def _clock_changes(start: float, end: float, zone: ZoneInfo) -> Iterator[float]:
    """The second at which the zone's offset changes in a span of about a day, when it does."""

    def offset(at: float) -> timedelta | None:
        return datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()

    if offset(start) == offset(end):
        return
    low, high = int(start), int(end)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle) == offset(start) else (low, middle)
    yield float(high)
