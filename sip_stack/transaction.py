"""What the four transaction machines of RFC 3261 17 share; they are in client_transaction and server_transaction.

Facts in, verbs of a `Shell` out.  The user is told last, when everything else is done: what it does or breaks then
changes nothing here.  No timer is disarmed: one that fires after its state is over means nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sip_stack.hop import RELIABLE, Hop
from sip_stack.message import Request, Response
from sip_stack.timers import Timed, TimerSettings

__all__ = [
    "ACCEPTED", "CALLING", "COMPLETED", "CONFIRMED", "PROCEEDING", "TERMINATED", "TRYING", "OnAck", "OnResponse",
    "Shell", "Transaction",
]  # fmt: skip

CALLING, TRYING, PROCEEDING, COMPLETED, ACCEPTED, CONFIRMED, TERMINATED = (
    "calling", "trying", "proceeding", "completed", "accepted", "confirmed", "terminated",
)  # fmt: skip

OnResponse = Callable[[Response | None], None]
"""Who is told of each response, or None when nobody answered."""
OnAck = Callable[[Request | None], None]
"""Who is told of the ACK to a 2xx, or None when none came in 64*T1."""


class Shell(Protocol):
    """What the machines ask of the world."""

    timers: TimerSettings
    agent_line: str
    """The header line of a response that says what we are."""

    def send(self, data: bytes, hop: Hop, call_id: str) -> None:
        """Put bytes on the wire."""

    def arm(self, target: Timed, timer: str, seconds: float) -> None:
        """Call `target.fire(timer)` in so many seconds."""

    def watch(self, target: Timed, timer: str, seconds: float) -> None:
        """As `arm`, for what all arm alike, nearly always in vain."""

    def linger(self, transaction: Transaction, timer: str, seconds: float) -> None:
        """The machine is over when that timer is due: until then it takes what is repeated, and arms nothing."""

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

    state: str
    hop: Hop
    """Where its messages go."""
    key: object
    """What it is found by."""
    call_id: str
    _shell: Shell
    _data: bytes
    _interval: float
    """After how long they were repeated last."""

    def fire(self, timer: str) -> None:
        """One armed timer is due."""

    def _send(self) -> None:
        self._shell.send(self._data, self.hop, self.call_id)

    def _wait(self, too_late: str) -> None:
        """For the far end: who is silent for T1, and few are, is repeated to and worth a timer that gives up.

        Over a transport that repeats by itself there is only the latter.
        """
        shell = self._shell
        if self.hop.transport in RELIABLE:
            shell.arm(self, too_late, shell.timers.t64)
        else:
            self._interval = t1 = shell.timers.t1
            shell.watch(self, "T1", t1)

    def _repeat_first(self, timer: str, cap: float, too_late: str) -> None:
        """T1 has passed in silence."""
        timers = self._shell.timers
        self._shell.arm(self, too_late, timers.t64 - timers.t1)
        self._repeat(timer, cap)

    def _repeat(self, timer: str, cap: float) -> None:
        self._send()
        self._interval = min(self._interval * 2, cap)
        self._shell.arm(self, timer, self._interval)

    def _end(self) -> None:
        self.state = TERMINATED
        self._data = b""
        self._shell.forget(self)

    def _linger(self, timer: str, seconds: float) -> None:
        """Stay to absorb what is repeated; over a transport that repeats nothing, end at once."""
        if self.hop.transport in RELIABLE:
            self._end()
        else:
            self._shell.linger(self, timer, seconds)
