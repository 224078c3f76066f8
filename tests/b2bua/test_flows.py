"""Flows of one phone (RFC 5626), Path (RFC 3327) and Service-Route (RFC 3608), as phones meet them."""

from __future__ import annotations

import asyncio

import pytest

from b2bua.locations import Locations
from b2bua.outcome import Outcome
from media.inline import InlineEngine
from sip_stack.core import Hop
from sip_stack.headers import NameAddr
from sip_stack.message import Response
from sip_stack.uri import sip_uri
from tests.b2bua.test_plain_calls import SECOND
from tests.plans import fixture
from tests.world import PHONE, SECOND_PHONE, SERVER, T1, Far, Peer, World, play

NO_QUESTION = ("announce_to_visitor = false", "announce_to_visitor = false\nconfirm = false\nimage_validation = false")
INSTANCE = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"'
OUTBOUND = [("Supported", "path, outbound")]
JOHN = ("001*002", "secret")


async def two_flows(world: World) -> tuple[Peer, Peer]:
    """One phone that has registered by two ways; the second is the newer one."""
    first, second = Peer(world, PHONE), Peer(world, SECOND_PHONE)
    for number, way in enumerate((first, second), 1):
        answer = await way.registers(*JOHN, more=f"{INSTANCE};reg-id={number}", extra=OUTBOUND)
        assert (answer.status, answer.tokens("Require")) == (200, ["outbound"])
        assert len(answer.addresses("Contact")) == number
    return first, second


def test_a_phone_with_two_flows_rings_once() -> None:
    async def scenario(world: World) -> None:
        first, second = await two_flows(world)
        trunk = Peer(world, T1)
        await world.callnow()
        (await second.expects_call()).answers()
        (await trunk.expects_call()).answers().hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED
        assert (first.invited, second.invited) == (0, 1)

    play(scenario, fixture(NO_QUESTION))


def test_where_one_flow_has_failed_the_next_is_taken_and_the_first_forgotten() -> None:
    async def scenario(world: World) -> None:
        first, second = await two_flows(world)
        trunk = Peer(world, T1)
        for count in (1, 2):
            await world.callnow(number=f"555555555{count}")
            if count == 1:
                (await second.expects_call()).refuses(430)
            (await first.expects_call()).answers()
            (await trunk.expects_call()).answers().hangs_up()
            assert (await world.over()).outcome is Outcome.TALKED
        assert second.invited == 1

    play(scenario, fixture(NO_QUESTION))


def test_a_flow_on_which_nobody_is_heard_holds_a_call_up_for_seconds_only() -> None:
    async def scenario(world: World) -> None:
        first, second = await two_flows(world)
        trunk = Peer(world, T1)
        second.silent = True
        await world.callnow()
        began = world.loop.time()
        (await first.expects_call(6)).answers()
        assert world.loop.time() - began < 5
        (await trunk.expects_call()).answers().hangs_up()
        await world.over()

    play(scenario, fixture(NO_QUESTION))


def test_without_any_flow_left_the_extension_is_offline() -> None:
    async def scenario(world: World) -> None:
        first, second = await two_flows(world)
        await world.callnow()
        (await second.expects_call()).refuses(430)
        (await first.expects_call()).refuses(430)
        assert (await world.over()).outcome is Outcome.OFFLINE
        assert (await world.refused(number="5555555556")).reason == "offline"

    play(scenario, fixture(NO_QUESTION))


@pytest.mark.parametrize(("supported", "trusted", "status"), [
    pytest.param("path", False, 200, id="the phone supports it"),
    pytest.param("timer", False, 420, id="nobody vouches for it"),
    pytest.param("timer", True, 200, id="a proxy that we trust"),
])
def test_a_path_is_taken_from_phones_that_know_it_and_from_proxies_that_we_trust(
    supported: str, trusted: bool, status: int
) -> None:
    async def scenario(world: World) -> None:
        phone, path = Peer(world, PHONE), f"<sip:{PHONE[0]}:{PHONE[1]};lr>"
        answer = await phone.registers(*JOHN, extra=[("Supported", supported), ("Path", path)])
        assert answer.status == status
        if status == 420:
            assert answer.tokens("Unsupported") == ["path"]
            return
        assert answer.get("Path") == (path if supported == "path" else None)  # RFC 3327 5.3
        await world.callnow()
        called = await phone.expects_call()
        assert called.request is not None
        assert [str(route) for route in called.request.addresses("Route")] == [path]
        called.refuses(486)
        await world.over()

    edge = f'[server]\nedge_proxies = ["{PHONE[0]}"]\n' if trusted else ""
    play(scenario, edge + fixture(NO_QUESTION))


def test_439_where_the_first_proxy_keeps_no_flows() -> None:
    async def scenario(world: World) -> None:
        phone = Peer(world, PHONE)
        top = phone.core.new_via
        below = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKphone"
        phone.core.new_via = lambda *words: f"{top(*words)}, {below}"  # type: ignore[method-assign]
        answer = await phone.registers(*JOHN, more=f"{INSTANCE};reg-id=1", extra=OUTBOUND)
        assert (answer.status, answer.reason) == (439, "First Hop Lacks Outbound Support")

    play(scenario, fixture())


