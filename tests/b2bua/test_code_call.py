"""A call that speaks a code, on the virtual clock: what is heard, what it costs, how it ends, and what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from b2bua.call import Call
from b2bua.codes.calls import CodeCalls, NewCode
from b2bua.desk import Holder, NotDone
from b2bua.outcome import Outcome
from b2bua.rules.code_admission import CodeLimits
from store import codes, journal, ledger
from store.blocked import BlockedBy, block, blocked_by
from store.codes import Code
from store.database import connect
from store.directory import load, save_caller_id
from store.rates import price
from store.values import Micros, Rate
from tests.plans import fixture
from tests.world import PHONE, T1, T2, Far, Peer, World, play

OPERATOR = Holder("operator", None)
DIGITS, WANTED, PUBLIC = "407216", "5551234567", "5555550000"
FLAT = 120_000
OWN = 'public_number = "5555550000"\n'


def plan(number: str = WANTED, *changes: tuple[str, str], more: str = "") -> str:
    """001*002 wants to show a number that is not proven."""
    rules = f'caller_id = {{ number_by = "user", number = "{number}"{more} }}\n'
    return fixture((OWN, f"{OWN}{rules}"), *changes)


async def new_code() -> NewCode:
    await asyncio.sleep(0.03)
    return NewCode(DIGITS, "hash of it")


def calls_of(world: World, limits: CodeLimits | None = None) -> CodeCalls:
    return CodeCalls(world.exchange, new_code, limits)


async def place(world: World, limits: CodeLimits | None = None) -> Call:
    return await calls_of(world, limits).place(OPERATOR, "001*002")


async def refused(world: World, limits: CodeLimits | None = None) -> NotDone:
    with pytest.raises(NotDone) as found:
        await place(world, limits)
    return found.value


def kept(world: World) -> Code | None:
    return world.read(lambda conn: codes.find(conn, 1, world.wall()))


async def answered(trunk: Peer) -> Far:
    far = await trunk.expects_call()
    far.rings()
    await asyncio.sleep(1)
    return far.answers()


async def hears_digits(far: Far) -> None:
    """Each digit after the one before."""
    far.heard.clear()
    for digit in DIGITS:
        await far.hears(digit)
        far.heard.clear()


def test_the_code_is_spoken_twice_and_counts_from_the_first_time_on() -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        call = await place(world)
        far = await answered(trunk)
        assert far.request is not None
        assert far.request.uri.user == WANTED
        assert far.shown() == ("John Doe", PUBLIC), "never the number that is to be proven"
        await far.hears("code-announce")
        await far.hears("your-code-is")
        unheard = kept(world)
        assert unheard is not None
        assert (unheard.number, unheard.spoken_at) == (WANTED, None)
        assert call.extension is not None
        assert not world.exchange.on_the_phone(call.extension), "it is the server that speaks"
        await hears_digits(far)
        await far.hears("your-code-is")
        once = kept(world)
        assert once is not None
        assert once.spoken_at is not None
        await hears_digits(far)
        await far.left_alone()
        assert await world.over() is call
        assert (call.outcome, call.charged, world.balance()) == (Outcome.CODE_SPOKEN, FLAT, 100_000_000 - FLAT)
        (request,) = world.requests()
        assert (request.kind, request.number, request.extension) == ("code", WANTED, "001*002")
        assert (request.reason, request.cost, request.call_id) == ("code-spoken", FLAT, call.id)
        written = world.read(lambda conn: journal.find_call(conn, call.id))
        assert written is not None
        assert (written.kind, written.from_, written.to) == ("code", "001*002", WANTED)
        assert kept(world) == once
        said = [row.title for row in call.ladder.rows() if row.kind == "prompt"]
        assert said == [
            "said: This call finds out whose number this is. If you did not ask for it, press 9.",
            *["said: Your code is", "said: (not shown)"] * 2, "said: Thank you. Good bye.",
        ]  # fmt: skip
        assert DIGITS not in str(world.read(lambda conn: journal.read_ladder(conn, call.id)))

    play(scenario, plan())


def test_the_number_itself_is_no_secret_of_an_anonymous_extension() -> None:
    """Rule 50 holds for this call too, and nothing of it has the number that is to be proven but where it is called."""

    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        await place(world)
        far = await answered(trunk)
        assert far.shown() == ("Anonymous", "anonymous")
        far.hangs_up()
        await world.over()
        (invite,) = world.wire.requests("INVITE")
        lines = [line for line in invite.decode().splitlines() if WANTED in line]
        assert [line.partition(" ")[0] for line in lines] == ["INVITE", "To:"]

    play(scenario, plan(more=", anonymous = true"))


def test_it_is_spoken_in_the_language_of_the_extension() -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        call = await place(world)
        far = await answered(trunk)
        await far.until(lambda: call.outcome is not None)
        said = [row.title for row in call.ladder.rows() if row.kind == "prompt"]
        assert said[1:3] == ["said: Ваш код", "said: (not shown)"]
        await world.over()

    play(scenario, plan(WANTED, ("announce_to_visitor = false", 'announce_to_visitor = false\nlanguage = "ru"')))


@pytest.mark.parametrize(("does", "reason"), [
    pytest.param(lambda far: far.refuses(486), "busy", id="busy"),
    pytest.param(lambda far: far.refuses(603), "declined", id="declined"),
    pytest.param(lambda far: far.refuses(404), "failed", id="no such number"),
    pytest.param(lambda far: None, "no-answer", id="nobody answers"),
])  # fmt: skip
def test_nobody_hears_it_and_nothing_is_paid(does: Callable[[Far], object], reason: str) -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        await place(world)
        far = await trunk.expects_call()
        far.rings()
        does(far)
        call = await world.over(200)
        assert (str(call.outcome), call.charged, world.balance()) == (reason, 0, 100_000_000)
        assert [request.reason for request in world.requests()] == [reason]
        assert kept(world) is None, "of a code that nobody heard nothing is kept"

    play(scenario, plan())


def test_without_credit_nobody_is_rung_and_the_call_counts_towards_no_limit() -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        for _ in range(4):
            await place(world)
            call = await world.over()
            assert call.outcome is Outcome.NO_CREDIT
        assert trunk.invited == 0
        assert [request.reason for request in world.requests()] == ["no-credit"] * 4

    play(scenario, plan(WANTED, ('credit = "100.00"', 'credit = "0.11"')))


def test_the_call_is_cut_where_the_money_ends() -> None:
    """The code was heard once by then, and counts."""

    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        await place(world)
        far = await answered(trunk)
        await far.left_alone()
        call = await world.over()
        assert (call.outcome, world.balance()) == (Outcome.CREDIT_SPENT, 0)

    dear = ('connection_fee = "0.12"', 'connection_fee = "0.12"\nfirst_interval_s = 15\nincrement_s = 1\n'
            'increment_cost = "50.00"')  # fmt: skip
    play(scenario, plan(WANTED, dear, ('credit = "100.00"', 'credit = "0.12"')))


@pytest.mark.parametrize("impatient", [False, True])
@pytest.mark.parametrize("after", ["code-announce", "your-code-is", "4", "goodbye"])
def test_nine_at_whatever_moment_ends_it_and_the_number_is_never_called_again(after: str, impatient: bool) -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        await place(world)
        far = await answered(trunk)
        await far.hears(after)
        far.presses("1")  # any other key means nothing
        await asyncio.sleep(0.3)
        assert not far.gone
        far.presses("9")
        await asyncio.sleep(0.3)
        far.heard.clear()
        await far.hears("goodbye", 1.0)
        if impatient:
            far.hangs_up()
        await far.left_alone(1.0)
        call = await world.over()
        assert call.outcome is Outcome.CODE_UNWANTED
        assert [request.reason for request in world.requests()] == ["code-unwanted"]
        assert kept(world) is None
        assert world.read(lambda conn: blocked_by(conn, (WANTED,), 2)) == "visitor", "for everybody"
        again = await refused(world)
        assert (again.status, again.field) == (422, "number")
        assert [request.reason for request in world.requests()] == ["number-opted-out", "code-unwanted"]
        assert trunk.invited == 1

    play(scenario, plan())


Leave = Callable[[World, list[Far]], None]


def by_far_end(world: World, fars: list[Far]) -> None:
    for far in fars:
        if not far.gone:
            far.hangs_up()


def by_nine(world: World, fars: list[Far]) -> None:
    for far in fars:
        far.presses("9")


def by_server(world: World, fars: list[Far]) -> None:
    for call in world.exchange.live.values():
        call.cancel(Outcome.SHUT_DOWN)


def by_both(world: World, fars: list[Far]) -> None:
    by_far_end(world, fars)
    by_server(world, fars)


@pytest.mark.parametrize(("leave", "endings"), [
    pytest.param(by_far_end, {"declined", "code-not-heard", "code-spoken"}, id="the far end"),
    pytest.param(by_nine, {"code-unwanted", "code-spoken"}, id="nine"),
    pytest.param(by_server, {"server-stopped", "code-spoken"}, id="the server"),
    pytest.param(by_both, {"server-stopped", "code-not-heard", "code-spoken"}, id="both at once"),
])  # fmt: skip
def test_nothing_is_left_whenever_someone_leaves(leave: Leave, endings: set[str]) -> None:
    seen = set()
    for rows in range(100):

        async def scenario(world: World, rows: int = rows) -> str | None:
            return await _interrupted(world, leave, rows)

        reason = play(scenario, plan())
        if reason is None and rows > 15:
            break
        if reason is not None:
            seen.add(reason)
    assert 15 < rows < 99
    assert seen <= endings
    assert len(seen) >= 2


async def _interrupted(world: World, leave: Leave, after_rows: int) -> str | None:
    """The whole call; after so many rows of its ladder somebody leaves.  None where it has fewer."""
    trunk, fars = Peer(world, T1), []
    call = await place(world)

    async def whole() -> None:
        far = await trunk.expects_call()
        fars.append(far)
        far.rings()
        await asyncio.sleep(1)
        if not far.gone:
            far.answers()

    script, left = asyncio.create_task(whole()), False
    async for row in call.ladder.watch():
        if row.n == after_rows and fars:
            leave(world, fars)
            left = True
    script.cancel()
    await asyncio.gather(script, return_exceptions=True)
    by_far_end(world, fars)
    await asyncio.sleep(33)
    assert await world.over() is call
    due = sum(price(Rate(connection_fee=Micros(FLAT)), leg.talk_s) for leg in call.legs if leg.answered_at is not None)
    assert call.charged == due
    assert world.balance() == 100_000_000 - due
    assert [request.reason for request in world.requests()] == [str(call.outcome)]
    code = kept(world)
    assert code is None or code.spoken_at is not None
    assert (code is None) or call.outcome is not Outcome.CODE_UNWANTED
    return str(call.outcome) if left else None


# Who is not called


@pytest.mark.parametrize(("number", "reason"), [
    pytest.param("123", "number-too-short", id="39: three digits may be shown, and cannot be called"),
    pytest.param("911", "number-refused", id="an emergency number"),
    pytest.param("19005551234", "number-refused", id="a premium number"),
    pytest.param("001002", "number-internal", id="an internal number"),
    pytest.param("7771234567", "no-rate", id="no price"),
])  # fmt: skip
def test_numbers_that_are_not_called(number: str, reason: str) -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        assert (await refused(world)).status == 422
        await asyncio.sleep(0.1)
        assert [(request.number, request.reason) for request in world.requests()] == [(number, reason)]
        assert (trunk.invited, kept(world)) == (0, None)

    play(scenario, plan(number))


def test_an_e164_tenant_reaches_no_premium_emergency_or_short_number() -> None:
    async def scenario(world: World) -> None:
        for number, reason in (
            ("19005551234", "number-premium"), ("112", "number-emergency"), ("12", "number-too-short"),
        ):  # fmt: skip
            await wants(world, number)
            await refused(world)
            await asyncio.sleep(0.1)
            assert world.requests()[0].reason == reason

    play(scenario, e164("+12025550123"))


def e164(number: str, country: str = "US") -> str:
    """The same for a tenant whose numbers are E.164."""
    as_dialled = ('dial_plan = { mode = "as-dialled", strip = ["+1"], refused = ["112", "911", "000", "1900"], '
                  "min_digits = 6 }\n", f'dial_plan = {{ country = "{country}" }}\n')  # fmt: skip
    rates = ((f'prefix = "{digits}"', f'prefix = "+{more}"') for digits, more in (("555", 49), ("04", 7), ("00", 8)))
    return plan(number, as_dialled, *rates)


@pytest.mark.parametrize(("planned", "called"), [
    pytest.param(e164("15123456789", "DE"), "+4915123456789", id="a mobile here, shown a number in Texas"),
    pytest.param(e164("4915123456789", "DE"), "+494915123456789", id="without its plus it is another number"),
    pytest.param(plan("+15551234567"), "5551234567", id="what the dial plan strips"),
])  # fmt: skip
def test_what_is_called_is_what_will_be_shown(planned: str, called: str) -> None:
    """Else a number of one's own, called, would prove a number of others, shown."""

    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        assert (await refused(world)).sentence == (
            f"number: write it as {called}, since what is proven is what is shown."
        )
        await wants(world, called)
        await place(world)
        far = await trunk.expects_call()
        assert far.request is not None
        assert far.request.uri.user == called
        far.refuses(486)
        await world.over()
        await wants(world, called, approved=True)
        await asyncio.sleep(1)
        caller = Peer(world, PHONE).calls(called, "001*002", "secret")
        far = await trunk.expects_call()
        assert far.shown()[1] == called
        far.refuses(486)
        await caller.told(486)
        await world.over()

    play(scenario, planned)


