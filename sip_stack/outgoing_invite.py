"""A far end that we invite, from the INVITE to the BYE."""

from __future__ import annotations

from collections.abc import Iterable

from sip_stack.again import authorised, further
from sip_stack.client_transaction import InviteClient
from sip_stack.core import ALLOW, Hop, SipCore
from sip_stack.dialog import Dialog
from sip_stack.digest import Credentials
from sip_stack.errors import BadMessage
from sip_stack.headers import NameAddr
from sip_stack.message import Fields, Request, Response
from sip_stack.onward import SDP, Acknowledger
from sip_stack.options import PLAIN, InviteOptions
from sip_stack.reliable import Branch, RAck, reliable_number
from sip_stack.session_timer import accepted_terms, min_se
from sip_stack.uri import Uri
from sip_stack.usage import InviteUser, Usage

__all__ = ["OutgoingInvite"]

_CANCEL_FIELDS = ("Via", "Max-Forwards", "From", "To", "Call-ID", "Route")  # 9.1
_SUPPORTED = {
    (False, False): "replaces, norefersub", (True, False): "100rel, replaces, norefersub",
    (False, True): "timer, replaces, norefersub", (True, True): "100rel, timer, replaces, norefersub",
}  # fmt: skip
"""What our INVITE says, by whether provisionals are acknowledged and whether the session has a timer."""
_PROOFS = ("Authorization", "Proxy-Authorization")
_MOST_RAISES = 3


