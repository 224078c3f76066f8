"""AT-17: after authentication the caller may hear his credit, to the cent, or call."""

from __future__ import annotations

import pytest

from tests.acceptance.callback import A, callback, caller, does, ring, spoken
from tests.acceptance.scene import Scene

HANGS_UP = "trunk_called_back_bye_after"
GREETING, PASSWORD, MENU, DIAL = "callback-greeting", "ask-password", "credit-menu", "dial-number"


@pytest.mark.parametrize(("credit", "pay", "said"), [
    pytest.param("4.88", "no", ["4", "point", "8", "8", "dollars"], id="4.88"),
    pytest.param("5.00", "answer", ["4", "point", "8", "8", "dollars"], id="5.00 less the fee of this very call"),
    pytest.param("unlimited", "answer", ["unlimited"], id="unlimited"),
])
async def test_at17_the_credit_is_spoken(scene: Scene, credit: str, pay: str, said: list[str]) -> None:
    """Key 1: the balance, then the menu again; key 2: the dial prompt. Proved by what was sent to the caller."""
    server = await scene.serve(
        callback(trigger_s=1, dial_s=3, credit_enquiry=True, pay_call_back=pay), more=caller(credit=credit),
    )
    back = await scene.trunk(HANGS_UP, does=does((0.6, "4321#"), (2.8, "1"), (5.6, "2")), talk="800")
    await (await ring(scene)).sipp.passed()
    await back.passed()
    await server.request_over()
    heard = [clip.name for clip in spoken(scene, A)]
    assert heard == [GREETING, MENU, "your-credit", *said, MENU, DIAL]


async def test_at17_off_goes_straight_to_the_dial_prompt(scene: Scene) -> None:
    server = await scene.serve(callback(trigger_s=1, dial_s=1), more=caller())
    back = await scene.trunk(HANGS_UP, does=does((4.2, "4321#")), talk="800")
    await (await ring(scene)).sipp.passed()
    await back.passed()
    await server.request_over()
    assert [clip.name for clip in spoken(scene, A)]== [GREETING, PASSWORD, DIAL]
