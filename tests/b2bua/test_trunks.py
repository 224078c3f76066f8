"""Trunks as they live: registration and qualification, told as transcripts of what the trunk heard and when."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

import pytest

from b2bua.desk import TrunkState
from b2bua.outcome import Outcome
from b2bua.plan.apply import apply
from b2bua.plan.reader import parse
from b2bua.trunks.rules import contact_user
from sip_stack.core import Hop, Incoming
from sip_stack.digest import ha1, parse_proof, proves
from sip_stack.errors import PeerError
from sip_stack.headers import NameAddr
from sip_stack.message import Request
from sip_stack.outgoing_invite import OutgoingInvite
from sip_stack.uri import sip_uri
from store.database import connect
from tests.plans import fixture
from tests.world import PHONE, SERVER, T1, T2, Far, Peer, World, play

Answer = tuple[int, list[tuple[str, str]]] | None
"""Status and headers; None: silence."""
OK: Answer = (200, [])
CHALLENGE: Answer = (401, [("WWW-Authenticate", 'Digest realm="r", nonce="n1", algorithm=MD5, qop="auth"')])
STALE: Answer = (401, [("WWW-Authenticate", 'Digest realm="r", nonce="n2", algorithm=MD5, qop="auth", stale=true')])
PROXY: Answer = (407, [("Proxy-Authenticate", 'Digest realm="r", nonce="n1", algorithm=MD5, qop="auth"')])
HOST = 'host = "192.0.2.21"\nport = 5060 # T1_PORT'


class Registrar:
    """Answers what is outside calls by a script, then always as `after`; `heard` has each request once."""

    def __init__(self, world: World, address: tuple[str, int], *answers: Answer, after: Answer = OK) -> None:
        self.heard: list[tuple[float, Request]] = []
        self._answers, self._after = deque(answers), after
        self._time = world.loop.time
        self._moved = asyncio.Event()
        self.core = world.core_at(address, self)

    def on_invite(self, incoming: Incoming) -> None:
        raise PeerError("Not Found", 404)

    def on_request(self, incoming: Incoming) -> None:
        self.heard.append((self._time(), incoming.request))
        self._moved.set()
        answer = self._answers.popleft() if self._answers else self._after
        if answer is not None:
            incoming.respond(answer[0], extra=answer[1])

    async def until(self, count: int) -> list[Request]:
        """The requests so far, once there are `count`."""
        while len(self.heard) < count:
            self._moved.clear()
            await self._moved.wait()
        return [request for _, request in self.heard]

    def pauses(self) -> list[int]:
        """Whole seconds between one request and the next."""
        times = [at for at, _ in self.heard]
        return [round(later - earlier) for earlier, later in zip(times, times[1:], strict=False)]


def registering(more: str = "", host: str = HOST) -> str:
    settings = f'{host}\nregister = true\nuser = "us"\npassword = "sesame"\n{more}'
    return fixture((HOST, settings))


def proven(request: Request, name: str = "Authorization") -> bool:
    proof = parse_proof(request.fields[name][0])
    return proves(proof, ha1("us", "r", "sesame"), "REGISTER")


def state(world: World, name: str = "R1") -> TrunkState:
    return next(each for each in world.desk.trunk_states() if each.name == name)


def bound(expires: int) -> Answer:
    return (200, [("Expires", str(expires))])


def test_registered_with_a_proof_then_refreshed_and_taken_back_at_the_end() -> None:
    kept: list[Registrar] = []

    async def scenario(world: World) -> None:
        trunk = Registrar(world, T1, CHALLENGE, bound(120), CHALLENGE, bound(120))
        kept.append(trunk)
        first, second, *_ = await trunk.until(3)
        assert (str(first.uri), first.to.uri.user, first.to.uri.host) == ("sip:192.0.2.21:5060", "us", "192.0.2.21")
        contact = contact_user(next(t for t in world.exchange.directory.trunks.values() if t.name == "R1"))
        assert first.fields["Contact"] == (f"<sip:{contact}@{SERVER[0]}:{SERVER[1]}>",)
        assert first.fields["Expires"] == ("3600",)
        assert "Authorization" not in first.fields
        assert proven(second)
        assert first.call_id == second.call_id
        assert (first.cseq.number, second.cseq.number) == (1, 2)
        assert trunk.pauses() == [0, 88]  # 120 s less the 32 s that a REGISTER may be lost for
        await trunk.until(4)
        assert state(world) == TrunkState("R1", "registered", 200, True, 0)

    play(scenario, registering())
    last = kept[0].heard[-1][1]
    assert (last.fields["Expires"], last.cseq.number) == (("0",), 5)  # the exchange has closed


def test_10_2_registers_count_on_by_one_and_options_are_no_part_of_them() -> None:
    async def scenario(world: World) -> None:
        trunk = Registrar(world, T1, after=bound(60))
        await trunk.until(12)
        registers = [request for _, request in trunk.heard if request.method == "REGISTER"]
        others = {request.call_id for _, request in trunk.heard if request.method == "OPTIONS"}
        assert [request.cseq.number for request in registers] == list(range(1, len(registers) + 1))
        assert len({request.call_id for request in registers}) == 1
        assert registers[0].call_id not in others

    play(scenario, registering("qualify_s = 10"))


def test_a_registrar_that_is_gone_does_not_hold_up_the_end() -> None:
    async def scenario(world: World) -> None:
        trunk = Registrar(world, T1, OK, after=None)
        await trunk.until(1)
        await asyncio.sleep(1)
        began = world.loop.time()
        await world.exchange.close()
        assert 1.9 < world.loop.time() - began < 2.1
        assert [request.fields["Expires"] for _, request in trunk.heard] == [("3600",), ("0",)]

    play(scenario, registering())


@pytest.mark.parametrize(("answers", "told"), [
    pytest.param([CHALLENGE, STALE, bound(600)], [False, True, True], id="22.4: an old nonce is no refusal"),
    pytest.param([PROXY, bound(600)], [False, True], id="a proxy may ask too"),
])
def test_proofs(answers: list[Answer], told: list[bool]) -> None:
    async def scenario(world: World) -> None:
        trunk = Registrar(world, T1, *answers)
        heard = await trunk.until(len(answers))
        names = ("Authorization", "Proxy-Authorization")
        assert [any(name in request.fields for name in names) for request in heard] == told
        assert all(proven(request, name) for request in heard for name in names if name in request.fields)
        await asyncio.sleep(1)
        assert state(world).registration == "registered"

    play(scenario, registering())


def test_10_2_8_too_brief_an_interval_is_asked_for_longer() -> None:
    async def scenario(world: World) -> None:
        trunk = Registrar(world, T1, (423, [("Min-Expires", "7200")]), after=bound(7200))
        heard = await trunk.until(2)
        assert [request.fields["Expires"] for request in heard] == [("3600",), ("7200",)]
        assert trunk.pauses() == [0]
        await asyncio.sleep(1)
        assert state(world).registration == "registered"

    play(scenario, registering())


@pytest.mark.parametrize(("answers", "status", "requests"), [
    pytest.param([(403, [])], 403, 1, id="403"),
    pytest.param([CHALLENGE, CHALLENGE], 401, 2, id="a wrong password"),
    pytest.param([CHALLENGE, STALE, STALE], 401, 3, id="a nonce that is never new enough"),
    pytest.param([(401, [])], 401, 1, id="a challenge that cannot be read"),
])
def test_a_refusal_is_logged_and_tried_seldom(
    answers: list[Answer], status: int, requests: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        world.exchange.trunks.draw = lambda: 0.0
        trunk = Registrar(world, T1, *answers, after=bound(600))
        await trunk.until(requests)
        await asyncio.sleep(890)
        assert len(trunk.heard) == requests
        assert state(world) == TrunkState("R1", "refused", status, True, 0)
        await trunk.until(requests + 1)
        assert trunk.pauses()[-1] == 900

    with caplog.at_level(logging.ERROR, "b2bua.trunks.live"):
        play(scenario, registering())
    assert [record.getMessage() for record in caplog.records if record.name == "b2bua.trunks.live"] == [
        f"trunk=R1 event=registration-refused status={status} reason={REASONS[status]!r} next_s=900"
    ]


REASONS = {401: "Unauthorized", 403: "Forbidden"}


def test_failures_are_tried_later_and_later() -> None:
    async def scenario(world: World) -> None:
        world.exchange.trunks.draw = lambda: 1.0
        trunk = Registrar(world, T1, None, (503, []), (500, []), (503, [("Retry-After", "900")]), after=bound(600))
        await trunk.until(5)
        assert trunk.pauses()[1:] == [120, 240, 900]
        assert 60 <= trunk.pauses()[0] <= 60 + 32  # timer F
        await asyncio.sleep(1)
        assert state(world).registration == "registered"

    play(scenario, registering())


def test_a_host_that_nobody_knows_fails_and_is_looked_up_again() -> None:
    async def scenario(world: World) -> None:
        await asyncio.sleep(10)
        assert state(world).registration == "failed"
        trunk = Registrar(world, T1)
        world.servers["sip.example.net"] = [Hop("UDP", *T1)]
        await trunk.until(1)
        assert 30 <= world.loop.time() <= 61

    play(scenario, registering(host='host = "sip.example.net"'))


def test_the_next_server_is_asked_where_one_is_out_of_service_or_silent() -> None:
    async def scenario(world: World) -> None:
        out, good = Registrar(world, T1, after=(503, [])), Registrar(world, T2, after=bound(600))
        registrar = Registrar(world, PHONE, after=None)
        await good.until(1)
        assert (len(registrar.heard), len(out.heard)) == (1, 1)
        assert good.heard[0][0] - out.heard[0][0] < 1
        assert str(good.heard[0][1].uri) == "sip:sip.example.net"

    servers = {"sip.example.net": [Hop("UDP", *PHONE), Hop("UDP", *T1), Hop("UDP", *T2)]}
    play(scenario, registering(host='host = "sip.example.net"'), servers=servers)


def test_an_outbound_proxy_gets_what_is_for_the_trunk_with_a_route() -> None:
    async def scenario(world: World) -> None:
        proxy = Registrar(world, T2, after=bound(600))
        request, = await proxy.until(1)
        assert (str(request.uri), request.fields["Route"]) == ("sip:carrier.test:5060", ("<sip:192.0.2.22:5060;lr>",))

    plan = registering('proxy = "192.0.2.22:5060"', host='host = "carrier.test"\nport = 5060')
    play(scenario, plan)


# Calls that come to the registration


def test_a_call_to_our_contact_is_the_trunks_wherever_it_comes_from() -> None:
    async def scenario(world: World) -> None:
        Registrar(world, T1, after=bound(600))
        phone, stranger = Peer(world, PHONE), Peer(world, ("198.51.100.9", 5060))
        assert await phone.register("001*002", "secret") == 200
        contact = contact_user(next(t for t in world.exchange.directory.trunks.values() if t.name == "R1"))
        caller = stranger.calls("5555550000", "5551111111", display="Ann", target=contact)
        called = (await phone.expects_call()).rings()
        assert called.shown() == ("Ann", "5551111111")
        called.answers()
        await caller.told(200)
        called.hangs_up()
        await caller.left_alone()
        assert (await world.over()).to == "5555550000"
        refused = stranger.calls("5555550000", "5551111111", target="t" + "0" * 24)
        await refused.left_alone()
        assert refused.statuses == [401]  # whoever does not know it is a stranger

    play(scenario, registering())


# Changes of configuration


def change(world: World, plan: str) -> None:
    """Apply a file while the server runs; it looks twice a second."""
    with connect(world.url).begin() as conn:
        apply(conn, parse(plan, "plan.toml"), world.wall(), "http://test", lambda: "f" * 16)


@pytest.mark.parametrize(("old", "new", "heard"), [
    pytest.param("", "ring_s = 9", ["3600", "3600"], id="the same binding is only renewed"),
    pytest.param("", "register_expires_s = 600", ["3600", "600"], id="for another time"),
    pytest.param('password = "sesame"', 'password = "other"', ["3600", "0", "3600"], id="another password"),
    pytest.param("register = true", "register = false", ["3600", "0"], id="no more"),
])
def test_a_change_registers_anew(old: str, new: str, heard: list[str]) -> None:
    async def scenario(world: World) -> None:
        trunk = Registrar(world, T1)
        await trunk.until(1)
        await asyncio.sleep(1)
        plan = registering()
        change(world, plan.replace(old, new, 1) if old else plan.replace("register = true", f"register = true\n{new}"))
        requests = await trunk.until(len(heard))
        await asyncio.sleep(5)
        assert sorted(request.fields["Expires"][0] for request in requests) == sorted(heard)
        assert len(trunk.heard) == len(heard)

    play(scenario, registering())


@pytest.mark.parametrize(("new", "closed"), [
    ('transport = "tls"', ["R1"]), ("ring_s = 9", []), ('tls_client = "x.test"', []), ('proxy = "192.0.2.22"', ["R1"]),
])
def test_a_change_of_the_way_closes_the_connections_of_before(new: str, closed: list[str]) -> None:
    async def scenario(world: World) -> None:
        dropped: list[str] = []
        world.exchange.drop_connections = dropped.append
        change(world, fixture((HOST, f"{HOST}\n{new}")))
        await asyncio.sleep(1)
        assert dropped == closed

    play(scenario, fixture())


def test_a_change_elsewhere_leaves_the_registration_alone() -> None:
    async def scenario(world: World) -> None:
        trunk = Registrar(world, T1)
        await trunk.until(1)
        await asyncio.sleep(1)
        change(world, registering().replace('name = "John Doe"', 'name = "Jane Doe"'))
        await asyncio.sleep(60)
        assert world.exchange.directory.extensions["001*002"].name == "Jane Doe"
        assert len(trunk.heard) == 1

    play(scenario, registering())


# Qualification


def test_a_silent_trunk_is_tried_last_until_it_answers_again() -> None:
    async def scenario(world: World) -> None:
        answers: list[Answer] = [OK, None, (503, []), (408, []), (404, []), (501, [])]
        first, second = Registrar(world, T1, *answers), Peer(world, T2)
        john = Peer(world, PHONE)
        assert await john.register("001*002", "secret") == 200
        await first.until(4)
        await asyncio.sleep(1)
        assert not state(world).up
        caller = john.calls("5555555555", "001*002", "secret")
        (await second.expects_call()).refuses(486)
        await caller.told(486)
        await first.until(6)
        await asyncio.sleep(1)
        assert state(world).up
        assert {request.method for _, request in first.heard} == {"OPTIONS"}
        assert first.pauses()[-3:] == [30, 30, 30]
        await world.over()

    play(scenario, fixture((HOST, f"{HOST}\nqualify_s = 30")))


# The servers of a trunk (RFC 3263 4.3)


def dialled(plan: str, story: Callable[[World, Peer], Awaitable[None]]) -> None:
    async def scenario(world: World) -> None:
        john = Peer(world, PHONE)
        assert await john.register("001*002", "secret") == 200
        await story(world, john)

    play(scenario, plan, servers={"sip.example.net": [Hop("UDP", *T1), Hop("UDP", *T2)]})


SRV = fixture((HOST, 'host = "sip.example.net"'), ('[[route]]\ntrunk = "R2"\npriority = 1\n', ""))


@pytest.mark.parametrize("silent", [False, True])
def test_the_next_server_is_called(silent: bool) -> None:
    async def story(world: World, john: Peer) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        first.silent = silent
        began = world.loop.time()
        caller = john.calls("5555555555", "001*002", "secret")
        if not silent:
            (await first.expects_call()).refuses(503)
        called = await second.expects_call()
        took = world.loop.time() - began
        assert (5 <= took < 5.5) if silent else took < 0.5
        called.answers()
        await caller.told(200)
        caller.hangs_up()
        call = await world.over()
        assert call.outcome is Outcome.TALKED
        assert called.request is not None
        assert str(called.request.uri) == "sip:5555555555@sip.example.net"

    dialled(SRV, story)


def test_the_last_server_has_the_time_of_timer_b() -> None:
    async def story(world: World, john: Peer) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        first.silent = second.silent = True
        began = world.loop.time()
        caller = john.calls("5555555555", "001*002", "secret")
        await caller.left_alone()
        assert 37 <= world.loop.time() - began < 38
        assert caller.statuses[-1] == 480
        await world.over()

    dialled(SRV, story)


@pytest.mark.parametrize("status", [404, 486, 603])
def test_an_answer_of_the_number_is_no_reason_for_another_server(status: int) -> None:
    async def story(world: World, john: Peer) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        caller = john.calls("5555555555", "001*002", "secret")
        (await first.expects_call()).refuses(status)
        await caller.left_alone()
        await world.over()
        assert second.invited == 0

    dialled(SRV, story)


def test_a_server_that_takes_its_time_after_a_100_is_waited_for() -> None:
    async def story(world: World, john: Peer) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        caller = john.calls("5555555555", "001*002", "secret")
        called = await first.expects_call()
        assert called.usage is not None
        called.usage.incoming.respond(100)  # type: ignore[union-attr]
        await asyncio.sleep(20)
        called.answers()
        await caller.told(200)
        caller.hangs_up()
        await world.over()
        assert second.invited == 0

    dialled(SRV, story)


def test_a_name_that_nobody_knows_leads_to_the_next_trunk() -> None:
    async def story(world: World, john: Peer) -> None:
        second = Peer(world, T2)
        caller = john.calls("5555555555", "001*002", "secret")
        (await second.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        await world.over()

    dialled(fixture((HOST, 'host = "no-such-host.invalid"')), story)


# What an INVITE to a trunk has


def test_prefix_headers_proxy_and_the_callers_header_of_an_invite() -> None:
    async def story(world: World, john: Peer) -> None:
        proxy = Peer(world, T2)
        caller = john.calls("5555555555", "001*002", "secret")
        request = (await proxy.expects_call()).rings().request
        assert request is not None
        await caller.told(180)
        assert str(request.uri) == "sip:9995555555555@sip.example.net"
        assert request.fields["Route"] == ("<sip:192.0.2.22:5060;lr>",)
        assert request.fields["x-account"] == ("42",)
        assert request.fields["Remote-Party-ID"] == (
            f'"John Doe" <sip:5555550000@{SERVER[0]}>;party=calling;privacy=off;screen=yes',
        )
        assert request.from_.uri.user == "5555550000"  # no prefix for who calls
        caller.hangs_up()
        await world.over()

    more = 'proxy = "192.0.2.22:5060"\nout_prefix = "999"\nsend_caller = "rpid"\nheaders = { X-Account = "42" }'
    dialled(fixture((HOST, f'host = "sip.example.net"\n{more}')), story)


# Limits


def test_one_call_too_many_leaves_by_the_next_trunk() -> None:
    async def story(world: World, john: Peer) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        callers = [john.calls("5555555555", "001*002", "secret")]
        (await first.expects_call()).answers()
        await callers[0].told(200)
        assert state(world).calls == 1
        callers.append(john.calls("5555555556", "001*002", "secret"))
        (await second.expects_call()).answers()
        await callers[1].told(200)
        inbound = first.calls("5555550000", "5551111111")
        await inbound.left_alone()
        assert inbound.statuses == [503]
        assert b"Retry-After: 5\r\n" in next(data for *_, data in world.wire.sent if b"503" in data[:20])
        urgent = john.calls("911", "001*002", "secret")
        (await first.expects_call()).answers()  # SPEC H20: no limit holds it up
        await urgent.told(200)
        for caller in (*callers, urgent):
            caller.hangs_up()
        await world.over()
        assert state(world).calls == 0

    dialled(fixture((HOST, f"{HOST}\nchannels = 1")), story)


def test_calls_a_second() -> None:
    async def story(world: World, john: Peer) -> None:
        first, second = Peer(world, T1), Peer(world, T2)
        callers = []
        for trunk in (first, first, second):
            callers.append(john.calls("5555555555", "001*002", "secret"))
            (await trunk.expects_call()).answers()
        await asyncio.sleep(1)
        callers.append(john.calls("5555555555", "001*002", "secret"))
        (await first.expects_call()).answers()
        for caller in callers:
            await caller.told(200)
            caller.hangs_up()
        await world.over()

    dialled(fixture((HOST, f"{HOST}\ncalls_per_s = 2")), story)


# Connections


OVER_TCP = 'transport = "tcp"\n'


def test_over_tcp_the_contact_says_so_and_calls_come_by_the_connection() -> None:
    async def scenario(world: World) -> None:
        trunk, john = Peer(world, T1), Peer(world, PHONE)
        assert await john.register("001*002", "secret") == 200
        world.wire.lines["TCP", SERVER] = "R1"
        await asyncio.sleep(100)  # when the server started nobody was there: the connection was refused
        (register,) = world.wire.requests("REGISTER", T1)
        contact = contact_user(next(t for t in world.exchange.directory.trunks.values() if t.name == "R1"))
        assert f"Contact: <sip:{contact}@192.0.2.1:5060;transport=tcp>".encode() in register
        assert b"Via: SIP/2.0/TCP 192.0.2.1:5060" in register
        far = _calls_by_tcp(trunk, "5555550000")
        (await john.expects_call()).answers()
        await far.told(200)
        far.hangs_up()
        assert (await world.over()).kind == "inbound"

    play(scenario, registering(OVER_TCP + 'sources = ["198.51.100.1"]'))


def _calls_by_tcp(trunk: Peer, number: str) -> Far:
    """A call of a trunk by TCP."""
    far = Far(trunk)
    far.usage = OutgoingInvite(
        trunk.core, far, target=sip_uri(number, SERVER[0]), hop=Hop("TCP", *SERVER),
        from_=NameAddr("", sip_uri("5551111111", "192.0.2.21")), to=NameAddr("", sip_uri(number, SERVER[0])),
        body=far.audio.offer(),
    )  # fmt: skip
    return far


def test_a_trunk_whose_connection_is_cut_is_registered_at_again_soon_and_later_where_none_lasts() -> None:
    async def scenario(world: World) -> None:
        world.exchange.trunks.draw = lambda: 1.0
        trunk = Registrar(world, T1)
        for lasts, registers in ((1000, 2), (10, 3), (10, 4)):
            await trunk.until(registers - 1)
            await asyncio.sleep(lasts)
            world.exchange.connection_gone(Hop("TCP", *T1, 7, line="R1"))
            world.exchange.connection_gone(Hop("TCP", *T2, 8, line="R2"))
            await asyncio.sleep(0.1)
            assert state(world).registration == "trying"
        await trunk.until(4)
        assert trunk.pauses() == [1001, 10 + 1, 10 + 60]

    play(scenario, registering(OVER_TCP))


@pytest.mark.parametrize(("settings", "uri", "contact"), [
    pytest.param('transport = "tls"', "sip:5555555555@192.0.2.21", "<sip:192.0.2.1:5060;transport=tls>", id="TLS"),
    pytest.param('transport = "sips"', "sips:5555555555@192.0.2.21", "<sips:192.0.2.1:5060>", id="8.1.1.8: SIPS"),
])
def test_what_an_invite_over_tls_says(settings: str, uri: str, contact: str) -> None:
    async def story(world: World, john: Peer) -> None:
        trunk = Peer(world, T1)
        caller = john.calls("5555555555", "001*002", "secret")
        called = await trunk.expects_call()
        assert called.request is not None
        assert (str(called.request.uri), called.request.fields["Contact"]) == (uri, (contact,))
        assert called.request.fields["Via"][0].startswith("SIP/2.0/TLS 192.0.2.1:5060;branch=")
        assert ";alias" in called.request.fields["Via"][0]
        called.refuses(486)
        await caller.told(486)
        await world.over()

    dialled(fixture((HOST, f"{HOST}\n{settings}")), story)


@pytest.mark.parametrize(("names", "rings"), [
    pytest.param({"sip.carrier.test"}, True, id="its certificate"),
    pytest.param({"other.test"}, False, id="another's certificate"), pytest.param(set(), False, id="none"),
])
def test_a_trunk_of_which_a_certificate_is_demanded_is_known_by_nothing_else(names: set[str], rings: bool) -> None:
    async def scenario(world: World) -> None:
        world.exchange.certified = lambda hop: frozenset(names)
        trunk, john = Peer(world, T1), Peer(world, PHONE)
        assert await john.register("001*002", "secret") == 200
        inbound = trunk.calls("5555550000", "5551111111")
        if rings:
            (await john.expects_call()).refuses(486)
            await inbound.told(486)
        else:
            await inbound.told(401)
            assert john.invited == 0
        await asyncio.sleep(40)

    play(scenario, fixture((HOST, f'{HOST}\ntls_client = "SIP.Carrier.Test"')))


def test_a_server_that_refuses_the_connection_is_passed_over_at_once() -> None:
    async def story(world: World, john: Peer) -> None:
        second = Peer(world, T2)
        began = world.loop.time()
        caller = john.calls("5555555555", "001*002", "secret")
        called = await second.expects_call()
        assert world.loop.time() - began < 0.5
        called.answers()
        await caller.told(200)
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    dialled(SRV.replace('host = "sip.example.net"', 'host = "sip.example.net"\ntransport = "tcp"'), story)


def test_big_requests_stay_on_udp_where_the_trunk_wants_that() -> None:
    async def scenario(world: World) -> None:
        first, second = (Hop("UDP", *where, line=line) for where, line in ((T1, "R1"), (T2, "R2")))
        assert [world.exchange.stays_on_udp(hop) for hop in (first, second)] == [True, False]
        assert world.exchange.stays_on_udp(Hop("UDP", *T1)), "a dialog that the trunk began"

    play(scenario, fixture((HOST, f"{HOST}\nstay_on_udp = true")))
