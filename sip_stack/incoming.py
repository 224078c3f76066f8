"""A request on its way to whoever answers it."""

from __future__ import annotations

from collections.abc import Iterable

from sip_stack.hop import Hop
from sip_stack.message import Request, reply
from sip_stack.server_transaction import InviteServer, Server
from sip_stack.transaction import OnAck, Shell

__all__ = ["Incoming"]

_DONE = Request("INVITE", "", {})
_TRYING_S = 0.2


class Incoming:
    """A request with the server transaction it began, to be responded to."""

    __slots__ = ("_server", "_shell", "request", "source")

    def __init__(self, server: Server, request: Request, source: Hop, shell: Shell) -> None:
        self._server = server
        self._shell = shell
        self.request = request
        self.source = source

    @property
    def tag(self) -> str:
        """The To tag of our responses."""
        return self._server.tag

    @property
    def open(self) -> bool:
        """True until a final response has left."""
        return self._server.open

    def respond(
        self,
        status: int,
        reason: str = "",
        *,
        extra: Iterable[tuple[str, str]] = (),
        lines: str = "",
        body: bytes = b"",
    ) -> None:
        """Send a response; nothing where a final one has left (a 180 after the 200).

        `lines` are header fields as `header_lines` makes them, for what is said again and again.
        """
        server = self._server
        if server.open:
            tag, lines = server.tag if status > 100 else "", lines + self._shell.agent_line
            server.respond(status, reply(self.request, status, reason, tag=tag, extra=extra, lines=lines, body=body))

    def repeat(self) -> None:
        """Send the last provisional again, as if the request had come again."""
        self._server.receive(self.request)

    def trying(self) -> None:
        """100, unless something else leaves within 200 ms (17.2.1)."""
        self._shell.arm(self, "100", _TRYING_S)

    def fire(self, timer: str) -> None:
        """See `trying`."""
        if self._server.silent:
            self.respond(100)

    def accept(self, lines: str, body: bytes, on_ack: OnAck) -> None:
        """Send a 200 to an open INVITE, and again until `confirmed`.

        `on_ack` gets the ACK where it comes in this transaction, None where none came in 64*T1.
        """
        server = self._server
        assert isinstance(server, InviteServer)
        lines += self._shell.agent_line
        server.accept(reply(self.request, 200, tag=server.tag, lines=lines, body=body), on_ack)

    def confirmed(self) -> None:
        """The ACK came, or nobody waits for it any more: the request is let go, a call may be long."""
        assert isinstance(self._server, InviteServer)
        self._server.confirmed()
        self.request = _DONE
