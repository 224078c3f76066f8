"""Replaces (RFC 3891): the dialog that it names, and the INVITE by which a phone takes a call over."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from b2bua.extras import options_of
from b2bua.outcome import Congested
from b2bua.transfer import Change
from sip_stack.core import Incoming
from sip_stack.errors import PeerError
from sip_stack.incoming_invite import IncomingInvite
from sip_stack.outgoing_invite import OutgoingInvite
from sip_stack.refer import Replaces, read_replaces
from store.values import Extension

if TYPE_CHECKING:
    from b2bua.exchange import Exchange
    from b2bua.leg import Leg

__all__ = ["leg_of", "may_change", "take_over"]


def leg_of(exchange: Exchange, replaces: Replaces) -> Leg | None:
    """The leg of a dialog, also of one that is over; None where there was none lately."""
    calls = chain(exchange.live.values(), exchange.recent.values())
    return next((leg for call in calls for leg in call.legs if _is_of(leg, replaces)), None)


def _is_of(leg: Leg, replaces: Replaces) -> bool:
    usage = leg.usage
    if usage is None or (usage.call_id, usage.local_tag) != (replaces.call_id, replaces.local_tag):
        return False
    return replaces.remote_tag in ([usage.dialog.remote.tag] if usage.dialog is not None else leg.early_tags)


def may_change(leg: Leg) -> bool:
    """It talks through us with somebody: a transfer can give either of them another far end."""
    other = leg.partner
    return other is not None and leg.audio is not None and all(
        each.call.talk is not None and each.call.talk.armed for each in (leg, other)
    )  # fmt: skip


def take_over(exchange: Exchange, incoming: Incoming, extension: Extension) -> None:
    """Serve an INVITE with Replaces of a proven extension: it comes in the place of the named dialog.

    Raises: PeerError.
    """
    values = incoming.request.fields["Replaces"]
    if len(values) != 1:
        raise PeerError("An INVITE replaces one dialog", 400)  # RFC 3891 3
    replaces = read_replaces(values[0])
    leg = leg_of(exchange, replaces)
    if leg is None:
        raise PeerError("Call/Transaction Does Not Exist", 481)
    if leg.extension is None or leg.extension.account_id != extension.account_id or not extension.transfer:
        raise PeerError("Forbidden", 403)
    if leg.ended_at is not None:
        raise PeerError("Decline", 603)
    if leg.answered_at is None:
        _pick_up(leg, incoming, extension)
    elif replaces.early_only:
        raise PeerError("Busy Here", 486)
    elif not may_change(leg):
        raise PeerError("Request Pending", 491)
    else:
        _replace(leg, incoming, extension)


def _replace(leg: Leg, incoming: Incoming, extension: Extension) -> None:
    stays = leg.partner
    assert stays is not None
    new = _rung_by(leg, incoming, extension)
    change = Change(leg, stays)
    change.begin()
    new.answer()
    change.done(new)
    leg.hangup()


def _pick_up(leg: Leg, incoming: Incoming, extension: Extension) -> None:
    """A phone that we ring is spared: this one answers for it.  Raises: PeerError where it rings us instead."""
    if not isinstance(leg.usage, OutgoingInvite):  # RFC 3891 3: only an early dialog that we began
        raise PeerError("Call/Transaction Does Not Exist", 481)
    if leg.call.direct:
        raise PeerError("The media of this call does not pass by us", 488)
    new = _rung_by(leg, incoming, extension)
    new.answer()
    leg.answered_by(new)


def _rung_by(leg: Leg, incoming: Incoming, extension: Extension) -> Leg:
    """One more leg of the same call.  Raises: PeerError."""
    call = leg.call
    incoming.trying()
    seen_ip = call.exchange.intake.seen_ip(incoming)
    invite = IncomingInvite(call.core, incoming, options_of(extension))
    try:
        new = call.rung_by(invite, leg.lane, extension.number, seen_ip=seen_ip)
    except (PeerError, Congested) as error:
        status = error.status if isinstance(error, PeerError) else 503
        call.legs[-1].hangup(status)
        raise PeerError(str(error), status) from error  # it is answered already
    new.extension = extension
    call.exchange.ladders.tap(True, incoming.request.raw, incoming.source, invite.call_id)
    return new
