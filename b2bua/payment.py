"""The purse of a call: a hold for each leg that is paid for, one last moment for all, each leg settled once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from b2bua.interrupt import Interrupt
from b2bua.outcome import CreditRefused, MoneySpent, Outcome
from b2bua.rules.meter import PLAIN, Foresight, Metered, first_hold, last_moment, moves, needs, next_step
from b2bua.rules.routing import sell_rate
from b2bua.rules.tariff import covers, free_pool
from store import ledger
from store.errors import NoCredit, StoreError
from store.values import Micros, Rate

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg

__all__ = ["Paid", "Purse"]

_LAST_MOMENT_S = 0.5
"""So near the end, more money is asked for the last time."""


class Paid:
    """The money of one leg: its hold and its rate."""

    __slots__ = ("at", "due", "held", "hold_id", "leg", "marked", "offer", "pool", "rate")

    def __init__(self, hold: ledger.Hold, rate: Rate, at: float, pool: ledger.FreePool | None) -> None:
        self.hold_id = hold.id
        self.held = hold.amount
        self.rate = self.offer = rate
        """What is paid, and what the hold was placed for: where each trunk has its price, one below none of them."""
        self.at = at
        """Unix time of the price."""
        self.pool = pool
        """Where its free seconds come from."""
        self.leg: Leg | None = None
        """Who is paid for, once it is dialled."""
        self.marked = False
        """The database knows when the leg answered."""
        self.due: Micros | None = None
        """What it costs, once it is over for good."""

    @property
    def metered(self) -> Metered:
        """As the meter sees it."""
        return Metered(self.rate, self.leg.answered_at, self.leg.ended_at) if self.leg else Metered(self.rate)

    def takes(self, rate: Rate) -> bool:
        """From here on this rate of one trunk is paid; False where the hold was not placed for as much."""
        if covered := covers(self.offer, rate):
            self.rate = replace(rate, free_s=self.rate.free_s)
        return covered

    def talked_s(self, until: float) -> float:
        """How long it has been up at a moment."""
        if self.leg is None or self.leg.answered_at is None:
            return 0.0
        ended = self.leg.ended_at
        return max(0.0, (until if ended is None else min(until, ended)) - self.leg.answered_at)

    @property
    def answered(self) -> bool:
        """It is up, or was."""
        return self.leg is not None and self.leg.answered_at is not None

    @property
    def running(self) -> bool:
        """It is up."""
        return self.leg is not None and self.leg.answered_at is not None and self.leg.ended_at is None


Holdings = list[tuple[Paid, Micros]]
"""What each leg holds after a job, to be noted once the job is done for good."""
Place = Callable[[Connection], Holdings]


class Purse:
    """What one account holds for one call; all moments are those of `Call.now`."""

    __slots__ = (
        "_call", "_foresight", "_limit_at", "_limit_s", "_names", "_only_with_second", "_room", "_turn", "account_id",
        "paid", "spent", "unheard",
    )  # fmt: skip

    def __init__(
        self, call: Call, account_id: int, *, limit_s: int | None = None, foresight: Foresight = PLAIN,
        room: Callable[[Connection], Micros] | None = None, only_with_second: bool = False,
    ) -> None:  # fmt: skip
        """`limit_s` is the longest talk whatever the credit, `room` what else bounds the money held.

        `only_with_second`: the first leg is free unless a second one answers (SPEC H5, "both").
        """
        self._call = call
        self.account_id = account_id
        self._limit_s = limit_s
        self._limit_at: float | None = None
        self._foresight = foresight
        self._room = room
        self._only_with_second = only_with_second
        self._names: dict[str, int] = {}
        self.paid: list[Paid] = []
        self.unheard = 0
        """Holds asked for whose answer nobody has heard."""
        self.spent = False
        """The money, or the longest talk, has come to its end."""
        self._turn: asyncio.Future[bool] | None = None

    # Before a leg is dialled

    async def hold(
        self, number: str, name: str = "pstn", also: Callable[[Connection], None] | None = None
    ) -> Paid:
        """Set money aside for a leg to `number`; `also` is written in the same transaction.  Raises: CreditRefused."""
        call = self._call
        assert call.account is not None
        at = call.exchange.wall()
        rate = sell_rate(call.exchange.directory, call.account, number, at)
        if rate is None:
            raise CreditRefused(Outcome.NO_RATE)
        place = self._placing(name, number, rate, at)

        def job(conn: Connection) -> Holdings:
            holdings = place(conn)
            if also is not None:
                also(conn)
            return holdings

        self.unheard += 1
        try:
            holdings = await call.database.run(job)
        except NoCredit as refusal:
            self.unheard -= 1
            raise CreditRefused(Outcome.NO_CREDIT) from refusal
        except CreditRefused:
            self.unheard -= 1
            raise
        self.unheard -= 1
        _note(holdings)
        self.paid.append(holdings[-1][0])
        self._moved()
        return self.paid[-1]

    async def left(self) -> Micros | None:
        """What its account can still pay, what this call has cost up to now taken off; None: no limit."""
        balance = await self._call.database.read(lambda conn: ledger.balance(conn, self.account_id))
        return None if balance.available is None else Micros(balance.available + self.held - self._owed())

    def _pool(self, number: str, at: float) -> ledger.FreePool | None:
        """The free minutes are the account's own: a caller with credit of his own has none."""
        account = self._call.account
        if account is None or account.id != self.account_id:
            return None
        return free_pool(self._call.exchange.directory, account, number, at)

    def _placing(self, name: str, number: str, offer: Rate, wall: float) -> Place:
        """The job that places a hold: from the account, and where that has no more, from what other legs spare.

        It raises: NoCredit; CreditRefused where `room` is used up.
        """
        call, others, first_s, pool = self._call, self._open(), self._foresight.first_s, self._pool(number, wall)
        self._names[name] = nth = self._names.get(name, 0) + 1
        leg = name if nth == 1 else f"{name}-{nth}"
        at, now = call.wall(call.now()), call.now()
        extension = call.extension.number if call.extension else ""
        needed = [needs(paid.metered, now) for paid in others]

        def job(conn: Connection) -> Holdings:
            free_s = min(first_s, ledger.free_left(conn, self.account_id, pool)) if pool else 0
            rate = replace(offer, free_s=free_s) if free_s else offer
            plan = first_hold(rate, first_s)
            amount, wanted = plan.amount, [*needed, plan.least]
            if self._room is not None and (amount := min(amount, self._room(conn))) < plan.least:
                raise CreditRefused(Outcome.MONEY_TODAY)
            hold = ledger.place_hold(
                conn, call_id=call.id, leg=leg, account_id=self.account_id, rate=rate, amount=amount,
                least=Micros(0) if others else plan.least, at=at, extension=extension, number=number,
                free_period=pool.period if pool else "",
            )  # fmt: skip
            holdings = [*self._kept(conn, others), (Paid(hold, rate, wall, pool), hold.amount)]
            lack = sum(wanted) - sum(held for _, held in holdings)
            if lack > 0:
                raise NoCredit(self.account_id, plan.least, Micros(plan.least - lack))
            return _shared(conn, holdings, wanted)

        return job

    # While legs are up

    def answered(self) -> None:
        """A leg that is paid for answered: from here on a crash is charged."""
        self._moved()
        self._call.exchange.keep(self.mark())  # a heartbeat repeats it where it fails

    async def mark(self) -> None:
        """Write down when legs answered.  Raises: StoreError."""
        for paid in self.running:
            if not paid.marked and paid.leg is not None and paid.leg.answered_at is not None:
                await self._call.database.run(partial(
                    ledger.mark_answered, hold_id=paid.hold_id, at=self._call.exchange.steady(paid.leg.answered_at),
                    rate=None if paid.rate is paid.offer else paid.rate, trunk=paid.leg.party, buy=paid.leg.buy_rate,
                ))  # fmt: skip
                paid.marked = True

    @property
    def running(self) -> list[Paid]:
        """The legs that are up and cost money as things stand."""
        return [paid for paid in self.paid if paid.running and self._counts(paid)]

    @property
    def held(self) -> Micros:
        """What is set aside for the legs that are not over."""
        return Micros(sum(paid.held for paid in self._open()))

    async def spend(self, leg: Leg) -> None:
        """Return at the moment the money, or the longest talk since `leg` answered, ends.

        Asks for more money in time, and warns `leg` where the foresight says so.
        """
        if self._limit_s is not None and leg.answered_at is not None:
            self._limit_at = leg.answered_at + self._limit_s
        asked: float | None = None
        while True:
            end, now = self._end(), self._call.now()
            if end is not None and now >= end:
                break
            step = next_step(end, now, self._foresight, limited=end == self._limit_at, asked=asked)
            if not await self._until(step.at):
                continue
            if step.do == "end":
                break
            if step.do == "warn":
                leg.beep()
            elif end is not None:
                asked = end
                await self._ask(end)
        self.spent = True

    @contextmanager
    def deadline(self, leg: Leg) -> Iterator[None]:
        """End the block by MoneySpent when `spend` returns."""
        with Interrupt() as interrupt:
            watch = asyncio.get_running_loop().create_task(self._watch(leg, interrupt))
            try:
                yield
            finally:
                watch.cancel()

    async def _watch(self, leg: Leg, interrupt: Interrupt) -> None:
        try:
            await self.spend(leg)
        except Exception as error:  # a fault of ours ends the call: nobody talks without a meter
            interrupt.fire(error)
        else:
            interrupt.fire(MoneySpent())

    async def _ask(self, end: float) -> None:
        """Ask for more money; a database that fails or dawdles changes nothing, least of all the moment of the cut."""
        call, legs = self._call, self._open()
        horizon = min(at for at in (end + self._foresight.ahead_s, self._limit_at) if at is not None)
        now, at, before = call.now(), call.exchange.steady(call.now()), [paid.metered for paid in legs]

        def job(conn: Connection) -> tuple[Holdings, list[Metered]]:
            kept = self._kept(conn, legs)
            metered = _with_more_free(conn, legs, before, now, horizon)
            lacks = [needs(leg, horizon) - held for leg, (_, held) in zip(metered, kept, strict=True)]
            # one that rings keeps what it holds
            more = sum(max(0, lack) if leg.began is None else lack for leg, lack in zip(metered, lacks, strict=True))
            more = max(0, more if self._room is None else min(more, self._room(conn)))
            *others, (last, held) = kept
            granted = ledger.extend_hold(conn, last.hold_id, Micros(more), at)
            holdings = [*others, (last, Micros(held + granted))]
            until = min(horizon, last_moment(metered, Micros(sum(held for _, held in holdings))) or horizon)
            return _shared(conn, holdings, [needs(leg, until) for leg in metered]), metered

        try:
            async with asyncio.timeout(max(0.0, end - call.now())):
                holdings, metered = await call.database.run(job)
                _note(holdings)
                for paid, leg in zip(legs, metered, strict=True):
                    paid.rate = leg.rate
        except StoreError as error:
            call.log_error("not-extended", error)
        except TimeoutError as error:
            if end - now < _LAST_MOMENT_S:  # it was asked before, and answered: this was the last try
                call.log_event("not-extended-in-time")
            else:
                call.log_error("not-extended", error)

    def correct(self, amounts: dict[int, Micros]) -> None:
        """Somebody else has taken back what was held and not yet talked (SPEC H9)."""
        for paid in self._open():
            if paid.hold_id in amounts:
                paid.held = amounts[paid.hold_id]
                self._moved()

    # When legs are over

    async def close_ended(self) -> None:
        """Charge every leg that is over, and give its money back, so that the next leg can use it."""
        for paid in self._open():
            if paid.leg is None or paid.leg.ended_at is not None:
                await self._close(paid)

    @property
    def busy(self) -> bool:
        """Something is being paid for, or is about to be."""
        return self.unheard > 0 or any(paid.leg is None or paid.leg.ended_at is None for paid in self._open())

    async def keep_only(self, leg: Leg) -> None:
        """What was dialled beside `leg` is given up, and costs nothing even where it answered in the same moment."""
        for paid in self._open():
            if paid.leg is leg:
                continue
            if paid.leg is not None:
                paid.leg.hangup()
                paid.leg.answered_at = None
            await self._close(paid)

    async def _close(self, paid: Paid) -> None:
        stop = self._stop()
        paid.due, talked_s = self._due(paid, stop), self._talked_s(paid, stop)
        at, others = self._call.wall(self._call.now()), self._open()
        wanted = [*(needs(other.metered, self._call.now()) for other in others), paid.due]

        def job(conn: Connection) -> Holdings:
            holdings = _shared(conn, self._kept(conn, (*others, paid)), wanted)
            ledger.settle(conn, paid.hold_id, wanted[-1], at, talked_s)
            return holdings

        try:
            _note(await self._call.database.run(job))
        except StoreError as error:  # the end of the call settles it
            self._call.log_error("not-settled", error)
        self._moved()

    def settle(self, conn: Connection, at: float) -> list[tuple[Leg | None, Micros]]:
        """Charge what was talked and give the rest back, inside the transaction that writes the record.

        What each leg cost; a leg that was settled before keeps what it was charged.
        """
        known = {}
        if len(self.paid) > 1 or any(paid.pool for paid in self.paid):  # something may have been moved unheard
            known = {hold.id: hold for hold in ledger.holds_of(conn, self._call.id)}
        for paid in self.paid:
            if paid.pool and paid.hold_id in known:
                paid.rate = replace(paid.rate, free_s=known[paid.hold_id].free_s)
        stop = self._stop()
        dues = [self._due(paid, stop) if paid.due is None else paid.due for paid in self.paid]
        if len(self.paid) > 1:
            open_ = [(paid, due) for paid, due in zip(self.paid, dues, strict=True) if paid.hold_id in known]
            _shared(conn, [(paid, known[paid.hold_id].amount) for paid, _ in open_], [due for _, due in open_])
        return [
            (paid.leg, ledger.settle(conn, paid.hold_id, due, at, self._talked_s(paid, stop)).charged)
            for paid, due in zip(self.paid, dues, strict=True)
        ]

    # Inside

    def _kept(self, conn: Connection, legs: Sequence[Paid]) -> Holdings:
        """What the legs hold by the database, which a job must trust: a reduction may be unheard (SPEC H9)."""
        amounts = {hold.id: hold.amount for hold in ledger.holds_of(conn, self._call.id)}
        return [(paid, amounts.get(paid.hold_id, Micros(0))) for paid in legs]

    def _open(self) -> list[Paid]:
        return [paid for paid in self.paid if paid.due is None]

    def _end(self) -> float | None:
        money = last_moment([paid.metered for paid in self._open()], self.held)
        return min((at for at in (money, self._limit_at) if at is not None), default=None)

    def _stop(self) -> float:
        """Until when legs are charged: a cut comes some milliseconds late, and they are free."""
        end, now = self._end(), self._call.now()
        return now if end is None else min(now, end)

    def _owed(self) -> Micros:
        """What the legs that are not closed have cost up to now."""
        now = self._call.now()
        return Micros(sum(self._due(paid, now) for paid in self._open()))

    def _due(self, paid: Paid, stop: float) -> Micros:
        return needs(paid.metered, stop) if paid.answered and self._counts(paid) else Micros(0)

    def _talked_s(self, paid: Paid, stop: float) -> float:
        """What it uses up of its free seconds."""
        return paid.talked_s(stop) if self._counts(paid) else 0.0

    def _counts(self, paid: Paid) -> bool:
        """False while the first leg is free for want of a second."""
        return not self._only_with_second or paid is not self.paid[0] or any(other.answered for other in self.paid[1:])

    def _moved(self) -> None:
        """What the end depends on has changed."""
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(False)

    async def _until(self, moment: float | None) -> bool:
        """Wait; False where something changed meanwhile."""
        loop = asyncio.get_running_loop()
        left = None if moment is None else moment - self._call.now()
        if left is not None and left <= 0:
            return True
        turn: asyncio.Future[bool] = loop.create_future()
        self._turn = turn
        timer = None if left is None else loop.call_later(left, _come, turn)
        try:
            return await turn
        finally:
            self._turn = None
            if timer is not None:
                timer.cancel()