async def wants(world: World, number: str, **more: object) -> None:
    """The owner sets another number."""

    def job(conn: object) -> None:
        extension = load(conn).extension("001*002")  # type: ignore[arg-type]
        assert extension is not None
        rules = replace(extension.caller_id, **{"number": number, "approved": False, **more})  # type: ignore[arg-type]
        save_caller_id(conn, extension.id, rules)  # type: ignore[arg-type]

    await world.database.run(job)


@pytest.mark.parametrize(("by", "reason"), [
    pytest.param("owner", "number-blocked", id="its owner blocked it"),
    pytest.param("visitor", "number-opted-out", id="whoever has it opted out"),
    pytest.param("operator", "number-opted-out", id="the operator blocked it"),
])  # fmt: skip
def test_a_blocked_number_is_not_called(by: BlockedBy, reason: str) -> None:
    async def scenario(world: World) -> None:
        extension_id = 1 if by == "owner" else None
        await world.database.run(lambda conn: block(conn, WANTED, extension_id, by, world.wall()))
        await refused(world)
        assert [request.reason for request in world.requests()] == [reason]

    play(scenario, plan())


def test_without_a_route_nobody_is_called() -> None:
    async def scenario(world: World) -> None:
        await refused(world)
        assert [request.reason for request in world.requests()] == ["no-route"]

    play(scenario, plan(
        WANTED, ('[[route]]\ntrunk = "R1"\n', '[[route]]\nprefix = "04"\ntrunk = "R1"\n'),
        ('[[route]]\ntrunk = "R2"\npriority = 1\n', ""),
    ))  # fmt: skip


