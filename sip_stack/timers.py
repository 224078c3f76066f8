"""Timer values of RFC 3261 17, a wheel that holds what is armed, and batches of what is armed alike."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

__all__ = ["RFC", "Batch", "Batches", "Timed", "TimerSettings", "Wheel"]

T = TypeVar("T")

_SLOT_S = 1 / 32


class TimerSettings:
    """T1, T2, T4 in seconds (RFC 3261 table 4); everything else follows from them."""

    __slots__ = ("t1", "t2", "t4", "t64")

    def __init__(self, t1: float = 0.5, t2: float = 4.0, t4: float = 5.0) -> None:
        self.t1, self.t2, self.t4 = t1, t2, t4
        self.t64 = 64 * t1
        """Timers B, F, H, L, M and J."""


RFC = TimerSettings()


class Timed(Protocol):
    """Whatever timers are armed for."""

    def fire(self, timer: str) -> None:
        """An armed timer is due; where the state has moved on since, it means nothing any more."""


class _Slots(dict[float, list[Any]]):
    """Target, timer, target, timer...: pairs of them would be most of what lingers of a call for 32 s."""

    __slots__ = ("_begin",)

    def __init__(self, begin: Callable[[float], None]) -> None:
        self._begin = begin

    def __missing__(self, slot: float) -> list[Any]:
        items: list[Any] = []
        self[slot] = items
        self._begin(slot)
        return items


class Wheel:
    """Timers by due time in slots of 1/32 s: appending costs a tenth of a heap push, and a slot fires as one.

    Nothing is disarmed: nearly every timer of SIP is armed in vain, and its machine knows that by its state.
    """

    __slots__ = ("_alarm", "_clock", "_due", "_slots")

    def __init__(self, clock: Callable[[], float], alarm: Callable[[float], None]) -> None:
        """`alarm(when)` is told what is now the first of all to come."""
        self._clock = clock
        self._alarm = alarm
        self._slots = _Slots(self._begin)
        self._due: list[float] = []

    def arm(self, target: Timed, timer: str, seconds: float) -> None:
        """Fire `timer` in so many seconds or up to 1/32 s later, never before."""
        self._slots[(self._clock() + seconds) // _SLOT_S].extend((target, timer))

    def _begin(self, slot: float) -> None:
        heapq.heappush(self._due, slot)
        if self._due[0] == slot:
            self._alarm((slot + 1) * _SLOT_S)

    def pop_due(self) -> list[tuple[Timed, str]]:
        """Every timer due by now, in order; what follows asks for the next alarm."""
        items: list[tuple[Timed, str]] = []
        now = self._clock()
        while self._due and (self._due[0] + 1) * _SLOT_S <= now:
            pairs = iter(self._slots.pop(heapq.heappop(self._due)))
            items += zip(pairs, pairs, strict=True)
        if self._due:
            self._alarm((self._due[0] + 1) * _SLOT_S)
        return items


class Batches(dict[tuple[str, float], "Batch[T]"]):
    """Timers that are armed for the same time again and again: those of one short while are due as one.

    Each costs a place in a list, and no look at the clock: nearly all are armed in vain, or all that follows is alike.
    """

    def __init__(
        self, arm: Callable[[Timed, str, float], None], due: Callable[[Batch[T]], None], while_s: float = 0.0
    ) -> None:
        """`arm` as that of a Wheel; `due` gets each batch, of what was added in `while_s` or up to 1/32 s longer."""
        self.arm = arm
        self.due = due
        self._while_s = while_s

    def add(self, item: T, timer: str, seconds: float) -> None:
        """It is due in so many seconds or up to `while_s` and 1/16 s later, never before."""
        self[timer, seconds].append(item)

    def __missing__(self, key: tuple[str, float]) -> Batch[T]:
        self[key] = batch = Batch(self, *key)
        self.arm(batch, "full", self._while_s)
        return batch


class Batch(list[T]):
    """Those who began to wait in the same while."""

    __slots__ = ("_of", "_seconds", "timer")

    def __init__(self, of: Batches[T], timer: str, seconds: float) -> None:
        self._of = of
        self._seconds = seconds
        self.timer = timer

    def fire(self, timer: str) -> None:
        """No more come to it, and then it is due."""
        if timer == "full":
            del self._of[self.timer, self._seconds]
            self._of.arm(self, "due", self._seconds)
        else:
            self._of.due(self)
