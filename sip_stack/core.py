"""SipCore: datagrams in, datagrams out, and a user who is told what happened (RFC 3261 8, 12, 17, 18).

Sans-IO: the shell gives it bytes, a clock, a way to send and a way to be woken; nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from sip_stack.effects import Arm, Disarm, Effect, Ended, Send, ToUser
from sip_stack.errors import BadMessage, PeerError
from sip_stack.grammar import comma_list, param
from sip_stack.headers import NameAddr, Via
from sip_stack.message import Message, Request, Response, parse
from sip_stack.timers import RFC, TimerSettings, Wheel
from sip_stack.transaction import InviteClient, InviteServer, NonInviteClient, NonInviteServer
from sip_stack.uri import Uri

__all__ = ["ALLOW", "CoreUser", "Hop", "Incoming", "Outgoing", "SipCore"]

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REGISTER"
_SERVED = frozenset(ALLOW.split(", "))
_KNOWN = _SERVED | {"MESSAGE", "NOTIFY", "PRACK", "PUBLISH", "REFER", "SUBSCRIBE", "UPDATE"}
_MAGIC = "z9hG4bK"
_RELIABLE = frozenset({"TCP", "TLS", "WS", "WSS"})


class Hop(NamedTuple):
    """Where bytes go to or came from; `flow` names one connection of a transport that has them."""

    transport: str
    host: str
    port: int
    flow: int = 0


class CoreUser(Protocol):
    """Who is told of requests that begin something."""

    def on_invite(self, incoming: Incoming) -> None:
        """A new INVITE: make an IncomingInvite of it, or refuse it; a PeerError raised here is answered."""

    def on_request(self, incoming: Incoming) -> None:
        """Any other request outside a dialog (REGISTER, OPTIONS); it must be responded to."""


class DialogUser(Protocol):
    """Who gets the requests of one dialog (an INVITE usage)."""

    def matches(self, request: Request) -> bool:
        """True when the request is of this dialog."""

    def receive(self, incoming: Incoming) -> None:
        """A request inside the dialog."""

    def receive_ack(self, ack: Request) -> None:
        """The ACK to a 2xx."""

    def receive_cancel(self) -> None:
        """The INVITE is cancelled."""


class Timed(Protocol):
    """Whatever timers are armed for."""

    armed: dict[str, int]

    def fire(self, timer: str) -> None:
        """An armed timer is due."""


class _Running:
    """A transaction under way: its machine, where it sends, what is armed for it."""

    __slots__ = ("armed", "call_id", "core", "hop", "key", "machine")

    def __init__(
        self,
        core: SipCore,
        machine: InviteClient | NonInviteClient | InviteServer | NonInviteServer,
        hop: Hop,
        key: object,
        call_id: str,
    ) -> None:
        self.core = core
        self.machine = machine
        self.hop = hop
        self.key = key
        self.call_id = call_id
        self.armed: dict[str, int] = {}

    def fire(self, timer: str) -> None:
        self.perform(self.machine.on_timer(timer))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            kind = type(effect)
            if kind is Send:
                self.core.send(effect.data, self.hop, self.call_id)  # type: ignore[union-attr]
            elif kind is Arm:
                self.core.arm(self, effect.timer, effect.seconds)  # type: ignore[union-attr]
            elif kind is Disarm:
                self.armed.pop(effect.timer, None)  # type: ignore[union-attr]
            elif kind is ToUser:
                self.to_user(effect.message)  # type: ignore[union-attr]
            else:
                assert isinstance(effect, Ended)
                self.armed.clear()
                self.ended(effect.why)

    def to_user(self, message: Message) -> None:
        raise NotImplementedError

    def ended(self, why: str) -> None:
        raise NotImplementedError


class Outgoing(_Running):
    """A client transaction; `on_response` gets each response, or None when nobody answered."""

    __slots__ = ("on_response",)

    machine: InviteClient | NonInviteClient

    def __init__(
        self,
        core: SipCore,
        machine: InviteClient | NonInviteClient,
        hop: Hop,
        key: object,
        on_response: Callable[[Response | None], None],
    ) -> None:
        super().__init__(core, machine, hop, key, machine.request.call_id)
        self.on_response = on_response

    def to_user(self, message: Message) -> None:
        assert isinstance(message, Response)
        self.on_response(message)

    def ended(self, why: str) -> None:
        self.core.forget_client(self)
        if why != "done":
            self.on_response(None)

    def give_up(self) -> None:
        """End an INVITE whose CANCEL brought no final response within 64*T1 (9.1)."""
        self.armed.clear()
        self.core.forget_client(self)


class Incoming(_Running):
    """A server transaction with its request, to be responded to."""

    __slots__ = ("on_ack", "request", "source", "tag")

    machine: InviteServer | NonInviteServer

    def __init__(
        self,
        core: SipCore,
        machine: InviteServer | NonInviteServer,
        hop: Hop,
        key: object,
        request: Request,
        source: Hop,
    ) -> None:
        super().__init__(core, machine, hop, key, request.call_id)
        self.request = request
        self.source = source
        self.tag = core.new_id()
        self.on_ack: Callable[[Request], None] | None = None

    def respond(
        self, status: int, reason: str = "", *, extra: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Send a response; the machine drops what may no longer leave (a 180 after the 200)."""
        tag = self.tag if status > 100 else ""
        fields = [*extra, ("Server", self.core.agent)]
        self.perform(
            self.machine.respond(Response.to_request(self.request, status, reason, tag=tag, extra=fields, body=body))
        )

    def to_user(self, message: Message) -> None:
        if self.on_ack is not None:
            assert isinstance(message, Request)
            self.on_ack(message)

    def ended(self, why: str) -> None:
        self.core.forget_server(self)


