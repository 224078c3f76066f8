"""Names to addresses for next hops; literals cost nothing."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

from sip_stack.core import Hop

__all__ = ["resolve"]


async def resolve(host: str, port: int, transport: str = "UDP") -> Hop:
    """Where requests for `host` go.  Raises: OSError (socket.gaierror) for a name nobody knows."""
    bare = host.strip("[]")
    try:
        return Hop(transport, str(ip_address(bare)), port)
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(bare, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    return Hop(transport, str(found[0][4][0]), port)
