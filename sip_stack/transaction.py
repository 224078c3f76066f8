"""The four transaction machines of RFC 3261 17, with RFC 6026: facts in, verbs of a `Shell` out.

The user is told last, when everything else is done: what it does or breaks then changes nothing here.
No timer is disarmed: one that fires after its state is over means nothing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from sip_stack.headers import CSeq
from sip_stack.hop import RELIABLE, Hop
from sip_stack.message import Fields, Request, Response
from sip_stack.timers import Timed, TimerSettings

__all__ = [
    "MOST_DATAGRAM", "InviteClient", "InviteServer", "NonInviteClient", "NonInviteServer", "OnAck", "OnResponse",
    "Shell", "Transaction",
]  # fmt: skip

CALLING, TRYING, PROCEEDING, COMPLETED, ACCEPTED, CONFIRMED, TERMINATED = (
    "calling", "trying", "proceeding", "completed", "accepted", "confirmed", "terminated",
)  # fmt: skip

MOST_DATAGRAM = 1300
"""18.1.1: the most bytes of a request over UDP where the path MTU is unknown."""
OnResponse = Callable[[Response | None], None]
"""Who is told of each response, or None when nobody answered."""
OnAck = Callable[[Request | None], None]
"""Who is told of the ACK to a 2xx, or None when none came in 64*T1."""


class Shell(Protocol):
    """What the machines ask of the world."""

    timers: TimerSettings

    def send(self, data: bytes, hop: Hop, call_id: str) -> None:
        """Put bytes on the wire."""

    def arm(self, target: Timed, timer: str, seconds: float) -> None:
        """Call `target.fire(timer)` in so many seconds."""

    def forget(self, transaction: Transaction) -> None:
        """The machine is over."""

    def new_via(self, hop: Hop, branch: str) -> str:
        """Our Via towards `hop`."""

    def wider(self, hop: Hop) -> Hop | None:
        """The way for what is too big for UDP; None where there is no other."""

    def narrow(self, hop: Hop) -> None:
        """The wider way led nowhere: it is not tried again for a while."""


class Transaction:
    """What the four share: a state, the bytes to repeat, and where they go."""

    __slots__ = ("_data", "_interval", "_shell", "call_id", "hop", "key", "state")

    def __init__(self, state: str, shell: Shell, hop: Hop, key: object, call_id: str) -> None:
        self.state = state
        self.hop = hop
        self.key = key
        self.call_id = call_id
        self._shell = shell
        self._data = b""
        self._interval = shell.timers.t1

    @abstractmethod
    def fire(self, timer: str) -> None:
        """One armed timer is due."""

    @property
    def _reliable(self) -> bool:
        return self.hop.transport in RELIABLE

    def _send(self) -> None:
        self._shell.send(self._data, self.hop, self.call_id)

    def _repeat(self, timer: str, cap: float) -> None:
        self._send()
        self._interval = min(self._interval * 2, cap)
        self._shell.arm(self, timer, self._interval)

    def _end(self) -> None:
        self.state = TERMINATED
        self._data = b""
        self._shell.forget(self)

    def _end_in(self, timer: str, seconds: float) -> None:
        """Stay to absorb what is repeated; over a transport that repeats nothing, end at once."""
        if self.hop.transport in RELIABLE:
            self._end()
        else:
            self._shell.arm(self, timer, seconds)


class _Client(Transaction):
    """A client transaction; `on_response` gets each response, or None when nobody answered."""

    __slots__ = ("_udp", "on_response")

    on_response: OnResponse
    _udp: Hop | None
    """Where the request goes should TCP, which it is big enough for, lead nowhere."""

    def _written(self, request: Request) -> bytes:
        """The bytes of a request; 18.1.1: one that is big MUST be sent by TCP."""
        data = request.encode()
        wider = self._shell.wider(self.hop) if len(data) > MOST_DATAGRAM and self.hop.transport == "UDP" else None
        if wider is None:
            self._udp = None
            return data
        self._udp, self.hop = self.hop, wider
        request.fields["Via"] = [self._via(), *request.fields["Via"][1:]]
        return request.encode()

    def _falls_back(self) -> bool:
        """18.1.1: where the connection is refused the request SHOULD be sent by UDP; False for one that never was."""
        if self._udp is None:
            return False
        before = self._via()
        self._shell.narrow(self.hop)
        self.hop, self._udp = self._udp, None
        self._data = self._data.replace(f"Via: {before}".encode(), f"Via: {self._via()}".encode(), 1)
        return True

    def _via(self) -> str:
        assert isinstance(self.key, tuple)
        return self._shell.new_via(self.hop, self.key[0])

    def _tell_last(self, response: Response | None) -> None:
        """Only repeats follow: whoever asked is not held for their sake."""
        tell, self.on_response = self.on_response, _nobody
        tell(response)

    @abstractmethod
    def start(self) -> None:
        """Send the request."""

    @abstractmethod
    def receive(self, response: Response) -> None:
        """One response that matches this transaction."""

    @abstractmethod
    def lost(self) -> None:
        """17.1.4: the transport could not deliver the request: nobody will answer it."""

    def gone(self) -> None:
        """The only connection to the far end has ended (RFC 5626 4.5): no answer can come, whatever came before."""
        self.lost()


def _nobody(message: object) -> None:
    """Who is told where nobody waits."""


class InviteClient(_Client):
    """17.1.1 as amended by RFC 6026 7.2.  The request is let go with the final response."""

    __slots__ = ("_request",)

    def __init__(self, request: Request, on_response: OnResponse, shell: Shell, hop: Hop, key: object) -> None:
        super().__init__(CALLING, shell, hop, key, request.call_id)
        self._request: Request | None = request
        self.on_response = on_response

    def start(self) -> None:
        assert self._request is not None
        self._data = self._written(self._request)
        self._begin()
        self._shell.arm(self, "B", self._shell.timers.t64)

    def _begin(self) -> None:
        self._send()
        if not self._reliable:
            self._shell.arm(self, "A", self._shell.timers.t1)

    def receive(self, response: Response) -> None:
        state, status = self.state, response.status
        if state in (CALLING, PROCEEDING):
            if status < 200:
                self.state = PROCEEDING
                self.on_response(response)
            elif status < 300:
                self._accepted(response)
            else:
                self._failed(response)
        elif state == ACCEPTED and 200 <= status < 300:
            self.on_response(response)  # RFC 6026 7.2: every repeated 2xx goes up, to be ACKed again
        elif state == COMPLETED and status >= 300:
            self._send()  # 17.1.1.2: the ACK again, the response not passed up

    def _accepted(self, response: Response) -> None:
        self.state = ACCEPTED
        self._data = b""
        self._request = None
        self._shell.arm(self, "M", self._shell.timers.t64)
        self.on_response(response)

    def _failed(self, response: Response) -> None:
        self.state = COMPLETED
        request, self._request = self._request, None
        assert request is not None
        self._data = _ack_to_failure(request, response).encode()
        self._send()
        self._end_in("D", max(32.0, self._shell.timers.t64))  # over TCP timer D is zero
        self._tell_last(response)

    def cancelled(self) -> None:
        """9.1: without a final response in 64*T1 after its CANCEL, it counts as cancelled."""
        self._shell.arm(self, "cancel", self._shell.timers.t64)

    def fire(self, timer: str) -> None:
        """A repeats, B gives up, D and M end."""
        state = self.state
        if timer == "A":
            if state == CALLING:
                self._repeat("A", float("inf"))
        elif timer == "B":
            if state == CALLING:  # 17.1.1.2: only "Calling" times out; a phone may ring for minutes
                self._give_up()
        elif timer == "cancel":
            if state in (CALLING, PROCEEDING):
                self._give_up()
        elif state in (COMPLETED, ACCEPTED):
            self.on_response = _nobody
            self._end()

    def lost(self) -> None:
        """17.1.4; what is in the hands of the far end is not given up for an ACK or CANCEL that was lost."""
        if self.state != CALLING:
            return
        if not self._falls_back():
            self._give_up()
            return
        assert self._request is not None
        self._request.fields["Via"] = [self._via(), *self._request.fields["Via"][1:]]  # ACK and CANCEL repeat it
        self._begin()

    def gone(self) -> None:
        if self.state in (CALLING, PROCEEDING):
            self._give_up()

    def _give_up(self) -> None:
        self._request = None
        self._end()
        self._tell_last(None)


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


class NonInviteClient(_Client):
    """17.1.2."""

    __slots__ = ()

    def __init__(self, request: Request, on_response: OnResponse, shell: Shell, hop: Hop, key: object) -> None:
        super().__init__(TRYING, shell, hop, key, request.call_id)
        self._data = self._written(request)
        self.on_response = on_response

    def start(self) -> None:
        self._begin()
        self._shell.arm(self, "F", self._shell.timers.t64)

    def _begin(self) -> None:
        self._send()
        if not self._reliable:
            self._shell.arm(self, "E", self._shell.timers.t1)

    def receive(self, response: Response) -> None:
        if self.state not in (TRYING, PROCEEDING):
            return
        if response.status < 200:
            self.state = PROCEEDING
            self._interval = self._shell.timers.t2  # 17.1.2.2: E MUST be reset with T2
            self.on_response(response)
            return
        self.state = COMPLETED
        self._data = b""
        self._end_in("K", self._shell.timers.t4)
        self._tell_last(response)

    def fire(self, timer: str) -> None:
        """E repeats, F gives up, K ends."""
        if self.state in (TRYING, PROCEEDING):
            if timer == "E":
                self._repeat("E", self._shell.timers.t2)
            elif timer == "F":
                self._give_up()
        elif timer == "K":
            self._end()

    def lost(self) -> None:
        """17.1.4."""
        if self.state not in (TRYING, PROCEEDING):
            return
        if self._falls_back():
            self._begin()
        else:
            self._give_up()

    def _give_up(self) -> None:
        self._end()
        self._tell_last(None)


class _Server(Transaction):
    """A server transaction: it outlives its request by 32 s, so it holds none of it.  `tag`: the To tag we give."""

    __slots__ = ("merged", "tag")

    def __init__(self, state: str, shell: Shell, hop: Hop, key: object, call_id: str, tag: str) -> None:
        super().__init__(state, shell, hop, key, call_id)
        self.tag = tag
        self.merged: tuple[str, str, CSeq] | None = None

    @property
    def open(self) -> bool:
        """True until a final response has left."""
        return self.state in (TRYING, PROCEEDING)

    @property
    def silent(self) -> bool:
        """True until any response has left."""
        return self.open and not self._data

    @abstractmethod
    def respond(self, status: int, data: bytes) -> None:
        """Send one response of the user's; nothing after a final one: a 180 never leaves after the 200."""

    @abstractmethod
    def receive(self, request: Request) -> None:
        """The request again, or the ACK to it."""


