"""Reasons and costs in plain words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.explain import SENTENCES, cost_lines, cost_parts, sentence
from b2bua.outcome import Outcome
from b2bua.rules.admission import Reason
from b2bua.rules.code_admission import CodeRefusal
from b2bua.rules.numbers import NumberFault
from store.journal import MORE_REFUSED, OVERLOADED, RESTARTED, RINGING, SCHEDULED
from store.rates import charge, price
from store.values import Micros, Rate

FAR = Rate("00", "far", Micros(0), 60, Micros(500_000), 30, Micros(250_000))
FLAT = Rate("555", "local", Micros(120_000), 60, Micros(0), 60, Micros(0))
BY_30 = Rate("04", "mobile", Micros(0), 30, Micros(100_000), 30, Micros(100_000))
LEAST = Rate("7", "", Micros(0), 60, Micros(10_000), 60, Micros(10_000), minimum=Micros(50_000))
MOST = Rate("8", "", Micros(0), 60, Micros(10_000), 60, Micros(10_000), maximum=Micros(20_000))
ALL = Rate("9", "", Micros(50_000), 60, Micros(500_000), 30, Micros(250_000))


def test_every_reason_has_a_sentence_and_every_sentence_a_reason() -> None:
    others = {RESTARTED, RINGING, SCHEDULED, MORE_REFUSED, OVERLOADED}
    assert SENTENCES.keys() - {""} == {*Outcome, *Reason, *CodeRefusal, *NumberFault, *others}
    assert [text for text in SENTENCES.values() if not text.endswith(".")] == []


def test_a_word_of_another_version_is_shown_as_it_is() -> None:
    assert sentence("out-of-cheese") == "out-of-cheese"
    assert sentence("no-credit") == "There was not enough credit to begin."


@pytest.mark.parametrize(("rate", "seconds", "charged", "lines"), [
    pytest.param(FLAT, 200, 120_000, ["connection fee: 0.12", "total: 0.12 USD"], id="flat: one fee (SPEC 75)"),
    pytest.param(BY_30, 31, 200_000, ["first 30 s: 0.10", "1 x 30 s begun: 0.10", "total: 0.20 USD"],
                 id="a begun increment is paid whole"),
    pytest.param(FAR, 10, 500_000, ["first 60 s: 0.50", "total: 0.50 USD"], id="the first interval whole"),
    pytest.param(FAR, 61, 750_000, ["first 60 s: 0.50", "1 x 30 s begun: 0.25", "total: 0.75 USD"],
                 id="one second more"),
    pytest.param(ALL, 121, 1_300_000,
                 ["connection fee: 0.05", "first 60 s: 0.50", "3 x 30 s begun: 0.75", "total: 1.30 USD"], id="all"),
    pytest.param(replace(BY_30, free_s=60), 91, 200_000,
                 ["60 s of free minutes", "first 30 s: 0.10", "1 x 30 s begun: 0.10", "total: 0.20 USD"],
                 id="what comes after the free minutes"),
    pytest.param(replace(BY_30, free_s=60), 60.02, 0,
                 ["60 s of free minutes", "cut after 60 s, the end of what was paid", "total: 0.00 USD"],
                 id="cut at their end"),
    pytest.param(LEAST, 5, 50_000, ["first 60 s: 0.01", "raised to the minimum of 0.05: 0.04", "total: 0.05 USD"],
                 id="minimum (SPEC 74)"),
    pytest.param(MOST, 300, 20_000,
                 ["first 60 s: 0.01", "4 x 60 s begun: 0.04", "lowered to the maximum of 0.02: -0.03",
                  "total: 0.02 USD"], id="maximum (SPEC 73)"),
    pytest.param(BY_30, 90.2, 300_000,
                 ["first 30 s: 0.10", "2 x 30 s begun: 0.20", "cut after 90 s, the end of what was paid",
                  "total: 0.30 USD"], id="cut at the money's end"),
    pytest.param(BY_30, 200, 250_000,
                 ["first 30 s: 0.10", "1 x 30 s begun: 0.10", "as far as money was held: 0.05",
                  "cut after 60 s, the end of what was paid", "total: 0.25 USD"], id="no whole number of increments"),
    pytest.param(FAR, 61, 0, ["not charged: 0.00", "total: 0.00 USD"], id="a call back without a second leg (H5)"),
    pytest.param(Rate(), 61, 0, ["total: 0.00 USD"], id="free"),
])  # fmt: skip
def test_lines_of_a_cost(rate: Rate, seconds: float, charged: int, lines: list[str]) -> None:
    assert cost_lines(rate, seconds, Micros(charged), "USD") == lines


MONEY = st.integers(0, 10_000_000)
RATES = st.builds(
    Rate, st.just(""), st.just(""), MONEY, st.integers(0, 100), MONEY, st.integers(1, 100), MONEY, MONEY,
    st.none() | MONEY,
)  # fmt: skip


@given(RATES, st.integers(0, 10_000_000).map(lambda ms: ms / 1000), MONEY)
def test_the_parts_add_up_to_what_was_charged(rate: Rate, seconds: float, held: int) -> None:
    charged = charge(rate, seconds, Micros(held))
    assert sum(amount for _, amount in cost_parts(rate, seconds, charged)) == charged
    due = price(rate, seconds)
    assert sum(amount for _, amount in cost_parts(rate, seconds, due)) == due