class OutgoingInvite(Usage):
    """A far end we invite."""

    __slots__ = ("_branches", "_cancelled", "_client", "_heard", "_ringing", "_tries", "reason", "request")

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
        options: InviteOptions = PLAIN,
    ) -> None:
        """Send an INVITE with an offer to `target` through `hop`; `call_id` where the caller wants to know it first.

        `from_` has no tag yet.

        Without a body they offer, in their 2xx or before, and the owner answers by `acknowledge`.
        """
        super().__init__(
            core, hop, call_id or core.new_id() + core.new_id(), core.new_id(), credentials, options,
            secure=target.scheme == "sips",
        )  # fmt: skip
        self.request: Request | None = None
        """Our INVITE, until it is answered."""
        self.owner = owner
        self.nat = nat
        self.reason = ""
        self._cancelled = False
        self._ringing = False
        self._tries = 1
        self.described = body
        self._branches: dict[str, Branch] = {}
        """The early dialogs in which we have said something, by the tag of their far end."""
        self._heard: dict[str, Response] = {}
        """The last provisional of each far end: what its early dialog is made of."""
        fields: Fields = {
            "Max-Forwards": [str(max_forwards)],
            "From": [f"{from_};tag={self.local_tag}"],
            "To": [str(to)],
            "Call-ID": [self.call_id],
            "CSeq": ["1 INVITE"],
            "Contact": [self.contact],
            "Allow": [ALLOW],
        }
        for name, value in extra:
            fields[name] = (*fields.get(name, ()), value)
        if body:
            fields["Content-Type"] = [SDP]
        invite = Request("INVITE", target, fields, body)
        ours = _SUPPORTED[options.reliable, self.session is not None]
        fields["Supported"] = (*fields.get("Supported", ()), ours)
        if self.session is not None:
            self.session.ask(invite)
        self._invite(invite)

    @property
    def _call_id_is_ours(self) -> bool:
        return True

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
        self.hop = self._client.hop  # what was too big for UDP has made a connection: the dialog goes on by that
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
            self._heard[response.to.tag] = response
            number = reliable_number(response)
            if number is None or self._acknowledge_provisional(response, number):
                self.owner.on_progress(response)

    def _acknowledge_provisional(self, response: Response, number: int) -> bool:
        """RFC 3262 4: PRACK what comes in order; False for what is not to be looked at."""
        assert self.request is not None
        branch = self._branch(response.to.tag)
        if branch is None:
            return False
        if not branch.take(number):
            return False
        rack = RAck(number, self.request.cseq.number, "INVITE")
        offered, branch.described = self.request.body != b"", branch.described or response.body != b""
        if offered or not response.body:
            self._prack(branch, rack, b"")
        else:
            self._owed = lambda body: self._prack(branch, rack, body)
        return True

    def _branch(self, tag: str) -> Branch | None:
        """The early dialog with that far end (12.1.2); None where there is none."""
        branch = self._branches.get(tag)
        if branch is None and tag in self._heard and self.request is not None:
            try:
                branch = Branch(Dialog.from_response(self.request, self._heard[tag]))
            except BadMessage:  # its Contact cannot be read: there is nowhere to send anything
                return None
            self._branches[tag] = branch
        return branch

    def _prack(self, branch: Branch, rack: RAck, body: bytes) -> None:
        request = branch.dialog.request("PRACK")
        request.fields["RAck"] = [str(rack)]
        if body:
            request.fields["Content-Type"] = [SDP]
            request.body = body
        self._start(request, lambda _: None, early=branch.dialog)

    def _dialog_of(self, request: Request) -> Dialog | None:
        if self.dialog is not None or request.call_id != self.call_id:
            return super()._dialog_of(request)
        branch = self._branch(request.from_.tag)
        return None if branch is None else branch.dialog

    def _offer_open(self, request: Request) -> bool:
        if self.dialog is not None:
            return super()._offer_open(request)
        return not self._branches[request.from_.tag].described  # RFC 3311 5.2: that of our INVITE

    def _on_failure(self, response: Response) -> None:
        again = None
        if not self._cancelled:
            assert self.request is not None
            if response.status in (401, 407):
                again = authorised(self.request, response, self.credentials, self._tries, self.core.new_id())
            elif response.status == 422:
                again = self._with_longer_session(self.request, response)
        if again is None:
            self._refused(487 if self._cancelled else response.status, response)
            return
        self._tries = 1 if response.status == 422 else self._tries + 1
        self._ringing = False
        self._branches.clear()
        self._heard.clear()
        self._invite(again)

    def _with_longer_session(self, invite: Request, response: Response) -> Request | None:
        """RFC 4028 7.3: the INVITE again, with the interval that the 422 asks for."""
        session = self.session
        if session is None or min_se(response) <= session.interval_s or session.raised >= _MOST_RAISES:
            return None
        again = further(invite)
        for name in _PROOFS:  # a nonce count is used once (RFC 7616 3.4)
            again.fields.pop(name, None)
        session.raised += 1
        session.interval_s = min_se(response)
        session.ask(again)
        again.fields["Min-SE"] = [str(session.interval_s)]
        return again

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
        branch = self._branches.get(response.to.tag)
        self._branches.clear()
        self._heard.clear()
        if branch is not None:  # its early dialog goes on
            self.dialog.local_seq, self.dialog.remote_seq = branch.dialog.local_seq, branch.dialog.remote_seq
        self.far_allows = response.fields.get("Allow", ())
        proof = self._proof(invite)
        acks = Acknowledger(self.core, self.dialog, self.hop, invite.cseq.number, nat=self.nat, proof=proof)
        self._client.on_response = acks.again
        offered = invite.body != b"" or (branch is not None and branch.described)
        self._acknowledge_or_owe(acks, offered=offered, response=response)
        if self._cancelled:  # the 200 crossed our CANCEL
            self.bye()
            self.owner.on_refused(487, None)
            return
        if self.session is not None:
            self.session.agreed(accepted_terms(response), "uac")
        if branch is not None and branch.described:
            response.body = b""  # 13.2.1: the first description was the answer, what follows is none
        self.owner.on_answer(response)

    def _proof(self, invite: Request) -> tuple[str, str] | None:
        """The authorization of our INVITE, which the ACK has too (22.1)."""
        if self.credentials is None:
            return None
        return next(((name, invite.fields[name][0]) for name in _PROOFS if name in invite.fields), None)
