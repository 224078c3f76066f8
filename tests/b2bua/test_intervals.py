"""Time intervals: the figures of AT-09, and every answer against an oracle that walks minute by minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2bua.rules.intervals import Limit, TimeInterval, is_open, next_opening, told_opening

SYDNEY, BUCHAREST, NEW_YORK = "Australia/Sydney", "Europe/Bucharest", "America/New_York"
MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
WEEK = Limit(8 * 60, 20 * 60, MON, FRI)
ANYTIME = TimeInterval("Anytime", SYDNEY, limits=(Limit(),))
DAYS, SPAN = TimeInterval("d", SYDNEY, "days", (WEEK,)), TimeInterval("i", SYDNEY, "interval", (WEEK,))


def at(text: str, zone: str = SYDNEY, fold: int = 0) -> float:
    """Unix time of a local wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(("interval", "moment", "expected"), [
    pytest.param(DAYS, "2026-11-20T20:30:00", False, id="individual days: Friday after hours"),
    pytest.param(DAYS, "2026-11-20T19:59:59", True, id="individual days: the last second of Friday"),
    pytest.param(DAYS, "2026-11-20T20:00:00", False, id="the end is outside"),
    pytest.param(DAYS, "2026-11-23T08:00:00", True, id="individual days: Monday, the first second"),
    pytest.param(DAYS, "2026-11-23T07:59:59", False, id="individual days: a second before"),
    pytest.param(DAYS, "2026-11-25T02:00:00", False, id="individual days: Wednesday night"),
    pytest.param(SPAN, "2026-11-25T02:00:00", True, id="interval: Wednesday night is inside the span"),
    pytest.param(SPAN, "2026-11-28T12:00:00", False, id="interval: Saturday"),
    pytest.param(SPAN, "2026-11-23T07:59:00", False, id="interval: Monday before it begins"),
    pytest.param(SPAN, "2026-11-27T19:59:00", True, id="interval: its last minute"),
    pytest.param(ANYTIME, "2026-11-28T03:00:00", True, id="anytime is always"),
])
def test_at09_figures(interval: TimeInterval, moment: str, expected: bool) -> None:
    assert is_open(interval, at(moment)) is expected


@pytest.mark.parametrize(("limit", "algorithm", "moment", "expected"), [
    pytest.param(Limit(22 * 60, 6 * 60, FRI, FRI), "days", "2026-11-21T05:59:00", True, id="the night Friday began"),
    pytest.param(Limit(22 * 60, 6 * 60, FRI, FRI), "days", "2026-11-20T05:59:00", False, id="Thursday night is not it"),
    pytest.param(Limit(0, 1440, SAT, MON), "days", "2026-11-22T12:00:00", True, id="weekdays wrap"),
    pytest.param(Limit(480, 1200, MON, FRI, 1, 25, 7), "days", "2026-07-24T09:00:00", True, id="SPEC 69, July 24"),
    pytest.param(Limit(480, 1200, MON, FRI, 1, 25, 7), "days", "2026-07-27T09:00:00", False, id="after the 25th"),
    pytest.param(Limit(480, 1200, MON, FRI, 1, 25, 7), "days", "2026-08-24T09:00:00", False, id="another month"),
    pytest.param(Limit(480, 1200, start_day=10, end_day=20), "interval", "2026-11-15T03:00:00", True, id="a span"),
    pytest.param(Limit(480, 1200, start_day=10, end_day=20), "interval", "2026-11-10T07:00:00", False, id="not begun"),
    pytest.param(Limit(480, 1200, start_day=28, end_day=3), "interval", "2026-11-01T03:00:00", True, id="it wraps"),
    pytest.param(Limit(480, 1200), "interval", "2026-11-15T12:00:00", True, id="no days named: hours of every day"),
    pytest.param(Limit(480, 1200, FRI, MON), "interval", "2026-11-22T03:00:00", True, id="the span wraps the week"),
    pytest.param(Limit(480, 1200, FRI, FRI), "interval", "2026-11-20T12:00:00", True, id="one day of the week"),
    pytest.param(Limit(1200, 480, FRI, FRI), "interval", "2026-11-24T12:00:00", True, id="all week but Friday's day"),
])
def test_limits(limit: Limit, algorithm: str, moment: str, expected: bool) -> None:
    interval = TimeInterval("x", SYDNEY, algorithm, (limit,))  # type: ignore[arg-type]
    assert is_open(interval, at(moment)) is expected


def test_a_holiday_left_out_closes_the_day_and_the_opening_is_after_it() -> None:
    boxing_day = TimeInterval("holidays", SYDNEY, "days", (Limit(start_day=28, end_day=28, month=12),))
    office = TimeInterval("office", SYDNEY, "days", (WEEK,), (boxing_day,))
    assert not is_open(office, at("2026-12-28T12:00:00"))
    assert next_opening(office, at("2026-12-25T20:00:00")) == at("2026-12-29T08:00:00")


