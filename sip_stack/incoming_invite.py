"""A far end that invited us, from its INVITE to the BYE."""

from __future__ import annotations

from collections.abc import Iterable

from sip_stack.core import ALLOW, Incoming, SipCore
from sip_stack.dialog import Dialog
from sip_stack.grammar import param
from sip_stack.hop import bare
from sip_stack.message import Request
from sip_stack.options import PLAIN, InviteOptions
from sip_stack.reliable import ReliableResponses
from sip_stack.session_timer import agree
from sip_stack.usage import SDP_LINE, Usage

__all__ = ["IncomingInvite"]


class IncomingInvite(Usage):
    """A far end that invited us."""

    __slots__ = ("_answer", "_provisionals", "incoming")

    def __init__(self, core: SipCore, incoming: Incoming, options: InviteOptions = PLAIN) -> None:
        """Raises: PeerError 422 for a session interval below ours."""
        request = incoming.request
        if options.session_s:
            agree(request, options)
        source, tag = incoming.source, incoming.tag
        dialog = Dialog.from_request(request, tag)
        super().__init__(core, source, request.call_id, tag, options=options, secure=request.uri.scheme == "sips")
        self.incoming = incoming
        self.dialog = dialog
        self.described = b""
        # RFC 5626 4.3: `ob` in a Contact asks that requests come by the flow of this one
        self.nat = bare(request.sent_by[0]) != source.host or param(dialog.remote_target.params, "ob") == ""
        self.far_allows = request.fields.get("Allow", ())
        self._offered = incoming
        self._answer: bytes | None = None
        """Our answer, while it may not leave yet."""
        self._provisionals: ReliableResponses | None = None
        if _wants_reliable(request, options):
            first = 1 + int(core.chance() * (2**31 - 2))
            self._provisionals = ReliableResponses(incoming, core, first, self._unheard)

    @property
    def request(self) -> Request:
        """Their INVITE, until its ACK came."""
        return self.incoming.request

    @property
    def reliable(self) -> bool:
        """What we say before the answer is acknowledged (RFC 3262)."""
        return self._provisionals is not None

    def trying(self) -> None:
        """100, unless something else leaves soon: we have it."""
        self.incoming.trying()

    def ring(self, body: bytes = b"") -> None:
        """180, or 183 with a body: early media; where they made no offer and PRACK is there, 180 with ours."""
        if self.over or not self.incoming.open:
            return
        lines = f"\r\nContact: {self.contact}\r\nAllow: {ALLOW}"
        provisionals = self._provisionals
        status = 183 if body and (self.incoming.request.body or provisionals is None) else 180
        if body:
            lines += SDP_LINE
        if provisionals is None:
            self.incoming.respond(status, "", lines, body)
        else:
            self.described = body or self.described
            provisionals.send(status, lines, body)

    def answer(self, body: bytes) -> None:
        """200 with our description; none where they have it already, acknowledged (RFC 6337 2.1)."""
        if self.over:
            return
        if self._provisionals is not None:
            if self._provisionals.holds_answer:
                self._answer = body
                return
            body = b"" if self._provisionals.described else body
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

    def receive_cancel(self, cancel: Request) -> None:
        """9.2: only an INVITE without a final response is cancelled."""
        if self.incoming.open:
            self.heard_reason = cancel.get("Reason") or ""
            self._end()
            self.owner.on_cancel()

    def _receive_prack(self, incoming: Incoming) -> None:
        """RFC 3262 3: 481 to one that matches nothing; its body answers our offer, or is an offer."""
        provisionals = self._provisionals
        if provisionals is None or not provisionals.matches(incoming.request):
            incoming.respond(481)
            return
        answers = provisionals.sent is not None and provisionals.sent.body != b"" and not self.request.body
        offers = incoming.request.body != b"" and not answers
        prack = incoming.request
        if not offers:
            incoming.respond(200)
        provisionals.acknowledged()
        if answers:
            self.owner.on_ack(prack)
        elif offers:
            self.owner.on_request(incoming)
        if self._answer is not None and not provisionals.holds_answer:
            answer, self._answer = self._answer, None
            self.answer(answer)

    def _unheard(self) -> None:
        """RFC 3262 3: no PRACK in 64*T1, the INVITE is refused."""
        self.refuse(504)
        self.owner.on_gone("no-prack")

    @property
    def _asked(self) -> bool:
        answered = self._provisionals is not None and self._provisionals.described
        return self._invited and not (answered and self._offered is self.incoming)

    @property
    def _answer_due(self) -> bool:
        return super()._answer_due and not (self._provisionals is not None and self._provisionals.described)

    def _over(self) -> None:
        super()._over()
        self._provisionals = None

    def _receive_bye(self) -> None:
        early = self.incoming.open
        self._end()
        if early:  # 15.1.2: a BYE in an early dialog ends the INVITE too
            self.owner.on_cancel()
        else:
            self.owner.on_gone("bye")


def _wants_reliable(request: Request, options: InviteOptions) -> bool:
    """RFC 3262 3: where it is required, and where both know it."""
    fields = request.fields
    if "Require" in fields and _has_100rel(request, "Require"):
        return True
    return options.reliable and "Supported" in fields and _has_100rel(request, "Supported")


def _has_100rel(request: Request, name: str) -> bool:
    return any(tag.lower() == "100rel" for tag in request.tokens(name))
