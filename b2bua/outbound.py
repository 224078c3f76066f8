"""A call from a registered phone: to another extension, or by a trunk at the account's expense."""

from __future__ import annotations

from b2bua.call import Call
from b2bua.dialling import Way, dial_out
from b2bua.leg import Leg
from b2bua.outcome import Ended, Outcome
from b2bua.rules.caller_id import Shown
from b2bua.talk import Talk
from b2bua.transfer import talk

__all__ = ["emergency", "outbound"]


async def outbound(call: Call, caller: Leg, number: str, equipment: Shown) -> Ended:
    """Hold the money, call the number, join; until someone leaves or the money is spent."""
    with caller.alive() as both:
        paid = await call.hold(number)
        far = await dial_out(call, number, Way(paid, hear=caller, equipment=equipment))
        both.also(far)
        caller.answer(far.description if call.direct else b"")
        return await talk(call, both, caller, far)


async def emergency(call: Call, caller: Leg, number: str, equipment: Shown) -> Outcome:
    """An emergency number is called whatever the credit (SPEC H20)."""
    with caller.alive() as both:
        far = await dial_out(call, number, Way(hear=caller, equipment=equipment, urgent=True))
        both.also(far)
        caller.answer(far.description if call.direct else b"")
        with Talk(call, caller, far):
            await call.until_over(far)
    return Outcome.TALKED
