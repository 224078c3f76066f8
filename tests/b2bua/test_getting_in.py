"""Who may ring us, and what a stranger's message can do: gate, trunks and phones of one address, offers, numbers."""

from __future__ import annotations

import asyncio

import pytest

from b2bua.desk import Stage
from b2bua.outcome import Outcome
from b2bua.rules.admission import Reason
from sip_stack.core import Hop
from sip_stack.headers import NameAddr
from sip_stack.message import Response
from sip_stack.uri import sip_uri
from tests.plans import fixture
from tests.world import PHONE, SECOND_PHONE, SERVER, T1, Peer, World, play

SECOND = (
    "# CB: the callback extension",
    '[[extension]]\nnumber = "001*003"\naccount = "client"\nname = "Jane"\npassword = "geheim"\n'
    'public_number = "5555550003"\n',
)
NO_SOUND = b"v=0\r\no=- 1 1 IN IP4 192.0.2.21\r\ns=-\r\nc=IN IP4 192.0.2.21\r\nt=0 0\r\n"
FOREIGN = NO_SOUND + b"m=audio 4000 RTP/AVP 18\r\n"


async def answered(peer: Peer, method: str, user: str, extra: list[tuple[str, str]], to: str = "") -> Response:
    """One request outside any dialog and its final response."""
    answer: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
    host = SERVER[0]
    who, whom = NameAddr("", sip_uri(user, host)), NameAddr("", sip_uri(to or user, host))
    request = peer.core.build(method, sip_uri("", host), who, whom, extra)
    peer.core.request(request, Hop("UDP", *SERVER), answer.set_result)
    response = await answer
    assert response is not None
    return response


async def proven(peer: Peer, contact: str, to: str = "") -> Response:
    """A REGISTER of 001*002 with the right password."""
    asked = [("Contact", contact), ("Expires", "600")]
    challenged = await answered(peer, "REGISTER", "001*002", asked, to)
    proof = peer._proof(challenged, "001*002", "secret")
    return await answered(peer, "REGISTER", "001*002", [*asked, ("Authorization", proof)], to)


@pytest.mark.parametrize(
    ("contact", "to", "status"),
    [
        pytest.param("<sip:001*002@192.0.2.10>", "", 200, id="itself"),
        pytest.param("<sip:001*002@192.0.2.10>", "001*003", 403, id="somebody else"),
        pytest.param("<sip:001*002@192.0.2.10>", "001*999", 403, id="nobody"),
        pytest.param("<mailto:john@example.org>", "", 400, id="a contact that is no telephone"),
        pytest.param(f"<sip:{'j' * 600}@192.0.2.10>", "", 400, id="a contact too long to keep"),
        pytest.param(", ".join(f"<sip:{n}@192.0.2.10>" for n in range(11)), "", 403, id="too many contacts"),
        pytest.param("*", "", 400, id="all contacts, and not to remove them"),
    ],
)
def test_a_phone_registers_itself_with_usable_contacts_only(contact: str, to: str, status: int) -> None:
    async def scenario(world: World) -> None:
        phone = Peer(world, PHONE)
        assert (await proven(phone, contact, to)).status == status
        assert len(world.exchange.locations.of("001*002")) == (status == 200)
        assert world.exchange.locations.of("001*003") == ()

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize(("transport", "status"), [("UDP", 400), ("TCP", 400), ("TLS", 200)])
def test_a_sips_contact_is_taken_by_tls_alone_and_called_so(transport: str, status: int) -> None:
    async def scenario(world: World) -> None:
        phone, caller = Peer(world, PHONE), Peer(world, T1)
        server = Hop(transport, *SERVER)
        asked: asyncio.Queue[Response] = asyncio.Queue()
        who = NameAddr("", sip_uri("001*002", SERVER[0]))
        proof: list[tuple[str, str]] = []
        for _ in range(2):
            extra = [("Contact", phone.core.contact(server, secure=True)), *proof]
            request = phone.core.build("REGISTER", sip_uri("", SERVER[0]), who, who, extra)
            phone.core.request(request, server, lambda response: response and asked.put_nowait(response))
            response = await asked.get()
            if response.status == 401:
                proof = [("Authorization", phone._proof(response, "001*002", "secret"))]
        assert response.status == status
        if status == 200:
            inbound = caller.calls("5555550000", "5551111111")
            called = await phone.expects_call()
            assert called.request is not None
            assert str(called.request.uri) == f"sips:{PHONE[0]}:{PHONE[1]}"
            assert called.request.fields["Contact"] == (f"<sips:{SERVER[0]}:{SERVER[1]}>",)
            called.refuses(486)
            await inbound.told(486)
            await world.over()

    play(scenario, fixture())


