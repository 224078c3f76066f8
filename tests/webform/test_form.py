"""Reading the form, one row one fact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.webform.desk import JOHN
from webform.form import Filled, countries, missing, read


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
        pytest.param("", "5555555555", ["name"], id="name required"),
        pytest.param("Mary", "", ["phone"], id="number required"),
        pytest.param("", "", ["name", "phone"], id="both at once"),
    ],
)
def test_missing(name: str, phone: str, wrong: list[str]) -> None:
    assert [problem.field for problem in missing(Filled(name, phone), JOHN)] == wrong


def test_at08_a_page_that_asks_no_name_takes_none() -> None:
    assert missing(Filled("", "5555555555"), replace(JOHN, ask_name=False)) == []


def test_countries_are_sorted_by_name_without_accents() -> None:
    labels = [label for _, label in countries()]
    assert ("RO", "Romania (+40)") in countries()
    assert labels.index("Åland Islands (+358)") < labels.index("Albania (+355)") < labels.index("Zimbabwe (+263)")


@pytest.mark.parametrize(("when", "at"), [
    pytest.param("", None, id="now"),
    pytest.param("1795185000", 1_795_185_000.0, id="a time"),
    pytest.param("-", 0.0, id="nothing chosen"),
    pytest.param("tomorrow", 0.0, id="words"),
    pytest.param("-1795185000", 0.0, id="a sign"),
    pytest.param("\u0661\u0662", 0.0, id="digits of another script"),
    pytest.param("1795185000.5", 0.0, id="a fraction"),
    pytest.param("9" * 400, 999_999_999_999.0, id="too long"),
])  # fmt: skip
def test_a_time_that_nobody_offers_is_no_now(when: str, at: float | None) -> None:
    assert read({"when": when}, JOHN).at == at
