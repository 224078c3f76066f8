"""Calls that phones and trunks place: inside, out by a trunk with its price, in by a DID (issue point 6)."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from b2bua.intake import Dialled
from b2bua.outcome import Outcome
from sip_stack.core import Hop
from sip_stack.errors import PeerError
from sip_stack.uri import parse_uri
from store import journal
from tests.plans import fixture
from tests.world import PHONE, SECOND_PHONE, SERVER, T1, Peer, World, play

SECOND = (
    "# CB: the callback extension",
    '[[extension]]\nnumber = "001*003"\naccount = "client"\nname = "Jane"\n'
    'password = "geheim"\npublic_number = "5555550003"\n',
)


async def phones(world: World) -> tuple[Peer, Peer]:
    john, jane = Peer(world, PHONE), Peer(world, SECOND_PHONE)
    assert await john.register("001*002", "secret") == 200
    assert await jane.register("001*003", "geheim") == 200
    return john, jane


@pytest.mark.parametrize("dialled", ["001*003", "001003"])
def test_extension_to_extension_is_free(dialled: str) -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        caller = john.calls(dialled, "001*002", "secret")
        called = (await jane.expects_call()).rings()
        assert called.shown() == ("John Doe", "001*002")
        await caller.told(180)
        called.answers().speaks()
        await caller.told(200)
        caller.speaks()
        await called.hears("demo-voice")
        await caller.hears("demo-voice")
        caller.hangs_up()
        await called.left_alone(within_s=1)
        call = await world.over()
        assert (call.outcome, call.kind, call.charged) == (Outcome.TALKED, "internal", 0)

    play(scenario, fixture(SECOND))


def test_a_call_that_nobody_knows_any_more_is_no_work_for_the_collector() -> None:
    """A circle would keep it until the next collection, which walks everything: a tenth of what a call costs."""

    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        caller = john.calls("001*003", "001*002", "secret")
        called = (await jane.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        await called.left_alone(within_s=1)
        call = await world.over()
        left = [weakref.ref(each) for each in (call, *call.legs)]
        await asyncio.sleep(33)  # its transactions too
        world.exchange.recent.clear()
        call.forget()
        del call
        assert [each() for each in left] == [None, None, None]

    gc.disable()
    try:
        play(scenario, fixture(SECOND))
    finally:
        gc.enable()


def test_a_call_out_is_rated_and_both_legs_are_recorded() -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        caller = john.calls("0412345678", "001*002", "secret")
        called = (await trunk.expects_call()).early()
        assert called.shown() == ("John Doe", "5555550000")
        await caller.told(183)
        await caller.hears("demo-voice")
        called.answers()
        await caller.told(200)
        caller.speaks()
        await asyncio.sleep(31)
        called.hangs_up()
        await caller.left_alone(within_s=1)
        call = await world.over()
        assert call.charged == 200_000
        legs = world.read(lambda conn: journal.legs_of(conn, call.id))
        assert [(leg.lane, leg.direction, leg.status, leg.cost) for leg in legs] == [
            (0, "in", 200, 0),
            (2, "out", 200, 200_000),
        ]

    play(scenario, fixture(SECOND))


def test_a_call_in_rings_the_extension_of_the_did() -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        caller = trunk.calls("5555550000", "5551111111", display="Ann")
        called = (await john.expects_call()).rings()
        assert called.shown() == ("Ann", "5551111111")
        called.answers()
        await caller.told(200)
        called.hangs_up()
        await caller.left_alone(within_s=1)
        assert (await world.over()).kind == "inbound"

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize(
    ("number", "user", "password", "status"),
    [
        pytest.param("5555555555", "001*002", "wrong", 403, id="wrong password"),
        pytest.param("5555555555", "001*999", "secret", 403, id="no such extension"),
        pytest.param("5555555555", "001*002", "", 401, id="no proof"),
        pytest.param("999999999", "001*002", "secret", 403, id="no rate"),
        pytest.param("001*777", "001*002", "secret", 404, id="no such extension called"),
        pytest.param("19005551234", "001*002", "secret", 403, id="refused by the dial plan"),
        pytest.param("001*003", "001*002", "secret", 480, id="nobody registered there"),
        pytest.param("0045678901", "001*002", "secret", 402, id="not enough credit"),
    ],
)
def test_a_call_that_cannot_be_placed_gets_its_status(number: str, user: str, password: str, status: int) -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        caller = john.calls(number, user, password)
        await caller.left_alone()
        assert caller.statuses[-1] == status
        assert trunk.invited == 0

    play(scenario, fixture(SECOND, ('credit = "100.00"', 'credit = "0.40"')))


def test_an_emergency_number_is_routed_whatever_the_credit() -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        caller = john.calls("911", "001*002", "secret")
        called = (await trunk.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        await called.left_alone()
        assert (await world.over()).charged == 0

    play(
        scenario,
        fixture(
            ('refused = ["112", "911", "000", "1900"]', 'refused = ["1900"]'), ('credit = "100.00"', 'credit = "0.00"')
        ),
    )


def test_an_extension_that_has_an_emergency_number_does_not_take_its_calls() -> None:
    """SPEC H20; `apply` takes none, but another account's country may have more such numbers than its own."""
    async def scenario(world: World) -> None:
        john, jane, trunk = Peer(world, PHONE), Peer(world, SECOND_PHONE), Peer(world, T1)
        assert await john.register("001*002", "secret") == 200
        assert await jane.register("100", "geheim") == 200
        caller = john.calls("100", "001*002", "secret")
        (await trunk.expects_call()).refuses(486)
        await caller.left_alone()
        assert (await world.over()).to == "100"
        assert jane.invited == 0

    abroad = '[[account]]\nname = "other"\n' + SECOND[1].replace("001*003", "100").replace("client", "other")
    play(scenario, fixture((SECOND[0], abroad), ("min_digits = 6", 'min_digits = 6, country = "IN"')))


