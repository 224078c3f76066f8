"""AT-19: at zero B gets BYE and silence, A the chosen sound and then BYE; the money is gone exactly.

Intervals and talk are a tenth of the scenario's (the exact ones: virtual clock).
"""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from media.g711 import Samples
from tests.acceptance.api import Api
from tests.acceptance.callback import (
    B_BY_T2,
    CALLER,
    TENTH,
    A,
    B,
    callback,
    caller,
    does,
    ring,
    sound_to,
    spoken,
    wallet,
)
from tests.acceptance.scene import Scene
from tests.acceptance.sound import seconds_of

OPEN = {"trigger_s": 1, "password": None, "pay_call_back": "no"}
CHOSEN_S = 1.5
A_LEG_COSTS = """
[[rate]]
table = "at-12"
prefix = "5551"
first_interval_s = 3
first_cost = "0.10"
increment_s = 3
increment_cost = "0.10"
"""


def chirp() -> Samples:
    """A sound that nothing else resembles: from 400 to 2000 Hz and back."""
    at = np.arange(int(8000 * CHOSEN_S)) / 8000
    sweep = 400 * at + 800 / np.pi * (1 - np.cos(np.pi * at / CHOSEN_S)) * CHOSEN_S
    return (8000 * np.sin(2 * np.pi * sweep)).astype(np.int16)


