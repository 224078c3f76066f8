"""INVITE usages (RFC 5057): one far end we invited or that invited us, from the first request to the BYE.

The owner is told by `InviteUser`; it speaks by the verbs.  No verb waits, so clean-up cannot be skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Protocol

from sip_stack.core import ALLOW, Hop, Incoming, Outgoing, SipCore
from sip_stack.dialog import Dialog
from sip_stack.digest import Challenge, Credentials, answer, parse_challenge
from sip_stack.errors import BadMessage
from sip_stack.headers import NameAddr
from sip_stack.message import Fields, Request, Response
from sip_stack.uri import Uri

__all__ = ["IncomingInvite", "InviteUser", "OutgoingInvite", "Usage"]

SDP = "application/sdp"
OnResponse = Callable[[Response | None], None]


class InviteUser(Protocol):
    """Who owns a usage."""

    def on_progress(self, response: Response) -> None:
        """A provisional response above 100 to our INVITE."""

    def on_answer(self, response: Response) -> None:
        """The first 2xx to our INVITE; the ACK has left."""

    def on_refused(self, status: int, response: Response | None) -> None:
        """No 2xx: refused, cancelled (487), timed out (408); response is None where none came."""

    def on_cancel(self) -> None:
        """They cancelled their INVITE; the 487 has left."""

    def on_ack(self, request: Request) -> None:
        """The ACK to our 2xx, with its body where the offer was ours."""

    def on_gone(self, why: str) -> None:
        """The dialog is over by their doing: `bye`, `lost` (they know of no dialog) or `no-ack`."""

    def on_request(self, incoming: Incoming) -> None:
        """A request inside the dialog: re-INVITE or INFO; it must be responded to."""


class Usage:
    """What both directions share once there is a dialog."""

    __slots__ = (
        "_accepted",
        "_wait",
        "armed",
        "call_id",
        "core",
        "credentials",
        "dialog",
        "hop",
        "local_tag",
        "nat",
        "over",
        "owner",
    )

    owner: InviteUser

    def __init__(
        self, core: SipCore, hop: Hop, call_id: str, local_tag: str, credentials: Credentials | None = None
    ) -> None:
        self.core = core
        self.hop = hop
        self.call_id = call_id
        self.local_tag = local_tag
        self.credentials = credentials
        self.dialog: Dialog | None = None
        self.nat = False
        """The far end sits behind a NAT: requests go where its packets come from, whatever its Contact says."""
        self.over = False
        self.armed: dict[str, int] = {}
        self._accepted: tuple[Incoming, Response] | None = None
        self._wait = 0.0
        core.add_usage(local_tag, self)

    # Verbs

    def bye(self, reason: str = "") -> None:
        """Leave an established dialog; `reason` is a Reason value (RFC 3326), for example `Q.850;cause=16`."""
        if self.over or self.dialog is None:
            return
        self._end(keep_registered=True)
        extra = [("Reason", reason)] if reason else []
        self.send("BYE", lambda _: self.core.drop_usage(self.local_tag), extra=extra)

    def send(
        self,
        method: str,
        on_response: OnResponse,
        *,
        body: bytes = b"",
        content_type: str = SDP,
        extra: Iterable[tuple[str, str]] = (),
    ) -> None:
        """A request inside the dialog; a challenge is answered once where we have credentials."""
        assert self.dialog is not None
        request = self.dialog.request(method)
        for name, value in extra:
            request.fields[name] = [value]
        if method == "INVITE":
            request.fields["Contact"] = [self.core.contact(self.hop.transport)]
            request.fields["Allow"] = [ALLOW]
        if body:
            request.fields["Content-Type"] = [content_type]
            request.body = body
        self._start(request, on_response)

    def reinvite(self, body: bytes, on_response: OnResponse) -> None:
        """Offer new media; `on_response` gets the final response after its ACK left, None when nobody answered."""

        def react(response: Response | None) -> None:
            if response is not None and response.status < 200:
                return
            if response is not None and response.status < 300 and self.dialog is not None:
                self.dialog.refresh(response)
                self._ack(response.cseq.number)
            on_response(response)

        self.send("INVITE", react, body=body)

    def accept(self, incoming: Incoming, body: bytes) -> None:
        """200 to an INVITE or re-INVITE, repeated until its ACK comes (13.3.1.4)."""
        extra = [("Contact", self.core.contact(self.hop.transport)), ("Allow", ALLOW), ("Content-Type", SDP)]
        response = Response.to_request(
            incoming.request, 200, tag=self.local_tag, extra=[*extra, ("Server", self.core.agent)], body=body
        )
        self._accepted = (incoming, response)
        self._wait = self.core.timers.t1
        incoming.on_ack = self.receive_ack
        incoming.perform(incoming.machine.respond(response))
        if not incoming.machine.reliable:
            self.core.arm(self, "2xx", self._wait)
        self.core.arm(self, "ack", self.core.timers.t64)

    # What the core tells

    def matches(self, request: Request) -> bool:
        """12.2.2: Call-ID and the remote tag."""
        dialog = self.dialog
        return request.call_id == self.call_id and (dialog is None or request.from_.tag == dialog.remote.tag)

    def receive(self, incoming: Incoming) -> None:
        """A request inside the dialog."""
        request = incoming.request
        if self.dialog is None:
            incoming.respond(481)
            return
        self.dialog.receive(request)
        if request.method == "BYE":
            incoming.respond(200)
            if not self.over:
                self._end()
                self._told_bye()
        elif self.over:
            incoming.respond(481)
        elif request.method == "OPTIONS":
            incoming.respond(200, extra=[("Allow", ALLOW), ("Accept", SDP)])
        else:
            if request.method == "INVITE":
                self.dialog.refresh(request)
            self.owner.on_request(incoming)

    def receive_ack(self, ack: Request) -> None:
        """The ACK to our 2xx."""
        accepted = self._accepted
        if accepted is None or accepted[0].request.cseq.number != ack.cseq.number:
            return
        self._accepted = None
        self.armed.pop("2xx", None)
        self.armed.pop("ack", None)
        if not self.over:
            self.owner.on_ack(ack)

    def receive_cancel(self) -> None:
        """A CANCEL for an INVITE of theirs; nothing to do once it is answered."""

    def fire(self, timer: str) -> None:
        """2xx: repeat the answer; ack: nobody confirmed it."""
        if self._accepted is None:
            return
        incoming, response = self._accepted
        if timer == "2xx":
            incoming.perform(incoming.machine.respond(response))
            self._wait = min(self._wait * 2, self.core.timers.t2)
            self.core.arm(self, "2xx", self._wait)
        elif timer == "ack" and not self.over:
            self._accepted = None
            self.bye()  # 13.3.1.4: no ACK after 64*T1
            self.owner.on_gone("no-ack")

    # Inside

    def _told_bye(self) -> None:
        self.owner.on_gone("bye")

    def _end(self, *, keep_registered: bool = False) -> None:
        self.over = True
        self.armed.clear()
        self._accepted = None
        if not keep_registered:
            self.core.drop_usage(self.local_tag)

    def _hop_now(self) -> Hop:
        """Where the dialog's next request goes."""
        assert self.dialog is not None
        if self.nat and not self.dialog.route_set:
            return self.hop
        uri = self.dialog.next_hop
        host = uri.host.strip("[]")
        if not _is_address(host):
            return self.hop
        return self.hop._replace(host=host, port=uri.port or 5060)

    def _start(self, request: Request, on_response: OnResponse, *, tried: bool = False) -> Outgoing:
        def react(response: Response | None) -> None:
            if response is not None and response.status in (401, 407) and not tried:
                again = self._authorised(request, response)
                if again is not None:
                    self._start(again, on_response, tried=True)
                    return
            lost = response is None or response.status in (408, 481)
            on_response(response)
            if lost and request.method != "BYE" and not self.over:  # 12.2.1.2
                self._end()
                self.owner.on_gone("lost")

        return self.core.request(request, self._hop_now(), react)

    def _authorised(self, request: Request, response: Response) -> Request | None:
        """The same request with a proof, one CSeq further (22.2); None where we cannot prove anything."""
        found = _challenge(response)
        if found is None or self.credentials is None:
            return None
        name, challenge = found
        number = request.cseq.number + 1
        fields = {k: v for k, v in request.fields.items() if k != "Via"}
        fields["CSeq"] = [f"{number} {request.method}"]
        fields[name] = [answer(challenge, self.credentials, request.method, request.uri_text, self.core.new_id())]
        if self.dialog is not None:
            self.dialog.local_seq = max(self.dialog.local_seq, number)
        return Request(request.method, request.uri_text, fields, request.body)

    def _ack(self, seq: int, proof: tuple[str, str] | None = None) -> bytes:
        """Send the ACK to a 2xx: a new branch, through the route set (13.2.2.4); the bytes, to send again."""
        assert self.dialog is not None
        hop = self._hop_now()
        request = self.dialog.request("ACK", seq=seq)
        request.fields = {"Via": [self.core.new_via(hop.transport)], **request.fields}
        if proof is not None:
            request.fields[proof[0]] = [proof[1]]
        data = request.encode()
        self.core.send(data, hop, self.call_id)
        return data


