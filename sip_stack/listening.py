"""Our addresses: where we listen, and which of them a far end is told; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sip_stack.hop import MOST_LISTENERS, Hop

__all__ = ["Listener", "Listening"]


class Listener(NamedTuple):
    """One address that we listen at; `told` is what far ends are told of it, another one behind a NAT."""

    transport: str
    host: str
    port: int
    told: str
    listens: bool = True
    """False for a transport by which we only go out."""


class Listening:
    """The addresses of one server, in the order of their numbers: 1, 2, ... as hops have them (see Hop.flow)."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        """Raises: ValueError for too many."""
        if len(listeners) >= MOST_LISTENERS:
            raise ValueError(f"more than {MOST_LISTENERS - 1} listening addresses")
        self.listeners = tuple(listeners)
        self._first: dict[tuple[str, bool], Listener] = {}
        """By transport and whether it is IPv6; any family where there is none of that one."""
        for each in listeners:
            self._first.setdefault((each.transport, ":" in each.host), each)
        for each in listeners:
            self._first.setdefault((each.transport, ":" not in each.host), each)

    @property
    def simple(self) -> bool:
        """One address for each transport: nothing is to be chosen."""
        return len({each.transport for each in self.listeners}) == len(self.listeners)

    def of(self, hop: Hop) -> Listener:
        """The one that this far end came in by, else the first of its family."""
        number = hop.flow % MOST_LISTENERS
        if number:
            found = self.listeners[number - 1]
            if found.transport == hop.transport and (":" in found.host) == (":" in hop.host):
                return found
        return self._first[hop.transport, ":" in hop.host]
