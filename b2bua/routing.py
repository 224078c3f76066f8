"""Which trunks a number leaves by."""

from __future__ import annotations

from collections.abc import Collection

from store.directory import Directory
from store.values import Trunk

__all__ = ["route"]


def route(directory: Directory, number: str, down: Collection[int] = ()) -> list[Trunk]:
    """The trunks of the longest prefix that begins the number, in the order to try them; empty: no way out.

    Those in `down`, by id, come last: what does not answer OPTIONS may still take calls.
    """
    for length in range(len(number), -1, -1):
        if found := directory.routes.get(number[:length]):
            ways = sorted(found, key=lambda way: way.trunk_id in down) if down else found
            return [directory.trunks[way.trunk_id] for way in ways]
    return []
