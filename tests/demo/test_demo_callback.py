"""The callback number of the demo: rung, refused, called back, cut at zero; and who judges that."""

import asyncio
import re
import subprocess
import sys
import wave
from contextlib import AsyncExitStack
from dataclasses import replace

import numpy as np
import pytest

from b2bua.demo.caller import Ring
from b2bua.demo.demo_callback import Facts, demo_callback, faults
from b2bua.demo.start import start_demo
from b2bua.outcome import Outcome
from media.prompt import Pack
from sip_stack.core import Hop
from store import callers
from tests.demo.settings import TEST
from tests.peers.heard import clips_heard

GOOD = Facts(486, 3.0, "credit-spent", "0.00 USD", cut_first=True, told=True)


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        pytest.param(GOOD, [], id="as it should"),
        pytest.param(replace(GOOD, status=200), ["refused with 200 after 3.0 s, expected 486 after 3 s"], id="a 200"),
        pytest.param(replace(GOOD, rang_s=3.4), ["refused with 486 after 3.4 s, expected 486 after 3 s"], id="late"),
        pytest.param(replace(GOOD, outcome="talked"), ["ended as talked, expected credit-spent"], id="hung up"),
        pytest.param(replace(GOOD, credit="0.01 USD"), ["0.01 USD is left"], id="a cent is left"),
        pytest.param(replace(GOOD, cut_first=False, told=False),
                     ["the number dialled was not cut off first", "the caller was not told why"], id="cut in silence"),
    ],
)  # fmt: skip
def test_faults(facts, found):
    assert faults(facts) == found


def test_demo_call_rings_the_callback_number_and_is_cut_at_zero(tmp_path):
    words = [sys.executable, "-m", "b2bua", "demo-call", "--callback", "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "said: Your credit is twenty two cents" in done.stdout
    assert "connection fee: 0.12" in done.stdout
    assert re.search(r"\+12125550100  0\.22 USD, 22\.[0-3] s", done.stdout)
    assert "credit     0.34 USD before, 0.00 USD after" in done.stdout
    assert "2468" not in done.stdout
    assert (tmp_path / "call.pcap").stat().st_size > 100_000
    pack = Pack.load("en")
    left, right = (clips_heard(side, pack) for side in _sides(tmp_path / "call.wav"))
    said = [
        "callback-greeting", "ask-pin", "credit-menu", "your-credit", "20", "2", "cents", "credit-menu", "dial-number",
    ]  # fmt: skip
    assert left[:10] == [*said, "demo-voice"]
    assert left[-1] == "credit-spent"
    assert set(left[9:-1]) == set(right) == {"demo-voice"}


def _sides(path):
    with wave.open(str(path)) as wav:
        assert (wav.getnchannels(), wav.getframerate()) == (2, 8000)
        both = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


async def test_a_call_that_goes_otherwise_fails(tmp_path):
    """The credit does not pay for the call back."""
    lines = []
    assert not await demo_callback(tmp_path, lines.append, replace(TEST, credit="0.11"))
    assert lines[-1].startswith("verdict    ended as no-credit, expected credit-spent; 0.11 USD is left; ")
    assert "charge     0.00 USD" in "\n".join(lines)


@pytest.fixture
async def demo(tmp_path):
    async with AsyncExitStack() as stack:
        yield await start_demo(replace(TEST, home=tmp_path), stack)


def _newest(demo):
    return list(demo.running.exchange.live.values())[-1]


async def test_a_caller_who_is_called_back_already_is_busy(demo):
    front = demo.running.front
    await front.demo_ring()
    async with asyncio.timeout(10):
        async for row in front.watch_ladder(_newest(demo).id):
            if row.kind == "prompt":
                break
        await front.demo_ring()
        second = _newest(demo)
        await second.ended()
    assert second.outcome is Outcome.BUSY
    assert (await front.demo_callback()).credit == "0.22 USD"


async def test_a_recharge_is_there_at_once(demo):
    front = demo.running.front
    assert (await front.demo_callback()).credit == "0.34 USD"
    await front.demo_recharge()
    assert (await front.demo_callback()).credit == "0.84 USD"


async def test_a_caller_who_was_removed_is_not_called_back(demo):
    """By the command line or the API, on the demo's own database."""
    exchange, front = demo.running.exchange, demo.running.front
    line = exchange.directory.extensions["001*900"]
    await exchange.database.run(
        lambda conn: callers.remove_caller(conn, callers.find_caller(conn, line.id, "+12025550100").id)
    )
    assert await front.demo_callback() is None
    await front.demo_recharge()
    await front.demo_ring()
    call = _newest(demo)
    async with asyncio.timeout(10):
        await call.ended()
    assert call.outcome is Outcome.UNKNOWN_CALLER


async def test_a_number_that_answers_instead_is_hung_up_on(demo):
    """What a callback number never does; here the simulated network rings itself."""
    agent = demo.pstn.agent
    ring = Ring(agent, Hop("UDP", *agent.address), "+12025550100")
    async with asyncio.timeout(10):
        assert await ring.status == 200
        (talk,) = agent.talks
        await asyncio.wait([talk.task])
