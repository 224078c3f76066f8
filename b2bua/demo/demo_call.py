"""One whole CallNow call without a browser: asked over HTTP, shown as a ladder, recorded, captured and judged."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode, urlsplit

from b2bua.call import Call
from b2bua.demo.agent import Agent, Timing
from b2bua.demo.capture import Capture
from b2bua.demo.start import Demo, DemoSettings, start_demo
from b2bua.demo.table import Row, row_of
from b2bua.money import format_money
from b2bua.outcome import Outcome
from b2bua.trace.text_ladder import heading, text_line

__all__ = ["QUICK", "SETTLED_S", "Facts", "demo_call", "differences"]

QUICK = DemoSettings(
    line="001*003",
    timing=Timing(answer_s=0.3, press_s=0.7, talk_s=1.5, ring_s=0.3, voice_s=1.0, step_s=0.5),
    ring_s=3,
    rtp_timeout_s=3.0,
)
"""The phone without captcha, people in a hurry."""
_PATIENT_S = 60.0
"""How long John stays where somebody else is to end the call."""
SETTLED_S = 0.3
"""What is still under way when two are joined or parted does not count as heard after it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What came of a call."""

    outcome: str
    charged: int
    john_heard: bool
    visitor_heard: bool
    recorded: bool


async def demo_call(
    number: str, out: Path, say: Callable[[str], None], settings: DemoSettings = QUICK
) -> bool:  # fmt: skip
    """Place the call and leave call.pcap and call.wav in `out`; True when all went as the table says.

    Raises: OSError for a folder that cannot be written; StoreError.
    """
    row = row_of(number)
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="ringback-")))
        capture = Capture(out / "call.pcap", time.time)
        stack.callback(capture.close)
        (out / "call.wav").unlink(missing_ok=True)
        stay_s = settings.timing.talk_s if row.outcome is Outcome.TALKED else _PATIENT_S
        timing = replace(settings.timing, talk_s=stay_s)
        demo = await start_demo(replace(settings, home=home, seen=capture, timing=timing), stack)
        refusal = await asyncio.to_thread(_ask, demo.page_url, number)
        if refusal:
            say(f"refused: {refusal}")
            return False
        (call,) = demo.running.exchange.live.values()
        say(f"{number}: {row.does}\n\n{heading(('John', 'Ringback', 'PSTN'))}")
        async for ladder_row in demo.running.front.watch_ladder(call.id):
            say(text_line(ladder_row))
        await call.ended()
        recording = demo.running.front.recording(call.id)
        if recording is not None:
            shutil.copyfile(recording, out / "call.wav")
        found = differences(row, _facts(demo, call, recording is not None))
    account = call.account
    assert account is not None
    assert call.charged is not None
    say(f"\nrecording  {out / 'call.wav'} (left John, right PSTN)" if recording else "\nrecording  none: nobody talked")
    say(f"capture    {out / 'call.pcap'}")
    say(f"charge     {format_money(call.charged, account.currency)}, {call.talk_s:.1f} s of talk")
    say(f"verdict    {'; '.join(found) or f'{call.outcome}, as the table says'}")
    return not found


def differences(row: Row, facts: Facts) -> list[str]:
    """What went otherwise than the table says; empty: nothing."""
    found = []
    if facts.outcome != row.outcome:
        found.append(f"ended as {facts.outcome}, expected {row.outcome}")
    if (facts.charged > 0) != row.answers:
        found.append(f"{'nothing' if row.answers else 'something'} was charged")
    if facts.recorded != row.answers:
        found.append(f"{'no' if row.answers else 'a'} recording was made")
    if row.answers and facts.john_heard != row.heard:
        found.append(f"John heard {'somebody' if facts.john_heard else 'nobody'}")
    if row.answers and not facts.visitor_heard:
        found.append("the visitor heard nobody")
    return found


def _ask(page_url: str, number: str) -> str:
    """Send the form as a browser does; what the page says against it, empty when the call is under way."""
    page = urlsplit(page_url)
    connection = HTTPConnection(page.netloc, timeout=10)
    try:
        form = urlencode({"name": "Mary", "phone": number, "country": "US"})
        connection.request("POST", page.path, form, {"Content-Type": "application/x-www-form-urlencoded"})
        response = connection.getresponse()
        text = response.read().decode()
    finally:
        connection.close()
    if response.status == 303:
        return ""
    error = re.search(r'class="error"[^>]*>([^<]+)', text)
    return unescape(error[1]).strip() if error else f"HTTP {response.status}"


def _facts(demo: Demo, call: Call, recorded: bool) -> Facts:
    joined = float("inf") if call.talk_began is None else call.talk_began + SETTLED_S
    return Facts(
        str(call.outcome),
        call.charged or 0,
        _heard(demo.phone.agent, joined),
        _heard(demo.pstn.agent, joined),
        recorded,
    )


def _heard(agent: Agent, since: float) -> bool:
    """Whether its last call brought a voice after `since`."""
    return bool(agent.talks) and agent.talks[-1].ear.voice_at > since
