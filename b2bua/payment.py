"""The money of one leg: held before it is dialled, extended while it talks, settled once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from b2bua.meter import charge, next_hold, talk_seconds
from store import ledger
from store.errors import StoreError
from store.values import Micros, Rate

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg

__all__ = ["Payment"]


class Payment:
    """One hold and its rate; `limit_s` is the longest talk whatever the credit."""

    def __init__(self, call: Call, hold: ledger.Hold, rate: Rate, limit_s: int | None) -> None:
        self._call = call
        self._rate = rate
        self._limit_s = limit_s
        self.hold_id = hold.id
        self.held = hold.amount
        self.leg: Leg | None = None
        """Who is paid for, once it is dialled."""
        self.marked = False
        """The database knows when the leg answered."""

    @property
    def running(self) -> bool:
        """The leg that is paid for is up."""
        return self.leg is not None and self.leg.answered_at is not None and self.leg.ended_at is None

    async def mark(self) -> None:
        """Write down that the leg answered: from here on a crash is charged.  Raises: StoreError."""
        assert self.leg is not None
        assert self.leg.answered_at is not None
        answered = self._call.exchange.steady(self.leg.answered_at)
        await self._call.database.run(lambda conn: ledger.mark_answered(conn, self.hold_id, answered))
        self.marked = True

    async def spend(self, leg: Leg) -> None:
        """Return at the second the money, or the longest talk, ends; asks for more money in time."""
        while (plan := next_hold(self._rate, self.held, leg.talk_s, self._limit_s)) is not None:
            await self._until(leg, plan.at_s)
            await self._extend(leg, plan.more)
        await self._until(leg, self._end_s())

    def settle(self, conn: Connection, at: float) -> ledger.Settlement:
        """Charge what was talked and give the rest back; inside the transaction that writes the record."""
        due = Micros(0)
        if self.leg is not None and self.leg.answered_at is not None:
            talked_s = self.leg.talk_s  # a cut at the limit comes some milliseconds late, and they are free
            due = charge(self._rate, min(talked_s, self._limit_s or talked_s), self.held)
        return ledger.settle(conn, self.hold_id, due, at)

    def _end_s(self) -> float | None:
        ends = [s for s in (talk_seconds(self.held, self._rate), self._limit_s) if s is not None]
        return min(ends) if ends else None

    async def _extend(self, leg: Leg, more: Micros) -> None:
        """Ask for more money; a database that fails or dawdles changes nothing, least of all the second of the cut."""
        exchange, end_s = self._call.exchange, self._end_s()
        at = exchange.steady(exchange.now())
        try:
            async with asyncio.timeout(None if end_s is None else max(0.0, end_s - leg.talk_s)):
                granted = await exchange.database.run(lambda conn: ledger.extend_hold(conn, self.hold_id, more, at))
        except (StoreError, TimeoutError) as error:
            self._call.log_error("not-extended", error)
        else:
            self.held = Micros(self.held + granted)

    async def _until(self, leg: Leg, talked_s: float | None) -> None:
        if talked_s is None:
            await asyncio.get_running_loop().create_future()  # whoever hangs up ends this wait
        else:
            await asyncio.sleep(max(0.0, talked_s - leg.talk_s))
