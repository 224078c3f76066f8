"""Calls at another time on the real server: key 3 over kill -9, and a time chosen on the page (A12.8, A12.12, H11)."""

from __future__ import annotations

import re
from time import time

from tests.acceptance.far_end import FarEnd
from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.server import clock_ahead, until


async def test_key_3_over_kill_9_is_called_again_once(scene: Scene) -> None:
    server = await scene.serve((NO_CAPTCHA[0], f"{NO_CAPTCHA[1]}\nlater_s = 4"))
    trunk, visitor = await scene.trunk(), await scene.visitor()
    async with FarEnd("127.0.0.5", server.sip) as phone:
        await phone.register("001*002", "secret")
        phone.scripts["001*002"] = "200 key:3"
        token = await visitor.ask()
        (due,) = await until(lambda: [r.due for r in server.requests() if r.reason == "put-off" and r.due], "key 3")
        await server.kill()
        phone.scripts["001*002"] = "200 key:1 hold bye"
        await server.start()
        assert await visitor.stage(token) in ("scheduled", "ringing")
        await until(lambda: phone.calls("001*002") == 2, "second call", 10)
        assert time() >= due
        await trunk.until("ACK")
        await visitor.until_stage(token, "talking")
        phone.release("001*002")
        request = await server.request_over()
        assert (request.token, request.reason, request.cost) == (token, "talked", 120_000)
        assert [call.reason for call in server.calls()] == ["server-restarted", "talked"]
        assert (phone.calls("001*002"), len(scene.invites(scene.t1)), server.spent()) == (2, 1, 120_000)


async def test_a_time_chosen_on_the_page_is_kept_over_a_restart(scene: Scene) -> None:
    server = await scene.serve((NO_CAPTCHA[0], f"{NO_CAPTCHA[1]}\nslot_min = 5\nconfirm = false"))
    trunk, visitor = await scene.trunk(), await scene.visitor()
    async with FarEnd("127.0.0.5", server.sip) as phone:
        await phone.register("001*002", "secret")
        phone.scripts["001*002"] = "200 hold bye"
        page = (await visitor.http.get("/callnow/john_doe")).text
        assert "Times are those of UTC, where it is" in page
        when, other, *_ = re.findall(r'<option value="([0-9]{10})"', page)
        token = await visitor.ask(when=when)
        told = (await visitor.http.get(f"/callnow/status/{token}")).text
        assert re.search(r"We will call (on .*, )?at [0-9]{2}:[0-9]{2}", told)
        assert "Cancel the call" in told
        taken = await visitor.post(name="Bob", phone="5555555556", when=when)
        assert (taken.status_code, "Choose one of the times that are free." in taken.text) == (422, True)
        cancelled = await visitor.ask(name="Bob", phone="5555555556", when=other)
        await visitor.http.post(f"/callnow/status/{cancelled}/cancel")
        assert await visitor.stage(cancelled) == "cancelled"
        assert [r.reason for r in server.requests()] == ["scheduled", "slot-not-free", "cancelled"]
        await server.stop()
        server.environment |= clock_ahead(float(when) - time())
        await server.start()
        await trunk.until("ACK")
        phone.release("001*002")
        await server.request_over(3)
        assert [r.reason for r in server.requests()] == ["talked", "slot-not-free", "cancelled"]
        assert (phone.calls("001*002"), len(scene.invites(scene.t1))) == (1, 1)
