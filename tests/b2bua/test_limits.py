"""How many requests are too many, and which one is the same again (SPEC A12.3, H10)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2bua.rules.admission import Reason
from b2bua.rules.limits import DAY, LimitNumbers, Limits, RecentRequests, TooMany


def test_the_limits_of_who_sets_none() -> None:
    """SPEC A12.3."""
    assert LimitNumbers() == LimitNumbers(per_ip_15_min=7, per_ip_day=15, numbers_per_ip_hour=3, per_number_day=10)


NONE = LimitNumbers(10**6, 10**6, 10**6, 10**6)


def take(limits: Limits, now: float, ip: str = "192.0.2.9", number: str = "5551", page: str = "john_doe",
         calls_a_day: int = 10**6) -> TooMany | None:
    """One request whose call is over at once."""
    answer = limits.take(now, ip=ip, number=number, page_id=page, calls_a_day=calls_a_day)
    if answer is None:
        limits.done(number)
    return answer


def test_seven_in_a_quarter_of_an_hour() -> None:
    limits = Limits(replace(NONE, per_ip_15_min=7))
    assert [take(limits, 10.0 * n) for n in range(7)] == [None] * 7
    assert take(limits, 100.0) == TooMany(Reason.IP_QUARTER_HOUR, 800)
    assert take(limits, 100.0, ip="192.0.2.10") is None
    assert take(limits, 899.5) == TooMany(Reason.IP_QUARTER_HOUR, 1)
    assert take(limits, 900.0) is None
    assert take(limits, 900.0) == TooMany(Reason.IP_QUARTER_HOUR, 10)


def test_fifteen_a_day() -> None:
    limits = Limits(replace(NONE, per_ip_day=15))
    assert [take(limits, 1000.0 * n) for n in range(15)] == [None] * 15
    assert take(limits, 15_000.0) == TooMany(Reason.IP_DAY, 71_400)
    assert take(limits, DAY) is None


def test_three_numbers_an_hour() -> None:
    limits = Limits(replace(NONE, numbers_per_ip_hour=3))
    assert [take(limits, at, number=number) for at, number in ((0, "1"), (10, "2"), (20, "3"), (30, "1"))] == [None] * 4
    assert take(limits, 40.0, number="4") == TooMany(Reason.IP_NUMBERS, 3570)
    assert take(limits, 40.0, number="2") is None
    assert take(limits, 40.0, number="4", ip="192.0.2.10") is None
    assert take(limits, 3620.0, number="4") is None


def test_no_numbers_an_hour_is_no_call_at_all() -> None:
    assert take(Limits(replace(NONE, numbers_per_ip_hour=0)), 0.0) == TooMany(Reason.IP_NUMBERS)


def test_a_number_is_called_ten_times_a_day_whoever_asks() -> None:
    limits = Limits(replace(NONE, per_number_day=2))
    assert [take(limits, 0.0, ip=f"192.0.2.{n}") for n in range(3)] == [None, None, TooMany(Reason.NUMBER_DAY, 86_400)]


def test_a_links_calls_a_day_are_its_own() -> None:
    limits = Limits(NONE)
    assert [take(limits, 0.0, calls_a_day=1) for _ in range(2)] == [None, TooMany(Reason.LINK_CALLS_TODAY, 86_400)]
    assert take(limits, 0.0, page="jane", calls_a_day=1) is None
    assert take(limits, 0.0, page="none", calls_a_day=0) == TooMany(Reason.LINK_CALLS_TODAY)


def test_one_pending_request_per_number() -> None:
    limits = Limits(NONE)
    asked = {"number": "5551", "page_id": "john_doe", "calls_a_day": 9}
    assert limits.take(0.0, ip="192.0.2.9", **asked) is None  # type: ignore[arg-type]
    assert limits.take(1.0, ip="192.0.2.10", **asked) == TooMany(Reason.NUMBER_PENDING)  # type: ignore[arg-type]
    limits.done("5551")
    limits.done("5551")
    assert limits.take(2.0, ip="192.0.2.10", **asked) is None  # type: ignore[arg-type]


def wait(limits: Limits, now: float, due: float, ip: str = "192.0.2.9", calls_a_day: int = 1) -> TooMany | None:
    """One request that is called at another time."""
    return limits.take(now, ip=ip, number="5551", page_id="john_doe", calls_a_day=calls_a_day, due=due)


def test_a_request_that_waits_counts_on_the_day_of_its_call_and_holds_its_place() -> None:
    limits = Limits(NONE)
    assert wait(limits, 0.0, 3 * DAY) is None
    assert take(limits, 0.0, calls_a_day=1) is None, "another day"
    assert take(limits, 2.5 * DAY, calls_a_day=1) == TooMany(Reason.LINK_CALLS_TODAY, 129_600)
    assert wait(limits, 0.0, 2.5 * DAY) == TooMany(Reason.LINK_CALLS_TODAY, 345_600)
    assert take(limits, 3.5 * DAY, calls_a_day=1) == TooMany(Reason.LINK_CALLS_TODAY, 43_200)
    assert take(limits, 4 * DAY, calls_a_day=1) is None


def test_a_request_that_waits_is_not_pending_until_its_call_begins() -> None:
    limits = Limits(NONE)
    assert wait(limits, 0.0, 3 * DAY) is None
    assert take(limits, 1.0) is None
    assert (limits.begin("5551"), limits.begin("5551")) == (True, False)
    assert take(limits, 2.0) == TooMany(Reason.NUMBER_PENDING)
    assert wait(limits, 2.0, 9 * DAY) is None
    limits.done("5551")
    assert take(limits, 3.0) is None


def test_a_place_is_free_again_when_it_is_given_up_and_the_visitor_has_asked_all_the_same() -> None:
    limits = Limits(replace(NONE, per_ip_day=2))
    assert wait(limits, 0.0, 3 * DAY) is None
    limits.release(3 * DAY, number="5551", page_id="john_doe")
    limits.release(3 * DAY, number="5551", page_id="john_doe")
    limits.release(3 * DAY, number="nobody", page_id="nothing")
    assert wait(limits, 0.0, 3 * DAY) is None
    assert wait(limits, 0.0, 9 * DAY) == TooMany(Reason.IP_DAY, 86_400)


@pytest.mark.parametrize(("most", "waiting", "too_many"), [(1, 0, False), (1, 1, True), (0, 0, True), (3, 2, False)])
def test_requests_of_one_number_that_wait(most: int, waiting: int, too_many: bool) -> None:
    assert Limits(replace(NONE, waiting_per_number=most)).too_many_waiting(waiting) is too_many


def test_a_refused_request_counts_nothing() -> None:
    limits = Limits(replace(NONE, per_ip_15_min=1))
    assert take(limits, 0.0) is None
    for at in (100.0, 500.0, 899.0):
        assert take(limits, at) is not None
    assert take(limits, 900.0) is None


def test_what_is_undone_counts_nothing_and_what_was_before_still_does() -> None:
    limits = Limits(replace(NONE, per_ip_15_min=2, per_number_day=2))
    asked = {"ip": "192.0.2.9", "number": "5551", "page_id": "john_doe"}
    for at in (0.0, 100.0):
        assert limits.take(at, **asked, calls_a_day=2) is None  # type: ignore[arg-type]
        limits.done("5551")
    limits.undo(100.0, **asked)
    assert take(limits, 899.0, calls_a_day=2) is None
    assert take(limits, 899.5) == TooMany(Reason.IP_QUARTER_HOUR, 1), "the one of second 0 still counts"


def test_requests_before_a_restart_are_noted() -> None:
    limits = Limits(replace(NONE, per_ip_15_min=1))
    limits.note(0.0, ip="192.0.2.9", number="5551", page_id="john_doe")
    assert take(limits, 10.0) == TooMany(Reason.IP_QUARTER_HOUR, 890)


@pytest.mark.parametrize(("first", "second", "same"), [
    pytest.param("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True, id="one /64 is one visitor"),
    pytest.param("2001:db8:1:2::1", "2001:db8:1:3::1", False, id="two /64 are two"),
    pytest.param("192.0.2.9", "::ffff:192.0.2.9", True, id="an IPv4 visitor on an IPv6 socket"),
    pytest.param("192.0.2.9", "192.0.2.8", False, id="two addresses"),
])
def test_who_is_one_visitor(first: str, second: str, same: bool) -> None:
    limits = Limits(replace(NONE, per_ip_15_min=1))
    assert take(limits, 0.0, ip=first) is None
    assert (take(limits, 1.0, ip=second) is not None) is same


def test_what_is_remembered_is_bounded_and_the_longest_unused_goes_first() -> None:
    limits = Limits(replace(NONE, per_ip_15_min=2), most_keys=2)
    for at, ip in enumerate(("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3")):
        assert take(limits, float(at), ip=ip) is None
    assert take(limits, 4.0, ip="192.0.2.1") is not None
    assert [take(limits, 5.0, ip="192.0.2.2") for _ in range(3)] == [None, None, TooMany(Reason.IP_QUARTER_HOUR, 900)]


REQUEST = {"page_id": "john_doe", "ip": "192.0.2.9", "number": "5551"}


@pytest.mark.parametrize(("at", "changed", "token"), [
    pytest.param(29.9, {}, "t1", id="AT-05: again within 30 s"),
    pytest.param(30.0, {}, None, id="after 30 s"),
    pytest.param(1.0, {"number": "5552"}, None, id="another number"),
    pytest.param(1.0, {"ip": "192.0.2.8"}, None, id="another visitor"),
    pytest.param(1.0, {"page_id": "jane"}, None, id="another page"),
])
def test_recent_requests(at: float, changed: dict[str, str], token: str | None) -> None:
    recent = RecentRequests()
    recent.remember(0.0, "t1", **REQUEST)
    assert recent.find(at, **{**REQUEST, **changed}) == token


def test_recent_requests_are_bounded_and_can_be_forgotten() -> None:
    recent = RecentRequests(most_keys=2)
    for number in "123":
        recent.remember(0.0, number, page_id="a", ip="b", number=number)
    assert [recent.find(1.0, page_id="a", ip="b", number=number) for number in "123"] == [None, "2", "3"]
    recent.forget(page_id="a", ip="b", number="2")
    recent.forget(page_id="a", ip="b", number="2")
    assert recent.find(1.0, page_id="a", ip="b", number="2") is None
