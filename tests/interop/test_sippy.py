"""sippy's b2bua between us and the far end: a carrier that is itself a back-to-back user agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.scene import SECOND_PHONE, Scene
from tests.interop.test_kamailio import MOBILE, by
from tests.peers.servers import sippy, sippy_version

BEHAVIOURS = {"calling": ("phone_answer", "uac_call"), "called": ("phone_answer_hangup", "uac_call_hung_up")}
DID = """
[[did]]
number = "5555550001"
extension = "001*003"
trunk = "R1"
"""


@pytest.fixture
def proves(proven: Callable[..., None]) -> Callable[..., None]:
    """Say what was shown; skips where sippy is not installed."""
    version = sippy_version() or pytest.skip("needs the Python package sippy in .venv/sippy")
    return lambda what: proven("sippy b2bua", version, what)


async def test_calls_out(scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
    """Sound both ways; we hang up; then a call that is given up while it rings."""
    at = scene.address("127.0.0.9")
    server = await scene.serve(*by(scene, at))
    async with sippy(tmp_path / "sippy", at=at, towards=scene.t1):
        trunk = await scene.trunk("trunk_answer")
        caller = await scene.phone("uac_call", service=MOBILE, d="2000")
        await caller.passed()
        await trunk.passed()
        assert (await server.call_over()).reason == "talked"
        began = scene.said("ACK ", target=scene.t1)[0].at + 0.3
        assert scene.share("127.0.0.5", "127.0.0.2", began, 1.5) >= 0.95
        assert scene.share("127.0.0.2", "127.0.0.5", began, 1.5) >= 0.95
        proves("trunk: a call out through it, sound both ways")
        await trunk.stop()
        ringing = await scene.trunk("trunk_no_answer")
        caller = await scene.phone("uac_cancel_while_ringing", service=MOBILE, at=scene.address("127.0.0.5"))
        await caller.passed()
        await ringing.passed()
        await server.call_over(2)
        await server.rest()
    proves("trunk: CANCEL through it")


@pytest.mark.parametrize("side", [*BEHAVIOURS])
async def test_a_call_out_comes_in_again(
    scene: Scene, tmp_path: Path, proves: Callable[..., None], side: str,
) -> None:
    """It sends the call back to us, for the number of the second phone; either side hangs up."""
    at = scene.address("127.0.0.9")
    server = await scene.serve(*by(scene, at), more=SECOND_PHONE + DID)
    async with sippy(tmp_path / "sippy", at=at, towards=server.sip):
        answers, calls = BEHAVIOURS[side]
        called = await scene.phone(answers, user="001*003", password="secret3", d="700")
        caller = await scene.phone(calls, service="5555550001", at=scene.address("127.0.0.6"))
        await caller.passed()
        await called.passed()
        await server.call_over(2)
        assert sorted(call.kind for call in server.calls()) == ["inbound", "outbound"]
        assert {call.reason for call in server.calls()} == {"talked"}
        await server.rest()
    proves(f"trunk: a call out through it that comes in again, the {side} side hangs up")