def test_an_unknown_user_and_a_wrong_password_get_the_same_answer() -> None:
    async def scenario(world: World) -> None:
        phone = Peer(world, PHONE)
        seen = []
        for user in ("001*002", "001*998"):
            challenged = await answered(phone, "REGISTER", user, [])
            wrong = await answered(phone, "REGISTER", user, [("Authorization", phone._proof(challenged, user, "no"))])
            fields = {k for k in wrong.fields if k not in ("Via", "From", "To", "Call-ID", "CSeq")}
            seen.append((challenged.status, wrong.status, wrong.reason, fields))
        assert seen[0] == seen[1]
        assert seen[0][:2] == (401, 403)

    play(scenario, fixture())


def test_a_source_that_guesses_is_held_off_even_when_it_then_guesses_right() -> None:
    async def scenario(world: World) -> None:
        phone, other = Peer(world, PHONE), Peer(world, SECOND_PHONE)
        for _ in range(30):
            assert await phone.register("001*002", "wrong") == 403
        assert await phone.register("001*002", "secret") == 403
        assert await other.register("001*002", "secret") == 200, "others are not held off"
        await asyncio.sleep(301)
        assert await phone.register("001*002", "secret") == 200

    play(scenario, fixture())


def test_who_guesses_behind_the_address_of_a_phone_does_not_shut_the_phone_out() -> None:
    async def scenario(world: World) -> None:
        phone, guesser, new = (Peer(world, (PHONE[0], port)) for port in (PHONE[1], 40_000, 40_001))
        assert await phone.register("001*002", "secret") == 200
        for _ in range(30):
            assert await guesser.register("001*002", "wrong") == 403
        assert await guesser.register("001*002", "secret") == 403
        assert await new.register("001*002", "secret") == 403, "another port is the same guesser"
        assert await phone.register("001*002", "secret") == 200

    play(scenario, fixture())


def test_who_sends_in_the_name_of_another_address_shuts_nobody_out() -> None:
    """The sender has a nonce of its own, and never sees those that the other address is sent."""

    async def scenario(world: World) -> None:
        owner, spoofer = Peer(world, PHONE), Peer(world, SECOND_PHONE)
        seen = await answered(spoofer, "REGISTER", "001*002", [])
        wrong = [("Authorization", spoofer._proof(seen, "001*002", "wrong"))]
        for _ in range(200):
            assert (await answered(owner, "REGISTER", "001*002", wrong)).status == 401
        assert await owner.register("001*002", "secret") == 200

    play(scenario, fixture())


