"""Requests to a trunk outside calls: OPTIONS and REGISTER, to its servers in turn, with a proof where one is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

from b2bua.plan.trunk_checks import split_host
from b2bua.trunks.rules import contact_user
from sip_stack.core import Hop, SipCore
from sip_stack.digest import Credentials, answer, challenge_of
from sip_stack.headers import NameAddr
from sip_stack.hop import bare
from sip_stack.message import Request, Response
from sip_stack.uri import Uri, sip_uri
from store.values import Trunk

__all__ = ["Locate", "TrunkClient", "route_to", "servers_of", "trunk_uri"]

Locate = Callable[[str, int | None, str | None], Awaitable[list[Hop]]]
"""The servers of (host, port, transport) in the order to try them (RFC 3263); OSError for a host nobody knows."""
Headers = Callable[[Hop], list[tuple[str, str]]]
"""What a request has beside the usual, by where it goes."""
_MOST_TRIES = 3
_TRANSPORTS = {"": None, "udp": "UDP", "tcp": "TCP", "tls": "TLS", "sips": "TLS"}


async def servers_of(trunk: Trunk, locate: Locate) -> list[Hop]:
    """Where requests for a trunk are sent: to its outbound proxy, where it has one.  Raises: OSError."""
    host, port = split_host(trunk.proxy) if trunk.proxy else (bare(trunk.host), trunk.port or None)
    hops = await locate(host, port, _TRANSPORTS[trunk.transport])
    return [hop._replace(name=host, line=trunk.name) for hop in hops]


def trunk_uri(trunk: Trunk, user: str, port: int | None = None) -> Uri:
    """A URI at a trunk; a SIPS URI where it wants those."""
    uri = sip_uri(user, trunk.host, port)
    return uri._replace(scheme="sips") if trunk.transport == "sips" else uri


def route_to(trunk: Trunk) -> list[tuple[str, str]]:
    """A Route for its outbound proxy, a loose router (16.12); none without."""
    if not trunk.proxy:
        return []
    host, port = split_host(trunk.proxy)
    transport = (("transport", trunk.transport),) if trunk.transport in ("tcp", "tls") else ()
    uri = sip_uri("", host, port, (*transport, ("lr", None)))
    return [("Route", f"<{uri._replace(scheme='sips') if trunk.transport == 'sips' else uri}>")]


class TrunkClient:
    """We as a client of one trunk."""

    def __init__(self, core: SipCore, locate: Locate, domain: str, trunk: Trunk) -> None:
        self.trunk = trunk
        self._core = core
        self._locate = locate
        self._domain = domain
        self._call_id = core.new_id() + core.new_id()
        self._seq = count(1)

    async def options(self, within_s: float) -> Response | None:
        """Ask whether it is there; None when nobody answered in time.  Raises: OSError."""
        us = NameAddr("", sip_uri("ringback", self._domain))
        there = NameAddr("", self._registrar)
        return await self._ask("OPTIONS", us, there, lambda hop: [("Accept", "application/sdp")], within_s)

    async def register(self, expires_s: int | None, within_s: float = 32.0) -> Response | None:
        """Bind our Contact for so long, 0: no more; None: only ask who is bound (10.2.3).  Raises: OSError."""
        who, secure = NameAddr("", trunk_uri(self.trunk, self.trunk.user)), self.trunk.transport == "sips"

        def binding(hop: Hop) -> list[tuple[str, str]]:
            if expires_s is None:
                return []
            contact = self._core.contact(hop, user=contact_user(self.trunk), secure=secure)
            return [("Contact", contact), ("Expires", str(expires_s))]

        return await self._ask("REGISTER", who, who, binding, within_s)

    @property
    def _registrar(self) -> Uri:
        return trunk_uri(self.trunk, "", self.trunk.port or None)

    async def _ask(
        self, method: str, from_: NameAddr, to: NameAddr, extra: Headers, within_s: float
    ) -> Response | None:
        """Ask one server after the other (RFC 3263 4.3: the next one after a 503, or where nobody answers)."""
        response = None
        hops = await servers_of(self.trunk, self._locate)
        for left, hop in zip(range(len(hops) - 1, -1, -1), hops, strict=True):
            patience = min(within_s, self.trunk.connect_s) if left else within_s
            response = await self._ask_one(method, from_, to, extra(hop), hop, patience)
            if response is not None and response.status != 503:
                break
        return response

    async def _ask_one(
        self, method: str, from_: NameAddr, to: NameAddr, extra: list[tuple[str, str]], hop: Hop, within_s: float
    ) -> Response | None:
        """Ask, and prove who we are; a second proof only for a nonce that was too old (22.4)."""
        proof: list[tuple[str, str]] = []
        for tries in range(1, _MOST_TRIES + 1):
            request = self._core.build(method, self._registrar, from_, to, [*route_to(self.trunk), *extra, *proof])
            if method == "REGISTER":  # 10.2: one Call-ID for all, and CSeq goes up by one each time
                request.fields["Call-ID"] = [self._call_id]
                request.fields["CSeq"] = [f"{next(self._seq)} {method}"]
            response = await self._final(request, hop, within_s)
            found = challenge_of(response) if response is not None else None
            if found is None or not self.trunk.user or tries == _MOST_TRIES or (proof and not found[1].stale):
                return response
            name, challenge = found
            who = Credentials(self.trunk.user, self.trunk.password)
            proof = [(name, answer(challenge, who, method, request.uri_text, self._core.new_id()))]
        raise AssertionError("unreachable")

    async def _final(self, request: Request, hop: Hop, within_s: float) -> Response | None:
        """The final response, None when none came within Timer F, or sooner."""
        answered: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

        def heard(response: Response | None) -> None:
            if (response is None or response.status >= 200) and not answered.done():
                answered.set_result(response)

        client = self._core.request(request, hop, heard)
        self._core.arm(client, "F", within_s)
        return await answered
