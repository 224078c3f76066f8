"""What comes in: every SIP request that begins something, and the call or the refusal that it gets."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from b2bua.call import Call
from b2bua.callback import callback
from b2bua.caller_proof import claims_of, marked, proven_first, verdict_of, without_mark
from b2bua.extras import options_of
from b2bua.inbound import inbound
from b2bua.outbound import emergency, outbound
from b2bua.outcome import Congested
from b2bua.referral import refer
from b2bua.refusals import Source
from b2bua.replacing import take_over
from b2bua.rules.callback_admission import number_to_ring, read_trigger
from b2bua.rules.caller_id import ANONYMOUS, Shown, equipment_of, line_of
from b2bua.rules.edge import seen_by_edge
from b2bua.rules.numbers import BadNumber, NumberFault, from_trunk, is_emergency, read_number
from b2bua.rules.sources import source_of
from b2bua.trace.ladder import EXTENSION, PSTN
from b2bua.triggers import MOST_RINGING, CallbackRequest, turned_away, written
from b2bua.trunks.identity import caller_on_trunk
from sip_stack.core import ALLOW, SUPPORTED, Incoming
from sip_stack.errors import PeerError
from sip_stack.hop import WEBSOCKET
from sip_stack.identity import Caller, privacy_of, wants_anonymity
from sip_stack.incoming_invite import IncomingInvite
from sip_stack.message import Request
from sip_stack.options import InviteOptions
from sip_stack.uri import Uri
from store import journal
from store.values import Account, Extension, Trunk

if TYPE_CHECKING:
    from b2bua.exchange import Exchange
    from b2bua.leg import Leg

__all__ = ["Dialled", "Intake"]

log = logging.getLogger(__name__)

_LONGEST_EMERGENCY = 4
"""Digits: a number as short as this may be an emergency, which is never turned away unread."""
_STRANGERS_WAIT, _ALL_WAIT = 0.4, 0.75
"""A backlog with which strangers, and with which all, are turned away: the latter is a tenth of a second of work."""
_SAID_AGAIN_S = 10.0
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Dialled:
    """What a phone dialled: an extension of ours, an emergency number, or else a public one."""

    number: str
    extension: Extension | None = None
    emergency: bool = False


class _Rung(NamedTuple):
    """Whom a trunk calls: the public number as we write it, and whose it is; and how that trunk is spoken to."""

    number: str
    extension: Extension
    account: Account
    options: InviteOptions


class Intake:
    """The user of the SIP core (a CoreUser): who may begin what."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._overloaded_at = -_SAID_AGAIN_S
        self._directory = exchange.directory
        self._known: dict[tuple[str, int], _Rung] = {}
        """Of this directory: by the number as a trunk says it, and the trunk."""

    def on_request(self, incoming: Incoming) -> None:
        """REGISTER and OPTIONS; a REFER is served inside a call only: nobody else may make us call."""
        method = incoming.request.method
        if method == "REGISTER":
            extension = self.proven(incoming)
            if self._exchange.directory.extension(incoming.request.to.uri.user) is not extension:
                raise PeerError("Forbidden", 403)  # 10.3 step 4: nobody registers for somebody else
            self._exchange.locations.register(
                extension.number, incoming, seen_ip=self.seen_ip(incoming),
                trusted=self._exchange.directory.is_edge(incoming.source.host),
                service_route=self._exchange.directory.service_route,
            )  # fmt: skip
        elif method == "REFER":
            raise PeerError("Only who talks can transfer", 403)
        else:
            incoming.respond(200, extra=[("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", SUPPORTED)])

    def on_invite(self, incoming: Incoming) -> None:
        """A new call: from a trunk by its address, else from a phone that must prove itself."""
        exchange, request = self._exchange, incoming.request
        if exchange.closing:
            raise PeerError("Service Unavailable", 503)
        if (backlog := exchange.backlog()) >= _STRANGERS_WAIT and len(request.uri.user) > _LONGEST_EMERGENCY:
            self._make_room(incoming, backlog)
        if request.max_forwards == 0:
            raise PeerError("Too Many Hops", 483)
        source = incoming.source
        trunk = exchange.trunks.calling(request, source)
        # no trunk speaks by WebSocket: a page may come from a proxy at the address of one
        if trunk is None and source.transport not in WEBSOCKET:
            trunk = exchange.directory.trunk_for_source(source.host, source.port)
            if trunk is not None and ("Authorization" in request.fields or self._from_a_phone_there(incoming)):
                trunk = None
        if trunk is not None:
            self._from_trunk(incoming, trunk)
        elif "Replaces" in request.fields:
            take_over(exchange, incoming, self.proven(incoming))
        else:
            self._from_phone(incoming, self.proven(incoming))

    def _make_room(self, incoming: Incoming, backlog: float) -> None:
        """Some new calls are refused, so that the others come about; strangers' first.  Raises: PeerError 503."""
        exchange, source = self._exchange, incoming.source
        trunk = exchange.directory.trunk_for_source(source.host, source.port)
        if backlog < _ALL_WAIT and (trunk or self._from_a_phone_there(incoming)):
            return
        exchange.refusals.count(Source(source_of(source.host), trunk.name if trunk else ""), journal.OVERLOADED)
        now = exchange.now()
        if now - self._overloaded_at > _SAID_AGAIN_S:
            log.warning("event=overloaded calls=%d", len(exchange.live))
        self._overloaded_at = now
        raise PeerError("Service Unavailable", 503, (("Retry-After", "2"),))

    def on_refer(self, leg: Leg, incoming: Incoming) -> None:
        """Inside a call, its far end wants somebody else to talk in its place."""
        refer(leg, incoming)

    def proven(self, incoming: Incoming) -> Extension:
        """The extension whose password the request proves.  Raises: PeerError."""
        exchange = self._exchange
        ip, port = self._sender(incoming)
        return exchange.gate.check(incoming.request, ip, port, exchange.directory, exchange.wall())

    def _sender(self, incoming: Incoming) -> tuple[str, int]:
        """Who sent it: the proxies that we trust do not count."""
        source = incoming.source
        if page_at := self._exchange.page_at(source):
            return page_at, source.port
        return seen_by_edge(incoming.request, source, self._exchange.directory.is_edge)

    def seen_ip(self, incoming: Incoming) -> str:
        """The sender's own address, where a proxy that we trust is between."""
        exchange, source = self._exchange, incoming.source
        if not exchange.directory.edges and not exchange.page_at(source):
            return ""  # there is none
        ip, _ = self._sender(incoming)
        return ip if ip != source.host else ""

    def _from_a_phone_there(self, incoming: Incoming) -> bool:
        """A phone registered from the very address and port, though a trunk calls from the address too."""
        bindings = self._exchange.locations.of(incoming.request.from_.uri.user)
        if not bindings:
            return False
        source = incoming.source
        return any([(b.source_ip, b.source_port) == (source.host, source.port) for b in bindings])

    def _rung(self, request: Request, trunk: Trunk) -> _Rung:
        """Whom an INVITE of a trunk is for.  Raises: PeerError."""
        exchange = self._exchange
        called, directory = exchange.trunks.number_called(request), exchange.directory
        if directory is not self._directory:
            self._directory, self._known = directory, {}
        if (rung := self._known.get((called, trunk.id))) is None:
            number = from_trunk(called, trunk)
            did = directory.did(number, trunk.id) or directory.callback_did(number)
            extension = directory.extension_by_id(did.extension_id or 0) if did else None
            if extension is None:
                raise PeerError("Not Found", 404)
            rung = _Rung(number, extension, directory.accounts[extension.account_id], options_of(trunk))
            if len(self._known) < _REMEMBERED:
                self._known[called, trunk.id] = rung
        return rung

    def _from_trunk(self, incoming: Incoming, trunk: Trunk) -> None:
        exchange, request = self._exchange, incoming.request
        number, extension, account, options = rung = self._rung(request, trunk)
        if "Replaces" in request.fields:
            raise PeerError("Only an extension may take a call over", 403)
        room, caller = exchange.trunks.admits(trunk), caller_on_trunk(request, trunk)
        if exchange.mark:
            caller = without_mark(caller, exchange.mark)
        if extension.kind == "callback":
            self._triggered(incoming, trunk, rung, caller, room=room)
            return
        if not room:
            raise PeerError("Service Unavailable", 503, (("Retry-After", "5"),))
        if extension.kind != "phone":
            raise PeerError("Temporarily Unavailable", 480)
        shown = ANONYMOUS if caller.hidden else Shown(caller.name, from_trunk(caller.user, trunk))
        call = Call(exchange, "inbound", account, extension, shown.number, number, request.max_forwards - 1)
        if trunk.media == "direct" and "session" not in privacy_of(request):  # RFC 3323 4.2: by way of us
            call.direct = True
        said = claims_of(exchange.stir, request, caller, number, trunk) if exchange.stir else None
        leg = self._take(incoming, call, PSTN, trunk.name, options)
        if leg is None:
            return
        if said is None:
            exchange.begin(call, inbound(call, leg, extension, shown))
            return
        exchange.begin(call, proven_first(
            call, leg, trunk, said,
            lambda verdict: inbound(call, leg, extension, marked(shown, verdict, exchange.mark)),
        ))  # fmt: skip

    def _triggered(
        self, incoming: Incoming, trunk: Trunk, called: _Rung, caller: Caller, *, room: bool
    ) -> None:
        """A callback number rings; it never opens a media port.  `room`: its trunk may have one more call."""
        exchange, (dialled, extension, account, options) = self._exchange, called
        trigger = read_trigger(caller, trunk, account.dial_plan, exchange.directory)
        call = Call(exchange, "callback", account, extension, trigger.number, dialled)
        if not room or exchange.triggers.waiting >= MOST_RINGING:
            exchange.refusals.note(turned_away(call, trigger, incoming, trunk))
            raise PeerError("Service Unavailable", 503, (("Retry-After", "10"),))
        incoming.trying()
        invite = IncomingInvite(exchange.core, incoming, options)
        rung = call.rung_by(invite, EXTENSION, trunk.name, silent=True)
        exchange.ladders.tap(True, incoming.request.raw, incoming.source, invite.call_id)
        number, callable_ = number_to_ring(extension.callback, trigger, account.dial_plan, exchange.directory)
        want = CallbackRequest(extension, account, rung, trigger, number, callable_, exchange.triggers)
        if (said := claims_of(self._exchange.stir, incoming.request, caller, dialled, trunk)) is not None:
            want.verdict = exchange.keep(verdict_of(call, trunk, said))
            want.must_be_proven = trunk.verify == "require"
        call.on_outcome = written(want, call)
        exchange.begin(call, callback(want, call))

    def _from_phone(self, incoming: Incoming, extension: Extension) -> None:
        exchange, max_forwards = self._exchange, incoming.request.max_forwards - 1
        account = exchange.directory.accounts[extension.account_id]
        dialled = self.read(incoming.request.uri, account)
        me, number = extension.number, dialled.number
        equipment = equipment_of(incoming.request.from_, extension, account.dial_plan)
        kind = "internal" if dialled.extension else "outbound"
        private = wants_anonymity(incoming.request)
        line = line_of(extension, private=private, emergency=dialled.emergency)
        shown = ANONYMOUS if private else Shown(extension.name, me)
        call = Call(exchange, kind, account, line, me, number, max_forwards)

        leg = self._take(incoming, call, EXTENSION, me, options_of(extension))
        if leg is None:
            return
        leg.extension, leg.private = extension, private
        if dialled.extension is not None:
            exchange.begin(call, inbound(call, leg, dialled.extension, shown, PSTN))
        else:
            exchange.begin(call, (emergency if dialled.emergency else outbound)(call, leg, number, equipment))

    def read(self, uri: Uri, account: Account) -> Dialled:
        """What a phone dialled.  Raises: PeerError for a number that is not called."""
        exchange, plan, dialled = self._exchange, account.dial_plan, uri.number
        digits = re.sub(r"[-.() ]", "", uri.user)  # 911 is one in the context +1 too (RFC 3966 5.1.5)
        if exchange.emergencies and digits.isdecimal() and digits.isascii() and is_emergency(digits, plan):
            return Dialled(digits, emergency=True)  # whatever extension has that number
        called = exchange.directory.extension(dialled)
        if called is not None:
            return Dialled(called.number, extension=called)
        try:
            internal = exchange.directory.internal_numbers
            return Dialled(read_number(dialled, plan, extensions=internal, phone=True))
        except BadNumber as refusal:
            raise PeerError(str(refusal), 404 if refusal.reason is NumberFault.INTERNAL else 403) from refusal

    def _take(
        self, incoming: Incoming, call: Call, lane: int, party: str, options: InviteOptions
    ) -> Leg | None:
        """The leg that a call begins with; None where it is refused."""
        incoming.trying()
        exchange = self._exchange
        try:
            invite = IncomingInvite(exchange.core, incoming, options)
            leg = call.rung_by(invite, lane, party, seen_ip=self.seen_ip(incoming))
        except PeerError as error:
            self._turn_away(call, error.status, error.reason, error.headers)
            incoming.respond(error.status, error.reason, extra=error.headers)  # where it was no leg yet
            return None
        except Congested:
            self._turn_away(call, 503)
            return None
        # the ladder begins with the INVITE that came before the call was known
        exchange.ladders.tap(True, incoming.request.raw, incoming.source, invite.call_id)
        return leg

    @staticmethod
    def _turn_away(call: Call, status: int, reason: str = "", extra: tuple[tuple[str, str], ...] = ()) -> None:
        """It never became a call."""
        for leg in call.legs:
            leg.hangup(status, reason=reason, extra=extra)
        call.forget_wires()
        call.exchange.ladders.drop(call.ladder)
