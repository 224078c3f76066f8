"""The page of the matrix: complete before it is written, and each dash has its reason."""

from __future__ import annotations

import re

from tests.interop.table import CANNOT, COLUMNS, PHONES, REMARKS, SERVERS, missing, page

CELLS = {(phone, column): "1.2.3" for phone in PHONES for column in COLUMNS if column not in CANNOT[phone]}
CELLS |= {(server, fact): "4.5.6" for server, facts in SERVERS.items() for fact in facts}


def test_a_cell_that_was_not_proven_is_missing() -> None:
    assert missing(CELLS) == []
    assert missing({cell: CELLS[cell] for cell in CELLS if cell != ("SIPp", "AT-01")}) == [("SIPp", "AT-01")]


def test_what_is_declared_is_a_cell() -> None:
    said = {column for declared in (CANNOT, REMARKS) for each in declared.values() for column in each}
    assert said <= {*COLUMNS}
    assert {*CANNOT, *REMARKS} <= {*PHONES}


def test_every_dash_and_remark_has_its_note() -> None:
    text = page(CELLS)
    notes = {number for number, _ in re.findall(r"^(\d+)\. (\w+): ", text, re.MULTILINE)}
    assert {*re.findall(r"\((\d+)\)", text)} == notes
    assert "| - |" not in text
    assert "baresip 1.2.3" in text
