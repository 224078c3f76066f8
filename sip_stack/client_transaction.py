"""The two client transaction machines: INVITE (RFC 3261 17.1.1 with RFC 6026) and all else (17.1.2)."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from sip_stack.again import read_back
from sip_stack.hop import Hop
from sip_stack.message import Fields, Request, Response
from sip_stack.transaction import (
    ACCEPTED,
    CALLING,
    COMPLETED,
    PROCEEDING,
    TRYING,
    OnResponse,
    Shell,
    Transaction,
)

__all__ = ["MOST_DATAGRAM", "Client", "InviteClient", "NonInviteClient"]

MOST_DATAGRAM = 1300
"""18.1.1: the most bytes of a request over UDP where the path MTU is unknown."""
_UNANSWERED = frozenset({CALLING, TRYING, PROCEEDING})
"""Until a final response is here."""


class Client(Transaction):
    """A client transaction; `on_response` gets each response, or None when nobody answered."""

    __slots__ = ("_udp", "on_response")

    begins: ClassVar[str]
    """Its first state."""
    too_late: ClassVar[str]
    """Its timer that gives up."""

    def __init__(
        self, data: bytes, call_id: str, on_response: OnResponse, shell: Shell, hop: Hop, key: object
    ) -> None:
        """`data`: the request."""
        self.state = self.begins
        self.hop = hop
        self.key = key
        self.call_id = call_id
        self._shell = shell
        self._data = data
        self._udp: Hop | None = None
        """Where the request goes should TCP, which it is big enough for, lead nowhere."""
        self.on_response = on_response

    @property
    def sent(self) -> bytes:
        """The request as it left last, until it is answered."""
        return self._data

    def start(self) -> None:
        """Send the request."""
        if len(self._data) > MOST_DATAGRAM and self.hop.transport == "UDP":
            self._widen()
        shell = self._shell
        shell.send(self._data, self.hop, self.call_id)
        self._wait(self.too_late)

    def _widen(self) -> None:
        """18.1.1: a request that is big MUST be sent by TCP."""
        wider = self._shell.wider(self.hop)
        if wider is not None:
            self._udp = self.hop
            self._go_by(wider)

    def _falls_back(self) -> bool:
        """18.1.1: where the connection is refused the request SHOULD be sent by UDP; False for one that never was."""
        udp, self._udp = self._udp, None
        if udp is None:
            return False
        self._shell.narrow(self.hop)
        self._go_by(udp)
        self._send()
        self._wait(self.too_late)
        return True

    def _go_by(self, hop: Hop) -> None:
        """Another transport: the Via MUST tell it (18.1.1)."""
        before, self.hop = self._via(), hop
        self._data = self._data.replace(f"Via: {before}".encode(), f"Via: {self._via()}".encode(), 1)

    def _via(self) -> str:
        assert isinstance(self.key, tuple)
        return self._shell.new_via(self.hop, self.key[0])

    def _tell_last(self, response: Response | None) -> None:
        """Only repeats follow: whoever asked is not held for their sake."""
        tell, self.on_response = self.on_response, _nobody
        tell(response)

    @abstractmethod
    def receive(self, response: Response) -> None:
        """One response that matches this transaction."""

    @abstractmethod
    def lost(self) -> None:
        """17.1.4: the transport could not deliver the request: nobody will answer it."""

    def gone(self) -> None:
        """The only connection to the far end has ended (RFC 5626 4.5): no answer can come, whatever came before."""
        self.lost()

    def _give_up(self) -> None:
        self._end()
        self._tell_last(None)


def _nobody(message: object) -> None:
    """Who is told where nobody waits."""


class InviteClient(Client):
    """17.1.1 as amended by RFC 6026 7.2.  The request is let go with the final response."""

    __slots__ = ()

    begins = CALLING
    too_late = "B"

    def receive(self, response: Response) -> None:
        state, status = self.state, response.status
        if state in _UNANSWERED:
            if status < 200:
                self.state = PROCEEDING
            elif status < 300:
                self.state = ACCEPTED
                self._data = b""
                self._shell.linger(self, "M", self._shell.timers.t64)
            else:
                self._failed(response)
                return
            self.on_response(response)
        elif state == ACCEPTED and 200 <= status < 300:
            self.on_response(response)  # RFC 6026 7.2: every repeated 2xx goes up, to be ACKed again
        elif state == COMPLETED and status >= 300:
            self._send()  # 17.1.1.2: the ACK again, the response not passed up

    def _failed(self, response: Response) -> None:
        self.state = COMPLETED
        self._data = _ack_to_failure(read_back(self._data), response).encode()
        self._send()
        self._linger("D", max(32.0, self._shell.timers.t64))  # over TCP timer D is zero
        self._tell_last(response)

    def cancelled(self) -> None:
        """9.1: without a final response in 64*T1 after its CANCEL, it counts as cancelled."""
        self._shell.arm(self, "cancel", self._shell.timers.t64)

    def fire(self, timer: str) -> None:
        """A repeats, at first as T1, B gives up."""
        state = self.state
        if timer == "T1":
            if state == CALLING:
                self._repeat_first("A", float("inf"), "B")
        elif timer == "A":
            if state == CALLING:
                self._repeat("A", float("inf"))
        elif timer == "B":
            if state == CALLING:  # 17.1.1.2: only "Calling" times out; a phone may ring for minutes
                self._give_up()
        elif timer == "cancel" and state in _UNANSWERED:
            self._give_up()

    def lost(self) -> None:
        """17.1.4; what is in the hands of the far end is not given up for an ACK or CANCEL that was lost."""
        if self.state == CALLING and not self._falls_back():
            self._give_up()

    def gone(self) -> None:
        if self.state in _UNANSWERED:
            self._give_up()


def _ack_to_failure(invite: Request, response: Response) -> Request:
    """The ACK to a non-2xx: the INVITE's branch and Route, the response's To (17.1.1.3)."""
    source = invite.fields
    fields: Fields = {
        "Via": source["Via"][:1],
        "Max-Forwards": ["70"],
        "From": source["From"],
        "To": response.fields["To"],
        "Call-ID": source["Call-ID"],
        "CSeq": [f"{invite.cseq.number} ACK"],
    }
    if "Route" in source:
        fields["Route"] = source["Route"]
    return Request("ACK", invite.uri_text, fields)


class NonInviteClient(Client):
    """17.1.2."""

    __slots__ = ()

    begins = TRYING
    too_late = "F"

    def receive(self, response: Response) -> None:
        if self.state not in _UNANSWERED:
            return
        if response.status < 200:
            self.state = PROCEEDING
            self._interval = self._shell.timers.t2  # 17.1.2.2: E MUST be reset with T2
            self.on_response(response)
            return
        self.state = COMPLETED
        self._data = b""
        self._linger("K", self._shell.timers.t4)
        self._tell_last(response)

    def fire(self, timer: str) -> None:
        """E repeats, at first as T1, F gives up."""
        if self.state in _UNANSWERED:
            if timer == "T1":
                self._repeat_first("E", self._shell.timers.t2, "F")
            elif timer == "E":
                self._repeat("E", self._shell.timers.t2)
            elif timer == "F":
                self._give_up()

    def lost(self) -> None:
        """17.1.4."""
        if self.state in _UNANSWERED and not self._falls_back():
            self._give_up()
