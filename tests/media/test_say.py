"""How English says numbers and money."""

from __future__ import annotations

import pytest

from media.prompt import Pack
from media.say import en

PACK = Pack.load("en")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(0, "0", id="zero"),
        pytest.param(13, "13", id="teen"),
        pytest.param(20, "20", id="ten"),
        pytest.param(21, "20 1", id="twenty-one"),
        pytest.param(100, "1 hundred", id="hundred"),
        pytest.param(115, "1 hundred 15", id="hundred and a teen"),
        pytest.param(1234, "1 thousand 2 hundred 30 4", id="thousands"),
        pytest.param(999_000, "9 hundred 90 9 thousand", id="hundreds of thousands"),
        pytest.param(2_000_001, "2 million 1", id="millions"),
        pytest.param(-7, "minus 7", id="minus"),
    ],
)
def test_number(value: int, said: str) -> None:
    assert " ".join(en.number(value)) == said


@pytest.mark.parametrize(
    ("micros", "currency", "said"),
    [
        pytest.param(4_880_000, "USD", "4 point 8 8 dollars", id="dollars and cents (AT-17)"),
        pytest.param(4_050_000, "USD", "4 point 0 5 dollars", id="a zero after the point"),
        pytest.param(1_000_000, "USD", "1 dollar", id="one dollar"),
        pytest.param(0, "EUR", "0 euros", id="nothing left"),
        pytest.param(120_000, "USD", "12 cents", id="cents"),
        pytest.param(10_000, "EUR", "1 cent", id="one cent"),
        pytest.param(10_000, "GBP", "1 penny", id="one penny"),
        pytest.param(9_999, "USD", "0 dollars", id="less than a cent is never rounded up"),
        pytest.param(-1_500_000, "USD", "minus 1 point 5 0 dollars", id="below zero"),
        pytest.param(120_000, "XYZ", "0 point 1 2", id="a currency without a name"),
    ],
)
def test_money(micros: int, currency: str, said: str) -> None:
    assert " ".join(en.money(micros, currency)) == said


def test_full_names_of_numbers_and_money() -> None:
    assert PACK.number(5) == ("en/5",)
    assert PACK.money(1_000_000, "USD") == ("en/1", "en/dollar")
