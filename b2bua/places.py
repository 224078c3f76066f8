"""Addresses and ports as settings write them."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address

__all__ = ["Places", "listed", "own_address", "port_range", "split_address", "split_host"]

Places = str | tuple[str, ...]
"""`ADDRESS:PORT`, one or several."""


def listed(places: Places) -> tuple[str, ...]:
    """One or several, as several; none where empty."""
    return tuple(each for each in ((places,) if isinstance(places, str) else places) if each)


def split_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:5060` or `[::1]:5060`.  Raises: ValueError with a sentence."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'"{text}" is not ADDRESS:PORT')
    ip_address(host)
    return host, int(port)


def split_host(text: str) -> tuple[str, int]:
    """`homer.example:9060`, `192.0.2.5:9060` or `[2001:db8::5]:9060`.  Raises: ValueError with a sentence."""
    host, colon, port = text.rpartition(":")
    named = re.fullmatch(r"\[[\da-fA-F:.]+\]|[\w.-]+", host)
    if not (colon and named and port.isdecimal() and 0 < int(port) <= 65535):
        raise ValueError(f'"{text}" is not HOST:PORT')
    return host.strip("[]"), int(port)


def own_address(bound: str) -> str:
    """The address others reach us at: the bound one, or where it is any address, the one towards the Internet."""
    if not ip_address(bound).is_unspecified:
        return bound
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1", 9))  # sends nothing
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])


def port_range(text: str) -> range:
    """Raises: ValueError with a sentence."""
    low, _, high = text.partition("-")
    if not (low.isdecimal() and high.isdecimal() and 1024 <= int(low) < int(high) <= 65535):
        raise ValueError(f'"{text}" is not a range from 1024 to 65535, as in "20000-29999"')
    if int(low) + int(low) % 2 + 1 > int(high):
        raise ValueError(f'"{text}" has no even port and the next odd one')
    return range(int(low), int(high) + 1)
