"""When a call that waits is made: slots, also on the days on which clocks are set, the next try, quarantine."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from b2bua.outcome import Outcome
from b2bua.rules.intervals import Limit, TimeInterval, is_open
from b2bua.rules.later import (
    MOST_SLOTS,
    next_try,
    quarantined_until,
    slots,
    told_hour,
    told_moment,
    tried_again,
)
from store.values import CallNowSettings

BUCHAREST, SYDNEY = "Europe/Bucharest", "Australia/Sydney"
OFFICE = TimeInterval("office", BUCHAREST, limits=(Limit(9 * 60, 17 * 60, 0, 4),))
NIGHT = TimeInterval("night", BUCHAREST, limits=(Limit(2 * 60, 5 * 60),))
NEVER = TimeInterval("never", BUCHAREST)
DAY_S = 86_400.0


def at(local: str, zone: str = BUCHAREST, fold: int = 0) -> float:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def told(moments: list[float], zone: str = BUCHAREST) -> list[str]:
    return [f"{datetime.fromtimestamp(moment, ZoneInfo(zone)):%a %H:%M}" for moment in moments]


@pytest.mark.parametrize(("interval", "now", "every_min", "days", "offered"), [
    pytest.param(OFFICE, "2026-11-20 15:10", 30, 0, "Fri 15:30, Fri 16:00, Fri 16:30", id="to the end of the hours"),
    pytest.param(OFFICE, "2026-11-20 15:30", 30, 0, "Fri 16:00, Fri 16:30", id="not the one that begins now"),
    pytest.param(OFFICE, "2026-11-20 15:29", 30, 0, "Fri 16:00, Fri 16:30", id="nor one within a minute"),
    pytest.param(OFFICE, "2026-11-20 15:28", 30, 0, "Fri 15:30, Fri 16:00, Fri 16:30", id="two minutes are enough"),
    pytest.param(OFFICE, "2026-11-20 16:40", 240, 3, "Mon 12:00, Mon 16:00", id="over the weekend"),
    pytest.param(OFFICE, "2026-11-20 16:40", 30, 2, "", id="nothing in so few days"),
    pytest.param(NEVER, "2026-11-20 12:00", 30, 31, "", id="a page that nobody knows the hours of"),
    pytest.param(None, "2026-11-20 22:40", 30, 0, "Fri 23:00, Fri 23:30", id="always open: to midnight"),
    pytest.param(NIGHT, "2026-03-29 00:00", 30, 0, "Sun 02:00, Sun 02:30, Sun 04:00, Sun 04:30",
                 id="clocks go forward: from 3:00 to 4:00 there is no time"),
    pytest.param(NIGHT, "2026-10-25 00:00", 30, 0,
                 "Sun 02:00, Sun 02:30, Sun 03:00, Sun 03:30, Sun 04:00, Sun 04:30",
                 id="clocks go back: each time once"),
])  # fmt: skip
def test_slots(interval: TimeInterval | None, now: str, every_min: int, days: int, offered: str) -> None:
    found = slots(BUCHAREST, interval, at(now), every_min, days)
    assert ", ".join(told(found)) == offered


def test_of_an_hour_that_comes_twice_the_first_is_meant() -> None:
    found = slots(BUCHAREST, NIGHT, at("2026-10-25 00:00"), 60, 0)
    assert found == [at("2026-10-25 02:00"), at("2026-10-25 03:00", fold=0), at("2026-10-25 04:00")]
    assert at("2026-10-25 03:00", fold=1) - found[1] == 3600


@pytest.mark.parametrize(
    "zone", [BUCHAREST, SYDNEY, "America/St_Johns", "Asia/Kathmandu", "UTC", "Australia/Lord_Howe"],
)
@pytest.mark.parametrize("day", ["2026-03-28", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"])
def test_slots_are_ahead_in_order_open_and_told_as_they_were_meant(zone: str, day: str) -> None:
    interval = TimeInterval("day", zone, limits=(Limit(60, 240), Limit(22 * 60, 24 * 60)))
    now = at(f"{day} 01:20", zone)
    found = slots(zone, interval, now, 20, 2)
    assert found == sorted(set(found))
    assert found[0] > now
    assert all(is_open(interval, each) for each in found)
    assert all(int(told_hour(each, zone)[3:]) % 20 == 0 for each in found)
    assert len(set(told(found, zone))) == len(found)


def test_one_page_offers_so_many_at_most() -> None:
    assert len(slots("UTC", None, 0.0, 5, 31)) == MOST_SLOTS


@pytest.mark.parametrize(("interval", "ended", "after_s", "again"), [
    pytest.param(None, "2026-11-20 12:00", 600, "2026-11-20 12:10", id="always open"),
    pytest.param(OFFICE, "2026-11-20 12:00", 600, "2026-11-20 12:10", id="inside"),
    pytest.param(OFFICE, "2026-11-20 16:55", 600, "2026-11-23 09:00", id="closed then: when it opens"),
    pytest.param(NIGHT, "2026-03-29 02:55", 600, "2026-03-29 04:05", id="over the hour that is skipped"),
    pytest.param(NEVER, "2026-11-20 12:00", 600, None, id="it never opens"),
])  # fmt: skip
def test_next_try(interval: TimeInterval | None, ended: str, after_s: float, again: str | None) -> None:
    found = next_try(interval, at(ended), after_s, at(ended) + 7 * DAY_S)
    assert found == (None if again is None else at(again))


def test_a_try_that_would_be_too_late_is_none() -> None:
    friday = at("2026-11-20 16:55")
    assert next_try(OFFICE, friday, 600, friday + 2 * DAY_S) is None


@pytest.mark.parametrize(("outcome", "tries", "again"), [
    pytest.param(Outcome.BUSY, 0, True, id="busy"),
    pytest.param(Outcome.NO_ANSWER, 1, True, id="no answer"),
    pytest.param(Outcome.OFFLINE, 1, True, id="offline"),
    pytest.param(Outcome.BUSY, 2, False, id="often enough"),
    pytest.param(Outcome.DECLINED, 0, False, id="he does not want it"),
    pytest.param(Outcome.REFUSED, 0, False, id="he pressed 2"),
    pytest.param(Outcome.NOT_CONFIRMED, 0, False, id="he heard it"),
    pytest.param(Outcome.VISITOR_NO_ANSWER, 0, False, id="the visitor was called"),
    pytest.param(Outcome.CANCELLED, 0, False, id="cancelled"),
    pytest.param(Outcome.SHUT_DOWN, 0, False, id="the server stops"),
    pytest.param(None, 0, False, id="not over"),
])  # fmt: skip
def test_tried_again(outcome: Outcome | None, tries: int, again: bool) -> None:
    assert tried_again(outcome, CallNowSettings(tries=2), tries) is again


def test_off_nothing_is_tried_again() -> None:
    assert not any(tried_again(outcome, CallNowSettings(), 0) for outcome in Outcome)


@pytest.mark.parametrize(("ends", "until"), [
    pytest.param([], None, id="never called"),
    pytest.param([("visitor-no-answer", 100.0)], None, id="once"),
    pytest.param([("visitor-no-answer", 100.0), ("visitor-declined", 50.0)], 160.0, id="twice: from the last on"),
    pytest.param([("visitor-no-answer", 100.0), ("talked", 50.0)], None, id="a talk between"),
    pytest.param([("visitor-busy", 100.0), ("visitor-no-answer", 50.0), ("visitor-no-answer", 20.0)], None,
                 id="busy is there"),
    pytest.param([("visitor-no-answer", 100.0), ("visitor-no-answer", 50.0), ("talked", 20.0)], 160.0,
                 id="what was before does not matter"),
])  # fmt: skip
def test_quarantined_until(ends: list[tuple[str, float]], until: float | None) -> None:
    assert quarantined_until(ends, CallNowSettings(quarantine_after=2, quarantine_s=60)) == until
    assert quarantined_until(ends, CallNowSettings()) is None


@pytest.mark.parametrize(("moment", "now", "zone", "words"), [
    pytest.param("2026-11-20 14:35", "2026-11-20 14:20", BUCHAREST, "at 14:35", id="today"),
    pytest.param("2026-11-21 00:05", "2026-11-20 23:50", BUCHAREST, "on Saturday, 21 November, at 00:05",
                 id="tomorrow"),
    pytest.param("2026-11-20 14:35", "2026-11-20 14:20", SYDNEY, "at 23:35", id="by the owner's clock"),
    pytest.param("2026-11-20 15:30", "2026-11-20 14:20", SYDNEY, "on Saturday, 21 November, at 00:30",
                 id="another day there"),
])  # fmt: skip
def test_told_moment(moment: str, now: str, zone: str, words: str) -> None:
    assert told_moment(at(moment), at(now), zone) == words