class OutgoingInvite(Usage):
    """A far end we invite."""

    __slots__ = ("_ack_data", "_cancelled", "_ringing", "_running", "reason", "request")

    def __init__(
        self,
        core: SipCore,
        owner: InviteUser,
        *,
        target: Uri,
        hop: Hop,
        from_: NameAddr,
        to: NameAddr,
        body: bytes,
        extra: Iterable[tuple[str, str]] = (),
        credentials: Credentials | None = None,
        max_forwards: int = 70,
        nat: bool = False,
        call_id: str = "",
    ) -> None:
        """Send an INVITE with an offer to `target` through `hop`; `call_id` where the caller wants to know it first."""
        super().__init__(core, hop, call_id or core.new_id() + core.new_id(), core.new_id(), credentials)
        self.owner = owner
        self.nat = nat
        self.reason = ""
        self._ack_data = b""
        self._cancelled = False
        self._ringing = False
        fields = {
            "Max-Forwards": [str(max_forwards)],
            "From": [str(from_.with_tag(self.local_tag))],
            "To": [str(to)],
            "Call-ID": [self.call_id],
            "CSeq": ["1 INVITE"],
            "Contact": [core.contact(hop.transport)],
            "Allow": [ALLOW],
        }
        for name, value in extra:
            fields.setdefault(name, []).append(value)
        fields["Content-Type"] = [SDP]
        self._invite(Request("INVITE", target, fields, body))

    def cancel(self, reason: str = "") -> None:
        """Give the INVITE up: at once where it already rings, else with the first response (9.1)."""
        if self._cancelled or self.dialog is not None or self.over:
            return
        self._cancelled = True
        self.reason = reason
        if self._ringing:
            self._send_cancel()

    def _invite(self, request: Request) -> None:
        self.request = request
        self._running = self.core.request(request, self.hop, self._on_response)

    def _send_cancel(self) -> None:
        invite = self.request
        fields: Fields = {name: invite.fields[name] for name in _CANCEL_FIELDS if name in invite.fields}
        fields["CSeq"] = [f"{invite.cseq.number} CANCEL"]
        if self.reason:
            fields["Reason"] = [self.reason]
        self.core.request(Request("CANCEL", invite.uri_text, fields), self.hop, lambda _: None)
        self.core.arm(self, "cancel", self.core.timers.t64)

    def fire(self, timer: str) -> None:
        """cancel: no final response to a cancelled INVITE in 64*T1 counts as one (9.1)."""
        if timer != "cancel":
            super().fire(timer)
        elif not self.over and self.dialog is None:
            self._running.give_up()
            self._refused(487, None)

    def _on_response(self, response: Response | None) -> None:
        if response is None:
            self._refused(408, None)
        elif response.status < 200:
            self._on_provisional(response)
        elif response.status < 300:
            self._on_2xx(response)
        elif self.over:
            return
        else:
            self._on_failure(response)

    def _on_provisional(self, response: Response) -> None:
        first, self._ringing = not self._ringing, True
        if self._cancelled:
            if first:
                self._send_cancel()
        elif response.status > 100 and not self.over and self.dialog is None:
            self.owner.on_progress(response)

    def _on_failure(self, response: Response) -> None:
        if response.status in (401, 407) and not self._cancelled and self.request.cseq.number == 1:
            again = self._authorised(self.request, response)
            if again is not None:
                self._ringing = False
                self._invite(again)
                return
        self._refused(487 if self._cancelled else response.status, response)

    def _refused(self, status: int, response: Response | None) -> None:
        if self.over:
            return
        self._end()
        self.owner.on_refused(status, response)

    def _on_2xx(self, response: Response) -> None:
        if self.dialog is not None:
            if response.to.tag == self.dialog.remote.tag:
                self.core.send(self._ack_data, self._hop_now(), self.call_id)  # 13.2.2.4: every 2xx is ACKed
            else:
                self._drop_fork(response)
            return
        self.dialog = Dialog.from_response(self.request, response)
        proof = next(((n, self.request.fields[n][0]) for n in _PROOFS if n in self.request.fields), None)
        self._ack_data = self._ack(self.request.cseq.number, proof)
        if self._cancelled or self.over:  # the 200 crossed our CANCEL
            over, self.over = self.over, False
            self.bye()
            if not over:
                self.owner.on_refused(487, None)
        else:
            self.owner.on_answer(response)

    def _drop_fork(self, response: Response) -> None:
        """A second phone answered: ACK, then BYE (13.2.2.4)."""
        other = Dialog.from_response(self.request, response)
        kept, self.dialog = self.dialog, other
        try:
            self._ack(self.request.cseq.number)
            self.core.request(other.request("BYE"), self._hop_now(), lambda _: None)
        finally:
            self.dialog = kept


