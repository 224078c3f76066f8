"""Both directions of an INVITE: one far end we invited or that invited us, from the first request to the BYE."""

from __future__ import annotations

from collections.abc import Iterable

from sip_stack.core import ALLOW, Hop, Incoming, SipCore
from sip_stack.dialog import Dialog
from sip_stack.digest import Credentials
from sip_stack.errors import BadMessage
from sip_stack.headers import NameAddr
from sip_stack.hop import bare
from sip_stack.message import Fields, Request, Response
from sip_stack.transaction import InviteClient
from sip_stack.uri import Uri
from sip_stack.usage import SDP, InviteUser, Usage, next_hop, send_ack

__all__ = ["IncomingInvite", "InviteUser", "OutgoingInvite", "Usage"]

_CANCEL_FIELDS = ("Via", "Max-Forwards", "From", "To", "Call-ID", "Route")  # 9.1
_PROOFS = ("Authorization", "Proxy-Authorization")


class OutgoingInvite(Usage):
    """A far end we invite."""

    __slots__ = ("_cancelled", "_client", "_ringing", "_tries", "reason", "request")

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
        super().__init__(core, hop, call_id or core.new_id() + core.new_id(), core.new_id(), credentials,
                         secure=target.scheme == "sips")
        self.request: Request | None = None
        """Our INVITE, until it is answered."""
        self.owner = owner
        self.nat = nat
        self.reason = ""
        self._cancelled = False
        self._ringing = False
        self._tries = 1
        fields = {
            "Max-Forwards": [str(max_forwards)],
            "From": [str(from_.with_tag(self.local_tag))],
            "To": [str(to)],
            "Call-ID": [self.call_id],
            "CSeq": ["1 INVITE"],
            "Contact": [self.contact],
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
        assert invite is not None
        fields: Fields = {name: invite.fields[name] for name in _CANCEL_FIELDS if name in invite.fields}
        fields["CSeq"] = [f"{invite.cseq.number} CANCEL"]
        if self.reason:
            fields["Reason"] = [self.reason]
        self.core.request(Request("CANCEL", invite.uri_text, fields), self._client.hop, lambda _: None)  # 9.1: as it
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
            assert self.request is not None
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
        if self.over:
            return
        invite, self.request = self.request, None
        assert invite is not None
        try:
            self.dialog = Dialog.from_response(invite, response)
        except BadMessage:  # its Contact cannot be read: there is nowhere to send an ACK
            self._refused(502, response)
            return
        proof = next(((n, invite.fields[n][0]) for n in _PROOFS if n in invite.fields), None)  # 22.1: also in the ACK
        self._client.on_response = _Answered(self, self.dialog, invite.cseq.number, proof).again
        if self._cancelled:  # the 200 crossed our CANCEL
            self.bye()
            self.owner.on_refused(487, None)
        else:
            self.owner.on_answer(response)


class _Answered:
    """What every 2xx gets, for 32 s each repeated one too: an ACK (13.2.2.4).  It holds nothing of the call."""

    __slots__ = ("_ack", "_core", "_dialog", "_hop", "_nat", "_proof")

    def __init__(self, usage: Usage, dialog: Dialog, seq: int, proof: tuple[str, str] | None) -> None:
        self._core, self._hop, self._nat = usage.core, usage.hop, usage.nat
        self._dialog = dialog
        self._proof = proof
        self._ack = send_ack(usage.core, dialog, usage.hop_now, seq, proof)

    def again(self, response: Response | None) -> None:
        """One more 2xx."""
        assert response is not None
        if response.to.tag == self._dialog.remote.tag:
            self._core.send(self._ack, self._hop_of(self._dialog), self._dialog.call_id)
            return
        fork = self._dialog.fork(response)  # a second phone answered: ACK, then BYE
        hop = self._hop_of(fork)
        send_ack(self._core, fork, hop, fork.local_seq, self._proof)
        self._core.request(fork.request("BYE"), hop, lambda _: None)

    def _hop_of(self, dialog: Dialog) -> Hop:
        return next_hop(dialog, self._hop, nat=self._nat)


class IncomingInvite(Usage):
    """A far end that invited us."""

    __slots__ = ("incoming",)

    def __init__(self, core: SipCore, incoming: Incoming) -> None:
        request = incoming.request
        super().__init__(core, incoming.source, request.call_id, incoming.tag, secure=request.uri.scheme == "sips")
        self.incoming = incoming
        self.dialog = Dialog.from_request(request, self.local_tag)
        self.nat = bare(request.via.host) != incoming.source.host
        self._offered = incoming

    @property
    def request(self) -> Request:
        """Their INVITE, until its ACK came."""
        return self.incoming.request

    def trying(self) -> None:
        """100, unless something else leaves soon: we have it."""
        self.incoming.trying()

    def ring(self, body: bytes = b"") -> None:
        """180, or 183 with a body: early media."""
        if self.over:
            return
        extra = [("Contact", self.contact), ("Allow", ALLOW)]
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
