"""AT-23 as far as money: T1 answers 503, T2 carries the call and its price counts; settings change while it runs."""

from __future__ import annotations

from tests.acceptance.scene import NO_CONFIRMATION, Change, Scene

R1, R2, FIRST = '[[trunk]]\nname = "R1"', '[[trunk]]\nname = "R2"', '\n[[route]]\ntrunk = "R1"'
PRICES = """
[[rate]]
table = "buy-1"
connection_fee = "0.40"

[[rate]]
table = "buy-2"
connection_fee = "0.05"

[[charging_plan]]
name = "markup"
method = "relative"
factor = "2"
adjustment = "0.01"

[[charging_plan]]
name = "free"
rate_table = "at-12"
free_minutes = 1
"""
MOBILE = "0412345678"


def changes(plan: str) -> tuple[Change, ...]:
    return (
        NO_CONFIRMATION, ('rate_table = "at-12"', f'charging_plan = "{plan}"'), (R1, R1 + '\nrate_table = "buy-1"'),
        (R2, R2 + '\nrate_table = "buy-2"'), (FIRST, PRICES + FIRST),
    )  # fmt: skip


async def test_at23_the_price_is_that_of_the_trunk_that_took_the_call_and_changes_hold_for_the_next(
    scene: Scene,
) -> None:
    server = await scene.serve(*changes("markup"))
    await scene.phone("phone_answer", calls=3)
    first = await scene.trunk("trunk_unavailable_503", calls=3)
    await scene.trunk("trunk_answer_bye_after", at=scene.t2, calls=3, d="300")
    visitor = await scene.visitor()
    await visitor.ask(phone=MOBILE)
    await server.request_over(1)
    call = server.calls()[-1]
    assert (call.reason, call.cost, call.buy) == ("talked", 2 * 50_000 + 10_000, 50_000)
    tries = [(leg.party, leg.status, leg.buy) for leg in server.legs(call.id) if leg.party in ("R1", "R2")]
    assert tries == [("R1", 503, None), ("R2", 200, 50_000)]

    await scene.reconfigure(*changes("free"))
    await visitor.ask(phone="0412345679")
    await server.request_over(2)
    assert (server.calls()[-1].cost, server.calls()[-1].buy) == (0, 50_000), "a free minute, which costs us"

    await server.stop()
    await server.start()
    visitor = await scene.visitor()
    await visitor.ask(phone="0412345670")
    await server.request_over(3)
    assert (server.calls()[-1].cost, server.spent()) == (0, 110_000)
    assert len(first.received("INVITE")) == 3
    used = server.read(lambda conn: [row.free_s for row in conn.exec_driver_sql("SELECT free_s FROM holds")])
    assert used == [0, 1, 1]
