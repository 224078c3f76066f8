"""An event loop that finishes a batch of messages before its next turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TypeVarTuple

__all__ = ["BatchLoop"]

Ts = TypeVarTuple("Ts")

_MOST_STEPS = 10_000


class BatchLoop(asyncio.SelectorEventLoop):
    """The usual loop, but what a batch has made ready is done at its end, not in the next turn: one costs as a message.

    Tasks that a message wakes, or begins, are never stepped inside of what wakes them, and keep their order.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made_ready: list[asyncio.Handle] | None = None
        """By the batch that is under way; None outside of any."""

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As ever; inside a batch, at its end."""
        ready = self._made_ready
        if ready is None or len(ready) == _MOST_STEPS:  # somebody goes round in circles: the others have their turn
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As ever; what another thread tells, the database's above all, is a batch too."""
        return super().call_soon_threadsafe(self.batch, partial(callback, *args), context=context)

    def batch(self, work: Callable[[], object]) -> None:
        """Do `work`, which never waits, and then everything that it has made ready, and what that makes ready."""
        ready: list[asyncio.Handle] = []
        self._made_ready, todo = ready, iter(ready)
        try:
            work()
        finally:
            try:
                for handle in todo:  # goes on to what is made ready meanwhile
                    if not handle._cancelled:
                        handle._run()  # reports what is raised to the loop's exception handler
            finally:
                self._made_ready = None
                for handle in todo:  # the interpreter is told to exit
                    self.call_soon(handle._run)
