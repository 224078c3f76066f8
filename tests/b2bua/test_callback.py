"""The callback flow on the virtual clock: the conversation (SPEC 31-36, H3, H11, H12, H16; AT-16 to AT-18)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from b2bua.outcome import Outcome
from b2bua.trace.ladder import Ladder
from store import callers, journal
from tests.callback import CALLER, MOBILE, Caller, callback_plan
from tests.world import PHONE, Far, Peer, World, play

Press = Callable[[Far, str], Awaitable[None]]
PIN = 'pin = "2468"'


def wallet(world: World, number: str = CALLER) -> int | None:
    """What the authorised CallerID has left, in micros."""
    rows = world.read(lambda conn: callers.search_callers(conn, 2, number))
    return rows[0].available


def said(world: World) -> list[str]:
    """What the last call, or the one that lives, has said."""
    live = world.exchange.live
    ladder: Ladder = (next(iter(live.values())) if live else world.last).ladder
    return [row.title.removeprefix("said: ") for row in ladder.rows() if row.kind == "prompt"]


async def by_rtp(far: Far, digits: str) -> None:
    """Press keys as telephone-events; they take a while."""
    far.presses(digits)


async def by_info(far: Far, digits: str) -> None:
    """Press keys by SIP INFO, one after the other as RFC 3261 12.2.1.1 wants it."""
    for digit in digits:
        answered = asyncio.Event()
        body = f"Signal={digit}\r\nDuration=160\r\n".encode()
        assert far.usage is not None
        far.usage.send("INFO", lambda _, answered=answered: answered.set(), body=body,  # type: ignore[misc]
                       content_type="application/dtmf-relay")  # fmt: skip
        await answered.wait()


def test_a_caller_is_refused_called_back_and_connected() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        began = world.loop.time()
        trigger = caller.rings()
        await trigger.told(180, within_s=0.5)
        await trigger.told(486)
        assert 3.0 <= world.loop.time() - began < 3.1
        back = (await caller.trunk.expects_call(within_s=3)).rings()
        assert back.request is not None
        assert back.request.uri.user == CALLER
        assert back.shown() == ("Callback", "5555559000")
        back.answers()
        await back.hears("callback-greeting")
        await back.hears("dial-number")
        back.presses(f"{MOBILE}#")
        far = (await caller.trunk.expects_call()).rings().answers().speaks()
        assert far.shown() == ("Callback", "5555559000")
        back.speaks()
        await asyncio.sleep(31)
        far.hangs_up()
        await back.hears("call-ended")
        await back.hears("dial-number")
        back.hangs_up()
        call = await world.over()
        assert call.outcome is Outcome.TALKED
        assert (call.charged, wallet(world)) == (120_000 + 200_000, 5_000_000 - 320_000)
        assert [(r.reason, r.number, r.cost, r.trunk) for r in world.requests()] == [("talked", CALLER, 320_000, "R1")]
        legs = world.read(lambda conn: journal.legs_of(conn, call.id))
        assert [(leg.lane, leg.direction, leg.status, leg.cost) for leg in legs] == [
            (0, "in", 486, 0), (0, "out", 200, 120_000), (2, "out", 200, 200_000),
        ]  # fmt: skip
        assert len(world.read(lambda conn: journal.read_ladder(conn, call.id))) > 30

    play(scenario, callback_plan())


@pytest.mark.parametrize("press", [by_rtp, by_info])
def test_the_right_password_then_the_pin_lead_to_the_dial_prompt(press: Press) -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).called_back()
        await back.hears("ask-password")
        await press(back, "4321#")
        await back.hears("ask-pin")
        await press(back, "2468#")
        await back.hears("dial-number")
        await press(back, f"{MOBILE}#")
        (await back.peer.expects_call()).rings()
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan("ask_pin = true", password="4321", row=PIN))


@pytest.mark.parametrize(
    ("settings", "password", "row", "asked"),
    [
        pytest.param("", "", "", [], id="nothing is asked"),
        pytest.param("", "4321", PIN, ["ask-password"], id="the password only"),
        pytest.param("ask_pin = true", "", PIN, ["ask-pin"], id="the PIN only"),
        pytest.param("ask_pin = true", "", "", [], id="a row without a PIN is not asked for one"),
    ],
)
def test_what_is_asked(settings: str, password: str, row: str, asked: list[str]) -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).called_back()
        for clip in asked:
            await back.hears(clip)
            back.presses("4321#" if clip == "ask-password" else "2468#")
        await back.hears("dial-number")
        back.hangs_up()
        await world.over()
        text = world.exchange.pack.text
        assert [line for line in said(world) if line in (text("ask-password"), text("ask-pin"))] == [
            text(clip) for clip in asked
        ]

    play(scenario, callback_plan(settings, password=password, row=row))


def test_three_wrong_passwords_end_the_call_and_five_lock_the_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def scenario(world: World) -> None:
        caller = Caller(world)
        for wrong in (["1111", "22220", "7777"], ["1111", "2222"]):
            back = await caller.called_back()
            await back.hears("ask-password")
            for digits in wrong:
                back.presses(f"{digits}#")
                await asyncio.sleep(5)
            await back.hears("too-many-tries")
            await back.left_alone()
            assert (await world.over()).outcome is Outcome.WRONG_SECRET
        assert caller.trunk.invited == 2, "nobody was called by this"
        await caller.rings().told(486)
        await world.over()
        assert [r.reason for r in reversed(world.requests())] == ["wrong-secret", "wrong-secret", "number-locked"]
        rows = [row.title + row.text for call in world.exchange.recent.values() for row in call.ladder.rows()]
        for digits in ("key 1", "key 7", "22220", "7777"):
            assert not any(digits in row for row in rows)
        assert not any("7777" in record.getMessage() for record in caplog.records)
        assert sum("wrong-secret" in record.getMessage() for record in caplog.records) == 7  # 5 and two reasons

    play(scenario, callback_plan(password="4321"))


def test_legs_up_at_once_have_no_more_tries_than_one() -> None:
    """Six calls to one number, in turn: after the fifth wrong password not even the right one is heard (SPEC H12)."""

    async def scenario(world: World) -> None:
        caller = Caller(world)
        backs = [await caller.called_back() for _ in range(6)]
        for digits, back in zip(("1111", "2222", "3333", "5555", "6666", "4321"), backs, strict=True):
            back.presses(f"{digits}#")
            await asyncio.sleep(8)
        for back in backs[4:]:
            await back.hears("too-many-tries")
            await back.left_alone()
        assert len(world.exchange.live) == 4, "who has tries left meets the lock at the next"
        backs[0].presses("4321#")
        await backs[0].hears("too-many-tries")
        await backs[0].left_alone()
        for back in backs[1:4]:
            back.hangs_up()
        await world.over()
        reasons = sorted(request.reason for request in world.requests())
        assert reasons == ["caller-left"] * 3 + ["number-locked"] * 2 + ["wrong-secret"]

    play(scenario, callback_plan(password="4321").replace("dial_s = 5", "dial_s = 100"))


def test_legs_that_press_in_one_moment_have_no_more_tries_than_one() -> None:
    """Judging a password takes 30 ms: who comes in between waits for his turn, and meets the lock (SPEC H12)."""

    async def scenario(world: World) -> None:
        judged, verify = [], world.exchange.verify

        async def counted(hashed: str, text: str) -> bool:
            judged.append(text)
            return await verify(hashed, text)

        world.exchange.verify = counted
        caller = Caller(world)
        backs = [await caller.called_back() for _ in range(12)]
        for back in backs:
            await back.hears("ask-password")
        for back in backs[:11]:
            back.presses("1111#")
        backs[11].hangs_up()
        await asyncio.sleep(15)
        assert sum(bool(back.gone) for back in backs) == 8, "all but the four that were just wrong"
        assert len(judged) == 5, "the lock is after five, and nothing is judged then"
        for back in backs:
            if not back.gone:
                back.hangs_up()
        await world.over()
        reasons = sorted(request.reason for request in world.requests())
        assert reasons == ["caller-left"] * 5 + ["number-locked"] * 6 + ["wrong-secret"]

    more = "calls_a_number_a_day = 20"
    play(scenario, callback_plan(more, password="4321").replace("dial_s = 5", "dial_s = 100"))


def test_an_answering_machine_is_not_listened_to_for_long() -> None:
    async def scenario(world: World) -> None:
        back = (await Caller(world).called_back()).speaks()
        answered = world.loop.time()
        await back.left_alone()
        assert world.loop.time() - answered < 40
        assert (await world.over()).outcome is Outcome.NOTHING_DIALLED

    play(scenario, callback_plan(password="4321"))


def test_the_credit_is_told_after_authentication_as_often_as_wished() -> None:
    """5.00 less the 0.12 of the leg back is 4.88."""

    async def scenario(world: World) -> None:
        back = await Caller(world).called_back()
        await back.hears("ask-password")
        back.presses("4321#")
        await back.hears("credit-menu")
        for _ in range(2):
            back.heard.clear()
            back.presses("1")
            for clip in ("your-credit", "4", "point", "8", "dollars", "credit-menu"):
                await back.hears(clip)
        back.presses("2")
        await back.hears("dial-number")
        back.hangs_up()
        await world.over()
        assert sum("dollars" in line for line in said(world)) == 2

    play(scenario, callback_plan("credit_enquiry = true", password="4321"))


def test_a_wallet_without_limit_says_so() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).called_back()
        await back.hears("credit-menu")
        back.presses("1")
        await back.hears("unlimited")
        back.presses("2")
        await back.hears("dial-number")
        back.hangs_up()
        await world.over()
        assert wallet(world) is None

    play(scenario, callback_plan("credit_enquiry = true", credit="unlimited"))


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(callback_plan(password="4321"), id="switched off"),
        pytest.param(callback_plan('credit_enquiry = true\nreturn_to = "caller"', password="4321", listed=False),
                     id="not to who calls at the owner's expense"),
    ],
)  # fmt: skip
def test_no_credit_menu(plan: str) -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).called_back()
        await back.hears("ask-password")
        back.presses("4321#")
        await back.hears("dial-number")
        back.hangs_up()
        await world.over()
        assert world.exchange.pack.text("credit-menu") not in said(world)

    play(scenario, plan)


def test_who_chooses_nothing_in_the_menu_is_left() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).called_back()
        await back.hears("credit-menu")
        back.presses("7")
        await back.hears("wrong-key")
        await back.left_alone()
        assert (await world.over()).outcome is Outcome.NOTHING_DIALLED

    play(scenario, callback_plan("credit_enquiry = true"))


def prompt_end(world: World, clip: str = "dial-number") -> float:
    """When the last prompt to dial ended."""
    call = next(iter(world.exchange.live.values()))
    rows = [row for row in call.ladder.rows() if row.title == f"said: {world.exchange.pack.text(clip)}"]
    return float(rows[-1].at_s + call.started + world.exchange.pack.ms(clip) / 1000)


def test_rule_33_no_digit_within_the_dial_time_ends_the_call() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        end = prompt_end(world)
        await back.left_alone()
        assert world.loop.time() - end == pytest.approx(5.0, abs=0.1)
        assert (await world.over()).outcome is Outcome.NOTHING_DIALLED

    play(scenario, callback_plan())


def test_at_18_digits_and_hash_are_dialled_at_once() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        await asyncio.sleep(prompt_end(world) + 2 - world.loop.time())
        await by_info(back, f"{MOBILE}#")
        pressed = world.loop.time()
        far = (await back.peer.expects_call()).rings()
        assert world.loop.time() - pressed < 0.1
        assert far.request is not None
        assert far.request.uri.user == MOBILE
        back.hangs_up()
        await far.left_alone()
        await world.over()

    play(scenario, callback_plan())


@pytest.mark.parametrize(
    ("keys", "after_s", "dialled"),
    [
        pytest.param([(1, MOBILE)], 4.0, MOBILE, id="the time between digits ends the number"),
        pytest.param([(0.5, MOBILE[:5]), (3.5, MOBILE[5:9]), (4.8, MOBILE[9:])], 5.0, MOBILE,
                     id="H16: the dial time too"),
        pytest.param([(0.5, "99*"), (1, f"{MOBILE}#")], 1.0, MOBILE, id="a star clears"),
    ],
)
def test_h16_digits_without_hash(keys: list[tuple[float, str]], after_s: float, dialled: str) -> None:
    """Seconds from the end of the prompt, which nothing cuts short here: the first key comes after it."""

    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        end = prompt_end(world)
        for at_s, digits in keys:
            await asyncio.sleep(end + at_s - world.loop.time())
            await by_info(back, digits)
        far = (await back.peer.expects_call()).rings()
        assert far.request is not None
        assert far.request.uri.user == dialled
        assert world.loop.time() - end == pytest.approx(after_s + (keys[0][0] if after_s == 4.0 else 0), abs=0.1)
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan())


def test_a_hash_alone_is_no_number() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        back.heard.clear()
        back.presses("#")
        await back.hears("dial-number")
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan())


def test_hash_again_and_again_keeps_no_call_up() -> None:
    """H16: as little as silence does; a leg back that is free would cost whoever pays the trunk."""

    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        for _ in range(3):
            assert not back.gone
            back.presses("#")
            await asyncio.sleep(4)
        await back.left_alone(within_s=1)
        assert (await world.over()).outcome is Outcome.NOTHING_DIALLED

    play(scenario, callback_plan('pay_call_back = "no"'))


def test_the_credit_is_not_told_for_ever() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).called_back()
        for _ in range(5):
            assert not back.gone
            back.presses("1")
            await asyncio.sleep(6)
        await back.left_alone(within_s=1)
        assert (await world.over()).outcome is Outcome.NOTHING_DIALLED

    play(scenario, callback_plan('pay_call_back = "no"\ncredit_enquiry = true'))


def test_the_number_is_spoken_back_where_that_is_wished() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        back.presses(f"{MOBILE}#")
        await back.hears("you-dialled")
        assert back.peer.invited == 1
        (await back.peer.expects_call()).rings()
        assert said(world)[-1] == f"{world.exchange.pack.text('you-dialled')} " + " ".join(
            world.exchange.pack.text(name) for name in world.exchange.pack.digits(MOBILE)
        )
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan("speak_number = true"))


@pytest.mark.parametrize(
    ("dialled", "status", "clip"),
    [
        pytest.param(MOBILE, 486, "number-busy", id="busy"),
        pytest.param(MOBILE, 480, "number-no-answer", id="no answer"),
        pytest.param(MOBILE, 404, "number-failed", id="no such number"),
        pytest.param("112", 0, "number-not-allowed", id="H20: emergency"),
        pytest.param("19005551234", 0, "number-not-allowed", id="premium"),
        pytest.param("0699999999", 0, "number-not-allowed", id="no rate"),
        pytest.param("0411111111", 0, "number-not-allowed", id="forbidden"),
        pytest.param("0012345678", 0, "number-not-allowed", id="too dear"),
        pytest.param("001900", 0, "number-failed", id="an extension that is no phone"),
    ],
)
def test_who_is_not_reached_is_told_of_and_another_number_asked_for(dialled: str, status: int, clip: str) -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        back.presses(f"{dialled}#")
        if status:
            (await back.peer.expects_call()).rings().refuses(status)
            if status >= 500:
                (await back.peer.expects_call()).refuses(status)
        await back.hears(clip)
        back.heard.clear()
        await back.hears("dial-number")
        back.presses(f"{MOBILE}#")
        (await back.peer.expects_call()).answers().hangs_up()
        await back.hears("call-ended")
        back.hangs_up()
        call = await world.over()
        assert call.charged == 120_000 + 100_000, "only the leg that answered"
        assert back.peer.invited == 2 + bool(status)

    play(scenario, callback_plan('forbidden = ["0411"]\nhighest_price_a_minute = "0.40"'))


def test_an_internal_number_is_dialled_without_its_star_and_free() -> None:
    async def scenario(world: World) -> None:
        phone = Peer(world, PHONE)
        assert await phone.register("001*002", "secret") == 200
        back = await Caller(world).prompted()
        back.presses("001002#")
        owner = (await phone.expects_call()).rings()
        assert owner.shown() == ("", CALLER)
        owner.answers().speaks()
        back.speaks()
        await asyncio.sleep(10)
        owner.hangs_up()
        await back.hears("call-ended")
        back.hangs_up()
        assert (await world.over()).charged == 120_000

    play(scenario, callback_plan())


def test_the_callee_sees_the_verified_number_where_the_equipment_sets_it() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        trigger = caller.trunk.calls("5555559000", CALLER, display="Mary")
        await trigger.told(486)
        back = await caller.trunk.expects_call()
        assert back.shown() == ("Callback", "5555559000"), "H15: the leg back is shown by the server"
        back.answers()
        await back.hears("dial-number")
        back.presses(f"{MOBILE}#")
        far = (await caller.trunk.expects_call()).rings()
        assert far.shown() == ("Mary", CALLER)
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan(caller_id='caller_id = { name_by = "equipment", number_by = "equipment" }\n'))


def test_two_stars_while_it_rings_end_the_call_and_ask_for_a_new_number() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        back.presses(f"{MOBILE}#")
        far = (await back.peer.expects_call()).rings()
        await asyncio.sleep(2)
        back.heard.clear()
        back.presses("*5**")
        await far.left_alone(within_s=3)
        assert far.gone == "cancelled"
        await back.hears("dial-number")
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan())


@pytest.mark.parametrize("press", [by_rtp, by_info])
def test_two_stars_during_the_talk_end_it_and_ask_for_a_new_number(press: Press) -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        await asyncio.sleep(3)
        back.heard.clear()
        await press(back, "12*")
        await asyncio.sleep(5)
        await press(back, "*")
        await asyncio.sleep(5)
        assert not far.gone, "far apart they are no pair"
        await press(back, "**")
        await far.left_alone(within_s=3)
        await back.hears("dial-number")
        back.presses(f"{MOBILE}#")
        again = (await back.peer.expects_call()).answers().speaks()
        await asyncio.sleep(2)
        back.hangs_up()
        await again.left_alone()
        call = await world.over()
        assert (call.outcome, call.charged) == (Outcome.TALKED, 120_000 + 100_000 + 100_000)
        assert call.talk_s == pytest.approx(15, abs=3), "both talks"

    play(scenario, callback_plan())


def test_who_is_silent_at_the_prompts_after_a_talk_is_not_lost() -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        back.audio.port.stop()
        far.hangs_up()
        await back.hears("dial-number")
        await asyncio.sleep(25)
        back.presses(f"{MOBILE}#")
        (await back.peer.expects_call()).answers()
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan("dial_s = 30").replace("dial_s = 5\n", ""))


@pytest.mark.parametrize("status", [486, 480, 404, 603])
def test_a_caller_who_cannot_be_rung_back(status: int) -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        caller.rings()
        (await caller.trunk.expects_call()).rings().refuses(status)
        call = await world.over()
        assert (call.charged, wallet(world)) == (0, 5_000_000)
        assert world.requests()[0].reason == {486: "busy", 480: "no-answer", 404: "failed", 603: "declined"}[status]

    play(scenario, callback_plan())


def test_another_language_is_spoken_where_the_caller_or_the_extension_wants_it() -> None:
    for settings, row in (('language = "ru"', ""), ("", 'language = "ru"')):

        async def scenario(world: World) -> None:
            back = await Caller(world).called_back()
            await asyncio.sleep(1)
            call = next(iter(world.exchange.live.values()))
            assert call.pack.language == "ru"
            assert world.exchange.pack_of("xx").language == "en", "prompts that were there when it was set"
            back.hangs_up()
            await world.over()

        play(scenario, callback_plan(settings, row=row))
