"""AT-21: Unlimited minus 10 leaves nothing, plus 5 leaves 5; the REST API of the running server."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.acceptance.api import Api
from tests.acceptance.callback import CALLER, callback, caller, does, ring
from tests.acceptance.scene import Scene

LIST = "/extensions/001*900/caller-ids"
ONE, RECHARGES = f"{LIST}/{CALLER}", f"{LIST}/{CALLER}/recharges"


async def test_at21_unlimited_minus_ten_then_plus_five(scene: Scene) -> None:
    server = await scene.serve(callback(trigger_s=1), more=caller(credit="unlimited"))
    async with Api(server) as api:
        assert (await api.get(ONE))["available_credit"] == "unlimited"
        taken = await api.post(RECHARGES, {"amount": "-10", "order_number": "A7"}, status=201)
        newest = (await api.get(RECHARGES))[0]
        assert newest == taken
        assert (newest["order_number"], newest["credit_added"], newest["credit_left"]) == ("A7", "-10.00", "0.00")
        assert abs((datetime.fromisoformat(newest["added"]) - datetime.now(UTC)).total_seconds()) < 10
        assert [row["available_credit"] for row in (await api.get(LIST))["callers"]] == ["0.00"]

        await (await ring(scene)).sipp.passed()
        refused = await server.request_over()
        assert refused.reason == "no-credit"
        await scene.nobody_rang(refused.ended or 0)

        again = await api.post(RECHARGES, {"amount": "5", "order_number": "A7"}, status=409)
        assert again["field"] == "order_number"
        assert len(await api.get(RECHARGES)) == 2  # the opening one and A7
        added = await api.post(RECHARGES, {"amount": "5", "order_number": "A8"}, status=201)
        assert (added["credit_added"], added["credit_left"]) == ("5.00", "5.00")
        assert [row["order_number"] for row in await api.get(f"{RECHARGES}?q=a8")] == ["A8"]

        back = await scene.trunk("trunk_called_back_bye_after", does=does(), talk="300")
        await (await ring(scene)).sipp.passed()
        await back.passed()
        await server.request_over(2)
        assert [invite.target for invite in scene.invites()] == [scene.t1]
        left = await api.get(ONE)
        assert (left["available_credit"], left["spent"]) == ("4.88", "0.12")  # the fee of the leg back to him


async def test_at21_an_unlimited_caller_stays_so_with_a_positive_amount(scene: Scene) -> None:
    """And a finite credit below zero is zero; the history keeps what was typed."""
    server = await scene.serve(callback(), more=caller(credit="unlimited") + caller("5551111112", credit="5.00"))
    async with Api(server) as api:
        await api.post(RECHARGES, {"amount": "3", "order_number": "B1"}, status=201)
        assert (await api.get(RECHARGES))[0]["credit_added"] == "3.00"
        assert (await api.get(ONE))["available_credit"] == "unlimited"
        finite = f"{LIST}/5551111112"
        await api.post(f"{finite}/recharges", {"amount": "-10", "order_number": "B2"}, status=201)
        row = (await api.get(f"{finite}/recharges"))[0]
        assert (row["credit_added"], row["credit_left"]) == ("-10.00", "0.00")
        assert (await api.get(finite))["available_credit"] == "0.00"
