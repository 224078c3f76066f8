"""Reading and judging the form, one row one fact."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webform.desk import JOHN
from webform.form import MAX_NAME, MAX_NUMBER, Filled, countries, problems, read


@pytest.mark.parametrize(
    ("fields", "filled"),
    [
        pytest.param({}, Filled(country="US"), id="nothing"),
        pytest.param({"name": " Mary ", "phone": " 555 "}, Filled("Mary", "555", "US"), id="blanks around are dropped"),
        pytest.param({"name": "\u00a0\u200b\u2003"}, Filled(country="US"), id="a name of unseen blanks is none"),
        pytest.param({"myname": "Mary"}, Filled("Mary", country="US"), id="the one-step name"),
        pytest.param({"country": "RO"}, Filled(country="RO"), id="a chosen country"),
        pytest.param({"country": "XX"}, Filled(country="US"), id="no such country: the page's"),
        pytest.param({"nonce": "n" * 65}, Filled(country="US", nonce="n" * 64), id="a nonce is kept short"),
        pytest.param(
            {"challenge": "c", "captcha": "1 2"}, Filled(country="US", challenge="c", captcha="1 2"), id="digits"
        ),
    ],
)
def test_read(fields: dict[str, str], filled: Filled) -> None:
    assert read(fields, JOHN) == filled


@pytest.mark.parametrize(
    ("name", "phone", "wrong"),
    [
        pytest.param("Mary", "5555555555", [], id="fine"),
        pytest.param("Zoë O'Neil 李", "+40 21 555", [], id="any script"),
        pytest.param("", "5555555555", ["name"], id="name required"),
        pytest.param("Mary", "", ["phone"], id="number required"),
        pytest.param("", "", ["name", "phone"], id="both at once"),
        pytest.param("M" * MAX_NAME, "1" * MAX_NUMBER, [], id="longest"),
        pytest.param("M" * (MAX_NAME + 1), "1" * (MAX_NUMBER + 1), ["name", "phone"], id="too long"),
        pytest.param("Mary\r\nTo: x", "555\r\n", ["name", "phone"], id="CR and LF"),
        pytest.param("Ma\x00ry", "5\x7f5", ["name", "phone"], id="control characters"),
        pytest.param("Ma\u2028ry", "5\u202e5", ["name", "phone"], id="line separators and direction overrides"),
        pytest.param("Ma\ud800ry", "555", ["name"], id="half a surrogate pair"),
    ],
)
def test_problems(name: str, phone: str, wrong: list[str]) -> None:
    assert [problem.field for problem in problems(Filled(name, phone), JOHN)] == wrong


def test_at08_a_page_that_asks_no_name_takes_none() -> None:
    assert problems(Filled("", "5555555555"), replace(JOHN, ask_name=False)) == []


@given(st.text(max_size=100), st.text(max_size=60))
def test_no_line_break_ever_passes(name: str, phone: str) -> None:
    if not problems(Filled(name, phone), JOHN):
        assert (name + phone).splitlines() == [name + phone]


def test_countries_are_sorted_by_name_without_accents() -> None:
    labels = [label for _, label in countries()]
    assert ("RO", "Romania (+40)") in countries()
    assert labels.index("Åland Islands (+358)") < labels.index("Albania (+355)") < labels.index("Zimbabwe (+263)")
