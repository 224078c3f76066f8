"""Where the phones of each extension are: the registrar with its memory (RFC 3261 10)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from sqlalchemy import Connection

from sip_stack.core import Hop, Incoming
from sip_stack.errors import PeerError
from sip_stack.hop import WEBSOCKET
from sip_stack.registrar import Binding, register
from store import bindings as kept
from store.database import Database

__all__ = ["Locations"]

_LONGEST_CONTACT = 512


class Locations:
    """Live bindings by extension number; every change is also written, so that a restart loses none."""

    def __init__(
        self, database: Database, wall: Callable[[], float], keep: Callable[[Coroutine[Any, Any, Any]], object]
    ) -> None:
        self._database = database
        self._wall = wall
        self._keep = keep
        self._bindings: dict[str, tuple[Binding, ...]] = {}
        self._by_flow: dict[tuple[str, int], set[str]] = {}
        """Who registered by a connection; some may have left it since."""

    async def load(self) -> None:
        """Read what was registered when the server stopped."""
        now = self._wall()
        for row in await self._database.read(lambda conn: kept.load_bindings(conn, now)):
            transport, ip, port = row.received.split(" ")
            if transport in WEBSOCKET:  # its connection ended with us
                continue
            binding = Binding(row.contact, ip, int(port), transport, row.expires, row.call_id, row.cseq, row.user_agent)
            self._bindings[row.number] = (*self._bindings.get(row.number, ()), binding)

    def of(self, number: str) -> tuple[Binding, ...]:
        """The live bindings of an extension."""
        now = self._wall()
        return tuple(b for b in self._bindings.get(number, ()) if b.expires_at > now)

    def behind_a_nat(self, ip: str, port: int) -> bool:
        """Whether a phone is registered from there whose own address is another: no connection can be opened to it."""
        everyone = (binding for bindings in self._bindings.values() for binding in bindings)
        return any((b.source_ip, b.source_port) == (ip, port) and not b.direct for b in everyone)

    def register(self, number: str, incoming: Incoming) -> None:
        """Serve one authenticated REGISTER.  Raises: PeerError."""
        now = self._wall()
        before = self._bindings.get(number, ())
        after = register(before, incoming.request, incoming.source, now)
        if any(not _usable(binding.contact) for binding in after):
            raise PeerError("Contact is no SIP address", 400)
        if incoming.source.flow:
            self._by_flow.setdefault((incoming.source.transport, incoming.source.flow), set()).add(number)
        self._set(number, after)
        contacts = [("Contact", f"<{b.contact}>;expires={max(0, round(b.expires_at - now))}") for b in after]
        incoming.respond(200, extra=contacts)

    def flow_gone(self, hop: Hop) -> None:
        """A connection ended: forget who could be reached by nothing else."""
        for number in self._by_flow.pop((hop.transport, hop.flow), ()):
            self._set(number, tuple(b for b in self._bindings.get(number, ()) if not _lost_with(b, hop)))

    def _set(self, number: str, bindings: tuple[Binding, ...]) -> None:
        if bindings != self._bindings.get(number, ()):
            self._bindings[number] = bindings
            self._keep(self._database.run(lambda conn: _write(conn, number, bindings)))


def _lost_with(binding: Binding, hop: Hop) -> bool:
    return (binding.transport, binding.flow) == (hop.transport, hop.flow) and binding.transport in WEBSOCKET


def _usable(contact: str) -> bool:
    """Whether an INVITE can be sent there."""
    return len(contact) <= _LONGEST_CONTACT and contact.startswith(("sip:", "sips:"))


def _write(conn: Connection, number: str, bindings: tuple[Binding, ...]) -> None:
    kept.remove_bindings(conn, number)
    for b in bindings:
        received = f"{b.transport} {b.source_ip} {b.source_port}"
        kept.save_binding(
            conn, kept.Binding(number, b.contact, received, b.expires_at, b.call_id, b.cseq, b.user_agent)
        )