@pytest.mark.parametrize(("rules", "says", "shown"), [
    pytest.param('number_by = "equipment"', "5557770000", "5557770000", id="39: the number of the device"),
    pytest.param('number_by = "equipment"', "001*002", "5555550000", id="it says the extension: the server's"),
    pytest.param('number_by = "equipment"', "001002", "5555550000", id="... as a keypad writes it"),
    pytest.param('number_by = "equipment"', "john", "5555550000", id="a name is no number"),
    pytest.param('number_by = "equipment"', "001*003", "", id="another extension: nobody calls as that"),
    pytest.param('number_by = "equipment"', "001003", "", id="... nor as its digits"),
    pytest.param('number_by = "server"', "5557770000", "", id="the rules let it say no number"),
])  # fmt: skip
def test_the_number_that_a_phone_says_of_itself(rules: str, says: str, shown: str) -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        caller = john.calls("0412345678", "001*002", "secret", says=says)
        if not shown:
            await caller.told(403)
            assert trunk.invited == 0
            return
        called = await trunk.expects_call()
        assert called.shown() == ("John Doe", shown)
        called.refuses(486)
        await caller.left_alone()
        await world.over()

    public = 'public_number = "5555550000"'
    play(scenario, fixture(SECOND, (public, f"{public}\ncaller_id = {{ {rules} }}")))


def test_when_more_comes_than_can_be_done_new_calls_are_turned_away_and_the_others_go_on() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        trunk = Peer(world, T1)
        up = john.calls("001*003", "001*002", "secret")
        called = (await jane.expects_call()).answers()
        await up.told(200)
        stranger = Peer(world, ("198.51.100.66", 5060))
        for backlog, turned_away in ((0.39, 401), (0.4, 503)):
            world.exchange.backlog = lambda backlog=backlog: backlog  # type: ignore[misc]
            caller = stranger.calls("5555555555", "001*002")
            await caller.left_alone(within_s=1)
            assert caller.statuses == [turned_away]
        for backlog in (0.74, 0.75):
            world.exchange.backlog = lambda backlog=backlog: backlog  # type: ignore[misc]
            by_trunk, by_phone = trunk.calls("5555550000", "5551111111"), john.calls("001*003", "001*002", "secret")
            if backlog < 0.75:
                (await john.expects_call()).refuses(486)
                (await jane.expects_call()).refuses(486)
            for caller in (by_trunk, by_phone):
                await caller.left_alone(within_s=1)
                assert caller.statuses == [486 if backlog < 0.75 else 503]
        refusal = next(data for *_, data in reversed(world.wire.sent) if data.startswith(b"SIP/2.0 503"))
        assert b"\r\nRetry-After: 2\r\n" in refusal
        emergency = john.calls("911", "001*002", "secret")
        (await trunk.expects_call()).answers().hangs_up()
        await emergency.left_alone()
        assert await john.register("001*002", "secret") == 200
        up.hangs_up()
        await called.left_alone(within_s=1)
        world.exchange.backlog = lambda: 0.0
        john.calls("5555555555", "001*002", "secret")
        (await trunk.expects_call()).refuses(486)
        await world.over()

    play(scenario, fixture(SECOND, ('refused = ["112", "911", "000", "1900"]', 'refused = ["1900"]')))


