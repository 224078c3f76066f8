"""The two server transaction machines: INVITE (RFC 3261 17.2.1 with RFC 6026) and all else (17.2.2)."""

from __future__ import annotations

from sip_stack.incoming import Incoming
from sip_stack.message import Request, reply
from sip_stack.transaction import (
    ACCEPTED,
    COMPLETED,
    CONFIRMED,
    PROCEEDING,
    OnAck,
)

__all__ = ["InviteServer", "NonInviteServer"]


class InviteServer(Incoming):
    """17.2.1 as amended by RFC 6026 7.1; a 2xx is repeated here until its ACK comes (13.3.1.4)."""

    __slots__ = ("_on_ack",)

    _on_ack: OnAck | None

    def accept(self, lines: str, body: bytes, on_ack: OnAck) -> None:
        """Send a 200 to an open INVITE, and again until `confirmed`.

        `on_ack` gets the ACK where it comes in this transaction, None where none came in 64*T1.
        """
        shell = self._shell
        self._data = data = reply(self.request, 200, "", self.tag, lines + shell.agent_line, body)
        shell.send(data, self.hop, self.call_id)
        self.open = False
        self._accepted(on_ack)
        self._wait("no ACK")

    def _accepted(self, on_ack: OnAck | None) -> None:
        self.state = ACCEPTED  # a repeated INVITE is absorbed from here on
        self._on_ack = on_ack
        self._shell.linger(self, "L", self._shell.timers.t64)

    def _responded(self, status: int) -> None:
        if status < 300:
            self._data = b""
            self._accepted(None)
        else:
            self.state = COMPLETED
            self._wait("H")

    def confirmed(self) -> None:
        """The ACK came, or the dialog is over: nothing is repeated and nobody told any more."""
        self._on_ack = None
        self._data = b""
        del self.request

    def receive(self, request: Request) -> None:
        state = self.state
        if request.method != "ACK":
            if state in (PROCEEDING, COMPLETED) and self._data:
                self._send()
        elif state == ACCEPTED:
            if self._on_ack is not None:
                self._on_ack(request)
        elif state == COMPLETED:
            self.state = CONFIRMED
            self._data = b""
            self._linger("I", self._shell.timers.t4)

    def fire(self, timer: str) -> None:
        """100 is due, G repeats a refusal and 2xx an answer, at first as T1; both are given up without an ACK."""
        state, t2 = self.state, self._shell.timers.t2
        if state == ACCEPTED:
            unconfirmed = self._on_ack
            if unconfirmed is None:
                return
            if timer == "T1":
                self._repeat_first("2xx", t2, "no ACK")
            elif timer == "2xx":
                self._repeat("2xx", t2)
            elif timer == "no ACK":
                self._on_ack = None
                unconfirmed(None)
        elif state == COMPLETED:
            if timer == "T1":
                self._repeat_first("G", t2, "H")
            elif timer == "G":
                self._repeat("G", t2)
            elif timer == "H":
                self._end()
        elif timer == "100" and self.silent:
            self.respond(100)


class NonInviteServer(Incoming):
    """17.2.2."""

    __slots__ = ()

    def _responded(self, status: int) -> None:
        self.state = COMPLETED
        self._linger("J", self._shell.timers.t64)

    def receive(self, request: Request) -> None:
        if self._data:
            self._send()  # 17.2.2: the stored response again
