"""A REFER of one of our phones: who may transfer, whom, and which talk it changes (RFC 3515, 5589)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from b2bua.call import Call
from b2bua.replacing import leg_of, may_change
from b2bua.rules.caller_id import equipment_of, line_of
from b2bua.transfer import Change, TransferRequest, transfer
from sip_stack.core import Incoming
from sip_stack.errors import PeerError
from sip_stack.identity import wants_anonymity
from sip_stack.message import Request
from sip_stack.refer import Replaces, Subscription, read_refer, subscribes
from sip_stack.uri import Uri
from store.values import Extension

if TYPE_CHECKING:
    from b2bua.leg import Leg

__all__ = ["refer"]


def refer(leg: Leg, incoming: Incoming) -> None:
    """Serve a REFER inside the dialog of `leg`.

    Raises: PeerError where it is not for him to ask. What becomes of the target he is notified of: a 404 or 481 to the
    REFER itself would end his call (RFC 5057 5.1).
    """
    extension = _who_may(leg, incoming)
    wanted = read_refer(incoming.request)
    if leg.let_go:
        raise PeerError("Request Pending", 491)
    if not may_change(leg):
        raise PeerError("There is nobody to transfer", 403)
    request = incoming.request
    report = _accept(leg, incoming)
    if wanted.replaces is not None:
        _join(leg, wanted.replaces, report)
    else:
        _call(leg, wanted.uri, extension, request, report)


def _who_may(leg: Leg, incoming: Incoming) -> Extension:
    """The extension whose phone this is, proven: it pays.  Raises: PeerError."""
    extension = leg.extension
    if extension is None:
        raise PeerError("Only extensions of this server can transfer", 403)
    if not extension.transfer:
        raise PeerError("Transfers are switched off", 403)
    if leg.call.exchange.intake.proven(incoming).id != extension.id:
        raise PeerError("Forbidden", 403)
    return extension


def _accept(leg: Leg, incoming: Incoming) -> Callable[[int], None]:
    """202; what then tells the referrer how it goes, and hangs up once it went well."""
    assert leg.usage is not None
    contact = ("Contact", leg.usage.contact)
    leg.referrals += 1
    request = incoming.request
    if not subscribes(request):
        incoming.respond(202, extra=[contact, ("Refer-Sub", "false")])  # RFC 4488 4
        return lambda status: leg.hangup() if 200 <= status < 300 else None
    incoming.respond(202, extra=[contact])
    subscription = Subscription(leg.usage, request, first=leg.referrals == 1)
    subscription.notify(100)  # RFC 3515 2.4.4: at once

    def report(status: int) -> None:
        if 200 <= status < 300:
            subscription.finish(status, then=leg.hangup)
        else:
            subscription.notify(status)

    return report


def _call(leg: Leg, dialled: Uri, extension: Extension, asked: Request, report: Callable[[int], None]) -> None:
    """A blind transfer: the target is called as the phone itself would call it, privately where its own call was."""
    exchange, stays = leg.call.exchange, leg.partner
    assert stays is not None
    account = exchange.directory.accounts[extension.account_id]
    hops = leg.call.max_forwards - 1
    try:
        if hops <= 0:
            raise PeerError("Too Many Hops", 483)
        target = exchange.intake.read(dialled, account)
    except PeerError as refused:
        report(refused.status)
        return
    leg.call.ladder_row("event", leg.lane, stays.lane, f"transfers to {target.number}")
    private = leg.private or wants_anonymity(asked)
    line = line_of(extension, private=private, emergency=target.emergency)
    call = Call(exchange, "transfer", account, line, extension.number, target.number, hops)
    call.handed_over = True
    change = Change(leg, stays)
    change.begin()
    want = TransferRequest(change, target, equipment_of(asked.from_, extension, account.dial_plan), private, report)
    exchange.begin(call, transfer(want, call))


def _join(leg: Leg, replaces: Replaces, report: Callable[[int], None]) -> None:
    """An attended transfer: whom the extension talks with in two calls talk with each other."""
    other = leg_of(leg.call.exchange, replaces)
    if other is None or other.ended_at is not None:
        report(481)
    elif other.extension is None or leg.extension is None or other.extension.id != leg.extension.id:
        report(403)
    elif not may_change(other) or other in (leg, leg.partner):
        report(491)
    else:
        assert leg.partner is not None
        assert other.partner is not None
        changes = Change(leg, leg.partner), Change(other, other.partner)
        for change in changes:
            change.leaves.call.ladder_row("event", change.leaves.lane, change.stays.lane, "transfers")
            change.begin()
        for one, another in (changes, changes[::-1]):
            one.done(another.stays)
        other.hangup()
        report(200)