@pytest.mark.parametrize(("limit", "zone", "since", "opening"), [
    pytest.param(WEEK, SYDNEY, "2026-11-20T20:30:00", "2026-11-23T08:00:00", id="Friday night to Monday"),
    pytest.param(WEEK, SYDNEY, "2026-11-23T12:00:00", "2026-11-23T12:00:00", id="it is open"),
    pytest.param(Limit(480, 1200, SUN, SUN), SYDNEY, "2026-10-03T20:30:00", "2026-10-04T08:00:00", id="clocks forward"),
    pytest.param(Limit(480, 1200, SUN, SUN), SYDNEY, "2026-04-04T20:30:00", "2026-04-05T08:00:00", id="clocks back"),
    pytest.param(Limit(150, 240), BUCHAREST, "2026-03-28T12:00:00", "2026-03-29T02:30:00", id="an hour before"),
    pytest.param(Limit(195, 240), BUCHAREST, "2026-03-28T12:00:00", "2026-03-30T03:15:00", id="a skipped hour"),
    pytest.param(Limit(0, 60, start_day=29, end_day=29, month=2), NEW_YORK, "2026-03-01T00:00:00",
                 "2028-02-29T00:00:00", id="a leap day"),
    pytest.param(Limit(start_day=1, end_day=1), NEW_YORK, "2026-10-29T12:00:00", "2026-11-01T00:00:00",
                 id="a day on which clocks go back opens at its midnight"),
])
def test_the_next_opening(limit: Limit, zone: str, since: str, opening: str) -> None:
    assert next_opening(TimeInterval("x", zone, "days", (limit,)), at(since, zone)) == at(opening, zone)


def test_what_never_opens() -> None:
    assert next_opening(TimeInterval("x", SYDNEY, "days", (Limit(start_day=31, end_day=31, month=4),)), 0.0) is None
    assert next_opening(TimeInterval("x", SYDNEY), 0.0) is None


def test_a_repeated_hour_counts_twice() -> None:
    late = TimeInterval("x", NEW_YORK, "days", (Limit(90, 120),))
    assert is_open(late, at("2026-11-01T01:45:00", NEW_YORK))
    assert is_open(late, at("2026-11-01T01:45:00", NEW_YORK, fold=1))
    assert next_opening(late, at("2026-11-01T01:59:59", NEW_YORK) + 1) == at("2026-11-01T01:30:00", NEW_YORK, fold=1)


def test_clocks_that_are_set_inside_an_opening_do_not_close_it() -> None:
    night = TimeInterval("x", BUCHAREST, "days", (Limit(3 * 60 + 30, 5 * 60),))
    assert next_opening(night, at("2026-03-29T02:59:00", BUCHAREST)) == at("2026-03-29T04:00:00", BUCHAREST)


def test_what_is_left_out_has_days_of_its_own_zone() -> None:
    """It ends on the 27th in Sydney, while it is still the 26th in New York."""
    holiday = TimeInterval("h", SYDNEY, limits=(Limit(20 * 60, 10 * 60, None, None, 26, 26, 1),))
    always = TimeInterval("x", NEW_YORK, limits=(Limit(), Limit(22 * 60, 23 * 60)), without=(holiday,))
    assert next_opening(always, at("2026-01-26T21:00")) == at("2026-01-27T10:00")


def test_a_month_but_for_some_hours_opens_at_its_first() -> None:
    march = TimeInterval("x", SYDNEY, "interval", (Limit(22 * 60, 6 * 60, None, None, 15, 15, 3),))
    assert next_opening(march, at("2026-01-01")) == at("2026-03-01")
    assert next_opening(march, at("2026-03-15T06:00")) == at("2026-03-15T22:00")


# The oracle

_PAIRS = st.one_of(st.just((None, None)), st.tuples(st.integers(0, 6), st.integers(0, 6)))
_DAY_PAIRS = st.one_of(st.just((None, None)), st.tuples(st.integers(1, 31), st.integers(1, 31)))


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    """Any limit on whole ten minutes."""
    start, end = draw(st.integers(0, 143)) * 10, draw(st.integers(1, 144)) * 10
    weekdays, days = draw(_PAIRS), draw(_DAY_PAIRS)
    month = draw(st.one_of(st.none(), st.sampled_from([3, 10, 11])))
    return Limit(start, end, weekdays[0], weekdays[1], days[0], days[1], month)


@st.composite
def intervals(draw: st.DrawFn) -> TimeInterval:
    """Any interval of a zone whose clocks are set in March, October or November."""
    chosen = draw(st.lists(limits(), min_size=1, max_size=3))
    zone = draw(st.sampled_from([SYDNEY, BUCHAREST, NEW_YORK]))
    without = tuple(draw(st.lists(intervals(), max_size=1))) if draw(st.booleans()) else ()
    return TimeInterval("x", zone, draw(st.sampled_from(["days", "interval"])), tuple(chosen), without)


