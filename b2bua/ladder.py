"""What happened on the wires of one call, row by row, bounded (SPEC A12.5)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Literal, NamedTuple

from b2bua.desk import LadderRow

__all__ = ["EXTENSION", "PSTN", "RINGBACK", "Kind", "Ladder", "Texts"]

Kind = Literal["sip", "rtp", "dtmf", "prompt", "event"]
EXTENSION, RINGBACK, PSTN = 0, 1, 2
"""The lanes: the extension's side, ourselves, the PSTN side."""
_MOST_ROWS, _MOST_FIGURES = 400, 200


class _Message(NamedTuple):
    at: float
    lane: int
    received: bool
    data: bytes


class _Fact(NamedTuple):
    at: float
    kind: Kind
    source: int
    target: int
    title: str
    detail: str


class Texts:
    """Whose messages are kept whole: the newest plain calls.  A call held for hours needs no texts of its own."""

    __slots__ = ("_most", "_newest")

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._newest: deque[Ladder] = deque()

    def keep(self, ladder: Ladder) -> Ladder:
        """`ladder` is the newest; of the oldest call's messages the first lines are left."""
        self._newest.append(ladder)
        if len(self._newest) > self._most:
            self._newest.popleft().shorten()
        return ladder


class Ladder:
    """The rows of one call; they are made readable when somebody looks."""

    __slots__ = ("_changed", "_facts", "_over", "_short", "_start")

    def __init__(self, start: float) -> None:
        self._start = start
        self._facts: list[_Message | _Fact] = []
        self._changed: asyncio.Event | None = None
        self._over = False
        self._short = False

    def shorten(self) -> None:
        """Keep only the first line of messages from here on, and of those that came."""
        self._short = True
        self._facts = [
            fact if isinstance(fact, _Fact) else _Message(fact.at, fact.lane, fact.received, _first_line(fact.data))
            for fact in self._facts
        ]

    def sip(self, at: float, lane: int, received: bool, data: bytes) -> None:
        """One SIP message of the leg in `lane`."""
        if len(self._facts) < _MOST_ROWS:
            self._facts.append(_Message(at, lane, received, _first_line(data) if self._short else data))
            if self._changed is not None:
                self._wake()

    def row(self, at: float, kind: Kind, source: int, target: int, title: str, detail: str = "") -> None:
        """Anything else."""
        most = _MOST_FIGURES if kind == "rtp" else _MOST_ROWS  # an hour of figures leaves room for the end
        if len(self._facts) < most:
            self._facts.append(_Fact(at, kind, source, target, title, detail))
            self._wake()

    def end(self) -> None:
        """Nothing follows."""
        self._over = True
        self._wake()

    def rows(self, after: int = -1) -> list[LadderRow]:
        """The rows with n > after."""
        return [self._readable(n, fact) for n, fact in enumerate(self._facts) if n > after]

    async def watch(self, after: int = -1) -> AsyncIterator[LadderRow]:
        """The rows with n > after, then each new one until the call is over."""
        while True:
            for row in self.rows(after):
                after = row.n
                yield row
            if self._over:
                return
            if self._changed is None:
                self._changed = asyncio.Event()
            await self._changed.wait()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _readable(self, n: int, fact: _Message | _Fact) -> LadderRow:
        at_s = round(fact.at - self._start, 3)
        if isinstance(fact, _Fact):
            return LadderRow(n, at_s, fact.kind, fact.source, fact.target, fact.title, fact.detail)
        source, target = (fact.lane, RINGBACK) if fact.received else (RINGBACK, fact.lane)
        title, text = _title(fact.data), fact.data.decode("utf-8", "replace")
        return LadderRow(n, at_s, "sip", source, target, title, _masked(text, keys=title == "INFO"))


def _first_line(data: bytes) -> bytes:
    return data.lstrip().partition(b"\r\n")[0]


def _title(data: bytes) -> str:
    """`INVITE`, `180 Ringing`: of the first line, which is all that may be left."""
    first, _, rest = _first_line(data).decode("utf-8", "replace").partition(" ")
    return rest if first.upper() == "SIP/2.0" else first


def _masked(text: str, *, keys: bool) -> str:
    """The proof of a password is not shown: it can be attacked offline.  Nor are keys: they may be somebody's PIN."""
    head, blank, body = text.partition("\r\n\r\n")
    shown = "\r\n".join(_masked_line(line) for line in head.split("\r\n"))
    return shown + blank + ("(masked)" if keys and body else body)


def _masked_line(line: str) -> str:
    name = line.partition(":")[0]
    return f"{name}: Digest (masked)" if name.lower() in ("authorization", "proxy-authorization") else line
