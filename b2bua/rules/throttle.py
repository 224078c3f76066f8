"""The brake on guessing passwords: who guesses is held off, and never who once proved to be somebody there; pure."""

from __future__ import annotations

from collections import OrderedDict, deque

from b2bua.rules.sources import source_of

__all__ = ["ONE_USER", "ONE_SOURCE", "WINDOW_S", "Throttle"]

ONE_USER, ONE_SOURCE, WINDOW_S = 30, 100, 300.0
"""Wrong passwords within the window: for one user from one source, and from one source for anybody."""
_MOST_KEYS = 10_000
_MOST_PROVEN = 50_000

_Key = tuple[str, str, int]
"""User, source and port; no user or no port: any."""


class Throttle:
    """Counts wrong passwords, and remembers who proved what from where. `now` is in Unix time.

    A phone that proved itself has a count of its own, by its port: who guesses behind the same address shuts out
    whom it guesses at from there, but not the phone that is in.
    """

    def __init__(self, most_keys: int = _MOST_KEYS, most_proven: int = _MOST_PROVEN) -> None:
        self._most_keys, self._most_proven = most_keys, most_proven
        self._failures: OrderedDict[_Key, deque[float]] = OrderedDict()
        self._proven: OrderedDict[_Key, None] = OrderedDict()

    def holds_off(self, user: str, ip: str, port: int, now: float) -> bool:
        """Whether not even a right password counts now; `user` is empty for one that does not exist."""
        if not self._failures:
            return False
        source = source_of(ip)
        if user and self._reached(self._place(user, source, port), ONE_USER, now):
            return True
        known = (user, source, 0) in self._proven
        return not known and self._reached(("", source, 0), ONE_SOURCE, now)

    def failed(self, user: str, ip: str, port: int, now: float) -> None:
        """A wrong password, in an answer to a challenge that this very source was sent."""
        source = source_of(ip)
        if user:
            self._count(self._place(user, source, port), ONE_USER, now)
        self._count(("", source, 0), ONE_SOURCE, now)

    def proved(self, user: str, ip: str, port: int) -> None:
        """A right password."""
        source = source_of(ip)
        for key in ((user, source, 0), (user, source, port)):
            self._proven[key] = None
            self._proven.move_to_end(key)
        while len(self._proven) > self._most_proven:
            self._proven.popitem(last=False)

    def _place(self, user: str, source: str, port: int) -> _Key:
        return (user, source, port if (user, source, port) in self._proven else 0)

    def _count(self, key: _Key, limit: int, now: float) -> None:
        times = self._failures.setdefault(key, deque(maxlen=limit))
        times.append(now)
        self._failures.move_to_end(key)
        if len(self._failures) > self._most_keys:
            self._failures.popitem(last=False)

    def _reached(self, key: _Key, limit: int, now: float) -> bool:
        times = self._failures.get(key)
        return times is not None and len(times) == limit and now - times[0] < WINDOW_S