def test_a_number_is_called_three_times_a_day_whoever_asks() -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        for _ in range(3):
            await place(world)
            (await trunk.expects_call()).refuses(486)
            await world.over()
        assert (await refused(world)).status == 409
        assert world.requests()[0].reason == "number-day"
        await wants(world, "5551234568")
        await place(world)
        (await trunk.expects_call()).refuses(486)
        await world.over()
        world.clock_set_s = 86_401.0
        await wants(world, WANTED)
        await place(world)
        (await trunk.expects_call()).refuses(486)
        await world.over()

    play(scenario, plan())


def test_an_account_has_its_calls_of_the_hour_and_of_the_day() -> None:
    async def scenario(world: World) -> None:
        trunk, limits, number = Peer(world, T1), CodeLimits(per_account_hour=2, per_account_day=3), 5_551_234_567

        async def once() -> None:
            nonlocal number
            number += 1
            await wants(world, str(number))
            await place(world, limits)
            (await trunk.expects_call()).refuses(486)
            await world.over()

        await once()
        await once()
        assert (await refused(world, limits)).status == 409
        assert world.requests()[0].reason == "code-calls-hour"
        world.clock_set_s = 3601.0
        await once()
        await refused(world, limits)
        assert world.requests()[0].reason == "code-calls-day"
        world.clock_set_s = 2 * 86_400.0
        await once()

    play(scenario, plan())


