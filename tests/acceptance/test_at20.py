"""AT-20: calls at once on one credit: never more than it, never below zero, and after kill -9 settled once.

Intervals and talk are a tenth of the scenario's (the exact ones: virtual clock).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import time

from media.prompt import Pack
from store import ledger
from tests.acceptance.callback import (
    B_BY_T2,
    CALLER,
    OWNER,
    TENTH,
    A,
    callback,
    caller,
    does,
    keys_pressed,
    ring,
    wallet,
)
from tests.acceptance.scene import Scene
from tests.acceptance.server import Server, until
from tests.peers.capture import SipMessage
from tests.peers.heard import find_clips, sound_of

OPEN = {"trigger_s": 1, "password": None, "pay_call_back": "no", "dial_s": 7}
TOGETHER = "trunk_called_back_together"
CALLS = 50


@asynccontextmanager
async def never_negative(server: Server, name: str) -> AsyncIterator[list[tuple[int, int]]]:
    """Look at an account every 50 ms: what it has covers what is held, and is not below zero."""
    seen: list[tuple[int, int]] = []

    async def look() -> None:
        while True:
            seen.append(wallet(server, name))
            await asyncio.sleep(0.05)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert len(seen) > 20
    assert [row for row in seen if not 0 <= row[1] <= row[0]] == []


def spans_of(scene: Scene, peer: str) -> list[tuple[float, float]]:
    """When each call to a far end was answered and when it ended, by its Call-ID; until now where no BYE was."""
    spans: dict[str, list[float]] = {}
    for message in scene.wire.sip():
        if peer in (message.source, message.target) and ends_or_begins(message):
            spans.setdefault(message.header("Call-ID") or "", []).append(message.at)
    return [(span[0], span[-1] if len(span) > 1 else time()) for span in spans.values()]


def ends_or_begins(message: SipMessage) -> bool:
    """200 to an INVITE, or BYE."""
    of_invite = (message.header("CSeq") or "").endswith(" INVITE")
    return message.start_line.startswith("BYE ") or (message.start_line.startswith("SIP/2.0 200") and of_invite)


async def two_at_once(scene: Scene, moment_ms: int = 6500) -> None:
    """The same CallerID rings again while he is asked for a number; both of his calls press at the same moment."""
    await scene.trunk(TOGETHER, calls=2, moment=str(moment_ms), does=does((0, "040000#")))
    for n in (1, 2):
        await (await ring(scene)).sipp.passed()
        await until(lambda n=n: len(scene.said("ACK ", target=scene.t1)) >= n, f"call back {n}")  # type: ignore[misc]


async def test_at20_two_calls_of_one_caller_share_his_credit(scene: Scene) -> None:
    """Credit for 6 s in all, whichever of the two talks."""
    server = await scene.serve(callback(**OPEN), *TENTH, more=caller(credit="0.20") + B_BY_T2)
    trunk = await scene.trunk(at=scene.t2, calls=2, d="50")
    async with never_negative(server, CALLER):
        await two_at_once(scene)
        await trunk.until("BYE", within_s=30)
        await server.request_over(2, within_s=30)
    first, second = (at for key, at in keys_pressed(scene) if key == "#")
    assert second - first < 0.1
    assert 5.7 < sum(end - begin for begin, end in spans_of(scene, scene.t2)) <= 6.6
    assert wallet(server, CALLER) == (0, 0)
    assert sum(request.cost for request in server.requests()) == 200_000


async def test_at20_kill_9_while_two_calls_of_one_caller_talk(scene: Scene) -> None:
    server = await scene.serve(callback(**OPEN), *TENTH, more=caller(credit="20.00") + B_BY_T2)
    await scene.trunk(at=scene.t2, calls=2, d="50")
    await two_at_once(scene)
    await until(lambda: len(spans_of(scene, scene.t2)) == 2, "two talks", 15)
    await asyncio.sleep(spans_of(scene, scene.t2)[-1][0] + 4.5 - time())  # in each call's second interval
    await server.kill()
    spans = spans_of(scene, scene.t2)
    assert len(server.read(ledger.open_holds)) > 0

    for _ in range(2):  # a second start finds nothing left to settle
        await server.start()
        assert (server.read(ledger.open_holds), server.read(ledger.audit)) == ([], [])
        charged = 20_000_000 - wallet(server, CALLER)[0]
        assert charged == sum(call.cost for call in server.calls()) == sum(r.cost for r in server.requests())
        assert 0 < charged <= sum(-(-(end - begin) // 3) for begin, end in spans) * 100_000
        assert {request.reason for request in server.requests()} == {"server-restarted"}
        await server.kill()


async def test_at20_fifty_calls_on_credit_for_one(scene: Scene) -> None:
    """Fifty strangers, called back at the owner's expense, dial at the same moment: one talks, the others are told."""
    server = await scene.serve(
        callback(**OPEN | {"password": "4321", "return_to": "caller", "dial_s": 3}), *TENTH,
        ('credit = "100.00"', 'credit = "0.10"'), more=B_BY_T2,
    )
    back = await scene.trunk(TOGETHER, calls=CALLS, moment="10500", does=does((0, "4321#"), (1.5, "040000#")))
    trunk = await scene.trunk(at=scene.t2, d="50")
    async with never_negative(server, OWNER):
        callers = await ring(scene, "trunk_trigger_many", calls=CALLS)
        await callers.sipp.passed()
        await back.until("ACK", times=CALLS, within_s=15)
        await trunk.passed(30)
        await back.passed(30)
        await server.request_over(CALLS, within_s=20)
    assert len(scene.invites(scene.t2)) == 1
    ((begin, end),) = spans_of(scene, scene.t2)
    assert abs(end - begin - 3.0) <= 0.3
    assert wallet(server, OWNER) == (0, 0)
    assert sorted(request.cost for request in server.requests()) == [0] * (CALLS - 1) + [100_000]
    assert told_no_credit(scene) == CALLS - 1


def told_no_credit(scene: Scene) -> int:
    """To how many of those called back the clip `no-credit` was sent, by the timestamps of its packets.

    Not by when they came: fifty who key at once on one machine keep each other waiting.
    """
    clip = {"no-credit": Pack.load("en").samples("no-credit")}
    sent = [s for s in scene.rtp() if s.source.startswith(scene.server.host) and s.target.startswith(f"{A}:")]
    return sum(bool(find_clips(sound_of(stream.packets), clip)) for stream in sent)
