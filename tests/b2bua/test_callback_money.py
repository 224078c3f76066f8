"""The money of a callback call: wallets, the cut, the warning, policies, many at once (SPEC 31, 53-64, H4, H5, H9)."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from b2bua.call import Call
from b2bua.outcome import Outcome
from media.prompt import Library, wav_bytes
from store import callers, journal, ledger
from store.database import connect
from store.tables import holds
from store.values import Micros
from tests.callback import CALLER, MOBILE, Caller, callback_plan
from tests.world import SERVER, Far, World, play

FREE_BACK = 'pay_call_back = "no"'


def wallet(world: World, number: str = CALLER) -> int | None:
    """What the authorised CallerID has left, in micros."""
    return world.read(lambda conn: callers.search_callers(conn, 2, number))[0].available


def recharges(world: World, amount: int, order: str = "A1") -> None:
    """The office adds credit, or takes some."""
    with connect(world.url).begin() as conn:
        row = callers.find_caller(conn, 2, CALLER)
        assert row is not None
        callers.recharge_caller(conn, row.id, Micros(amount), order, world.wall())


def beeps(world: World) -> list[float]:
    """When the caller was warned, in seconds since the talk began."""
    call = next(iter(world.exchange.live.values()), None) or world.last
    assert call.talk_began is not None
    began = call.talk_began - call.started
    return [row.at_s - began for row in call.ladder.rows() if row.title == "beep"]


async def cut(world: World, back: Far, far: Far, within_s: float = 3000) -> float:
    """Wait for the end of the money; when B was hung up, in seconds since the talk began."""
    await far.left_alone(within_s)
    ended = world.loop.time()
    rtp = len(far.heard)
    await back.hears("credit-spent")
    assert len(far.heard) == rtp, "silence at B"
    await back.left_alone()
    call = await world.over()
    assert call.outcome is Outcome.CREDIT_SPENT
    assert call.talk_began is not None
    return ended - call.talk_began


def test_at_19_the_cut_at_zero() -> None:
    """0.30 at 0.10 for every 30 s: 90 s to the second, warned a minute before, and not a cent is left or missing."""

    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        assert await cut(world, back, far) == pytest.approx(90, abs=0.05)
        assert beeps(world) == [pytest.approx(30, abs=0.05)]
        assert wallet(world) == 0
        call = world.last
        record = world.read(lambda conn: journal.find_call(conn, call.id))
        assert record is not None
        assert (record.cost, record.reason) == (300_000, "credit-spent")
        assert record.talk_ms == pytest.approx(90_000, abs=50)
        assert [r.cost for r in world.requests()] == [300_000]
        assert world.balance() == 100_000_000, "the owner pays nothing"

    play(scenario, callback_plan(FREE_BACK, credit="0.30"))


def test_b_is_hung_up_before_a_hears_the_sound_and_gets_nothing_of_it() -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        await far.left_alone(within_s=100)
        byes = [at for at, source, _, data in world.wire.sent if source == SERVER and data.startswith(b"BYE")]
        sound = Library().encoded("en/credit-spent", "PCMU")
        assert bytes(sound[800:1600]) not in back.heard
        await back.hears("credit-spent")
        await back.left_alone()
        ends = [at for at, source, _, data in world.wire.sent if source == SERVER and data.startswith(b"BYE")]
        assert ends[-1] - byes[0] == pytest.approx(len(sound) / 8000, abs=0.1), "BYE to A after the sound"
        assert bytes(sound[800:1600]) not in far.heard
        await world.over()

    play(scenario, callback_plan(FREE_BACK, credit="0.30"))


@pytest.mark.parametrize(
    ("credit", "cut_s", "left"),
    [
        pytest.param("0.10", 30, 0, id="one increment"),
        pytest.param("0.35", 90, 50_000, id="a remainder that buys nothing stays"),
        pytest.param("2.00", 600, 0, id="asked for again and again"),
    ],
)
def test_the_cut_comes_when_the_last_paid_increment_is_used(credit: str, cut_s: int, left: int) -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        assert await cut(world, back, far) == pytest.approx(cut_s, abs=0.05)
        assert wallet(world) == left
        assert beeps(world) == ([] if cut_s < 60 else [pytest.approx(cut_s - 60, abs=0.05)])

    play(scenario, callback_plan(FREE_BACK, credit=credit))


@pytest.mark.parametrize("tenths", [
    pytest.param(3, id="all of it is held for the leg back: it spares some for B"),
    pytest.param(7, id="some is left for B"),
    pytest.param(20, id="asked for again and again"),
])  # fmt: skip
def test_both_legs_are_paid_out_of_one_purse_to_the_millisecond(tenths: int) -> None:
    """The leg back, to a mobile too, is answered some seconds earlier: what it begins is taken off B's time."""

    async def scenario(world: World) -> None:
        caller = Caller(world)
        caller.rings("0411111111")
        back = (await caller.trunk.expects_call()).answers()
        answered = world.loop.time()
        await back.hears("dial-number")
        back.presses(f"{MOBILE}#")
        far = (await caller.trunk.expects_call()).answers().speaks()
        talk = world.loop.time()
        back.speaks()
        await far.left_alone(400)
        # each begins an increment every 30 s of its own time; the first that finds no money is the end of both
        begun = sorted(began + 30 * n for n in range(20) for began in (answered, talk))
        assert world.loop.time() == pytest.approx(begun[tenths], abs=0.05)
        await back.left_alone()
        call = await world.over()
        assert (call.outcome, call.charged) == (Outcome.CREDIT_SPENT, tenths * 100_000)
        assert world.read(lambda conn: callers.search_callers(conn, 2))[0].available == 0
        legs = world.read(lambda conn: journal.legs_of(conn, call.id))
        assert sorted(leg.cost for leg in legs) == [0, tenths // 2 * 100_000, (tenths + 1) // 2 * 100_000]

    play(scenario, callback_plan(credit=f"{tenths / 10:.2f}").replace(f'number = "{CALLER}"', 'number = "0411111111"'))


@pytest.mark.parametrize(
    ("policy", "answers", "cost"),
    [
        pytest.param("no", True, 100_000, id="no: the leg back is free"),
        pytest.param("answer", True, 220_000, id="answer: from its answer"),
        pytest.param("both", True, 220_000, id="both: if B answered too"),
        pytest.param("answer", False, 120_000, id="answer: whatever becomes of B"),
        pytest.param("both", False, 0, id="both: B did not"),
    ],
)
def test_h5_who_pays_for_the_leg_back(policy: str, answers: bool, cost: int) -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        back.presses(f"{MOBILE}#")
        far = (await back.peer.expects_call()).rings()
        if answers:
            far.answers().speaks()
            await asyncio.sleep(5)
        else:
            far.refuses(486)
            await back.hears("number-busy")
        back.hangs_up()
        call = await world.over()
        assert (call.charged, wallet(world)) == (cost, 5_000_000 - cost)

    play(scenario, callback_plan(f'pay_call_back = "{policy}"'))


def test_the_money_can_end_at_the_prompts_too() -> None:
    """The leg back costs 0.10 for every 30 s: 0.10 pays for the greeting and a little hesitation."""

    async def scenario(world: World) -> None:
        caller = Caller(world)
        caller.rings("0411111111")
        back = (await caller.trunk.expects_call()).answers()
        answered = world.loop.time()
        await back.left_alone()
        call = await world.over()
        assert (call.outcome, call.charged) == (Outcome.CREDIT_SPENT, 100_000)
        assert world.loop.time() - answered == pytest.approx(32, abs=2.5)

    plan = callback_plan("dial_s = 60", credit="0.10").replace("dial_s = 5\n", "")
    play(scenario, plan.replace(f'number = "{CALLER}"', 'number = "0411111111"'))


def test_no_credit_for_the_number_is_told_and_another_asked_for() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        back.presses("0012345678#")  # 0.50 for the first minute
        await back.hears("no-credit")
        back.heard.clear()
        await back.hears("dial-number")
        back.presses(f"{MOBILE}#")
        (await back.peer.expects_call()).answers().hangs_up()
        await back.hears("call-ended")
        back.hangs_up()
        assert (await world.over()).charged == 220_000

    play(scenario, callback_plan(credit="0.40"))


def test_rule_64_the_least_credit_counts_for_each_number_dialled() -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        far.hangs_up()
        await back.hears("call-ended")
        back.presses(f"{MOBILE}#")
        await back.hears("no-credit")
        assert back.peer.invited == 2
        back.hangs_up()
        await world.over()
        assert wallet(world) == 780_000

    play(scenario, callback_plan('least_credit = "0.80"', credit="1.00"))


def test_what_one_number_did_not_use_is_there_for_the_next() -> None:
    """1.00 holds all for the first; after it 0.70 talks 210 s."""

    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        await asyncio.sleep(75)
        far.hangs_up()
        await back.hears("call-ended")
        back.heard.clear()
        await back.hears("dial-number")
        assert wallet(world) == 700_000, "settled when it was over"
        back.presses(f"{MOBILE}#")
        far = (await back.peer.expects_call()).answers().speaks()
        began = world.loop.time()
        await far.left_alone(300)
        assert world.loop.time() - began == pytest.approx(210, abs=0.05)
        await back.left_alone()
        call = await world.over()
        assert (call.charged, wallet(world)) == (1_000_000, 0)
        mine = select(holds.c.leg).where(holds.c.call_id == call.id).order_by(holds.c.id)
        assert world.read(lambda conn: conn.execute(mine).scalars().all()) == ["pstn", "pstn-2"]

    play(scenario, callback_plan(FREE_BACK, credit="1.00"))


@pytest.mark.parametrize(
    ("at_s", "warned_at"),
    [
        pytest.param(10.0, [180 - 60], id="before the warning: it comes later"),
        pytest.param(50.0, [30, 120], id="after it: it comes again"),
        pytest.param(89.5, [30, 120], id="in the last second"),
    ],
)
def test_a_recharge_moves_the_cut(at_s: float, warned_at: list[float]) -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        began = world.loop.time()
        world.loop.call_at(began + at_s, recharges, world, 300_000)
        assert await cut(world, back, far) == pytest.approx(180, abs=0.05)
        assert beeps(world) == [pytest.approx(at, abs=0.05) for at in warned_at]
        assert wallet(world) == 0

    play(scenario, callback_plan(FREE_BACK, credit="0.30"))


@pytest.mark.parametrize(("credit", "at_s", "less", "cut_s"), [
    pytest.param("5.00", 70, 10_000_000, 90, id="all: the increment under way is talked to its end"),
    pytest.param("5.00", 88, 10_000_000, 120, id="all: as is what is talked until the call hears of it"),
    pytest.param("0.30", 20, 100_000, 60, id="what it holds already and has not talked"),
    pytest.param("5.00", 20, 4_700_000, 90, id="most of it"),
    pytest.param("unlimited", 70, 10_000_000, 90, id="unlimited: all that is not talked, whatever was typed"),
])  # fmt: skip
def test_a_reduction_moves_the_cut_and_takes_nothing_spent(credit: str, at_s: float, less: int, cut_s: float) -> None:

    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        world.loop.call_at(world.loop.time() + at_s, recharges, world, -less)
        assert await cut(world, back, far) == pytest.approx(cut_s, abs=0.05)
        assert wallet(world) == 0
        row = world.read(lambda conn: callers.find_caller(conn, 2, CALLER))
        assert row is not None
        rows = world.read(lambda conn: callers.recharges(conn, row.id))
        assert rows[-1].added == -less
        assert world.last.charged == cut_s / 30 * 100_000

    play(scenario, callback_plan(FREE_BACK, credit=credit))


@pytest.mark.parametrize("job", ["more", "another"])
def test_a_reduction_is_not_forgotten_for_a_job_done_together_with_the_heartbeat_that_learns_it(job: str) -> None:
    """Both are done before anything of either is heard, as in one group of the thread that writes."""

    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        call = next(iter(world.exchange.live.values()))
        purse, began = call.purse, world.loop.time()
        assert purse is not None
        await asyncio.sleep(58.5)
        recharges(world, -10_000_000)
        world.exchange.keep(world.exchange._beat())
        await asyncio.sleep(0)
        world.database.takes_s += 1e-10
        world.exchange.keep(purse._ask(began + 150) if job == "more" else purse.hold(MOBILE))
        await asyncio.sleep(0.1)
        kept = {hold.id: hold.amount for hold in world.read(lambda conn: ledger.holds_of(conn, call.id))}
        assert {paid.hold_id: paid.held for paid in purse.paid} == kept
        assert sum(kept.values()) == 300_000
        assert await cut(world, back, far) == pytest.approx(90 if job == "more" else 60, abs=0.05)

    play(scenario, callback_plan(FREE_BACK, credit="3.00"))


def test_at_21_unlimited_less_ten_is_nothing_and_five_more_are_five() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        recharges(world, -10_000_000, "A7")
        await caller.rings().told(486)
        await world.over()
        assert (world.requests()[0].reason, wallet(world)) == ("no-credit", 0)
        recharges(world, 5_000_000, "A8")
        assert wallet(world) == 5_000_000
        (await caller.called_back()).hangs_up()
        await world.over()

    play(scenario, callback_plan(FREE_BACK, credit="unlimited"))


def test_an_unlimited_wallet_talks_as_long_as_the_longest_call() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        back.presses(f"{MOBILE}#")
        far = (await back.peer.expects_call()).answers().speaks()
        back.speaks()
        call = next(iter(world.exchange.live.values()))
        answered = next(leg.answered_at for leg in call.legs if leg.lane == 0 and leg.answered_at)
        await far.left_alone(700)
        assert world.loop.time() - answered == pytest.approx(600, abs=0.05), "from the caller's answer"
        await back.left_alone()
        await world.over()
        assert wallet(world) is None

    play(scenario, callback_plan("longest_call_s = 600", credit="unlimited"))


def test_at_20_two_calls_on_one_wallet_talk_together_as_long_as_it_pays() -> None:
    """0.20 pays 60 s: who is first has it all, who is second hears so; nothing is ever below zero."""

    async def scenario(world: World) -> None:
        caller = Caller(world)
        backs = [await caller.prompted(), await caller.prompted()]
        least: list[int] = []

        async def poll() -> None:
            while True:
                least.append(world.read(lambda conn: callers.search_callers(conn, 2))[0].available or 0)
                await asyncio.sleep(0.05)

        watch = asyncio.create_task(poll())
        for back in backs:
            back.presses(f"{MOBILE}#")
        far = (await caller.trunk.expects_call()).answers().speaks()
        began = world.loop.time()
        await asyncio.sleep(4)
        sound = world.library.encoded("en/no-credit", "PCMU")
        for back in backs:
            back.speaks()
        (poor,) = [back for back in backs if bytes(sound[800:1600]) in back.heard]
        await far.left_alone(100)
        assert world.loop.time() - began == pytest.approx(60, abs=0.05)
        poor.hangs_up()
        await world.over()
        watch.cancel()
        assert (min(least), wallet(world)) == (0, 0)
        assert sum(call.talk_s for call in world.exchange.recent.values()) == pytest.approx(60, abs=0.05)

    play(scenario, callback_plan(FREE_BACK, credit="0.20"))


def test_fifty_at_once_on_credit_for_one_let_one_talk() -> None:
    async def scenario(world: World) -> None:
        caller = Caller(world)
        numbers = [f"55570{n:05}" for n in range(50)]
        for number in numbers:
            caller.rings(number)
        backs = [(await caller.trunk.expects_call()).answers() for _ in numbers]
        for back in backs:
            await back.hears("ask-password")
            back.presses("4321#")
        for back in backs:
            await back.hears("dial-number")
            back.presses(f"{MOBILE}#")
        far = (await caller.trunk.expects_call()).answers().speaks()
        await asyncio.sleep(1)
        assert caller.trunk.invited == 51
        far.hangs_up()
        for back in backs:
            back.hangs_up()
        await world.over()
        assert world.balance() == 0
        talked = [call for call in world.exchange.recent.values() if call.outcome is Outcome.TALKED]
        assert len(talked) == 1

    plan = callback_plan(f'{FREE_BACK}\nreturn_to = "caller"', password="4321", listed=False, account="0.10")
    play(scenario, plan.replace("dial_s = 5", "dial_s = 60"))


def test_the_money_of_the_day_bounds_all_calls_of_the_extension() -> None:
    """0.40 a day: one call talks 60 s and costs 0.20, then another is cut after 60 s, and a third not rung."""

    async def scenario(world: World) -> None:
        caller = Caller(world)
        back, far = await caller.talks()
        await asyncio.sleep(59)
        back.hangs_up()
        await far.left_alone()
        await world.over()
        back, far = await caller.talks()
        assert await cut(world, back, far) == pytest.approx(60, abs=0.05)
        await caller.rings().told(486)
        await world.over()
        assert world.requests()[0].reason == "money-today"
        assert wallet(world) == 5_000_000 - 400_000

    play(scenario, callback_plan(f'{FREE_BACK}\nmoney_a_day = "0.40"'))


@pytest.mark.parametrize(("works_again_s", "takes_s"), [(57.0, 0.001), (80.0, 0.001), (0.0, 10.0)])
def test_a_database_in_trouble_costs_nobody_anything(works_again_s: float, takes_s: float) -> None:
    """Asked again when it works again in time; what it dawdles over comes when it comes, or the cut does."""

    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        began = world.loop.time()
        await asyncio.sleep(25)
        world.database.broken, world.database.takes_s = works_again_s > 0, takes_s
        world.loop.call_at(began + works_again_s, setattr, world.database, "broken", False)
        await asyncio.sleep(70)
        world.database.takes_s = 0.001
        ended = await cut(world, back, far)
        assert ended == pytest.approx(150, abs=0.05)
        assert wallet(world) == 0

    play(scenario, callback_plan(FREE_BACK, credit="0.50"))


@pytest.mark.parametrize(("takes_s", "errors"), [(0.3, 0), (8.0, 1)])
def test_a_last_try_that_comes_too_late_is_no_fault(
    takes_s: float, errors: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Money is asked for 5 s, 1 s and 0.2 s before the cut; that nothing is heard in 5 s is for the operator."""

    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        await asyncio.sleep(25)
        world.database.takes_s = takes_s
        await cut(world, back, far)

    play(scenario, callback_plan(FREE_BACK, credit="0.10"))
    assert len([record for record in caplog.records if "event=not-extended error" in record.getMessage()]) == errors


def test_who_is_silent_at_b_ends_b_and_is_asked_again() -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        far.audio.port.stop()
        await far.left_alone(60)
        await back.hears("call-ended")
        await back.hears("dial-number")
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan())


def test_the_accounts_own_sounds_are_heard_instead_of_ours() -> None:
    """SPEC 31, 64, 66: greeting, lack of credit and cut by path."""

    async def scenario(world: World) -> None:
        folder = world.sounds / "client" / "en"
        folder.mkdir(parents=True)
        for name, clip in (("hello", "confirm"), ("poor", "wrong-key"), ("cut", "goodbye")):
            (folder / f"{name}.wav").write_bytes(wav_bytes(world.exchange.pack.samples(clip)))
        back = await Caller(world).called_back()
        await back.hears("confirm")
        await back.hears("dial-number")
        back.presses("0012345678#")
        await back.hears("wrong-key")
        back.heard.clear()
        await back.hears("dial-number")
        back.presses(f"{MOBILE}#")
        far = (await back.peer.expects_call()).answers().speaks()
        back.speaks()
        await far.left_alone()
        await back.hears("goodbye")
        await back.left_alone()
        assert (await world.over()).outcome is Outcome.CREDIT_SPENT

    sounds = 'greeting_sound = "/en/hello"\nno_credit_sound = "/en/poor"\ncut_sound = "/en/cut"'
    play(scenario, callback_plan(f"{FREE_BACK}\n{sounds}", credit="0.10"))


def test_a_sound_that_is_not_there_is_ours_again() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).called_back()
        await back.hears("callback-greeting")
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan('greeting_sound = "/en/nothing"'))


def test_the_warning_is_heard_by_the_caller_alone() -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        await asyncio.sleep(28)
        for each in (back, far):
            each.audio.port.stop()
        await asyncio.sleep(1)
        for each in (back, far):
            each.heard.clear()
        await asyncio.sleep(2)
        assert beeps(world) == [pytest.approx(30, abs=0.05)]
        assert len(far.heard) == 0
        loud = sum(octet not in b"\xff\x7f" for octet in back.heard)
        assert loud > 0.2 * 8000, "some tenths of a second of tone"
        back.hangs_up()
        await world.over()

    play(scenario, callback_plan(FREE_BACK, credit="0.30"))


def test_a_database_that_fails_when_b_ends_settles_it_later() -> None:
    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        await asyncio.sleep(10)
        world.database.broken = True
        far.hangs_up()
        await back.hears("call-ended")
        world.database.broken = False
        back.hangs_up()
        call = await world.over()
        assert (call.charged, wallet(world)) == (220_000, 5_000_000 - 220_000)

    play(scenario, callback_plan())


def test_the_money_of_the_day_may_pay_for_the_leg_back_and_not_for_the_number() -> None:
    async def scenario(world: World) -> None:
        back = await Caller(world).prompted()
        back.presses(f"{MOBILE}#")
        await back.hears("number-not-allowed")
        back.hangs_up()
        await world.over()
        assert back.peer.invited == 1

    play(scenario, callback_plan('money_a_day = "0.20"'))


def test_nobody_talks_without_a_meter(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours in the middle of the talk ends it, and what was talked is charged."""

    async def scenario(world: World) -> None:
        back, far = await Caller(world).talks()
        monkeypatch.setattr("b2bua.payment.next_step", lambda *_, **__: 1 / 0)
        recharges(world, -1_000_000)
        await far.left_alone(within_s=60)
        await back.left_alone()
        monkeypatch.undo()
        call = await world.over()
        assert (call.outcome, call.charged) == (Outcome.SERVER_ERROR, 100_000)
        assert "event=bug" in caplog.text

    play(scenario, callback_plan(FREE_BACK))


async def holding(world: World) -> Call:
    """Wait until a hold is being placed, and nobody has heard of it."""
    call = next(iter(world.exchange.live.values()))
    for _ in range(1000):
        if call.purse is not None and call.purse.unheard:
            return call
        await asyncio.sleep(0.01)
    raise AssertionError("no hold was asked for")


@pytest.mark.parametrize("after_s", [0.0, 0.9])
def test_who_hangs_up_while_money_is_being_held_leaves_no_hold(after_s: float) -> None:
    """Of either leg: `over` finds every hold settled."""

    async def scenario(world: World) -> None:
        world.database.takes_s = 1.0
        caller = Caller(world)
        await caller.rings().told(486)
        call = await holding(world)
        await asyncio.sleep(after_s)
        call.cancel()
        assert (await world.over()).charged == 0
        assert [r.reason for r in world.requests()] == ["cancelled"]
        world.database.takes_s = 0.001
        back = await caller.prompted()
        world.database.takes_s = 1.0
        back.presses(f"{MOBILE}#")
        await holding(world)
        await asyncio.sleep(after_s)
        back.hangs_up()
        await world.over()
        assert wallet(world) == 5_000_000 - 120_000

    play(scenario, callback_plan())
