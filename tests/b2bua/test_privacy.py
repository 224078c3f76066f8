"""What callers want kept to themselves: Privacy and anonymous From of phones and trunks (RFC 3323)."""

from __future__ import annotations

import asyncio
from email.utils import parsedate_to_datetime

import pytest

from sip_stack.message import Request, parse
from tests.b2bua.test_plain_calls import SECOND, phones
from tests.plans import fixture
from tests.world import PHONE, SERVER, T1, Peer, World, play

PUBLIC = 'public_number = "5555550000"'
PRIVACY = [
    pytest.param([("Privacy", "id")], True, id="id"),
    pytest.param([("Privacy", "user;critical")], True, id="user"),
    pytest.param([("Privacy", "header;session")], False, id="header and session: we hide both anyway"),
    pytest.param([("Privacy", "none")], False, id="none"),
    pytest.param([], False, id="nothing said"),
]


@pytest.mark.parametrize(("extra", "is_hidden"), PRIVACY)
def test_3323_a_phone_that_asks_for_privacy_is_shown_to_nobody(extra: list[tuple[str, str]], is_hidden: bool) -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        trunk = Peer(world, T1)
        inside = john.calls("001*003", "001*002", "secret", extra=extra)
        called = await jane.expects_call()
        assert called.shown() == (("Anonymous", "anonymous") if is_hidden else ("John Doe", "001*002"))
        inside.hangs_up()
        called.refuses(486)
        outside = john.calls("0412345678", "001*002", "secret", extra=extra)
        called = await trunk.expects_call()
        invite = called.request
        assert isinstance(invite, Request)
        assert called.shown()[1] == ("anonymous" if is_hidden else "5555550000")
        assert invite.get("Privacy") == ("id" if is_hidden else None)
        assert (b"5555550000" in invite.raw) is not is_hidden
        outside.hangs_up()
        called.refuses(486)
        await world.over()

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize("says", ["anonymous", "Restricted", ""])
@pytest.mark.parametrize("host", ["anonymous.invalid", SERVER[0]])
def test_3323_4_1_1_3_a_phone_that_calls_itself_anonymous_is_known_by_its_password(says: str, host: str) -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        trunk = Peer(world, T1)
        inside = john.calls("001*003", "001*002", "secret", says=says, host=host)
        called = await jane.expects_call()
        assert called.shown() == ("Anonymous", "anonymous")
        inside.hangs_up()
        called.refuses(486)
        outside = john.calls("0412345678", "001*002", "secret", says=says, host=host)
        called = await trunk.expects_call()
        invite = called.request
        assert isinstance(invite, Request)
        assert (called.shown()[1], invite.get("Privacy")) == ("anonymous", "id")
        assert b"5555550000" not in invite.raw
        outside.hangs_up()
        called.refuses(486)
        call = await world.over()
        assert call.extension is not None
        assert call.extension.number == "001*002", "who pays is told by the password"

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize("extra", [[("Privacy", "id")], []])
def test_whom_a_private_call_is_transferred_to_does_not_see_either_who_transfers(
    extra: list[tuple[str, str]],
) -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        trunk = Peer(world, T1)
        caller = john.calls("0412345678", "001*002", "secret", extra=extra)
        (await trunk.expects_call()).answers()
        await caller.told(200)
        for target, peer in (("001*003", jane), ("0487654321", trunk)):
            caller.refers(target, "001*002", "secret")
            called = await peer.expects_call()
            assert (called.shown()[1] == "anonymous") is bool(extra)
            assert isinstance(called.request, Request)
            raw = called.request.raw.partition(b"\r\n")[2]
            assert (b"001*002" in raw or b"5555550000" in raw) is not bool(extra)
            called.refuses(486)
            await caller.reported(486)
        caller.hangs_up()
        await world.over()

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize("extra", [[("Privacy", "id")], []])
@pytest.mark.parametrize("rules", ["", "caller_id = { anonymous = true }"])
def test_who_comes_to_help_sees_the_number_whatever_privacy_says(rules: str, extra: list[tuple[str, str]]) -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        caller = john.calls("112", "001*002", "secret", extra=extra)
        called = await trunk.expects_call()
        assert called.shown()[1] == "5555550000"
        caller.hangs_up()
        called.refuses(486)
        await world.over()

    play(scenario, fixture(SECOND, (PUBLIC, f"{PUBLIC}\n{rules}")))


@pytest.mark.parametrize(("extra", "direct"), [([], True), ([("Privacy", "session")], False)])
def test_3323_4_2_session_privacy_leads_the_sound_by_way_of_us(extra: list[tuple[str, str]], direct: bool) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = Peer(world, PHONE), Peer(world, T1)
        await phone.register("001*002", "secret")
        caller = trunk.calls("5555550000", "5551111111", extra=extra)
        (await phone.expects_call()).answers()
        await caller.told(200)
        assert (world.engine.open_ports == 0) is direct
        caller.hangs_up()
        await world.over()

    play(scenario, fixture(('host = "192.0.2.21"', 'host = "192.0.2.21"\nmedia = "direct"')))


def test_10_3_a_registered_phone_is_told_the_time() -> None:
    async def scenario(world: World) -> None:
        await phones(world)
        await asyncio.sleep(0)
        answers = (data for *_, to, data in world.wire.sent if to == PHONE and data.startswith(b"SIP/2.0 200"))
        answer = parse(next(answers))
        assert answer is not None
        date = answer.get("Date")
        assert date is not None
        assert date.endswith(" GMT")
        assert parsedate_to_datetime(date).timestamp() == pytest.approx(world.wall(), abs=2)

    play(scenario, fixture(SECOND))
