"""Put the figures of docs/benchmarks.json into docs/benchmarks.md: `python scripts/benchmark_table.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->"


def table(figures: dict[str, Any]) -> str:
    """The rows as Markdown, with the machine they were measured on."""
    head = "| what | peer | peer's | ours | ratio | must | aim |\n|---|---|--:|--:|--:|--:|--:|\n"
    rows = "".join(f"| {' | '.join(cells(row))} |\n" for row in figures["rows"])
    taken = f"{figures['machine']}, Python {figures['python']}, medians of {figures['rounds']} rounds."
    return f"\n{taken}\n\n{head}{rows}\n"


def cells(row: dict[str, Any]) -> list[str]:
    """One row's cells; what was not measured stays empty."""
    numbers = ["" if row[key] is None else f"{row[key]:,.2f}" for key in ("peer", "ours", "ratio")]
    return [row["what"], row["peer_name"], *numbers, row["must"], row["aim"]]


def main() -> int:
    """Rewrite what stands between the marks."""
    page = DOCS / "benchmarks.md"
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    figures = json.loads((DOCS / "benchmarks.json").read_text())
    page.write_text(f"{before}{BEGIN}{table(figures)}{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
