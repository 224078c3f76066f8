"""What the legs of a call cost when their server died."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.crash import DeadLeg, owed
from store.rates import charge, price
from store.values import Micros, Rate

MOBILE = Rate("04", "", Micros(0), 30, Micros(100), 30, Micros(100))


def leg(answered: float | None, ended: float) -> DeadLeg:
    return DeadLeg("pstn", "001*900", "0402", MOBILE, 10.0, answered, ended)


@pytest.mark.parametrize(("legs", "held", "costs"), [
    pytest.param([], 0, [], id="nobody"),
    pytest.param([leg(None, 50.0)], 300, [0], id="not answered"),
    pytest.param([leg(20.0, 51.0)], 300, [200], id="31 s"),
    pytest.param([leg(20.0, 20.0)], 300, [100], id="answered and gone: the first interval"),
    pytest.param([leg(20.0, 19.0)], 300, [100], id="last seen before its answer was written down"),
    pytest.param([leg(20.0, 50.02)], 100, [100], id="20 ms beyond the money are free"),
    pytest.param([leg(20.0, 90.0), leg(20.0, 90.0)], 600, [300, 300], id="both legs"),
    pytest.param([leg(20.0, 80.02), leg(None, 80.02), leg(50.0, 80.02)], 300, [200, 0, 100],
                 id="the moment when the sum is used up ends both"),
    pytest.param([leg(20.0, 60.0), leg(50.2, 60.0)], 200, [200, 0], id="nothing is left for the first interval of one"),
    pytest.param([leg(20.0, 30.0), leg(20.0, 30.0)], 150, [100, 50], id="not even the first moment of both is paid"),
])
def test_owed(legs: list[DeadLeg], held: int, costs: list[int]) -> None:
    assert owed(legs, held) == costs


amounts = st.integers(0, 500).map(Micros)
some_rates = st.builds(
    Rate, connection_fee=amounts, first_interval_s=st.integers(0, 90), first_cost=amounts,
    increment_s=st.integers(1, 90), increment_cost=amounts,
)
some_legs = st.builds(
    DeadLeg, st.just("pstn"), st.just(""), st.just(""), some_rates, st.just(0.0),
    st.none() | st.integers(0, 300).map(float), st.integers(0, 300).map(float),
)


@given(st.lists(some_legs, max_size=4), st.integers(0, 5_000))
def test_never_more_than_the_price_nor_than_what_is_held(legs: list[DeadLeg], held: int) -> None:
    costs = owed(legs, held)
    assert sum(costs) <= held
    for each, cost in zip(legs, costs, strict=True):
        assert 0 <= cost <= (0 if each.answered is None else price(each.rate, each.talk_s))
    if sum(price(each.rate, each.talk_s) for each in legs if each.answered is not None) <= held:
        assert costs == [0 if each.answered is None else price(each.rate, each.talk_s) for each in legs]


@given(some_rates, st.integers(0, 300), st.integers(0, 5_000).map(Micros))
def test_one_leg_costs_what_the_meter_says(rate: Rate, seconds: int, held: Micros) -> None:
    alone = DeadLeg("pstn", "", "", rate, 0.0, 0.0, float(seconds))
    assert owed([alone], held) == [charge(rate, seconds, held)]
