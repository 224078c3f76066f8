"""Both directions of an INVITE: one far end we invited or that invited us, from the first request to the BYE."""

from __future__ import annotations

from collections.abc import Iterable

from sip_stack.core import ALLOW, Hop, Incoming, SipCore
from sip_stack.dialog import Dialog
from sip_stack.digest import Credentials
from sip_stack.errors import BadMessage
from sip_stack.headers import NameAddr
from sip_stack.message import Fields, Request, Response
from sip_stack.transaction import InviteClient
from sip_stack.uri import Uri
from sip_stack.usage import SDP, InviteUser, Usage

__all__ = ["IncomingInvite", "InviteUser", "OutgoingInvite", "Usage"]

_CANCEL_FIELDS = ("Via", "Max-Forwards", "From", "To", "Call-ID", "Route")  # 9.1
_PROOFS = ("Authorization", "Proxy-Authorization")


class OutgoingInvite(Usage):
    """A far end we invite."""

    __slots__ = ("_ack_data", "_cancelled", "_client", "_ringing", "_tries", "reason", "request")

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
        self._tries = 1
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
        client = self.core.request(request, self.hop, self._on_response)
        assert isinstance(client, InviteClient)
        self._client = client

    def _send_cancel(self) -> None:
        invite = self.request
        fields: Fields = {name: invite.fields[name] for name in _CANCEL_FIELDS if name in invite.fields}
        fields["CSeq"] = [f"{invite.cseq.number} CANCEL"]
        if self.reason:
            fields["Reason"] = [self.reason]
        self.core.request(Request("CANCEL", invite.uri_text, fields), self.hop, lambda _: None)
        self._client.cancelled()

    def _on_response(self, response: Response | None) -> None:
        if response is None:
            self._refused(487 if self._cancelled else 408, None)
        elif response.status < 200:
            self._on_provisional(response)
        elif response.status < 300:
            self._on_2xx(response)
        else:
            self._on_failure(response)

    def _on_provisional(self, response: Response) -> None:
        first, self._ringing = not self._ringing, True
        if self._cancelled:
            if first:
                self._send_cancel()
        elif response.status > 100:
            self.owner.on_progress(response)

    def _on_failure(self, response: Response) -> None:
        if response.status in (401, 407) and not self._cancelled:
            again = self._authorised(self.request, response, self._tries)
            if again is not None:
                self._tries += 1
                self._ringing = False
                self._invite(again)
                return
        self._refused(487 if self._cancelled else response.status, response)

    def _refused(self, status: int, response: Response | None) -> None:
        self._end()
        self.owner.on_refused(status, response)

    def _on_2xx(self, response: Response) -> None:
        if self.dialog is not None:
            if response.to.tag == self.dialog.remote.tag:
                self.core.send(self._ack_data, self._hop_now(), self.call_id)  # 13.2.2.4: every 2xx is ACKed
            else:
                self._drop_fork(response)
            return
        if self.over:
            return
        try:
            self.dialog = Dialog.from_response(self.request, response)
        except BadMessage:  # its Contact cannot be read: there is nowhere to send an ACK
            self._refused(502, response)
            return
        self._ack_data = self._ack(self.request.cseq.number, self._proof)
        if self._cancelled:  # the 200 crossed our CANCEL
            self.bye()
            self.owner.on_refused(487, None)
        else:
            self.owner.on_answer(response)

    @property
    def _proof(self) -> tuple[str, str] | None:
        """22.1: an ACK carries what its INVITE proved."""
        return next(((n, self.request.fields[n][0]) for n in _PROOFS if n in self.request.fields), None)

    def _drop_fork(self, response: Response) -> None:
        """A second phone answered: ACK, then BYE (13.2.2.4)."""
        kept, self.dialog = self.dialog, Dialog.from_response(self.request, response)
        try:
            self._ack(self.request.cseq.number, self._proof)
            self.core.request(self.dialog.request("BYE"), self._hop_now(), lambda _: None)
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
        self.nat = request.via.host.strip("[]") != incoming.source.host
        self._offered = incoming

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
        if self.incoming.open:
            self.incoming.respond(status, reason, extra=extra)
            self._end()

    def bye(self, reason: str = "") -> None:
        """As for any usage; before the answer the INVITE is refused instead: 15, MUST NOT send a BYE then."""
        if self.incoming.open:
            self.refuse(480)
        else:
            super().bye(reason)

    def receive_cancel(self) -> None:
        """9.2: only an INVITE without a final response is cancelled."""
        if self.incoming.open:
            self._end()
            self.owner.on_cancel()

    def _receive_bye(self) -> None:
        if self.incoming.open:  # 15.1.2: a BYE in an early dialog ends the INVITE too
            self.receive_cancel()
        else:
            super()._receive_bye()