def test_one_call_to_a_number_at_a_time() -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        both = await asyncio.gather(place(world), place(world), return_exceptions=True)
        assert sorted(type(each).__name__ for each in both) == ["Call", "NotDone"]
        (await trunk.expects_call()).refuses(486)
        await world.over()
        assert sorted(request.reason for request in world.requests()) == ["busy", "number-pending"]
        assert trunk.invited == 1

    play(scenario, plan())


def test_two_extensions_at_once_have_one_limit() -> None:
    async def scenario(world: World) -> None:
        trunk, service = Peer(world, T1), calls_of(world, CodeLimits(per_account_hour=1))
        both = [service.place(OPERATOR, number) for number in ("001*002", "001*900")]
        told = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(each).__name__ for each in told) == ["Call", "NotDone"]
        (await trunk.expects_call()).refuses(486)
        await world.over()
        assert sorted(request.reason for request in world.requests()) == ["busy", "code-calls-hour"]

    own = 'public_number = "5555559000"\n'
    play(scenario, plan(WANTED, (own, f'{own}caller_id = {{ number_by = "user", number = "5557654321" }}\n')))


def test_who_asks_may_leave_and_the_call_goes_on() -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        asking = asyncio.create_task(place(world))
        await asyncio.sleep(0.005)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        (await trunk.expects_call()).refuses(486)
        await world.over()
        assert [request.reason for request in world.requests()] == ["busy"]

    play(scenario, plan())


