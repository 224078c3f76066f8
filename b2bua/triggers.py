"""Triggers of callback numbers: how many ring at once, which repeat another, and what of them is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from sqlalchemy import Connection

from b2bua.outcome import NotAdmitted, Outcome
from b2bua.payment import Paid, Purse
from b2bua.rules.callback_admission import Facts, Trigger, admit_callback, proven_trigger
from b2bua.rules.meter import WARNED
from b2bua.rules.routing import route, sell_rate
from b2bua.rules.spelling import abroad
from b2bua.stir.verdict import Verdict
from sip_stack.incoming import Incoming
from store import callers, journal, ledger, lockouts
from store.errors import StoreError
from store.values import Account, AuthorisedCaller, CallbackSettings, Extension, Micros, Trunk

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg

__all__ = [
    "MOST_RINGING", "CallbackRequest", "Served", "Triggers", "admit", "judge", "note_ringing", "turned_away",
    "written",
]  # fmt: skip

MOST_RINGING = 1000
"""Triggers that ring or wait for their call back at once: a flood of them cannot exhaust us."""
_DAY_S = 86_400.0


class Triggers:
    """The triggers not yet answered by a call back; of each number one alone is called back."""

    def __init__(self) -> None:
        self._taken: dict[tuple[int, str], CallbackRequest] = {}
        self._turns: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()
        self.waiting = 0

    @contextmanager
    def wait(self, want: CallbackRequest) -> Iterator[None]:
        """From its first ring until it is answered by a call back, or never will be."""
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1
            if self._taken.get(want.key) is want:
                del self._taken[want.key]

    def taken(self, want: CallbackRequest) -> bool:
        """The number is called back already, for another trigger."""
        return self._taken.get(want.key, want) is not want

    def take(self, want: CallbackRequest) -> None:
        """This trigger is the one that is called back.  Raises: NotAdmitted where another is."""
        if self._taken.setdefault(want.key, want) is not want:
            raise NotAdmitted(Outcome.ALREADY_PENDING)

    def turn(self, want: CallbackRequest) -> asyncio.Lock:
        """To be held while a secret of the number is judged: legs up at once have no more tries than one (SPEC H12)."""
        return self._turns.setdefault(want.key, asyncio.Lock())


@dataclass(slots=True, eq=False)
class CallbackRequest:
    """One trigger: who rings which callback number, and whom a call back would ring."""

    extension: Extension
    account: Account
    rung: Leg
    trigger: Trigger
    number: str
    """The number to ring back, where `callable`."""
    callable: bool
    triggers: Triggers
    verdict: asyncio.Task[Verdict] | None = None
    """What its signature is worth, when that is known; None: it is not looked at."""
    must_be_proven: bool = False

    @property
    def settings(self) -> CallbackSettings:
        """Of the callback number."""
        return self.extension.callback

    @property
    def key(self) -> tuple[int, str]:
        """What one call back at a time is for."""
        return self.extension.id, self.number


@dataclass(frozen=True, slots=True)
class Served:
    """A trigger that is called back."""

    row: AuthorisedCaller | None
    """The active authorised CallerID that it is; None: the owner pays."""
    paid: Paid | None
    """None: the leg back is free."""

    @property
    def language(self) -> str:
        """The caller's own; empty: the callback number's."""
        return self.row.language if self.row else ""


async def note_ringing(want: CallbackRequest, call: Call) -> None:
    """Write the trigger down before it is heard to ring, so that not even `kill -9` leaves one without a record."""
    record = replace(_record(want, call), reason=journal.RINGING)
    try:
        await call.database.run(lambda conn: journal.open_request(conn, record))
    except StoreError as error:  # it may be well again when the ringing ends
        call.log_error("ringing-not-noted", error)


async def judge(want: CallbackRequest) -> None:
    """Whose signature proves nothing is a stranger, however much the trunk is trusted (SPEC A12.9)."""
    if want.verdict is not None:
        want.trigger = proven_trigger(want.trigger, await want.verdict, must=want.must_be_proven)


async def admit(want: CallbackRequest, call: Call) -> Served:
    """Decide now; where the caller is called back, hold the money and open the record in one transaction.

    Raises: NotAdmitted, CreditRefused.
    """
    facts = await call.database.read(_facts(want, call))
    reason = admit_callback(want.settings, want.trigger, want.number, facts)
    if reason is not None:
        raise NotAdmitted(reason)
    want.triggers.take(want)  # others of the number may have been looked at in the same moment
    row = facts.row if facts.row is not None and facts.row.enabled else None
    call.purse = _purse(want, call, row.account_id if row else want.account.id)
    record = _record(want, call)
    if want.settings.pay_call_back == "no":
        await call.database.run(lambda conn: journal.serve_request(conn, record))
        return Served(row, None)
    return Served(row, await call.purse.hold(want.number, "back", lambda conn: journal.serve_request(conn, record)))


def _facts(want: CallbackRequest, call: Call) -> Callable[[Connection], Facts]:
    exchange, settings, extension = call.exchange, want.settings, want.extension
    now = exchange.wall()
    rate = sell_rate(exchange.directory, want.account, want.number, now)
    routed = bool(route(exchange.directory, want.number, now))

    def read(conn: Connection) -> Facts:
        row = callers.find_caller(conn, extension.id, want.trigger.number) if want.trigger.listed else None
        payer = row.account_id if row is not None and row.enabled else want.account.id
        until = lockouts.locked_until(
            conn, extension.id, want.number, lock_after=settings.lock_after, lock_s=settings.lock_s, at=now
        )
        counted = None if settings.return_to == "fixed" else want.trigger.number
        return Facts(
            row=row,
            repeated=want.triggers.taken(want),
            locked=until is not None,
            calls_today=journal.count_triggers(conn, extension.number, counted, now - _DAY_S),
            used_today=ledger.used_since(conn, extension.number, now - _DAY_S),
            available=ledger.balance(conn, payer).available,
            rate=rate,
            callable=want.callable,
            routed=routed,
            abroad=abroad(want.number, want.account.dial_plan),
        )

    return read


def _purse(want: CallbackRequest, call: Call, payer: int) -> Purse:
    """The matched caller's wallet, else the owner's account (SPEC H4, H19); within the money of the day (A12.2)."""
    settings, since = want.settings, call.exchange.wall() - _DAY_S
    most = settings.money_a_day

    def room(conn: Connection) -> Micros:
        return Micros((most or 0) - ledger.used_since(conn, want.extension.number, since))

    return Purse(
        call, payer, limit_s=settings.longest_call_s, foresight=WARNED, room=None if most is None else room,
        only_with_second=settings.pay_call_back == "both",
    )  # fmt: skip


def _record(want: CallbackRequest, call: Call) -> journal.RequestRecord:
    usage = want.rung.usage
    return _row(call, want.trigger, usage.hop.host if usage else "", want.rung.party)


def _row(call: Call, trigger: Trigger, source_ip: str, trunk: str) -> journal.RequestRecord:
    return journal.RequestRecord(
        call.id, call.wall(call.started), "", call.extension.number if call.extension else "", trigger.name[:80],
        trigger.number[:40], source_ip, call_id=call.id, kind="callback", trunk=trunk,
    )  # fmt: skip


def turned_away(call: Call, trigger: Trigger, incoming: Incoming, trunk: Trunk) -> journal.RequestRecord:
    """The row of a trigger for which we have no room."""
    row = _row(call, trigger, incoming.source.host, trunk.name)
    return replace(row, reason=Outcome.CONGESTED, ended=row.at)


def written(want: CallbackRequest, call: Call) -> Callable[[Connection, bool], None]:
    """What the transaction that ends the call writes of the trigger: its one reason (SPEC A12.5)."""
    record = _record(want, call)

    def write(conn: Connection, held: bool) -> None:
        reason, cost, at = str(call.outcome), call.charged or Micros(0), call.exchange.wall()
        if not journal.close_request(conn, call.id, reason, cost, at):
            journal.open_request(conn, replace(record, reason=reason, cost=cost, ended=at))

    return write
