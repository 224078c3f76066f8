"""A request on its way to whoever answers it: what the two server transactions of RFC 3261 17.2 share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from sip_stack.headers import CSeq
from sip_stack.hop import Hop
from sip_stack.message import Request, reply
from sip_stack.transaction import PROCEEDING, Shell, Transaction

__all__ = ["Incoming"]

_TRYING_S = 0.2


class Incoming(Transaction):
    """A request to be responded to: its server transaction, which outlives it by 32 s and so lets it go."""

    __slots__ = ("merged", "open", "request", "source", "tag")

    def __init__(
        self, shell: Shell, hop: Hop, key: object, request: Request, source: Hop, tag: str,
        merged: tuple[str, str, CSeq] | None = None,
    ) -> None:  # fmt: skip
        """`hop`: where responses go; `merged`: what the same request by another path is known by."""
        self.state = PROCEEDING  # in Trying those of other requests do the same
        self.hop = hop
        self.key = key
        self.call_id = request.call_id
        self._shell = shell
        self._data = b""
        self.request = request
        """There until the final response has left, that of an INVITE until the ACK to its 2xx: a call may be long."""
        self.source = source
        """Where it came from."""
        self.tag = tag
        """The To tag of our responses."""
        self.merged = merged
        self.open = True
        """True until a final response has left."""

    @property
    def silent(self) -> bool:
        """True until any response has left."""
        return self.open and not self._data

    def respond(
        self,
        status: int,
        reason: str = "",
        lines: str = "",
        body: bytes = b"",
        extra: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Send a response; nothing where a final one has left (a 180 after the 200).

        `lines` are header fields as `header_lines` makes them, for what is said again and again.
        """
        if not self.open:
            return
        shell = self._shell
        tag = self.tag if status > 100 else ""
        self._data = data = reply(self.request, status, reason, tag, lines + shell.agent_line, body, extra)
        shell.send(data, self.hop, self.call_id)
        if status >= 200:
            self.open = False
            del self.request
            self._responded(status)

    @abstractmethod
    def _responded(self, status: int) -> None:
        """A final response has left."""

    @abstractmethod
    def receive(self, request: Request) -> None:
        """The request again, or the ACK to it."""

    def repeat(self) -> None:
        """Send the last provisional again, as if the request had come again."""
        self.receive(self.request)

    def trying(self) -> None:
        """100 to an INVITE, unless something else leaves within 200 ms (17.2.1)."""
        self._shell.watch(self, "100", _TRYING_S)
