"""kill -9 in the middle of a call: the money is right, the phones are still known, the request has its reason."""

from __future__ import annotations

from time import time

from store import ledger
from tests.acceptance.ports import SERVER_RTP
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


async def test_crash_before_the_answer_costs_nothing(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA)
    phone, visitor = await scene.phone("phone_answer"), await scene.visitor()
    await visitor.ask()
    await phone.until("ACK")
    await server.kill()
    assert len(server.read(ledger.open_holds)) == 1
    await server.start()
    (request,) = server.requests()
    assert (request.reason, request.cost, server.spent()) == ("server-restarted", 0, 0)


async def test_crash_of_the_media_process_ends_its_calls_only(scene: Scene) -> None:
    """The talk is over for both sides, and paid; the next call has media again."""
    server = await scene.serve(NO_CAPTCHA)
    phone, trunk, visitor = await scene.phone(calls=2), await scene.trunk(calls=2), await scene.visitor()
    token = await visitor.ask()
    await visitor.until_stage(token, "talking")
    server.kill_media()
    request = await server.request_over()
    assert (request.reason, request.cost) == ("media-lost", 120_000)
    await until(lambda: phone.received("BYE") and trunk.received("BYE"), "BYE to both")

    await server.media_is_back()
    await visitor.ask(phone="5555555556")
    await trunk.until("ACK", times=2)
    began = time()
    await until(lambda: len(scene.stream(target="127.0.0.2").between(began, time())) > 25, "sound again")
    await server.stop()


async def test_without_a_port_the_call_ends_and_costs_nothing(scene: Scene) -> None:
    """One RTP port: the phone has it, and there is none for the visitor's leg."""
    server = await scene.serve(NO_CAPTCHA, rtp=range(SERVER_RTP.start, SERVER_RTP.start + 2))
    phone, visitor = await scene.phone(), await scene.visitor()
    token = await visitor.ask()
    request = await server.request_over()
    await phone.until("BYE")
    await visitor.until_stage(token, "not-available")
    assert (request.reason, server.spent(), scene.invites(scene.t1)) == ("congested", 0, [])


async def test_stop_in_a_call_hangs_up_and_settles(scene: Scene) -> None:
    server = await scene.serve(NO_CAPTCHA)
    phone, trunk, visitor = await scene.phone(), await scene.trunk(), await scene.visitor()
    await visitor.until_stage(await visitor.ask(), "talking")
    await server.stop()
    await phone.passed()
    await trunk.passed()
    (request,) = server.requests()
    assert (request.reason, request.cost, server.spent()) == ("server-stopped", 120_000, 120_000)
    assert (server.read(ledger.open_holds), server.read(ledger.audit)) == ([], [])


def heartbeats(scene: Scene) -> float:
    """How long the one call has talked by its last heartbeat, in seconds."""
    (beat,) = beats(scene)
    return beat


def beats(scene: Scene) -> list[float]:
    """The same of every leg that has money held."""
    rows = scene.server.read(
        lambda conn: conn.exec_driver_sql("SELECT answered_at, heartbeat_at FROM holds").mappings().all()
    )
    return [(row["heartbeat_at"] or 0) - row["answered_at"] if row["answered_at"] else 0.0 for row in rows]


async def test_crash_in_a_talk_of_two_calls_settles_each_once(scene: Scene) -> None:
    """A phone has sent its call on and gone: both legs to the network are paid until their last heartbeat."""
    by_t2 = ('[[route]]\ntrunk = "R1"\n', '[[route]]\nprefix = "04"\ntrunk = "R2"\n\n[[route]]\ntrunk = "R1"\n')
    server = await scene.serve(by_t2, *BY_THE_SECOND)
    trunk = await scene.trunk("trunk_answer", at=scene.t2, calls=2)
    phone = await scene.phone(
        "uac_transfer_blind", at=scene.address("127.0.0.5"), service="0412345678", to="0400001111", d="500"
    )
    await phone.passed()
    await trunk.until("ACK", times=2)
    await until(lambda: [beat > 1.0 for beat in beats(scene)] == [True, True], "heartbeats of both", 15)
    await server.kill()
    begun = sorted(m.at for m in scene.said("ACK ", target=scene.t2))
    for _ in range(2):  # a second start finds nothing left to settle
        await server.start()
        assert (server.read(ledger.open_holds), server.read(ledger.audit)) == ([], [])
        calls = sorted(server.calls(), key=lambda call: call.started)
        assert [call.reason for call in calls] == ["server-restarted"] * 2
        assert [call.to for call in calls] == ["0412345678", "0400001111"]
        for call, answered in zip(calls, begun, strict=True):
            lasted = scene.now() - answered
            assert 0.5 <= call.talk_ms / 1000 <= lasted
            assert call.cost == -(-call.talk_ms // 1000) * COST_OF_A_SECOND
        assert calls[0].talk_ms > calls[1].talk_ms
        assert server.spent() == sum(call.cost for call in calls)
        await server.kill()
