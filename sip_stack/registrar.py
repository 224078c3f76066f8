"""Bindings of one address of record (RFC 3261 10.3), pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sip_stack.errors import PeerError
from sip_stack.grammar import number, param
from sip_stack.hop import Hop, bare
from sip_stack.locating import default_port
from sip_stack.message import Request
from sip_stack.outbound import NO_FLOW, Flow, flow_of
from sip_stack.uri import Uri, parse_uri

__all__ = ["Binding", "register"]

DEFAULT_EXPIRES_S = 3600


@dataclass(frozen=True)
class Binding:
    """Where one phone of an extension is reached, until when (Unix time); what follows from it is read once."""

    contact: str
    """The Contact URI as the phone wrote it: the Request-URI of calls to it."""
    source_ip: str
    source_port: int
    """Where the REGISTER came from: requests go there, which is what crosses a NAT (RFC 5626's idea of a flow)."""
    transport: str
    expires_at: float
    call_id: str
    cseq: int
    user_agent: str = ""
    flow: int = 0
    """The connection the REGISTER came by, where the transport has connections: calls take it while it is open."""
    path: str = ""
    """The proxies between us and the phone, as a Route has them (RFC 3327)."""
    outbound: Flow = NO_FLOW
    """Which phone, and which of its flows (RFC 5626)."""
    seen_ip: str = ""
    """The phone's own address as a trusted proxy saw it; empty where nothing is between."""

    @cached_property
    def uri(self) -> Uri:
        """The contact, read."""
        return parse_uri(self.contact)

    @cached_property
    def direct(self) -> bool:
        """It is where its Contact says: no NAT is between."""
        return bare(self.uri.host) == self.source_ip

    @property
    def came_from(self) -> Hop:
        """Where its REGISTER came from."""
        return Hop(self.transport, self.source_ip, self.source_port, self.flow)

    @cached_property
    def hop(self) -> Hop:
        """Where a request is sent first, where no proxy is between.

        Behind a NAT where its REGISTER came from, else where its Contact says, either by the connection of its
        REGISTER while that is open; RFC 5626 7: by its flow alone where it has one.
        """
        if self.outbound.reg_id or not self.direct:
            return self.came_from
        return self.came_from._replace(port=self.uri.port or default_port(self.transport))

    @property
    def key(self) -> object:
        """What a newer registration replaces (10.3 step 7, RFC 5626 6): the same flow, or the same contact."""
        return self.outbound if self.outbound.reg_id else self.contact


def register(
    bindings: tuple[Binding, ...],
    request: Request,
    source: Hop,
    now: float,
    *,
    min_s: int = 30,
    max_s: int = 3600,
    max_contacts: int = 10,
    path: str = "",
    seen_ip: str = "",
) -> tuple[Binding, ...]:
    """The bindings after one REGISTER from `source`, by `path`: live ones, newest last.

    Raises: PeerError 423 for a time below `min_s`, 400 for a misused `*`, 500 for an out-of-order CSeq (10.3 step 7),
    403 beyond `max_contacts`, what `flow_of` raises; nothing is changed then.
    """
    live = {b.key: b for b in bindings if b.expires_at > now}
    if any(value.strip() == "*" for value in request.fields.get("Contact", ())):
        return _remove_all(live, request)
    contacts = request.addresses("Contact")
    outbound = flow_of(request, contacts)
    for address in contacts:
        seconds = _seconds(request, param(address.params, "expires"))
        contact = str(address.uri)
        key = outbound if outbound.reg_id else contact
        known = live.get(key)
        if known and known.call_id == request.call_id and request.cseq.number <= known.cseq:
            raise PeerError("REGISTER out of order", status=500)
        for other in [key, *(b.key for b in live.values() if _outdated(b, contact, outbound))]:
            live.pop(other, None)
        if seconds == 0:
            continue
        if seconds < min_s:
            raise PeerError(f"the shortest registration is {min_s} s", 423, (("Min-Expires", str(min_s)),))
        agent = (request.get("User-Agent") or "")[:120]
        live[key] = Binding(
            contact, source.host, source.port, source.transport, now + min(seconds, max_s), request.call_id,
            request.cseq.number, agent, source.flow, path, outbound, seen_ip,
        )  # fmt: skip
    if len(live) > max_contacts:
        raise PeerError("too many contacts", status=403)
    return tuple(live.values())


def _outdated(binding: Binding, contact: str, outbound: Flow) -> bool:
    """The same contact is bound in another way; several flows of one phone may have it in common."""
    return binding.contact == contact and binding.outbound.instance != outbound.instance


def _remove_all(live: dict[object, Binding], request: Request) -> tuple[Binding, ...]:
    """10.2.2: `*` only alone and with Expires 0."""
    if len(request.tokens("Contact")) != 1 or (request.get("Expires") or "").strip() != "0":
        raise PeerError("Contact * goes alone and with Expires: 0")
    for binding in live.values():
        if binding.call_id == request.call_id and request.cseq.number <= binding.cseq:
            raise PeerError("REGISTER out of order", status=500)
    return ()


def _seconds(request: Request, parameter: str | None) -> int:
    for text in (parameter, request.get("Expires")):
        if text and (seconds := number(text.strip(), 2**31)) is not None:
            return seconds
    return DEFAULT_EXPIRES_S  # 20.19: a malformed value counts as 3600
