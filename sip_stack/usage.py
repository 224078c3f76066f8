"""One INVITE usage (RFC 5057) once there is a dialog: what both directions share.

The owner is told by `InviteUser`; it speaks by the verbs.  No verb waits, so clean-up cannot be skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol

from sip_stack.core import ALLOW, Hop, Incoming, SipCore
from sip_stack.dialog import Dialog
from sip_stack.digest import Credentials, answer, challenge_of
from sip_stack.hop import WEBSOCKET, bare
from sip_stack.locating import default_port
from sip_stack.message import Request, Response
from sip_stack.transaction import OnResponse

__all__ = ["SDP", "InviteUser", "Usage", "next_hop", "send_ack"]

SDP = "application/sdp"
_ALLOW = [ALLOW]


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
        "_accepted", "_farewell", "_inviting", "_offered", "call_id", "contact", "core", "credentials", "dialog",
        "hop", "local_tag", "nat", "over", "owner",
    )  # fmt: skip

    owner: InviteUser

    def __init__(
        self, core: SipCore, hop: Hop, call_id: str, local_tag: str, credentials: Credentials | None = None, *,
        secure: bool = False,
    ) -> None:
        """`secure`: the Request-URI that begins it is a SIPS URI."""
        self.core = core
        self.contact = core.contact(hop, secure=secure)
        self.hop = hop
        self.call_id = call_id
        self.local_tag = local_tag
        self.credentials = credentials
        self.dialog: Dialog | None = None
        self.nat = False
        """The far end sits behind a NAT: requests go where its packets come from, whatever its Contact says."""
        self.over = False
        self._accepted: Incoming | None = None
        """Their INVITE that we accepted, until its ACK."""
        self._offered: Incoming | None = None
        """Their last re-INVITE."""
        self._inviting = False
        """Our re-INVITE waits for its final response."""
        self._farewell: Request | None = None
        core.add_usage(local_tag, self)

    # Verbs

    def bye(self, reason: str = "") -> None:
        """Leave an established dialog; `reason` is a Reason value (RFC 3326), for example `Q.850;cause=16`."""
        if self.over or self.dialog is None:
            return
        request = self.dialog.request("BYE")
        if reason:
            request.fields["Reason"] = [reason]
        self.over = True
        self._drop_offer()
        if self._accepted is None:
            self._leave(request)
        else:
            self._farewell = request  # 15: MUST NOT send a BYE before the ACK to our 2xx, or 64*T1

    def _leave(self, bye: Request) -> None:
        """Send the BYE; the dialog is known until it is answered, so that theirs may cross it."""
        self._farewell = None
        self._start(bye, self._left)

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
        assert self.dialog is not None
        request = self.dialog.request(method)
        for name, value in extra:
            request.fields[name] = [value]
        if method == "INVITE":
            request.fields["Contact"] = [self.contact]
            request.fields["Allow"] = _ALLOW
        if body:
            request.fields["Content-Type"] = [content_type]
            request.body = body
        self._start(request, on_response)

    def reinvite(self, body: bytes, on_response: OnResponse) -> None:
        """Offer new media; `on_response` gets the final response after its ACK left, None when nobody answered.

        491 means that theirs crossed ours (14.1): offer again a little later, 2.1 to 4 s where the Call-ID is ours.
        """
        self._inviting = True

        def react(response: Response | None) -> None:
            if response is not None and response.status < 200:
                return
            if response is not None and response.status < 300:
                dialog = self.dialog
                assert dialog is not None
                dialog.refresh(response)
                send_ack(self.core, dialog, self.hop_now, response.cseq.number)  # 13.2.2.4: also when it is repeated
            if self._inviting:
                self._inviting = False
                on_response(response)

        self.send("INVITE", react, body=body)

    def accept(self, incoming: Incoming, body: bytes) -> None:
        """200 to an INVITE or re-INVITE, repeated until its ACK comes (13.3.1.4); nothing where one was refused."""
        if not incoming.open:
            return
        assert self.dialog is not None
        self.dialog.refresh(incoming.request)  # 12.2.2: only what is accepted changes the dialog
        self._accepted = incoming
        incoming.accept([("Contact", self.contact), ("Allow", ALLOW), ("Content-Type", SDP)], body, self._confirmed)

    # What the core tells

    def matches(self, request: Request) -> bool:
        """12.2.2: Call-ID and the remote tag."""
        dialog = self.dialog
        return request.call_id == self.call_id and (dialog is None or request.from_.tag == dialog.remote.tag)

    def receive(self, incoming: Incoming) -> None:
        """A request inside the dialog.  Raises: PeerError for one out of order."""
        request = incoming.request
        if self.dialog is None:
            incoming.respond(481)
            return
        self.dialog.receive(request)
        if self.hop.transport in WEBSOCKET:
            self.hop = incoming.source  # it came back by another connection: there is no other way to it
        if request.method == "BYE":
            incoming.respond(200)
            if not self.over:
                self._receive_bye()
        elif self.over:
            incoming.respond(481)
        elif request.method == "OPTIONS":
            incoming.respond(200, extra=[("Allow", ALLOW), ("Accept", SDP)])
        elif request.method == "INVITE":
            self._receive_reinvite(incoming)
        else:
            self.owner.on_request(incoming)

    def _receive_reinvite(self, incoming: Incoming) -> None:
        if self._inviting:
            incoming.respond(491)  # 14.2: theirs crosses ours
        elif self._invited:
            incoming.respond(500, extra=[("Retry-After", "1")])  # 14.2: one at a time
        else:
            self._offered = incoming
            self.owner.on_request(incoming)

    @property
    def _invited(self) -> bool:
        """True while an INVITE of theirs waits for our final response."""
        return self._offered is not None and self._offered.open

    def receive_ack(self, ack: Request) -> None:
        """The ACK to our 2xx."""
        accepted = self._accepted
        if accepted is not None and accepted.request.cseq.number == ack.cseq.number:
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

    def receive_cancel(self) -> None:
        """A CANCEL for a re-INVITE of theirs: its answer is on its way."""

    # Inside

    def _receive_bye(self) -> None:
        self._end()
        self.owner.on_gone("bye")

    def _end(self) -> None:
        self.over = True
        self._drop_offer()
        if self._accepted is not None:
            self._accepted.confirmed()
        self._accepted = self._farewell = None
        self.core.drop_usage(self.local_tag)

    def _drop_offer(self) -> None:
        """15.1.2: what still waits for an answer when the dialog ends gets a 487."""
        offered, self._offered = self._offered, None
        if offered is not None and offered.open:
            offered.respond(487)

    @property
    def hop_now(self) -> Hop:
        """Where the dialog's next request goes."""
        assert self.dialog is not None
        return next_hop(self.dialog, self.hop, nat=self.nat)

    def _start(self, request: Request, on_response: OnResponse, *, tries: int = 1) -> None:
        def react(response: Response | None) -> None:
            if response is not None and response.status in (401, 407):
                again = self._authorised(request, response, tries)
                if again is not None:
                    self._start(again, on_response, tries=tries + 1)
                    return
            on_response(response)
            if self.over or (response is not None and response.status not in (408, 481)):
                return
            if response is None or response.status == 408:
                self.bye()  # 12.2.1.2: the far end may be there and not hear us
            else:
                self._end()
            self.owner.on_gone("lost")

        self.core.request(request, self.hop_now, react)

    def _authorised(self, request: Request, response: Response, tries: int) -> Request | None:
        """The same request with a proof, one CSeq further (22.2); None where we cannot prove anything (more).

        A second proof is given only for a nonce that was too old, which says nothing against the password (22.4).
        """
        found = challenge_of(response)
        if found is None or self.credentials is None:
            return None
        name, challenge = found
        if tries > 2 or (tries == 2 and not challenge.stale):
            return None
        number = request.cseq.number + 1
        fields = {k: v for k, v in request.fields.items() if k != "Via"}
        fields["CSeq"] = [f"{number} {request.method}"]
        fields[name] = [answer(challenge, self.credentials, request.method, request.uri_text, self.core.new_id())]
        if self.dialog is not None:
            self.dialog.local_seq = max(self.dialog.local_seq, number)
        return Request(request.method, request.uri_text, fields, request.body)


def next_hop(dialog: Dialog, hop: Hop, *, nat: bool) -> Hop:
    """Where the next request of a dialog goes that began through `hop`."""
    if nat and not dialog.route_set:
        return hop
    uri = dialog.next_hop
    host, port = bare(uri.host), uri.port or default_port(hop.transport)
    if (host == hop.host and port == hop.port) or not _is_address(host):
        return hop
    return hop._replace(host=host, port=port)


def send_ack(core: SipCore, dialog: Dialog, hop: Hop, seq: int, proof: tuple[str, str] | None = None) -> bytes:
    """Send the ACK to a 2xx: a new branch, through the route set (13.2.2.4); the bytes, to send again."""
    request = dialog.request("ACK", seq=seq)
    request.fields = {"Via": [core.new_via(hop, core.new_branch())], **request.fields}
    if proof is not None:
        request.fields[proof[0]] = [proof[1]]
    data = request.encode()
    core.send(data, hop, dialog.call_id)
    return data


@lru_cache(1024)
def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
