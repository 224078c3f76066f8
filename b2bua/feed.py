"""A value that others follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

__all__ = ["Feed"]

T = TypeVar("T")


class Feed(Generic[T]):
    """The latest value; a follower that is slow misses what was replaced meanwhile, never the last."""

    __slots__ = ("_changed", "value")

    def __init__(self, value: T) -> None:
        self.value = value
        self._changed: asyncio.Event | None = None

    def set(self, value: T) -> None:
        """Replace the value and tell every follower."""
        self.value = value
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def changed(self) -> None:
        """Wait for the next change."""
        self._changed = self._changed or asyncio.Event()
        await self._changed.wait()

    async def follow(self) -> AsyncIterator[T]:
        """The value now, then at each change."""
        while True:
            changed = self._changed = self._changed or asyncio.Event()
            yield self.value
            await changed.wait()
