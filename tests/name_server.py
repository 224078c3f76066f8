"""A name server on loopback, small enough to be believed."""

from __future__ import annotations

import asyncio
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

__all__ = ["NameServer"]


class NameServer(asyncio.DatagramProtocol):
    """Answers from lines such as `one.test. 300 IN A 192.0.2.1` and counts what it is asked."""

    def __init__(self, zone: str) -> None:
        self.asked: list[str] = []
        self.silent = False
        self._sets: dict[tuple[str, str], list[str]] = {}
        for line in zone.strip().splitlines():
            name, ttl, _, kind, data = line.split(" ", 4)
            self._sets.setdefault((name, kind), []).append(f"{ttl} {data}")
        self._names = {name for name, _ in self._sets}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = str(question.name), question.rdtype.name
        self.asked.append(f"{name} {kind}")
        if self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        rows = self._sets.get((name, kind), [])
        if rows:
            ttl = int(rows[0].split(" ", 1)[0])
            answer.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *(row.split(" ", 1)[1] for row in rows)))
        elif name not in self._names:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), source)
