"""The two server transaction machines: INVITE (RFC 3261 17.2.1 with RFC 6026) and all else (17.2.2)."""

from __future__ import annotations

from sip_stack.incoming import Incoming
from sip_stack.message import Request, reply
from sip_stack.transaction import (
    ACCEPTED,
    COMPLETED,
    CONFIRMED,
    PROCEEDING,
    TRYING,
    OnAck,
)

__all__ = ["InviteServer", "NonInviteServer"]


class InviteServer(Incoming):
    """17.2.1 as amended by RFC 6026 7.1; a 2xx is repeated here until its ACK comes (13.3.1.4)."""

    __slots__ = ("_on_ack",)

    begins = PROCEEDING
    _on_ack: OnAck | None

    def accept(self, lines: str, body: bytes, on_ack: OnAck) -> None:
        """Send a 200 to an open INVITE, and again until `confirmed`.

        `on_ack` gets the ACK where it comes in this transaction, None where none came in 64*T1.
        """
        shell = self._shell
        lines += shell.agent_line
        self._data = data = reply(self.request, 200, tag=self.tag, lines=lines, body=body)
        shell.send(data, self.hop, self.call_id)
        self.open = False
        self._accepted(on_ack)
        self._repeat_from_t1("2xx")

    def _accepted(self, on_ack: OnAck | None) -> None:
        self.state = ACCEPTED  # a repeated INVITE is absorbed from here on
        self._on_ack = on_ack
        self._shell.arm(self, "L", self._shell.timers.t64)

    def _responded(self, status: int) -> None:
        if status < 300:
            self._data = b""
            self._accepted(None)
        else:
            self.state = COMPLETED
            self._repeat_from_t1("G")
            self._shell.arm(self, "H", self._shell.timers.t64)

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
            self._end_in("I", self._shell.timers.t4)

    def fire(self, timer: str) -> None:
        """100 is due, G repeats a refusal and 2xx an answer, H and L give up waiting for the ACK, I and L end."""
        state = self.state
        if state == COMPLETED:
            if timer == "G":
                self._repeat("G", self._shell.timers.t2)
            elif timer == "H":
                self._end()
        elif state == ACCEPTED:
            unconfirmed = self._on_ack
            if timer == "2xx" and unconfirmed is not None:
                self._repeat("2xx", self._shell.timers.t2)
            elif timer == "L":
                self._on_ack = None
                self._end()
                if unconfirmed is not None:
                    unconfirmed(None)
        elif timer == "I" and state == CONFIRMED:
            self._end()
        elif timer == "100" and self.silent:
            self.respond(100)


class NonInviteServer(Incoming):
    """17.2.2."""

    __slots__ = ()

    begins = TRYING

    def _responded(self, status: int) -> None:
        self.state = COMPLETED
        self._end_in("J", self._shell.timers.t64)

    def receive(self, request: Request) -> None:
        if self._data:
            self._send()  # 17.2.2: the stored response again

    def fire(self, timer: str) -> None:
        """J ends."""
        if timer == "J":
            self._end()