def keep_sound(path: Path, samples: Samples) -> None:
    """Write a WAV where the sound manager will keep them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, len(samples), "NONE", ""))
        file.writeframes(samples.tobytes())


def answered(scene: Scene, peer: str) -> float:
    """When a far end answered our call."""
    return next(m.at for m in scene.said("SIP/2.0 200", source=peer) if "INVITE" in (m.header("CSeq") or ""))


def left_by(scene: Scene, peer: str) -> float:
    """When the server sent a far end its only BYE."""
    (bye,) = scene.said("BYE ", source=scene.server.sip, target=peer)
    return bye.at


async def test_at19_the_call_is_cut_at_zero(scene: Scene, tmp_path: Path) -> None:
    sounds = tmp_path / "sounds"
    keep_sound(sounds / "client" / "en" / "last.wav", chirp())
    server = await scene.serve(
        callback(**OPEN, cut_sound="/en/last"), *TENTH, more=caller(credit="0.30") + B_BY_T2,
        media=f'sounds = "{sounds}"',
    )
    back = await scene.trunk("trunk_called_back", does=does((0.2, "040000#"), rest_s=0.8))
    trunk = await scene.trunk(at=scene.t2)
    await (await ring(scene)).sipp.passed()
    await trunk.passed(30)
    await back.passed()
    request = await server.request_over()

    talk, cut, end = answered(scene, scene.t2), left_by(scene, scene.t2), left_by(scene, scene.t1)
    assert abs(cut - talk - 9.0) <= 0.3
    silent_from = cut + 0.04
    assert [s for s in scene.rtp() if s.target.startswith(B) and s.between(silent_from, end + 9)] == []
    (chosen,) = spoken(scene, A, {"chosen": chirp()})
    assert chosen.at > cut - 0.04
    assert chosen.end - chosen.at >= CHOSEN_S - 0.1
    assert -0.05 < end - chosen.end < 1
    for host in (A, B):  # A's tone, which B echoes
        assert seconds_of(sound_to(scene, host).between(talk + 2, cut), 440) >= 4
    assert scene.share(A, B, talk + 2) >= 0.95

    assert wallet(server, CALLER) == (0, 0)
    assert (request.reason, request.cost, server.spent()) == ("credit-spent", 300_000, 0)
    back_leg, talk_leg = server.legs(request.call_id)[-2:]
    assert (back_leg.cost, talk_leg.cost, round(talk_leg.talk_ms, -2)) == (0, 300_000, 9000)


@pytest.mark.parametrize(("at_s", "amount", "cut_s"), [
    pytest.param(8.2, "0.10", 12.0, id="a recharge in the last second"),
    pytest.param(2.0, "-0.10", 6.0, id="a reduction"),
])
async def test_at19_a_recharge_moves_the_cut(scene: Scene, at_s: float, amount: str, cut_s: float) -> None:
    server = await scene.serve(callback(**OPEN), *TENTH, more=caller(credit="0.30") + B_BY_T2)
    back = await scene.trunk("trunk_called_back", does=does((0.2, "040000#"), rest_s=0.8))
    trunk = await scene.trunk(at=scene.t2)
    await (await ring(scene)).sipp.passed()
    async with Api(server) as api:
        await trunk.until("ACK", within_s=15)
        talk = answered(scene, scene.t2)
        await asyncio.sleep(talk + at_s - scene.now())
        await api.post(
            f"/extensions/001*900/caller-ids/{CALLER}/recharges", {"amount": amount, "order_number": "B2"}, status=201,
        )
    await trunk.passed(30)
    await back.passed()
    request = await server.request_over()
    assert abs(left_by(scene, scene.t2) - talk - cut_s) <= 0.3
    assert (request.cost, request.reason) == (cut_s / 3 * 100_000, "credit-spent")
    assert wallet(server, CALLER) == (0, 0)


async def test_at19_both_legs_are_paid_from_one_credit(scene: Scene) -> None:
    """H5: A from its answer, B from its own; the cut is where the sixth interval begun could not be paid."""
    server = await scene.serve(
        callback(**OPEN | {"pay_call_back": "answer"}), *TENTH, more=caller(credit="0.50") + B_BY_T2 + A_LEG_COSTS,
    )
    back = await scene.trunk("trunk_called_back", does=does((0.2, "040000#"), rest_s=0.8))
    trunk = await scene.trunk(at=scene.t2, d="100")
    await (await ring(scene)).sipp.passed()
    await trunk.passed(30)
    await back.passed()
    request = await server.request_over()
    begins = sorted(answered(scene, peer) + 3 * n for peer in (scene.t1, scene.t2) for n in range(6))
    assert abs(left_by(scene, scene.t2) - begins[5]) <= 0.3
    assert (request.cost, request.reason, wallet(server, CALLER)) == (500_000, "credit-spent", (0, 0))
    assert sorted(leg.cost for leg in server.legs(request.call_id))[-2:] in ([200_000, 300_000], [100_000, 400_000])


async def test_at19_the_last_minute_is_told_to_the_caller_only(scene: Scene) -> None:
    """A beep 60 s before the end, here of 62 s of credit; both go on talking."""
    server = await scene.serve(
        callback(**OPEN), ("first_interval_s = 30\n", "first_interval_s = 1\n"),
        ("increment_s = 30\n", "increment_s = 1\n"), more=caller(credit="6.20") + B_BY_T2,
    )
    back = await scene.trunk("trunk_called_back_bye_after", does=does((0.2, "040000#"), rest_s=0.8), talk="4000")
    trunk = await scene.trunk("trunk_answer", at=scene.t2)
    await (await ring(scene)).sipp.passed()
    await back.passed()
    await trunk.passed()
    await server.request_over()
    talk = answered(scene, scene.t2)
    heard = beeps(scene, A, talk, talk + 4)
    assert len(heard) == 1
    assert abs(heard[0] - talk - 2.0) <= 0.3
    assert beeps(scene, B, talk, talk + 4) == []


def beeps(scene: Scene, host: str, start: float, end: float) -> list[float]:
    """When a tone that is not the far end's own 440 Hz began."""
    sound = sound_to(scene, host).between(start, end)
    frames = [sound[at : at + 800] for at in range(0, len(sound) - 799, 800)]
    other = [seconds_of(frame, 1000) > 0 for frame in frames]
    return [start + n / 10 for n, now in enumerate(other) if now and not other[max(0, n - 1)]]


async def test_at19_no_number_can_be_called_without_credit(scene: Scene) -> None:
    """Admitted with a little credit that no call can begin with: A is told, is asked again, and no one else rings."""
    server = await scene.serve(callback(**OPEN), *TENTH, more=caller(credit="0.09") + B_BY_T2)
    back = await scene.trunk("trunk_called_back", does=does((0.2, "040000#")))
    await (await ring(scene)).sipp.passed()
    await back.passed()
    request = await server.request_over()
    names = [clip.name for clip in spoken(scene, A)]
    assert names[-2:] == ["no-credit", "dial-number"]
    assert ([invite.target for invite in scene.invites()], request.cost) == ([scene.t1], 0)
    assert wallet(server, CALLER) == (90_000, 0)


