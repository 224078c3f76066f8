"""A far end that we invite, from the INVITE to the BYE."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from sip_stack.again import authorised, further, read_back
from sip_stack.client_transaction import Client, InviteClient
from sip_stack.core import ALLOW, Hop, SipCore
from sip_stack.dialog import Dialog
from sip_stack.digest import Credentials
from sip_stack.errors import BadMessage
from sip_stack.headers import NameAddr, written
from sip_stack.message import Fields, Request, Response, header_lines
from sip_stack.onward import Acknowledger
from sip_stack.options import PLAIN, InviteOptions
from sip_stack.refreshing import SessionKeeper
from sip_stack.reliable import Branch, RAck, reliable_number
from sip_stack.session_timer import accepted_terms, headers_of_request, min_se
from sip_stack.uri import Uri
from sip_stack.usage import SDP_LINE, InviteUser, Usage

__all__ = ["OutgoingInvite"]

_CANCEL_FIELDS = ("Via", "Max-Forwards", "From", "To", "Call-ID", "Route")  # 9.1
_PROOFS = ("Authorization", "Proxy-Authorization")
_MOST_RAISES = 3


@lru_cache(256)
def _wishes(reliable: bool, session_s: int, min_se_s: int) -> str:
    """What our INVITE says of acknowledged provisionals and session timers (see InviteOptions): header lines."""
    known = ["100rel"] * reliable + ["timer"] * (session_s > 0) + ["replaces", "norefersub"]
    asked = headers_of_request(session_s, min_se_s) if session_s else []
    return header_lines([("Supported", ", ".join(known)), *asked])


class OutgoingInvite(Usage):
    """A far end we invite."""

    __slots__ = (
        "_client", "_early", "_given_up", "_local", "_offerless", "_ringing", "_sent", "_seq", "_target", "_tries",
    )  # fmt: skip

    _client: Client
    """The transaction of our INVITE, until it is answered."""
    _sent: bytes
    """Our INVITE as it left, but for a Via by another transport, as long."""

    def __init__(
        self,
        core: SipCore,
        owner: InviteUser,
        target: Uri,
        hop: Hop,
        from_: NameAddr,
        to: NameAddr,
        body: bytes,
        extra: Iterable[tuple[str, str]] = (),
        credentials: Credentials | None = None,
        nat: bool = False,
        max_forwards: int = 70,
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
        self.owner = owner
        self.dialog = None
        self.nat = nat
        self.described = body
        self.far_allows = ()
        self._offered = None
        self._offerless = not body
        self._target = target
        self._local = local = written(from_)
        self._seq = 1
        self._tries = 1
        self._given_up: str | None = None
        """The Reason of our CANCEL, empty without one."""
        self._ringing = False
        self._early: dict[str, Response | Branch] = {}
        """Each far end that is heard before one answers, by its tag: its last provisional, or its early dialog."""
        branch = core.new_branch()
        self._sent = invite = (
            f"INVITE {written(target)} SIP/2.0\r\nVia: {core.new_via(hop, branch)}\r\nMax-Forwards: {max_forwards}\r\n"
            f"From: {local};tag={self.local_tag}\r\nTo: {written(to)}\r\nCall-ID: {self.call_id}\r\nCSeq: 1 INVITE\r\n"
            f"Contact: {self.contact}\r\nAllow: {ALLOW}{header_lines(extra) if extra else ''}"
            f"{SDP_LINE if body else ''}{_wishes(options.reliable, options.session_s, options.min_se_s)}"
            f"{core.asking_line}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode("utf-8", "surrogateescape") + body
        self._client = core.transact("INVITE", branch, invite, self.call_id, hop, self._on_response)

    @property
    def _call_id_is_ours(self) -> bool:
        return True

    @property
    def early_tags(self) -> Iterable[str]:
        """The far ends that are heard, before one answers."""
        return self._early

    def cancel(self, reason: str = "") -> None:
        """Give the INVITE up: at once where it already rings, else with the first response (9.1)."""
        if self._given_up is not None or self.dialog is not None or self.over:
            return
        self._given_up = reason
        if self._ringing:
            self._send_cancel()

    def _send_cancel(self) -> None:
        client = self._client
        assert isinstance(client, InviteClient)
        invite = read_back(client.sent)
        fields: Fields = {name: invite.fields[name] for name in _CANCEL_FIELDS if name in invite.fields}
        fields["CSeq"] = [f"{self._seq} CANCEL"]
        if self._given_up:
            fields["Reason"] = [self._given_up]
        self.core.request(Request("CANCEL", invite.uri_text, fields), client.hop, lambda _: None)  # 9.1: as it
        client.cancelled()

    def _on_response(self, response: Response | None) -> None:
        self.hop = self._client.hop  # what was too big for UDP has made a connection: the dialog goes on by that
        if response is None:
            self._refused(408 if self._given_up is None else 487, None)
        elif response.status < 200:
            self._on_provisional(response)
        elif response.status < 300:
            self._on_2xx(response)
        else:
            self._on_failure(response)

    def _on_provisional(self, response: Response) -> None:
        first, self._ringing = not self._ringing, True
        if self._given_up is not None:
            if first:
                self._send_cancel()
        elif response.status > 100:
            early, tag = self._early, response.to.tag
            if not isinstance(early.get(tag), Branch):
                early[tag] = response
            number = reliable_number(response)
            if number is None or self._acknowledge_provisional(response, number):
                self.owner.on_progress(response)

    def _acknowledge_provisional(self, response: Response, number: int) -> bool:
        """RFC 3262 4: PRACK what comes in order; False for what is not to be looked at."""
        branch = self._branch(response.to.tag)
        if branch is None:
            return False
        if not branch.take(number):
            return False
        rack = RAck(number, self._seq, "INVITE")
        branch.described = branch.described or response.body != b""
        if not self._offerless or not response.body:
            self._prack(branch, rack, b"")
        else:
            self._owed = lambda body: self._prack(branch, rack, body)
        return True

    def _branch(self, tag: str) -> Branch | None:
        """The early dialog with that far end (12.1.2); None where there is none."""
        early = self._early.get(tag)
        if isinstance(early, Response):
            try:
                early = Branch(self._dialog_with(early))
            except BadMessage:  # its Contact cannot be read: there is nowhere to send anything
                return None
            self._early[tag] = early
        return early

    def _dialog_with(self, response: Response) -> Dialog:
        """Raises: BadMessage where its Contact or Record-Route cannot be read."""
        return Dialog.from_response(self.call_id, self._local, self.local_tag, self._seq, self._target, response)

    def _prack(self, branch: Branch, rack: RAck, body: bytes) -> None:
        more = f"\r\nRAck: {rack}{SDP_LINE if body else ''}"
        self._start("PRACK", lambda _: None, more, body, branch.dialog)

    def _dialog_of(self, request: Request) -> Dialog | None:
        if self.dialog is not None or request.call_id != self.call_id:
            return super()._dialog_of(request)
        branch = self._branch(request.from_.tag)
        return None if branch is None else branch.dialog

    def _offer_open(self, request: Request) -> bool:
        if self.dialog is not None:
            return super()._offer_open(request)
        branch = self._early[request.from_.tag]
        assert isinstance(branch, Branch)
        return not branch.described  # RFC 3311 5.2: that of our INVITE

    def _on_failure(self, response: Response) -> None:
        again = None
        if self._given_up is not None:
            self._refused(487, response)
            return
        if response.status in (401, 407):
            again = authorised(self._sent, response, self.credentials, self._tries, self.core.new_id())
        elif response.status == 422:
            again = self._with_longer_session(response)
        if again is None:
            self._refused(response.status, response)
            return
        self._tries = 1 if response.status == 422 else self._tries + 1
        self._seq = again.cseq.number
        self._ringing = False
        self._early.clear()
        self._client = client = self.core.request(again, self.hop, self._on_response)
        self._sent = client.sent

    def _with_longer_session(self, response: Response) -> Request | None:
        """RFC 4028 7.3: the INVITE again, with the interval that the 422 asks for."""
        if not self.options.session_s:
            return None
        self.session = session = self.session or SessionKeeper(self)
        if min_se(response) <= session.interval_s or session.raised >= _MOST_RAISES:
            return None
        again = further(self._sent)
        for name in _PROOFS:  # a nonce count is used once (RFC 7616 3.4)
            again.fields.pop(name, None)
        session.raised += 1
        session.interval_s = min_se(response)
        again.fields["Session-Expires"] = again.fields["Min-SE"] = [str(session.interval_s)]
        return again

    def _refused(self, status: int, response: Response | None) -> None:
        self._end()
        self.owner.on_refused(status, response)

    def _on_2xx(self, response: Response) -> None:
        if self.over:
            return
        try:
            self.dialog = dialog = self._dialog_with(response)
        except BadMessage:  # its Contact cannot be read: there is nowhere to send an ACK
            self._refused(502, response)
            return
        early = self._early.get(response.to.tag)
        answered = False
        if isinstance(early, Branch):  # its early dialog goes on
            dialog.local_seq, dialog.remote_seq = early.dialog.local_seq, early.dialog.remote_seq
            answered = early.described
        self.far_allows = response.fields.get("Allow", ())
        acks = Acknowledger(self.core, dialog, self.hop, self._seq, self.nat, self._proof())
        self._client.on_response = acks.again
        del self._client, self._early, self._sent  # a call may be long
        self._acknowledge_or_owe(acks, offered=answered or not self._offerless, response=response)
        if self._given_up is not None:  # the 200 crossed our CANCEL
            self.bye()
            self.owner.on_refused(487, None)
            return
        if "Session-Expires" in response.fields:
            self._agreed(accepted_terms(response), "uac")
        if answered:
            response.body = b""  # 13.2.1: the first description was the answer, what follows is none
        self.owner.on_answer(response)

    def _proof(self) -> str:
        """The line of our INVITE's authorization, which the ACK has too (22.1)."""
        if self.credentials is None:
            return ""
        fields = read_back(self._sent).fields
        return header_lines([(name, fields[name][0]) for name in _PROOFS if name in fields][:1])
