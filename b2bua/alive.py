"""How a far end that leaves ends the wait of a flow."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING

from b2bua.outcome import LegGone

if TYPE_CHECKING:
    from b2bua.leg import Leg

__all__ = ["Alive"]


class Alive:
    """The mechanism of `asyncio.timeout`: the task is cancelled, and the cancellation becomes LegGone at the exit."""

    __slots__ = ("_cancelling", "_expired", "_leg", "_task")

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._expired = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        if self._leg.ended_at is not None:
            raise LegGone(self._leg, self._leg.left)
        self._leg.scopes += (self,)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        scopes = self._leg.scopes
        inner = scopes[-1] is self
        self._leg.scopes = scopes[:-1] if inner else tuple([scope for scope in scopes if scope is not self])
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise LegGone(self._leg, self._leg.left) from error

    def expire(self) -> None:
        """The far end left."""
        if not self._expired:
            self._expired = True
            self._task.cancel()
