"""Identifiers nobody can guess: tags, branches, Call-IDs (RFC 3261 19.3 asks for 32 random bits, these have 64)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from os import urandom

__all__ = ["random_ids"]

_BYTES = 8
_AT_ONCE = 512


def random_ids() -> Callable[[], str]:
    """What gives 16 hex digits a call, to one thread."""
    return chain.from_iterable(_batches()).__next__


def _batches() -> Iterator[list[str]]:
    while True:  # one system call serves hundreds: each costs as much as a whole header
        yield urandom(_BYTES * _AT_ONCE).hex(" ", _BYTES).split()
