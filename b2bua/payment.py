"""The money of one leg: held before it is dialled, extended while it talks, settled once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from b2bua.meter import charge, next_hold, talk_seconds
from store import ledger
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

    async def spend(self, leg: Leg) -> None:
        """Return at the second the money, or the longest talk, ends; asks for more money in time."""
        assert leg.answered_at is not None
        answered = self._call.wall(leg.answered_at)
        await self._call.database.run(lambda conn: ledger.mark_answered(conn, self.hold_id, answered))
        while (plan := next_hold(self._rate, self.held, leg.talk_s, self._limit_s)) is not None:
            await self._until(leg, plan.at_s)
            self.held = Micros(self.held + await self._extend(plan.more))
        await self._until(leg, self._end_s())

    def settle(self, conn: Connection, at: float) -> ledger.Settlement:
        """Charge what was talked and give the rest back; inside the transaction that writes the record."""
        talked = self.leg.talk_s if self.leg else 0.0
        answered = self.leg is not None and self.leg.answered_at is not None
        due = charge(self._rate, talked, self.held) if answered else Micros(0)
        return ledger.settle(conn, self.hold_id, due, at)

    def _end_s(self) -> float | None:
        ends = [s for s in (talk_seconds(self.held, self._rate), self._limit_s) if s is not None]
        return min(ends) if ends else None

    async def _extend(self, more: Micros) -> Micros:
        at = self._call.wall(self._call.now())
        return await self._call.database.run(lambda conn: ledger.extend_hold(conn, self.hold_id, more, at))

    async def _until(self, leg: Leg, talked_s: float | None) -> None:
        if talked_s is None:
            await asyncio.get_running_loop().create_future()  # whoever hangs up ends this wait
        else:
            await asyncio.sleep(max(0.0, talked_s - leg.talk_s))