def test_a_phone_behind_the_address_of_a_trunk_is_a_phone() -> None:
    async def scenario(world: World) -> None:
        phone, jane = Peer(world, (T1[0], 5070)), Peer(world, SECOND_PHONE)
        assert await phone.register("001*002", "secret") == 200
        assert await jane.register("001*003", "geheim") == 200
        caller = phone.calls("001*003", "001*002", "secret")
        called = (await jane.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        await called.left_alone()
        assert (await world.over()).kind == "internal"

    play(scenario, fixture(SECOND))


@pytest.mark.parametrize(
    ("address", "number", "user", "status"),
    [
        pytest.param(T1, "5555555555", "5551111111", 404, id="a trunk is no way to another trunk"),
        pytest.param(T1, "001*002", "5551111111", 404, id="a trunk rings public numbers, not extensions"),
        pytest.param(("192.0.2.66", 5060), "5555550000", "5551111111", 401, id="an unknown address"),
        pytest.param(("192.0.2.23", 5060), "5555550000", "5551111111", 404, id="a number of another trunk"),
    ],
)
def test_what_comes_from_outside_reaches_its_own_numbers_only(
    address: tuple[str, int], number: str, user: str, status: int
) -> None:
    async def scenario(world: World) -> None:
        john, outside = Peer(world, PHONE), Peer(world, address)
        assert await john.register("001*002", "secret") == 200
        caller = outside.calls(number, user)
        await caller.left_alone()
        assert caller.statuses[-1] == status
        assert john.invited == 0
        assert world.exchange.live == {}

    play(scenario, fixture())


@pytest.mark.parametrize(
    ("offer", "status"),
    [
        pytest.param(b"nonsense", 400, id="no description"),
        pytest.param(NO_SOUND, 488, id="no audio"),
        pytest.param(FOREIGN, 488, id="no common codec"),
    ],
)
def test_an_offer_that_cannot_be_answered_keeps_no_port(offer: bytes, status: int) -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await john.register("001*002", "secret") == 200
        caller = trunk.calls("5555550000", "5551111111", offer=offer)
        await caller.left_alone()
        await asyncio.sleep(1)
        assert caller.statuses[-1] == status
        assert john.invited == 0
        world.check_nothing_left()

    play(scenario, fixture())


def test_without_a_free_media_port_a_caller_is_told_to_try_later() -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await john.register("001*002", "secret") == 200
        ports, world.engine._stock = world.engine._stock, type(world.engine._stock)()
        caller = trunk.calls("5555550000", "5551111111")
        await caller.left_alone()
        assert caller.statuses[-1] == 503
        world.check_nothing_left()
        world.engine._stock.append(ports[0])  # one leg can come in, and no other go out
        caller = trunk.calls("5555550000", "5551111111")
        await caller.left_alone()
        assert caller.statuses[-1] == 503
        assert (await world.over()).outcome is Outcome.CONGESTED
        assert john.invited == 0

    play(scenario, fixture())


def test_without_a_media_port_for_the_visitor_the_owner_is_told_and_the_reason_is_ours() -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await john.register("001*002", "secret") == 200
        token = await world.callnow()
        owner = (await john.expects_call()).answers()
        await owner.hears("confirm")
        world.engine._stock.clear()
        owner.presses("1")
        await owner.hears("visitor-failed")
        await owner.left_alone()
        assert (await world.over()).outcome is Outcome.CONGESTED
        status = world.desk.visitor_status(token)
        assert status is not None
        assert status.stage is Stage.NOT_AVAILABLE
        assert (trunk.invited, world.balance()) == (0, 100_000_000)

    play(scenario, fixture())


@pytest.mark.parametrize("dialled", ["911/x0045678901", "9110045678901", "+911"])
def test_only_an_emergency_number_itself_goes_without_credit(dialled: str) -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await john.register("001*002", "secret") == 200
        caller = john.calls(dialled, "001*002", "secret")
        await caller.left_alone()
        assert caller.statuses[-1] in (402, 403)
        assert trunk.invited == 0

    play(scenario, fixture(('refused = ["112", "911", "000", "1900"]', 'refused = []'),
                           ('credit = "100.00"', 'credit = "0.00"')))  # fmt: skip


def test_a_name_with_control_characters_and_quotes_ends_no_header() -> None:
    async def scenario(world: World) -> None:
        john = Peer(world, PHONE)
        assert await john.register("001*002", "secret") == 200
        assert (await world.refused(name='M"\\\r\nX-Evil: 1\0')).reason == Reason.NAME_UNFIT
        await world.callnow(name='M"\\; <sip:evil@x> ,\u00e9')
        owner = await john.expects_call()
        assert owner.shown() == ('M"\\; <sip:evil@x> ,\u00e9', "5555555555")
        owner.refuses(486)
        await world.over()

    play(scenario, fixture())


def test_a_double_click_is_one_request_and_both_get_its_token() -> None:
    async def scenario(world: World) -> None:
        john = Peer(world, PHONE)
        assert await john.register("001*002", "secret") == 200
        first, second = await asyncio.gather(world.callnow(), world.callnow())
        assert first == second
        (await john.expects_call()).refuses(486)
        await world.over()
        assert (john.invited, len(world.requests())) == (1, 1)

    play(scenario, fixture())


def test_of_two_requests_in_one_moment_the_second_finds_the_owner_on_the_phone() -> None:
    async def scenario(world: World) -> None:
        john = Peer(world, PHONE)
        assert await john.register("001*002", "secret") == 200
        await world.callnow(number="5555555555")
        assert (await world.refused(number="5555555556")).reason == "on-phone"
        (await john.expects_call()).refuses(486)
        await world.over()
        assert john.invited == 1

    play(scenario, fixture())


def test_a_number_outside_the_pages_fence_is_refused_and_written_down() -> None:
    async def scenario(world: World) -> None:
        john = Peer(world, PHONE)
        assert await john.register("001*002", "secret") == 200
        for number, reason in (("0412345678", "number-forbidden"), ("0011442079460958", "price-too-high")):
            refusal = await world.refused(number=number)
            assert (refusal.reason, refusal.sentence) == (reason, "This number cannot be called from here.")
        await world.database.run(lambda conn: None)  # what is posted before is written before
        assert [request.reason for request in world.requests()] == ["price-too-high", "number-forbidden"]
        assert john.invited == 0

    fence = 'id = "john_doe"\nforbidden = ["04"]\nhighest_price_a_minute = "0.40"'
    play(scenario, fixture(('id = "john_doe"', fence)))


def test_a_database_that_fails_refuses_with_the_neutral_sentence() -> None:
    async def scenario(world: World) -> None:
        john = Peer(world, PHONE)
        assert await john.register("001*002", "secret") == 200
        world.database.broken = True
        refusal = await world.refused()
        assert (refusal.reason, refusal.status) == ("server-error", 409)
        world.database.broken = False
        await world.callnow()
        (await john.expects_call()).refuses(486)
        await world.over()

    play(scenario, fixture())


def test_a_server_that_stops_takes_no_new_call() -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await john.register("001*002", "secret") == 200
        first = trunk.calls("5555550000", "5551111111")
        called = (await john.expects_call()).answers()
        await first.told(200)
        stop = asyncio.ensure_future(world.exchange.close())
        await asyncio.sleep(0)
        late = trunk.calls("5555550000", "5551111111")
        await stop
        await late.left_alone()
        assert late.statuses[-1] == 503
        await called.left_alone()
        await first.left_alone()
        await asyncio.sleep(1)
        world.check_nothing_left()

    play(scenario, fixture())


def test_logs_name_no_number_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(world: World) -> None:
        john, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await john.register("001*002", "secret") == 200
        assert await john.register("001*002", "wrong") == 403
        await world.callnow(name="Mary")
        owner = (await john.expects_call()).answers()
        await owner.hears("confirm")
        owner.presses("1")
        (await trunk.expects_call()).refuses(500)
        await world.refused(number="5555555556")
        await world.over()

    caplog.set_level("DEBUG")
    play(scenario, fixture())
    text = caplog.text
    assert "event=ended" in text
    for secret in ("secret", "wrong", "555555555", "Mary", "Digest", "key 1", "response="):
        assert secret not in text, secret
