"""The exchange: every SIP request that begins something comes here, and every live call is known here."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection

from b2bua.call import Call
from b2bua.callback import callback
from b2bua.callback_admission import number_to_ring, read_trigger
from b2bua.caller_id import Shown, equipment_of
from b2bua.caller_proof import claims_of, marked, proven_first, verdict_of
from b2bua.edge import seen_by_edge
from b2bua.extras import options_of
from b2bua.feed import Feed
from b2bua.gate import Gate
from b2bua.inbound import inbound
from b2bua.ladder import EXTENSION, PSTN, LadderLimits, Ladders
from b2bua.locations import Locations
from b2bua.numbers import BadNumber, NumberFault, from_trunk, is_emergency, read_number
from b2bua.outbound import emergency, outbound
from b2bua.outcome import Congested, Outcome
from b2bua.secret_hash import verify_secret
from b2bua.sounds import BadSound, find_sound
from b2bua.stir.service import Stir
from b2bua.stir.verdict import Said
from b2bua.tariff import monthly_fees
from b2bua.triggers import MOST_RINGING, CallbackRequest, Triggers, turned_away, written
from b2bua.trunk_identity import caller_on_trunk
from b2bua.trunk_requests import Locate
from b2bua.trunks import Trunks
from media.engine import Engine
from media.prompt import BadClip, Pack
from sip_stack.core import ALLOW, SUPPORTED, Hop, Incoming, SipCore
from sip_stack.errors import PeerError
from sip_stack.hop import WEBSOCKET
from sip_stack.identity import Caller
from sip_stack.invite import IncomingInvite
from sip_stack.message import Request
from store import directory as directories
from store import journal, ledger, unspent
from store.database import Database
from store.directory import Directory
from store.errors import StoreError
from store.values import Account, Extension, Micros, Trunk

if TYPE_CHECKING:
    from b2bua.leg import Leg

__all__ = ["Exchange"]

log = logging.getLogger(__name__)

_HEARTBEAT_S = 2.0
_RELOAD_S = 0.5
_LONGEST_EMERGENCY = 4
"""Digits: a number as short as this may be an emergency, which is never turned away unread."""
_STRANGERS_WAIT, _ALL_WAIT = 16, 48
"""A backlog with which strangers, and with which all, are turned away: a thousand messages are a tenth of a second."""
_SAID_AGAIN_S = 10.0
_FEES_S = 600.0


class _Reduced(NamedTuple):
    """What a heartbeat finds of reductions: the newest movement it saw, and the holds of reduced accounts."""

    newest: int
    holds: dict[int, Micros]


class Exchange:
    """Live calls, registrations and configuration around one SIP core (a CoreUser)."""

    core: SipCore

    def __init__(
        self,
        *,
        database: Database,
        engine: Engine,
        pack: Pack,
        gate: Gate,
        locate: Locate,
        now: Callable[[], float],
        wall: Callable[[], float],
        new_id: Callable[[], str],
        domain: str,
        rtp_timeout_s: float = 60.0,
        recordings: Path | None = None,
        emergencies: bool = True,
        sounds: Path | None = None,
        ladders: LadderLimits | None = None,
        recent_calls: int = 200,
        stir: Stir | None = None,
        mark: str = "",
        verify: Callable[[str, str], Awaitable[bool]] | None = None,
    ) -> None:
        """`now` is the loop's clock, `wall` is Unix time, `domain` what we call ourselves in From and To.

        `sounds` is the root of the accounts' own sounds; `verify` compares a secret with its hash, off the loop.
        """
        self.database = database
        self.engine = engine
        self.pack = pack
        self.gate = gate
        self.locate = locate
        self.now = now
        self.wall = wall
        self._zero = wall() - now()
        self._closing = False
        self._overloaded_at = -_SAID_AGAIN_S
        self.new_id = new_id
        self.domain = domain
        self.rtp_timeout_s = rtp_timeout_s
        self.emergencies = emergencies
        self.verify = verify or _verify_in_thread
        self._recordings = recordings
        self._sounds = sounds
        self.pack_of = cache(self._pack_of)
        self.triggers = Triggers()
        self._background: set[asyncio.Task[Any]] = set()
        self._entry = 0
        """The newest movement of money that a heartbeat has seen."""
        self.place_of: Callable[[Hop], int] = lambda hop: 0
        """The number of the media engine's place that is for a far end."""
        self.backlog: Callable[[], int] = lambda: 0
        """For how many wake-ups more has come than was taken in, 64 messages each."""
        self.certified: Callable[[Hop], frozenset[str]] = lambda hop: frozenset()
        """Whom the certificate of a connection's far end is for."""
        self.page_at: Callable[[Hop], str] = lambda hop: ""
        """The address of a page behind a web proxy of ours; empty where none is between."""
        self.drop_connections: Callable[[str], None] = lambda trunk: None
        """Close what was opened for a trunk."""
        self.directory = Directory()
        self.trunks = Trunks(self)
        self.locations = Locations(database, wall, self.keep)
        self.live: dict[str, Call] = {}
        self.recent: OrderedDict[str, Call] = OrderedDict()
        self.unsettled: dict[str, Call] = {}
        """Ended calls that the database did not take yet."""
        self.wires: dict[str, tuple[Call, int]] = {}
        self.ladders = Ladders(ladders or LadderLimits(), lambda hop: self.core.local(hop))
        self._most_recent = recent_calls
        self.stir = stir
        self.mark = mark
        """What stands before the name of a caller whose number is verified."""
        self.moves: Feed[int] = Feed(0)
        """Counts every change of the list of calls."""

    # Life

    async def open(self) -> None:
        """Settle what a crash left, read configuration and registrations, start the clocks of both."""
        at = self.wall()
        for settled in await self.database.run(lambda conn: ledger.settle_after_crash(conn, at)):
            log.warning("call=%s event=settled-after-crash charged=%d", settled.call_id, settled.charged)
        self._entry = await self.database.read(unspent.newest_entry)
        await self.reload()
        await self.locations.load()
        self.keep(self._every(_HEARTBEAT_S, self._beat))
        self.keep(self._every(_HEARTBEAT_S, self._settle))
        self.keep(self._every(_RELOAD_S, self._watch_configuration))
        await self._take_fees()
        self.keep(self._every(_FEES_S, self._take_fees))

    async def close(self) -> None:
        """End every call and wait for its record."""
        self._closing = True
        calls = list(self.live.values())
        for call in calls:
            call.cancel(Outcome.SHUT_DOWN)
        await asyncio.gather(*(call.ended() for call in calls))
        await self.trunks.close()
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._settle()
        if self.unsettled:  # the holds stay open: the next start settles them
            log.error("event=unsettled-at-stop calls=%d", len(self.unsettled))

    async def reload(self) -> None:
        """Take the configuration as it is now; live calls keep what they began with."""
        self.directory = await self.database.read(directories.load)
        self.trunks.sync()

    def keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something beside the calls."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("event=background-failed error=%s: %s", type(error).__name__, error)

    def steady(self, moment: float) -> float:
        """Unix time of a moment of `now` as if nobody had set the clock since the start: talk is measured by it."""
        return self._zero + moment

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Again and again, whatever becomes of one time."""
        name = work.__name__.strip("_").replace("_", "-")
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except StoreError as error:
                log.error("event=%s-failed error=%s", name, error)
            except Exception:
                log.exception("event=bug in=%s", name)

    async def _beat(self) -> None:
        """Note who still talks, so that a crash is charged to the right second at most."""
        purses = [call.purse for call in self.live.values() if call.purse]
        running = [(purse, paid) for purse in purses for paid in purse.running]
        for purse, paid in running:
            if not paid.marked:
                await purse.mark()
        holds, at = [paid.hold_id for _, paid in running], self.steady(self.now())
        if holds:
            reduced = await self.database.run(partial(_beat, holds=holds, at=at, entry=self._entry))
            self._entry = reduced.newest
            for purse in purses if reduced.holds else ():
                purse.correct(reduced.holds)

    async def _settle(self) -> None:
        """Offer again what the database did not take when its call ended; one that fails is no end for the others."""
        for call in list(self.unsettled.values()):
            try:
                await call.write()
            except StoreError as error:
                call.log_error("not-settled", error)
            except Exception:
                log.exception("call=%s event=bug", call.id)
            else:
                del self.unsettled[call.id]
                if call.id not in self.recent:
                    call.forget()
                log.info("call=%s event=settled-late charged=%d", call.id, call.charged)

    async def _take_fees(self) -> None:
        """The monthly fees that are due, each once (SPEC 71)."""
        at = self.wall()
        if due := monthly_fees(self.directory, at):
            await self.database.run(lambda conn: [ledger.monthly_fee(conn, *fee, at) for fee in due])

    async def _watch_configuration(self) -> None:
        if await self.database.read(directories.config_version) != self.directory.version:
            await self.reload()
            log.info("event=configuration-loaded version=%d", self.directory.version)

    # The list of calls

    def begin(self, call: Call, flow: Coroutine[Any, Any, Outcome]) -> None:
        """A call lives from here until its record is written."""
        self.live[call.id] = call
        log.info("call=%s event=began kind=%s", call.id, call.kind)
        call.start(flow)
        self.changed()

    def call_over(self, call: Call) -> None:
        """Its last word is said."""
        self.live.pop(call.id, None)
        call.forget_wires()
        self.recent[call.id] = call
        if len(self.recent) > self._most_recent:
            _, oldest = self.recent.popitem(last=False)
            if oldest.id not in self.unsettled:
                oldest.forget()
        log.info("call=%s event=ended reason=%s talk_s=%.1f", call.id, call.outcome, call.talk_s)
        self.changed()

    def changed(self) -> None:
        """The list of calls, or a state in it, is another."""
        self.moves.set(self.moves.value + 1)

    def on_the_phone(self, extension: Extension) -> bool:
        """True while any far end of a call is this extension, or will be: ringing included (SPEC 17)."""
        return any(
            (call.outcome is None and call.extension is not None and call.extension.id == extension.id)
            or any(leg.party == extension.number and leg.ended_at is None for leg in call.legs)
            for call in self.live.values()
        )

    def recording_path(self, call_id: str) -> Path | None:
        """Where a call is recorded; None where calls are not."""
        return self._recordings / f"{call_id}.wav" if self._recordings else None

    def _pack_of(self, language: str) -> Pack:
        """The prompts of a language; the server's own where there are none."""
        try:
            return Pack.load(language)
        except BadClip:
            return self.pack

    def sound(self, text: str, account: Account) -> str:
        """What to play for a sound by path (SPEC 66); empty where there is none, or it cannot be played."""
        if not text or self._sounds is None:
            return ""
        try:
            return str(find_sound(text, self._folders(account), self._sounds).path)
        except BadSound as error:
            log.warning("account=%s event=bad-sound error=%s", account.name, error)
            return ""

    def _folders(self, account: Account | None) -> list[str]:
        """The account, its parent, its grandparent, ..."""
        names = []
        while account is not None:
            names.append(account.name)
            account = self.directory.accounts.get(account.parent_id or 0)
        return names

    # What the core tells

    def tap(self, received: bool, data: bytes, hop: Hop, call_id: str) -> None:
        """Every message on the wire."""
        wire = self.wires.get(call_id)
        if wire is not None:
            call, lane = wire
            call.ladder.sip(self.now(), lane, received, data, hop)

    def connection_gone(self, hop: Hop) -> None:
        """A connection ended: phones that nothing else leads to are gone, and no call waits for them."""
        if self._closing:
            return
        self.locations.flow_gone(hop)
        self.trunks.cut(hop)
        if hop.transport in WEBSOCKET:
            self.core.gone(hop)

    def stays_on_udp(self, hop: Hop) -> bool:
        """Whether what is too big for UDP goes there by UDP even so."""
        trunk = self.directory.trunk_by_name(hop.line) or self.directory.trunk_for_source(hop.host, hop.port)
        if trunk is not None:
            return trunk.stay_on_udp
        return self.locations.behind_a_nat(hop.host, hop.port)

    def on_request(self, incoming: Incoming) -> None:
        """REGISTER and OPTIONS."""
        if incoming.request.method == "REGISTER":
            extension = self._proven(incoming)
            if self.directory.extension(incoming.request.to.uri.user) is not extension:
                raise PeerError("Forbidden", 403)  # 10.3 step 4: nobody registers for somebody else
            self.locations.register(
                extension.number, incoming, seen_ip=self._seen_ip(incoming),
                trusted=self.directory.is_edge(incoming.source.host), service_route=self.directory.service_route,
            )  # fmt: skip
        else:
            incoming.respond(200, extra=[("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", SUPPORTED)])

    def on_invite(self, incoming: Incoming) -> None:
        """A new call: from a trunk by its address, else from a phone that must prove itself."""
        request = incoming.request
        if self._closing:
            raise PeerError("Service Unavailable", 503)
        if (backlog := self.backlog()) >= _STRANGERS_WAIT and len(request.uri.user) > _LONGEST_EMERGENCY:
            self._make_room(incoming, backlog)
        if request.max_forwards == 0:
            raise PeerError("Too Many Hops", 483)
        if (proven := self.trunks.calling(request, incoming.source)) is not None:
            self._from_trunk(incoming, proven)
            return
        source = incoming.source
        # no trunk speaks by WebSocket: a page may come from a proxy at the address of one
        trunk = None if source.transport in WEBSOCKET else self.directory.trunk_for_source(source.host, source.port)
        if trunk is not None and "Authorization" not in request.fields and not self._from_a_phone_there(incoming):
            self._from_trunk(incoming, trunk)
        else:
            self._from_phone(incoming, self._proven(incoming))

    def _make_room(self, incoming: Incoming, backlog: int) -> None:
        """Some new calls are refused, so that the others come about; strangers' first.  Raises: PeerError 503."""
        source = incoming.source
        known = self.directory.trunk_for_source(source.host, source.port) or self._from_a_phone_there(incoming)
        if known and backlog < _ALL_WAIT:
            return
        now = self.now()
        if now - self._overloaded_at > _SAID_AGAIN_S:
            log.warning("event=overloaded calls=%d", len(self.live))
        self._overloaded_at = now
        raise PeerError("Service Unavailable", 503, (("Retry-After", "2"),))

    def _proven(self, incoming: Incoming) -> Extension:
        """The extension whose password the request proves.  Raises: PeerError."""
        ip, port = self._sender(incoming)
        return self.gate.check(incoming.request, ip, port, self.directory, self.wall())

    def _sender(self, incoming: Incoming) -> tuple[str, int]:
        """Who sent it: the proxies that we trust do not count."""
        source = incoming.source
        if page_at := self.page_at(source):
            return page_at, source.port
        return seen_by_edge(incoming.request, incoming.source, self.directory.is_edge)

    def _seen_ip(self, incoming: Incoming) -> str:
        """The sender's own address, where a proxy that we trust is between."""
        ip, _ = self._sender(incoming)
        return ip if ip != incoming.source.host else ""

    def _from_a_phone_there(self, incoming: Incoming) -> bool:
        """A phone registered from the very address and port, though a trunk calls from the address too."""
        source = incoming.source
        return any(
            (binding.source_ip, binding.source_port) == (source.host, source.port)
            for binding in self.locations.of(incoming.request.from_.uri.user)
        )

    def _from_trunk(self, incoming: Incoming, trunk: Trunk) -> None:
        request = incoming.request
        number = from_trunk(self.trunks.number_called(request), trunk)
        did = self.directory.did(number, trunk.id) or self.directory.callback_did(number)
        extension = self.directory.extension_by_id(did.extension_id or 0) if did else None
        if extension is None:
            raise PeerError("Not Found", 404)
        if not self.trunks.admits(trunk):
            raise PeerError("Service Unavailable", 503, (("Retry-After", "5"),))
        caller = caller_on_trunk(request, trunk)
        if extension.kind == "callback":
            self._triggered(incoming, trunk, extension, number, caller)
            return
        if extension.kind != "phone":
            raise PeerError("Temporarily Unavailable", 480)
        said = self._claims(request, caller, number, trunk)
        shown = Shown("Anonymous", "anonymous") if caller.hidden else Shown(caller.name, from_trunk(caller.user, trunk))
        account = self.directory.accounts[extension.account_id]
        call = Call(self, "inbound", account, extension, shown.number, number, request.max_forwards - 1)
        call.direct = trunk.media == "direct"
        if said is None:
            self._take(incoming, call, PSTN, trunk, lambda leg: inbound(call, leg, extension, shown))
            return

        def proven(leg: Leg) -> Coroutine[Any, Any, Outcome]:
            return proven_first(
                call, leg, trunk, said,
                lambda verdict: inbound(call, leg, extension, marked(shown, verdict, self.mark)),
            )  # fmt: skip

        self._take(incoming, call, PSTN, trunk, proven)

    def _claims(self, request: Request, caller: Caller, number: str, trunk: Trunk) -> Said | None:
        """What is to be verified of a call from a trunk; None: nothing."""
        if self.stir is None or not self.stir.verifies or trunk.verify == "off":
            return None
        if trunk.verify == "note" and "Identity" not in request.fields:
            return None
        return claims_of(request, caller, number, trunk)

    def _triggered(
        self, incoming: Incoming, trunk: Trunk, extension: Extension, dialled: str, caller: Caller
    ) -> None:
        """A callback number rings; it never opens a media port."""
        account = self.directory.accounts[extension.account_id]
        trigger = read_trigger(caller, trunk, account.dial_plan, self.directory)
        call = Call(self, "callback", account, extension, trigger.number, dialled)
        if self.triggers.waiting >= MOST_RINGING:
            self.database.post(journal.INSERT_REQUEST, [journal.row(turned_away(call, trigger, incoming, trunk))])
            raise PeerError("Service Unavailable", 503, (("Retry-After", "10"),))
        incoming.trying()
        invite = IncomingInvite(self.core, incoming, options_of(trunk))
        rung = call.rung_by(invite, EXTENSION, trunk.name, silent=True)
        call.ladder.sip(self.now(), EXTENSION, True, incoming.request.raw, incoming.source)
        number, callable_ = number_to_ring(extension.callback, trigger, account.dial_plan, self.directory)
        want = CallbackRequest(extension, account, rung, trigger, number, callable_, self.triggers)
        if (said := self._claims(incoming.request, caller, dialled, trunk)) is not None:
            want.verdict = self.keep(verdict_of(call, trunk, said))
            want.must_be_proven = trunk.verify == "require"
        call.on_outcome = written(want, call)
        self.begin(call, callback(want, call))

    def _from_phone(self, incoming: Incoming, extension: Extension) -> None:
        request = incoming.request
        dialled = request.uri.user
        account = self.directory.accounts[extension.account_id]
        called = self.directory.extension(dialled)
        if called is not None:
            call = Call(self, "internal", account, extension, extension.number, called.number, request.max_forwards - 1)
            shown = Shown(extension.name, extension.number)
            self._take(incoming, call, EXTENSION, extension, lambda leg: inbound(call, leg, called, shown, PSTN))
            return
        number, flow = self._read(dialled, account)
        equipment = equipment_of(request.from_, extension)
        call = Call(self, "outbound", account, extension, extension.number, number, request.max_forwards - 1)
        self._take(incoming, call, EXTENSION, extension, lambda leg: flow(call, leg, number, equipment))

    def _read(self, dialled: str, account: Account) -> tuple[str, Callable[..., Coroutine[Any, Any, Outcome]]]:
        """What a phone dialled: the number and its flow.  Raises: PeerError for a number that is not called."""
        digits = re.sub(r"[-.() ]", "", dialled)
        if self.emergencies and digits.isdecimal() and digits.isascii() and is_emergency(digits, account.dial_plan):
            return digits, emergency
        try:
            internal = self.directory.internal_numbers
            return read_number(dialled, account.dial_plan, extensions=internal, phone=True), outbound
        except BadNumber as refusal:
            raise PeerError(str(refusal), 404 if refusal.reason is NumberFault.INTERNAL else 403) from refusal

    def _take(
        self, incoming: Incoming, call: Call, lane: int, far: Trunk | Extension,
        flow: Callable[[Leg], Coroutine[Any, Any, Outcome]],
    ) -> None:  # fmt: skip
        incoming.trying()
        party = far.name if isinstance(far, Trunk) else far.number
        try:
            invite = IncomingInvite(self.core, incoming, options_of(far))
            leg = call.rung_by(invite, lane, party, seen_ip=self._seen_ip(incoming))
        except PeerError as error:
            self._turn_away(call, error.status, error.reason, error.headers)
            incoming.respond(error.status, error.reason, extra=error.headers)  # where it was no leg yet
            return
        except Congested:
            self._turn_away(call, 503)
            return
        # the ladder begins with the INVITE that came before the call was known
        call.ladder.sip(self.now(), lane, True, incoming.request.raw, incoming.source)
        self.begin(call, flow(leg))

    @staticmethod
    def _turn_away(call: Call, status: int, reason: str = "", extra: tuple[tuple[str, str], ...] = ()) -> None:
        """It never became a call."""
        for leg in call.legs:
            leg.hangup(status, reason=reason, extra=extra)
        call.forget_wires()
        call.exchange.ladders.drop(call.ladder)


async def _verify_in_thread(hashed: str, text: str) -> bool:
    return await asyncio.to_thread(verify_secret, hashed, text)


def _beat(conn: Connection, holds: list[int], at: float, entry: int) -> _Reduced:
    """The heartbeat of these holds, and what those of accounts that were reduced meanwhile have now (SPEC H9)."""
    ledger.heartbeat(conn, holds, at)
    accounts = unspent.reduced_since(conn, entry)
    shrunk = [hold for hold in ledger.open_holds(conn) if hold.account_id in accounts] if accounts else []
    return _Reduced(unspent.newest_entry(conn), {hold.id: hold.amount for hold in shrunk})
