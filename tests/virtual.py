"""An event loop whose clock jumps to the next timer: an hour of talk is tested in a millisecond."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

__all__ = ["Deadlock", "VirtualLoop"]


class Deadlock(RuntimeError):
    """Everything waits and no timer is armed."""


class _Jumping(selectors.DefaultSelector):
    """A selector that never sleeps: it moves the clock by what it was asked to wait."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("nothing is armed")
        self.loop.now += max(0.0, timeout)
        if self.loop.now > self.loop.limit_s:
            raise Deadlock(f"nothing happened for {self.loop.limit_s} virtual seconds")
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual; at most `limit_s` pass."""

    def __init__(self, limit_s: float = 7200.0) -> None:
        self.now = 0.0
        self.limit_s = limit_s
        selector = _Jumping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run(self, main: Any) -> Any:
        """Run a coroutine to its end and close."""
        with asyncio.Runner(loop_factory=lambda: self) as runner:
            return runner.run(main)
