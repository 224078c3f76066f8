"""Transactions under way: a machine, where it sends, what is armed for it, and who is told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from sip_stack.effects import Arm, Disarm, Effect, Send, ToUser
from sip_stack.headers import CSeq
from sip_stack.message import Message, Request, Response
from sip_stack.timers import Timer, disarm, disarm_all
from sip_stack.transaction import InviteClient, InviteServer, NonInviteClient, NonInviteServer, Transaction

if TYPE_CHECKING:
    from sip_stack.core import SipCore

__all__ = ["Hop", "Incoming", "Outgoing", "Serving"]


class Hop(NamedTuple):
    """Where bytes go to or came from; `flow` names one connection of a transport that has them."""

    transport: str
    host: str
    port: int
    flow: int = 0


class Running:
    """A transaction under way: its machine, where it sends, what is armed for it."""

    __slots__ = ("armed", "call_id", "core", "hop", "key", "machine")

    def __init__(self, core: SipCore, machine: Transaction, hop: Hop, key: object, call_id: str) -> None:
        self.core = core
        self.machine = machine
        self.hop = hop
        self.key = key
        self.call_id = call_id
        self.armed: dict[str, Timer] = {}

    def fire(self, timer: str) -> None:
        self.perform(self.machine.on_timer(timer))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self.core.send(effect.data, self.hop, self.call_id)
            elif isinstance(effect, Arm):
                self.core.arm(self, effect.timer, effect.seconds)
            elif isinstance(effect, Disarm):
                disarm(self, effect.timer)
            elif isinstance(effect, ToUser):
                self.to_user(effect.message)
            else:
                disarm_all(self)
                self.ended(effect.why)

    @abstractmethod
    def to_user(self, message: Message) -> None:
        """A message for whoever uses the transaction."""

    @abstractmethod
    def ended(self, why: str) -> None:
        """The machine is over."""


class Outgoing(Running):
    """A client transaction; `on_response` gets each response, or None when nobody answered."""

    __slots__ = ("on_response",)

    machine: InviteClient | NonInviteClient

    def __init__(
        self,
        core: SipCore,
        machine: InviteClient | NonInviteClient,
        hop: Hop,
        key: object,
        call_id: str,
        on_response: Callable[[Response | None], None],
    ) -> None:
        super().__init__(core, machine, hop, key, call_id)
        self.on_response = on_response

    def to_user(self, message: Message) -> None:
        assert isinstance(message, Response)
        tell = self.on_response
        if message.status >= 200 and self.machine.state != "accepted":
            self.on_response = _nobody  # only repeats follow: whoever asked is not held for their sake
        tell(message)

    def ended(self, why: str) -> None:
        self.core.forget_client(self)
        if why != "done":
            self.on_response(None)

    def give_up(self) -> None:
        """End an INVITE whose CANCEL brought no final response within 64*T1 (9.1)."""
        disarm_all(self)
        self.core.forget_client(self)


def _nobody(response: Response | None) -> None:
    """Who is told of responses that nobody waits for."""


class Serving(Running):
    """A server transaction: it outlives its request by 32 s, so it holds none of it."""

    __slots__ = ("merged", "on_ack", "tag")

    machine: InviteServer | NonInviteServer

    def __init__(
        self, core: SipCore, machine: InviteServer | NonInviteServer, hop: Hop, key: object, call_id: str, tag: str
    ) -> None:
        super().__init__(core, machine, hop, key, call_id)
        self.tag = tag
        self.merged: tuple[str, str, CSeq] | None = None
        self.on_ack: Callable[[Request], None] | None = None

    def to_user(self, message: Message) -> None:
        if self.on_ack is not None:
            assert isinstance(message, Request)
            self.on_ack(message)

    def ended(self, why: str) -> None:
        self.core.forget_server(self)


class Incoming:
    """A request with the server transaction it began, to be responded to."""

    __slots__ = ("_serving", "request", "source")

    def __init__(self, serving: Serving, request: Request, source: Hop) -> None:
        self._serving = serving
        self.request = request
        self.source = source

    @property
    def machine(self) -> InviteServer | NonInviteServer:
        """The transaction's machine."""
        return self._serving.machine

    @property
    def tag(self) -> str:
        """The To tag of our responses."""
        return self._serving.tag

    @tag.setter
    def tag(self, tag: str) -> None:
        self._serving.tag = tag

    @property
    def open(self) -> bool:
        """True until a final response has left."""
        return self._serving.machine.state in ("proceeding", "trying")

    def respond(
        self, status: int, reason: str = "", *, extra: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Send a response; the machine drops what may no longer leave (a 180 after the 200)."""
        serving = self._serving
        tag = serving.tag if status > 100 else ""
        fields = [*extra, ("Server", serving.core.agent)]
        response = Response.to_request(self.request, status, reason, tag=tag, extra=fields, body=body)
        serving.perform(serving.machine.respond(response))

    def accept(self, response: Response, on_ack: Callable[[Request], None]) -> None:
        """Send a 2xx to an INVITE; the ACK to it, where it comes in this transaction, goes to `on_ack`."""
        self._serving.on_ack = on_ack
        self._serving.perform(self._serving.machine.respond(response))

    def confirmed(self) -> None:
        """The ACK came: whoever waited for it is let go."""
        self._serving.on_ack = None
