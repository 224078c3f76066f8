"""One INVITE usage (RFC 5057) once there is a dialog: what both directions share.

The owner is told by `InviteUser`; it speaks by the verbs.  No verb waits, so clean-up cannot be skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from sip_stack.again import authorised
from sip_stack.client_transaction import Client
from sip_stack.core import ALLOW, SUPPORTED, Hop, Incoming, SipCore
from sip_stack.dialog import Dialog
from sip_stack.digest import Credentials
from sip_stack.hop import WEBSOCKET
from sip_stack.message import Request, Response, header_lines
from sip_stack.onward import SDP, Acknowledger, next_hop
from sip_stack.options import PLAIN, InviteOptions
from sip_stack.refreshing import SessionKeeper
from sip_stack.server_transaction import InviteServer
from sip_stack.session_timer import Terms, accepted_terms, agree, headers_of_answer, headers_of_request
from sip_stack.transaction import OnResponse

__all__ = ["InviteUser", "Usage"]

_ABILITIES = header_lines([("Allow", ALLOW), ("Supported", SUPPORTED)])
SDP_LINE = header_lines([("Content-Type", SDP)])


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
        """The ACK to our 2xx, or the PRACK to a provisional, with its body where the offer was ours."""

    def on_gone(self, why: str) -> None:
        """The dialog is over by their doing: `bye`, `lost` (no such dialog there), `no-ack`, `no-prack`, `expired`."""

    def on_request(self, incoming: Incoming) -> None:
        """A request inside the dialog; it must be responded to: INFO, REFER, an offer by re-INVITE, UPDATE or PRACK."""


class Usage:
    """What both directions share once there is a dialog."""

    __slots__ = (
        "_accepted", "_farewell", "_offered", "_offering", "_owed", "call_id", "contact", "core", "credentials",
        "described", "dialog", "far_allows", "heard_reason", "hop", "local_tag", "nat", "options", "over", "owner",
        "session",
    )  # fmt: skip

    owner: InviteUser
    dialog: Dialog | None
    nat: bool
    """The far end sits behind a NAT: requests go where its packets come from, whatever its Contact says."""
    described: bytes
    """The description they have of us, to say again where a refresh needs one."""
    far_allows: Sequence[str]
    """Their Allow."""
    _offered: Incoming | None
    """Their last re-INVITE, or INVITE."""

    def __init__(
        self, core: SipCore, hop: Hop, call_id: str, local_tag: str, credentials: Credentials | None = None,
        options: InviteOptions = PLAIN, *, secure: bool = False,
    ) -> None:  # fmt: skip
        """`secure`: the Request-URI that begins it is a SIPS URI.  Each direction sets what is only named above."""
        self.core = core
        self.contact = core.contact(hop, secure=secure)
        self.hop = hop
        self.call_id = call_id
        self.local_tag = local_tag
        self.credentials = credentials
        self.over = False
        self._accepted: InviteServer | None = None
        """Their INVITE that we accepted, until its ACK."""
        self._offering = False
        """Our re-INVITE, or UPDATE with an offer, waits for its final response."""
        self._owed: Callable[[bytes], None] | None = None
        """Sends our answer to the offer in a response of theirs."""
        self.options = options
        self.heard_reason = ""
        """The Reason of their BYE or CANCEL (RFC 3326)."""
        self.session: SessionKeeper | None = None
        """Who keeps the session alive, where it has a timer."""
        self._farewell: str | None = None
        """The Reason of the BYE that waits for their ACK."""
        core.add_usage(local_tag, self)

    # Verbs

    def bye(self, reason: str = "") -> None:
        """Leave an established dialog; `reason` is a Reason value (RFC 3326), for example `Q.850;cause=16`."""
        if self.over or self.dialog is None:
            return
        if self._owed is not None:
            self.acknowledge(b"")  # 15: not before the ACK to their 2xx
        self._over()
        if self._accepted is None:
            self._leave(reason)
        else:
            self._farewell = reason  # 15: MUST NOT send a BYE before the ACK to our 2xx, or 64*T1

    def _leave(self, reason: str) -> None:
        """Send the BYE; the dialog is known until it is answered, so that theirs may cross it."""
        self._farewell = None
        self._start("BYE", self._left, f"\r\nReason: {reason}" if reason else "")

    def _left(self, response: Response | None) -> None:
        if response is None or response.status >= 200:
            self.core.drop_usage(self.local_tag)

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
        headers = dict(extra)
        if method in ("INVITE", "UPDATE"):  # what refreshes the target, and the session
            headers |= {"Contact": self.contact, "Allow": ALLOW}
            if self.options.session_s:
                interval_s = self.session.interval_s if self.session else self.options.session_s
                headers["Supported"] = "timer"
                headers |= headers_of_request(interval_s, self.options.min_se_s, "uac")  # 7.4: who refreshed does it on
        if body:
            headers["Content-Type"] = content_type

        def react(response: Response | None) -> None:
            on_response(response)
            self._end_if_lost(response)

        self._start(method, react, header_lines(headers.items()), body)

    def reinvite(self, body: bytes, on_response: OnResponse) -> None:
        """Offer new media; `on_response` gets the final response after its ACK left, None when nobody answered.

        Without a body they offer in their 2xx, and the ACK leaves with our answer, by `acknowledge`.
        491 means that theirs crossed ours (14.1): offer again after `glare_wait_s`.
        """
        self._offering = True
        acks: Acknowledger | None = None

        def react(response: Response | None) -> None:
            nonlocal acks
            if response is not None and response.status < 200:
                return
            if acks is not None:
                acks.again(response)  # 13.2.2.4: each 2xx, also when it is repeated
                return
            if response is not None and response.status < 300:
                dialog = self.dialog
                assert dialog is not None
                dialog.refresh(response)
                acks = Acknowledger(self.core, dialog, self.hop, response.cseq.number, self.nat)
                self._acknowledge_or_owe(acks, offered=body != b"", response=response)
            self._offer_over(body, response, on_response)

        self.send("INVITE", react, body=body)

    def update(self, body: bytes, on_response: OnResponse) -> None:
        """Refresh the session by UPDATE (RFC 3311), with an offer or without; as `reinvite` otherwise."""
        self._offering = body != b""

        def react(response: Response | None) -> None:
            if response is not None and response.status < 200:
                return
            if response is not None and response.status < 300:
                assert self.dialog is not None
                self.dialog.refresh(response)
            self._offer_over(body, response, on_response)

        self.send("UPDATE", react, body=body)

    def _offer_over(self, body: bytes, response: Response | None, on_response: OnResponse) -> None:
        self._offering = False
        if response is not None and response.status < 300:
            self.described = body or self.described
            if not self.over:
                self._agreed(accepted_terms(response), "uac")
        on_response(response)

    def acknowledge(self, body: bytes) -> None:
        """Answer the offer of their 2xx or reliable provisional: by ACK, or PRACK; nothing where none waits for it."""
        owed, self._owed = self._owed, None
        if owed is not None:
            self.described = body or self.described
            owed(body)

    def _acknowledge_or_owe(self, acks: Acknowledger, *, offered: bool, response: Response) -> None:
        if offered or not response.body:
            acks.send()
        else:
            self._owed = acks.send

    @property
    def glare_wait_s(self) -> float:
        """14.1: how long to wait after a 491, in steps of 10 ms; longer where the Call-ID is ours."""
        step = int(self.core.chance() * 200)
        return 2.1 + step * 0.0095 if self._call_id_is_ours else step * 0.01

    @property
    def _call_id_is_ours(self) -> bool:
        return False

    def accept(self, incoming: Incoming, body: bytes = b"") -> None:
        """200 with our description to an INVITE, UPDATE or PRACK; nothing where one was refused.

        To an INVITE it is repeated until its ACK comes (13.3.1.4).
        """
        if not incoming.open:
            return
        request = incoming.request
        lines = f"\r\nContact: {self.contact}{_ABILITIES}"
        if request.method != "PRACK":
            # the INVITE that began the dialog has made it already
            if request.to.tag and (dialog := self._dialog_of(request)) is not None:
                dialog.refresh(request)  # 12.2.2: only what is accepted changes the dialog
            if self.options.session_s:
                terms = agree(request, self.options)
                if terms is not None:
                    lines += header_lines(headers_of_answer(terms))
                self._agreed(terms, "uas")
        if body:
            self.described = body
            lines += SDP_LINE
        if isinstance(incoming, InviteServer):
            self._accepted = incoming
            incoming.accept(lines, body, self._confirmed)
        else:
            incoming.respond(200, "", lines, body)

    # What the core tells

    def receive(self, incoming: Incoming) -> None:
        """A request inside the dialog.  Raises: PeerError for one out of order."""
        request = incoming.request
        dialog = self._dialog_of(request)
        if dialog is None:
            incoming.respond(481)
            return
        dialog.receive(request)
        if self.hop.transport in WEBSOCKET:
            self.hop = incoming.source  # it came back by another connection: there is no other way to it
        if request.method == "BYE":
            incoming.respond(200)
            if not self.over:
                if "Reason" in request.fields:
                    self.heard_reason = request.fields["Reason"][0]
                self._receive_bye()
        elif self.over:
            incoming.respond(481)
        elif request.method == "OPTIONS":
            incoming.respond(200, extra=[("Allow", ALLOW), ("Accept", SDP), ("Supported", SUPPORTED)])
        elif request.method == "INVITE":
            self._receive_reinvite(incoming)
        elif request.method == "UPDATE":
            self._receive_update(incoming)
        elif request.method == "PRACK":
            self._receive_prack(incoming)
        else:
            self.owner.on_request(incoming)

    def _dialog_of(self, request: Request) -> Dialog | None:
        """The one that a request with our tag belongs to: Call-ID and the remote tag say it too (12.2.2)."""
        dialog = self.dialog
        if dialog is None or request.call_id != self.call_id or request.from_.tag != dialog.remote_tag:
            return None
        return dialog

    def _receive_reinvite(self, incoming: Incoming) -> None:
        if self._offer_open(incoming.request):
            incoming.respond(491)  # 14.2: theirs crosses ours
        elif self._invited:
            incoming.respond(500, extra=[("Retry-After", "1")])  # 14.2: one at a time
        else:
            agree(incoming.request, self.options)  # 422 before anybody is asked
            self._confirmed_by_more()
            self._offered = incoming
            self.owner.on_request(incoming)

    def _receive_update(self, incoming: Incoming) -> None:
        """RFC 3311 5.2; without an offer it refreshes target and session, whatever else goes on."""
        agree(incoming.request, self.options)
        if not incoming.request.body:
            self.accept(incoming)
        elif self._offer_open(incoming.request):
            incoming.respond(491)
        elif self._asked:
            wait = 1 + int(self.core.chance() * 10)  # a value from 0 to 10 seconds
            incoming.respond(500, extra=[("Retry-After", str(min(wait, 10)))])
        else:
            self._offered = incoming
            self.owner.on_request(incoming)

    def _receive_prack(self, incoming: Incoming) -> None:
        incoming.respond(481)  # RFC 3262 3: it matches no provisional

    @property
    def _invited(self) -> bool:
        """True while an INVITE of theirs waits for our final response."""
        return self._offered is not None and self._offered.open

    @property
    def _asked(self) -> bool:
        """True while an offer of theirs waits for our answer."""
        return self._invited

    @property
    def far_updates(self) -> bool:
        """They know UPDATE."""
        return any("UPDATE" in value for value in self.far_allows)

    def _offer_open(self, request: Request) -> bool:
        """True while an offer of ours waits for an answer in the dialog of `request`."""
        return self._offering or self._answer_due

    @property
    def negotiating(self) -> bool:
        """True while an offer of either side waits for its answer."""
        return self._offering or self._asked or self._answer_due

    @property
    def _answer_due(self) -> bool:
        """True while their ACK is to bring the answer to an offer of ours."""
        accepted = self._accepted
        return accepted is not None and not accepted.request.body

    def _confirmed_by_more(self) -> None:
        """A re-INVITE before the ACK to our 2xx: that one has arrived, its ACK was lost (RFC 5407 3.1.4)."""
        accepted, self._accepted = self._accepted, None
        if accepted is not None:
            accepted.confirmed()

    def receive_ack(self, ack: Request) -> None:
        """The ACK to our 2xx."""
        accepted = self._accepted
        if accepted is not None and accepted.request.cseq.number == ack.cseq.number and self._dialog_of(ack):
            self._confirmed(ack)

    def _confirmed(self, ack: Request | None) -> None:
        """The ACK to our 2xx came, or 64*T1 have passed without one."""
        assert self._accepted is not None
        self._accepted.confirmed()
        self._accepted = self._offered = None
        if self._farewell is not None:
            self._leave(self._farewell)
        elif ack is not None:
            self.owner.on_ack(ack)
        else:
            self.bye()  # 13.3.1.4: no ACK after 64*T1
            self.owner.on_gone("no-ack")

    def receive_cancel(self, cancel: Request) -> None:
        """A CANCEL for a re-INVITE of theirs: its answer is on its way."""

    # Inside

    def _receive_bye(self) -> None:
        self._end()
        self.owner.on_gone("bye")

    def _agreed(self, terms: Terms | None, role: str) -> None:
        """Terms of a session timer, or none; `role` is ours in what was agreed."""
        if terms is not None and self.session is None and self.options.session_s:
            self.session = SessionKeeper(self)
        if self.session is not None:
            self.session.agreed(terms, role)

    def _over(self) -> None:
        self.over = True
        self._owed = None
        if self.session is not None:
            self.session.stop()
            self.session = None  # it holds us: a circle that only the collector would end
        offered, self._offered = self._offered, None
        if offered is not None and offered.open:
            offered.respond(487)  # 15.1.2: what still waits for an answer when the dialog ends

    def _end(self) -> None:
        self._over()
        if self._accepted is not None:
            self._accepted.confirmed()
        self._accepted = self._farewell = None
        self.core.drop_usage(self.local_tag)

    @property
    def hop_now(self) -> Hop:
        """Where the dialog's next request goes."""
        assert self.dialog is not None
        return next_hop(self.dialog, self.hop, nat=self.nat)

    def _start(
        self, method: str, on_response: OnResponse, more: str = "", body: bytes = b"", early: Dialog | None = None
    ) -> None:
        """Ask in the dialog, or in an `early` one; `more` as for `Dialog.request`."""
        dialog = early or self.dialog
        assert dialog is not None
        hop = next_hop(dialog, self.hop, nat=self.nat)
        client = self.core.ask(dialog, hop, method, on_response, more, body)
        if self.credentials is not None:
            self._prove(dialog, client, on_response)

    def _prove(self, dialog: Dialog, client: Client, on_response: OnResponse, tries: int = 1) -> None:
        """Answer a challenge to what `client` asks, before `on_response` is told of it."""
        sent = client.sent

        def react(response: Response | None) -> None:
            if response is not None and response.status in (401, 407):
                proved = authorised(sent, response, self.credentials, tries, self.core.new_id())
                if proved is not None:
                    dialog.local_seq = max(dialog.local_seq, proved.cseq.number)
                    hop = next_hop(dialog, self.hop, nat=self.nat)
                    self._prove(dialog, self.core.request(proved, hop, on_response), on_response, tries + 1)
                    return
            on_response(response)

        client.on_response = react

    def _end_if_lost(self, response: Response | None) -> None:
        if self.over or (response is not None and response.status not in (408, 481)):
            return
        if response is None or response.status == 408:
            self.bye()  # 12.2.1.2: the far end may be there and not hear us
        else:
            self._end()
        self.owner.on_gone("lost")
