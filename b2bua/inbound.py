"""A call that arrives on a trunk for an extension's public number."""

from __future__ import annotations

from b2bua.call import Call
from b2bua.dialling import dial_extension
from b2bua.leg import Leg
from b2bua.outcome import Ended
from b2bua.rules.caller_id import Shown
from b2bua.trace.ladder import EXTENSION
from b2bua.transfer import talk
from store.values import Extension

__all__ = ["inbound"]


async def inbound(call: Call, caller: Leg, extension: Extension, shown: Shown, lane: int = EXTENSION) -> Ended:
    """Ring the extension's phones and join the caller with the first that answers.

    Free for both, but where a phone led to a public number: then its extension pays, until the money is spent.
    """
    with caller.alive() as both:
        phone = await dial_extension(call, extension, shown=shown, lane=lane, hear=caller, numbers=True)
        both.also(phone)
        caller.answer(phone.description if call.direct else b"")
        if call.purse is not None:
            await call.purse.keep_only(phone)
        return await talk(call, both, caller, phone)
