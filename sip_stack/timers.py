"""Timer values of RFC 3261 17 and a wheel that holds what is armed."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["RFC", "TimerSettings", "Wheel"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TimerSettings:
    """T1, T2, T4 in seconds (RFC 3261 table 4); everything else follows from them."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def t64(self) -> float:
        """64*T1: timers B, F, H, L, M and J."""
        return 64 * self.t1


RFC = TimerSettings()


class Wheel(Generic[T]):
    """Items by due time in slots of 1/64 s: appending costs a tenth of a heap push, and a slot fires as one.

    Nothing is ever removed before its time: the owner of an item knows whether it still matters.
    """

    __slots__ = ("_due", "_slots")

    def __init__(self) -> None:
        self._slots: dict[int, list[T]] = {}
        self._due: list[int] = []

    def arm(self, when: float, item: T) -> bool:
        """Fire `item` at `when` or up to 1/64 s later, never before; True when it is now the first to come."""
        slot = int(when * 64) + 1
        items = self._slots.get(slot)
        if items is not None:
            items.append(item)
            return False
        self._slots[slot] = [item]
        heapq.heappush(self._due, slot)
        return self._due[0] == slot

    def next(self) -> float | None:
        """When the first slot is due; None when nothing is armed."""
        return self._due[0] / 64 if self._due else None

    def pop_due(self, now: float) -> list[T]:
        """Every item due by `now`, in order."""
        items: list[T] = []
        while self._due and self._due[0] / 64 <= now:
            items += self._slots.pop(heapq.heappop(self._due))
        return items
