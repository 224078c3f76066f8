"""CallNow at another time: key 3, slots, further tries, quarantine; each is called once (SPEC A12.8, A12.12)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from b2bua.desk import Accepted, Holder, Refused, Stage, VisitorRequest, VisitorStatus
from b2bua.feed import Feed
from b2bua.office.stories import stories
from b2bua.outcome import Outcome
from b2bua.visitors.waiting import AcceptedRequest, WaitingList
from store import ledger
from store.database import connect
from store.errors import StoreError
from store.journal import RequestRecord
from tests.b2bua.test_callnow import NO_CONFIRM, john
from tests.plans import fixture
from tests.world import T1, Far, Peer, World, play

Change = tuple[str, str]
LATER_S = 60.0
QUIET_S = 200.0
"""In which nothing more may happen."""


def settings(*lines: str) -> Change:
    """More lines of the page of 001*002."""
    return 'id = "john_doe"', "\n".join(('id = "john_doe"', *lines))


def hours(first: str, last: str) -> str:
    """An interval of every day; the world begins on Friday, 15 January 2027, at 8:00 UTC, 10:00 in Bucharest."""
    limits = f'limits = [{{ hours = "{first}-{last}" }}]'
    return f'[[interval]]\nname = "office"\nzone = "Europe/Bucharest"\n{limits}\n'


SOON = settings("later_s = 60")
SLOTS = settings("slot_min = 5", "slot_days = 1")
OFFICE = settings("slot_min = 30", "slot_days = 1", 'interval = "office"')
TRIES = settings("tries = 2", "try_after_s = 60")


async def put_off(world: World, phone: Peer) -> Far:
    """The owner's phone, on which 3 was pressed."""
    owner = (await phone.expects_call()).rings().answers()
    await owner.hears("confirm")
    owner.presses("3")
    return owner


async def put_through(world: World, phone: Peer, trunk: Peer, within_s: float = 10.0) -> None:
    """The call comes now, and is a talk."""
    owner = (await phone.expects_call(within_s)).rings().answers()
    await owner.hears("confirm")
    owner.presses("1")
    visitor = (await trunk.expects_call()).rings().answers()
    await asyncio.sleep(1)
    visitor.hangs_up()
    assert (await world.over()).outcome is Outcome.TALKED


async def choose(world: World, at: float, number: str = "5555555555", ip: str = "198.51.100.7") -> Accepted | Refused:
    """A visitor asks to be called at a time."""
    return await world.desk.request_call(VisitorRequest("john_doe", "Mary", number, "", ip, at=at))


async def chosen(world: World, at: float, number: str = "5555555555", ip: str = "198.51.100.7") -> str:
    """The same, and it is taken: the token."""
    answer = await choose(world, at, number, ip)
    assert isinstance(answer, Accepted), answer
    return answer.token


def offered(world: World) -> list[int]:
    """The times on the page."""
    return [at for day in world.desk.callnow_slots("john_doe").days for at, _ in day.times]


async def on_the_phone(phone: Peer, trunk: Peer) -> Far:
    """The owner talks with somebody else, who is returned."""
    caller = trunk.calls("5555550000", "5551111111")
    owner = (await phone.expects_call()).answers()
    await caller.told(200)
    for far in (caller, owner):
        far.speaks()
    return caller


def only_request(world: World) -> RequestRecord:
    (request,) = world.requests()
    return request


async def until_wall(world: World, at: float) -> None:
    await asyncio.sleep(at - world.wall())


def test_key_3_has_the_call_come_again_after_a_quarter_of_an_hour_once() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = await world.callnow()
        owner = await put_off(world, phone)
        await owner.hears("called-later")
        pressed = world.wall()
        await owner.left_alone(within_s=10)
        assert (await world.over()).outcome is Outcome.PUT_OFF
        status = world.desk.visitor_status(token)
        assert (status.stage, status.told, status.zone) == (Stage.SCHEDULED, "at 08:15", "UTC")
        assert status.due == pytest.approx(pressed + 900, abs=3)
        assert (only_request(world).reason, only_request(world).due) == ("put-off", status.due)
        assert (trunk.invited, world.balance(), world.read(ledger.open_holds)) == (0, 100_000_000, [])
        await until_wall(world, status.due - 1)
        assert phone.invited == 1
        await put_through(world, phone, trunk)
        assert world.desk.visitor_status(token).stage is Stage.ENDED
        await asyncio.sleep(1000)
        assert (phone.invited, trunk.invited, world.balance()) == (2, 1, 100_000_000 - 120_000)
        request = only_request(world)
        assert (request.reason, request.cost, request.call_id) == ("talked", 120_000, world.last.id)

    play(scenario, fixture())


