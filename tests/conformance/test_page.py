"""docs/conformance.md says what the code does."""

from __future__ import annotations

import re

from tests.conformance.loss import KINDS, LOSSES
from tests.conformance.page import PAGE, between, conformance


def test_the_tables_of_torture_messages_are_what_comes_of_them() -> None:
    assert between(PAGE.read_text(), "torture") == f"\n{conformance()}\n", "python -m scripts.conformance"


def test_the_goals_are_met() -> None:
    valid, served = re.search(r"valid messages, (\d+) of (\d+) served", conformance()).groups()  # type: ignore[union-attr]
    refused, invalid = re.search(r"messages, (\d+) of (\d+) requests refused", conformance()).groups()  # type: ignore[union-attr]
    assert (int(valid), int(served), int(invalid)) == (13, 13, 17)
    assert int(refused) >= 15


def test_the_figures_of_a_bad_wire_are_there_and_reach_the_goals() -> None:
    rows = re.findall(
        r"^\| (.+?) \| (\d+)% \|.*\| ([\d.]+)% \| ([\d.]+)% \|$", between(PAGE.read_text(), "loss"), re.MULTILINE
    )
    assert {(kind, int(loss)) for kind, loss, _, _ in rows} == {
        (kind, round(100 * p)) for kind in KINDS for p in LOSSES
    }
    assert [row for row in rows if float(row[2]) < float(row[3])] == []
