"""Where the phones of each extension are: the registrar with its memory (RFC 3261 10)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any

from sqlalchemy import Connection

from sip_stack.core import Hop, Incoming
from sip_stack.errors import PeerError
from sip_stack.grammar import write_params
from sip_stack.hop import RELIABLE, WEBSOCKET
from sip_stack.message import Request
from sip_stack.outbound import Flow, path_of
from sip_stack.registrar import Binding, register
from store import bindings as kept
from store.database import Database

__all__ = ["Locations"]

_LONGEST_CONTACT = 512
_FLOW_TIMER_S = 120
"""How often a phone shall be heard on a connection (RFC 5626 4.4): sooner than any of ours is given up."""


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
            transport, ip, port, *listener = row.received.split(" ")
            binding = Binding(
                row.contact, ip, int(port), transport, row.expires, row.call_id, row.cseq, row.user_agent,
                int(listener[0]) if listener else 0, row.path,
                Flow(row.instance, row.reg_id), row.seen_ip,
            )  # fmt: skip
            if _by_connection(binding):  # it ended with us
                continue
            self._bindings[row.number] = (*self._bindings.get(row.number, ()), binding)

    def of(self, number: str) -> tuple[Binding, ...]:
        """The live bindings of an extension."""
        bindings = self._bindings.get(number)
        if not bindings:
            return ()
        now = self._wall()
        return tuple([b for b in bindings if b.expires_at > now])

    def behind_a_nat(self, ip: str, port: int) -> bool:
        """Whether a phone is registered from there whose own address is another: no connection can be opened to it."""
        everyone = (binding for bindings in self._bindings.values() for binding in bindings)
        return any((b.source_ip, b.source_port) == (ip, port) and not b.direct for b in everyone)

    def register(
        self, number: str, incoming: Incoming, *, seen_ip: str = "", trusted: bool = False, service_route: str = ""
    ) -> None:
        """Serve one authenticated REGISTER.  Raises: PeerError.

        `seen_ip` is the phone's own address where a proxy is between; `trusted`: one whose Path is believed.
        """
        now, request = self._wall(), incoming.request
        before = self._bindings.get(number, ())
        path = path_of(request, trusted=trusted)
        after = register(before, request, incoming.source, now, path=path, seen_ip=seen_ip)
        if any(not _usable(binding) for binding in after):
            raise PeerError("Contact is no SIP address", 400)
        if incoming.source.transport in RELIABLE:
            self._by_flow.setdefault((incoming.source.transport, incoming.source.flow), set()).add(number)
        self._set(number, after)
        contacts = [("Contact", _bound(b, now)) for b in after]
        date = ("Date", formatdate(now, usegmt=True))  # 10.3 step 8: phones without a clock take it
        incoming.respond(200, extra=[*contacts, date, *_way_back(request, path, after), *_services(service_route)])

    def forget(self, number: str, binding: Binding) -> None:
        """Nobody is reached there any more."""
        self._set(number, tuple(b for b in self._bindings.get(number, ()) if b != binding))

    def flow_gone(self, hop: Hop) -> None:
        """A connection ended: forget who could be reached by nothing else."""
        for number in self._by_flow.pop((hop.transport, hop.flow), ()):
            self._set(number, tuple(b for b in self._bindings.get(number, ()) if not _lost_with(b, hop)))

    def _set(self, number: str, bindings: tuple[Binding, ...]) -> None:
        if bindings != self._bindings.get(number, ()):
            self._bindings[number] = bindings
            self._keep(self._database.run(lambda conn: _write(conn, number, bindings)))


def _lost_with(binding: Binding, hop: Hop) -> bool:
    return (binding.transport, binding.flow) == (hop.transport, hop.flow) and _by_connection(binding)


def _by_connection(binding: Binding) -> bool:
    """Nothing but the connection of its REGISTER leads to it: there is no other (RFC 7118, RFC 5626 6)."""
    if binding.path:  # it leads to the proxy, and the proxy knows the way on
        return False
    return binding.transport in WEBSOCKET or (binding.transport in RELIABLE and binding.outbound.reg_id > 0)


def _bound(binding: Binding, now: float) -> str:
    flow = binding.outbound
    more = write_params((("+sip.instance", flow.instance), ("reg-id", str(flow.reg_id)))) if flow.reg_id else ""
    return f"<{binding.contact}>{more};expires={max(0, round(binding.expires_at - now))}"


def _way_back(request: Request, path: str, bindings: tuple[Binding, ...]) -> list[tuple[str, str]]:
    """What the phone is told of Path (RFC 3327 5.3) and of its flow (RFC 5626 6)."""
    told = [("Supported", "path, outbound")]
    if path and "path" in request.tokens("Supported"):
        told.append(("Path", path))
    if any(b.outbound.reg_id and (b.call_id, b.cseq) == (request.call_id, request.cseq.number) for b in bindings):
        told.append(("Require", "outbound"))
        if bindings[-1].transport in RELIABLE and not path:
            told.append(("Flow-Timer", str(_FLOW_TIMER_S)))
    return told


def _services(route: str) -> list[tuple[str, str]]:
    return [("Service-Route", route)] if route else []  # RFC 3608 6.3


def _usable(binding: Binding) -> bool:
    """Whether an INVITE can be sent there; a SIPS URI is reached by TLS alone (RFC 3261 19.1)."""
    schemes = ("sip:", "sips:") if binding.transport in ("TLS", "WSS") else ("sip:",)
    return len(binding.contact) <= _LONGEST_CONTACT and binding.contact.startswith(schemes)


def _write(conn: Connection, number: str, bindings: tuple[Binding, ...]) -> None:
    kept.remove_bindings(conn, number)
    for b in bindings:
        received = f"{b.transport} {b.source_ip} {b.source_port}"
        if b.transport == "UDP" and b.flow:  # the address of ours that it came in by stays what it is
            received += f" {b.flow}"
        kept.save_binding(conn, kept.Binding(
            number, b.contact, received, b.expires_at, b.call_id, b.cseq, b.user_agent, b.path, *b.outbound, b.seen_ip,
        ))  # fmt: skip
