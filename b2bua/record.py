"""What is written of an ended call: the call, its legs, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from store.journal import CallRecord, LegRecord, total
from store.rates import price
from store.values import Micros

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg

__all__ = ["records"]


def records(
    call: Call, ended: float, costs: Sequence[tuple[Leg | None, Micros]]
) -> tuple[CallRecord, list[LegRecord]]:
    """The row of the call, and those of its legs in the order they began, each with what it cost.

    `ended` is Unix time.
    """
    account, cost_of = call.account, {id(leg): cost for leg, cost in costs}
    legs = [_leg_record(call, leg, cost_of.get(id(leg), Micros(0))) for leg in call.legs]
    return CallRecord(
        call.id, call.kind, account.id if account else None, call.wall(call.started),
        call.extension.number if call.extension else "", call.from_, call.to, ended, str(call.outcome),
        round(call.talk_s * 1000), Micros(sum([cost for _, cost in costs])), account.currency if account else "",
        total([leg.buy for leg in legs]), str(call.verdict or ""),
    ), legs  # fmt: skip


def _leg_record(call: Call, leg: Leg, cost: Micros) -> LegRecord:
    answered, ended, talk_s, wall = leg.answered_at, leg.ended_at, leg.talk_s, call.wall
    return LegRecord(
        call.id, leg.lane, leg.direction, wall(leg.invited_at), leg.from_, leg.to, leg.party,
        None if answered is None else wall(answered), None if ended is None else wall(ended), leg.status,
        leg.left, round(talk_s * 1000), cost,
        # what it cost us, by the trunk's own clock: until its BYE
        None if leg.buy_rate is None or answered is None else price(leg.buy_rate, talk_s),
    )  # fmt: skip
