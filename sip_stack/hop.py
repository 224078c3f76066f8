"""Where bytes go to or came from."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

__all__ = ["MOST_LISTENERS", "RELIABLE", "WEBSOCKET", "Hop", "bare", "bracketed"]

RELIABLE = frozenset({"TCP", "TLS", "WS", "WSS"})
"""Transports that repeat by themselves."""
WEBSOCKET = frozenset({"WS", "WSS"})
"""Transports on which nobody can be reached but by the connection that he opened."""
MOST_LISTENERS = 64


class Hop(NamedTuple):
    """One far end of a transport; `flow` names one connection of a transport that has them.

    The remainder of `flow` by MOST_LISTENERS is the number of the listening address that it came in by, 0: the first
    of its family. `name` is the domain that led here: what a certificate must be for (RFC 5922 7). `line` is the trunk
    for which a connection was opened: its TLS settings hold, and what comes back by it is the trunk's.
    """

    transport: str
    host: str
    port: int
    flow: int = 0
    name: str = ""
    line: str = ""


def bare(host: str) -> str:
    """A host as sockets show it: an IPv6 address without brackets and in its one short form, all else as it is."""
    return host if ":" not in host else _short(host)


@lru_cache(1024)
def _short(host: str) -> str:
    inside = host.strip("[]")
    try:
        return str(ip_address(inside))
    except ValueError:
        return inside


def bracketed(host: str) -> str:
    """A host as URIs and Via have it (RFC 3261 25.1, IPv6reference)."""
    return f"[{host}]" if ":" in host and host[0] != "[" else host
