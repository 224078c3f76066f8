"""What a far end asks inside its dialog: keys by INFO, and new media by re-INVITE, UPDATE or PRACK."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sip_stack.core import Incoming
from sip_stack.errors import PeerError
from sip_stack.message import Response

if TYPE_CHECKING:
    from b2bua.leg import Leg

__all__ = ["respond"]

_KEYS = ("application/dtmf-relay", "application/dtmf")
_SIGNAL = re.compile(rb"^[ \t]*(?:Signal[ \t]*=[ \t]*)?([0-9A-D*#])[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)


def respond(leg: Leg, incoming: Incoming) -> None:
    """Serve INFO, REFER, and offers by re-INVITE, UPDATE or PRACK; nothing else is known inside a dialog."""
    if incoming.request.method == "INFO":
        _info(leg, incoming)
    elif incoming.request.method == "REFER":
        leg.call.exchange.intake.on_refer(leg, incoming)
    elif incoming.request.method == "NOTIFY":
        incoming.respond(489, extra=[("Allow-Events", "refer")])  # we subscribe to nothing
    elif incoming.request.method not in ("INVITE", "UPDATE", "PRACK"):
        incoming.respond(501)
    elif leg.audio is None:
        _pass_on(leg, incoming)
    else:
        _renegotiate(leg, incoming)


def _info(leg: Leg, incoming: Incoming) -> None:
    """DTMF as the telephone industry sends it by INFO: `Signal=5`, or the digit alone."""
    if "info-package" in incoming.request.fields:  # RFC 6086 4.2.2: we know none, and say so
        incoming.respond(469, "Bad Info Package", extra=[("Recv-Info", "")])
        return
    body = incoming.request.body
    kind = (incoming.request.get("Content-Type") or "").partition(";")[0].strip().lower()
    found = _SIGNAL.search(body) if kind in _KEYS else None
    if found is None and body:
        incoming.respond(415, extra=[("Accept", ", ".join(_KEYS))])
        return
    incoming.respond(200)
    if found is None:
        return
    if leg.audio is not None:
        leg.key_by_info(found[1].decode().upper())
    elif leg.partner is not None and leg.partner.usage is not None:  # the media does not pass by us
        leg.partner.usage.send("INFO", lambda _: None, body=body, content_type=kind)


def _renegotiate(leg: Leg, incoming: Incoming) -> None:
    """A new offer (14.2): hold, another codec, another address; what cannot be answered leaves all as it was."""
    assert leg.usage is not None
    assert leg.audio is not None
    if not incoming.request.body:
        leg.asked_to_offer = True
        leg.usage.accept(incoming, leg.audio.offer(leg.audio.codec))
        return
    try:
        description = leg.audio.take_offer(incoming.request.body, leg.signals_from)
    except PeerError as error:
        incoming.respond(error.status, error.reason, extra=error.headers)
        return
    if leg.answered_at is None and leg.direction == "out":
        leg.hears_offer(incoming.request.from_.tag)
    leg.usage.accept(incoming, description)


def _pass_on(leg: Leg, incoming: Incoming) -> None:
    """The media does not pass by us: the other far end answers the offer, or makes one where this one has none."""
    mine, other = leg.usage, leg.partner.usage if leg.partner else None
    if mine is None or other is None or other.dialog is None or other.negotiating:
        incoming.respond(491)
        return

    def answered(response: Response | None) -> None:
        if response is not None and response.status < 300:
            mine.accept(incoming, response.body)  # where that is an offer, `Leg.on_ack` hands the answer on
        else:
            warnings = response.fields.get("Warning", []) if response else []
            incoming.respond(response.status if response else 408, extra=[("Warning", text) for text in warnings])

    offer = incoming.request.body
    if incoming.request.method == "UPDATE" and other.far_updates:
        other.update(offer, answered)
    else:
        other.reinvite(offer, answered)
