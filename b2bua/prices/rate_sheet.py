"""Tables of rates as CSV files (SPEC 73): read with the first bad line told, written so that they can be read again."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from b2bua.desk import NotDone
from b2bua.money import format_money
from b2bua.office.caller_sheet import inert
from b2bua.plan.checks import rate_faults
from b2bua.plan.entries import RateEntry
from b2bua.plan.reader import read_entry
from b2bua.plan.times import format_moment
from store.values import Rate

__all__ = ["COLUMNS", "MOST_BYTES", "read_rates", "write_rates"]

MOST_BYTES = 20_000_000
COLUMNS = (
    "prefix", "description", "connection_fee", "first_interval_s", "first_cost", "increment_s", "increment_cost",
    "minimum", "maximum", "interval", "valid_from", "valid_until",
)  # fmt: skip
_ALIASES = {
    "area code": "prefix", "code": "prefix", "setup cost": "connection_fee", "maximum charge": "maximum",
    "minimum charge": "minimum", "network": "network", "cost": "cost", "charge interval": "charge interval",
}  # fmt: skip
"""The columns of VoipNow's channel costs: the cost is that of each charge interval, the first included."""
_THEIRS = {
    "first_cost": "cost", "increment_cost": "cost", "first_interval_s": "charge interval",
    "increment_s": "charge interval",
}  # fmt: skip
_WHOLE = ("first_interval_s", "increment_s")
_PRICES = ("connection_fee", "first_cost", "increment_cost", "minimum", "cost")
"""At least one of them is said: what was cut off, or left out, is not free."""


def read_rates(data: bytes, table: str, separator: str = ",", *, plus: bool = False) -> list[tuple[int, RateEntry]]:
    """Each rate with its line; the first line names the columns.  Raises: NotDone with line, field and reason.

    `plus` puts one before each prefix that has none: carriers write country codes without.
    """
    if len(data) > MOST_BYTES:
        raise NotDone(f"The file is longer than {MOST_BYTES} bytes.")
    if len(separator) != 1 or separator in '"\r\n':
        raise NotDone("separator: expected one character", field="separator")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        raise bad_line(data.count(b"\n", 0, broken.start) + 1, "", "the file is not UTF-8 text") from broken
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return list(_entries(rows, table, plus=plus))
    except csv.Error as broken:
        raise bad_line(rows.line_num, "", f"not well-formed: {broken}") from broken


def bad_line(line: int, field: str, reason: str) -> NotDone:
    """The first thing wrong in a file."""
    return NotDone(f"Line {line}: {f'{field}: ' if field else ''}{reason}", field=field, line=line)


def _entries(rows: Any, table: str, *, plus: bool) -> Iterator[tuple[int, RateEntry]]:
    names: Sequence[str] | None = None
    first: dict[tuple[str, ...], int] = {}
    for row in rows:
        cells = [cell.strip().removeprefix("'") for cell in row]  # the ' of our own export
        if not any(cells):
            continue
        if names is None:
            names = _names(rows.line_num, cells)
            continue
        if len(cells) > len(names):
            raise bad_line(rows.line_num, "", f"{len(cells)} cells in a file of {len(names)} columns")
        named = dict(zip(names, cells, strict=False))
        if plus and named.get("prefix"):
            named["prefix"] = _with_plus(rows.line_num, named["prefix"])
        entry = _entry(rows.line_num, named, table)
        key = (entry.prefix, entry.interval, entry.valid_from)
        if (before := first.setdefault(key, rows.line_num)) != rows.line_num:
            raise bad_line(rows.line_num, "prefix", f'a second rate for "{entry.prefix}" (the first: line {before})')
        yield rows.line_num, entry
    if names is None:
        raise bad_line(1, "", "the file has no line")


def _with_plus(line: int, prefix: str) -> str:
    if prefix.startswith("0"):
        raise bad_line(line, "prefix", f'"{prefix}" is no country code: none begins with 0')
    return prefix if prefix.startswith("+") else f"+{prefix}"


def _names(line: int, cells: Sequence[str]) -> Sequence[str]:
    names = [_ALIASES.get(cell.lower(), cell.lower()) for cell in cells]
    known = {*COLUMNS, *_ALIASES.values()}
    for name in names:
        if name not in known or names.count(name) > 1:
            none = f"no such column; there are {', '.join(COLUMNS)}"
            raise bad_line(line, name, "there are two of this column" if name in known else none)
    if "prefix" not in names:
        raise bad_line(line, "prefix", "the first line names the columns, and this one must be there")
    return names


def _entry(line: int, cells: Mapping[str, str], table: str) -> RateEntry:
    values: dict[str, Any] = {key: text for key, text in cells.items() if text and key in COLUMNS}
    if network := cells.get("network"):
        values["description"] = " ".join(filter(None, (values.get("description"), network)))
    if cost := cells.get("cost"):
        values |= {"first_cost": cost, "increment_cost": cost}
    if every := cells.get("charge interval"):
        values |= dict.fromkeys(_WHOLE, every)
    for key in _WHOLE:
        if str(values.get(key, "")).isdecimal() and len(values[key]) < 10:
            values[key] = int(values[key])
    found = read_entry("rate", values | {"table": table})
    if isinstance(found, str):
        field, _, reason = found.partition(": ")
        theirs = _THEIRS.get(field, field)
        raise bad_line(line, theirs if theirs in cells else field, reason)
    if not re.fullmatch(r"\+?[0-9]*", found.prefix):
        raise bad_line(line, "prefix", "expected digits, with + before them in E.164")
    for key, sentence in rate_faults(found):
        raise bad_line(line, key, sentence.removeprefix(f"{key}: "))
    if not any(cells.get(key) for key in _PRICES):
        named = next((key for key in _PRICES if key in cells), "first_cost")
        raise bad_line(line, named, f'no price for "{found.prefix}": write 0 where calls are free')
    entry: RateEntry = found
    return entry


def write_rates(rates: Iterable[Rate], separator: str = ",") -> bytes:
    """The rates as CSV in UTF-8; no cell can be taken for a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(COLUMNS)
    writer.writerows([inert(cell) for cell in _cells(rate)] for rate in rates)
    return out.getvalue().encode("utf-8-sig")


def _cells(rate: Rate) -> list[str]:
    return [
        rate.prefix, rate.description, format_money(rate.connection_fee), str(rate.first_interval_s),
        format_money(rate.first_cost), str(rate.increment_s), format_money(rate.increment_cost),
        format_money(rate.minimum), "" if rate.maximum is None else format_money(rate.maximum), rate.interval,
        format_moment(rate.valid_from), format_moment(rate.valid_until),
    ]  # fmt: skip
