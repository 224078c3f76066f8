"""A part of a flow that something outside may end: a far end that leaves, or anything else with a reason of its own."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING

from b2bua.outcome import LegGone

if TYPE_CHECKING:
    from b2bua.leg import Leg

__all__ = ["Interrupt"]


class Interrupt:
    """The mechanism of `asyncio.timeout`: the task is cancelled, and at the exit the cancellation becomes `error`."""

    __slots__ = ("_cancelling", "_error", "_legs", "_task")

    def __init__(self, leg: Leg | None = None) -> None:
        """`leg` ends the block by LegGone when it leaves."""
        self._legs: tuple[Leg, ...] = () if leg is None else (leg,)
        self._error: Exception | None = None
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> Interrupt:
        for leg in self._legs:
            if leg.ended_at is not None:
                raise LegGone(leg, leg.left)
            leg.scopes.append(self)
        self._task = task = asyncio.current_task()
        assert task is not None
        self._cancelling = task.cancelling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for leg in self._legs:
            leg.scopes.remove(self)
        self._legs = ()
        fired = self.caught() if self._error is not None else None
        self._task = None
        if fired is not None and kind is asyncio.CancelledError:
            try:
                raise fired from error
            finally:
                del fired  # its traceback has this frame: a circle that only the collector would end

    def also(self, leg: Leg) -> None:
        """From here on `leg` ends the block too.  Raises: LegGone where it has left already."""
        if leg.ended_at is not None:
            raise LegGone(leg, leg.left)
        self._legs += (leg,)
        leg.scopes.append(self)

    def count_on(self, *legs: Leg) -> None:
        """From here on these end the block, and nobody else.  Raises: LegGone where one has left already."""
        for leg in self._legs:
            leg.scopes.remove(self)
        self._legs = ()
        for leg in legs:
            self.also(leg)

    def caught(self) -> Exception | None:
        """What has fired: it is told so, and the block goes on; None where something else cancels the task too."""
        fired, self._error = self._error, None
        if fired is None or self._task is None:
            return None
        return fired if self._task.uncancel() <= self._cancelling else None

    @property
    def armed(self) -> bool:
        """The block is under way, and nothing has ended it yet."""
        return self._task is not None and self._error is None

    def fire(self, error: Exception) -> None:
        """End the block; nothing where it is over, or ends already."""
        if self._task is not None and self._error is None:
            self._error = error
            self._task.cancel()
