"""Prices, to the micro and to the second (SPEC 72, 74, 75, AT-12)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.rates import charge, find_rate, free_used, price, price_a_minute, talk_seconds
from store.values import Micros, Rate

LOCAL = Rate("555", connection_fee=Micros(120_000))
MOBILE = Rate("04", "", Micros(0), 30, Micros(100_000), 30, Micros(100_000))
ABROAD = Rate("00", "", Micros(0), 60, Micros(500_000), 30, Micros(250_000))
SECONDS = Rate("", "", Micros(0), 0, Micros(0), 1, Micros(1_000))
ODD = Rate("", "", Micros(7), 13, Micros(11), 6, Micros(3), minimum=Micros(20), maximum=Micros(90))


@pytest.mark.parametrize(("rate", "seconds", "micros"), [
    pytest.param(LOCAL, 200, 120_000, id="AT-12: 200 s at 0.12 flat"),
    pytest.param(LOCAL, 36_000, 120_000, id="flat is flat after ten hours"),
    pytest.param(MOBILE, 31, 200_000, id="AT-12: 31 s at 0.10 per 30 s"),
    pytest.param(MOBILE, 30, 100_000, id="30 s exactly is one interval"),
    pytest.param(ABROAD, 10, 500_000, id="AT-12: 10 s, the first 60 s are charged whole"),
    pytest.param(ABROAD, 61, 750_000, id="AT-12: 61 s begins one increment"),
    pytest.param(ABROAD, 60.0004, 500_000, id="dust below a millisecond begins nothing"),
    pytest.param(ABROAD, 60.001, 750_000, id="one millisecond begins an increment"),
    pytest.param(ABROAD, 0, 500_000, id="answered and gone at once: the first interval"),
    pytest.param(SECONDS, 0, 0, id="no indivisible interval: nothing talked, nothing owed"),
    pytest.param(SECONDS, 0.2, 1_000, id="a second begun"),
    pytest.param(ODD, 1, 20, id="minimum"),
    pytest.param(ODD, 14, 21, id="fee, first interval, one increment"),
    pytest.param(ODD, 1000, 90, id="maximum"),
])
def test_price(rate: Rate, seconds: float, micros: int) -> None:
    assert price(rate, seconds) == micros


@pytest.mark.parametrize(("rate", "micros"), [
    pytest.param(LOCAL, 120_000, id="the fee is in the first minute"),
    pytest.param(MOBILE, 200_000, id="two intervals of 30 s"),
    pytest.param(ABROAD, 500_000, id="the first minute and the later ones cost the same"),
    pytest.param(SECONDS, 60_000, id="per second"),
    pytest.param(Rate("", "", Micros(0), 60, Micros(0), 90, Micros(100)), 67, id="later minutes, rounded up"),
])
def test_price_a_minute(rate: Rate, micros: int) -> None:
    assert price_a_minute(rate) == micros


@pytest.mark.parametrize(("credit", "rate", "seconds"), [
    pytest.param(None, MOBILE, None, id="unlimited credit: no limit"),
    pytest.param(0, MOBILE, 0, id="no credit: no call"),
    pytest.param(99_999, MOBILE, 0, id="one micro short of the first interval"),
    pytest.param(100_000, MOBILE, 30, id="exactly the first interval"),
    pytest.param(300_000, MOBILE, 90, id="AT-19: 0.30 talks 90 s"),
    pytest.param(399_999, MOBILE, 90, id="what buys no whole increment buys nothing"),
    pytest.param(120_000, LOCAL, None, id="flat and paid: no limit"),
    pytest.param(119_999, LOCAL, 0, id="flat and not paid"),
    pytest.param(750_000, ABROAD, 90, id="first interval and one increment"),
    pytest.param(5_000, SECONDS, 5, id="per second"),
    pytest.param(90, ODD, None, id="the maximum is paid: no limit"),
    pytest.param(89, ODD, 13 + 23 * 6, id="just below the maximum"),
    pytest.param(19, ODD, 0, id="below the minimum"),
])
def test_talk_seconds(credit: int | None, rate: Rate, seconds: int | None) -> None:
    assert talk_seconds(None if credit is None else Micros(credit), rate) == seconds


@pytest.mark.parametrize(("seconds", "held", "micros"), [
    pytest.param(90.02, 300_000, 300_000, id="the cut came 20 ms late: they are free"),
    pytest.param(60.02, 250_000, 200_000, id="a remainder that bought nothing is not taken"),
    pytest.param(31, 600_000, 200_000, id="not cut: the price"),
    pytest.param(31, 50_000, 50_000, id="never above the held money"),
])
def test_charge(seconds: float, held: int, micros: int) -> None:
    assert charge(MOBILE, seconds, Micros(held)) == micros


def test_charge_of_a_talk_without_limit() -> None:
    assert charge(LOCAL, 7200, Micros(120_000)) == 120_000


amounts = st.integers(0, 10_000).map(Micros)
some_rates = st.builds(
    Rate, connection_fee=amounts, first_interval_s=st.integers(0, 90), first_cost=amounts,
    increment_s=st.integers(1, 90), increment_cost=amounts, minimum=amounts,
    maximum=st.none() | st.integers(10_000, 50_000).map(Micros),
)


@given(some_rates, st.integers(0, 100_000).map(Micros))
def test_the_seconds_of_a_credit_are_all_it_pays_for(rate: Rate, credit: Micros) -> None:
    seconds = talk_seconds(credit, rate)
    if seconds is None:
        assert price(rate, 10**7) <= credit
    elif seconds == 0:
        assert price(rate, 1) > credit
    else:
        assert price(rate, seconds) <= credit < price(rate, seconds + 1)


def test_free_seconds_come_before_all_that_is_paid() -> None:
    rate = replace(ABROAD, free_s=60)
    assert [price(rate, seconds) for seconds in (0, 60, 60.0004, 60.001, 120, 121)] == [
        0, 0, 0, 500_000, 500_000, 750_000,
    ]  # fmt: skip
    assert [talk_seconds(Micros(credit), rate) for credit in (0, 499_999, 500_000, 750_000)] == [60, 60, 120, 150]


@pytest.mark.parametrize(("free_s", "seconds", "used"), [
    (60, 0.0, 0), (60, 0.0004, 0), (60, 0.001, 1), (60, 59.5, 60), (60, 90, 60), (0, 5, 0),
])  # fmt: skip
def test_free_used(free_s: int, seconds: float, used: int) -> None:
    assert free_used(free_s, seconds) == used


@given(some_rates, st.floats(0, 1000), st.floats(0, 1000), st.integers(0, 200))
def test_a_longer_talk_never_costs_less(rate: Rate, one: float, other: float, free_s: int) -> None:
    rate = replace(rate, free_s=free_s)
    assert price(rate, min(one, other)) <= price(rate, max(one, other))


@given(some_rates, st.integers(0, 3_000).map(Micros), st.integers(0, 20))
def test_the_cut_is_where_counting_second_by_second_finds_it(rate: Rate, credit: Micros, free_s: int) -> None:
    rate = replace(rate, free_s=free_s)
    counted = next((second for second in range(1, 2000) if price(rate, second) > credit), None)
    found = talk_seconds(credit, rate)
    assert counted == (None if found is None or found >= 1999 else found + 1)


WORKDAY = "workday"
TABLE = {
    "": [Rate("")],
    "04": [Rate("04", "day", interval=WORKDAY), Rate("04", "newer", valid_from=100.0), Rate("04", "older")],
    "044": [Rate("044", "ended", valid_until=50.0)],
    "0441": [Rate("0441", "to come", valid_from=200.0)],
    "0442": [Rate("0442", "day", interval=WORKDAY)],
}


@pytest.mark.parametrize(("number", "at", "work", "found"), [
    pytest.param("5550", 0, False, "", id="the empty prefix is for all"),
    pytest.param("0402", 0, False, "04 older", id="the price of its date"),
    pytest.param("0402", 99.9, False, "04 older", id="until the new one comes"),
    pytest.param("0402", 100, False, "04 newer", id="from its first moment on"),
    pytest.param("0402", 100, True, "04 day", id="a price for a time of day comes first"),
    pytest.param("0440", 49, False, "044 ended", id="the longest prefix wins"),
    pytest.param("0440", 50, False, "04 older", id="at its end it counts no more: a shorter prefix"),
    pytest.param("0441", 150, False, "04 newer", id="a prefix whose price is still to come"),
    pytest.param("04", 0, False, "04 older", id="the number is the prefix"),
    pytest.param("0442", 60, False, "04 older", id="outside its time of day a shorter prefix"),
    pytest.param("0442", 0, True, "0442 day", id="inside"),
])
def test_find_rate(number: str, at: float, work: bool, found: str) -> None:
    rate = find_rate(TABLE, number, at, lambda name: work and name == WORKDAY)
    assert rate is not None
    assert f"{rate.prefix} {rate.description}".strip() == found


def test_no_rate_no_call() -> None:
    assert find_rate({"04": [Rate("04")]}, "1555", 0.0, lambda _: True) is None
