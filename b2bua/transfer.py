"""Talks that change hands: one far end leaves, the other stays, and somebody else comes (RFC 5589).

Each call has its one coroutine, and each waits in `talk`. A transfer is no state of theirs but a `Change` that ends
that wait: whoever leaves is let go, and the wait begins anew with the pair that is left. A target that is still to be
called is a call of its own, of the extension that transfers and at its expense; so a talk may be of two calls, and each
of them pays for its own legs, to the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from b2bua.dialling import Way, dial_extension, dial_out
from b2bua.interrupt import Interrupt
from b2bua.outcome import CallError, Ended, LegGone, Outcome
from b2bua.rules.caller_id import ANONYMOUS, Shown
from b2bua.talk import Talk
from b2bua.trace.ladder import PSTN

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.intake import Dialled
    from b2bua.leg import Leg

__all__ = ["Change", "TransferRequest", "talk", "transfer"]

_UNAVAILABLE = 503


class Changed(Exception):
    """The talk is over for one of its two; never seen outside this file."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change


class Change:
    """One change of a talk: who leaves it, who stays, and, as soon as it is known, who comes."""

    def __init__(self, leaves: Leg, stays: Leg) -> None:
        self.leaves = leaves
        self.stays = stays
        self.comes: asyncio.Future[Leg] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        """Part them; until somebody comes, nobody minds whether the one who leaves is there."""
        self.leaves.let_go = True
        for call in {self.leaves.call, self.stays.call}:
            assert call.talk is not None
            call.talk.fire(Changed(self))

    def done(self, comes: Leg) -> None:
        """He is there."""
        self.leaves.call.handed_over = True
        self.comes.set_result(comes)

    def failed(self) -> None:
        """Nobody comes: all is as before, where the one who wanted to leave is still there."""
        self.leaves.let_go = False
        self.comes.set_result(self.leaves)


async def talk(call: Call, both: Interrupt, mine: Leg, far: Leg) -> Ended:
    """Let two far ends talk, while `both` counts on them, until one leaves; `far` is the one whose time is limited.

    It has talked, and that is all, where its own far ends have been replaced, and others talk on.  Raises: MoneySpent.
    """
    one, other = mine, far
    while True:
        call.talk = both
        try:
            with Talk(call, one, other):
                await call.until_over(far)
        except asyncio.CancelledError:
            ended = both.caught()
            if isinstance(ended, LegGone):
                return ended
            if not isinstance(ended, Changed):
                raise
            change = ended.change
        call.talk = None
        both.count_on(change.stays)
        with call.metered(far):
            comes = await asyncio.shield(change.comes)
        if call not in (change.stays.call, comes.call):
            return Outcome.TALKED
        one, other = change.stays, comes
        both.count_on(one, other)


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """A change that somebody is still to be called for; `report` hears the status of that call as it goes."""

    change: Change
    target: Dialled
    equipment: Shown
    private: bool
    """Who transfers does not want to be shown."""
    report: Callable[[int], None]


async def transfer(want: TransferRequest, call: Call) -> Ended:
    """Call the target as the extension that transfers, and let it talk with who stays."""
    change, status = want.change, _UNAVAILABLE
    call.on_ringing = lambda: want.report(180)
    try:
        with change.stays.alive() as both:
            target = await _dial(want, call)
            both.also(target)
            change.done(target)
            want.report(200)
            return await talk(call, both, change.stays, target)
    except LegGone:
        status = 487
        raise
    except CallError as failed:
        status = failed.refusal[0]
        raise
    finally:
        if not change.comes.done():
            change.failed()
            want.report(status)


async def _dial(want: TransferRequest, call: Call) -> Leg:
    """Raises: CallError."""
    target, hear = want.target, want.change.stays
    assert call.extension is not None
    me = call.extension
    if target.extension is not None:
        shown = ANONYMOUS if want.private else Shown(me.name, me.number)
        if not want.private:
            call.to_phones = [("Referred-By", f"<sip:{me.number}@{call.exchange.domain}>")]  # RFC 3892
        return await dial_extension(call, target.extension, shown=shown, lane=PSTN, hear=hear)
    paid = None if target.emergency else await call.hold(target.number)
    way = Way(paid, hear=hear, equipment=want.equipment, urgent=target.emergency)
    return await dial_out(call, target.number, way)
