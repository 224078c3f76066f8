"""Which servers of a domain are asked, by which transport, and in which order (RFC 3263 4, RFC 2782); pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["SERVICES", "Naptr", "Srv", "default_port", "in_order", "offered", "srv_name"]

SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS", "SIP+D2W": "WS", "SIPS+D2W": "WSS"}
"""NAPTR services and their transports (RFC 3263 4.1, RFC 7118 5.6)."""
_SRV = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}


class Naptr(NamedTuple):
    """One NAPTR record (RFC 3403 4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


def offered(records: Sequence[Naptr], wanted: Sequence[str]) -> list[tuple[str, str]]:
    """(transport, name of its SRV records) that both sides have, in the order of the domain.

    RFC 3263 4.1: services that we do not support are discarded, and what is left is tried in order; only records
    with the flag "s" lead to SRV records.
    """
    found = []
    for record in sorted(records, key=lambda record: (record.order, record.preference)):
        transport = SERVICES.get(record.service.upper(), "")
        if transport in wanted and record.flags.lower() == "s":
            found.append((transport, record.replacement))
    return found


def srv_name(transport: str, domain: str) -> str | None:
    """Where the SRV records of a transport are without NAPTR; None for one that has none (WebSocket)."""
    prefix = _SRV.get(transport)
    return None if prefix is None else prefix + domain


def default_port(transport: str) -> int:
    """RFC 3261 19.1.2; WebSocket's are those of HTTP (RFC 6455 3)."""
    return {"TLS": 5061, "WS": 80, "WSS": 443}.get(transport, 5060)


def in_order(records: Sequence[Srv], draw: Callable[[int], int]) -> list[Srv]:
    """The order of one attempt: by priority, and by chance in proportion to weight within one (RFC 2782 page 4).

    `draw(n)` is a random number from 0 to n inclusive. A target of "." says that there is no such service.
    """
    left = sorted((record for record in records if record.target.rstrip(".")), key=lambda r: (r.priority, r.weight > 0))
    ordered: list[Srv] = []
    while left:
        group = [record for record in left if record.priority == left[0].priority]
        chosen = _drawn(group, draw)
        left.remove(chosen)
        ordered.append(chosen)
    return ordered


def _drawn(group: Sequence[Srv], draw: Callable[[int], int]) -> Srv:
    """The first whose running sum of weights reaches the number drawn; those of weight 0 stand first."""
    reached = draw(sum(record.weight for record in group))
    for record in group:
        reached -= record.weight
        if reached <= 0:
            return record
    raise AssertionError("draw() was beyond the sum")
