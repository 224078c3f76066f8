"""CallNow: a visitor of a web page is called back by the person of the page (SPEC 10-13)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from b2bua.ask import Accepted, ask_accept
from b2bua.call import Call
from b2bua.caller_proof import unmarked
from b2bua.desk import Stage
from b2bua.dialling import Way, dial_extension, dial_out
from b2bua.leg import Leg
from b2bua.outcome import CallError, Congested, Ended, LegGone, NoRoute, NotReached, Outcome
from b2bua.rules.caller_id import Shown
from b2bua.transfer import talk
from store.values import Extension

__all__ = ["CallNowRequest", "callnow"]

_FAILED = {
    Outcome.VISITOR_BUSY: "visitor-busy",
    Outcome.VISITOR_NO_ANSWER: "visitor-no-answer",
}


@dataclass(frozen=True, slots=True)
class CallNowRequest:
    """An admitted request; `tell` hears where it stands."""

    extension: Extension
    name: str
    number: str
    limit_s: int
    confirm: bool
    """The extension is asked first (SPEC 14, 18)."""
    tell: Callable[[Stage], None]
    put_off: Callable[[], Awaitable[None]]
    """The extension wants it later: that is written down when this returns."""


async def callnow(want: CallNowRequest, call: Call) -> Ended:
    """Ring the extension, ask, then call the visitor at the extension's expense and join them."""
    settings = want.extension.callnow
    paid = await call.hold(want.number, want.limit_s)  # raises CreditRefused before anyone is rung
    want.tell(Stage.RINGING_OWNER)
    name = unmarked(want.name, call.exchange.mark) or "Anonymous"
    phone = await dial_extension(call, want.extension, shown=Shown(name, want.number))
    if want.confirm and (refused := await _refused(phone, want)) is not None:
        return refused
    with phone.alive() as both:
        want.tell(Stage.CALLING_VISITOR)
        try:
            visitor = await dial_out(call, want.number, Way(paid, hear=phone))
        except (NotReached, NoRoute, Congested) as failed:
            return await _told(phone, failed)
        both.also(visitor)
        if settings.announce_to_visitor:
            await visitor.say("visitor-announce", until_key=True)
            if await visitor.key(0) == "9":
                return Outcome.OPTED_OUT
        want.tell(Stage.TALKING)
        return await talk(call, both, phone, visitor)


async def _refused(phone: Leg, want: CallNowRequest) -> Outcome | None:
    """Ask the extension; None: it accepts."""
    with phone.alive():
        match await ask_accept(phone, within_s=want.extension.confirm_s):
            case Accepted.YES:
                return None
            case Accepted.NO:
                return Outcome.REFUSED
            case Accepted.BLOCK:
                return Outcome.BLOCKED
            case Accepted.NOTHING:
                return Outcome.NOT_CONFIRMED
    # who pressed 3 may hang up at once
    await want.put_off()
    with suppress(LegGone):
        with phone.alive():
            await phone.say("called-later")
    return Outcome.PUT_OFF


async def _told(phone: Leg, failed: CallError) -> Outcome:
    """The extension hears why nobody is there."""
    outcome = failed.outcome.of_visitor
    await phone.say(_FAILED.get(outcome, "visitor-failed"))
    return outcome