def test_who_presses_3_may_hang_up_at_once_and_press_it_again() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = await world.callnow()
        for _ in range(2):
            owner = await put_off(world, phone)
            await asyncio.sleep(0.2)  # the key has arrived, and its clip has begun
            owner.hangs_up()
            assert (await world.over()).outcome is Outcome.PUT_OFF
            assert world.desk.visitor_status(token).stage is Stage.SCHEDULED
            await asyncio.sleep(59)
        await put_through(world, phone, trunk)
        assert (phone.invited, only_request(world).reason) == (3, "talked")

    play(scenario, fixture(SOON))


def test_key_3_after_the_repeated_question() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = await world.callnow()
        owner = (await phone.expects_call()).rings().answers()
        await owner.hears("confirm-repeat", within_s=40)
        owner.presses("3")
        await owner.hears("called-later")
        assert (await world.over()).outcome is Outcome.PUT_OFF
        assert world.desk.visitor_status(token).stage is Stage.SCHEDULED

    play(scenario, fixture(SOON))


def test_who_was_put_off_does_not_ring_the_owner_again_before() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = await world.callnow()
        await (await put_off(world, phone)).left_alone()
        await world.over()
        assert await world.callnow() == token, "within 30 s it is the same request"
        await asyncio.sleep(31)
        refusal = await world.refused()
        assert (refusal.reason, refusal.status, refusal.field) == ("number-waiting", 429, "")
        assert phone.invited == 1

    play(scenario, fixture(SOON))


@pytest.mark.parametrize("after_s", [pytest.param(0.5, id="while it is said"), pytest.param(30, id="while it waits")])
def test_the_visitor_who_was_put_off_may_cancel(after_s: float) -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = await world.callnow()
        await put_off(world, phone)
        await asyncio.sleep(after_s)
        assert await world.desk.cancel_visitor(token)
        await world.over()
        assert world.desk.visitor_status(token).stage is Stage.CANCELLED
        assert not await world.desk.cancel_visitor(token)
        await asyncio.sleep(QUIET_S)
        assert (phone.invited, only_request(world).reason, world.balance()) == (1, "cancelled", 100_000_000)

    play(scenario, fixture(SOON))


@pytest.mark.parametrize("dies_after_s", [pytest.param(0.5, id="while it is said"), pytest.param(20, id="later")])
@pytest.mark.parametrize("down_s", [
    pytest.param(10, id="back in time"), pytest.param(300, id="back after its time"),
])
def test_what_waits_survives_kill_9_and_is_called_once(dies_after_s: float, down_s: float) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = await world.callnow()
        owner = await put_off(world, phone)
        await owner.hears("called-later")
        await asyncio.sleep(dies_after_s)
        await world.kill()
        await asyncio.sleep(down_s)
        await world.start()
        status = world.desk.visitor_status(token)
        assert status.stage is Stage.SCHEDULED
        await asyncio.sleep(max(0.0, status.due - world.wall()))
        await put_through(world, phone, trunk)
        await world.kill()
        await world.start()
        await asyncio.sleep(QUIET_S)
        assert (phone.invited, trunk.invited, only_request(world).reason) == (2, 1, "talked")
        assert world.balance() == 100_000_000 - 120_000

    play(scenario, fixture(SOON))


def test_killed_while_the_later_call_rings_it_is_not_called_a_third_time() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        await world.callnow()
        await (await put_off(world, phone)).left_alone()
        await asyncio.sleep(LATER_S)
        (await phone.expects_call()).rings()
        await world.kill()
        await world.start()
        await asyncio.sleep(QUIET_S)
        assert (phone.invited, only_request(world).reason) == (2, "server-restarted")
        assert (world.balance(), world.read(ledger.open_holds)) == (100_000_000, [])

    play(scenario, fixture(SOON))