def test_3608_phones_are_told_the_services_of_the_setting() -> None:
    async def scenario(world: World) -> None:
        answer: Response = await Peer(world, PHONE).registers(*JOHN)
        assert answer.get("Service-Route") == f"<sip:{SERVER[0]}:5070;lr>"

    play(scenario, f'[server]\nservice_route = ["sip:{SERVER[0]}:5070;lr"]\n' + fixture())


BEHIND = "198.51.100.7"


@pytest.mark.parametrize(("trusted", "heard"), [(True, True), (False, False)], ids=["trusted", "a stranger's proxy"])
def test_sound_is_learnt_from_the_address_that_a_trusted_proxy_saw(trusted: bool, heard: bool) -> None:
    """The phone tells an address inside its NAT; its sound comes from outside, its signalling from the proxy."""

    async def scenario(world: World) -> None:
        edge, jane = Peer(world, PHONE), Peer(world, SECOND_PHONE)
        assert await jane.register("001*003", "geheim") == 200
        edge.engine = InlineEngine(world.loop, BEHIND, network=world.network)
        top = edge.core.new_via
        below = f"SIP/2.0/UDP 10.0.0.3;received={BEHIND};rport=4711;branch=z9hG4bKphone"
        edge.core.new_via = lambda *words: f"{top(*words)}, {below}"  # type: ignore[method-assign]
        far = Far(edge)
        inside = far.audio.offer().replace(BEHIND.encode(), b"10.0.0.3")
        caller = edge.calls("001*003", *JOHN, offer=inside, far=far)
        called = (await jane.expects_call()).answers()
        await caller.told(200)
        caller.speaks()
        if heard:
            await called.hears("demo-voice")
        else:
            with pytest.raises(TimeoutError):
                await called.hears("demo-voice", within_s=4)
        caller.hangs_up()
        await world.over()

    edge = f'[server]\nedge_proxies = ["{PHONE[0]}/32"]\n' if trusted else ""
    play(scenario, edge + fixture(SECOND))


def test_a_page_behind_a_web_proxy_is_where_the_proxy_says_and_its_path_is_its_own_word() -> None:
    async def scenario(world: World) -> None:
        world.exchange.page_at = lambda hop: BEHIND
        phone = Peer(world, PHONE)
        assert (await phone.registers(*JOHN, extra=[("Path", "<sip:edge;lr>")])).status == 420
        assert await phone.register(*JOHN) == 200
        assert [binding.seen_ip for binding in world.exchange.locations.of("001*002")] == [BEHIND]

    play(scenario, fixture())


@pytest.mark.parametrize(("transport", "calls"), [("UDP", 2), ("WS", 1)])
def test_who_speaks_by_websocket_is_no_trunk_whatever_his_address(transport: str, calls: int) -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await john.register(*JOHN) == 200
        trunk.calls("5555550000", "5550001111")
        await john.expects_call()
        invite = world.wire.requests("INVITE", SERVER)[-1].replace(b"z9hG4bK", b"z9hG4bKws", 1)
        world.core.receive(invite.replace(b"Call-ID: ", b"Call-ID: ws"), Hop(transport, *T1, 64))
        assert len(world.exchange.live) == calls

    play(scenario, fixture())


OVER_TCP = f'<sip:john@{PHONE[0]};transport=tcp>'


@pytest.mark.parametrize(("transport", "more", "path", "stays"), [
    pytest.param("TCP", "", "", True, id="TCP: another connection may be opened to it"),
    pytest.param("TCP", f"{INSTANCE};reg-id=1", "", False, id="a flow over TCP"),
    pytest.param("TLS", f"{INSTANCE};reg-id=1", "", False, id="a flow over TLS"),
    pytest.param("WS", "", "", False, id="WebSocket"),
    pytest.param("TCP", f"{INSTANCE};reg-id=1", "<sip:edge;lr;ob>", True, id="behind a proxy, that keeps the flow"),
])
def test_with_its_connection_a_phone_is_gone_where_nothing_else_leads_to_it(
    transport: str, more: str, path: str, stays: bool
) -> None:
    async def scenario(world: World) -> None:
        locations, exchange = world.exchange.locations, world.exchange
        exchange.gate.check = lambda *_: exchange.directory.extensions["001*002"]  # type: ignore[method-assign]
        phone, hop = Peer(world, PHONE), Hop(transport, *PHONE, 64)
        who = NameAddr("", sip_uri("001*002", SERVER[0]))
        extra = [("Contact", f"{OVER_TCP}{more}"), *OUTBOUND, *([("Path", path)] if path else [])]
        register = phone.core.build("REGISTER", sip_uri("", SERVER[0]), who, who, extra)
        register.fields = {"Via": ["SIP/2.0/TCP a.invalid;branch=z9hG4bK1"], **register.fields}
        world.core._send = lambda data, hop: None
        world.core.receive(register.encode(), hop)
        assert len(locations.of("001*002")) == 1
        exchange.connection_gone(hop._replace(flow=128))
        assert len(locations.of("001*002")) == 1
        exchange.connection_gone(hop)
        assert len(locations.of("001*002")) == int(stays)
        await asyncio.sleep(0.1)  # it is being written
        again = Locations(world.database, world.wall, exchange.keep)
        await again.load()
        assert len(again.of("001*002")) == int(stays)

    play(scenario, fixture())
