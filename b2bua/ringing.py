"""Far ends rung at once: the first to answer wins, one that leads elsewhere is followed, the rest are given up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from b2bua.leg import ELSEWHERE, Leg
from b2bua.outcome import CallError, NotReached

if TYPE_CHECKING:
    from b2bua.call import Call

__all__ = ["Ringing"]


class _Bell:
    """A timer of the core's, which it costs next to nothing to leave behind."""

    __slots__ = ("ringing",)

    def __init__(self, ringing: Ringing) -> None:
        self.ringing: Ringing | None = ringing

    def fire(self, timer: str) -> None:
        if self.ringing is not None:
            self.ringing.rung_out()


class Ringing:
    """Far ends rung at once: the first to answer wins, the others are given up."""

    _following: frozenset[asyncio.Task[Leg]] = frozenset()
    _bell: _Bell | None = None

    def __init__(self, call: Call, lane: int, hear: Leg | None) -> None:
        """`hear` waits for them, `lane` is their side of the ladder."""
        self._call = call
        self._lane = lane
        self._hear = hear
        self.legs: list[Leg] = []
        self._refusals: dict[int, int] = {}
        self._won: asyncio.Future[Leg] = asyncio.Future()

    def leg(self, party: str) -> Leg:
        """One more far end to ring."""
        leg = Leg(self._call, self._lane, party, "out")
        self._call.legs.append(leg)
        self.legs.append(leg)
        return leg

    def instead(self, leg: Leg, status: int) -> bool:
        """Whether something else is tried instead of a leg that has failed."""
        return False

    def follow(self, leg: Leg, way: Coroutine[Any, Any, Leg], within_s: float) -> None:
        """Instead of `leg`, wait for what this gives; the bell rings so much longer."""
        del self._refusals[id(leg)]
        task = asyncio.get_running_loop().create_task(way)
        self._following |= {task}
        task.add_done_callback(partial(self._followed, leg))
        if self._bell is not None:
            self._ring_for(within_s)

    def _followed(self, leg: Leg, task: asyncio.Task[Leg]) -> None:
        self._following -= {task}
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            if not self.answered(task.result()):
                task.result().hangup()
        elif isinstance(error, CallError):  # no credit, no trunk: that is between us and the extension
            self._refuse(leg, error.status if isinstance(error, NotReached) else 480)
        elif not self._won.done():
            self._won.set_exception(error)

    async def winner(self, within_s: float) -> Leg:
        """The leg that answered.  Raises: NotReached."""
        won: Leg | None = None
        self._ring_for(within_s)
        try:
            won = await self._won
            return won
        finally:
            if self._bell is not None:
                self._bell.ringing = None
            for task in self._following:
                task.cancel()
            if won is None and self._won.done() and not self._won.cancelled():
                self._won.exception()  # looked at, also where the caller left in the same moment
            cause = ELSEWHERE if won is not None else self._hear.heard_reason if self._hear else ""
            for leg in self.legs:
                if leg is not won:
                    leg.hangup(cause=cause)

    def _ring_for(self, seconds: float) -> None:
        if self._bell is not None:
            self._bell.ringing = None
        self._bell = _Bell(self)
        self._call.exchange.core.watch(self._bell, "bell", seconds)

    def rung_out(self) -> None:
        """Nobody has answered in time."""
        if not self._won.done():
            rang = any(leg.rang for leg in self.legs)
            self._won.set_exception(NotReached(480 if rang else 408, rang=rang))

    def progressed(self, leg: Leg, body: bytes) -> None:
        if leg.call.on_ringing is not None:
            leg.call.on_ringing()
        if self._hear is not None:
            self._hear.hear_ringing(leg, body)

    def answered(self, leg: Leg) -> bool:
        if self._won.done():
            return False
        self._won.set_result(leg)
        return True

    def refused(self, leg: Leg, status: int) -> None:
        self._refusals[id(leg)] = status
        if self._won.done() or not self.instead(leg, status):
            self._refuse(leg, status)

    def _refuse(self, leg: Leg, status: int) -> None:
        self._refusals[id(leg)] = status
        everyone = len(self._refusals) == len(self.legs)
        if (everyone or status >= 600) and not self._won.done():  # 16.7 step 5: a 6xx speaks for all
            rang = any(leg.rang for leg in self.legs)
            self._won.set_exception(NotReached(_best(list(self._refusals.values())), rang=rang))


def _best(statuses: list[int]) -> int:
    """16.7 step 6: a 6xx before all, else the lowest class, busy before the rest of its class."""
    return min(statuses, key=lambda s: (s < 600, s // 100, s != 486))