class SipCore:
    """One SIP user agent core, server and client, over any transports."""

    def __init__(
        self,
        user: CoreUser,
        *,
        send: Callable[[bytes, Hop], None],
        local: dict[str, tuple[str, int]],
        new_id: Callable[[], str],
        clock: Callable[[], float],
        alarm: Callable[[float], None],
        bug: Callable[[Exception], None],
        agent: str = "Ringback",
        timers: TimerSettings = RFC,
        tap: Callable[[bool, bytes, Hop, str], None] | None = None,
    ) -> None:
        """`local`: our address by transport; `alarm(when)` asks for a `wake`; `tap(received, data, hop, call_id)`."""
        self._user = user
        self._send = send
        self.local = local
        self.new_id = new_id
        self._clock = clock
        self._alarm = alarm
        self._bug = bug
        self.agent = agent
        self.timers = timers
        self.tap = tap
        self._clients: dict[object, Outgoing] = {}
        self._servers: dict[object, Incoming] = {}
        self._merged: dict[tuple[str, str, str], object] = {}
        self._usages: dict[str, DialogUser] = {}
        self._wheel: Wheel[tuple[Timed, str, int]] = Wheel()
        self._serial = 0

    # What the shell calls

    def receive(self, data: bytes, source: Hop) -> None:
        """Take in one datagram or framed message."""
        message = parse(data)
        if message is None:
            return
        if self.tap is not None:
            self.tap(True, data, source, message.get("Call-ID") or "")
        if isinstance(message, Response):
            self._take_response(message)
        else:
            assert isinstance(message, Request)
            self._take_request(message, source)

    def wake(self) -> None:
        """Fire what is due, then ask for the next alarm."""
        for target, timer, serial in self._wheel.pop_due(self._clock()):
            if target.armed.get(timer) == serial:
                del target.armed[timer]
                try:
                    target.fire(timer)
                except Exception as error:  # one call's bug ends that call, not the timers behind it
                    self._bug(error)
        following = self._wheel.next()
        if following is not None:
            self._alarm(following)

    @property
    def load(self) -> dict[str, int]:
        """How many transactions and dialogs are held: back to zero when all is over."""
        return {"clients": len(self._clients), "servers": len(self._servers), "dialogs": len(self._usages)}

    # What users, usages and transactions call

    def send(self, data: bytes, hop: Hop, call_id: str) -> None:
        """Put bytes on the wire."""
        if self.tap is not None:
            self.tap(False, data, hop, call_id)
        self._send(data, hop)

    def arm(self, target: Timed, timer: str, seconds: float) -> None:
        """Call `target.fire(timer)` in so many seconds unless it is disarmed or armed again."""
        self._serial += 1
        target.armed[timer] = self._serial
        if self._wheel.arm(self._clock() + seconds, (target, timer, self._serial)):
            due = self._wheel.next()
            assert due is not None
            self._alarm(due)

    def contact(self, transport: str) -> str:
        """Our Contact; it names no user, so that nothing leaks through it."""
        host, port = self.local[transport]
        suffix = "" if transport == "UDP" else f";transport={transport.lower()}"
        return f"<sip:{host}:{port}{suffix}>"

    def new_via(self, transport: str) -> str:
        """A Via with a fresh branch and rport (RFC 3581 3)."""
        host, port = self.local[transport]
        return f"SIP/2.0/{transport} {host}:{port};branch={_MAGIC}{self.new_id()};rport"

    def request(self, request: Request, hop: Hop, on_response: Callable[[Response | None], None]) -> Outgoing:
        """Start a client transaction: a Via is put on top, unless the request has one (CANCEL)."""
        fields = request.fields
        if "Via" not in fields:
            request.fields = fields = {"Via": [self.new_via(hop.transport)], **fields}
        fields["User-Agent"] = [self.agent]
        reliable = hop.transport in _RELIABLE
        machine: InviteClient | NonInviteClient
        if request.method == "INVITE":
            machine = InviteClient(request, reliable=reliable, timers=self.timers)
        else:
            machine = NonInviteClient(request, reliable=reliable, timers=self.timers)
        key = (request.via.branch, request.method)
        running = Outgoing(self, machine, hop, key, on_response)
        self._clients[key] = running
        running.perform(machine.start())
        return running

    def build(
        self, method: str, target: Uri, from_: NameAddr, to: NameAddr, extra: Iterable[tuple[str, str]] = ()
    ) -> Request:
        """A request outside a dialog, for `request` (OPTIONS, REGISTER)."""
        fields = {
            "Max-Forwards": ["70"],
            "From": [str(from_.with_tag(self.new_id()))],
            "To": [str(to)],
            "Call-ID": [self.new_id() + self.new_id()],
            "CSeq": [f"1 {method}"],
        }
        for name, value in extra:
            fields.setdefault(name, []).append(value)
        return Request(method, target, fields)

    def add_usage(self, local_tag: str, usage: DialogUser) -> None:
        """Requests whose To tag is `local_tag` go to `usage`."""
        self._usages[local_tag] = usage

    def drop_usage(self, local_tag: str) -> None:
        """The dialog is over."""
        self._usages.pop(local_tag, None)

    def forget_client(self, running: Outgoing) -> None:
        """A client transaction ended."""
        self._clients.pop(running.key, None)

    def forget_server(self, running: Incoming) -> None:
        """A server transaction ended."""
        self._servers.pop(running.key, None)
        merged = _merged_key(running.request)
        if self._merged.get(merged) == running.key:
            del self._merged[merged]

    # Responses

    def _take_response(self, response: Response) -> None:
        try:
            response.check()
        except BadMessage:
            return  # a response is never answered
        running = self._clients.get((response.via.branch, response.cseq.method))
        if running is None:
            return
        try:
            running.perform(running.machine.on_response(response))
        except Exception as error:
            self._bug(error)

    # Requests

    def _take_request(self, request: Request, source: Hop) -> None:
        try:
            via = request.via
            self._mark_source(request, via, source)
        except BadMessage:
            return  # nowhere to answer to
        hop = self._response_hop(via, source)
        try:
            self._dispatch(request, via, hop, source)
        except PeerError as error:
            self._refuse(request, hop, error)
        except Exception as error:
            self._refuse(request, hop, PeerError("Server Internal Error", 500))
            self._bug(error)

    @staticmethod
    def _mark_source(request: Request, via: Via, source: Hop) -> None:
        seen = via.seen_from(source.host, source.port)
        if seen is not via and seen.params != via.params:
            values = request.fields["Via"]
            values[0] = ", ".join([str(seen), *list(comma_list(values[0]))[1:]])

    @staticmethod
    def _response_hop(via: Via, source: Hop) -> Hop:
        """18.2.2 and RFC 3581 4: back to the source; to the Via's port where the peer did not ask for rport."""
        if source.transport in _RELIABLE or param(via.params, "rport") is not None:
            return source
        return source._replace(port=via.port or 5060)

    def _refuse(self, request: Request, hop: Hop, error: PeerError) -> None:
        """An error response, stateless where no transaction was begun (8.2.7); ACK is never answered."""
        if request.method == "ACK":
            return
        extra = [*error.headers, ("Server", self.agent)]
        try:
            running = self._servers.get(self._key(request, request.via))
        except BadMessage:
            running = None
        response = Response.to_request(request, error.status, _one_line(error.reason), tag=self.new_id(), extra=extra)
        if running is not None:
            running.perform(running.machine.respond(response))
        else:
            self.send(response.encode(), hop, request.get("Call-ID") or "")

    @staticmethod
    def _key(request: Request, via: Via) -> object:
        """17.2.3, with the CSeq number: some phones reuse the branch for the authenticated INVITE."""
        method = "INVITE" if request.method == "ACK" else request.method
        branch = via.branch
        if branch.startswith(_MAGIC):
            return (branch, via.host, via.port, method, request.cseq.number)
        return (request.uri_text, request.from_.tag, request.call_id, request.cseq.number, via.host, via.port, method)

    def _dispatch(self, request: Request, via: Via, hop: Hop, source: Hop) -> None:
        method = request.method
        if request.defect is not None:
            raise request.defect
        key = self._key(request, via)
        running = self._servers.get(key)
        if running is not None:  # before any other check: a repeated request is the same request
            running.perform(running.machine.on_request(request))
            return
        if method not in _KNOWN:
            raise PeerError("Not Implemented", 501, (("Allow", ALLOW),))
        request.check()
        if method == "ACK":
            self._stray_ack(request)
            return
        if method == "CANCEL":
            self._cancel(request, via, hop, source, key)
            return
        required = request.tokens("Require")
        if required:  # 8.2.2.3: we have no extension yet
            raise PeerError("Bad Extension", 420, (("Unsupported", ", ".join(required)),))
        if method not in _SERVED:
            raise PeerError("Method Not Allowed", 405, (("Allow", ALLOW),))
        incoming = self._new_server(request, hop, source, key)
        tag = request.to.tag
        if tag:
            self._in_dialog(incoming, tag)
        elif method == "INVITE":
            self._user.on_invite(incoming)
        elif method in ("BYE", "INFO"):
            incoming.respond(481)
        else:
            self._user.on_request(incoming)

    def _new_server(self, request: Request, hop: Hop, source: Hop, key: object) -> Incoming:
        reliable = source.transport in _RELIABLE
        machine: InviteServer | NonInviteServer
        if request.method == "INVITE":
            machine = InviteServer(reliable=reliable, timers=self.timers)
        else:
            machine = NonInviteServer(reliable=reliable, timers=self.timers)
        if not request.to.tag:  # 8.2.2.2: the same request by another path is a 482
            if self._merged.setdefault(_merged_key(request), key) != key:
                raise PeerError("Loop Detected", status=482)
        incoming = Incoming(self, machine, hop, key, request, source)
        self._servers[key] = incoming
        return incoming

    def _in_dialog(self, incoming: Incoming, tag: str) -> None:
        usage = self._usages.get(tag)
        if usage is None or not usage.matches(incoming.request):
            incoming.respond(481)  # 12.2.2
            return
        incoming.tag = tag
        usage.receive(incoming)

    def _stray_ack(self, ack: Request) -> None:
        """The ACK to a 2xx is a transaction of its own (13.2.2.4)."""
        usage = self._usages.get(ack.to.tag)
        if usage is not None and usage.matches(ack):
            usage.receive_ack(ack)

    def _cancel(self, request: Request, via: Via, hop: Hop, source: Hop, key: object) -> None:
        """9.2: a CANCEL is answered for itself; the INVITE it names then ends by a 487."""
        assert isinstance(key, tuple)
        invite = self._servers.get(tuple("INVITE" if part == "CANCEL" else part for part in key))
        incoming = Incoming(
            self, NonInviteServer(reliable=source.transport in _RELIABLE, timers=self.timers), hop, key, request, source
        )
        self._servers[key] = incoming
        if invite is None:
            incoming.respond(481)
            return
        incoming.tag = invite.tag
        incoming.respond(200)
        usage = self._usages.get(invite.tag)
        if usage is not None:
            usage.receive_cancel()


def _merged_key(request: Request) -> tuple[str, str, str]:
    return (request.call_id, request.from_.tag, request.fields["CSeq"][0])


def _one_line(text: str) -> str:
    """A reason phrase is one line of printable text (25.1)."""
    return "".join(c if c.isprintable() else " " for c in text)[:120]
