"""Calls that wait for their time: slots, the next try, who is left in peace for a while; pure (SPEC A12.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from b2bua.outcome import Outcome
from b2bua.rules.intervals import is_open, next_opening
from store.values import CallNowSettings, TimeInterval

__all__ = [
    "LONGEST_WAIT_S", "MOST_SLOTS", "VISITOR_CALLED", "next_try", "quarantined_until", "slots", "told_day", "told_hour",
    "told_moment", "tried_again",
]  # fmt: skip

MOST_SLOTS = 500
"""Offered on one page."""
LONGEST_WAIT_S = 40 * 86_400.0
"""From asking: nobody remembers what they asked for before that."""
_LEAD_S = 60.0
"""A slot that begins sooner is none: whoever wants that is called now."""
_OWNER_AWAY = frozenset({Outcome.OFFLINE, Outcome.BUSY, Outcome.NO_ANSWER})
_UNANSWERED = frozenset({Outcome.VISITOR_NO_ANSWER, Outcome.VISITOR_DECLINED})
VISITOR_CALLED = _UNANSWERED | {
    Outcome.VISITOR_BUSY, Outcome.VISITOR_LEFT, Outcome.TALKED, Outcome.CREDIT_SPENT, Outcome.MEDIA_LOST,
}  # fmt: skip
"""How calls end whose visitor was rung."""


def slots(zone: str, interval: TimeInterval | None, now: float, every_min: int, days: int) -> list[float]:
    """When a visitor may be called, as Unix times: `every_min` from the zone's midnight on, while the interval is open.

    None is always open.  Raises: zoneinfo.ZoneInfoNotFoundError.
    """
    first, today = now // 60 * 60 + _LEAD_S, datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    found = (
        at for ahead in range(days + 1) for at in _open_on(today + timedelta(ahead), zone, interval, every_min)
        if at > first
    )  # fmt: skip
    return list(islice(found, MOST_SLOTS))


@lru_cache(2048)  # pages ask at each view
def _open_on(day: date, zone: str, interval: TimeInterval | None, every_min: int) -> tuple[float, ...]:
    return tuple(at for at in _of_day(day, ZoneInfo(zone), every_min) if interval is None or is_open(interval, at))


def _of_day(day: date, zone: ZoneInfo, every_min: int) -> Iterator[float]:
    """An hour that clocks skip has none; of one that comes twice, the first."""
    midnight = datetime.combine(day, time())
    for minute in range(0, 24 * 60, every_min):
        local = midnight + timedelta(minutes=minute)
        at = local.replace(tzinfo=zone).timestamp()
        if datetime.fromtimestamp(at, zone).replace(tzinfo=None) == local:
            yield at


def next_try(interval: TimeInterval | None, ended: float, after_s: float, until: float) -> float | None:
    """When a request whose owner was not reached is tried again: in the interval, and not after `until`."""
    at = ended + after_s
    opens = at if interval is None else next_opening(interval, at)
    return opens if opens is not None and opens <= until else None


def tried_again(outcome: Outcome | None, settings: CallNowSettings, tries: int) -> bool:
    """Whether a request that had so many further tries has one more after a call that ended so."""
    return outcome in _OWNER_AWAY and tries < settings.tries


def quarantined_until(ends: Sequence[tuple[str, float]], settings: CallNowSettings) -> float | None:
    """Until when a number is left in peace, Unix time; None: it is not.

    `ends`: how and when the calls of this visitor ended, newest first.
    """
    newest = ends[: settings.quarantine_after]
    if not newest or len(newest) < settings.quarantine_after or any(how not in _UNANSWERED for how, _ in newest):
        return None
    return newest[0][1] + settings.quarantine_s


def told_moment(at: float, now: float, zone: str) -> str:
    """`at 14:35`, or `on Monday, 23 November, at 14:35` where that is another day."""
    if told_day(at, zone) == told_day(now, zone):
        return f"at {told_hour(at, zone)}"
    return f"on {told_day(at, zone)}, at {told_hour(at, zone)}"


def told_day(at: float, zone: str) -> str:
    """`Monday, 23 November`."""
    local = datetime.fromtimestamp(at, ZoneInfo(zone))
    return f"{local:%A}, {local.day} {local:%B}"


def told_hour(at: float, zone: str) -> str:
    """`14:35`."""
    return f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%H:%M}"
