"""One timer wheel for every port that has sound: 20 slots of 1 ms, absolute deadlines. Pure."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Wheel"]

_SLOTS = 20
_FORGIVEN_MS = 200
"""Later than this (a suspended machine) the frames missed are not sent in a burst but skipped."""

Pace = Callable[[float], bool]


class Wheel:
    """Calls each `pace(deadline)` every 20 ms until it returns False."""

    def __init__(self) -> None:
        self._slots: list[dict[Pace, None]] = [{} for _ in range(_SLOTS)]
        self._slot_of: dict[Pace, int] = {}
        self._tick = 0

    def __len__(self) -> int:
        return len(self._slot_of)

    def add(self, pace: Pace, now: float) -> None:
        """Begin at the next millisecond; one that is already on the wheel keeps its place."""
        if pace in self._slot_of:
            return
        tick = int(now * 1000) + 1
        if not self._slot_of:
            self._tick = tick
        self._slot_of[pace] = tick % _SLOTS
        self._slots[tick % _SLOTS][pace] = None

    def remove(self, pace: Pace) -> None:
        """Never call it again."""
        slot = self._slot_of.pop(pace, None)
        if slot is not None:
            del self._slots[slot][pace]

    def next_alarm(self) -> float | None:
        """When `turn` is needed next."""
        if not self._slot_of:
            return None
        return next(tick for tick in range(self._tick, self._tick + _SLOTS) if self._slots[tick % _SLOTS]) / 1000

    def turn(self, now: float) -> None:
        """Call whatever was due until `now`."""
        last = int(now * 1000 + 1e-6)
        if last - self._tick > _FORGIVEN_MS:
            self._tick = last - _SLOTS
        while self._tick <= last:
            for pace in list(self._slots[self._tick % _SLOTS]):
                if not pace(self._tick / 1000):
                    self.remove(pace)
            self._tick += 1
