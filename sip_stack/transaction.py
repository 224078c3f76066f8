"""The four transaction machines of RFC 3261 17, with RFC 6026: facts in, effects out.

The user is told last, when everything else is done: what it does or breaks then changes nothing here.
`reliable` is true over TCP, TLS and WebSocket, where the transport repeats for us.
"""

from __future__ import annotations

from abc import abstractmethod

from sip_stack.effects import Arm, Disarm, Effect, Ended, Send, ToUser
from sip_stack.message import Fields, Request, Response
from sip_stack.timers import RFC, TimerSettings

__all__ = ["InviteClient", "InviteServer", "NonInviteClient", "NonInviteServer", "Transaction", "ack_to_failure"]

CALLING, TRYING, PROCEEDING, COMPLETED, ACCEPTED, CONFIRMED, TERMINATED = (
    "calling", "trying", "proceeding", "completed", "accepted", "confirmed", "terminated",
)  # fmt: skip


def ack_to_failure(invite: Request, response: Response) -> Request:
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


class Transaction:
    """What the four share: a state, timer values, and the bytes to repeat."""

    __slots__ = ("_data", "_interval", "_t", "reliable", "state")

    def __init__(self, state: str, reliable: bool, timers: TimerSettings) -> None:
        self.state = state
        self.reliable = reliable
        self._t = timers
        self._data = b""
        self._interval = timers.t1

    @abstractmethod
    def on_timer(self, timer: str) -> list[Effect]:
        """One armed timer fired."""

    def _end(self, why: str = "done") -> list[Effect]:
        self.state = TERMINATED
        self._data = b""
        return [Ended(why)]

    def _repeat(self, timer: str, cap: float) -> list[Effect]:
        self._interval = min(self._interval * 2, cap)
        return [Send(self._data), Arm(timer, self._interval)]


class InviteClient(Transaction):
    """17.1.1 as amended by RFC 6026 7.2.  The request is let go with the final response."""

    __slots__ = ("_request",)

    def __init__(self, request: Request, *, reliable: bool = False, timers: TimerSettings = RFC) -> None:
        super().__init__(CALLING, reliable, timers)
        self._request: Request | None = request

    def start(self) -> list[Effect]:
        """Send the INVITE."""
        assert self._request is not None
        self._data = self._request.encode()
        effects: list[Effect] = [Send(self._data)]
        if not self.reliable:
            effects.append(Arm("A", self._t.t1))
        return [*effects, Arm("B", self._t.t64)]

    def on_response(self, response: Response) -> list[Effect]:
        """One response that matches this transaction."""
        if self.state in (CALLING, PROCEEDING):
            return self._first(response)
        if self.state == ACCEPTED and 200 <= response.status < 300:
            return [ToUser(response)]  # RFC 6026 7.2: every repeated 2xx goes up, to be ACKed again
        if self.state == COMPLETED and response.status >= 300:
            return [Send(self._data)]  # 17.1.1.2: the ACK again, the response not passed up
        return []

    def _first(self, response: Response) -> list[Effect]:
        quiet: list[Effect] = [Disarm("A"), Disarm("B")] if self.state == CALLING else []
        if response.status < 200:
            self.state = PROCEEDING  # B is disarmed: a phone may ring for minutes
            return [*quiet, ToUser(response)]
        request, self._request = self._request, None
        assert request is not None
        if response.status < 300:
            self.state = ACCEPTED
            self._data = b""
            return [*quiet, Arm("M", self._t.t64), ToUser(response)]
        self.state = COMPLETED
        self._data = ack = ack_to_failure(request, response).encode()
        after = self._end() if self.reliable else [Arm("D", max(32.0, self._t.t64))]  # over TCP timer D is zero
        return [*quiet, Send(ack), *after, ToUser(response)]

    def on_timer(self, timer: str) -> list[Effect]:
        """A repeats, B gives up, D and M end."""
        if timer == "A" and self.state == CALLING:
            return self._repeat("A", float("inf"))
        if timer == "B" and self.state == CALLING:  # 17.1.1.2: only "Calling" times out
            return self._end("timeout")
        if timer in ("D", "M"):
            return self._end()
        return []


