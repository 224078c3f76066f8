"""What happened on the wires of one call, row by row, bounded (SPEC A12.5)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from b2bua.desk import LadderRow
from b2bua.trace.masking import masked
from sip_stack.hop import Hop

__all__ = ["EXTENSION", "PSTN", "RINGBACK", "Kind", "Ladder", "LadderLimits", "Ladders", "address_text"]

Kind = Literal["sip", "rtp", "dtmf", "prompt", "event"]
EXTENSION, RINGBACK, PSTN = 0, 1, 2
"""The lanes: the extension's side, ourselves, the PSTN side."""
_LONGEST_KNOWN = 160

@dataclass(frozen=True, slots=True)
class LadderLimits:
    """How much of calls is kept in memory."""

    messages: int = 400
    """Rows of one call; 0: there are no ladders."""
    plain: int = 250
    """Of so many plain calls, the newest, messages are kept whole: calls held for hours are many."""
    mb: int = 16
    """Of all calls together; beyond it the oldest keep the first lines of their messages."""


_WIDTH = 5
"""Each fact is five elements of one list, since a held call is mostly its ladder.  Of a message: when, on which lane,
whether received, the bytes, and where; of anything else: when, (its kind, source and target), None, title, detail.
"""


class Ladders:
    """All ladders together: whose messages are kept whole."""

    def __init__(self, limits: LadderLimits, local: Callable[[Hop], tuple[str, int]]) -> None:
        """`local`: our address where this far end is reached."""
        self.limits = limits
        self.local = local
        self._plain: OrderedDict[Ladder, None] = OrderedDict()
        self._others: OrderedDict[Ladder, None] = OrderedDict()
        self.bytes, self.most_bytes = 0, limits.mb << 20
        """Of all whole messages."""

    def new(self, start: float, *, plain: bool) -> Ladder:
        """The ladder of a call that begins."""
        return Ladder(self, start, plain=plain)

    def keep(self, ladder: Ladder) -> None:
        """It has its first message."""
        (self._plain if ladder.plain else self._others)[ladder] = None
        if len(self._plain) > self.limits.plain:
            self._shorten(self._plain)

    def drop(self, ladder: Ladder) -> None:
        """Nobody can look at it any more."""
        kept = self._plain if ladder.plain else self._others
        if ladder in kept:
            del kept[ladder]
            self.bytes -= ladder.size

    def shrink(self) -> None:
        """Too much is kept whole: the oldest is not any more."""
        while self.bytes > self.most_bytes and (oldest := self._plain or self._others):
            self._shorten(oldest)

    def _shorten(self, kept: OrderedDict[Ladder, None]) -> None:
        ladder, _ = kept.popitem(last=False)
        self.bytes -= ladder.size
        ladder.shorten()


class Ladder:
    """The rows of one call; they are made readable when somebody looks."""

    __slots__ = ("_all", "_changed", "_facts", "_most", "_over", "_short", "_start", "plain", "size")

    def __init__(self, ladders: Ladders, start: float, *, plain: bool) -> None:
        self._all = ladders
        self._most = ladders.limits.messages * _WIDTH
        self.plain = plain
        self._start = start
        self._facts: list[Any] = []
        self._changed: asyncio.Event | None = None
        self._over = False
        self._short = False
        self.size = 0
        """Bytes of whole messages."""

    def shorten(self) -> None:
        """Keep only the first line of messages from here on, and of those that came."""
        self._short = True
        self.size = 0
        self._facts[3::_WIDTH] = [
            _first_line(said) if isinstance(said, bytes) else said for said in self._facts[3::_WIDTH]
        ]

    def sip(self, at: float, lane: int, received: bool, data: bytes, hop: Hop) -> None:
        """One SIP message of the leg in `lane`."""
        if len(self._facts) >= self._most:
            return
        if self._short:
            self._facts += at, lane, received, _first_line(data), hop
        else:
            self._facts += at, lane, received, data, hop
            size = len(data)
            if not self.size:
                self._all.keep(self)
            self.size += size
            self._all.bytes += size
            if self._all.bytes > self._all.most_bytes:
                self._all.shrink()
        if self._changed is not None:
            self._wake()

    def row(self, at: float, kind: Kind, source: int, target: int, title: str, detail: str = "") -> None:
        """Anything else."""
        most = self._most // _WIDTH
        if kind == "rtp":
            most //= 2  # an hour of figures leaves room for the end
        if len(self._facts) // _WIDTH < most:
            self._facts += at, _known_row(kind, source, target), None, title, detail
            self._wake()

    def end(self) -> None:
        """Nothing follows."""
        self._over = True
        self._wake()

    def rows(self, after: int = -1) -> list[LadderRow]:
        """The rows with n > after."""
        starts = range(max(0, after + 1) * _WIDTH, len(self._facts), _WIDTH)
        return [self._readable(at // _WIDTH, *self._facts[at : at + _WIDTH]) for at in starts]

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

    def _readable(self, n: int, at: float, lane: Any, received: bool | None, said: Any, where: Any) -> LadderRow:
        at_s = round(at - self._start, 6)
        if received is None:
            kind, source, target = lane
            return LadderRow(n, at_s, kind, source, target, said, where)
        text, here = masked(said).decode("utf-8", "replace"), address_text(*self._all.local(where))
        there = address_text(where.host, where.port)
        source, target, sent_from, sent_to = (
            (lane, RINGBACK, there, here) if received else (RINGBACK, lane, here, there)
        )
        return LadderRow(n, at_s, "sip", source, target, _title(said), text, where.transport, sent_from, sent_to)


def address_text(host: str, port: int) -> str:
    """`192.0.2.1:5060`, `[2001:db8::1]:5060`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _first_line(data: bytes) -> bytes:
    line = data.lstrip().partition(b"\r\n")[0]
    return _known_line(line) if len(line) <= _LONGEST_KNOWN else line


@lru_cache(256)
def _known_row(kind: Kind, source: int, target: int) -> tuple[Kind, int, int]:
    """One value for all rows of a kind."""
    return kind, source, target


@lru_cache(1024)
def _known_line(line: bytes) -> bytes:
    """The same bytes for all calls: first lines of one far end are few."""
    return line


def _title(data: bytes) -> str:
    """`INVITE`, `180 Ringing`: of the first line, which is all that may be left."""
    first, _, rest = _first_line(data).decode("utf-8", "replace").partition(" ")
    return rest if first.upper() == "SIP/2.0" else first
