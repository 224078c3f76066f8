"""Provisional responses that are acknowledged (RFC 3262): sent until their PRACK comes, taken in their order."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from sip_stack.dialog import Dialog
from sip_stack.errors import BadMessage
from sip_stack.incoming import Incoming
from sip_stack.message import Request, Response
from sip_stack.transaction import Shell

__all__ = ["Branch", "RAck", "ReliableResponses", "parse_rack", "reliable_number"]

_RACK = re.compile(r"([0-9]{1,10})\s++([0-9]{1,10})\s++([A-Za-z0-9\-.!%*_+`'~]++)")


class RAck(NamedTuple):
    """Which provisional a PRACK acknowledges (7.2)."""

    rseq: int
    cseq: int
    method: str

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


def parse_rack(text: str) -> RAck:
    """Read RAck.  Raises: BadMessage."""
    match = _RACK.fullmatch(text.strip())
    if match is None:
        raise BadMessage("RAck cannot be read")
    return RAck(int(match[1]), int(match[2]), match[3])


def reliable_number(response: Response) -> int | None:
    """The RSeq of a provisional that wants a PRACK; None for one that does not (7.1)."""
    if response.status == 100 or "Require" not in response.fields or "RSeq" not in response.fields:
        return None  # 3: a 100 is never sent reliably
    text = response.fields["RSeq"][0]
    wanted = any(tag.lower() == "100rel" for tag in response.tokens("Require"))
    return int(text) if wanted and text.isascii() and text.isdecimal() and 0 < int(text) < 2**32 else None


class _Waiting(NamedTuple):
    status: int
    lines: str
    body: bytes


class ReliableResponses:
    """The provisionals of one INVITE we serve, one at a time: the next leaves when the PRACK of the last is here."""

    __slots__ = (
        "_elapsed", "_incoming", "_interval", "_last", "_number", "_queue", "_shell", "_unheard", "described", "sent",
    )  # fmt: skip

    def __init__(self, incoming: Incoming, shell: Shell, first: int, unheard: Callable[[], None]) -> None:
        """`first` is the first RSeq, up to 2**31 - 1 (3); `unheard` is told when no PRACK came in 64*T1."""
        self._incoming = incoming
        self._shell = shell
        self._number = first - 1
        self._unheard = unheard
        self._queue: deque[_Waiting] = deque()
        self._last: _Waiting | None = None
        self.sent: _Waiting | None = None
        """What waits for its PRACK."""
        self.described = False
        """A session description has been acknowledged: none belongs into what follows (RFC 6337 2.1)."""
        self._interval = self._elapsed = 0.0

    def send(self, status: int, lines: str, body: bytes) -> None:
        """Send a provisional above 100, or queue it; one that says the same as the last is not said again."""
        described = self.described or (self._last is not None and self._last.body != b"")
        new = _Waiting(status, lines, b"" if described else body)
        if self._last is not None and (self._last.status, bool(new.body)) == (status, False):
            return
        self._last = new
        self._queue.append(new)
        if self.sent is None:
            self._next()

    @property
    def holds_answer(self) -> bool:
        """3: the UAS MUST NOT send a 2xx while a description of its is unacknowledged."""
        return any(each.body for each in (self.sent, *self._queue) if each is not None)

    def matches(self, prack: Request) -> bool:
        """Whether a PRACK names what waits.  Raises: BadMessage without a RAck that can be read."""
        rack = parse_rack(prack.get("RAck") or "")
        invite = self._incoming.request.cseq if self._incoming.open else None
        return (
            self.sent is not None
            and rack.rseq == self._number
            and rack.method == "INVITE"
            and (invite is None or rack.cseq == invite.number)
        )

    def acknowledged(self) -> None:
        """Its PRACK came: the next one leaves."""
        assert self.sent is not None
        self.described = self.described or self.sent.body != b""
        self.sent = None
        if self._queue and self._incoming.open:
            self._next()

    def _next(self) -> None:
        self.sent = waiting = self._queue.popleft()
        self._number += 1
        reliably = [("Require", "100rel"), ("RSeq", str(self._number))]
        self._incoming.respond(waiting.status, extra=reliably, lines=waiting.lines, body=waiting.body)
        self._interval, self._elapsed = self._shell.timers.t1, 0.0
        self._arm()

    def _arm(self) -> None:
        wait = min(self._interval, self._shell.timers.t64 - self._elapsed)
        self._elapsed += wait
        self._shell.arm(self, str(self._number), wait)

    def fire(self, timer: str) -> None:
        """3: again after T1, the double of it, ...; after 64*T1 nobody hears us."""
        if self.sent is None or timer != str(self._number) or not self._incoming.open:
            return
        if self._elapsed >= self._shell.timers.t64:
            self.sent = None
            self._queue.clear()
            self._unheard()
            return
        self._incoming.repeat()
        self._interval *= 2
        self._arm()


class Branch:
    """One early dialog of an INVITE of ours: each far end behind a forking proxy has its own (RFC 3261 12.3)."""

    __slots__ = ("_number", "described", "dialog")

    def __init__(self, dialog: Dialog) -> None:
        self.dialog = dialog
        self.described = False
        """Its answer came in a reliable provisional: descriptions in what follows are none (3261 13.2.1)."""
        self._number: int | None = None

    def take(self, number: int) -> bool:
        """4: the first, and then each next one; what is repeated or out of order MUST NOT be acknowledged."""
        if self._number is not None and number != self._number + 1:
            return False
        self._number = number
        return True