class NonInviteClient(Transaction):
    """17.1.2."""

    __slots__ = ()

    def __init__(self, request: Request, *, reliable: bool = False, timers: TimerSettings = RFC) -> None:
        super().__init__(TRYING, reliable, timers)
        self._data = request.encode()

    def start(self) -> list[Effect]:
        """Send the request."""
        effects: list[Effect] = [Send(self._data)]
        if not self.reliable:
            effects.append(Arm("E", self._t.t1))
        return [*effects, Arm("F", self._t.t64)]

    def on_response(self, response: Response) -> list[Effect]:
        """One response that matches this transaction."""
        if self.state not in (TRYING, PROCEEDING):
            return []
        if response.status < 200:
            self.state = PROCEEDING
            self._interval = self._t.t2  # 17.1.2.2: E MUST be reset with T2
            return [ToUser(response)]
        self.state = COMPLETED
        self._data = b""
        after = self._end() if self.reliable else [Arm("K", self._t.t4)]
        return [Disarm("E"), Disarm("F"), *after, ToUser(response)]

    def on_timer(self, timer: str) -> list[Effect]:
        """E repeats, F gives up, K ends."""
        if timer == "E" and self.state in (TRYING, PROCEEDING):
            return self._repeat("E", self._t.t2)
        if timer == "F" and self.state in (TRYING, PROCEEDING):
            return self._end("timeout")
        return self._end() if timer == "K" else []


class InviteServer(Transaction):
    """17.2.1 as amended by RFC 6026 7.1.  The user repeats its 2xx until the ACK (13.3.1.4), through `respond`."""

    __slots__ = ()

    def __init__(self, *, reliable: bool = False, timers: TimerSettings = RFC) -> None:
        super().__init__(PROCEEDING, reliable, timers)

    def respond(self, response: Response) -> list[Effect]:
        """Send one response of the user's; nothing once a final one other than 2xx has left."""
        if self.state == ACCEPTED:
            return [Send(response.encode())] if 200 <= response.status < 300 else []
        if self.state != PROCEEDING:
            return []
        data = response.encode()
        if response.status < 200:
            self._data = data
            return [Send(data)]
        if response.status < 300:
            self.state = ACCEPTED  # a repeated INVITE is absorbed from here on
            self._data = b""
            return [Send(data), Arm("L", self._t.t64)]
        self.state = COMPLETED
        self._data = data
        effects: list[Effect] = [Send(data)]
        if not self.reliable:
            effects.append(Arm("G", self._t.t1))
        return [*effects, Arm("H", self._t.t64)]

    def on_request(self, request: Request) -> list[Effect]:
        """The INVITE again, or an ACK."""
        if request.method == "ACK":
            return self._ack(request)
        return [Send(self._data)] if self._data and self.state in (PROCEEDING, COMPLETED) else []

    def _ack(self, ack: Request) -> list[Effect]:
        if self.state == ACCEPTED:
            return [ToUser(ack)]
        if self.state != COMPLETED:
            return []
        self.state = CONFIRMED
        self._data = b""
        effects: list[Effect] = [Disarm("G"), Disarm("H")]
        return effects + self._end() if self.reliable else [*effects, Arm("I", self._t.t4)]

    def on_timer(self, timer: str) -> list[Effect]:
        """G repeats a refusal, H gives up waiting for its ACK, I and L end."""
        if timer == "G" and self.state == COMPLETED:
            return self._repeat("G", self._t.t2)
        if timer == "H" and self.state == COMPLETED:
            return self._end("timeout")
        return self._end() if timer in ("I", "L") else []


class NonInviteServer(Transaction):
    """17.2.2."""

    __slots__ = ()

    def __init__(self, *, reliable: bool = False, timers: TimerSettings = RFC) -> None:
        super().__init__(TRYING, reliable, timers)

    def respond(self, response: Response) -> list[Effect]:
        """Send one response of the user's; nothing after a final one."""
        if self.state not in (TRYING, PROCEEDING):
            return []
        self._data = response.encode()
        if response.status < 200:
            self.state = PROCEEDING
            return [Send(self._data)]
        self.state = COMPLETED
        effects: list[Effect] = [Send(self._data)]
        return effects + self._end() if self.reliable else [*effects, Arm("J", self._t.t64)]

    def on_request(self, request: Request) -> list[Effect]:
        """The request again: the stored response again (17.2.2)."""
        return [Send(self._data)] if self._data else []

    def on_timer(self, timer: str) -> list[Effect]:
        """J ends."""
        return self._end() if timer == "J" else []