def oracle(interval: TimeInterval, moment: float) -> bool:
    """SPEC 68-69 once more, by the wall clock alone: every span is spelled out day by day."""
    local = datetime.fromtimestamp(moment, ZoneInfo(interval.zone))
    today = local.replace(tzinfo=None, fold=0)
    inside = any(_spelled(limit, interval.algorithm, today) for limit in interval.limits)
    return inside and not any(oracle(other, moment) for other in interval.without)


def _spelled(limit: Limit, algorithm: str, now: datetime) -> bool:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    weekly, monthly = limit.start_weekday is not None, limit.start_day is not None
    for back in range(40):  # a span that began on one of the last forty days
        first = midnight - timedelta(days=back)
        start = first + timedelta(minutes=limit.start_min)
        if algorithm == "days" or not (weekly or monthly):
            if _listed(limit, first):
                length = limit.end_min - limit.start_min
                end = start + timedelta(minutes=length if length > 0 else length + 1440)
                if start <= now < end:
                    return True
            continue
        if weekly:
            if first.weekday() != limit.start_weekday:
                continue
            days = (int(limit.end_weekday or 0) - int(limit.start_weekday or 0)) % 7
            end = first + timedelta(days=days, minutes=limit.end_min)
            end += timedelta(days=7) if end <= start else timedelta()
            if start <= now < end and _date_listed(limit, now):
                return True
        else:
            continue
    if algorithm == "interval" and monthly and not weekly:
        key, low, high = (now.day, now - midnight), limit.start_day, limit.end_day
        start_key, end_key = (low, timedelta(minutes=limit.start_min)), (high, timedelta(minutes=limit.end_min))
        inside = start_key <= key < end_key if start_key < end_key else key >= start_key or key < end_key
        return inside and limit.month in (None, now.month)
    return False


def _listed(limit: Limit, day: datetime) -> bool:
    names = [] if limit.start_weekday is None else _ring(limit.start_weekday, limit.end_weekday, 0, 6)
    return (limit.start_weekday is None or day.weekday() in names) and _date_listed(limit, day)


def _date_listed(limit: Limit, day: datetime) -> bool:
    days = list(range(1, 32)) if limit.start_day is None else _ring(limit.start_day, limit.end_day, 1, 31)
    return day.day in days and limit.month in (None, day.month)


def _ring(first: int, last: int | None, lowest: int, highest: int) -> list[int]:
    found = [first]
    while found[-1] != last:
        found.append(lowest if found[-1] == highest else found[-1] + 1)
    return found


_AROUND = [at(day, SYDNEY) for day in ("2026-03-27", "2026-04-03", "2026-10-02", "2026-10-23", "2026-10-30")]


@settings(max_examples=100, deadline=None)
@given(intervals(), st.sampled_from(_AROUND))
def test_every_ten_minutes_of_four_days_is_as_the_oracle_says(interval: TimeInterval, since: float) -> None:
    for step in range(4 * 144):
        moment = since + 600 * step
        assert is_open(interval, moment) is oracle(interval, moment)


@settings(max_examples=60, deadline=None)
@given(intervals(), st.sampled_from(_AROUND))
def test_the_next_opening_is_the_first_open_ten_minutes(interval: TimeInterval, since: float) -> None:
    walked = next((since + 600 * step for step in range(6 * 144) if is_open(interval, since + 600 * step)), None)
    found = next_opening(interval, since)
    if walked is not None:
        assert found == walked
    else:
        assert found is None or found > since + 600 * (6 * 144 - 1)


@pytest.mark.parametrize(("moment", "told"), [
    pytest.param("2026-11-20T20:30", "Monday, 23 November 2026, 08:00 (Australia/Sydney)", id="AT-09: Friday evening"),
    pytest.param("2026-11-23T07:59:59", "Monday, 23 November 2026, 08:00 (Australia/Sydney)", id="a second before"),
    pytest.param("2026-11-23T08:00:00", None, id="AT-09: Monday 08:00:00"),
    pytest.param("2026-11-23T19:59:59", None, id="the last second"),
    pytest.param("2026-11-23T20:00", "Tuesday, 24 November 2026, 08:00 (Australia/Sydney)", id="the end"),
])  # fmt: skip
def test_told_opening(moment: str, told: str | None) -> None:
    assert told_opening(DAYS, at(moment)) == told


def test_what_never_opens_is_told_as_nothing() -> None:
    assert told_opening(TimeInterval("never", SYDNEY, limits=(Limit(),), without=(ANYTIME,)), 0.0) == ""
