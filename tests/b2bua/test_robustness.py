"""Far ends, media and background work that misbehave: the call ends with a reason, or goes on as it should."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from b2bua.call import Call
from b2bua.desk import Stage
from b2bua.leg import Leg
from b2bua.outcome import Outcome
from b2bua.plan.apply import apply
from b2bua.plan.reader import parse
from b2bua.trace.ladder import Ladder, LadderLimits, Ladders
from media.events import Event, Key
from media.g711 import ALAW_TO_ULAW, ULAW_TO_ALAW
from media.verbs import Close
from sip_stack.message import Response
from store.database import connect
from tests.plans import fixture
from tests.world import PHONE, SECOND_PHONE, SERVER, T1, T2, Far, Peer, World, given_up_at_once, play

NO_CONFIRM = ('id = "john_doe"', 'id = "john_doe"\nconfirm = false')
ANNOUNCE = ("announce_to_visitor = false", "announce_to_visitor = true")


async def john(world: World, address: tuple[str, int] = PHONE) -> Peer:
    phone = Peer(world, address)
    assert await phone.register("001*002", "secret") == 200
    return phone


async def talking(world: World) -> tuple[Far, Far]:
    """Both far ends, in the talk, and not silent."""
    phone, trunk = await john(world), Peer(world, T1)
    await world.callnow()
    owner = (await phone.expects_call()).answers().speaks()
    visitor = (await trunk.expects_call()).answers().speaks()
    await visitor.until(lambda: len(visitor.heard) > 0)
    return owner, visitor


def live(world: World) -> Call:
    (call,) = world.exchange.live.values()
    return call


def media_dies(world: World) -> None:
    """What the engine tells when its worker process is gone: every port is Closed."""
    for port in list(world.engine._switch.ports):
        world.engine._ask(Close(port))


async def reinvited(far: Far, body: bytes) -> Response:
    """A re-INVITE by the far end and its final response."""
    assert far.usage is not None
    answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
    far.usage.reinvite(body, answer.set_result)
    response = await answer
    assert response is not None
    return response


async def informed(far: Far, body: bytes, kind: str = "application/dtmf-relay") -> int:
    """An INFO by the far end and the status it gets."""
    assert far.usage is not None
    answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
    far.usage.send("INFO", answer.set_result, body=body, content_type=kind)
    response = await answer
    assert response is not None
    return response.status


def test_a_call_cancelled_before_its_first_step_still_ends() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        with given_up_at_once(world):
            token = await world.callnow()
        call = await world.over()
        assert (call.outcome, phone.invited) == (Outcome.CANCELLED, 0)
        assert world.desk.visitor_status(token).stage is Stage.CANCELLED  # type: ignore[union-attr]
        await asyncio.sleep(31)
        await world.callnow()  # the number is free again
        (await phone.expects_call()).refuses(486)
        await world.over()

    play(scenario, fixture())


@pytest.mark.parametrize("moment", ["prompt", "key", "ringing", "announce", "talk"])
def test_a_media_process_that_dies_ends_the_call_with_a_reason(moment: str) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        owner = (await phone.expects_call()).answers()
        await owner.hears("confirm")
        if moment == "key":
            await asyncio.sleep(5)
        if moment not in ("prompt", "key"):
            owner.presses("1")
            visitor = (await trunk.expects_call()).rings()
            if moment != "ringing":
                visitor.answers()
                await asyncio.sleep(1.0 if moment == "announce" else 8.0)
        media_dies(world)
        await owner.left_alone(within_s=5)
        assert (await world.over()).outcome is Outcome.MEDIA_LOST

    play(scenario, fixture(ANNOUNCE))


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_a_far_end_on_hold_may_be_silent_for_ever(direction: str) -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await talking(world)
        held = owner.audio.offer().replace(b"a=sendrecv", f"a={direction}".encode())
        assert direction.encode() in held
        response = await reinvited(owner, held)
        assert {"sendonly": b"a=recvonly", "inactive": b"a=inactive"}[direction] in response.body
        owner.audio.port.stop()
        await asyncio.sleep(120)
        assert live(world).outcome is None
        await reinvited(owner, owner.audio.offer())
        owner.speaks()
        before = len(visitor.heard)
        await asyncio.sleep(2)
        assert len(visitor.heard) - before > 12_000, "heard again after the hold"
        owner.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(NO_CONFIRM))


def test_a_far_end_may_change_its_codec_in_the_talk() -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await talking(world)
        assert live(world).legs[0].audio.codec == "PCMU"  # type: ignore[union-attr]
        offer = owner.audio.offer("PCMA")
        response = await reinvited(owner, offer)
        owner.audio.take_answer(response.body, SERVER[0])
        assert owner.audio.codec == "PCMA"
        voice = world.library.encoded("en/demo-voice", "PCMU")[8000:8800]
        for far, sound in ((owner, voice.translate(ULAW_TO_ALAW)),
                           (visitor, voice.translate(ULAW_TO_ALAW).translate(ALAW_TO_ULAW))):  # fmt: skip
            far.heard.clear()
            await far.until(lambda far=far, sound=sound: sound in far.heard)  # type: ignore[misc]
        visitor.hangs_up()
        await world.over()

    play(scenario, fixture(NO_CONFIRM))


def test_a_reinvite_without_an_offer_gets_ours_and_the_talk_goes_on() -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await talking(world)
        response = await reinvited(owner, b"")
        assert b"m=audio" in response.body
        owner.usage.acknowledge(owner.audio.take_offer(response.body, SERVER[0]))  # type: ignore[union-attr]
        await asyncio.sleep(5)
        assert live(world).outcome is None
        visitor.hangs_up()
        await world.over()

    play(scenario, fixture(NO_CONFIRM))


def test_an_ack_whose_answer_cannot_be_used_ends_the_call() -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await talking(world)
        await reinvited(owner, b"")
        owner.usage.acknowledge(b"nonsense")  # type: ignore[union-attr]
        await owner.left_alone(within_s=1)
        await visitor.left_alone(within_s=1)
        assert (await world.over()).outcome is Outcome.MEDIA_LOST

    play(scenario, fixture(NO_CONFIRM))


def test_a_key_by_info_cuts_the_question_short() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        owner = (await phone.expects_call()).answers()
        await asyncio.sleep(0.5)
        assert await informed(owner, b"Signal=1\r\nDuration=160\r\n") == 200
        visitor = await trunk.expects_call(within_s=0.2)
        visitor.refuses(486)
        await world.over()

    play(scenario, fixture())


@pytest.mark.parametrize(
    ("body", "kind", "status", "digit"),
    [
        pytest.param(b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", 200, "5", id="dtmf-relay"),
        pytest.param(b"#", "application/dtmf", 200, "#", id="the digit alone"),
        pytest.param(b"Signal=16\r\n", "application/dtmf-relay", 415, "", id="a hook flash is no key"),
        pytest.param(b"5", "text/plain", 415, "", id="another type"),
        pytest.param(b"\n" * 60_000 + b"x", "application/dtmf", 415, "", id="a body made to be slow to search"),
    ],
)
def test_a_key_by_info_in_the_talk_reaches_the_other_side_and_no_ladder(
    body: bytes, kind: str, status: int, digit: str
) -> None:
    async def scenario(world: World) -> None:
        owner, visitor = await talking(world)
        keys: list[str] = []
        listeners, port = visitor.peer.engine._listeners, visitor.audio.port.id
        tell = listeners[port]

        def listener(event: Event) -> None:
            if isinstance(event, Key):
                keys.append(event.digit)
            tell(event)

        listeners[port] = listener
        assert await informed(owner, body, kind) == status
        await asyncio.sleep(1)
        assert "".join(keys) == digit
        shown = [row.text for row in live(world).ladder.rows() if row.title == "INFO"]
        assert [text.partition("\r\n\r\n")[2].strip("x\r\n") == "" for text in shown] == [True]
        visitor.hangs_up()
        await world.over()

    play(scenario, fixture(NO_CONFIRM))


def test_a_phone_that_declines_for_all_stops_the_others_ringing() -> None:
    async def scenario(world: World) -> None:
        desk, mobile = await john(world), await john(world, SECOND_PHONE)
        await world.callnow()
        ringing, declined = (await desk.expects_call()).rings(), (await mobile.expects_call()).rings()
        declined.refuses(603)
        await ringing.left_alone(within_s=1)
        assert ringing.gone == "cancelled"
        assert (await world.over()).outcome is Outcome.DECLINED

    play(scenario, fixture())


def test_early_media_of_a_trunk_that_fails_is_followed_by_the_next_ones_ringing() -> None:
    async def scenario(world: World) -> None:
        phone, first = await john(world), Peer(world, T1)
        await world.callnow()
        owner = (await phone.expects_call()).answers()
        visitor = (await first.expects_call()).early()
        await owner.hears("demo-voice")
        visitor.refuses(404)
        await owner.hears("visitor-failed")
        await owner.left_alone()
        assert (await world.over()).outcome is Outcome.VISITOR_FAILED

    play(scenario, fixture(NO_CONFIRM))


def test_provisional_storms_change_nothing() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        caller = phone.calls("5555555555", "001*002", "secret")
        called = await trunk.expects_call()
        for _ in range(50):
            called.rings()
            called.early()
        await caller.told(183)
        await caller.hears("demo-voice")
        called.answers()
        await caller.told(200)
        caller.speaks()
        await called.hears("demo-voice")
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture())


def test_a_caller_is_not_told_that_a_number_is_unknown_when_the_network_failed() -> None:
    async def scenario(world: World) -> None:
        phone, first, second = await john(world), Peer(world, T1), Peer(world, T2)
        caller = phone.calls("5555555555", "001*002", "secret")
        (await first.expects_call()).refuses(500)
        (await second.expects_call()).refuses(502)
        await caller.left_alone()
        assert caller.statuses[-1] == 503
        await world.over()

    play(scenario, fixture())


def test_a_configuration_is_still_taken_after_the_database_failed() -> None:
    async def scenario(world: World) -> None:
        await john(world)
        world.database.broken = True
        await asyncio.sleep(10)
        world.database.broken = False
        changed = fixture(('name = "John Doe"', 'name = "John Roe"'))
        with connect(world.url).begin() as conn:
            apply(conn, parse(changed, "plan.toml"), world.wall(), "http://test", lambda: "0")
        await asyncio.sleep(2)
        john_now = world.exchange.directory.extension("001*002")
        assert john_now is not None
        assert john_now.name == "John Roe"

    play(scenario, fixture())


@pytest.mark.parametrize(
    "reach",
    [
        pytest.param(0, id="the phone rings"),
        pytest.param(1, id="the question"),
        pytest.param(2, id="the visitor's phone rings"),
        pytest.param(3, id="the announcement"),
        pytest.param(4, id="the talk"),
    ],
)
def test_a_server_that_stops_ends_a_call_in_every_state(reach: int) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        await world.callnow()
        owner = (await phone.expects_call()).rings()
        if reach > 0:
            owner.answers()
            await owner.hears("confirm")
        if reach > 1:
            owner.presses("1")
            visitor = (await trunk.expects_call()).rings()
        if reach > 2:
            visitor.answers()
            await visitor.until(lambda: len(visitor.heard) > 800)
        if reach > 3:
            await asyncio.sleep(8)
        await world.exchange.close()
        assert world.last.outcome is Outcome.SHUT_DOWN
        await owner.left_alone(within_s=1)
        await asyncio.sleep(1)
        world.check_nothing_left()
        assert world.balance() == 100_000_000 - (120_000 if reach > 2 else 0)
        assert [r.reason for r in world.requests()] == ["server-stopped"]

    play(scenario, fixture(ANNOUNCE))


def test_a_fault_in_one_leg_leaves_no_other_up_and_no_money_held(monkeypatch: pytest.MonkeyPatch) -> None:
    hangup = Leg.hangup

    async def scenario(world: World) -> None:
        owner, visitor = await talking(world)
        call = live(world)
        first = call.legs[0]

        def broken(leg: Leg, *status: Any, **more: Any) -> None:
            if leg is first:
                raise RuntimeError("a bug of ours")
            hangup(leg, *status, **more)

        monkeypatch.setattr(Leg, "hangup", broken)
        visitor.hangs_up()
        await asyncio.sleep(3)
        assert (call.outcome, world.exchange.live, world.exchange.ladders.wires) == (Outcome.TALKED, {}, {})
        hangup(first)
        await owner.left_alone()
        await world.over()
        assert world.balance() == 100_000_000 - 120_000

    play(scenario, fixture(NO_CONFIRM))


def test_what_is_remembered_of_old_calls_is_bounded() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        for n in range(205):
            caller = phone.calls("999999999", "001*002", "secret")
            await caller.left_alone()
            assert n < 200 or len(world.exchange.recent) == 200
        await world.over()
        assert world.exchange.unsettled == {}

    play(scenario, fixture())


def test_a_ladder_full_of_figures_keeps_room_for_the_end() -> None:
    ladder = Ladder(Ladders(LadderLimits(), lambda hop: ("192.0.2.1", 5060), lambda: 0.0), 0.0, plain=True)
    for second in range(1000):
        ladder.row(second, "rtp", 0, 1, "RTP 1 received")
    ladder.row(1000.0, "event", 1, 1, "ended: talked")
    rows = ladder.rows()
    assert len(rows) < 1000
    assert rows[-1].title == "ended: talked"


def test_where_the_media_does_not_pass_by_us_keys_and_offers_are_handed_on() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        caller = trunk.calls("5555550000", "5551111111")
        called = (await phone.expects_call()).answers()
        await caller.told(200)
        assert world.engine.open_ports == 0
        assert await informed(caller, b"Signal=5\r\n") == 200
        await asyncio.sleep(0.1)
        (info,) = world.wire.requests("INFO", PHONE)
        assert info.endswith(b"\r\n\r\nSignal=5\r\n")
        offered = await reinvited(caller, b"")  # the other far end offers, its answer comes in our ACK
        assert (offered.status, b"m=audio" in offered.body) == (200, True)
        answer = caller.audio.offer()
        caller.usage.acknowledge(answer)  # type: ignore[union-attr]
        await asyncio.sleep(0.1)
        assert world.wire.requests("ACK", PHONE)[-1].endswith(answer)
        offer = caller.audio.offer()
        assert (await reinvited(caller, offer)).status == 200
        assert world.wire.requests("INVITE", PHONE)[-1].endswith(offer)
        caller.hangs_up()
        await called.left_alone(within_s=1)
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(('host = "192.0.2.21"', 'host = "192.0.2.21"\nmedia = "direct"')))
