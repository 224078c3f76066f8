"""An event loop that finishes a batch of messages before its next turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context
from functools import partial
from itertools import islice
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
        if self._made_ready is None:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        self._made_ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """As ever; what another thread tells, the database's above all, is a batch too."""
        return super().call_soon_threadsafe(self.batch, partial(callback, *args), context=context)

    def batch(self, work: Callable[[], object]) -> None:
        """Do `work`, which never waits, and then everything that it has made ready, and what that makes ready."""
        ready: list[asyncio.Handle] = []
        self._made_ready = ready
        try:
            work()
        finally:
            if ready:
                self._finish(iter(ready))
            else:
                self._made_ready = None

    def _finish(self, ready: Iterator[asyncio.Handle]) -> None:
        """`ready` goes on to what is made ready meanwhile."""
        try:
            for handle in islice(ready, _MOST_STEPS):
                if not handle._cancelled:
                    handle._run()  # reports what is raised to the loop's exception handler
        finally:
            self._made_ready = None
            for handle in ready:  # somebody goes round in circles: the others have their turn
                self.call_soon(self._finish, iter([handle]))
