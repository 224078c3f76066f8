"""One whole call of a callback number without a browser: rung, refused, called back, cut at zero, and judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from b2bua.call import Call
from b2bua.demo.caller import CALLER, CALLS
from b2bua.demo.capture import Capture
from b2bua.demo.demo_call import QUICK, SETTLED_S
from b2bua.demo.start import Demo, DemoSettings, start_demo
from b2bua.desk import Holder
from b2bua.office.office import BackOffice
from b2bua.outcome import Outcome
from b2bua.trace.text_ladder import heading, text_line
from media.recording import Recording

__all__ = ["Facts", "demo_callback", "faults"]

_TRIGGER_S = 3
_LATE_S = 0.3


@dataclass(frozen=True, slots=True)
class Facts:
    """What came of a call."""

    status: int
    """What the callback number was refused with."""
    rang_s: float
    outcome: str
    credit: str
    """What is left."""
    cut_first: bool
    """The number that was dialled was cut off before the caller was."""
    told: bool
    """The caller heard a voice after that."""


async def demo_callback(out: Path, say: Callable[[str], None], settings: DemoSettings = QUICK) -> bool:
    """Ring the callback number and leave call.pcap and call.wav in `out`; True when the call was cut at zero.

    Raises: OSError for a folder that cannot be written; StoreError.
    """
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="ringback-")))
        capture = Capture(out / "call.pcap", time.time)
        stack.callback(capture.close)
        demo = await start_demo(replace(settings, home=home, seen=capture), stack)
        state = await demo.controls.callback()
        assert state is not None
        say(f"{CALLER} rings {state.number} with {state.credit}\n\n{heading(('Caller', 'Ringback', 'PSTN'))}")
        call = await _listen(demo, out / "call.wav", say)
        left = await demo.controls.callback()
        assert left is not None
        for line in await _charge(demo, call):
            say(line)
        found = faults(_facts(demo, call, left.credit))
    say(f"\nrecording  {out / 'call.wav'} (what was heard: left {CALLER}, right {CALLS})")
    say(f"capture    {out / 'call.pcap'}")
    say(f"credit     {state.credit} before, {left.credit} after")
    say(f"verdict    {'; '.join(found) or 'cut when the credit was spent, as it should'}")
    return not found


async def _listen(demo: Demo, path: Path, say: Callable[[str], None]) -> Call:
    """Ring, and say and record all that happens until the call is over."""
    clock = asyncio.get_running_loop().time
    recording = Recording(str(path), (0, 1), clock())
    demo.pstn.tapes = (recording.tap(0), recording.tap(1))
    await demo.controls.ring()
    (call,) = demo.running.exchange.live.values()
    async for row in demo.running.front.watch_ladder(call.id):
        say(text_line(row))
    await call.ended()
    for side in (0, 1):
        recording.leave(side, clock())
    return call


def faults(facts: Facts) -> list[str]:
    """What went otherwise than it should; empty: nothing."""
    found = []
    if facts.status != 486 or abs(facts.rang_s - _TRIGGER_S) > _LATE_S:
        found.append(f"refused with {facts.status} after {facts.rang_s:.1f} s, expected 486 after {_TRIGGER_S} s")
    if facts.outcome != Outcome.CREDIT_SPENT:
        found.append(f"ended as {facts.outcome}, expected {Outcome.CREDIT_SPENT}")
    if facts.credit != "0.00 USD":
        found.append(f"{facts.credit} is left")
    if not facts.cut_first:
        found.append("the number dialled was not cut off first")
    if not facts.told:
        found.append("the caller was not told why")
    return found


async def _charge(demo: Demo, call: Call) -> list[str]:
    """What each leg cost and how that came about, as `ringback why` tells it."""
    exchange = demo.running.exchange
    found = await BackOffice(exchange.database, exchange.wall).stories(Holder("demo", None), CALLER)
    (story,) = (each for each in found if each.call_id == call.id)
    paid = [leg for leg in story.legs if leg.direction == "out"]
    lines = [f"\ncharge     {story.cost}"]
    for leg in paid:
        lines += [f"  {leg.called}  {leg.cost}, {leg.talk_s:.1f} s", *(f"    {line}" for line in leg.cost_lines)]
    return lines


def _facts(demo: Demo, call: Call, credit: str) -> Facts:
    rung, back = call.legs[0], call.legs[1] if len(call.legs) > 1 else None
    cut_at = next((leg.ended_at for leg in call.legs[2:] if leg.answered_at is not None), None)
    talk = demo.pstn.caller.talk
    return Facts(
        rung.status,
        (rung.ended_at or 0.0) - rung.invited_at,
        str(call.outcome),
        credit,
        cut_first=back is not None and cut_at is not None and cut_at < (back.ended_at or 0.0),
        told=talk is not None and cut_at is not None and talk.ear.voice_at > cut_at + SETTLED_S,
    )