def test_what_missed_its_time_by_more_than_the_grace_ends_so() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = await world.callnow()
        await (await put_off(world, phone)).left_alone()
        await world.over()
        await world.kill()
        await asyncio.sleep(LATER_S + 61)
        await world.start()
        await asyncio.sleep(10)
        assert world.desk.visitor_status(token).stage is Stage.NOT_AVAILABLE
        assert (phone.invited, only_request(world).reason) == (1, "time-missed")

    play(scenario, fixture(settings("later_s = 60", "grace_s = 60")))


OFF = settings("enabled = false")


def _debit(world: World) -> None:
    with connect(world.url).begin() as conn:
        ledger.recharge(conn, 1, ledger.Micros(-100_000_000), "all of it", world.wall())


@pytest.mark.parametrize(("changed", "reason"), [
    pytest.param(lambda world: world.applies(fixture(settings("paused = true"))), "paused", id="paused"),
    pytest.param(lambda world: world.applies(fixture(OFF)), "unknown-page", id="no page any more"),
    pytest.param(
        lambda world: world.applies(fixture(settings('rules = [{ do = "refuse", name = "Mary" }]'))), "refused-by-rule",
        id="refused by a rule",
    ),
    pytest.param(
        lambda world: world.applies(fixture(settings('forbidden = ["555"]'))), "number-forbidden", id="forbidden",
    ),
    pytest.param(_debit, "no-credit", id="no credit"),
])  # fmt: skip
def test_a_request_is_judged_anew_when_its_time_has_come(changed: Callable[[World], None], reason: str) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        token = await world.callnow()
        await (await put_off(world, phone)).left_alone()
        changed(world)
        await asyncio.sleep(LATER_S + 10)
        assert world.desk.visitor_status(token).stage is Stage.NOT_AVAILABLE
        assert (phone.invited, trunk.invited, only_request(world).reason) == (1, 0, reason)

    play(scenario, fixture(SOON))


def test_the_owner_who_pressed_3_is_called_though_his_page_has_closed() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        await (await put_off(world, phone)).left_alone()
        await until_wall(world, 1.8e9 + 61)
        assert (await world.refused(number="5555555556")).reason == "outside-interval"
        await put_through(world, phone, trunk, within_s=60)

    play(scenario, fixture((SOON[0], f'{SOON[1]}\ninterval = "office"')) + hours("08:00", "10:01"))


def test_a_visitor_is_called_at_the_time_that_he_chose() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        choice = world.desk.callnow_slots("john_doe")
        assert (choice.zone, choice.now) == ("Europe/Bucharest", "10:00")
        assert [(day.label, day.times[0][1], day.times[-1][1]) for day in choice.days] == [
            ("Friday, 15 January", "10:30", "17:30"), ("Saturday, 16 January", "09:00", "17:30"),
        ]  # fmt: skip
        first = choice.days[0].times[0][0]
        token = await chosen(world, first)
        status = world.desk.visitor_status(token)
        assert (status.stage, status.told, status.zone) == (Stage.SCHEDULED, "at 10:30", "Europe/Bucharest")
        assert (only_request(world).reason, world.read(ledger.open_holds)) == ("scheduled", [])
        assert first not in offered(world)
        await asyncio.sleep(1799)
        assert phone.invited == 0
        await put_through(world, phone, trunk)
        await asyncio.sleep(QUIET_S)
        assert (phone.invited, trunk.invited, only_request(world).reason) == (1, 1, "talked")

    play(scenario, fixture(OFFICE) + hours("09:00", "18:00"))


def test_a_closed_page_offers_times_all_the_same() -> None:
    async def scenario(world: World) -> None:
        page = world.desk.callnow_page("john_doe")
        assert page is not None
        assert not page.available
        assert (await world.refused()).reason == "outside-interval"
        first = offered(world)[0]
        assert world.desk.callnow_slots("john_doe").days[0].times[0] == (first, "12:00")
        token = await chosen(world, first)
        assert world.desk.visitor_status(token).told == "at 12:00"

    play(scenario, fixture(OFFICE) + hours("12:00", "18:00"))


