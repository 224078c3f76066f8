"""Names to addresses for next hops (RFC 3263); literals cost nothing."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, TypeVar

import dns.asyncresolver
import dns.exception
import dns.resolver

from sip_stack.hop import Hop
from sip_stack.locating import Naptr, Srv, default_port, in_order, offered, srv_name

__all__ = ["Resolver"]

T = TypeVar("T")
LIFETIME_S = 3.0
"""How long one question may take, all name servers together."""
MOST_ANSWERS = 1000
SILENT_S = 30.0
"""For how long name servers that did not answer a question are not asked it again: calls do not wait for each."""


class Resolver:
    """Finds the servers of a domain: NAPTR, SRV, A and AAAA, each answer kept as long as it says."""

    def __init__(
        self, transports: Sequence[str] = ("UDP",), *, ipv4: bool = True, ipv6: bool = False,
        name_servers: Sequence[str] = (), port: int = 53,
    ) -> None:
        """`transports` are ours, the liked ones first; without `name_servers` the system's are asked."""
        self._transports = tuple(transports)
        used = [(4, "A", socket.AF_INET)] * ipv4 + [(6, "AAAA", socket.AF_INET6)] * ipv6
        self._versions, self._kinds, self._families = zip(*used, strict=True)
        self._dns = _dns(name_servers, port)
        self._known: dict[tuple[str, str], list[Any]] = {}
        """The last answers, for the time when nobody answers."""
        self._silent: dict[tuple[str, str], float] = {}
        """Questions without an answer, and when to ask them again."""

    async def locate(self, host: str, port: int | None = None, transport: str | None = None) -> list[Hop]:
        """Every server of `host` in the order to try them (RFC 3263 4.2, 4.3).

        `port` and `transport` are what the URI names. Raises: OSError for a host nobody knows or that has no service.
        """
        bare = host.strip("[]").rstrip(".")
        chosen = transport or self._transports[0]
        try:
            address = ip_address(bare)
        except ValueError:
            pass
        else:
            if address.version not in self._versions:
                raise OSError(f"{bare} is an address of a kind that is not used here")
            return [Hop(chosen, str(address), port or default_port(chosen))]
        if port is not None:  # 4.1 and 4.2: a port named leads past NAPTR and SRV
            return await self._hosts(chosen, bare, port)
        hops: list[Hop] = []
        for which, name in await self._services(bare, transport):
            for record in in_order(await self._srv(name), lambda n: secrets.randbelow(n + 1)):
                hops += await self._known_hosts(which, record.target.rstrip("."), record.port)
        return hops or await self._hosts(chosen, bare, default_port(chosen))

    async def _services(self, domain: str, transport: str | None) -> list[tuple[str, str]]:
        """(transport, name of its SRV records), in the domain's order or else in ours."""
        wanted = (transport,) if transport else self._transports
        if transport is None:
            found = offered([Naptr(r.order, r.preference, r.flags.decode(), r.service.decode(), str(r.replacement))
                             for r in await self._ask(domain, "NAPTR")], wanted)
            if found:
                return found
        return [(which, name) for which in wanted if (name := srv_name(which, domain))]

    async def _srv(self, name: str) -> list[Srv]:
        return [Srv(r.priority, r.weight, r.port, str(r.target)) for r in await self._ask(name, "SRV")]

    async def _known_hosts(self, transport: str, host: str, port: int) -> list[Hop]:
        """One server that has no address leaves the others."""
        try:
            return await self._hosts(transport, host, port)
        except OSError:
            return []

    async def _hosts(self, transport: str, host: str, port: int) -> list[Hop]:
        """The addresses of a host; what DNS does not know may be in the system's own tables.  Raises: OSError."""
        addresses = [str(record.address) for kind in self._kinds for record in await self._ask(host, kind)]
        if not addresses:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            addresses = [str(entry[4][0]) for entry in found if entry[0] in self._families]
        if not addresses:
            raise OSError(f"{host} has no address of a kind that is used here")
        return [Hop(transport, address, port) for address in addresses]

    async def _ask(self, name: str, kind: str) -> list[Any]:
        """The records of one kind; where nobody answers those of before, though they are too old (RFC 8767)."""
        question, now = (name, kind), asyncio.get_running_loop().time()
        if self._dns is None:
            return []
        if self._silent.get(question, 0.0) > now:
            return self._known.get(question, [])
        try:
            answer = await self._dns.resolve(name, kind, raise_on_no_answer=False, search=False, lifetime=LIFETIME_S)
        except (dns.resolver.LifetimeTimeout, dns.resolver.NoNameservers):
            _keep(self._silent, question, now + SILENT_S)
            return self._known.get(question, [])
        except dns.exception.DNSException:  # there is no such name, or it is none
            self._known.pop(question, None)
            return []
        self._silent.pop(question, None)
        records = list(answer.rrset or ())
        _keep(self._known, question, records)
        return records


def _keep(where: dict[tuple[str, str], T], question: tuple[str, str], value: T) -> None:
    """Remember the newest so many."""
    where.pop(question, None)
    where[question] = value
    if len(where) > MOST_ANSWERS:
        del where[next(iter(where))]


def _dns(name_servers: Sequence[str], port: int) -> dns.asyncresolver.Resolver | None:
    """None on a machine without name servers."""
    try:
        resolver = dns.asyncresolver.Resolver(configure=not name_servers)
    except dns.resolver.NoResolverConfiguration:
        return None
    if name_servers:
        resolver.nameservers = list(name_servers)
        resolver.port = port
    resolver.cache = dns.resolver.LRUCache(MOST_ANSWERS)
    return resolver
