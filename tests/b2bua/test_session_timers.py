"""Session timers and reliable ringing as the settings of trunks and extensions ask for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from b2bua.outcome import Outcome
from b2bua.plan.apply import apply
from b2bua.plan.reader import BadPlan, parse
from sip_stack.message import parse as parse_sip
from sip_stack.options import InviteOptions
from store.database import connect
from tests.b2bua.test_offers import updated
from tests.b2bua.test_plain_calls import SECOND, phones
from tests.b2bua.test_robustness import reinvited
from tests.plans import fixture
from tests.world import PHONE, SECOND_PHONE, SERVER, T1, Peer, World, play

TIMED = InviteOptions(session_s=300)
TRUNK = ('host = "192.0.2.21"', 'host = "192.0.2.21"\n{}')
JOHN = ('password = "secret"', 'password = "secret"\n{}')


def with_line(where: tuple[str, str], line: str) -> tuple[str, str]:
    return where[0], where[1].format(line)


def said(data: bytes, *names: str) -> list[str | None]:
    message = parse_sip(data)
    assert message is not None
    return [message.get(name) for name in names]


def knows_timers(data: bytes) -> bool:
    message = parse_sip(data)
    assert message is not None
    return "timer" in message.tokens("Supported")


def test_a_long_talk_is_refreshed_on_each_leg_as_agreed_there() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = Peer(world, PHONE), Peer(world, T1)
        await phone.register("001*002", "secret")
        phone.options = trunk.options = TIMED
        caller = trunk.calls("5555550000", "5551111111")
        called = (await phone.expects_call()).answers()
        await caller.told(200)
        asked = world.wire.requests("INVITE", PHONE)[0]
        assert knows_timers(asked)
        assert said(asked, "Session-Expires", "Min-SE") == ["1800", None]
        await asyncio.sleep(1000)
        # the trunk asked for 300 s and refreshes; the phone made 300 s of our 1800, and we refresh
        ours, theirs = world.wire.requests("UPDATE", PHONE), world.wire.requests("UPDATE", SERVER)
        assert (len(ours), len(theirs)) == (6, 6)
        caller.hangs_up()
        await called.left_alone(within_s=1)
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(with_line(TRUNK, 'media = "direct"')))


def test_a_phone_that_dies_on_hold_is_hung_up_when_its_session_expires() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        john.options = TIMED
        caller = john.calls("001*003", "001*002", "secret")
        called = (await jane.expects_call()).answers().speaks()
        await caller.told(200)
        await reinvited(caller, caller.audio.offer().replace(b"a=sendrecv", b"a=inactive"))
        began = world.loop.time()
        world.wire.unplug(PHONE)
        await called.left_alone(within_s=400)
        assert world.loop.time() - began == pytest.approx(268, abs=3)  # 300 s less 32 (RFC 4028 10)
        assert b'Reason: SIP;cause=408;text="Session timer expired"' in world.wire.requests("BYE", PHONE)[0]
        caller.ends("dead")
        await asyncio.sleep(40)  # nobody answers our BYE
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(SECOND))


def test_without_session_timers_nobody_is_asked_for_any() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        john.options = jane.options = TIMED
        caller = john.calls("001*003", "001*002", "secret")
        (await jane.expects_call()).answers().speaks()
        await caller.told(200)
        caller.speaks()
        asked = world.wire.requests("INVITE", SECOND_PHONE)[0]  # Jane is, by her own setting
        assert (knows_timers(asked), said(asked, "Session-Expires")) == (True, ["1800"])
        answer = next(d for _, _, to, d in world.wire.sent if to == PHONE and d.startswith(b"SIP/2.0 200")
                      and b"INVITE" in d)  # fmt: skip
        assert said(answer, "Session-Expires", "Require") == [None, None]
        caller.hangs_up()
        await world.over()

    play(scenario, fixture(SECOND, with_line(JOHN, "session_expires_s = 0")))


def test_9_a_session_below_min_se_is_422_and_no_call() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        asked = [("Supported", "timer"), ("Session-Expires", "120")]
        caller = john.calls("001*003", "001*002", "secret", extra=asked)
        await caller.told(422)
        refused = next(d for *_, d in world.wire.sent if d.startswith(b"SIP/2.0 422"))
        assert said(refused, "Min-SE") == ["600"]
        assert world.exchange.live == {}
        john.options = InviteOptions(session_s=120)
        again = john.calls("001*003", "001*002", "secret")  # who knows timers tries again with what we want
        (await jane.expects_call()).rings()
        await again.told(180)
        assert said(world.wire.requests("INVITE", SERVER)[-1], "Session-Expires") == ["600"]
        again.hangs_up()
        await world.over()

    play(scenario, fixture(SECOND, with_line(JOHN, "min_se_s = 600")))


@pytest.mark.parametrize("asks", [True, False])
def test_prack_with_a_trunk_that_knows_it_where_its_setting_says_so(asks: bool) -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        trunk.options = InviteOptions(reliable=True)
        caller = john.calls("0412345678", "001*002", "secret")
        called = (await trunk.expects_call()).early()
        await caller.told(183)
        await caller.hears("demo-voice")
        assert len(world.wire.requests("PRACK", T1)) == (1 if asks else 0)
        usage: Any = called.usage
        assert usage.reliable is asks
        response = await updated(called, called.audio.offer())  # 491: their answer is not acknowledged
        assert response.status == (200 if asks else 491)
        called.answers()
        await caller.told(200)
        caller.speaks()
        await called.hears("demo-voice")
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(SECOND, *([with_line(TRUNK, "prack = true")] if asks else [])))


def test_prack_to_a_phone_that_knows_it_where_its_setting_says_so() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        john.options = InviteOptions(reliable=True)
        for prack in (False, True):
            caller = john.calls("001*003", "001*002", "secret")
            called = (await jane.expects_call()).rings()
            await caller.told(180)
            await asyncio.sleep(0.1)
            assert len(world.wire.requests("PRACK", SERVER)) == (1 if prack else 0)
            called.hangs_up()
            await caller.left_alone()
            plan = fixture(SECOND, with_line(JOHN, "prack = true"))
            with connect(world.url).begin() as conn:  # a running server takes it for its next call
                apply(conn, parse(plan, "plan.toml"), world.wall(), "http://test", lambda: "0" * 16)
            await world.exchange.reload()
        await world.over()

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize(("line", "sentence"), [
    ("session_expires_s = 60", "session_expires_s: expected 0 for none, or 90 to 86400 (RFC 4028 5)"),
    ("session_expires_s = 600\nmin_se_s = 601", "min_se_s: is more than session_expires_s, 600"),
    ("min_se_s = 89", "min_se_s"),
    ("prack = 1", "prack"),
])  # fmt: skip
@pytest.mark.parametrize("where", [TRUNK, JOHN], ids=["trunk", "extension"])
def test_settings_that_make_no_sense_are_told_with_their_line(
    where: tuple[str, str], line: str, sentence: str
) -> None:
    text = fixture(with_line(where, line))
    with pytest.raises(BadPlan) as refused:
        parse(text, "plan.toml")
    number = text.split("\n").index(line.split("\n")[-1]) + 1
    assert f"plan.toml:{number}:" in str(refused.value)
    assert sentence in str(refused.value)
