"""What happened on the wires of one call, row by row, bounded (SPEC A12.5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Literal, NamedTuple

from b2bua.desk import LadderRow
from sip_stack.message import Request, Response, parse

__all__ = ["EXTENSION", "PSTN", "RINGBACK", "Kind", "Ladder"]

Kind = Literal["sip", "rtp", "dtmf", "prompt", "event"]
EXTENSION, RINGBACK, PSTN = 0, 1, 2
"""The lanes: the extension's side, ourselves, the PSTN side."""
_MOST_ROWS, _MOST_FIGURES = 400, 200


class _Fact(NamedTuple):
    at: float
    kind: Kind
    source: int
    target: int
    content: bytes | str
    detail: str = ""


class Ladder:
    """The rows of one call; they are made readable when somebody looks."""

    __slots__ = ("_changed", "_facts", "_over", "_start")

    def __init__(self, start: float) -> None:
        self._start = start
        self._facts: list[_Fact] = []
        self._changed: asyncio.Event | None = None
        self._over = False

    def sip(self, at: float, lane: int, received: bool, data: bytes) -> None:
        """One SIP message of the leg in `lane`."""
        source, target = (lane, RINGBACK) if received else (RINGBACK, lane)
        self._add(_Fact(at, "sip", source, target, data))

    def row(self, at: float, kind: Kind, source: int, target: int, title: str, detail: str = "") -> None:
        """Anything else."""
        self._add(_Fact(at, kind, source, target, title, detail))

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

    def _add(self, fact: _Fact) -> None:
        most = _MOST_FIGURES if fact.kind == "rtp" else _MOST_ROWS  # an hour of figures leaves room for the end
        if len(self._facts) < most:
            self._facts.append(fact)
            self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _readable(self, n: int, fact: _Fact) -> LadderRow:
        at_s = round(fact.at - self._start, 3)
        if isinstance(fact.content, str):
            return LadderRow(n, at_s, fact.kind, fact.source, fact.target, fact.content, fact.detail)
        title, text = _title(fact.content), fact.content.decode("utf-8", "replace")
        return LadderRow(n, at_s, "sip", fact.source, fact.target, title, _masked(text, keys=title == "INFO"))


def _title(data: bytes) -> str:
    message = parse(data)
    if isinstance(message, Request):
        return message.method
    if isinstance(message, Response):
        return f"{message.status} {message.reason}"
    return "unreadable"


def _masked(text: str, *, keys: bool) -> str:
    """The proof of a password is not shown: it can be attacked offline.  Nor are keys: they may be somebody's PIN."""
    head, blank, body = text.partition("\r\n\r\n")
    shown = "\r\n".join(_masked_line(line) for line in head.split("\r\n"))
    return shown + blank + ("(masked)" if keys and body else body)


def _masked_line(line: str) -> str:
    name = line.partition(":")[0]
    return f"{name}: Digest (masked)" if name.lower() in ("authorization", "proxy-authorization") else line
