"""What a REGISTER says of the way back to its phone: Path (RFC 3327) and flows (RFC 5626); pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sip_stack.errors import BadMessage, PeerError
from sip_stack.grammar import param
from sip_stack.headers import NameAddr, parse_vias
from sip_stack.message import Request

__all__ = ["NO_FLOW", "Flow", "flow_of", "path_of"]

_LONGEST_PATH = 1024
_LONGEST_INSTANCE = 255
_MOST_ID = 2**31 - 1


class Flow(NamedTuple):
    """One of the ways to one phone: its `+sip.instance`, and which of its flows (`reg-id`)."""

    instance: str = ""
    reg_id: int = 0
    """0: none, the phone does no outbound."""


NO_FLOW = Flow()


def path_of(request: Request, *, trusted: bool) -> str:
    """The Path of a REGISTER as a Route has it, topmost first; empty where there is none.

    A proxy that is not `trusted` needs the phone's word for it: RFC 3327 5.3 leaves the registrar to take a Path that
    the phone does not support, or to refuse it by 420.  Raises: PeerError 420; BadMessage for one that cannot be read.
    """
    if "Path" not in request.fields:
        return ""
    if not trusted and "path" not in request.tokens("Supported"):
        raise PeerError("Path without Supported: path", 420, (("Unsupported", "path"),))
    routes = request.addresses("Path")
    if any(route.uri.scheme not in ("sip", "sips") or param(route.uri.params, "lr") is None for route in routes):
        raise BadMessage("Path is no route of loose routers")  # RFC 3327 4: ;lr
    text = ", ".join(str(route) for route in routes)
    if len(text) > _LONGEST_PATH:
        raise BadMessage("Path is too long")
    return text


def flow_of(request: Request, contacts: Sequence[NameAddr]) -> Flow:
    """The flow that a REGISTER binds; none where the phone, or this REGISTER, does no outbound.

    Raises: PeerError 439 where the first proxy does none, BadMessage for a reg-id that is none, or for two.
    """
    if "outbound" not in request.tokens("Supported"):
        return NO_FLOW
    found = [flow for contact in contacts if (flow := _flow(contact)) is not NO_FLOW]
    if not found:
        return NO_FLOW
    if len(contacts) > 1:
        raise BadMessage("a Contact with a reg-id goes alone")  # RFC 5626 4.2.1
    if len(parse_vias(request.fields["Via"])) > 1 and not _edge_keeps_flows(request):
        raise PeerError("First Hop Lacks Outbound Support", 439)
    return found[0]


def _flow(contact: NameAddr) -> Flow:
    """RFC 5626 6: a reg-id counts only beside an instance."""
    instance, text = param(contact.params, "+sip.instance"), param(contact.params, "reg-id")
    if not instance or text is None:
        return NO_FLOW
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or not 0 < int(text) <= _MOST_ID:
        raise BadMessage("reg-id is no number from 1 on")
    if len(instance) > _LONGEST_INSTANCE:
        raise BadMessage("+sip.instance is too long")
    return Flow(instance, int(text))


def _edge_keeps_flows(request: Request) -> bool:
    """RFC 5626 5.1: the first proxy says `ob` in its Path, which is the last one here."""
    path = request.addresses("Path")
    return bool(path) and param(path[-1].uri.params, "ob") is not None
