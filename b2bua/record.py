"""What is written of an ended call: the call, its legs, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from store.journal import CallRecord, LegRecord, total
from store.rates import price
from store.values import Micros

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg

__all__ = ["call_record", "leg_records"]


def call_record(call: Call, ended: float, cost: Micros) -> CallRecord:
    """The row of the call; `ended` is Unix time."""
    account = call.account
    return CallRecord(
        call.id, call.kind, account.id if account else None, call.wall(call.started),
        call.extension.number if call.extension else "", call.from_, call.to, ended, str(call.outcome),
        round(call.talk_s * 1000), cost, account.currency if account else "", total(map(_buy, call.legs)),
        str(call.verdict or ""),
    )  # fmt: skip


def leg_records(call: Call, costs: Sequence[tuple[Leg | None, Micros]]) -> list[LegRecord]:
    """The rows of its legs, in the order they began, each with what it cost."""
    cost_of = {id(leg): cost for leg, cost in costs}
    rows = [(leg, _leg_record(call, leg)) for leg in call.legs]
    return [replace(row, cost=cost_of[id(leg)]) if id(leg) in cost_of else row for leg, row in rows]


def _leg_record(call: Call, leg: Leg) -> LegRecord:
    def wall(moment: float | None) -> float | None:
        return None if moment is None else call.wall(moment)

    return LegRecord(
        call.id, leg.lane, leg.direction, call.wall(leg.invited_at), leg.from_, leg.to, leg.party,
        wall(leg.answered_at), wall(leg.ended_at), leg.status, leg.left, round(leg.talk_s * 1000), buy=_buy(leg),
    )  # fmt: skip


def _buy(leg: Leg) -> Micros | None:
    """What it cost us, by the trunk's own clock: until its BYE."""
    return None if leg.buy_rate is None or leg.answered_at is None else price(leg.buy_rate, leg.talk_s)
