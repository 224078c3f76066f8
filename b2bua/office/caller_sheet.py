"""Lists of authorised CallerIDs as files: the upload of rule 62, and the exports of rules 54 and 56."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from xlsxwriter import Workbook  # type: ignore[import-untyped]

from b2bua.desk import NotDone
from b2bua.office.jobs import credit
from store.values import Micros

__all__ = ["COLUMNS", "MOST_BYTES", "MOST_LINES", "BadSheet", "Cell", "SheetLine", "inert", "read_sheet", "to_csv",
           "to_xlsx"]  # fmt: skip

MOST_BYTES = 1_000_000
MOST_LINES = 1_000
"""All are written in one transaction, and in its second or two no call can hold or settle money."""
COLUMNS = ("Status", "Callback Number", "PIN", "Total Credit", "Available Credit", "Cost of Calls", "Currency",
           "Created (UTC)")  # fmt: skip
_PATTERN = ("number", "pin", "order number", "initial credit")
Cell = str | Decimal


class BadSheet(Exception):
    """The file cannot be taken; nothing of it was."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(f"line {line}: {sentence}")
        self.line, self.sentence = line, sentence


@dataclass(frozen=True, slots=True)
class SheetLine:
    """One line of an upload."""

    line: int
    number: str
    """As it was typed."""
    pin: str = field(default="", repr=False)
    order_number: str = ""
    credit: Micros | None = Micros(0)
    """None: unlimited."""


def read_sheet(data: bytes, separator: str = ",") -> list[SheetLine]:
    """Read `number, PIN, order number, initial credit` a line, `u` or `unlimited`; cells at the end may be missing.

    Raises: BadSheet with the first bad line.
    """
    if len(data) > MOST_BYTES:
        raise BadSheet(1, f"the file is longer than {MOST_BYTES} bytes: split it")
    if len(separator) != 1 or separator in '"\r\n':
        raise BadSheet(1, "the separator is one character")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        raise BadSheet(data.count(b"\n", 0, broken.start) + 1, "the file is not UTF-8 text") from broken
    lines = list(_lines(text, separator))
    if not lines:
        raise BadSheet(1, "the file has no line")
    return lines


def _lines(text: str, separator: str) -> Iterable[SheetLine]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    count = 0
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or tuple(cell.lower() for cell in cells) == _PATTERN:
                continue
            count += 1
            if count > MOST_LINES:
                raise BadSheet(rows.line_num, f"more than {MOST_LINES} lines: split the file")
            yield _line(rows.line_num, cells)
    except csv.Error as broken:
        raise BadSheet(rows.line_num, f"not well-formed: {broken}") from broken


def _line(number: int, cells: Sequence[str]) -> SheetLine:
    if len(cells) > len(_PATTERN):
        raise BadSheet(number, f"{len(cells)} cells; expected {', '.join(_PATTERN)}")
    caller, pin, order, cell = (*cells, *[""] * (len(_PATTERN) - len(cells)))
    try:
        amount = None if cell.lower() == "u" else credit(cell or "0", "initial credit")
    except NotDone as wrong:
        raise BadSheet(number, f'{wrong.sentence.removesuffix(".")}, or "u" for unlimited') from wrong
    if amount is not None and amount < 0:
        raise BadSheet(number, "initial credit: it cannot be negative")
    return SheetLine(number, caller.removeprefix("'"), pin, order, amount)  # the ' of our own export


def to_csv(rows: Iterable[Sequence[Cell]], separator: str = ",") -> bytes:
    """The list as CSV, in UTF-8 with the mark that spreadsheets ask for; no cell can be taken for a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(COLUMNS)
    writer.writerows([inert(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def inert(cell: Cell) -> str:
    """OWASP "CSV injection": a cell that begins like a formula is shown as text after an apostrophe."""
    text = str(cell)
    return f"'{text}" if re.match(r"[=+\-@\t\r\n]", text) else text


def to_xlsx(rows: Iterable[Sequence[Cell]]) -> bytes:
    """The list as an Excel workbook: texts stay texts, money is a number."""
    out = io.BytesIO()
    book = Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet("Authorized CallerIDs")
    bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "0.00####"})
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(COLUMNS) - 1, 18)
    sheet.write_row(0, 0, COLUMNS, bold)
    for n, row in enumerate(rows, 1):
        for column, cell in enumerate(row):
            if isinstance(cell, Decimal):
                sheet.write_number(n, column, cell, money)
            else:
                sheet.write_string(n, column, cell)
    book.close()
    return out.getvalue()
