"""Offers and answers in calls, wherever SIP has a place for them; what far ends say when they leave."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from b2bua.audio import Audio
from b2bua.outcome import Outcome
from media.inline import InlineEngine, InlineNetwork
from sip_stack.core import Hop
from sip_stack.errors import PeerError
from sip_stack.message import Response, parse, reply
from sip_stack.outgoing_invite import OutgoingInvite
from tests.b2bua.test_plain_calls import SECOND, phones
from tests.b2bua.test_robustness import reinvited
from tests.plans import fixture
from tests.world import PHONE, SERVER, T1, Far, Peer, World, play

RELIABLE = [("Require", "100rel")]
DIRECT = ('host = "192.0.2.21"', 'host = "192.0.2.21"\nmedia = "direct"')
OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"


def m_lines(body: bytes) -> list[str]:
    return [line for line in body.decode().split("\r\n") if line.startswith("m=")]


def version(body: bytes) -> int:
    return int(body.split(b"o=ringback ")[1].split()[1])


async def updated(far: Far, body: bytes) -> Response:
    """An UPDATE by the far end and its final response."""
    assert far.usage is not None
    answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
    far.usage.update(body, answer.set_result)
    response = await answer
    assert response is not None
    return response


async def talk(world: World) -> tuple[Far, Far]:
    """John has called Jane, and both speak."""
    john, jane = await phones(world)
    caller = john.calls("001*003", "001*002", "secret")
    called = (await jane.expects_call()).answers().speaks()
    await caller.told(200)
    caller.speaks()
    await called.until(lambda: len(called.heard) > 0)
    return caller, called


@pytest.fixture
def audio() -> Audio:
    class Loop:
        def time(self) -> float:
            return 0.0

        def call_at(self, when: float, do: Any, *arguments: Any) -> None:
            pass

        call_later = call_at

    loop: Any = Loop()
    return Audio(InlineEngine(loop, "192.0.2.1", network=InlineNetwork(loop)), lambda event: None, ("PCMU", "PCMA"))


# RFC 3264, one side


def test_3264_8_the_version_goes_up_with_another_description_only(audio: Audio) -> None:
    first = audio.take_offer(OFFER, "192.0.2.9")
    assert audio.take_offer(OFFER, "192.0.2.9") == first
    held = audio.take_offer(OFFER + b"a=sendonly\r\n", "192.0.2.9")
    assert version(held) == version(first) + 1
    resumed = audio.take_offer(OFFER, "192.0.2.9")
    assert version(resumed) == version(held) + 1
    assert audio.offer() == audio.offer()


@pytest.mark.parametrize(("body", "status", "warning"), [
    pytest.param(OFFER.replace(b"AVP 8", b"AVP 9"), 488, "305", id="no codec"),
    pytest.param(OFFER.replace(b"RTP/AVP", b"RTP/SAVP"), 488, "302", id="encrypted only"),
    pytest.param(OFFER.replace(b"audio", b"video"), 488, "304", id="no audio"),
    pytest.param(b"hello", 400, None, id="no description"),
])  # fmt: skip
def test_14_2_an_offer_that_cannot_be_answered_leaves_the_session_as_it_was(
    audio: Audio, body: bytes, status: int, warning: str | None
) -> None:
    first, peer = audio.take_offer(OFFER, "192.0.2.9"), audio.peer
    with pytest.raises(PeerError) as refused:
        audio.take_offer(body, "192.0.2.9")
    assert refused.value.status == status
    warnings = [value for name, value in refused.value.headers if name == "Warning"]
    assert [value.split()[0] for value in warnings] == ([warning] if warning else [])
    assert audio.peer == peer
    assert audio.take_offer(OFFER, "192.0.2.9") == first


def test_3264_8_our_offer_keeps_the_lines_that_theirs_had(audio: Audio) -> None:
    answer = audio.take_offer(OFFER.replace(b"m=audio", b"m=video 6000 RTP/AVP 31\r\nm=audio"), "192.0.2.9")
    assert m_lines(answer)[0] == "m=video 0 RTP/AVP 31"
    assert [line.split()[0] for line in m_lines(audio.offer())] == ["m=video", "m=audio"]
    audio.take_offer(OFFER, "192.0.2.9")
    assert len(m_lines(audio.offer())) == 1


def test_3264_8_2_a_stream_switched_off_sleeps_until_it_has_a_port_again(audio: Audio) -> None:
    audio.take_offer(OFFER, "192.0.2.9")
    off = OFFER.replace(b"audio 4000", b"audio 0")
    assert m_lines(audio.take_offer(off, "192.0.2.9")) == ["m=audio 0 RTP/AVP 8"]
    assert audio.peer is not None
    assert audio.peer.held
    audio.take_offer(OFFER, "192.0.2.9")
    assert not audio.peer.held


def test_3264_8_2_a_call_cannot_begin_switched_off(audio: Audio) -> None:
    with pytest.raises(PeerError) as refused:
        audio.take_offer(OFFER.replace(b"audio 4000", b"audio 0"), "192.0.2.9")
    assert refused.value.status == 488


# Calls


@pytest.mark.parametrize("ask", [reinvited, updated])
@pytest.mark.parametrize(("change", "answer"), [
    pytest.param((b"a=sendrecv", b"a=sendonly"), b"a=recvonly", id="sendonly"),
    pytest.param((b"a=sendrecv", b"a=inactive"), b"a=inactive", id="inactive"),
    pytest.param((b"a=sendrecv", b"a=recvonly"), b"a=sendonly", id="recvonly"),
    pytest.param((b"c=IN IP4 192.0.2.10", b"c=IN IP4 0.0.0.0"), b"a=recvonly", id="c=0.0.0.0"),
])  # fmt: skip
def test_hold_and_resume_in_every_style_by_re_invite_and_update(
    ask: Any, change: tuple[bytes, bytes], answer: bytes
) -> None:
    async def scenario(world: World) -> None:
        caller, called = await talk(world)
        offer = caller.audio.offer()
        assert change[0] in offer
        held = await ask(caller, offer.replace(*change))
        assert (held.status, answer in held.body) == (200, True)
        await asyncio.sleep(30)  # silence on hold ends no call
        resumed = await ask(caller, offer)
        assert b"a=sendrecv" in resumed.body
        assert version(resumed.body) == version(held.body) + 1
        before = len(called.heard)
        await called.until(lambda: len(called.heard) > before)
        assert world.wire.requests("INVITE", called.peer.address)[1:] == []  # each leg has its own description
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize("ask", [reinvited, updated])
def test_a_fax_or_an_encrypted_offer_in_the_talk_is_488_with_a_warning_and_the_talk_goes_on(ask: Any) -> None:
    async def scenario(world: World) -> None:
        caller, called = await talk(world)
        offer = caller.audio.offer()
        for body, warning in (
            (offer.replace(b"m=audio 30000 RTP/AVP 0 8 101", b"m=image 30000 udptl t38"), "304"),
            (offer.replace(b"RTP/AVP", b"RTP/SAVP"), "302"),
        ):
            assert body != offer
            response = await ask(caller, body)
            assert (response.status, response.get("Warning")[:3]) == (488, warning)
        before = len(called.heard)
        await called.until(lambda: len(called.heard) > before)
        caller.hangs_up()
        await world.over()

    play(scenario, fixture(SECOND))


def test_an_invite_with_no_codec_of_ours_is_488_with_a_warning() -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        caller = john.calls("001*003", "001*002", "secret", offer=OFFER.replace(b"AVP 8", b"AVP 9"))
        await caller.told(488)
        refused = parse(next(data for *_, data in reversed(world.wire.sent) if data.startswith(b"SIP/2.0 488")))
        assert refused.get("Warning").startswith('305 ringback "none of PCMU, PCMA')

    play(scenario, fixture(SECOND))


def test_13_2_1_a_call_without_an_offer_has_it_in_the_200_and_the_answer_in_the_ack() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        caller = john.calls("001*003", "001*002", "secret", offer=b"")
        (await jane.expects_call()).answers().speaks()
        await caller.told(200)
        await caller.hears("demo-voice")
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(SECOND))


def test_where_sound_passes_us_by_a_call_without_an_offer_is_offered_by_who_is_called() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = Peer(world, PHONE), Peer(world, T1)
        await phone.register("001*002", "secret")
        caller = trunk.calls("5555550000", "5551111111", offer=b"")
        called = (await phone.expects_call()).answers()
        await caller.told(200)
        await asyncio.sleep(0.1)
        assert called.audio.peer is not None
        assert caller.audio.peer is not None
        assert (called.audio.peer.address, caller.audio.peer.address) == (T1[0], PHONE[0])
        assert world.engine.open_ports == 0
        caller.hangs_up()
        await called.left_alone(within_s=1)
        await world.over()

    play(scenario, fixture(DIRECT))


@pytest.mark.parametrize("knows", [True, False])
def test_where_sound_passes_us_by_an_update_is_handed_on_as_the_other_far_end_knows(knows: bool) -> None:
    async def scenario(world: World) -> None:
        phone, trunk = Peer(world, PHONE), Peer(world, T1)
        await phone.register("001*002", "secret")
        caller = trunk.calls("5555550000", "5551111111")
        called = (await phone.expects_call()).answers()
        await caller.told(200)
        (call,) = world.exchange.live.values()
        if not knows:
            call.legs[1].usage.far_allows = ["INVITE, BYE"]  # type: ignore[union-attr]
        offer = caller.audio.offer().replace(b"a=sendrecv", b"a=sendonly")
        response = await updated(caller, offer)
        assert (response.status, b"a=recvonly" in response.body) == (200, True)
        assert world.wire.requests("UPDATE" if knows else "INVITE", PHONE)[-1].endswith(offer)
        called.usage.reinvite(b"x", lambda _: None)  # type: ignore[union-attr]
        assert (await updated(caller, offer)).status == 491  # theirs crosses on its way through us
        caller.hangs_up()
        await world.over()

    play(scenario, fixture(DIRECT))


# PRACK


def test_3262_a_caller_that_requires_it_hears_early_media_reliably_and_no_second_description() -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        caller = john.calls("0412345678", "001*002", "secret", extra=RELIABLE)
        called = (await trunk.expects_call()).early()
        await caller.told(183)
        await caller.hears("demo-voice")
        assert len(world.wire.requests("PRACK", SERVER)) == 1
        called.answers()
        await caller.told(200)
        caller.speaks()
        await called.hears("demo-voice")
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(SECOND))


def test_3262_5_a_caller_without_an_offer_that_requires_it_gets_ours_while_it_rings() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        caller = john.calls("001*003", "001*002", "secret", offer=b"", extra=RELIABLE)
        called = (await jane.expects_call()).rings()
        await caller.told(180)
        await asyncio.sleep(0.1)
        called.answers().speaks()
        await caller.told(200)
        await caller.hears("demo-voice")
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(SECOND))


def test_3262_3_a_caller_that_never_sends_prack_is_refused_with_504_and_nobody_rings_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OutgoingInvite, "_prack", lambda *_: None)

    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        caller = john.calls("0412345678", "001*002", "secret", extra=RELIABLE)
        called = (await trunk.expects_call()).rings()
        await caller.told(504)
        await called.left_alone(within_s=1)
        assert (await world.over()).outcome is Outcome.CANCELLED

    play(scenario, fixture(SECOND))


# Early dialogs of a forking proxy


def test_3960_of_several_branches_the_last_one_is_heard_and_the_one_that_answers_wins() -> None:
    """A trunk's proxy rings two phones: both can be heard early, each with a tag of its own."""

    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        trunk = Peer(world, T1)
        trunk.silent = True
        caller = john.calls("0412345678", "001*002", "secret")
        await asyncio.sleep(1)
        invite = parse(world.wire.requests("INVITE", T1)[0])
        fars = [Far(trunk), Far(trunk)]
        for far, tag in zip(fars, ("t1", "t2"), strict=True):
            body = far.audio.take_offer(invite.body, SERVER[0])
            contact = [("Contact", "<sip:192.0.2.21>"), ("Content-Type", "application/sdp")]
            world.core.receive(reply(invite, 183, tag=tag, extra=contact, body=body), Hop("UDP", *T1))
            far._answer = body
            await asyncio.sleep(0.5)
        await caller.told(183)
        fars[1].speaks()
        await caller.hears("demo-voice")
        for far, tag in zip(fars, ("t1", "t2"), strict=True):  # the first wins, the second came too late
            extra = [("Contact", "<sip:192.0.2.21>"), ("Content-Type", "application/sdp")]
            world.core.receive(reply(invite, 200, tag=tag, extra=extra, body=far._answer), Hop("UDP", *T1))
        await caller.told(200)
        caller.heard.clear()
        fars[0].speaks()
        await caller.hears("demo-voice")
        acks, byes = world.wire.requests("ACK", T1), world.wire.requests("BYE", T1)
        assert [b";tag=t1" in ack for ack in acks] == [True, False]
        assert [b";tag=t2" in bye for bye in byes] == [True]
        assert b"Call completed elsewhere" in byes[0]
        caller.hangs_up()
        for far in fars:
            far.ends("over")
        await asyncio.sleep(0.5)
        byes = world.wire.requests("BYE", T1)
        world.core.receive(reply(parse(byes[-1]), 200), Hop("UDP", *T1))
        world.core.receive(reply(parse(byes[0]), 200), Hop("UDP", *T1))
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, fixture(SECOND))


