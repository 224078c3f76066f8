"""Money as people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.money import format_credit, format_money, parse_credit, parse_money
from store.values import Micros


@pytest.mark.parametrize(("text", "micros"), [
    ("0.12", 120_000), ("12", 12_000_000), ("-10", -10_000_000), ("0.000001", 1), ("0.5", 500_000),
    ("007.10", 7_100_000), ("0.0450000000", 45_000), ("-1.0000000", -1_000_000),
])
def test_parse_money(text: str, micros: int) -> None:
    assert parse_money(text) == micros


@pytest.mark.parametrize("text", [
    "", "1,5", ".5", "1.", "0.1234567", "0.12345600001", "1e3", "+1", "0.12 USD", "\u0661", "1" * 13, "1\n",
])
def test_no_amount_of_money(text: str) -> None:
    with pytest.raises(ValueError, match="no amount of money"):
        parse_money(text)


@pytest.mark.parametrize(("micros", "currency", "text"), [
    (120_000, "USD", "0.12 USD"), (0, "USD", "0.00 USD"), (-10_000_000, "", "-10.00"), (1, "EUR", "0.000001 EUR"),
    (12_345_600, "USD", "12.3456 USD"), (-500_000, "USD", "-0.50 USD"),
])
def test_format_money(micros: int, currency: str, text: str) -> None:
    assert format_money(Micros(micros), currency) == text


@given(st.integers(-10**17, 10**17).map(Micros))
def test_what_is_written_reads_back(micros: Micros) -> None:
    assert parse_money(format_money(micros)) == micros


@pytest.mark.parametrize(("text", "credit"), [("unlimited", None), ("5.00", 5_000_000), ("-10", -10_000_000)])
def test_credit_is_an_amount_or_unlimited(text: str, credit: int | None) -> None:
    assert parse_credit(text) == credit
    assert parse_credit(format_credit(parse_credit(text))) == credit


def test_credit_with_its_currency() -> None:
    assert [format_credit(credit, "EUR") for credit in (None, Micros(1))] == ["unlimited", "0.000001 EUR"]
