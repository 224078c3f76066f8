"""The table of numbers, and that SIPp has the same ones."""

from pathlib import Path

import pytest

from b2bua.demo.table import ROWS, row_of

SCENARIOS = Path(__file__).parents[2] / "sipp_scenarios"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_row_has_its_sipp_scenario(row):
    assert (SCENARIOS / f"{row.scenario}.xml").is_file()


def test_each_number_is_there_once():
    assert [row.digits for row in ROWS] == [f"01{n:02}" for n in range(10)]


@pytest.mark.parametrize(
    ("number", "name"),
    [
        pytest.param("+12025550101", "busy", id="by its last digits"),
        pytest.param("0101", "busy", id="whatever stands before them"),
        pytest.param("+442079460000", "talks", id="any other number answers and talks"),
    ],
)
def test_row_of(number, name):
    assert row_of(number).name == name