@pytest.mark.parametrize(("status", "seen"), [(486, 486), (603, 603), (404, 404), (480, 480)])
def test_the_caller_is_told_how_it_failed(status: int, seen: int) -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        caller = john.calls("5555555555", "001*002", "secret")
        (await trunk.expects_call()).refuses(status)
        await caller.left_alone()
        assert caller.statuses[-1] == seen
        await world.over()

    play(scenario, fixture(SECOND))


def test_a_caller_who_gives_up_cancels_the_other_side() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        caller = john.calls("001*003", "001*002", "secret")
        called = (await jane.expects_call()).rings()
        await caller.told(180)
        caller.hangs_up()
        await called.left_alone(within_s=1)
        assert called.gone == "cancelled"
        assert (await world.over()).outcome is Outcome.CANCELLED

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize("dies_after", ["180", "INVITE"])
def test_a_trunk_that_falls_silent_does_not_hold_up_who_gives_up(dies_after: str) -> None:
    """It rang, or not even that, and then nothing: not even the CANCEL is answered."""

    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        caller = john.calls("5555555555", "001*002", "secret")
        called = await trunk.expects_call()
        if dies_after == "180":
            called.rings()
            await caller.told(180)
        world.wire.unplug(T1)
        await asyncio.sleep(2)
        caller.hangs_up()
        await asyncio.sleep(0.5)
        assert (world.last.outcome, world.last.charged) == (Outcome.CANCELLED, 0)
        await asyncio.sleep(100)  # 9.1: 64*T1 for the CANCEL
        await world.over()
        assert world.core.load == {"clients": 0, "servers": 0, "dialogs": 0}

    play(scenario, fixture(SECOND))


def test_every_phone_of_an_extension_rings_and_the_first_to_answer_wins() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        third = Peer(world, ("192.0.2.12", 5060))
        assert await third.register("001*003", "geheim") == 200
        caller = john.calls("001*003", "001*002", "secret")
        slow, quick = (await jane.expects_call()).rings(), (await third.expects_call()).rings()
        quick.answers()
        await caller.told(200)
        await slow.left_alone(within_s=1)
        assert slow.gone == "cancelled"
        caller.hangs_up()
        await quick.left_alone()
        await world.over()

    play(scenario, fixture(SECOND))


def test_max_forwards_goes_down_and_ends_a_loop() -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        john.calls("5555555555", "001*002", "secret")
        called = await trunk.expects_call()
        assert called.request is not None
        assert called.request.max_forwards == 69
        called.refuses(486)
        await world.over()
        invite = world.wire.requests("INVITE", SERVER)[-1].replace(b"Max-Forwards: 70", b"Max-Forwards: 0")
        before = len(world.wire.sent)
        again = invite.replace(b"z9hG4bK", b"z9hG4bKx").replace(b"CSeq: 2", b"CSeq: 3")
        world.core.receive(again, Hop("UDP", *PHONE))
        assert world.wire.sent[before][3].startswith(b"SIP/2.0 483 ")

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize(
    ("address", "stale"),
    [
        pytest.param(("192.0.2.66", 5060), False, id="elsewhere: a nonce of another address"),
        pytest.param((PHONE[0], 40_000), True, id="behind the same address: spent"),
    ],
)
def test_an_overheard_proof_is_worth_nothing(address: tuple[str, int], stale: bool) -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        caller = john.calls("001*003", "001*002", "secret")
        called = (await jane.expects_call()).rings()
        invite = world.wire.requests("INVITE", SERVER)[-1]
        assert b"Authorization:" in invite
        thief = Peer(world, address)
        stolen = invite.replace(b"z9hG4bK", b"z9hG4bKstolen", 1).replace(b"Call-ID: ", b"Call-ID: x", 1)
        thief.core.send(stolen, Hop("UDP", *SERVER), "x")
        await asyncio.sleep(0.1)
        answers = [data for _, _, to, data in world.wire.sent if to == thief.address]
        assert [data[:11] for data in answers] == [b"SIP/2.0 401"]
        assert (b"stale=true" in answers[0]) is stale
        assert len(world.exchange.live) == 1
        caller.hangs_up()
        await called.left_alone()
        await world.over()

    play(scenario, fixture(SECOND))