@pytest.mark.parametrize("change", [
    pytest.param(settings(), id="not switched on"),
    pytest.param(settings("slot_min = 30", "paused = true"), id="paused"),
    pytest.param(settings("slot_min = 30", "most_waiting = 0"), id="none are kept"),
    pytest.param(settings("slot_min = 30", 'interval = "office"'), id="never open"),
])  # fmt: skip
def test_no_times_are_offered_and_none_are_taken(change: Change) -> None:
    async def scenario(world: World) -> None:
        assert offered(world) == []
        answer = await choose(world, world.wall() // 1800 * 1800 + 3600)
        assert isinstance(answer, Refused)
        assert (answer.reason, answer.status, answer.field) == ("slot-not-free", 422, "when")
        await asyncio.sleep(0.1)
        assert only_request(world).reason == "slot-not-free"

    never = hours("00:00", "24:00") + 'without = ["always"]\n[[interval]]\nname = "always"\nlimits = [{}]\n'
    play(scenario, fixture(change) + never)


@pytest.mark.parametrize("at", [0.0, -1.0, 1.8e9 + 1801, 1.8e9 - 1800, 1.8e9 + 86_400 * 3, float("nan")])
def test_a_time_that_was_not_offered_is_not_taken(at: float) -> None:
    async def scenario(world: World) -> None:
        answer = await choose(world, at)
        assert isinstance(answer, Refused)
        assert answer.reason == "slot-not-free"

    play(scenario, fixture(SLOTS))


def test_a_time_is_given_to_one_visitor_and_is_free_again_when_he_cancels() -> None:
    async def scenario(world: World) -> None:
        at = float(offered(world)[0])
        others = [choose(world, at, f"555555555{n}", f"198.51.100.{n}") for n in range(4)]
        answers = await asyncio.gather(*others)
        taken = [answer.token for answer in answers if isinstance(answer, Accepted)]
        assert [answer.reason for answer in answers if isinstance(answer, Refused)] == ["slot-not-free"] * 3
        (token,) = taken
        assert await world.desk.cancel_visitor(token)
        assert world.desk.visitor_status(token).stage is Stage.CANCELLED
        again = await chosen(world, at, "5555555559", "198.51.100.9")
        assert again != token
        assert sorted(request.reason for request in world.requests()) == [
            "cancelled", "scheduled", "slot-not-free", "slot-not-free", "slot-not-free",
        ]  # fmt: skip

    play(scenario, fixture(SLOTS))


def test_waiting_requests_are_bounded_by_page_and_number() -> None:
    async def scenario(world: World) -> None:
        first, second, third = map(float, offered(world)[:3])
        await chosen(world, first)
        same = await choose(world, second, ip="198.51.100.8")
        assert isinstance(same, Refused)
        assert (same.reason, same.status) == ("number-waiting", 429)
        await chosen(world, second, "5555555556", "198.51.100.8")
        assert offered(world) == []
        third_one = await choose(world, third, "5555555557", "198.51.100.9")
        assert isinstance(third_one, Refused)
        assert third_one.reason == "slot-not-free"

    play(scenario, fixture(settings("slot_min = 30", "most_waiting = 2")))


def test_two_times_chosen_at_once_are_not_more_than_the_page_keeps() -> None:
    async def scenario(world: World) -> None:
        first, second = map(float, offered(world)[:2])
        answers = await asyncio.gather(
            choose(world, first, "5555555555", "198.51.100.8"), choose(world, second, "5555555556", "198.51.100.9"),
        )
        assert [type(answer) for answer in answers] == [Accepted, Refused]
        assert {request.reason for request in world.requests()} == {"scheduled", "slot-not-free"}

    play(scenario, fixture(settings("slot_min = 30", "most_waiting = 1")))


def test_a_waiting_request_holds_its_place_among_the_calls_of_the_day() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        at = float(offered(world)[0])
        await chosen(world, at)
        assert (await world.refused(number="5555555556")).reason == "link-calls-today"
        await until_wall(world, at)
        await put_through(world, phone, trunk)
        await world.kill()
        await world.start()
        assert (await world.refused(number="5555555556")).reason == "link-calls-today", "after a restart too"

    play(scenario, fixture(settings("slot_min = 5", "calls_a_day = 1")))


def test_a_call_whose_time_has_come_waits_for_the_owner_to_hang_up() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        at = float(offered(world)[0])
        token = await chosen(world, at)
        await until_wall(world, at - 60)
        talk = await on_the_phone(phone, trunk)
        await until_wall(world, at + 100)
        assert world.desk.visitor_status(token).stage is Stage.SCHEDULED
        talk.hangs_up()
        await put_through(world, phone, trunk)
        assert only_request(world).reason == "talked"

    play(scenario, fixture(SLOTS))


@pytest.mark.parametrize(("away", "reason"), [
    pytest.param("offline", "offline", id="offline"), pytest.param("busy", "on-phone", id="on the phone"),
])  # fmt: skip
def test_an_owner_who_is_away_for_all_of_the_grace_is_not_called(away: str, reason: str) -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        at = float(offered(world)[0])
        token = await chosen(world, at)
        if away == "busy":
            await on_the_phone(await john(world), trunk)
        await until_wall(world, at + 59)
        assert world.desk.visitor_status(token).stage is Stage.SCHEDULED
        await asyncio.sleep(10)
        assert world.desk.visitor_status(token).stage is Stage.NOT_AVAILABLE
        assert only_request(world).reason == reason

    play(scenario, fixture(settings("slot_min = 5", "grace_s = 60")))


def test_one_number_has_one_call_at_once_its_chosen_one_waits_for_the_other() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        at = float(offered(world)[0])
        await chosen(world, at)
        await until_wall(world, at - 1)
        await world.callnow()
        owner = (await phone.expects_call()).rings()
        await asyncio.sleep(5)
        assert phone.invited == 1
        owner.refuses(486)
        await world.over()
        await put_through(world, phone, trunk)
        assert [request.reason for request in world.requests()] == ["busy", "talked"]

    play(scenario, fixture(settings("slot_min = 5", "reject_while_on_phone = false")))


@pytest.mark.parametrize("away", ["offline", "on the phone"])
def test_with_tries_a_request_is_taken_while_the_owner_is_away(away: str) -> None:
    async def scenario(world: World) -> None:
        trunk = Peer(world, T1)
        phone = await john(world)
        if away == "offline":
            assert await phone.register("001*002", "secret", expires=0) == 200
            token = await world.callnow()
            assert await phone.register("001*002", "secret") == 200
        else:
            talk = await on_the_phone(phone, trunk)
            token = await world.callnow()
            talk.hangs_up()
        status = world.desk.visitor_status(token)
        assert (status.stage, status.due) == (Stage.SCHEDULED, pytest.approx(world.wall() + 60, abs=1))
        await until_wall(world, status.due - 1)
        await put_through(world, phone, trunk)
        assert only_request(world).reason == "talked"

    play(scenario, fixture(TRIES))


@pytest.mark.parametrize(("behave", "last"), [
    pytest.param(lambda far: far.refuses(486), "busy", id="busy"),
    pytest.param(lambda far: far.rings(), "no-answer", id="no answer"),
])  # fmt: skip
def test_an_owner_who_is_not_reached_is_tried_again_so_often(behave: Callable[[Far], object], last: str) -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = await world.callnow()
        for again in (1, 2):
            behave(await phone.expects_call(within_s=20))
            await world.over()
            status = world.desk.visitor_status(token)
            assert (status.stage, only_request(world).reason, only_request(world).tries) == (
                Stage.SCHEDULED, "scheduled", again,
            )  # fmt: skip
            await until_wall(world, status.due - 1)
            if again == 1:  # the count of tries is kept
                await world.kill()
                await world.start()
        behave(await phone.expects_call(within_s=20))
        await world.over()
        assert world.desk.visitor_status(token).stage is Stage.NOT_AVAILABLE
        await asyncio.sleep(QUIET_S)
        assert (phone.invited, only_request(world).reason) == (3, last)

    play(scenario, fixture(TRIES))


def test_a_try_does_not_leave_the_hours_of_the_page() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = await world.callnow()
        (await phone.expects_call()).refuses(486)
        await world.over()
        assert world.desk.visitor_status(token).told == "on Saturday, 16 January, at 09:00"
        assert world.desk.visitor_status(token).zone == "Europe/Bucharest"

    play(scenario, fixture(settings("tries = 1", 'interval = "office"')) + hours("09:00", "10:01"))


@pytest.mark.parametrize("behave", [
    pytest.param(lambda far: far.refuses(603), id="declines"),
    pytest.param(lambda far: far.answers().presses("2"), id="presses 2"),
])  # fmt: skip
def test_a_refusal_of_the_owner_is_no_reason_to_try_again(behave: Callable[[Far], object]) -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = await world.callnow()
        behave(await phone.expects_call())
        await world.over()
        assert world.desk.visitor_status(token).stage is Stage.NOT_AVAILABLE
        assert only_request(world).reason in ("declined", "refused")

    play(scenario, fixture(TRIES))


def test_a_number_that_is_not_answered_is_left_in_peace_for_a_while() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        for status in (480, 603):
            await world.callnow()
            (await phone.expects_call()).answers()
            (await trunk.expects_call()).refuses(status)
            await world.over()
            await asyncio.sleep(31)
        refusal = await world.refused()
        assert (refusal.reason, refusal.status) == ("number-quarantined", 409)
        await world.callnow(number="5555555556")
        (await phone.expects_call()).refuses(486)
        await world.over()
        await world.kill()
        await world.start()
        assert (await world.refused()).reason == "number-quarantined", "after a restart too"
        await asyncio.sleep(150)
        await world.callnow()
        (await phone.expects_call()).refuses(486)
        await world.over()

    play(scenario, fixture((NO_CONFIRM[0], f"{NO_CONFIRM[1]}\nquarantine_after = 2\nquarantine_s = 150")))


def test_a_chosen_time_is_kept_for_a_number_in_quarantine_that_ends_before() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        (await phone.expects_call()).answers()
        (await trunk.expects_call()).refuses(480)
        await world.over()
        await asyncio.sleep(31)
        first, second = map(float, offered(world)[:2])
        refused = await choose(world, first)
        assert isinstance(refused, Refused)
        assert refused.reason == "number-quarantined"
        await chosen(world, second)

    change = "slot_min = 5\nquarantine_after = 1\nquarantine_s = 400"
    play(scenario, fixture((NO_CONFIRM[0], f"{NO_CONFIRM[1]}\n{change}")))


def test_a_database_that_fails_loses_no_request_and_calls_none_twice() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        at = float(offered(world)[0])
        world.database.broken = True
        answer = await choose(world, at)
        assert isinstance(answer, Refused)
        assert answer.reason == "server-error"
        world.database.broken = False
        assert at in offered(world), "nobody has it"
        token = await chosen(world, at)
        world.database.broken = True
        assert not await world.desk.cancel_visitor(token)
        assert world.desk.visitor_status(token).stage is Stage.SCHEDULED
        await until_wall(world, at + 20)
        assert phone.invited == 0
        world.database.broken = False
        await put_through(world, phone, trunk)
        await asyncio.sleep(QUIET_S)
        assert (phone.invited, trunk.invited) == (1, 1)

    play(scenario, fixture(SLOTS))


def test_a_later_call_is_paid_from_the_money_of_the_day_on_which_it_is_made() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        at = float(offered(world)[-1])
        await chosen(world, at)
        world.clock_set_s = at - world.wall() - 1  # tomorrow
        assert await phone.register("001*002", "secret") == 200
        await put_through(world, phone, trunk, within_s=30)
        refusal = await world.refused(number="5555555556")
        assert refusal.reason == "link-money-today"

    play(scenario, fixture(settings("slot_min = 30", "slot_days = 2", 'money_a_day = "0.12"')))


@pytest.mark.parametrize("after_s", [0.02, 0.06, 0.11, 0.16, 0.21, 0.3])
def test_a_visitor_who_cancels_while_his_time_comes_is_not_called_or_called_off(after_s: float) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        at = float(offered(world)[0])
        token = await chosen(world, at)
        world.database.takes_s = 0.05
        await until_wall(world, at + after_s)
        assert await world.desk.cancel_visitor(token)
        for far in phone.rung:
            far.rings()
        await asyncio.sleep(QUIET_S)
        assert world.desk.visitor_status(token).stage is Stage.CANCELLED
        assert [far.gone for far in phone.rung] == ["cancelled"] * phone.invited
        assert (phone.invited <= 1, trunk.invited, only_request(world).reason) == (True, 0, "cancelled")
        world.check_nothing_left()

    play(scenario, fixture(SLOTS))


@pytest.mark.parametrize("after_s", [0.5, 1.5, 2.5, 3.5])
def test_killed_while_its_time_comes_it_is_called_once_or_ends_with_a_reason(after_s: float) -> None:
    """A look at the facts, then the hold, take a second each; with the hold it is claimed, and never called again."""

    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        at = float(offered(world)[0])
        await chosen(world, at)
        world.database.takes_s = 1.0
        await until_wall(world, at + after_s)
        before = phone.invited
        await world.kill()
        world.database.takes_s = 0.001
        await world.start()
        if before == 0 and only_request(world).reason == "scheduled":
            await put_through(world, phone, trunk)
        await asyncio.sleep(QUIET_S)
        reason = only_request(world).reason
        assert (phone.invited, trunk.invited, reason) in ((1, 1, "talked"), (1, 0, "server-restarted"))
        assert (reason == "talked") is (after_s < 2)

    play(scenario, fixture(SLOTS))


def test_why_says_what_it_waits_for_and_when_it_is_called() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        at = float(offered(world)[0])
        await chosen(world, at)
        (story,) = world.read(lambda conn: stories(conn, Holder("operator", None), "5555555555"))
        assert story.reason == "scheduled"
        assert story.sentence == "It waits for its time. It is called at 2027-01-15T08:05:00Z."
        await until_wall(world, at)
        await (await put_off(world, phone)).left_alone()
        await world.over()
        (story, *others) = world.read(lambda conn: stories(conn, Holder("operator", None), "5555555555"))
        assert (story.reason, len(story.legs), others) == ("put-off", 1, [])
        assert story.sentence.startswith("The owner of the extension pressed 3: it is called again later. It is called")

    play(scenario, fixture(SLOTS))


def test_within_30_s_the_same_choice_is_one_request_and_another_is_another() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        first, second = map(float, offered(world)[:2])
        token = await chosen(world, first)
        assert await chosen(world, first) == token
        other = await choose(world, second)
        assert isinstance(other, Refused)
        assert other.reason == "number-waiting"
        assert await world.callnow() != token, "now is another choice"
        (await phone.expects_call()).refuses(486)
        await world.over()
        assert await world.desk.cancel_visitor(token)
        assert await chosen(world, first) != token, "what was given up is not given again"

    play(scenario, fixture(SLOTS))


async def test_a_request_that_fails_is_looked_at_again_and_spoils_no_other() -> None:
    looked: list[str] = []
    done = asyncio.Event()

    async def dial(request: AcceptedRequest) -> None:
        looked.append(request.record.token)
        request.look = 0.0
        if request.record.token == "bug":
            raise ZeroDivisionError
        if request.record.token == "store":
            raise StoreError("the database is locked")
        waiting.remove(request)
        if looked.count("bug") > 1:
            done.set()
        else:
            waiting.add(AcceptedRequest(request.record, request.same, request.status, due=3.0))

    waiting = WaitingList(lambda: 9.0, dial)
    for n, token in enumerate(("bug", "store", "fine")):
        record = RequestRecord(token, 0.0, "john_doe")
        waiting.add(AcceptedRequest(record, "", Feed(VisitorStatus(Stage.SCHEDULED, "john_doe", "")), due=float(n)))
    running = asyncio.create_task(waiting.run())
    async with asyncio.timeout(5):
        await done.wait()
    running.cancel()
    assert looked[:6] == ["bug", "store", "fine"] * 2
