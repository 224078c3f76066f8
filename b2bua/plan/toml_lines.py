"""On which line of a TOML text each table and key stands: tomllib does not say, and errors must."""

from __future__ import annotations

import re

__all__ = ["Path", "key_lines", "line_of"]

Path = tuple[str | int, ...]
"""For example `("extension", 0, "callnow", "id")`: the index counts the tables of one `[[extension]]` array."""

_PART = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*\.?""")
_HEADER = re.compile(r"\s*(\[\[?)((?:[^\]\"']|\"[^\"]*\"|'[^']*')+)\]")
_KEY = re.compile(r"""\s*((?:(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)\s*\.?\s*)+)=""")
_TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\])*"|\'[^\']*\'|#.*|[\[\]{}]')


def key_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table header and key of a valid TOML text; keys of inline tables are left out."""
    lines: dict[Path, int] = {}
    arrays: dict[Path, int] = {}
    table: Path = ()
    inside = _Inside()
    for number, line in enumerate(text.split("\n"), 1):
        if inside:
            inside.read(line)
        elif header := _HEADER.match(line):
            table = _resolve(_parts(header[2]), arrays, new=header[1] == "[[")
            for path in (table, table[:-1] if isinstance(table[-1], int) else table):
                lines.setdefault(path, number)
        elif key := _KEY.match(line):
            parts = _parts(key[1])
            for length in range(1, len(parts) + 1):
                lines.setdefault((*table, *parts[:length]), number)
            inside.read(line[key.end():])
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of the path, or of the nearest table around it."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _parts(dotted: str) -> list[str]:
    return [next(part for part in found if part is not None) for found in _groups(dotted)]


def _groups(dotted: str) -> list[tuple[str | None, ...]]:
    return [found.groups() for found in _PART.finditer(dotted)]


def _resolve(parts: list[str], arrays: dict[Path, int], *, new: bool) -> Path:
    """The path of a header: below an array of tables it means the newest one; `[[...]]` opens another."""
    path: Path = ()
    for position, part in enumerate(parts, 1):
        path = (*path, part)
        if new and position == len(parts):
            arrays[path] = arrays.get(path, -1) + 1
        if path in arrays:
            path = (*path, arrays[path])
    return path


class _Inside:
    """Whether the text is inside a value that goes on over lines: a list, or a string of three quotes."""

    def __init__(self) -> None:
        self._quotes = ""
        self._depth = 0

    def __bool__(self) -> bool:
        return bool(self._quotes) or self._depth > 0

    def read(self, line: str) -> None:
        """Read one line, or the rest of one after its `=`."""
        at = 0
        while True:
            if self._quotes:
                end = line.find(self._quotes, at)
                if end < 0:
                    return
                at, self._quotes = end + 3, ""
            token = _TOKEN.search(line, at)
            if token is None:
                return
            at = token.end()
            if token[0] in ('"""', "'''"):
                self._quotes = token[0]
            elif token[0] in "[{":
                self._depth += 1
            elif token[0] in "]}":
                self._depth -= 1
