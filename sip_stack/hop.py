"""Where bytes go to or came from."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["RELIABLE", "WEBSOCKET", "Hop"]

RELIABLE = frozenset({"TCP", "TLS", "WS", "WSS"})
"""Transports that repeat by themselves."""
WEBSOCKET = frozenset({"WS", "WSS"})
"""Transports on which nobody can be reached but by the connection that he opened."""


class Hop(NamedTuple):
    """One far end of a transport; `flow` names one connection of a transport that has them.

    `name` is the domain that led here: what a certificate must be for (RFC 5922 7).
    """

    transport: str
    host: str
    port: int
    flow: int = 0
    name: str = ""