@pytest.mark.parametrize(("more", "sentence"), [
    pytest.param(', approved = true', f"{WANTED} is approved already.", id="approved"),
    pytest.param(None, "The number is not set by the user, so there is nothing to prove.", id="by server"),
])  # fmt: skip
def test_where_nothing_is_to_be_proven_nobody_is_called(more: str | None, sentence: str) -> None:
    async def scenario(world: World) -> None:
        found = await refused(world)
        assert (found.status, found.sentence) == (409, sentence)
        assert world.requests() == []

    play(scenario, fixture() if more is None else plan(more=more))


def test_an_extension_of_others_is_not_there() -> None:
    async def scenario(world: World) -> None:
        for who, number in ((Holder("other", 99), "001*002"), (OPERATOR, "001*999")):
            with pytest.raises(NotDone, match="There is no extension"):
                await calls_of(world).place(who, number)

    play(scenario, plan())


def test_a_callback_extension_proves_its_number_too() -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        await calls_of(world).place(OPERATOR, "001900")
        far = await answered(trunk)
        assert far.shown()[1] == "5555559000"
        await far.left_alone()
        assert (await world.over()).outcome is Outcome.CODE_SPOKEN

    own = 'public_number = "5555559000"\n'
    play(scenario, fixture((own, f'{own}caller_id = {{ number_by = "user", number = "{WANTED}" }}\n')))


def test_another_trunk_where_the_first_is_down() -> None:
    async def scenario(world: World) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        await place(world)
        (await first.expects_call()).refuses(503)
        far = await answered(second)
        await far.left_alone()
        assert (await world.over()).outcome is Outcome.CODE_SPOKEN

    play(scenario, plan())


# What else goes wrong


def test_a_crash_while_it_rings_is_one_reason_and_still_counts() -> None:
    """What the database has at that moment is what a new server finds."""

    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        await place(world)
        far = await answered(trunk)
        await far.hears("your-code-is")
        with connect(world.url).begin() as conn:
            begun = conn.get_nested_transaction() or conn.begin_nested()
            ledger.settle_after_crash(conn, world.wall())
            (request,) = journal.recent_requests(conn, 0.0)
            assert (request.reason, request.kind) == ("server-restarted", "code")
            call = journal.find_call(conn, request.call_id)
            assert call is not None
            assert (call.kind, call.to) == ("code", WANTED)
            assert codes.calls_of_number(conn, (WANTED,), 0.0) == codes.calls_of_account(conn, 1, 0.0) == 1
            assert not codes.pending(conn, (WANTED,))
            begun.rollback()
        far.hangs_up()
        await world.over()

    play(scenario, plan())


def test_a_database_that_fails_in_between_ends_the_call() -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        await place(world)
        far = await answered(trunk)
        await far.hears("your-code-is")
        world.database.broken = True
        await far.left_alone()
        world.database.broken = False
        await asyncio.sleep(5)
        call = await world.over()
        assert call.outcome is Outcome.SERVER_ERROR
        assert [request.reason for request in world.requests()] == ["server-error"]
        assert kept(world) is None

    play(scenario, plan())
