"""A call ladder as lines of text: John | Ringback | PSTN. Pure."""

from __future__ import annotations

from b2bua.desk import LadderRow

__all__ = ["heading", "printable", "text_line"]

_LANES = (0, 22, 44)
_WIDTH = _LANES[-1] + 1
_BESIDE = 60
_FILL = {"sip": "-", "rtp": "=", "dtmf": "~", "prompt": ".", "event": ":"}


def heading(names: tuple[str, str, str]) -> str:
    """The names above the lanes."""
    left, middle, right = names
    return f"{'s':>7}  {left}{middle.center(_WIDTH - 2 * len(left) - 2)}{right:>{len(left) + 2}}"


def text_line(row: LadderRow) -> str:
    """One row: an arrow with its title, which stands behind the lanes where the arrow is too short for it."""
    cells = [" "] * _WIDTH
    for at in _LANES:
        cells[at] = "|"
    low, high = sorted((_LANES[row.source], _LANES[row.target]))
    beside = ""
    if low == high:
        cells[low] = "*"
        beside = row.title
    else:
        room = high - low - 1
        label = f" {row.title} "
        if len(label) > room - 2:
            beside, label = row.title, ""
        shaft = label.center(room, _FILL[row.kind])
        head = f"<{shaft[1:]}" if row.target < row.source else f"{shaft[:-1]}>"
        cells[low + 1 : high] = head
    short = beside if len(beside) <= _BESIDE else f"{beside[: _BESIDE - 3]}..."
    return printable(f"{row.at_s:7.3f}  {''.join(cells)}  {short}").rstrip()


def printable(text: str) -> str:
    """What strangers sent moves no cursor: control characters but the end of a line become U+FFFD."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
