"""STUN on a SIP port: the keep-alive of phones over UDP (RFC 5626 4.4.2, RFC 5389); pure."""

from __future__ import annotations

import struct
from ipaddress import ip_address

__all__ = ["binding_response"]

_HEAD = struct.Struct("!HHI12s")
_REQUEST, _SUCCESS = 0x0001, 0x0101
_COOKIE = 0x2112A442
_XOR_MAPPED_ADDRESS = 0x0020


def binding_response(data: bytes, host: str, port: int) -> bytes | None:
    """The answer to a Binding request: the address it came from (15.2); None for what is no such request."""
    if len(data) < _HEAD.size or data[0] > 3:  # 6: the first two bits tell it from SIP
        return None
    kind, length, cookie, transaction = _HEAD.unpack_from(data)
    if (kind, cookie) != (_REQUEST, _COOKIE) or length != len(data) - _HEAD.size or length % 4:
        return None
    address = ip_address(host)
    mask = struct.pack("!I12s", _COOKIE, transaction)
    hidden = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    value = struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ _COOKIE >> 16) + hidden
    attribute = struct.pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value
    return _HEAD.pack(_SUCCESS, len(attribute), _COOKIE, transaction) + attribute
