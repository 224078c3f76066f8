"""The two server transaction machines: INVITE (RFC 3261 17.2.1 with RFC 6026) and all else (17.2.2)."""

from __future__ import annotations

from abc import abstractmethod

from sip_stack.headers import CSeq
from sip_stack.hop import RELIABLE, Hop
from sip_stack.message import Request
from sip_stack.transaction import (
    ACCEPTED,
    COMPLETED,
    CONFIRMED,
    PROCEEDING,
    TRYING,
    OnAck,
    Shell,
    Transaction,
)

__all__ = ["InviteServer", "NonInviteServer", "Server"]


class Server(Transaction):
    """A server transaction: it outlives its request by 32 s, so it holds none of it."""

    __slots__ = ("_on_ack", "merged", "open", "tag")

    def __init__(
        self, shell: Shell, hop: Hop, key: object, call_id: str, tag: str,
        merged: tuple[str, str, CSeq] | None = None,
    ) -> None:  # fmt: skip
        """`tag`: the To tag we give; `merged`: what the same request by another path is known by."""
        self.state = self.begins
        self.hop = hop
        self.key = key
        self.call_id = call_id
        self._shell = shell
        self._data = b""
        self.tag = tag
        self.merged = merged
        self.open = True
        """True until a final response has left."""
        self._on_ack: OnAck | None = None

    @property
    def silent(self) -> bool:
        """True until any response has left."""
        return self.open and not self._data

    def _repeat_from_t1(self, timer: str) -> None:
        if self.hop.transport not in RELIABLE:
            self._interval = t1 = self._shell.timers.t1
            self._shell.arm(self, timer, t1)

    @abstractmethod
    def respond(self, status: int, data: bytes) -> None:
        """Send one response of the user's; nothing after a final one: a 180 never leaves after the 200."""

    @abstractmethod
    def receive(self, request: Request) -> None:
        """The request again, or the ACK to it."""


class InviteServer(Server):
    """17.2.1 as amended by RFC 6026 7.1; a 2xx is repeated here until its ACK comes (13.3.1.4)."""

    __slots__ = ()

    begins = PROCEEDING

    def respond(self, status: int, data: bytes) -> None:
        if not self.open:
            return
        if 200 <= status < 300:
            self.accept(data)
            return
        self._data = data
        self._send()
        if status < 200:
            return
        self.open = False
        self.state = COMPLETED
        self._repeat_from_t1("G")
        self._shell.arm(self, "H", self._shell.timers.t64)

    def accept(self, data: bytes, on_ack: OnAck | None = None) -> None:
        """Send a 2xx and repeat it until `confirmed`; `on_ack` gets the ACK, where it comes in this transaction."""
        self.open = False
        self.state = ACCEPTED  # a repeated INVITE is absorbed from here on
        self._data = b"" if on_ack is None else data
        self._on_ack = on_ack
        shell = self._shell
        shell.send(data, self.hop, self.call_id)
        shell.arm(self, "L", shell.timers.t64)
        if on_ack is not None:
            self._repeat_from_t1("2xx")

    def confirmed(self) -> None:
        """The ACK came, or the dialog is over: nothing is repeated and nobody told any more."""
        self._on_ack = None
        self._data = b""

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
        """G repeats a refusal and 2xx an answer, H and L give up waiting for the ACK, I and L end."""
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


class NonInviteServer(Server):
    """17.2.2."""

    __slots__ = ()

    begins = TRYING

    def respond(self, status: int, data: bytes) -> None:
        if not self.open:
            return
        self._data = data
        shell, hop = self._shell, self.hop
        shell.send(data, hop, self.call_id)
        if status < 200:
            self.state = PROCEEDING
            return
        self.open = False
        self.state = COMPLETED
        if hop.transport in RELIABLE:
            self._end()
        else:
            shell.arm(self, "J", shell.timers.t64)

    def receive(self, request: Request) -> None:
        if self._data:
            self._send()  # 17.2.2: the stored response again

    def fire(self, timer: str) -> None:
        """J ends."""
        if timer == "J":
            self._end()
