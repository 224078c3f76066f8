"""REFER: whom to call, in which dialog's place, and the subscription that tells how it goes (RFC 3515, 3891, 4488)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from sip_stack.errors import BadMessage, PeerError
from sip_stack.grammar import param, parse_params
from sip_stack.message import REASONS, Request, Response, header_lines
from sip_stack.uri import Uri
from sip_stack.usage import Usage

__all__ = ["ReferTo", "Replaces", "Subscription", "read_refer", "read_replaces", "subscribes"]

_LASTS_S = 180
"""What we say an active subscription lasts: longer than anything rings."""


class Replaces(NamedTuple):
    """A dialog of ours that something is to take the place of, as we know it (RFC 3891 6.1)."""

    call_id: str
    local_tag: str
    remote_tag: str
    early_only: bool = False


class ReferTo(NamedTuple):
    """Whom a REFER wants called; with `replaces`, he talks with the referrer already."""

    uri: Uri
    replaces: Replaces | None = None


def read_replaces(value: str) -> Replaces:
    """Read one Replaces value.  Raises: BadMessage."""
    call_id, semicolon, rest = value.strip().partition(";")
    params = parse_params(semicolon + rest)
    to_tag, from_tag = param(params, "to-tag"), param(params, "from-tag")
    if not call_id.strip() or not to_tag or not from_tag:  # 6.1: exactly one of each
        raise BadMessage("Replaces has a Call-ID, a to-tag and a from-tag")
    return Replaces(call_id.strip(), to_tag, from_tag, any(name == "early-only" for name, _ in params))


def read_refer(request: Request) -> ReferTo:
    """What a REFER asks.  Raises: PeerError for none, several, or something else than a call."""
    try:
        targets = request.addresses("Refer-To")
    except BadMessage as bad:
        # not its own status: a 416 to a request inside a dialog would end that dialog (RFC 5057 5.1)
        raise PeerError(bad.reason, 400) from bad
    if len(targets) != 1:  # RFC 3515 2.4.1: a REFER without exactly one is answered by 400
        raise PeerError("A REFER has one Refer-To", 400)
    uri = targets[0].uri
    if uri.scheme not in ("sip", "sips", "tel"):
        raise PeerError("Only telephones can be referred to", 400)
    if (param(uri.params, "method") or "INVITE") != "INVITE":
        raise PeerError("Only calls can be referred to", 501)
    pairs = (pair.partition("=") for pair in uri.headers.split("&"))
    wanted = [unquote(value) for name, _, value in pairs if name.lower() == "replaces"]
    if len(wanted) > 1:
        raise PeerError("A call replaces one dialog", 400)
    return ReferTo(uri, read_replaces(wanted[0]) if wanted else None)


def subscribes(request: Request) -> bool:
    """Whether the referrer wants to hear how it goes (RFC 4488 4)."""
    return (request.get("Refer-Sub") or "").partition(";")[0].strip().lower() != "false"


class Subscription:
    """What one REFER begins: the referrer is notified of how it goes, one NOTIFY at a time.

    It shares the dialog of the call, and outlives the call's BYE: a refusal of a NOTIFY ends it alone (RFC 5057 5.1).
    """

    __slots__ = ("_event", "_next", "_on_over", "_over", "_usage", "_waiting")

    def __init__(self, usage: Usage, refer: Request, *, first: bool = True) -> None:
        """`first`: of its dialog."""
        self._usage = usage
        self._event = "refer" if first else f"refer;id={refer.cseq.number}"  # RFC 3515 2.4.6
        self._waiting = False
        self._next: int | None = None
        self._over = False
        self._on_over: Callable[[], None] | None = None

    def notify(self, status: int) -> None:
        """Tell the status of the call, a final one at last; where one is not answered yet, the newest follows it."""
        if self._over:
            return
        if self._waiting:
            self._next = status
        else:
            self._send(status)

    def finish(self, status: int, then: Callable[[], None]) -> None:
        """Tell the final status; `then` is called once the referrer has it, or will never have it."""
        if self._over:
            then()
            return
        self._on_over = then
        self.notify(status)

    def _send(self, status: int) -> None:
        usage, final = self._usage, status >= 200
        dialog = usage.dialog
        assert dialog is not None
        more = header_lines([
            ("Contact", usage.contact),
            ("Event", self._event),
            ("Subscription-State", "terminated;reason=noresource" if final else f"active;expires={_LASTS_S}"),
            ("Content-Type", "message/sipfrag;version=2.0"),
        ])  # fmt: skip
        body = f"SIP/2.0 {status} {REASONS.get(status, 'Unknown')}\r\n".encode()
        self._waiting = True
        answered = partial(self._answered, final=final)
        usage.core.ask(dialog, usage.hop_now, "NOTIFY", answered, more, body)

    def _answered(self, response: Response | None, *, final: bool) -> None:
        if response is not None and response.status < 200:
            return
        self._waiting = False
        following, self._next = self._next, None
        if final or response is None or response.status >= 300:  # 481: they know of no subscription
            self._over = True
            if self._on_over is not None:
                self._on_over()
        elif following is not None:
            self._send(following)
