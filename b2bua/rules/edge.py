"""Phones behind a proxy that we trust: what their own address is, and by which way they are called; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from sip_stack.grammar import Params
from sip_stack.headers import parse_name_addrs, parse_vias
from sip_stack.hop import Hop, bare
from sip_stack.locating import default_port
from sip_stack.message import Request
from sip_stack.registrar import Binding

__all__ = ["FLOW_FAILED", "behind_proxies", "by_phone", "flow_is_lost", "hop_of", "routes_of", "seen_by_edge"]

FLOW_FAILED = 430
"""A proxy says that the phone's connection to it is gone (RFC 5626 11.5)."""


def seen_by_edge(request: Request, source: Hop, is_edge: Callable[[str], bool]) -> tuple[str, int]:
    """The address and port of a request's sender as the first proxy that we trust saw it; `source` without any.

    Each wrote into the Via below its own where it got the request from (18.2.1, RFC 3581 4).  What stands below the
    last of them is the sender's own word, and is not read.
    """
    host, port = source.host, source.port
    if not is_edge(host):
        return host, port
    for via in parse_vias(request.fields["Via"])[1:]:
        try:
            host = str(ip_address((_last(via.params, "received") or via.host).strip("[]")))
        except ValueError:  # a name: this proxy did not look
            break
        text = _last(via.params, "rport")
        port = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else via.port or 5060
        if not is_edge(host):
            break
    return host, port


def behind_proxies(peer: str, forwarded_for: str, is_proxy: Callable[[str], bool]) -> str:
    """For whom web proxies speak: the last entry of X-Forwarded-For that none of ours stands behind."""
    seen = peer
    for text in reversed(forwarded_for.split(",")):
        try:
            address = str(ip_address(text.strip()))
        except ValueError:
            break
        if not is_proxy(seen):
            break
        seen = address
    return seen


def _last(params: Params, name: str) -> str:
    """The proxy's word: a sender may have written the same before it."""
    return next((value or "" for key, value in reversed(params) if key == name), "")


def by_phone(bindings: Sequence[Binding]) -> list[list[Binding]]:
    """The bindings of each phone, newest first: several flows of one are ways to ring it once (RFC 5626 7)."""
    if len(bindings) == 1:
        return [list(bindings)]
    phones: dict[object, list[Binding]] = {}
    for binding in bindings:
        instance = binding.outbound.instance
        phones.setdefault(instance or id(binding), []).insert(0, binding)
    return list(phones.values())


def flow_is_lost(status: int, rang: bool) -> bool:
    """Whether another flow of the same phone may do better (RFC 5626 7): this one is gone, or nobody answers there."""
    return status == FLOW_FAILED or (status == 408 and not rang)


def routes_of(binding: Binding) -> list[tuple[str, str]]:
    """The Route fields of a call to a phone; none where nothing is between."""
    return [("Route", binding.path)] if binding.path else []


def hop_of(binding: Binding, is_edge: Callable[[str], bool]) -> Hop:
    """Where a call to a phone is sent first: to one behind a proxy by the first address of its Path."""
    return _first_of_path(binding.path, binding.came_from, is_edge) if binding.path else binding.hop


def _first_of_path(path: str, came_from: Hop, is_edge: Callable[[str], bool]) -> Hop:
    """Another address than that of the REGISTER must be one of ours; a name is not looked up, its proxy has spoken."""
    uri = parse_name_addrs([path])[0].uri
    host, transport = bare(uri.host), uri.transport or "UDP"
    if host == came_from.host:
        same = transport == came_from.transport
        return came_from._replace(port=uri.port or default_port(transport)) if same else came_from
    try:
        trusted = is_edge(str(ip_address(host)))
    except ValueError:
        return came_from
    return Hop(transport, host, uri.port or default_port(transport)) if trusted else came_from
