"""The lists of [server] in the file of `ringback apply`; pure."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from sip_stack.errors import BadMessage
from sip_stack.grammar import param
from sip_stack.headers import parse_name_addr

__all__ = ["read_networks", "read_routes"]


def read_networks(value: Any) -> str:
    """Networks with spaces between.  Raises: ValueError with a sentence."""
    return " ".join(_network(text) for text in _texts(value, "networks or addresses"))


def read_routes(value: Any) -> str:
    """Addresses of loose routers, as the header has them.  Raises: ValueError with a sentence."""
    return ", ".join(_route(text) for text in _texts(value, "SIP addresses"))


def _texts(value: Any, what: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"expected a list of {what}, each in quotes")
    return value


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as wrong:
        raise ValueError(f'"{text}" is no network or address') from wrong


def _route(text: str) -> str:
    try:
        route = parse_name_addr(text if text.startswith("<") else f"<{text}>")
    except BadMessage:
        route = None
    if route is None or route.uri.scheme not in ("sip", "sips") or param(route.uri.params, "lr") is None:
        raise ValueError(f'"{text}" is not as in "sip:edge.example.net;lr"')
    return str(route)
