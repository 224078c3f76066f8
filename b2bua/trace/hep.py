"""SIP messages for a Homer server: HEPv3 packets, and the socket that sends them."""

from __future__ import annotations

import asyncio
import logging
import socket
from struct import Struct

from b2bua.trace.pcap import ends
from b2bua.trace.sip_trace import Seen

__all__ = ["HepSender", "packet"]

log = logging.getLogger(__name__)

_CHUNK = Struct("!HHH")
_GENERIC = 0
_SIP = 1
_UDP, _TCP = 17, 6
_MOST = 65_000
_FIND_EVERY_S = 300.0
_FIND_AGAIN_S = 10.0


def packet(seen: Seen, agent: int, password: str) -> bytes:
    """One message as the chunks of a HEPv3 packet; the correlation id is our call's, where it has one."""
    sent_from, sent_to = ends(*((seen.hop.host, seen.local[0]) if seen.received else (seen.local[0], seen.hop.host)))
    ports = (seen.hop.port, seen.local[1]) if seen.received else (seen.local[1], seen.hop.port)
    seconds, micros = divmod(round(seen.at * 1_000_000), 1_000_000)
    four = sent_from.version == 4
    chunks = [
        _chunk(1, bytes((2 if four else 10,))),  # AF_INET, AF_INET6
        _chunk(2, bytes((_UDP if seen.hop.transport == "UDP" else _TCP,))),
        _chunk(3 if four else 5, sent_from.packed),
        _chunk(4 if four else 6, sent_to.packed),
        _chunk(7, ports[0].to_bytes(2, "big")),
        _chunk(8, ports[1].to_bytes(2, "big")),
        _chunk(9, seconds.to_bytes(4, "big")),
        _chunk(10, micros.to_bytes(4, "big")),
        _chunk(11, bytes((_SIP,))),
        _chunk(12, agent.to_bytes(4, "big")),
    ]
    if password:
        chunks.append(_chunk(14, password.encode()))
    if seen.call is not None:
        chunks.append(_chunk(17, seen.call.id.encode()))
    chunks.append(_chunk(15, seen.shown[:_MOST]))
    body = b"".join(chunks)
    return b"HEP3" + (6 + len(body)).to_bytes(2, "big") + body


def _chunk(kind: int, payload: bytes) -> bytes:
    return _CHUNK.pack(_GENERIC, kind, _CHUNK.size + len(payload)) + payload


class HepSender:
    """Sends what it is told over UDP, and waits for nobody: a dead Homer costs a datagram that is lost."""

    def __init__(self, where: tuple[str, int], agent: int, password: str) -> None:
        self._where = where
        self._agent = agent
        self._password = password
        self._socket: socket.socket | None = None
        self._found: tuple[object, ...] = ()
        self.lost = 0

    @property
    def aimed(self) -> bool:
        """The server is found."""
        return self._socket is not None

    async def follow(self) -> None:
        """Find the server by its name, at first and every few minutes; an address needs it once."""
        while True:
            try:
                ((family, _, _, _, address), *_) = await asyncio.get_running_loop().getaddrinfo(
                    *self._where, type=socket.SOCK_DGRAM
                )
                self._aim(family, address)
            except (OSError, UnicodeError) as error:  # UnicodeError: no name that DNS could have
                log.warning("event=hep-server-not-found host=%s error=%s", self._where[0], error)
            await asyncio.sleep(_FIND_EVERY_S if self._socket else _FIND_AGAIN_S)

    def _aim(self, family: int, address: tuple[object, ...]) -> None:
        if address == self._found:
            return
        fresh = socket.socket(family, socket.SOCK_DGRAM)
        fresh.setblocking(False)
        try:
            fresh.connect(address)
        except OSError:
            fresh.close()
            raise
        self.close()
        self._socket, self._found = fresh, address

    def __call__(self, seen: Seen) -> None:
        """Send one message."""
        if self._socket is None:
            self.lost += 1
            return
        try:
            self._socket.send(packet(seen, self._agent, self._password))
        except OSError:  # a full buffer, nobody at the port: UDP may lose
            self.lost += 1

    def close(self) -> None:
        """Free the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
