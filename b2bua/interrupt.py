"""A part of a flow that something outside may end, with a reason of its own."""

from __future__ import annotations

import asyncio
from types import TracebackType

__all__ = ["Interrupt"]


class Interrupt:
    """The mechanism of `asyncio.timeout`: the task is cancelled, and at the exit the cancellation becomes `error`."""

    __slots__ = ("_cancelling", "_error", "_task")

    def __init__(self) -> None:
        self._error: Exception | None = None
        self._task: asyncio.Task[object] | None = None

    async def __aenter__(self) -> Interrupt:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        assert task is not None
        if self._error is not None and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise self._error from error

    @property
    def armed(self) -> bool:
        """The block is under way, and nothing has ended it yet."""
        return self._task is not None and self._error is None

    def fire(self, error: Exception) -> None:
        """End the block; nothing where it is over, or ends already."""
        if self._task is not None and self._error is None:
            self._error = error
            self._task.cancel()