# Reason


def test_3326_phones_that_ring_in_vain_are_told_that_another_has_answered() -> None:
    async def scenario(world: World) -> None:
        john, _ = await phones(world)
        second, trunk = Peer(world, ("192.0.2.12", 5060)), Peer(world, T1)
        assert await second.register("001*002", "secret") == 200
        caller = trunk.calls("5555550000", "5551111111")
        (await john.expects_call()).rings()
        other = (await second.expects_call()).rings()
        await caller.told(180)
        other.answers()
        await caller.told(200)
        await asyncio.sleep(0.5)
        (cancel,) = world.wire.requests("CANCEL", PHONE)
        assert b'Reason: SIP;cause=200;text="Call completed elsewhere"\r\n' in cancel
        caller.hangs_up()
        await world.over()

    play(scenario, fixture(SECOND))


def test_3326_what_a_caller_says_when_it_gives_up_is_handed_on() -> None:
    async def scenario(world: World) -> None:
        john, jane = await phones(world)
        caller = john.calls("001*003", "001*002", "secret")
        called = (await jane.expects_call()).rings()
        await caller.told(180)
        caller.usage.cancel('SIP;cause=200;text="Call completed elsewhere"')  # type: ignore[union-attr]
        await called.left_alone(within_s=1)
        assert b'Reason: SIP;cause=200;text="Call completed elsewhere"' in world.wire.requests("CANCEL")[-1]
        await world.over()

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize(("said", "told"), [
    pytest.param("Q.850;cause=31", b"Reason: Q.850;cause=31\r\n", id="handed on"),
    pytest.param("", b"Reason: Q.850;cause=16\r\n", id="a normal hang-up"),
    pytest.param("Q.850;cause=31;text=" + "x" * 300, b"Reason: Q.850;cause=16\r\n", id="too long to hand on"),
])  # fmt: skip
def test_3326_why_one_side_hangs_up_the_other_is_told(said: str, told: bytes) -> None:
    async def scenario(world: World) -> None:
        caller, called = await talk(world)
        assert caller.usage is not None
        caller.usage.bye(said)
        caller.ends("left")
        await called.left_alone(within_s=1)
        assert told in world.wire.requests("BYE", called.peer.address)[-1]
        await world.over()

    play(scenario, fixture(SECOND))


# INFO


def test_6086_an_info_package_that_nobody_knows_is_469() -> None:
    async def scenario(world: World) -> None:
        caller, _ = await talk(world)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        assert caller.usage is not None
        caller.usage.send("INFO", answer.set_result, body=b"x", extra=[("Info-Package", "g.3gpp.mid-call")])
        response = await answer
        assert (response.status, response.get("recv-info")) == (469, "")
        caller.hangs_up()
        await world.over()

    play(scenario, fixture(SECOND))