class InviteServer(_Server):
    """17.2.1 as amended by RFC 6026 7.1; a 2xx is repeated here until its ACK comes (13.3.1.4)."""

    __slots__ = ("_on_ack",)

    def __init__(self, shell: Shell, hop: Hop, key: object, call_id: str, tag: str) -> None:
        super().__init__(PROCEEDING, shell, hop, key, call_id, tag)
        self._on_ack: OnAck | None = None

    def respond(self, status: int, data: bytes) -> None:
        if self.state != PROCEEDING:
            return
        self._data = data
        self._send()
        if status < 200:
            return
        if status < 300:
            self.state = ACCEPTED  # a repeated INVITE is absorbed from here on
            self._data = b""
            self._shell.arm(self, "L", self._shell.timers.t64)
            return
        self.state = COMPLETED
        if not self._reliable:
            self._shell.arm(self, "G", self._shell.timers.t1)
        self._shell.arm(self, "H", self._shell.timers.t64)

    def accept(self, data: bytes, on_ack: OnAck) -> None:
        """Send a 2xx and repeat it until `confirmed`; `on_ack` gets the ACK, where it comes in this transaction."""
        self.respond(200, data)
        self._data = data
        self._on_ack = on_ack
        if not self._reliable:
            self._shell.arm(self, "2xx", self._interval)

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


class NonInviteServer(_Server):
    """17.2.2."""

    __slots__ = ()

    def __init__(self, shell: Shell, hop: Hop, key: object, call_id: str, tag: str) -> None:
        super().__init__(TRYING, shell, hop, key, call_id, tag)

    def respond(self, status: int, data: bytes) -> None:
        if not self.open:
            return
        self._data = data
        self._send()
        if status < 200:
            self.state = PROCEEDING
        else:
            self.state = COMPLETED
            self._end_in("J", self._shell.timers.t64)

    def receive(self, request: Request) -> None:
        if self._data:
            self._send()  # 17.2.2: the stored response again

    def fire(self, timer: str) -> None:
        """J ends."""
        if timer == "J":
            self._end()