FORGED = b'P-Asserted-Identity: <sip:5550001111@forged.example>\r\nP-Preferred-Identity: <sip:5550001111@x>\r\n'


@pytest.mark.parametrize("switched_on", [True, False])
def test_rule_51_identity_headers_are_ours_and_leave_by_trunks_only(switched_on: bool) -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        trunk = Peer(world, T1)
        send = john.core.send
        john.core.send = lambda data, *to: send(data.replace(b"\r\nTo:", b"\r\n" + FORGED + b"To:", 1), *to)
        john.calls("5552223333", "001*002", "secret")
        outside = (await trunk.expects_call()).request
        john.calls("001*003", "001*002", "secret")
        inside = (await jane.expects_call()).request
        assert all(FORGED in invite for invite in world.wire.requests("INVITE", SERVER)[-2:])
        assert outside is not None
        assert inside is not None
        sent = [outside.fields.get(name, ()) for name in ("P-Asserted-Identity", "P-Preferred-Identity")]
        who = f"<sip:5555550000@{SERVER[0]}>"
        assert sent == ([(who,), (f'"John Doe" {who}',)] if switched_on else [(), ()])
        assert not {"P-Asserted-Identity", "P-Preferred-Identity"} & inside.fields.keys()

    rules = f'public_number = "5555550000"\ncaller_id = {{ identity_headers = {str(switched_on).lower()} }}'
    play(scenario, fixture(SECOND, ('public_number = "5555550000"', rules)))


@pytest.mark.parametrize(
    ("dialled", "sent"),
    [
        pytest.param("19005551234", "+19005551234", id="premium, named, with a rate"),
        pytest.param("411", "+1411", id="a short code, with a rate"),
        pytest.param("+449098790000", "", id="premium, named, without a rate"),
    ],
)
def test_what_phones_may_call_is_what_has_a_rate(dialled: str, sent: str) -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await john.register("001*002", "secret") == 200
        caller = john.calls(dialled, "001*002", "secret")
        if sent:
            called = (await trunk.expects_call()).answers()
            assert called.request is not None
            assert called.request.uri.user == sent
            await caller.told(200)
            caller.hangs_up()
            assert (await world.over()).outcome is Outcome.TALKED
        else:
            assert (await world.over()).outcome is Outcome.NO_RATE
            assert trunk.invited == 0

    play(scenario, E164)


@pytest.mark.parametrize(("uri", "number", "emergency"), [
    pytest.param("tel:555-0101;phone-context=+1-202", "+12025550101", False, id="a local number in its context"),
    pytest.param("sip:5550101;phone-context=+1202@h;user=phone", "+12025550101", False, id="in a SIP URI"),
    pytest.param("tel:2025550101;phone-context=example.com", "+12025550101", False, id="of a domain: as it is dialled"),
    pytest.param("tel:911;phone-context=+1", "911", True, id="RFC 3966 5.1.5: an emergency number in its country"),
    pytest.param("sip:9-1-1;phone-context=+1@h;user=phone", "911", True, id="in a SIP URI"),
])
def test_what_phones_dial_in_a_context(uri: str, number: str, emergency: bool) -> None:
    async def scenario(world: World) -> None:
        account = world.exchange.directory.accounts[1]
        assert world.exchange.intake.read(parse_uri(uri), account) == Dialled(number, emergency=emergency)

    play(scenario, E164)


@pytest.mark.parametrize(("uri", "status"), [
    pytest.param("tel:9005551234;phone-context=+1", 403, id="premium in its context"),
    pytest.param("tel:1;phone-context=+1", 403, id="no number"),
])
def test_what_phones_cannot_dial_in_a_context(uri: str, status: int) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(PeerError) as refused:
            world.exchange.intake.read(parse_uri(uri), world.exchange.directory.accounts[1])
        assert refused.value.status == status

    play(scenario, E164.replace("premium = ", "refused = "))


E164 = """
[[account]]
name = "client"
credit = "10.00"
dial_plan = { premium = ["+1900555", "+44909"] }
[[extension]]
number = "001*002"
account = "client"
password = "secret"
public_number = "+12025550123"
[[trunk]]
name = "R1"
host = "192.0.2.21"
[[route]]
trunk = "R1"
[[rate]]
prefix = "+1900"
first_cost = "1.00"
[[rate]]
prefix = "+1411"
"""
