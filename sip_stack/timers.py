"""Timer values of RFC 3261 17 and a wheel that holds what is armed."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Protocol

__all__ = ["RFC", "Timed", "Timer", "TimerSettings", "Wheel", "disarm", "disarm_all"]


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


class Timed(Protocol):
    """Whatever timers are armed for."""

    armed: dict[str, Timer]

    def fire(self, timer: str) -> None:
        """An armed timer is due."""


class Timer:
    """One armed timer; disarmed it holds nothing, so that the wheel keeps no ended call alive."""

    __slots__ = ("target", "timer")

    def __init__(self, target: Timed, timer: str) -> None:
        self.target: Timed | None = target
        self.timer = timer


def disarm(target: Timed, timer: str) -> None:
    """Forget one timer of `target`, armed or not."""
    item = target.armed.pop(timer, None)
    if item is not None:
        item.target = None


def disarm_all(target: Timed) -> None:
    """Forget every timer of `target`."""
    for item in target.armed.values():
        item.target = None
    target.armed.clear()


class Wheel:
    """Timers by due time in slots of 1/64 s: appending costs a tenth of a heap push, and a slot fires as one.

    Nothing is ever removed before its time: a disarmed timer fires for nobody.
    """

    __slots__ = ("_due", "_slots")

    def __init__(self) -> None:
        self._slots: dict[int, list[Timer]] = {}
        self._due: list[int] = []

    def arm(self, when: float, target: Timed, timer: str) -> bool:
        """Fire `timer` at `when` or up to 1/64 s later, never before, instead of the last one of that name.

        True when it is now the first of all to come.
        """
        armed = target.armed
        if timer in armed:
            armed[timer].target = None
        armed[timer] = item = Timer(target, timer)
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

    def pop_due(self, now: float) -> list[Timer]:
        """Every timer due by `now`, in order."""
        items: list[Timer] = []
        while self._due and self._due[0] / 64 <= now:
            items += self._slots.pop(heapq.heappop(self._due))
        return items
