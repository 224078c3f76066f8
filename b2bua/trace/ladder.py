"""What happened on the wires of one call, row by row, bounded (SPEC A12.5)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from b2bua.desk import LadderRow
from b2bua.trace.masking import masked
from sip_stack.hop import Hop

if TYPE_CHECKING:
    from b2bua.leg import Leg

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
_SAID = 3
_UNCOUNTED, _LONG = 16 * _WIDTH, 4096
"""Of a plain call bytes are counted with each sixteenth fact, and at once with a long message."""


class Ladders:
    """All ladders together: which wire is whose, and whose messages are kept whole."""

    def __init__(
        self, limits: LadderLimits, local: Callable[[Hop], tuple[str, int]], now: Callable[[], float]
    ) -> None:
        """`local`: our address where this far end is reached."""
        self.most = limits.messages * _WIDTH
        self.uncounted = min(_UNCOUNTED, self.most)
        self.local = local
        self.wires: dict[str, Leg] = {}
        """By Call-ID: whose messages are rows of a ladder."""
        self.tap = _tap(self.wires, now)
        self._plain: OrderedDict[Ladder, None] = OrderedDict()
        self._others: OrderedDict[Ladder, None] = OrderedDict()
        self._most_plain = limits.plain
        self.bytes, self.most_bytes = 0, limits.mb << 20
        """Of all whole messages."""

    def keep(self, ladder: Ladder) -> None:
        """From its begin, or of what is no plain call from its first message: others were no calls yet."""
        if not ladder.plain:
            self._others[ladder] = None
            return
        self._plain[ladder] = None
        if len(self._plain) > self._most_plain:
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

    __slots__ = ("_all", "_changed", "_over", "_short", "_start", "counted", "facts", "plain", "size")

    def __init__(self, ladders: Ladders, start: float, plain: bool) -> None:
        self._all = ladders
        self.plain = plain
        self._start = start
        self.facts: list[Any] = []
        self.counted = ladders.uncounted if plain else 0
        """With more facts than these, `count` must be told."""
        self._changed: asyncio.Event | None = None
        self._over = self._short = False
        self.size = 0
        """Bytes of whole messages, as far as counted."""
        if plain:
            ladders.keep(self)

    def shorten(self) -> None:
        """Keep only the first line of messages from here on, and of those that came."""
        self._short = True
        self.size, self.counted = 0, -1
        self.facts[_SAID::_WIDTH] = [_shortened(said) for said in self.facts[_SAID::_WIDTH]]

    def count(self) -> None:
        """After a message: keep within the limits, and tell whoever watches."""
        facts, everyone = self.facts, self._all
        most = everyone.most
        if len(facts) > most:
            del facts[most:]
        elif self._short:
            facts[_SAID - _WIDTH] = _shortened(facts[_SAID - _WIDTH])
        else:
            before, self.size = self.size, sum(map(len, facts[_SAID::_WIDTH]))
            self.counted = min(len(facts) + _UNCOUNTED, most) if self.plain else 0
            everyone.bytes += self.size - before
            if not before:
                everyone.keep(self)
            if everyone.bytes > everyone.most_bytes:
                everyone.shrink()
        self._wake()

    def row(self, at: float, kind: Kind, source: int, target: int, title: str, detail: str = "") -> None:
        """Anything else."""
        most = self._all.most
        if kind == "rtp":
            most //= 2  # an hour of figures leaves room for the end
        if len(self.facts) < most:
            self.facts += at, _known_row(kind, source, target), None, title, detail
            if self._changed is not None:
                self._wake()

    def end(self) -> None:
        """Nothing follows."""
        self._over = True
        self._wake()

    def rows(self, after: int = -1) -> list[LadderRow]:
        """The rows with n > after."""
        starts = range(max(0, after + 1) * _WIDTH, len(self.facts), _WIDTH)
        return [self._readable(at // _WIDTH, *self.facts[at : at + _WIDTH]) for at in starts]

    async def watch(self, after: int = -1) -> AsyncIterator[LadderRow]:
        """The rows with n > after, then each new one until the call is over."""
        while True:
            for row in self.rows(after):
                after = row.n
                yield row
            if self._over:
                return
            if self._changed is None:
                self._changed, self.counted = asyncio.Event(), -1
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


def _tap(wires: dict[str, Leg], now: Callable[[], float]) -> Callable[[bool, bytes, Hop, str], None]:
    """What sees every message on the wire; no method, since it has nothing to look up but the wire."""
    leg_of = wires.get

    def tap(received: bool, data: bytes, hop: Hop, call_id: str) -> None:
        leg = leg_of(call_id)
        if leg is not None:
            ladder = leg.call.ladder
            facts = ladder.facts
            facts += now(), leg.lane, received, data, hop
            if len(facts) > ladder.counted or len(data) > _LONG:
                ladder.count()

    return tap


def address_text(host: str, port: int) -> str:
    """`192.0.2.1:5060`, `[2001:db8::1]:5060`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _shortened(said: bytes | str) -> bytes | str:
    """A message to its first line; the title of anything else stays."""
    return _first_line(said) if isinstance(said, bytes) else said


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
