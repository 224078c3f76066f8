"""A call: its legs, its payer and its record. Whatever happens, `run` hangs up everything and settles."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from b2bua.audio import CODECS
from b2bua.interrupt import Interrupt
from b2bua.leg import Leg
from b2bua.leg_sound import LegSound
from b2bua.outcome import MEDIA_FAULTS, CallError, CreditRefused, Ended, LegGone, MoneySpent, Outcome, refusal
from b2bua.payment import Paid, Purse
from b2bua.record import FREE, records
from b2bua.stir.verdict import Verdict
from b2bua.trace.ladder import EXTENSION, RINGBACK, Kind, Ladder
from media.engine import Engine
from media.g711 import Codec
from media.prompt import Pack
from sip_stack.core import SipCore
from sip_stack.incoming_invite import IncomingInvite
from store import journal, ledger
from store.database import Database
from store.errors import StoreError
from store.values import Account, Extension, Micros

if TYPE_CHECKING:
    from b2bua.exchange import Exchange

__all__ = ["Call"]

log = logging.getLogger(__name__)

_STATS_EVERY_S = 5.0
_ENDED_AT = attrgetter("ended_at")
_FAULT = refusal(Outcome.SERVER_ERROR)
_KEPT = ("callnow", "callback", "code")
"""The calls somebody has asked for: their ladders are kept."""


class Call:
    """One call of any kind, from the first leg to the record."""

    # Slots for what every call has; the rest is the class's until it is another, since most calls never need it.
    __slots__ = (
        "__dict__", "__weakref__", "_running", "_task", "account", "charged", "direct", "exchange", "extension",
        "from_", "id", "kind", "ladder", "legs", "max_forwards", "now", "outcome", "purse", "started", "started_wall",
        "talk", "talk_began", "talk_ended", "to",
    )  # fmt: skip

    redirects = 0
    """3xx of phones that were followed."""
    verdict: Verdict | None = None
    """What the signature of the caller's number is worth; None: it was not looked at."""
    handed_over = False
    """Its extension has transferred it: who is on the phone, its legs alone tell."""
    to_phones: Sequence[tuple[str, str]] = ()
    """More headers of INVITEs to our own phones."""
    on_ringing: Callable[[], None] | None = None
    """Who else wants to know that somebody rings."""
    on_hold: Callable[[Connection], None] | None = None
    """One more thing to write in the transaction that holds the money."""
    on_outcome: Callable[[Connection, bool], None] | None = None
    """One more thing to write in the transaction that ends the call; is `on_hold` written?"""
    _talks_before_s = 0.0
    _recordings = 0
    _cancelled_for: Outcome | None = None
    _rows_of_stats: dict[int, float] | None = None
    """When each leg had its last, once there is one."""

    def __init__(
        self,
        exchange: Exchange,
        kind: str,
        account: Account | None,
        extension: Extension | None,
        from_: str,
        to: str,
        max_forwards: int = 70,
    ) -> None:
        self.exchange = exchange
        self.id = exchange.new_id()
        self.kind = kind
        self.account = account
        self.extension = extension
        self.from_ = from_
        self.to = to
        self.max_forwards = max_forwards
        self.direct = False
        """SDP is handed through: the media does not pass by us."""
        self.legs: list[Leg] = []
        self.purse: Purse | None = None
        self.talk: Interrupt | None = None
        """While two far ends talk: what ends that talk and begins another (b2bua.transfer)."""
        self.outcome: Outcome | None = None
        self.charged: Micros | None = None
        self.talk_began: float | None = None
        self.talk_ended: float | None = None
        self.now = exchange.now
        """Seconds of the clock that never jumps."""
        self.started = exchange.now()
        self.started_wall = exchange.wall()
        """Unix time of `started`."""
        self.ladder = Ladder(exchange.ladders, self.started, kind not in _KEPT)
        self._task: asyncio.Task[None] | None = None
        self._running = False

    # What legs and flows use

    @cached_property
    def pack(self) -> Pack:
        """The prompts, in the call's language."""
        return self.exchange.pack

    @property
    def core(self) -> SipCore:
        """The SIP core."""
        return self.exchange.core

    @property
    def engine(self) -> Engine:
        """The media engine."""
        return self.exchange.engine

    @property
    def database(self) -> Database:
        """Where money and records are kept."""
        return self.exchange.database

    def wall(self, moment: float) -> float:
        """Unix time of a moment of `now`."""
        return self.started_wall + (moment - self.started)

    @property
    def talk_s(self) -> float:
        """How long the far ends have talked, all talks of the call together."""
        if self.talk_began is None:
            return 0.0
        return self._talks_before_s + (self.now() if self.talk_ended is None else self.talk_ended) - self.talk_began

    @property
    def recorded(self) -> bool:
        """A talk of it was recorded."""
        return self._recordings > 0

    def new_wire(self, leg: Leg) -> str:
        """A fresh Call-ID whose messages are rows of our ladder."""
        exchange = self.exchange
        call_id = exchange.new_id() + exchange.new_id()
        exchange.ladders.wires[call_id] = leg
        return call_id

    def ladder_row(self, kind: Kind, source: int, target: int, title: str, detail: str = "") -> None:
        """One more row."""
        self.ladder.row(self.now(), kind, source, target, title, detail)

    def media_moved(self, leg: LegSound) -> None:
        """Fresh statistics of a leg: a row every few seconds."""
        rows = self._rows_of_stats = self._rows_of_stats or {}
        if self.now() - rows.get(id(leg), self.started) >= _STATS_EVERY_S:
            rows[id(leg)] = self.now()
            self.ladder_row("rtp", leg.lane, RINGBACK, leg.stats_text())

    # Money

    async def hold(self, number: str, limit_s: int | None = None) -> Paid:
        """Set money aside for a call to `number`.  Raises: CreditRefused."""
        assert self.account is not None
        self.purse = Purse(self, self.account.id, limit_s=limit_s)
        return await self.purse.hold(number, also=self.on_hold)

    async def hold_for(self, payer: Extension, number: str) -> Paid:
        """Set money aside for a leg to `number` that `payer` pays, whoever began the call.

        Raises: CreditRefused, also while another number is called at somebody's expense: one at a time.
        """
        account = self.exchange.directory.accounts[payer.account_id]
        if self.purse is not None:
            if self.purse.account_id != account.id or self.purse.busy:
                raise CreditRefused(Outcome.NOT_ALLOWED)
            await self.purse.close_ended()
            return await self.purse.hold(number)
        before = self.account, self.extension
        self.account, self.extension = account, payer
        try:
            return await self.hold(number)
        except CreditRefused:
            self.purse = None
            self.account, self.extension = before
            raise

    def until_over(self, leg: Leg) -> Awaitable[None]:
        """Wait for LegGone, or for MoneySpent when the money, or the longest talk since `leg` answered, ends."""
        return asyncio.Future() if self.purse is None else self._until_spent(self.purse, leg)

    @staticmethod
    async def _until_spent(purse: Purse, leg: Leg) -> None:
        await purse.spend(leg)
        raise MoneySpent

    def metered(self, leg: Leg) -> AbstractContextManager[None]:
        """The same, beside something else that is waited for."""
        return nullcontext() if self.purse is None else self.purse.deadline(leg)

    # Legs

    def rung_by(
        self, invite: IncomingInvite, lane: int, party: str, codecs: Sequence[Codec] = CODECS, *, silent: bool = False,
        seen_ip: str = "",
    ) -> Leg:
        """The leg of a far end that rang us; `silent` is one that is never answered, and needs no media.

        `seen_ip` is its own address where a proxy that we trust is between.

        Raises: PeerError for an offer that cannot be answered.
        """
        leg = Leg(self, lane, party, "in")
        if seen_ip:
            leg.seen_ip = seen_ip
        self.exchange.ladders.wires[invite.call_id] = leg
        self.legs.append(leg)
        leg.invited(invite, codecs, passed=self.direct or silent)
        return leg

    def join(self, a: Leg, b: Leg) -> None:
        """Let two legs hear each other, and nobody else."""
        if a.partner is b:
            return
        if a.partner or b.partner:
            a.part()
            b.part()
        a.partner, b.partner = b, a
        if a.audio and b.audio:
            self.engine.bridge(a.audio.port, b.audio.port)

    def talk_begins(self, now: float) -> None:
        """Two far ends are joined: their time counts from now on."""
        if self.talk_began is not None:
            self._talks_before_s = self.talk_s
        self.talk_began, self.talk_ended = now, None
        self.exchange.changed()

    def talk_ends(self, a: Leg, b: Leg) -> None:
        """They are not joined any more: since the first of them left, or since now."""
        first, other = a.ended_at, b.ended_at
        if first is None or (other is not None and other < first):
            first = other
        self.talk_ended = self.now() if first is None else first

    def record(self, phone: Leg, far: Leg) -> None:
        """Record a talk where calls are recorded: each of a call has a file of its own."""
        more = f"-{self._recordings + 1}" if self._recordings else ""
        path = self.exchange.recording_path(f"{self.id}{more}")
        if path is None or max((phone.call, far.call), key=lambda call: call.started) is not self:
            return  # a talk of two calls is recorded once, by the younger
        if phone.audio and far.audio:
            self._recordings += 1
            self.engine.record(str(path), phone.audio.port, far.audio.port)

    # From start to end

    def start(self, flow: Coroutine[Any, Any, Ended]) -> None:
        """Run the flow as this call's one task."""
        self._task = asyncio.Task(self._run(flow), name=self.id)  # the loop would only look for a factory of tasks

    def cancel(self, why: Outcome = Outcome.CANCELLED) -> bool:
        """End the call from outside; False when it is over."""
        if self._task is None or self._task.done() or self.outcome is not None:
            return False
        self._cancelled_for = self._cancelled_for or why
        if self._running:  # a task cancelled before its first step would never come to its end here
            self._task.cancel()
        return True

    async def ended(self) -> None:
        """Wait until the call is over and written."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self, flow: Coroutine[Any, Any, Ended]) -> None:
        self._running = True
        try:
            if self._cancelled_for is not None:
                flow.close()
                raise asyncio.CancelledError
            outcome, told = self._end_of(await flow)
        except CallError as error:
            outcome, told = self._end_of(error)
        except asyncio.CancelledError:
            outcome, told = self._cancelled_for or Outcome.SHUT_DOWN, _FAULT
        except StoreError as error:
            self.log_error("store-failed", error)
            outcome, told = Outcome.SERVER_ERROR, _FAULT
        except Exception:  # ours: this call ends, the others go on
            log.exception("call=%s event=bug", self.id)
            outcome, told = Outcome.SERVER_ERROR, _FAULT
        self.outcome = outcome
        await self._finish(told)

    def _end_of(self, ended: Outcome | CallError) -> tuple[Outcome, tuple[int, str]]:
        """Its outcome, and the status and the Reason for a far end that still rings us."""
        if isinstance(ended, LegGone):
            outcome = self._outcome_of(ended)
            status, cause = refusal(outcome)
            return outcome, (status, ended.leg.heard_reason or cause)  # RFC 3326: what the one says the other is told
        if isinstance(ended, CallError):
            return ended.outcome, ended.refusal
        return ended, refusal(ended)

    def _outcome_of(self, gone: LegGone) -> Outcome:
        if self.purse is not None and self.purse.spent:
            return Outcome.CREDIT_SPENT
        if gone.why in MEDIA_FAULTS:
            return Outcome.MEDIA_LOST
        if self.talk_began is not None:
            return Outcome.TALKED
        if gone.leg.direction == "in" or gone.leg.call is not self:
            return Outcome.CANCELLED
        if self.kind == "callback":
            return Outcome.CALLER_LEFT
        if self.kind == "code":
            return Outcome.CODE_UNHEARD
        return Outcome.PHONE_LEFT if gone.leg.lane == EXTENSION else Outcome.VISITOR_LEFT

    async def _finish(self, told: tuple[int, str]) -> None:
        """Hang up everything, settle and write, then wait for the last of the media.

        `told` is the status and the Reason for a far end that still rings us.
        """
        status, cause = told
        try:
            for leg in self.legs:
                try:  # a fault in one leg leaves no other up, and no money held
                    leg.hangup(status, cause)
                    if leg.scopes:  # another call counts on it
                        leg.expire()
                except Exception:
                    log.exception("call=%s event=bug", self.id)
            self.ladder_row("event", RINGBACK, RINGBACK, f"ended: {self.outcome}")
            try:
                await self.write()
            except Exception as error:  # what the database does not take now is offered again until it does
                self.log_error("not-settled", error)
                self.exchange.unsettled[self.id] = self
            closing = [leg.closed for leg in self.legs if leg.closed is not None and not leg.closed.done()]
            if closing:
                await asyncio.wait(closing, timeout=2.0)
            if self.kind in _KEPT:
                await self._keep_ladder()
        finally:
            self.ladder.end()
            self.exchange.call_over(self)

    async def _keep_ladder(self) -> None:
        """Write the ladder down, for whoever asks why (SPEC A12.5)."""
        rows, at = self.ladder.rows(), self.wall(self.started)
        try:
            await self.database.run(lambda conn: journal.write_ladder(conn, self.id, at, rows))
        except StoreError as error:
            self.log_error("ladder-not-kept", error)

    async def write(self) -> None:
        """Settle and write the record, in one transaction.  Raises: StoreError."""
        ended = self.wall(self._ended_at())
        if self.purse is None and self.on_outcome is None:
            self.charged = FREE
            row, legs = journal.kept(*records(self, ended, []))
            post = self.exchange.database.post
            post(journal.INSERT_CALL, [row])
            if legs:
                post(journal.INSERT_LEG, legs)
            return

        def job(conn: Connection) -> Micros:
            held, costs = self._settle(conn, ended)
            row, legs = records(self, ended, costs)
            journal.write_call(conn, row, legs)
            self.charged = row.cost
            if self.on_outcome is not None:
                self.on_outcome(conn, held)
            return row.cost

        self.charged = await self.database.run(job)

    def _settle(self, conn: Connection, at: float) -> tuple[bool, list[tuple[Leg | None, Micros]]]:
        """Whether money was held, and what each leg that is paid for is charged."""
        if self.purse is None:
            return False, []
        costs = self.purse.settle(conn, at)
        # who gave up while a hold was being placed did not hear of it; jobs are done in their order, so it is there
        lost = ledger.holds_of(conn, self.id) if self.purse.unheard else []
        for hold in lost:
            ledger.settle(conn, hold.id, Micros(0), at)
        return bool(costs or lost), costs

    def _ended_at(self) -> float:
        return max(filter(None, map(_ENDED_AT, self.legs)), default=self.now())

    def log_event(self, event: str) -> None:
        """One line of what happened; never a digit of a secret."""
        log.info("call=%s event=%s", self.id, event)

    def log_error(self, event: str, error: Exception) -> None:
        """One line for the operator."""
        log.error("call=%s event=%s error=%s: %s", self.id, event, type(error).__name__, error)

    def forget(self) -> None:
        """Nobody looks at it any more: without its circle of legs the memory is free now, not at some collection."""
        self.exchange.ladders.drop(self.ladder)
        for leg in self.legs:
            leg.forget()
        self.legs.clear()

    def forget_wires(self) -> None:
        """The call is over: late messages find no ladder."""
        wires = self.exchange.ladders.wires
        for leg in self.legs:
            if leg.usage is not None:
                wires.pop(leg.usage.call_id, None)
