"""AT-13: a caller rings the callback number, is refused, and is called back when he is authorised and has credit."""

from __future__ import annotations

import pytest

from tests.acceptance.callback import CALLER, CB, Ringing, callback, caller, does, ring
from tests.acceptance.scene import Scene
from tests.acceptance.test_at01 import name_and_user

ANY_TRUNK = ('extension = "001*900"\ntrunk = "R1"', 'extension = "001*900"')
"""The number is reached by T3 too."""
HANGS_UP = "trunk_called_back_bye_after"


async def called_back(scene: Scene, *, times: int = 1) -> None:
    """T1 answers, says nothing and leaves."""
    await scene.trunk(HANGS_UP, calls=times, does=does(), talk="300")


async def test_at13_an_authorised_caller_is_refused_and_called_back(scene: Scene) -> None:
    server = await scene.serve(callback(), more=caller())
    back = await scene.trunk(HANGS_UP, does=does(), talk="500")
    trigger = await ring(scene)
    await trigger.sipp.passed()
    await back.passed()
    trigger.check()
    assert trigger.refused().header("Reason") == "Q.850;cause=17"
    (invite,) = scene.invites()
    assert invite.target == scene.t1
    assert invite.start_line.startswith(f"INVITE sip:{CALLER}@")
    assert name_and_user(invite.header("From"))[1] == CB
    assert 0 < invite.at - trigger.refused().at < 3
    request = await server.request_over()
    assert (request.kind, request.number, request.extension, request.trunk, request.ip) == (
        "callback", CALLER, "001*900", "R1", "127.0.0.2",
    )
    (call,) = server.calls()
    assert (call.id, call.kind, call.cost) == (request.call_id, "callback", request.cost)
    await scene.nobody_rang(request.ended or 0, expected=1)


async def test_at13_who_is_not_called_back_hears_the_same(scene: Scene) -> None:
    """Not in the list, a disabled row, no credit, an untrusted trunk (also with P-Asserted-Identity), CANCEL at 1 s."""
    server = await scene.serve(callback(), ANY_TRUNK, more=(
        caller() + caller("5551111112", enabled=False) + caller("5551111113", credit="0.00") + caller("5551111114")
        + caller("5551111115")
    ))
    refused = {
        "5559999999": await ring(scene, caller="5559999999"),
        "5551111112": await ring(scene, caller="5551111112"),
        "5551111113": await ring(scene, caller="5551111113"),
        CALLER: await ring(scene, host="127.0.0.4", caller=CALLER),
        "5559999998": await ring(
            scene, host="127.0.0.4", caller="5559999998", more="P-Asserted-Identity: <sip:5551111115@127.0.0.4>",
        ),
    }
    gave_up = await ring(scene, "trunk_trigger_cancel", caller="5551111114")
    for trigger in (*refused.values(), gave_up):
        await trigger.sipp.passed()
    for trigger in refused.values():
        trigger.check()
    assert [m.start_line[8:11] for m in gave_up.answers()] == ["180", "487"]
    await server.request_over(6)
    reasons = {request.number: request.reason for request in server.requests()}
    assert reasons == {
        "5559999999": "unknown-caller", "5551111112": "caller-disabled", "5551111113": "no-credit",
        CALLER: "untrusted-caller", "5559999998": "untrusted-caller", "5551111114": "cancelled",
    }
    await scene.nobody_rang(max(request.ended or 0 for request in server.requests()))


async def test_at13_a_trusted_trunk_asserts_who_calls(scene: Scene) -> None:
    """P-Asserted-Identity is believed, whatever From says (A12.9)."""
    server = await scene.serve(callback(trigger_s=1), more=caller())
    await called_back(scene)
    trigger = await ring(scene, caller="5559999999", more=f"P-Asserted-Identity: <sip:{CALLER}@127.0.0.2>")
    await trigger.sipp.passed()
    assert (await server.request_over()).number == CALLER
    (invite,) = scene.invites()
    assert invite.start_line.startswith(f"INVITE sip:{CALLER}@")


async def test_at13_who_hangs_up_is_called_back_in_missed_call_mode(scene: Scene) -> None:
    """H1: from y s on, and not before."""
    server = await scene.serve(callback(missed_call_s=2), more=caller() + caller("5551111112"))
    await called_back(scene)
    early = await ring(scene, "trunk_trigger_cancel", caller="5551111112", d="1000")
    late = await ring(scene, "trunk_trigger_cancel", d="2400")
    await early.sipp.passed()
    await late.sipp.passed()
    await server.request_over(2)
    (invite,) = scene.invites()
    assert invite.start_line.startswith(f"INVITE sip:{CALLER}@")
    await scene.nobody_rang(max(request.ended or 0 for request in server.requests()), expected=1)


@pytest.mark.parametrize(("status", "line", "cause"), [
    pytest.param(480, "480 Temporarily Unavailable", "Q.850;cause=18", id="480"),
    pytest.param(603, "603 Decline", "Q.850;cause=21", id="603"),
])
async def test_at13_another_final_status(scene: Scene, status: int, line: str, cause: str) -> None:
    """H2; its Q.850 cause follows the status (RFC 6432; which one, RFC 3398 8.2.6.1)."""
    server = await scene.serve(callback(trigger_s=1, final_status=status), more=caller("5551111112"))
    trigger = await ring(scene, caller="5559999999")
    await trigger.sipp.passed()
    trigger.check(1.0, line)
    assert trigger.refused().header("Reason") == cause
    await server.request_over()


async def test_at13_a_trigger_repeated_while_one_is_pending_is_one(scene: Scene) -> None:
    server = await scene.serve(callback(trigger_s=1), more=caller())
    await called_back(scene)
    triggers: list[Ringing] = [await ring(scene) for _ in range(3)]
    for trigger in triggers:
        await trigger.sipp.passed()
    await server.request_over(3)
    reasons = sorted(request.reason for request in server.requests())
    assert reasons.count("already-pending") == 2
    await scene.nobody_rang(max(request.ended or 0 for request in server.requests()), expected=1)
