"""Requests that wait for their time; the list is in memory, what it stands for in the journal (SPEC A12.8, A12.12)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from b2bua.call import Call
from b2bua.desk import VisitorStatus
from b2bua.feed import Feed
from b2bua.rules.admission import Reason
from store.errors import StoreError
from store.journal import RequestRecord
from store.values import Micros

__all__ = ["AcceptedRequest", "WaitingList"]

log = logging.getLogger(__name__)

_NAP_S = 15.0
"""A wall clock may be set: nobody sleeps longer at once."""
_AGAIN_S = 5.0
"""How soon a request that could not be called yet is looked at again."""


@dataclass(slots=True, eq=False)
class AcceptedRequest:
    """One accepted request: where it stands, its call as long as it lives, and when it is called, while it waits."""

    record: RequestRecord
    """As it was asked for; `at`, `due` and `tries` of the record are those of that moment."""
    same: str
    """The number as limits know it: one for all its spellings."""
    status: Feed[VisitorStatus]
    call: Call | None = None
    at_stake: Micros = Micros(0)
    """The most it can cost: what the link's money of the day must still have."""
    due: float | None = None
    """Unix time; None: it does not wait."""
    by_owner: bool = False
    """It waits because the owner pressed 3."""
    tries: int = 0
    """Further ones that were planned, because the owner was not reached."""
    rang: bool = False
    """A phone has rung for it."""
    held_up: Reason | None = None
    """Why it was not called though its time had come."""
    look: float = 0.0
    """When it is looked at next."""

    @property
    def asked_for(self) -> float | None:
        """The time that the visitor chose; None: he asked for a call at once."""
        return None if self.record.tries else self.record.due


class WaitingList:
    """Each is handed over when its time has come, one after the other, until it is removed."""

    def __init__(self, wall: Callable[[], float], dial: Callable[[AcceptedRequest], Awaitable[None]]) -> None:
        self._wall, self._dial = wall, dial
        self._waiting: dict[str, AcceptedRequest] = {}
        self._changed = asyncio.Event()

    def add(self, request: AcceptedRequest) -> None:
        """It waits until its `due`."""
        assert request.due is not None
        request.look = request.due
        self._waiting[request.record.token] = request
        self._changed.set()

    def remove(self, request: AcceptedRequest) -> bool:
        """It waits no more; False where it did not."""
        return self._waiting.pop(request.record.token, None) is not None

    def get(self, token: str) -> AcceptedRequest | None:
        """One that waits."""
        return self._waiting.get(token)

    def __contains__(self, request: AcceptedRequest) -> bool:
        return request.record.token in self._waiting

    def of_extension(self, number: str) -> Iterator[AcceptedRequest]:
        """Those of one page."""
        return (each for each in self._waiting.values() if each.record.extension == number)

    def of_number(self, same: str) -> Iterator[AcceptedRequest]:
        """Those of one visitor's number, on whichever page."""
        return (each for each in self._waiting.values() if each.same == same)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._changed.clear()
            now = self._wall()
            for request in sorted(self._waiting.values(), key=lambda each: each.look):
                if request.look <= now and request in self:
                    request.look = now + _AGAIN_S
                    await self._try(request)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._nap_s()):
                    await self._changed.wait()

    async def _try(self, request: AcceptedRequest) -> None:
        """One that fails is looked at again, and spoils no other."""
        try:
            await self._dial(request)
        except StoreError as error:
            log.error("request=%s event=not-judged error=%s", request.record.token, error)
        except Exception:
            log.exception("request=%s event=bug", request.record.token)

    def _nap_s(self) -> float | None:
        """None: until something is added."""
        if not self._waiting:
            return None
        soonest = min(each.look for each in self._waiting.values())
        return min(max(0.0, soonest - self._wall()), _NAP_S)
