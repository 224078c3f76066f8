"""SipCore: datagrams in, datagrams out, and a user who is told what happened (RFC 3261 8, 12, 17, 18).

Sans-IO: the shell gives it bytes, a clock, a way to send and a way to be woken; nothing here waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Protocol
from zlib import crc32

from sip_stack.abilities import ALLOW, SERVED, SUPPORTED, refuse_unknown, refuse_what_we_lack
from sip_stack.client_transaction import Client, InviteClient, NonInviteClient
from sip_stack.dialog import Dialog
from sip_stack.errors import BadMessage, PeerError
from sip_stack.headers import MAGIC_COOKIE, CSeq, NameAddr
from sip_stack.hop import Hop
from sip_stack.incoming import Incoming
from sip_stack.listening import Listening
from sip_stack.message import Fields, Request, Response, parse, reply
from sip_stack.ourselves import Ourselves, Oversize
from sip_stack.server_transaction import InviteServer, NonInviteServer
from sip_stack.stun import binding_response
from sip_stack.timers import RFC, Batch, Batches, Timed, TimerSettings, Wheel
from sip_stack.transaction import OnResponse, Transaction
from sip_stack.uri import Uri
from sip_stack.way_back import way_back

__all__ = ["ALLOW", "SUPPORTED", "CoreUser", "Hop", "Incoming", "SipCore"]

_IN_DIALOG = frozenset({"BYE", "INFO", "NOTIFY", "PRACK", "UPDATE"})
_LINGERING_S = 1 / 8
"""What ends within so long may end at once."""
_MOST_CHALLENGED = 4096
"""Server transactions beyond which a challenge is given without one more: nothing is repeated or remembered for it."""


class CoreUser(Protocol):
    """Who is told of requests that begin something."""

    def on_invite(self, incoming: Incoming) -> None:
        """A new INVITE: make an IncomingInvite of it, or refuse it; a PeerError raised here is answered."""

    def on_request(self, incoming: Incoming) -> None:
        """Any other request outside a dialog (REGISTER, OPTIONS); it must be responded to."""


class DialogUser(Protocol):
    """Who gets the requests of one dialog (an INVITE usage)."""

    def receive(self, incoming: Incoming) -> None:
        """A request inside the dialog, or one that only has its tag: that gets a 481 (12.2.2)."""

    def receive_ack(self, ack: Request) -> None:
        """The ACK to a 2xx."""

    def receive_cancel(self, cancel: Request) -> None:
        """The INVITE that began the dialog is cancelled."""


class SipCore:
    """One SIP user agent core, server and client, over any transports."""

    def __init__(
        self,
        user: CoreUser,
        *,
        send: Callable[[bytes, Hop], None],
        local: Mapping[str, tuple[str, int]] | Listening,
        new_id: Callable[[], str],
        clock: Callable[[], float],
        alarm: Callable[[float], None],
        bug: Callable[[Exception], None],
        agent: str = "Ringback",
        timers: TimerSettings = RFC,
        tap: Callable[[bool, bytes, Hop, str], None] | None = None,
    ) -> None:
        """`local`: our address by transport, or all where there are several; `alarm(when)` asks for a `wake`.

        `tap(received, data, hop, call_id)` sees every message.
        """
        self._user = user
        self._send = send
        self.new_id = new_id
        self._bug = bug
        self._agent = [agent]
        self.agent_line = f"\r\nServer: {agent}"
        self.asking_line = f"\r\nUser-Agent: {agent}"
        self.timers = timers
        self.tap = tap
        self._clients: dict[object, Client] = {}
        self._servers: dict[object, Incoming] = {}
        self._merged: set[tuple[str, str, CSeq]] = set()
        self._usages: dict[str, DialogUser] = {}
        self._wheel = Wheel(clock, alarm)
        self.arm = self._wheel.arm
        self.watch = Batches(self.arm, self._fire_all).add
        self.linger = Batches(self.arm, self._forget_all, _LINGERING_S).add
        us = Ourselves(local)
        self.local, self.sent_by, self.is_ours = us.local, us.sent_by, us.is_ours
        self.contact, self.new_via = us.contact, us.new_via
        self.oversize = Oversize(us.transports, clock)
        self.wider, self.narrow = self.oversize.wider, self.oversize.narrow

    # What the shell calls

    def receive(self, data: bytes, source: Hop) -> None:
        """Take in one datagram or framed message."""
        message = parse(data)
        if message is None:
            self._keep_alive(data, source)
            return
        tap = self.tap
        if tap is not None:
            tap(True, data, source, message.call_id)
        if isinstance(message, Response):
            self._take_response(message)
        else:
            self._take_request(message, source)

    def wake(self) -> None:
        """Fire what is due."""
        self._fire(self._wheel.pop_due())

    def _fire_all(self, batch: Batch[Timed]) -> None:
        self._fire(zip(batch, repeat(batch.timer)))

    def _fire(self, due: Iterable[tuple[Timed, str]]) -> None:
        for target, timer in due:
            try:
                target.fire(timer)
            except Exception as error:  # one call's bug ends that call, not the timers behind it
                self._bug(error)

    def lost(self, hop: Hop) -> None:
        """Nothing can be delivered to this hop: whoever waits for an answer from there is told (17.1.4, 18.4)."""
        for client in self._waiting_for(hop):
            try:
                client.lost()
            except Exception as error:
                self._bug(error)

    def gone(self, hop: Hop) -> None:
        """The connection of this hop has ended, and there is no other way: whoever waits for anything is told."""
        for client in self._waiting_for(hop):
            try:
                client.gone()
            except Exception as error:
                self._bug(error)

    def _waiting_for(self, hop: Hop) -> list[Client]:
        return [client for client in self._clients.values() if _same_way(client.hop, hop)]

    @property
    def load(self) -> dict[str, int]:
        """How many transactions and dialogs are held: back to zero when all is over."""
        return {"clients": len(self._clients), "servers": len(self._servers), "dialogs": len(self._usages)}

    # What users, usages and transactions call

    def send(self, data: bytes, hop: Hop, call_id: str) -> None:
        """Put bytes on the wire."""
        tap, send = self.tap, self._send  # Python is five times as fast to call what it need not look up as a method
        if tap is not None:
            tap(False, data, hop, call_id)
        send(data, hop)

    def chance(self) -> float:
        """A number from 0 to 1, another each time: for waits that two sides should not choose alike."""
        return crc32(self.new_id().encode()) / 2**32

    def new_branch(self) -> str:
        """A branch nobody had before (8.1.1.7)."""
        return MAGIC_COOKIE + self.new_id()

    def request(self, request: Request, hop: Hop, on_response: OnResponse) -> Client:
        """Start a client transaction: a Via is put on top, unless the request has one (CANCEL)."""
        fields = request.fields
        if "Via" in fields:
            branch = _branch(fields["Via"][0])
        else:
            branch = self.new_branch()
            request.fields = fields = {"Via": [self.new_via(hop, branch)], **fields}
        fields["User-Agent"] = self._agent
        return self.transact(request.method, branch, request.encode(), request.call_id, hop, on_response)

    def ask(
        self, dialog: Dialog, hop: Hop, method: str, on_response: OnResponse, more: str = "", body: bytes = b""
    ) -> Client:
        """Start a client transaction inside a dialog; `more` as for `Dialog.request`."""
        branch = MAGIC_COOKIE + self.new_id()
        data = dialog.request(method, self.new_via(hop, branch), more + self.asking_line, body)
        return self.transact(method, branch, data, dialog.call_id, hop, on_response)

    def transact(
        self, method: str, branch: str, data: bytes, call_id: str, hop: Hop, on_response: OnResponse
    ) -> Client:
        """Start a client transaction for a request as it shall leave, with that branch."""
        key = (branch, method)
        machine = InviteClient if method == "INVITE" else NonInviteClient
        self._clients[key] = client = machine(data, call_id, on_response, self, hop, key)
        client.start()
        return client

    def build(
        self, method: str, target: Uri, from_: NameAddr, to: NameAddr, extra: Iterable[tuple[str, str]] = ()
    ) -> Request:
        """A request outside a dialog, for `request` (OPTIONS, REGISTER)."""
        fields: Fields = {
            "Max-Forwards": ["70"],
            "From": [str(from_.with_tag(self.new_id()))],
            "To": [str(to)],
            "Call-ID": [self.new_id() + self.new_id()],
            "CSeq": [f"1 {method}"],
        }
        for name, value in extra:
            fields[name] = (*fields.get(name, ()), value)
        return Request(method, target, fields)

    def add_usage(self, local_tag: str, usage: DialogUser) -> None:
        """Requests whose To tag is `local_tag` go to `usage`."""
        self._usages[local_tag] = usage

    def drop_usage(self, local_tag: str) -> None:
        """The dialog is over."""
        self._usages.pop(local_tag, None)

    def forget(self, transaction: Transaction) -> None:
        """A transaction ended."""
        self._forget_all((transaction,))

    def _forget_all(self, over: Iterable[Transaction]) -> None:
        clients, servers = self._clients, self._servers
        for transaction in over:
            if isinstance(transaction, Incoming):
                servers.pop(transaction.key, None)
                if transaction.merged is not None:
                    self._merged.discard(transaction.merged)
                    transaction.key = transaction.merged = None  # a call may hold its INVITE for hours
            else:
                clients.pop(transaction.key, None)

    def _keep_alive(self, data: bytes, source: Hop) -> None:
        if source.transport == "UDP" and (answer := binding_response(data, source.host, source.port)):
            self._send(answer, source)

    # Responses

    def _take_response(self, response: Response) -> None:
        try:
            response.check()
            method = response.cseq.method
            client = self._clients.get((response.branch, method))
        except BadMessage:
            return  # a response is never answered
        if client is None:
            return
        try:
            client.receive(response)
        except Exception as error:
            self._bug(error)

    # Requests

    def _take_request(self, request: Request, source: Hop) -> None:
        try:
            hop = way_back(request, source)
        except BadMessage:
            return  # nowhere to answer to
        method = request.method
        try:
            if request.defect is not None:
                raise request.defect
            key = _key(request, method if method != "ACK" else "INVITE")
            server = self._servers.get(key)
            if server is not None:  # before any other check: a repeated request is the same request
                server.receive(request)
                return
            if method not in SERVED:
                refuse_unknown(request)
            request.check()
            if method == "ACK":
                self._take_ack(request)
            elif method == "CANCEL":
                self._cancel(request, hop, source, key)
            else:
                refuse_what_we_lack(request)
                self._serve(request, hop, source, key)
        except PeerError as error:
            self._refuse(request, hop, error)
        except Exception as error:
            self._refuse(request, hop, PeerError("Server Internal Error", 500))
            self._bug(error)

    def _take_ack(self, ack: Request) -> None:
        """It belongs to no INVITE that was refused: the one to a 2xx is a transaction of its own (13.2.2.4)."""
        usage = self._usages.get(ack.to.tag)
        if usage is not None:
            usage.receive_ack(ack)

    def _refuse(self, request: Request, hop: Hop, error: PeerError) -> None:
        """An error response without a transaction (8.2.7); an ACK is never answered."""
        if request.method == "ACK":
            return
        tag = f"{crc32(request.fields['Via'][0].encode('utf-8', 'surrogateescape')):x}"  # 8.2.7: the same when repeated
        reason, line = _one_line(error.reason), self.agent_line
        data = reply(request, error.status, reason, tag, line, extra=error.headers)
        self.send(data, hop, request.call_id)

    def _serve(self, request: Request, hop: Hop, source: Hop, key: object) -> None:
        """Begin a server transaction, and answer what is raised by whom the request is for.

        Raises: PeerError 482 for the same request by another path (8.2.2.2), 401 where it is to leave no transaction.
        """
        tag, merged = request.to.tag, None
        if not tag:
            merged = (request.call_id, request.from_.tag, request.cseq)
            if merged in self._merged:
                raise PeerError("Loop Detected", status=482)
            self._merged.add(merged)
        machine = InviteServer if request.method == "INVITE" else NonInviteServer
        self._servers[key] = incoming = machine(self, hop, key, request, source, tag or self.new_id(), merged)
        try:
            if tag:
                usage = self._usages.get(tag)
                if usage is None:
                    incoming.respond(481)  # 12.2.2
                else:
                    usage.receive(incoming)
            elif request.method == "INVITE":
                self._user.on_invite(incoming)
            elif request.method in _IN_DIALOG:
                incoming.respond(481)
            else:
                self._user.on_request(incoming)
        except PeerError as error:
            if error.status == 401 and len(self._servers) > _MOST_CHALLENGED:
                self.forget(incoming)  # 26.3.2.4: who floods is challenged without state, and once for each request
                raise
            incoming.respond(error.status, _one_line(error.reason), extra=error.headers)
        except Exception as error:
            incoming.respond(500)
            self._bug(error)

    def _cancel(self, cancel: Request, hop: Hop, source: Hop, key: object) -> None:
        """9.2: a CANCEL is answered for itself; the INVITE it names then ends by a 487."""
        invite = self._servers.get(_key(cancel, "INVITE"))
        tag = self.new_id() if invite is None else invite.tag  # the two responses SHOULD have one To tag
        self._servers[key] = incoming = NonInviteServer(self, hop, key, cancel, source, tag)
        incoming.respond(481 if invite is None else 200)
        usage = None if invite is None else self._usages.get(invite.tag)
        if usage is not None:
            usage.receive_cancel(cancel)


def _same_way(one: Hop, other: Hop) -> bool:
    """The same connection, or the same far end where one of them names none."""
    if one.transport != other.transport:
        return False
    if one.flow and other.flow:
        return one.flow == other.flow
    return (one.host, one.port, one.name, one.line) == (other.host, other.port, other.name, other.line)


def _key(request: Request, method: str) -> object:
    """17.2.3, with the CSeq number: some phones reuse the branch for the authenticated INVITE."""
    if request.branch:
        return request.branch, request.sent_by, request.cseq.number, method
    via = request.fields["Via"][0]  # RFC 2543 peers: all of it
    return via, request.uri_text, request.from_.tag, request.call_id, request.cseq.number, method


def _branch(via: str) -> str:
    """The branch of a Via as we write it; of another's perhaps none."""
    return via.partition(";branch=")[2].partition(";")[0]


def _one_line(text: str) -> str:
    """A reason phrase is one line of printable text (25.1)."""
    return "".join(c if c.isprintable() else " " for c in text)[:120]
