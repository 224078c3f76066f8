"""A call that speaks a code: who can type it back answers at the number that an extension wants to show (SPEC 39)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from b2bua.ask import unless_nine
from b2bua.call import Call
from b2bua.dialling import Way, dial_out
from b2bua.leg import Leg
from b2bua.outcome import LegGone, Outcome, Unwanted
from b2bua.rules.caller_id import by_server
from store import codes
from store.values import Extension

__all__ = ["CodeCallRequest", "code_call"]

_LONGEST_S = 60
_PAUSE_S = 2.0
_GAP_MS = 300
"""Between digits, so that they can be written down."""


@dataclass(frozen=True, slots=True)
class CodeCallRequest:
    """An admitted request."""

    extension: Extension
    number: str
    """Whom to call, as rates and trunks see it."""
    code: str = field(repr=False)

    @property
    def language(self) -> str:
        """The extension's own."""
        extension = self.extension
        return extension.callback.language if extension.kind == "callback" else extension.callnow.language


async def code_call(want: CodeCallRequest, call: Call) -> Outcome:
    """Call the number at the extension's expense and speak the code, twice.

    The number that is to be proven is not shown: what the server shows is (SPEC 39).
    """
    paid = await call.hold(want.number, _LONGEST_S)  # raises CreditRefused before anyone is rung
    call.pack = call.exchange.pack_of(want.language)
    far = await dial_out(call, want.number, Way(paid, line=by_server(want.extension)))
    heard = False
    try:
        with far.alive(), call.metered(far), unless_nine(far):
            await far.say("code-announce")
            await _speak(far, want.code)
            heard = True
            at = call.exchange.wall()
            await call.database.run(lambda conn: codes.spoken(conn, call.id, at))
            await asyncio.sleep(_PAUSE_S)
            await _speak(far, want.code)
            await far.say("goodbye")
    except LegGone:  # once is enough
        if not heard:
            raise
    except Unwanted:
        with suppress(LegGone):
            with far.alive():
                await far.say("goodbye")
        raise
    return Outcome.CODE_SPOKEN


async def _speak(far: Leg, code: str) -> None:
    await far.say("your-code-is")
    await far.say(*code, secret=True, gap_ms=_GAP_MS)
