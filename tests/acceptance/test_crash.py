"""kill -9 in the middle of a call: the money is right, the phones are still known, the request has its reason."""

from __future__ import annotations

from time import time

from store import ledger
from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.server import until

BY_THE_SECOND = (
    ("first_interval_s = 30\n", "first_interval_s = 1\n"), ("increment_s = 30\n", "increment_s = 1\n"),
)
COST_OF_A_SECOND = 100_000


async def test_crash_in_a_call_is_settled_once(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA, *BY_THE_SECOND)
    phone, trunk, visitor = await scene.phone(calls=2), await scene.trunk(), await scene.visitor()
    await visitor.ask(phone="0412345678")
    await trunk.until("ACK")
    answered = time()
    await until(lambda: heartbeats(scene) > 1.0, "heartbeat", 8)
    await server.kill()
    talked = time() - answered
    (hold,) = server.read(ledger.open_holds)
    assert hold.amount > 0

    await server.start()
    assert server.read(ledger.open_holds) == []
    (request,), (call,) = server.requests(), server.calls()
    assert (request.reason, call.reason, request.cost) == ("server-restarted", "server-restarted", call.cost)
    assert 1.0 <= call.talk_ms / 1000 <= talked
    assert call.cost == -(-call.talk_ms // 1000) * COST_OF_A_SECOND
    assert server.spent() == call.cost
    assert server.read(ledger.audit) == []

    await server.kill()
    await server.start()  # a second start finds nothing left to settle
    assert (server.spent(), len(server.calls()), server.read(ledger.audit)) == (call.cost, 1, [])

    registered = len(scene.said("REGISTER "))
    token = await visitor.ask(phone="5555555555")
    await phone.until("INVITE", times=2)
    assert len(scene.said("REGISTER ")) == registered
    await phone.until("ACK", times=2)
    await visitor.http.post(f"/callnow/status/{token}/cancel")
    assert (await server.request_over(2)).reason == "cancelled"


def heartbeats(scene: Scene) -> float:
    """How long the call has talked by its last heartbeat, in seconds."""
    row = scene.server.read(
        lambda conn: conn.exec_driver_sql("SELECT answered_at, heartbeat_at FROM holds").mappings().one()
    )
    return (row["heartbeat_at"] or 0) - (row["answered_at"] or 0) if row["answered_at"] else 0.0
