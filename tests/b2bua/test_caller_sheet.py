"""Lists of CallerIDs as files: what is read, what is refused with its line, and that no cell is a formula."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import openpyxl
import pytest

from b2bua.office.caller_sheet import (
    COLUMNS,
    MOST_BYTES,
    MOST_LINES,
    BadSheet,
    Cell,
    SheetLine,
    read_sheet,
    to_csv,
    to_xlsx,
)
from store.values import Micros

ROWS: list[list[Cell]] = [
    ["enabled", "+15551111111", "yes", Decimal("5.00"), Decimal("4.881234"), Decimal("0.12"), "USD", "2026-11-21"],
    ["disabled", "=cmd|' /C calc'!A0", "no", "unlimited", "unlimited", Decimal("-0.10"), "@SUM(A1)", "-1"],
]


@pytest.mark.parametrize(("text", "separator", "lines"), [
    pytest.param("5551111111,1234,A1,5.00", ",", [SheetLine(1, "5551111111", "1234", "A1", Micros(5_000_000))],
                 id="all four cells"),
    pytest.param("5551111111", ",", [SheetLine(1, "5551111111")], id="cells at the end may be missing"),
    pytest.param("5551111111,,,u\n5552222222,,,U\n5553333333,,,unlimited", ",",
                 [SheetLine(n, f"555{str(n) * 7}", credit=None) for n in (1, 2, 3)],
                 id="unlimited"),
    pytest.param(" 5551111111 ; 1234 ;; 0.12 \r\n", ";", [SheetLine(1, "5551111111", "1234", "", Micros(120_000))],
                 id="another separator, spaces, CRLF"),
    pytest.param("5551111111\t1234", "\t", [SheetLine(1, "5551111111", "1234")], id="tab"),
    pytest.param("\ufeffNumber,PIN,Order Number,Initial Credit\n\n5551111111\n,,,\n5552222222", ",",
                 [SheetLine(3, "5551111111"), SheetLine(5, "5552222222")], id="BOM, heading and empty lines"),
    pytest.param("'+15551111111", ",", [SheetLine(1, "+15551111111")], id="a number as our export writes it"),
    pytest.param('"+1 (555) 111-1111","12,34"', ",", [SheetLine(1, "+1 (555) 111-1111", "12,34")], id="quotes"),
])  # fmt: skip
def test_a_sheet_is_read(text: str, separator: str, lines: list[SheetLine]) -> None:
    assert read_sheet(text.encode(), separator) == lines


@pytest.mark.parametrize(("data", "separator", "line", "says"), [
    pytest.param(b"5551111111\n5552222222,1,2,3,4", ",", 2, "5 cells; expected number, pin", id="too many cells"),
    pytest.param(b"5551111111,,,0.1.2", ",", 1, "is no amount of money", id="no money"),
    pytest.param(b"5551111111,,,1\n\n5551111112,,,-1", ",", 3, "cannot be negative", id="negative"),
    pytest.param(b"5551111111,,,1000000000\n5551111112,,,1000000000.000001", ",", 2,
                 "initial credit: 1000000000.00 is the most at once", id="more than the most"),
    pytest.param(b"5551111111\n5552\xff", ",", 2, "not UTF-8", id="not UTF-8"),
    pytest.param(b'5551111111\n"555', ",", 2, "not well-formed", id="a quote that does not end"),
    pytest.param(b"5551111111,", ",,", 1, "one character", id="two separators"),
    pytest.param(b"5551111111,", '"', 1, "one character", id="a separator that quotes"),
    pytest.param(b"\n\n", ",", 1, "has no line", id="nothing"),
    pytest.param(b"number,PIN,order number,initial credit\n", ",", 1, "has no line", id="a heading alone"),
    pytest.param(b"5" * (MOST_BYTES + 1), ",", 1, "longer than", id="too long"),
    pytest.param(b"5551111111\n" * (MOST_LINES + 1), ",", MOST_LINES + 1, "more than", id="too many lines"),
])  # fmt: skip
def test_the_first_bad_line_is_told(data: bytes, separator: str, line: int, says: str) -> None:
    with pytest.raises(BadSheet, match=says) as bad:
        read_sheet(data, separator)
    assert bad.value.line == line


def test_csv_has_every_column_and_no_formula() -> None:
    written = [*csv.reader(io.StringIO(to_csv(ROWS).decode("utf-8-sig"), newline=""))]
    assert tuple(written[0]) == COLUMNS
    assert written[1] == ["enabled", "'+15551111111", "yes", "5.00", "4.881234", "0.12", "USD", "2026-11-21"]
    assert written[2][:3] == ["disabled", "'=cmd|' /C calc'!A0", "no"]
    assert written[2][3:] == ["unlimited", "unlimited", "'-0.10", "'@SUM(A1)", "'-1"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_begins_like_a_formula(start: str) -> None:
    assert to_csv([[f"{start}1+1"]]).decode("utf-8-sig").splitlines()[1].lstrip('"').startswith("'")


def test_a_workbook_has_texts_as_texts_and_money_as_numbers() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(to_xlsx(ROWS))).active
    assert sheet is not None
    heading, first, second = ([(cell.value, cell.data_type) for cell in row] for row in sheet.iter_rows())
    assert [value for value, _ in heading] == [*COLUMNS]
    assert first[1:6] == [("+15551111111", "s"), ("yes", "s"), (5, "n"), (4.881234, "n"), (0.12, "n")]
    assert second[1] == ("=cmd|' /C calc'!A0", "s")
    assert second[6] == ("@SUM(A1)", "s")