class IncomingInvite(Usage):
    """A far end that invited us."""

    __slots__ = ("incoming", "request")

    def __init__(self, core: SipCore, incoming: Incoming) -> None:
        request = incoming.request
        super().__init__(core, incoming.source, request.call_id, incoming.tag)
        self.incoming = incoming
        self.request = request
        self.dialog = Dialog.from_request(request, self.local_tag)
        self.nat = request.via.host != incoming.source.host

    def trying(self) -> None:
        """100: we have it."""
        self.incoming.respond(100)

    def ring(self, body: bytes = b"") -> None:
        """180, or 183 with a body: early media."""
        if self.over:
            return
        extra = [("Contact", self.core.contact(self.hop.transport)), ("Allow", ALLOW)]
        if body:
            self.incoming.respond(183, extra=[*extra, ("Content-Type", SDP)], body=body)
        else:
            self.incoming.respond(180, extra=extra)

    def answer(self, body: bytes) -> None:
        """200 with our description."""
        if not self.over:
            self.accept(self.incoming, body)

    def refuse(self, status: int, reason: str = "", *, extra: Iterable[tuple[str, str]] = ()) -> None:
        """A final response other than 2xx; nothing where one has left."""
        if self.over or self._answered:
            return
        self._end()
        self.incoming.respond(status, reason, extra=extra)

    def receive_cancel(self) -> None:
        """9.2: only an INVITE without a final response is cancelled."""
        if self.over or self._answered:
            return
        self._end()
        self.incoming.respond(487)
        self.owner.on_cancel()

    @property
    def _answered(self) -> bool:
        return self.incoming.machine.state not in ("proceeding",)

    def _told_bye(self) -> None:
        if not self._answered:  # 15.1.2: a BYE in an early dialog ends the INVITE too
            self.incoming.respond(487)
            self.owner.on_cancel()
        else:
            self.owner.on_gone("bye")


_CANCEL_FIELDS = ("Via", "Max-Forwards", "From", "To", "Call-ID", "Route")  # 9.1
_PROOFS = ("Authorization", "Proxy-Authorization")


def _challenge(response: Response) -> tuple[str, Challenge] | None:
    """The strongest challenge we can answer, with the header its answer goes into (RFC 8760 2.4: the first we know)."""
    for asked, given in (("WWW-Authenticate", "Authorization"), ("Proxy-Authenticate", "Proxy-Authorization")):
        for value in response.fields.get(asked, ()):
            try:
                challenge = parse_challenge(value)
            except BadMessage:
                continue
            if challenge is not None:
                return given, challenge
    return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
