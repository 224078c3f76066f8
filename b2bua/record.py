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

__all__ = ["FREE", "records"]

FREE = Micros(0)


def records(
    call: Call, ended: float, costs: Sequence[tuple[Leg | None, Micros]]
) -> tuple[CallRecord, list[LegRecord]]:
    """The row of the call, and those of its legs in the order they began, each with what it cost.

    `ended` is Unix time.
    """
    account, cost_of = call.account, {id(leg): cost for leg, cost in costs}
    at, zero = call.started_wall, call.started
    legs: list[LegRecord] = []
    for leg in call.legs:
        answered, left, talk_s = leg.answered_at, leg.ended_at, leg.talk_s
        legs.append(LegRecord(
            call.id, leg.lane, leg.direction, at + (leg.invited_at - zero), leg.from_, leg.to, leg.party,
            None if answered is None else at + (answered - zero), None if left is None else at + (left - zero),
            leg.status, leg.left, round(talk_s * 1000), cost_of.get(id(leg), FREE),
            # what it cost us, by the trunk's own clock: until its BYE
            None if leg.buy_rate is None or answered is None else price(leg.buy_rate, talk_s),
        ))
    extension, verdict = call.extension, call.verdict
    return CallRecord(
        call.id, call.kind, account.id if account else None, at, extension.number if extension else "", call.from_,
        call.to, ended, str(call.outcome), round(call.talk_s * 1000), Micros(sum([cost for _, cost in costs])),
        account.currency if account else "", total([leg.buy for leg in legs]), str(verdict) if verdict else "",
    ), legs  # fmt: skip
