"""Whose address it is: what counts as one source."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

__all__ = ["source_of"]


def source_of(ip: str) -> str:
    """An IPv4 address, or the /64 in which an IPv6 host picks its own."""
    if ":" not in ip:
        return ip
    address = ip_address(ip)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))
    return ip
