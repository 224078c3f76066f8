"""AT-22: no more active CallerIDs than the quota, whoever adds and enables at the same time."""

from __future__ import annotations

from tests.acceptance.api import Api
from tests.acceptance.callback import callback, caller
from tests.acceptance.scene import Scene

LIST = "/extensions/001*900/caller-ids"
FIRST, SECOND, THIRD = "5551111111", "5551111112", "5551111113"


async def test_at22_only_active_callers_count(scene: Scene) -> None:
    server = await scene.serve(callback(quota=2), more=caller(FIRST) + caller(SECOND))
    async with Api(server) as api:
        assert (await api.get(LIST))["quota"] == {"maximum": 2, "active": 2, "addable": 0}
        refused = await api.post(LIST, {"number": THIRD, "credit": "1.00"}, status=409)
        assert refused["error"]
        await api.patch(f"{LIST}/{FIRST}", {"enabled": False}, status=200)
        assert (await api.get(LIST))["quota"] == {"maximum": 2, "active": 1, "addable": 1}
        await api.post(LIST, {"number": THIRD, "credit": "1.00"}, status=201)
        await api.patch(f"{LIST}/{FIRST}", {"enabled": True}, status=409)
        listed = {row["number"]: row["enabled"] for row in (await api.get(LIST))["callers"]}
        assert listed == {FIRST: False, SECOND: True, THIRD: True}


async def test_at22_added_at_once_they_do_not_exceed_it(scene: Scene) -> None:
    """Twenty additions beside each other, and then all that were refused enabled at once."""
    server = await scene.serve(callback(quota=2))
    async with Api(server) as api:
        statuses = await api.statuses("POST", {LIST: [{"number": f"55511122{n:02}"} for n in range(20)]})
        assert statuses == [201] * 2 + [409] * 18
        page = await api.get(LIST)
        assert (page["total"], page["quota"]["active"]) == (2, 2)
        for n in range(4):
            await api.post(LIST, {"number": f"55511133{n:02}", "enabled": False}, status=201)
        for row in page["callers"]:
            await api.patch(f"{LIST}/{row['number']}", {"enabled": False}, status=200)
        paths = {f"{LIST}/55511133{n:02}": [{"enabled": True}] for n in range(4)}
        assert await api.statuses("PATCH", paths) == [200] * 2 + [409] * 2
        assert (await api.get(LIST))["quota"]["active"] == 2
