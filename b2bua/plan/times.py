"""Times as people write them: time intervals (SPEC 68), zones, and the dates of prices."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from b2bua.plan.entries import IntervalEntry, LimitEntry
from b2bua.rules.intervals import MOST_LIMITS
from store.values import Limit

__all__ = ["format_moment", "interval_faults", "limit_of", "limit_text", "parse_moment", "zone_fault"]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LAST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EXAMPLES = {"hours": '"08:00-20:00"', "weekdays": '"Mon-Fri" or "Sat"', "days": '"1-25" or "31"'}


def zone_fault(zone: object) -> str:
    """Why this is no time zone; empty where it is."""
    try:
        ZoneInfo(zone if isinstance(zone, str) and zone else "/")
    except (KeyError, ValueError, OSError):
        return f'"{zone}" is no time zone as in "Europe/Bucharest"'
    return ""


def limit_of(entry: LimitEntry) -> Limit:
    """A line of an interval.  Raises: ValueError, `key: sentence`."""
    start_min, end_min = _pair("hours", entry.hours, _minute)
    if start_min is None or end_min is None or start_min == 24 * 60 or "-" not in entry.hours:
        raise _wrong("hours", entry.hours)
    first, last = _pair("weekdays", entry.weekdays, _weekday)
    start_day, end_day = _pair("days", entry.days, _day)
    return Limit(start_min, end_min, first, last, start_day, end_day, entry.month)


def limit_text(limit: Limit) -> LimitEntry:
    """The line that `limit_of` reads as this."""
    minutes = (f"{minute // 60:02}:{minute % 60:02}" for minute in (limit.start_min, limit.end_min))
    weekdays = _span(limit.start_weekday, limit.end_weekday, lambda day: WEEKDAYS[day].title())
    days = _span(limit.start_day, limit.end_day, str)
    return LimitEntry(hours="-".join(minutes), weekdays=weekdays, days=days, month=limit.month)


def _span(first: int | None, last: int | None, write: Callable[[int], str]) -> str:
    if first is None or last is None:
        return ""
    return write(first) if first == last else f"{write(first)}-{write(last)}"


def _pair(key: str, text: str, read: Callable[[str], int]) -> tuple[int | None, int | None]:
    """`A-B`, or `A` for both; nothing is nothing."""
    if not text.strip():
        return None, None
    first, dash, last = text.partition("-")
    try:
        found = read(first.strip()), read((last if dash else first).strip())
    except ValueError:
        raise _wrong(key, text) from None
    return found


def _wrong(key: str, text: str) -> ValueError:
    return ValueError(f'{key}: "{text}" is not as in {_EXAMPLES[key]}')


def _minute(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,2}):([0-5][0-9])", text)
    minute = int(found[1]) * 60 + int(found[2]) if found else -1
    if not 0 <= minute <= 24 * 60:
        raise ValueError
    return minute


def _weekday(text: str) -> int:
    return WEEKDAYS.index(text[:3].lower() if len(text) >= 3 else "")


def _day(text: str) -> int:
    day = int(text) if text.isdecimal() else 0
    if not 1 <= day <= 31:
        raise ValueError
    return day


def interval_faults(entry: IntervalEntry) -> Iterator[tuple[str, str]]:
    """Key and sentence of what makes no sense in one interval."""
    if not entry.name:
        yield "name", "name: an interval needs one"
    if entry.zone and (fault := zone_fault(entry.zone)):
        yield "zone", f"zone: {fault}"
    if not 1 <= len(entry.limits) <= MOST_LIMITS:
        yield "limits", f"limits: an interval has one to {MOST_LIMITS} limits"
    for limit in entry.limits:
        try:
            read = limit_of(limit)
        except ValueError as wrong:
            yield "limits", f"limits: {wrong}"
            continue
        if read.month and read.start_day and read.end_day and _LAST[read.month - 1] < read.start_day <= read.end_day:
            yield "limits", f'limits: days: "{limit.days}" never comes in month {read.month}'


def parse_moment(text: str, zone: str) -> float:
    """The Unix time of `2026-12-01` or `2026-12-01 18:00`, in the zone where none is said.  Raises: ValueError."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f'"{text}" is no date as in "2026-12-01" or "2026-12-01 18:00"') from None


def format_moment(at: float | None) -> str:
    """As `parse_moment` reads it; empty for no moment."""
    return "" if not at else datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
