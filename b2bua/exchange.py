"""The exchange: every live call is known here, and what all calls share; b2bua.intake begins them."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection

from b2bua.call import Call
from b2bua.feed import Feed
from b2bua.gate import Gate
from b2bua.intake import Intake
from b2bua.locations import Locations
from b2bua.outcome import Ended, Outcome
from b2bua.refusals import Refusals
from b2bua.rules.tariff import monthly_fees
from b2bua.secret_hash import verify_secret
from b2bua.sounds import BadSound, find_sound
from b2bua.stir.service import Stir
from b2bua.trace.ladder import LadderLimits, Ladders
from b2bua.triggers import Triggers
from b2bua.trunks.live import Trunks
from b2bua.trunks.requests import Locate
from media.engine import Engine
from media.prompt import BadClip, Pack
from sip_stack.core import Hop, SipCore
from sip_stack.hop import WEBSOCKET
from store import directory as directories
from store import ledger, unspent
from store.database import Database
from store.directory import Directory
from store.errors import StoreError
from store.values import Account, Extension, Micros

__all__ = ["Exchange"]

log = logging.getLogger(__name__)

_HEARTBEAT_S = 2.0
_RELOAD_S = 0.5
_FEES_S = 600.0


class _Reduced(NamedTuple):
    """What a heartbeat finds of reductions: the newest movement it saw, and the holds of reduced accounts."""

    newest: int
    holds: dict[int, Micros]


class Exchange:
    """Live calls, registrations and configuration around one SIP core, which tells `intake` what comes in."""

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
        self.closing = False
        """It takes no call any more."""
        self.new_id = new_id
        self.domain = domain
        self.rtp_timeout_s = rtp_timeout_s
        self.emergencies = emergencies
        self.verify = verify or _verify_in_thread
        self._recordings = recordings
        self._sounds = sounds
        self.pack_of = cache(self._pack_of)
        self.triggers = Triggers()
        self.refusals = Refusals(database, wall, new_id, self.keep)
        self._background: set[asyncio.Task[Any]] = set()
        self._entry = 0
        """The newest movement of money that a heartbeat has seen."""
        self.place_of: Callable[[Hop], int] = lambda hop: 0
        """The number of the media engine's place that is for a far end."""
        self.backlog: Callable[[], float] = lambda: 0.0
        """How full the receive buffer is with messages that wait, 0 to 1."""
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
        self.ladders = Ladders(ladders or LadderLimits(), lambda hop: self.core.local(hop), now)
        self._most_recent = recent_calls
        self.stir = stir
        self.mark = mark
        """What stands before the name of a caller whose number is verified."""
        self.intake = Intake(self)
        self.moves = Feed(None)
        """Told of every change of the list of calls, and of a state in it."""
        self.changed = partial(self.moves.set, None)

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
        self.closing = True
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

    def begin(self, call: Call, flow: Coroutine[Any, Any, Ended]) -> None:
        """A call lives from here until its record is written."""
        self.live[call.id] = call
        log.info("call=%s event=began kind=%s", call.id, call.kind)
        call.start(flow)
        self.changed()

    def call_over(self, call: Call) -> None:
        """Its last word is said."""
        self.live.pop(call.id, None)
        call.forget_wires()
        recent = self.recent
        recent[call.id] = call
        if len(recent) > self._most_recent:
            _, oldest = recent.popitem(last=False)
            if oldest.id not in self.unsettled:
                oldest.forget()
        if log.isEnabledFor(logging.INFO):
            log.info("call=%s event=ended reason=%s talk_s=%.1f", call.id, call.outcome, call.talk_s)
        self.changed()

    def on_the_phone(self, extension: Extension) -> bool:
        """True while any far end of a call is this extension, or will be: ringing included (SPEC 17)."""
        return any(
            (call.outcome is None and not call.handed_over and call.kind != "code" and call.extension
             and call.extension.id == extension.id)
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
            return str(find_sound(text, self.directory.names_above(account.id), self._sounds).path)
        except BadSound as error:
            log.warning("account=%s event=bad-sound error=%s", account.name, error)
            return ""

    # What the core tells

    def connection_gone(self, hop: Hop) -> None:
        """A connection ended: phones that nothing else leads to are gone, and no call waits for them."""
        if self.closing:
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



async def _verify_in_thread(hashed: str, text: str) -> bool:
    return await asyncio.to_thread(verify_secret, hashed, text)


def _beat(conn: Connection, holds: list[int], at: float, entry: int) -> _Reduced:
    """The heartbeat of these holds, and what those of accounts that were reduced meanwhile have now (SPEC H9)."""
    ledger.heartbeat(conn, holds, at)
    accounts = unspent.reduced_since(conn, entry)
    shrunk = [hold for hold in ledger.open_holds(conn) if hold.account_id in accounts] if accounts else []
    return _Reduced(unspent.newest_entry(conn), {hold.id: hold.amount for hold in shrunk})
