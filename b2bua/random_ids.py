"""Identifiers nobody can guess: tags, branches, Call-IDs (RFC 3261 19.3 asks for 32 random bits, these have 64)."""

from __future__ import annotations

from os import urandom

__all__ = ["RandomIds"]

_BYTES = 8
_AT_ONCE = 4096


class RandomIds:
    """16 hex digits a call; one system call serves hundreds, since each costs as much as a whole header."""

    __slots__ = ("_at", "_pool")

    def __init__(self) -> None:
        self._pool = ""
        self._at = 0

    def __call__(self) -> str:
        if self._at == len(self._pool):
            self._pool, self._at = urandom(_AT_ONCE).hex(), 0
        self._at += 2 * _BYTES
        return self._pool[self._at - 2 * _BYTES : self._at]
