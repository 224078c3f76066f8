"""Identifiers nobody can guess: tags, branches, Call-IDs (RFC 3261 19.3 asks for 32 random bits, these have 64)."""

from __future__ import annotations

from os import urandom

__all__ = ["RandomIds"]

_BYTES = 8
_AT_ONCE = 512


class RandomIds:
    """16 hex digits a call; one system call serves hundreds, since each costs as much as a whole header."""

    __slots__ = ("_pool",)

    def __init__(self) -> None:
        self._pool: list[str] = []

    def __call__(self) -> str:
        if not self._pool:
            self._pool = urandom(_BYTES * _AT_ONCE).hex(" ", _BYTES).split()
        return self._pool.pop()
