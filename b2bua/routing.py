"""Which trunks a number leaves by."""

from __future__ import annotations

from store.directory import Directory
from store.values import Trunk

__all__ = ["route"]


def route(directory: Directory, number: str) -> list[Trunk]:
    """The trunks of the longest prefix that begins the number, in the order to try them; empty: no way out."""
    for length in range(len(number), -1, -1):
        if found := directory.routes.get(number[:length]):
            return [directory.trunks[way.trunk_id] for way in found]
    return []
