"""Nothing leaves the machine: a SIP socket and a resolver that know its own addresses only.

RTP needs no guard of ours: a UDP socket bound to 127.0.0.1 cannot send to another machine (Linux says EINVAL).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address

from sip_stack.core import Hop
from sip_stack.transport import UdpTransport

__all__ = ["Address", "Datagram", "LoopbackTransport", "is_here", "locate_here"]

Address = tuple[str, int]
Datagram = Callable[[bytes, Address, Address], None]
"""Takes (payload, source, target) of each datagram."""

log = logging.getLogger(__name__)


def is_here(host: str) -> bool:
    """True for an address of this machine, also the one in its network: softphones use it. A name is none."""
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified or address.is_multicast:
        return address.is_loopback
    with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


class LoopbackTransport(UdpTransport):
    """SIP over UDP that refuses to send off the machine; `sent` sees what leaves."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, host: str, port: int, sent: Datagram | None = None
    ) -> None:  # fmt: skip
        """Raises: OSError where the port is held."""
        super().__init__(loop, host, port)
        self._sent = sent

    def send(self, data: bytes, hop: Hop) -> None:
        """Send one datagram to this machine, or refuse."""
        if not is_here(hop.host):
            self.dropped += 1
            log.error(
                "event=demo-send-refused to=%s:%d: the demo sends to this machine only; a phone or trunk elsewhere "
                "needs the real server, ./run serve", hop.host, hop.port,
            )  # fmt: skip
            return
        if self._sent is not None:
            self._sent(data, (self.host, self.port), (hop.host, hop.port))
        super().send(data, hop)


async def locate_here(host: str, port: int | None, transport: str | None = None) -> list[Hop]:
    """Where a trunk is.  Raises: OSError for one that is not on this machine."""
    if not is_here(host):
        raise OSError(f"the demo calls this machine only, not {host}")
    if transport not in (None, "UDP"):
        raise OSError("the demo speaks UDP only")
    return [Hop("UDP", host, port or 5060)]