def _come(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(True)


def _note(holdings: Holdings) -> None:
    for paid, held in holdings:
        paid.held = held


def _with_more_free(
    conn: Connection, legs: Sequence[Paid], metered: Sequence[Metered], now: float, horizon: float
) -> list[Metered]:
    """Set more free seconds aside for each leg that has not come to the end of those it has."""
    found = []
    for paid, leg in zip(legs, metered, strict=True):
        free_s = leg.rate.free_s
        if paid.pool and leg.began is not None and leg.ended is None and now - leg.began <= free_s:
            free_s += ledger.extend_free(conn, paid.hold_id, paid.pool, ceil(horizon - leg.began) - free_s)
        found.append(leg._replace(rate=replace(leg.rate, free_s=free_s)) if free_s > leg.rate.free_s else leg)
    return found


def _shared(conn: Connection, holdings: Holdings, wanted: Sequence[Micros]) -> Holdings:
    """Move money between the holds of one call so that each leg has what it wants, where together they have it."""
    held = [amount for _, amount in holdings]
    for from_, to, amount in moves(wanted, held):
        moved = ledger.move_held(conn, holdings[from_][0].hold_id, holdings[to][0].hold_id, amount)
        held[from_], held[to] = Micros(held[from_] - moved), Micros(held[to] + moved)
    return [(paid, amount) for (paid, _), amount in zip(holdings, held, strict=True)]
