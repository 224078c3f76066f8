"""Triggers on the virtual clock: what rings back whom, and why not (SPEC 25-30, H1, H2, H4, H18; AT-13 to AT-15)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from b2bua.outcome import Outcome
from b2bua.triggers import MOST_RINGING
from store import callers, journal, ledger, lockouts
from tests.callback import CALLER, CB, Caller, callback_plan
from tests.world import PHONE, SERVER, Far, Peer, World, play

STRANGER, FIXED = "5552222222", "5553333333"
T3 = ("192.0.2.23", 5060)
ANYONE = 'return_to = "caller"'
TO_FIXED = f'return_to = "fixed"\nfixed_number = "{FIXED}"'


async def no_invite(world: World, within_s: float = 20.0) -> None:
    """Whoever could be rung is not."""
    trunk = Peer(world, ("192.0.2.99", 5060))
    before = len(world.wire.requests("INVITE"))
    await asyncio.sleep(within_s)
    assert len(world.wire.requests("INVITE")) == before
    assert trunk.invited == 0


async def refused_as_ever(world: World, trigger: Far) -> None:
    """The ringing of any trigger: 180 at once, 486 after x, never an answer; then no INVITE."""
    began = world.loop.time()
    await trigger.told(180, within_s=0.5)
    await trigger.told(486, within_s=10)
    assert world.loop.time() - began == pytest.approx(3.0, abs=0.05)
    assert 200 not in trigger.statuses
    await no_invite(world)


def reasons(world: World) -> list[str]:
    """Of all triggers, oldest first; each is closed."""
    rows = world.requests()
    assert all(row.ended is not None and row.kind == "callback" for row in rows)
    return [row.reason for row in reversed(rows)]


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        pytest.param(callback_plan(listed=False), "unknown-caller", id="not in the list"),
        pytest.param(callback_plan(row="enabled = false"), "caller-disabled", id="a disabled row"),
        pytest.param(callback_plan(credit="0.00"), "no-credit", id="no credit"),
        pytest.param(callback_plan(credit="0.11"), "no-credit", id="less than the leg back costs"),
        pytest.param(callback_plan('pay_call_back = "no"', credit="0.00"), "no-credit", id="no credit for a free leg"),
        pytest.param(callback_plan('least_credit = "5.01"'), "no-credit", id="below the least credit"),
        pytest.param(callback_plan().replace("enabled = true", "enabled = false", 1), "not-configured",
                     id="not set up"),
        pytest.param(callback_plan("calls_a_number_a_day = 0"), "number-calls-today", id="the budget of the number"),
        pytest.param(callback_plan('money_a_day = "0.00"'), "money-today", id="the money of the day"),
        pytest.param(
            callback_plan(ANYONE, listed=False, password="4321").replace('prefix = "555"', 'prefix = "556"'),
            "no-rate", id="no rate for any caller",
        ),
        pytest.param(callback_plan(f'{ANYONE}\nforbidden = ["555"]', password="4321"), "number-refused",
                     id="forbidden"),
        pytest.param(callback_plan(f'{ANYONE}\nhighest_price_a_minute = "0.11"', password="4321"), "price-too-high",
                     id="too dear"),
        pytest.param(callback_plan(ANYONE + "\nask_pin = true", password="4321", listed=False), "unknown-caller",
                     id="H4: PINs are asked and the caller is not in the list"),
    ],
)  # fmt: skip
def test_no_call_back(plan: str, reason: str) -> None:
    async def scenario(world: World) -> None:
        await refused_as_ever(world, Caller(world).rings())
        call = await world.over()
        assert reasons(world) == [reason]
        assert str(call.outcome) == reason
        assert world.read(lambda conn: journal.read_ladder(conn, call.id))

    play(scenario, plan)


def test_the_final_status_and_its_cause_are_those_of_the_extension() -> None:
    for status, cause in ((480, 18), (486, 17), (603, 21)):

        async def scenario(world: World, status: int = status, cause: int = cause) -> None:
            trigger = Caller(world).rings()
            await trigger.told(status)
            final = [d for _, s, _, d in world.wire.sent if s == SERVER and d.startswith(f"SIP/2.0 {status}".encode())]
            assert f"Reason: Q.850;cause={cause}".encode() in final[0]
            await world.over()

        play(scenario, callback_plan(f"final_status = {status}", listed=False))


@pytest.mark.parametrize("after_s", [0.0, 1.0, 2.9])
def test_who_hangs_up_before_is_not_called_back(after_s: float) -> None:
    async def scenario(world: World) -> None:
        trigger = Caller(world).rings()
        await trigger.told(180)
        await asyncio.sleep(after_s)
        trigger.hangs_up()
        await trigger.told(487)
        await no_invite(world)
        assert (await world.over()).outcome is Outcome.CANCELLED
        assert reasons(world) == ["cancelled"]

    play(scenario, callback_plan())


@pytest.mark.parametrize(("after_s", "back"), [(0.5, False), (1.5, True)])
def test_missed_call_mode_calls_back_who_hangs_up_late_enough(after_s: float, back: bool) -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        trigger = caller.rings()
        await trigger.told(180)
        await asyncio.sleep(after_s)
        trigger.hangs_up()
        if back:
            (await caller.trunk.expects_call(within_s=1)).refuses(486)
        else:
            await no_invite(world)
        await world.over()
        assert reasons(world) == ["busy" if back else "cancelled"]

    play(scenario, callback_plan("missed_call_s = 1"))


def test_any_caller_is_called_back_at_the_owners_expense_and_asked_for_the_password() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).called_back(STRANGER)
        assert back.request is not None
        assert back.request.uri.user == STRANGER
        await back.hears("ask-password")
        back.presses("4321#")
        await back.hears("dial-number")
        back.hangs_up()
        assert (await world.over()).outcome is Outcome.CALLER_LEFT
        assert world.balance() == 100_000_000 - 120_000

    play(scenario, callback_plan(ANYONE, password="4321"))


def test_the_wallet_of_a_listed_caller_pays_in_every_mode() -> None:
    for mode in (ANYONE, TO_FIXED):

        async def scenario(world: World, mode: str = mode) -> None:
            back = await Caller(world).called_back()
            await back.hears("ask-password")
            back.hangs_up()
            await world.over()
            assert world.balance() == 100_000_000
            assert world.read(lambda conn: callers.search_callers(conn, 2))[0].available == 4_880_000

        play(scenario, callback_plan(mode, password="4321"))


def test_a_disabled_row_is_no_match_for_who_pays() -> None:
    """H4: the matched ACTIVE CallerID's credit, else the owner's."""

    async def scenario(world: World) -> None:
        (await Caller(world).called_back()).hangs_up()
        await world.over()
        assert world.balance() == 100_000_000 - 120_000

    play(scenario, callback_plan(ANYONE, password="4321", row="enabled = false"))


PRIVATE = [("Privacy", "id")]
ASSERTED = [("P-Asserted-Identity", f"<sip:{CALLER}@carrier>")]
HIDDEN = [
    pytest.param("anonymous", "anonymous.invalid", [], id="anonymous@anonymous.invalid"),
    pytest.param("anonymous", SERVER[0], [], id="anonymous"),
    pytest.param("Restricted", SERVER[0], [], id="Restricted"),
    pytest.param("unavailable", SERVER[0], [], id="unavailable"),
    pytest.param("", SERVER[0], [], id="no user"),
    pytest.param(CALLER, SERVER[0], PRIVATE, id="Privacy: id"),
    pytest.param(CALLER, SERVER[0], PRIVATE + ASSERTED, id="Privacy: id with PAI of a trusted trunk"),
]


@pytest.mark.parametrize(("user", "host", "extra"), HIDDEN)
@pytest.mark.parametrize("mode", ["", ANYONE])
def test_a_hidden_caller_is_not_called_back(user: str, host: str, extra: list[tuple[str, str]], mode: str) -> None:
    async def scenario(world: World) -> None:
        await refused_as_ever(world, Caller(world).trunk.calls(CB, user, host=host, extra=extra))
        await world.over()
        assert reasons(world) == ["hidden-callerid"]
        assert CALLER not in [r.number for r in world.requests()], "what was hidden is not written down"

    play(scenario, callback_plan(mode, password="4321" if mode else ""))


@pytest.mark.parametrize(("user", "host", "extra"), HIDDEN)
def test_anyone_rings_the_fixed_number_and_nobody_else(user: str, host: str, extra: list[tuple[str, str]]) -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        caller.trunk.calls(CB, user, host=host, extra=extra)
        back = await caller.trunk.expects_call()
        assert back.request is not None
        assert back.request.uri.user == FIXED
        back.refuses(486)
        await world.over()
        assert reasons(world) == ["busy"]
        assert world.balance() == 100_000_000

    play(scenario, callback_plan(TO_FIXED, password="4321"))


@pytest.mark.parametrize(("mode", "reason"), [("", "untrusted-caller"), (ANYONE, "untrusted-caller")])
def test_an_untrusted_trunk_rings_nobody_back(mode: str, reason: str) -> None:
    """H18, A12.9: what it shows is for display; it can make us ring no number of its choice."""

    async def scenario(world: World) -> None:
        stranger = Peer(world, T3)
        await refused_as_ever(world, stranger.calls(CB, CALLER, extra=ASSERTED))
        await world.over()
        assert reasons(world) == [reason]

    play(scenario, callback_plan(mode, password="4321" if mode else ""))


def test_an_untrusted_trunk_matches_no_row_where_the_number_is_fixed() -> None:
    async def scenario(world: World) -> None:
        Caller(world, Peer(world, T3)).rings()
        (await Peer(world, ("192.0.2.21", 5060)).expects_call()).answers().hangs_up()
        await world.over()
        assert world.balance() == 100_000_000 - 120_000, "the owner pays"

    play(scenario, callback_plan(TO_FIXED, password="4321"))


def test_the_asserted_identity_of_a_trusted_trunk_counts() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        caller.trunk.calls(CB, STRANGER, extra=ASSERTED, display="Mary")
        back = await caller.trunk.expects_call()
        assert back.request is not None
        assert back.request.uri.user == CALLER
        back.refuses(600)
        await world.over()
        assert [(r.number, r.name) for r in world.requests()] == [(CALLER, "Mary")]

    play(scenario, callback_plan())


@pytest.mark.parametrize("written", ["+15551111111", "5551111111", "555-111-1111"])
def test_the_number_is_found_however_the_trunk_writes_it(written: str) -> None:
    async def scenario(world: World) -> None:
        Caller(world).rings(written)
        await asyncio.sleep(1)
        (await Peer(world, ("192.0.2.22", 5060)).expects_call()).refuses(486)
        await world.over()
        assert [(r.number, r.reason) for r in world.requests()] == [(CALLER, "busy")]

    plan = callback_plan().replace('[[route]]\ntrunk = "R1"\n', "")
    play(scenario, plan)


@pytest.mark.parametrize("number", ["112", "9005551111", "12", "001002", "friend"])
def test_what_is_never_called_is_not_called_back_either(number: str) -> None:
    async def scenario(world: World) -> None:
        await refused_as_ever(world, Caller(world).rings(number))
        await world.over()
        assert reasons(world) == ["number-refused"]

    play(scenario, callback_plan(ANYONE, password="4321").replace('"1900"]', '"1900", "900"]'))


def test_repeated_triggers_are_one() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        triggers = [caller.rings()]
        await asyncio.sleep(1)
        triggers.append(caller.rings())
        back = (await caller.trunk.expects_call()).rings()
        triggers.append(caller.rings())
        await asyncio.sleep(10)
        assert [t.statuses[-1] for t in triggers] == [486] * 3
        back.answers()
        await asyncio.sleep(1)
        again = caller.rings()
        await again.told(486)
        await caller.trunk.expects_call()  # answered: whoever triggers again is another of that number
        back.hangs_up()
        await world.over()
        assert sorted(reasons(world)) == ["already-pending", "already-pending", "caller-left", "no-answer"]

    play(scenario, callback_plan())


def test_a_trigger_is_written_down_when_it_rings_and_counts_when_it_is_called_back() -> None:
    async def scenario(world: World) -> None:
        def counted() -> int:
            return world.read(lambda conn: journal.count_triggers(conn, "001*900", CALLER, 0.0))

        caller = Caller(world)
        trigger = caller.rings()
        await trigger.told(180)
        ringing, = world.requests()
        assert (ringing.reason, ringing.number, ringing.trunk, ringing.ended) == ("ringing", CALLER, "R1", None)
        assert counted() == 0
        await trigger.told(486)
        back = await caller.trunk.expects_call()
        assert world.requests() == [replace(ringing, reason="")]
        assert counted() == 1
        back.refuses(486)
        await world.over()
        assert reasons(world) == ["busy"]
        assert counted() == 1

    play(scenario, callback_plan())


def test_a_database_that_fails_while_it_rings_and_not_after_it_changes_nothing() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        world.database.broken = True
        trigger = caller.rings()
        await trigger.told(180)
        world.database.broken = False
        await trigger.told(486)
        (await caller.trunk.expects_call()).refuses(486)
        await world.over()
        assert reasons(world) == ["busy"]

    play(scenario, callback_plan())


def test_a_server_that_dies_while_it_rings_leaves_one_record() -> None:
    async def scenario(world: World) -> None:
        trigger = Caller(world).rings()
        await trigger.told(180)
        await world.database.run(lambda conn: ledger.settle_after_crash(conn, world.wall()))
        request, = world.requests()
        assert (request.reason, request.ended) == (journal.RESTARTED, world.wall())
        trigger.hangs_up()
        await world.over()

    play(scenario, callback_plan())


def test_triggers_count_against_no_limit_of_the_pages_after_a_restart() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        for _ in range(10):
            caller.rings("5555555555")
            (await caller.trunk.expects_call()).refuses(486)
            await world.over()
        await world.desk.open()
        phone = Peer(world, PHONE)
        await phone.register("001*002", "secret")
        await world.callnow(number="5555555555")
        (await phone.expects_call()).refuses(486)
        await world.over()

    play(scenario, callback_plan(ANYONE, password="4321"))


def test_a_trigger_given_up_does_not_stand_in_the_way_of_the_next() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        first = caller.rings()
        await first.told(180)
        second = caller.rings()
        await asyncio.sleep(1)
        first.hangs_up()
        await second.told(486)
        (await caller.trunk.expects_call()).refuses(486)
        await world.over()
        assert sorted(reasons(world)) == ["busy", "cancelled"]

    play(scenario, callback_plan())


def test_the_budget_of_a_number_counts_those_that_rang_and_survives_a_restart() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        cancelled = caller.rings()
        await cancelled.told(180)
        cancelled.hangs_up()
        await world.over()
        for _ in range(2):
            caller.rings()
            (await caller.trunk.expects_call()).refuses(486)
            await world.over()
        await refused_as_ever(world, caller.rings())
        assert reasons(world) == ["cancelled", "busy", "busy", "number-calls-today"]

    play(scenario, callback_plan("calls_a_number_a_day = 2"))


def test_a_locked_number_is_not_called_back() -> None:
    async def scenario(world: World) -> None:
        for _ in range(5):
            await world.database.run(lambda conn: lockouts.note_failure(conn, 2, CALLER, world.wall()))
        await refused_as_ever(world, Caller(world).rings())
        assert reasons(world) == ["number-locked"]
        await asyncio.sleep(3600)
        (await Caller(world, Peer(world, ("192.0.2.21", 5060))).called_back()).hangs_up()
        await world.over()

    play(scenario, callback_plan())


def test_a_flood_of_triggers_rings_so_many_and_opens_no_media_port() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        flood = []
        for n in range(MOST_RINGING + 20):
            flood.append(caller.rings(f"55560{n:05}"))
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.1)
        assert world.engine.open_ports == 0
        turned_away = [far for far in flood if 503 in far.statuses]
        assert 0 < len(turned_away) <= 20, "those that came last"
        await asyncio.sleep(5)
        assert world.exchange.triggers.waiting == 0
        await world.over()
        assert [reasons(world).count(r) for r in ("congested", "unknown-caller")] == [
            len(turned_away), len(flood) - len(turned_away),
        ]  # fmt: skip

    play(scenario, callback_plan())


def test_a_phone_that_dials_the_callback_extension_is_refused() -> None:
    async def scenario(world: World) -> None:
        phone = Peer(world, ("192.0.2.10", 5060))
        assert await phone.register("001*002", "secret") == 200
        call = phone.calls("001*900", "001*002", "secret")
        await call.told(480)
        await world.over()
        assert world.requests() == []

    play(scenario, callback_plan())


def test_a_server_that_stops_writes_why() -> None:
    async def scenario(world: World) -> None:
        trigger = Caller(world).rings()
        await trigger.told(180)
        await world.exchange.close()
        assert reasons(world) == ["server-stopped"]

    play(scenario, callback_plan())


@pytest.mark.parametrize(("mode", "credit"), [("", "unlimited"), (ANYONE, "5.00")])
def test_of_triggers_in_the_same_moment_one_is_called_back(mode: str, credit: str) -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        for _ in range(30):
            caller.rings()
        (await caller.trunk.expects_call()).refuses(486)
        await world.over()
        await no_invite(world)
        assert caller.trunk.invited == 1
        assert sorted(reasons(world)) == ["already-pending"] * 29 + ["busy"]

    play(scenario, callback_plan(mode, password="4321" if mode else "", credit=credit))


def test_a_name_in_another_encoding_is_written_down_and_holds_up_nobody() -> None:
    """A byte that is no UTF-8 kept the row, and every later settlement, from the database."""

    async def scenario(world: World) -> None:
        caller = Caller(world)
        await caller.trunk.calls(CB, STRANGER, display="Jos\udce9").told(486)
        await world.over()
        assert [(r.name, r.reason) for r in world.requests()] == [("Jos?", "unknown-caller")]
        assert world.exchange.unsettled == {}

    play(scenario, callback_plan())
