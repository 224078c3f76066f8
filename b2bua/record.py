"""What is written of an ended call: the call, its legs, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from store.journal import CallRecord, LegRecord
from store.rates import price
from store.values import Micros

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg

__all__ = ["FREE", "records"]

FREE = Micros(0)


def records(
    call: Call, ended: float, costs: Sequence[tuple[Leg | None, Micros]]
) -> tuple[CallRecord, list[LegRecord]]:
    """The row of the call, and those of its legs in the order they began, each with what it cost.

    `ended` is Unix time.
    """
    account, extension, verdict = call.account, call.extension, call.verdict
    call_id, began, zero = call.id, call.started_wall, call.started
    cost_of = {id(leg): cost for leg, cost in costs}
    legs: list[LegRecord] = []
    bought: list[Micros] = []
    for leg in call.legs:
        answered, left, talk_s, buy = leg.answered_at, leg.ended_at, leg.talk_s, None
        if leg.buy_rate is not None and answered is not None:
            buy = price(leg.buy_rate, talk_s)  # what it cost us, by the trunk's own clock: until its BYE
            bought.append(buy)
        legs.append(LegRecord(
            call_id, leg.lane, leg.direction, began + (leg.invited_at - zero), leg.from_, leg.to, leg.party,
            None if answered is None else began + (answered - zero), None if left is None else began + (left - zero),
            leg.status, leg.left, round(talk_s * 1000), cost_of.get(id(leg), FREE), buy,
        ))
    return CallRecord(
        call_id, call.kind, account.id if account else None, began, extension.number if extension else "", call.from_,
        call.to, ended, str(call.outcome), round(call.talk_s * 1000),
        Micros(sum([cost for _, cost in costs])) if costs else FREE,
        account.currency if account else "", Micros(sum(bought)) if bought else None, str(verdict) if verdict else "",
    ), legs  # fmt: skip
