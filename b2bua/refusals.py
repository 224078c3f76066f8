"""Refusals are written one by one, so many of a source; those beyond are counted, and told in one record (SPEC A12.5).

Whoever is refused needs no account and no money: rows without end would fill the disk, and a server that is behind
with its work has no time for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from b2bua.rules.sources import source_of
from store import journal
from store.errors import StoreError

if TYPE_CHECKING:
    from store.database import Database

__all__ = ["MOST", "WITHIN_S", "Refusals", "Source"]

log = logging.getLogger(__name__)

MOST, WITHIN_S = 30, 900.0
"""So many refusals of a source are written within so long."""
_MOST_SOURCES = 10_000
"""Remembered at once; the one longest unused is forgotten first."""
_MOST_RECORDS = 100
"""Of sources that are told by themselves; all others are told together."""
_TOLD_EVERY_S = 10.0


class Source(NamedTuple):
    """Who was refused by what."""

    ip: str = ""
    trunk: str = ""
    extension: str = ""
    page_id: str = ""


@dataclass(slots=True)
class _More:
    record: journal.RequestRecord
    more: int = 0
    told: int = 0


class Refusals:
    """What of refusals is written down, on a running server."""

    def __init__(
        self, database: Database, wall: Callable[[], float], new_id: Callable[[], str],
        keep: Callable[[Coroutine[Any, Any, Any]], object],
    ) -> None:  # fmt: skip
        self._database, self._wall, self._new_id, self._keep = database, wall, new_id, keep
        self._written: OrderedDict[tuple[Source, int], deque[float]] = OrderedDict()
        self._more: dict[tuple[Source, str], _More] = {}
        self._telling = False

    def note(self, record: journal.RequestRecord, *, most: int = MOST, anywhere: bool = False) -> None:
        """Write a refusal down, or count it; `anywhere`: all of an address count as one, whatever the page."""
        source = Source(source_of(record.ip) if record.ip else "", record.trunk)
        if not anywhere:
            source = source._replace(extension=record.extension, page_id=record.page_id)
        if self._room(source, most, record.at):
            self._database.post(journal.INSERT_REQUEST, [journal.row(record)])
        else:
            self.count(source, journal.MORE_REFUSED, record.kind)

    def _room(self, source: Source, most: int, now: float) -> bool:
        times = self._written.setdefault((source, most), deque(maxlen=most))
        if len(times) == most and now - times[0] < WITHIN_S:
            return False
        times.append(now)
        self._written.move_to_end((source, most))
        if len(self._written) > _MOST_SOURCES:
            self._written.popitem(last=False)
        return True

    def count(self, source: Source, reason: str, kind: journal.RequestKind = "calls") -> None:
        """One more that is not written by itself."""
        if (source, reason) not in self._more and len(self._more) >= _MOST_RECORDS:
            source = Source()
        counted = self._more.get((source, reason))
        if counted is None:
            counted = self._more[source, reason] = _More(journal.RequestRecord(
                self._new_id(), self._wall(), source.page_id, source.extension, ip=source.ip, trunk=source.trunk,
                reason=reason, ended=self._wall(), kind=kind,
            ))  # fmt: skip
        counted.more += 1
        if not self._telling:
            self._telling = True
            self._keep(self._tell())

    async def _tell(self) -> None:
        """Write what was counted, now and again, until all of it is old; what comes then has a record of its own."""
        try:
            while self._more:
                await self._write()
                await asyncio.sleep(_TOLD_EVERY_S)
                now = self._wall()
                self._more = {
                    key: each for key, each in self._more.items()
                    if each.more > each.told or now - each.record.at < WITHIN_S
                }  # fmt: skip
        finally:
            self._telling = False
            await self._write()

    async def _write(self) -> None:
        counted = [each for each in self._more.values() if each.more > each.told]
        rows = [replace(each.record, more=each.more) for each in counted]
        if not rows:
            return
        try:
            await self._database.run(partial(journal.write_more, rows=rows))
        except StoreError as error:  # it may be well again the next time
            log.error("event=refusals-not-written error=%s", error)
            return
        for each, row in zip(counted, rows, strict=True):
            each.told = row.more
