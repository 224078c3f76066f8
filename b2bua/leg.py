"""A leg: one far end that rings, answers, is heard, presses keys and leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from b2bua.audio import Audio
from b2bua.in_dialog import respond
from b2bua.interrupt import Interrupt
from b2bua.leg_sound import LegSound
from b2bua.outcome import LegGone
from b2bua.redirect import targets_of
from b2bua.server_invite import ServerInvite
from media.g711 import Codec
from sip_stack.core import Hop, Incoming
from sip_stack.digest import Credentials
from sip_stack.errors import PeerError
from sip_stack.grammar import quote
from sip_stack.headers import NameAddr
from sip_stack.incoming_invite import IncomingInvite
from sip_stack.message import Request, Response
from sip_stack.options import PLAIN, InviteOptions
from sip_stack.outgoing_invite import OutgoingInvite
from sip_stack.uri import Uri
from store.values import Extension, Rate

if TYPE_CHECKING:
    from b2bua.call import Call

__all__ = ["ELSEWHERE", "Leg", "Watcher"]

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
NORMAL = "Q.850;cause=16"
_LONGEST_REASON = 200
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


class Watcher(Protocol):
    """Who waits for an outgoing leg to be answered."""

    def progressed(self, leg: Leg, body: bytes) -> None:
        """It rings; with a body, it can already be heard."""

    def answered(self, leg: Leg) -> bool:
        """It answered and its media is agreed; False: nobody waits for it any more."""

    def refused(self, leg: Leg, status: int) -> None:
        """It will not answer."""


class Leg(LegSound):
    """One far end of a call.  `lane` is its side of the ladder: 0 the extension's, 2 the PSTN's.

    Slots for what every leg has; the rest is the class's until it is another, since most legs never need it.
    """

    __slots__ = (
        "__weakref__", "_watcher", "answered_at", "description", "direction", "from_", "invited_at", "left", "party",
        "scopes", "status", "to", "usage",
    )  # fmt: skip

    extension: Extension | None = None
    """Whose phone it is; None for everybody else: a trunk's far end."""
    private = False
    """It called and does not want to be shown (RFC 3323)."""
    moved_to: tuple[Uri, ...] = ()
    """Where it is instead, by its 3xx."""
    seen_ip = ""
    """Its own address, where a proxy that we trust is between."""
    let_go = False
    """It hands its place over (b2bua.transfer): that it leaves ends nothing."""
    referrals = 0
    """How many REFERs it has sent."""
    buy_rate: Rate | None = None
    """What it costs us; None: that is not known."""
    rang = False
    """It rings, or could be heard already."""
    asked_to_offer = False
    """The next ACK brings the answer to an offer of ours."""
    _early = _NOTHING
    """What each far end behind a forking proxy says before it answers, by its To tag."""
    _heard_tag = ""

    def __init__(self, call: Call, lane: int, party: str, direction: str) -> None:
        self.call = call
        self.lane = lane
        self.party = party
        self.direction = direction
        self.audio: Audio | None = None
        self.usage: OutgoingInvite | IncomingInvite | None = None
        self.partner: Leg | None = None
        self.from_ = self.to = ""
        self.invited_at = call.now()
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.status = 0
        self.left: str = ""
        """Why the far end left; empty while it is there or when we hung up."""
        self._watcher: Watcher | None = None
        self.scopes: list[Interrupt] = []
        """What of flows counts on it."""
        self.description = b""
        """Theirs as it came, to hand through when the media does not pass by us; ours where it does."""

    # Being rung

    def invite(
        self,
        watcher: Watcher,
        *,
        target: Uri,
        hop: Hop,
        shown: NameAddr,
        to: NameAddr,
        codecs: Sequence[Codec],
        beside: Leg | None = None,
        credentials: Credentials | None = None,
        nat: bool = False,
        extra: Sequence[tuple[str, str]] = (),
        silent_s: float | None = None,
        options: InviteOptions = PLAIN,
    ) -> None:
        """Ring it; `beside` is the leg it will be joined with: its codec is offered first, or its whole offer.

        `silent_s` is how long it may take until anything is heard of it, where that is less than timer B.
        """
        call = self.call
        self._watcher = watcher
        self.from_, self.to = shown.uri.user, to.uri.user
        if call.direct and beside:
            offer = beside.description
        else:
            self._open_audio(codecs, hop)
            offer = self._audio.offer(beside.audio.codec if beside and beside.audio else None)
        wire = call.new_wire(self)
        self.usage = invite = ServerInvite(  # by position: to call a class by a dozen names takes thrice as long
            call.exchange.core, self, target, hop, shown, to, offer, extra, credentials, nat, call.max_forwards, wire,
            options,
        )  # fmt: skip
        if silent_s is not None:
            invite.heard_within(silent_s)

    def passed_over(self, status: int, why: str, to: str) -> None:
        """It is not called at all: the record says why."""
        self.status, self.left, self.to = status, why, to
        self._end()

    def on_progress(self, response: Response) -> None:
        self.rang = True
        if self.audio and response.body and not self._hears_early(response):
            return  # a description we cannot use: it rings without being heard
        if self._watcher:
            self._watcher.progressed(self, response.body)

    def _hears_early(self, response: Response) -> bool:
        """Of several far ends that can be heard before one answers, the one that came last is."""
        tag = response.to.tag
        if tag in self._early:
            return True
        try:
            self._audio.take_answer(response.body, self.signals_from)
        except PeerError:
            return False
        self._early, self._heard_tag = {**self._early, tag: response.body}, tag
        return True

    def on_answer(self, response: Response) -> None:
        self.status, self.description = response.status, response.body
        if self.audio is not None:
            try:
                self._hears_answer(self.audio, response)
            except PeerError as error:  # nobody can talk: for us, and for the bill, it has not answered
                self.hangup(cause=f"SIP;cause=488;text={quote(error.reason[:60])}")
                if self._watcher:
                    self._watcher.refused(self, 488)
                return
        if self._watcher and not self._watcher.answered(self):
            self.hangup(cause=ELSEWHERE)
            return
        self.answered_at = self.call.now()

    def _hears_answer(self, audio: Audio, response: Response) -> None:
        """Its description is in the 2xx, or came before it.  Raises: PeerError."""
        tag = response.to.tag
        body = response.body or self._early.get(tag, b"")
        if response.body or tag != self._heard_tag:
            audio.take_answer(body, self.signals_from)

    def hears_offer(self, tag: str) -> None:
        """An offer of this far end was taken while it rings: it is the one to be heard, and has described itself."""
        self._early = {tag: b"", **self._early}
        self._heard_tag = tag

    def answered_by(self, other: Leg) -> None:
        """Another phone has answered in its place."""
        if self._watcher is None or not self._watcher.answered(other):
            other.hangup()

    def on_refused(self, status: int, response: Response | None) -> None:
        self.status = status
        if response is not None:
            self.moved_to = targets_of(response)
        self._end()
        if self._watcher:
            self._watcher.refused(self, status)

    # Ringing us

    def invited(self, invite: IncomingInvite, codecs: Sequence[Codec], *, passed: bool = False) -> None:
        """It rang us.  Raises: PeerError for an offer that cannot be answered."""
        request = invite.request
        self.usage = invite
        invite.owner = self
        self.from_, self.to = request.from_.uri.user, request.uri.user
        if passed:
            self.description = request.body
            return
        self._open_audio(codecs, invite.hop, request.body)
        if request.body:
            self.description = self._audio.take_offer(request.body, self.signals_from)
        else:
            self.asked_to_offer = True  # 13.2.1: no offer in the INVITE, so ours goes in the 200
            self.description = self._audio.offer()

    def ring(self) -> None:
        """Ring back to who rang us."""
        assert isinstance(self.usage, IncomingInvite)
        self.usage.ring()

    def hear_ringing(self, other: Leg, body: bytes) -> None:
        """The other side rings: we ring, or let it be heard already, or play the tone where this leg is up."""
        if self.answered_at is not None:
            self._hear_over_media(other, body)
        elif isinstance(self.usage, IncomingInvite):
            if self.audio is None:
                self.usage.ring(b"" if self.usage.reliable else body)  # said reliably, it could not be another later
            elif self.asked_to_offer:
                self.usage.ring(self.description if self.usage.reliable else b"")  # RFC 3262 5: our offer
            elif body and other.audio and other.audio.peer:
                self.usage.ring(self.description)
                self.call.join(self, other)
            else:
                self.usage.ring()

    def answer(self, body: bytes = b"") -> None:
        """Answer its INVITE, with our description or the one handed through."""
        assert isinstance(self.usage, IncomingInvite)
        if self.ended_at is not None:
            return
        self.status, self.answered_at = 200, self.call.now()
        self.usage.answer(body or self.description)

    def on_ack(self, request: Request) -> None:
        if self.audio is None and self.partner and self.partner.usage:
            self.partner.usage.acknowledge(request.body)  # what they offered is answered
        if self.asked_to_offer and self.audio and request.body:
            self.asked_to_offer = False
            try:
                self.audio.take_answer(request.body, self.signals_from)
            except PeerError:
                self.lose("no-codec", "SIP;cause=488")

    def on_cancel(self) -> None:
        self.status = 487
        self.on_gone("cancelled")

    # Leaving

    def part(self) -> None:
        """Forget whom it is joined with."""
        if self.partner is not None:
            self.partner.partner = None
            self.partner = None

    def alive(self) -> Interrupt:
        """While inside, the far end leaving raises LegGone at whatever is awaited."""
        return Interrupt(self)

    def hangup(
        self, status: int = 480, cause: str = "", reason: str = "", extra: Sequence[tuple[str, str]] = ()
    ) -> None:
        """BYE, CANCEL or `status`, whichever fits; never waits, may be repeated.

        `cause` is the Reason (RFC 3326), `extra` are header fields of a refusal.
        """
        if self.ended_at is not None and self.answered_at is not None:
            return  # they have heard, or said, the last word
        usage = self.usage
        if isinstance(usage, OutgoingInvite):
            usage.cancel(cause)
        elif usage is not None and self.answered_at is None and not usage.over:
            self.status = status
            usage.refuse(status, reason, extra=[("Reason", cause or NORMAL), *extra])  # RFC 6432 2
        if usage is not None:
            usage.bye(cause or NORMAL)
        self._end()

    @property
    def early_tags(self) -> Iterable[str]:
        """The far ends that ring, by their tags, while none has answered."""
        return self.usage.early_tags if isinstance(self.usage, OutgoingInvite) else ()

    @property
    def heard_reason(self) -> str:
        """Why the far end says it left (RFC 3326); what another far end can be told."""
        reason = self.usage.heard_reason if self.usage else ""
        return reason if reason.isprintable() and len(reason) <= _LONGEST_REASON else ""

    def on_gone(self, why: str) -> None:
        if self.left or self.ended_at is not None:
            return
        self.left = why
        self._end()
        self.expire()

    def expire(self) -> None:
        """Whoever counts on it learns that it is gone."""
        if not self.let_go:
            for scope in self.scopes:
                scope.fire(LegGone(self, self.left))

    def _end(self) -> None:
        if self.ended_at is not None:
            return
        self.ended_at = self.call.now()
        if self.audio is not None:
            self.audio.port.close()
            for waiter in (self._key, self._played):
                if waiter and not waiter.done():
                    waiter.set_result(None)
        if self.partner is not None:
            self.part()

    def joined(self) -> None:
        """It talks: what only led there is let go, since a talk may be long."""
        self._watcher, self.description = None, b""
        usage = self.usage
        if usage is not None and usage.session is None:
            usage.described = b""  # only a refresh of the session says it again
        if self.audio is not None and self._early:
            self._early = _NOTHING

    def forget(self) -> None:
        """The call is over for long."""
        self.usage = self._watcher = None

    @property
    def talk_s(self) -> float:
        """How long it was up, in seconds; 0 where it never answered."""
        if self.answered_at is None:
            return 0.0
        return max(0.0, (self.ended_at or self.call.now()) - self.answered_at)

    def on_request(self, incoming: Incoming) -> None:
        respond(self, incoming)

    def _hear_over_media(self, other: Leg, body: bytes) -> None:
        if body and other.audio and other.audio.peer:
            self.call.join(self, other)
        elif self.partner is None:
            self._audio.port.tone("ringback")

    def lose(self, why: str, cause: str) -> None:
        """It is there by SIP and of no use: hang up, and for the flow it has left."""
        if self.ended_at is not None:
            return
        self.hangup(cause=cause)
        self.left = why
        self.expire()

    @property
    def signals_from(self) -> str:
        """The IP address of the far end by its signalling: sound is learnt from there alone (see media.latch)."""
        assert self.usage is not None
        return self.seen_ip or self.usage.hop.host
