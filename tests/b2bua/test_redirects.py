"""3xx from phones: refused, or followed to extensions and numbers, never at the expense of anybody else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from b2bua.outcome import Outcome
from b2bua.redirect import read_target, targets_of
from sip_stack.message import Response
from sip_stack.uri import parse_uri
from store import ledger
from tests.b2bua.test_flows import NO_QUESTION
from tests.plans import fixture
from tests.world import PHONE, SECOND_PHONE, SERVER, T1, T2, Peer, World, play

THIRD, FOURTH = ("192.0.2.12", 5060), ("192.0.2.13", 5060)
MOBILE = f"<sip:0412345678@{SERVER[0]}>"
ONE_PERIOD = 100_000


def plan(redirects: str = "numbers") -> str:
    """John and Jane of one account, Eve of another; what their phones' 3xx may lead to."""
    return fixture(
        NO_QUESTION,
        ('public_number = "5555550000"', f'public_number = "5555550000"\nredirects = "{redirects}"'),
        ("# CB: the callback extension", f"""
[[account]]
name = "other"
credit = "1.00"
dial_plan = {{ mode = "as-dialled", refused = ["112"] }}
rate_table = "at-12"
[[extension]]
number = "001*003"
account = "client"
password = "geheim"
redirects = "{redirects}"
[[extension]]
number = "002*001"
account = "other"
password = "eve"
public_number = "5555550009"
redirects = "{redirects}"
"""),
    )  # fmt: skip


@dataclass
class Scene:
    """Everybody at his place."""

    world: World
    john: Peer
    jane: Peer
    eve: Peer
    trunk: Peer

    def spent(self) -> list[int]:
        """What the two accounts have paid."""
        return [100_000_000 - self.balance(1), 1_000_000 - self.balance(2)]

    def balance(self, account: int) -> int:
        return self.world.read(lambda conn: ledger.balance(conn, account)).balance


async def scene(world: World) -> Scene:
    made = Scene(world, Peer(world, PHONE), Peer(world, SECOND_PHONE), Peer(world, THIRD), Peer(world, T1))
    for peer, user, password in (
        (made.john, "001*002", "secret"), (made.jane, "001*003", "geheim"), (made.eve, "002*001", "eve"),
    ):  # fmt: skip
        assert await peer.register(user, password) == 200
    return made


def test_it_is_a_refusal_unless_the_extension_says_otherwise() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        caller = at.eve.calls("001*002", "002*001", "eve")
        (await at.john.expects_call()).is_at("<sip:001*003@x>", MOBILE)
        await caller.left_alone()
        await world.over()
        assert (at.jane.invited, at.trunk.invited, at.spent()) == (0, 0, [0, 0])

    play(scenario, plan("refuse"))


@pytest.mark.parametrize("status", [300, 301, 302, 305, 380])
def test_another_extension_rings_instead_and_nobody_pays(status: int) -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        caller = at.eve.calls("001*002", "002*001", "eve")
        (await at.john.expects_call()).is_at("<sip:001003@x>", status=status)
        (await at.jane.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED
        assert at.spent() == [0, 0]

    play(scenario, plan("extensions"))


def test_extensions_only_means_no_number() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        at.eve.calls("001*002", "002*001", "eve")
        (await at.john.expects_call()).is_at(MOBILE)
        await world.over()
        assert at.trunk.invited == 0

    play(scenario, plan("extensions"))


def test_a_number_is_paid_by_who_sent_the_call_there_and_not_by_the_caller() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        caller = at.eve.calls("001*002", "002*001", "eve")
        (await at.john.expects_call()).is_at(MOBILE)
        far = (await at.trunk.expects_call()).rings()
        assert far.shown()[1] == "5555550000"  # John's own number: he calls
        await caller.told(180)
        far.answers().speaks()
        await caller.told(200)
        await caller.hears("demo-voice")
        caller.hangs_up()
        call = await world.over()
        assert (call.outcome, call.charged, at.spent()) == (Outcome.TALKED, ONE_PERIOD, [ONE_PERIOD, 0])
        assert call.account is not None
        assert call.account.name == "client"

    play(scenario, plan())


def test_a_call_of_the_network_goes_on_to_a_number_until_the_owner_s_money_ends() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        caller = at.trunk.calls("5555550000", "5550001111")
        (await at.john.expects_call()).is_at(MOBILE)
        far = (await at.trunk.expects_call()).answers()
        await caller.told(200)
        for end in (caller, far):
            end.speaks()
        await far.left_alone(within_s=400)
        call = await world.over()
        assert (call.outcome, call.talk_s, at.balance(1)) == (Outcome.CREDIT_SPENT, 300, 0)

    play(scenario, plan().replace('credit = "100.00"', 'credit = "1.00"'))


def test_without_credit_it_is_not_followed_and_the_caller_keeps_his() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        caller = at.john.calls("002*001", "001*002", "secret")
        (await at.eve.expects_call()).is_at("<sip:0049123456@x>", MOBILE)
        await caller.left_alone()
        await world.over()
        assert (caller.statuses[-1], at.trunk.invited) == (480, 0)  # whose credit it was is nobody's business
        assert (at.balance(1), at.balance(2)) == (100_000_000, 10_000)

    play(scenario, plan().replace('credit = "1.00"', 'credit = "0.01"'))


@pytest.mark.parametrize("contact", [
    pytest.param("<sip:112@x>", id="an emergency number"),
    pytest.param("<tel:911>", id="another"),
    pytest.param("<sip:19005551234@x>", id="a number that the dial plan refuses"),
    pytest.param("<sip:09012345@x>", id="a number without a rate"),
    pytest.param("<sip:001*900@x>", id="a callback number"),
    pytest.param("<sip:5555559000@x>", id="its public number"),
    pytest.param("<sip:bob@example.org>", id="somebody elsewhere"),
    pytest.param("<mailto:bob@example.org>", id="no SIP address"),
    pytest.param("<sip:001*002@x>", id="itself"),
    pytest.param("<sip:5555550000@x>", id="its own public number"),
    pytest.param("<sip:broken", id="nothing that can be read"),
])
def test_what_is_not_called(contact: str) -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        caller = at.eve.calls("001*002", "002*001", "eve")
        (await at.john.expects_call()).is_at(contact)
        await caller.left_alone()
        await world.over()
        assert (at.john.invited, at.trunk.invited, at.spent()) == (1, 0, [0, 0])

    play(scenario, plan())


def test_an_emergency_number_that_no_dial_plan_refuses_is_not_called() -> None:
    async def scenario(world: World) -> None:
        eve = world.exchange.directory.extensions["002*001"]
        found = read_target(parse_uri("sip:911@x"), eve, world.exchange.directory)
        assert (found.number, found.extension, "mergency" in found.word) == ("", None, True)

    play(scenario, plan().replace("min_digits = 6", "min_digits = 3").replace('refused = ["112"]', "min_digits = 3"))


def test_one_number_is_called_at_a_time() -> None:
    """Jane's phones both lead to one: it is called once."""

    async def scenario(world: World) -> None:
        at = await scene(world)
        second = Peer(world, FOURTH)
        assert await second.register("001*003", "geheim") == 200
        caller = at.eve.calls("001*003", "002*001", "eve")
        for phone in (at.jane, second):
            (await phone.expects_call()).is_at(MOBILE)
        (await at.trunk.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        call = await world.over()
        assert (call.outcome, call.charged, at.spent()) == (Outcome.TALKED, ONE_PERIOD, [ONE_PERIOD, 0])
        assert at.trunk.invited == 1

    play(scenario, plan())


@pytest.mark.parametrize("number_first", [True, False])
def test_of_two_that_answer_in_one_moment_one_stays_and_only_it_is_paid(number_first: bool) -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        desk = Peer(world, FOURTH)
        assert await desk.register("001*002", "secret") == 200
        caller = at.eve.calls("001*002", "002*001", "eve")
        desk_rings = (await desk.expects_call()).rings()
        (await at.john.expects_call()).is_at(MOBILE)
        far = (await at.trunk.expects_call()).rings()
        for end in (far, desk_rings) if number_first else (desk_rings, far):
            end.answers()
        await caller.told(200)
        await asyncio.sleep(1)
        assert (desk_rings.gone == "") is not (far.gone == "")
        paid = ONE_PERIOD if far.gone == "" else 0
        caller.hangs_up()
        await world.over()
        assert at.spent() == [paid, 0]

    play(scenario, plan())


def test_a_number_of_ours_rings_here_and_goes_round_no_network() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        at.eve.calls("001*003", "002*001", "eve")
        (await at.jane.expects_call()).is_at("<sip:5555550000@x>")
        (await at.john.expects_call()).refuses(486)
        await world.over()
        assert (at.trunk.invited, at.spent()) == (0, [0, 0])

    play(scenario, plan())


def test_two_that_send_to_each_other_end_at_once() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        caller = at.eve.calls("001*002", "002*001", "eve")
        (await at.john.expects_call()).is_at("<sip:001*003@x>")
        (await at.jane.expects_call()).is_at("<sip:001*002@x>")
        await caller.left_alone(within_s=1)
        await world.over()
        assert (at.john.invited, at.jane.invited) == (1, 1)

    play(scenario, plan())


def test_so_many_are_followed_in_a_call_and_no_more() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        phones = [at.john, *(Peer(world, ("192.0.2.13", 5060 + n)) for n in range(7))]
        for phone in phones[1:]:
            assert await phone.register("001*002", "secret") == 200
        at.eve.calls("001*002", "002*001", "eve")
        for phone in phones:
            (await phone.expects_call()).is_at("<sip:001*003@x>")
        for _ in range(5):
            (await at.jane.expects_call()).rings()
        for call in list(world.exchange.live.values()):
            call.cancel()
        await world.over()
        assert at.jane.invited == 5

    play(scenario, plan())


def test_several_contacts_are_tried_by_q() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        caller = at.eve.calls("001*002", "002*001", "eve")
        (await at.john.expects_call()).is_at(f"{MOBILE};q=0.2, <sip:001*003@x>;q=0.7")
        (await at.jane.expects_call()).refuses(486)
        (await at.trunk.expects_call()).answers()
        await caller.told(200)
        caller.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED

    play(scenario, plan())


def test_who_answers_first_wins_and_what_was_dialled_for_a_3xx_is_given_up_unpaid() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        desk = Peer(world, FOURTH)
        assert await desk.register("001*002", "secret") == 200
        caller = at.eve.calls("001*002", "002*001", "eve")
        desk_rings = (await desk.expects_call()).rings()
        (await at.john.expects_call()).is_at(MOBILE)
        far = (await at.trunk.expects_call()).rings()
        desk_rings.answers()
        await caller.told(200)
        await far.left_alone(within_s=1)
        assert far.gone == "cancelled"
        for end in (caller, desk_rings):
            end.speaks()
        await asyncio.sleep(90)  # nobody is paid for: no money ends it
        caller.hangs_up()
        call = await world.over()
        assert (call.outcome, call.talk_s >= 90, at.spent()) == (Outcome.TALKED, True, [0, 0])

    play(scenario, plan())


def test_a_caller_who_leaves_takes_the_far_end_along() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        caller = at.eve.calls("001*002", "002*001", "eve")
        (await at.john.expects_call()).is_at(MOBILE)
        far = (await at.trunk.expects_call()).rings()
        await caller.told(180)
        caller.hangs_up()
        await far.left_alone(within_s=1)
        assert (far.gone, (await world.over()).outcome, at.spent()) == ("cancelled", Outcome.CANCELLED, [0, 0])

    play(scenario, plan())


def test_a_page_s_call_follows_to_extensions_only() -> None:
    """The fences of a page are for the number its visitor gave."""

    async def scenario(world: World) -> None:
        at = await scene(world)
        await world.callnow()
        (await at.john.expects_call()).is_at(f"{MOBILE}, <sip:001*003@x>")
        (await at.jane.expects_call()).answers()
        visitor = (await at.trunk.expects_call()).answers()
        assert visitor.request is not None
        assert visitor.request.uri.user == "5555555555"
        visitor.hangs_up()
        assert (await world.over()).outcome is Outcome.TALKED
        assert at.trunk.invited == 1

    play(scenario, plan())


def test_a_trunk_that_says_3xx_leads_nowhere() -> None:
    async def scenario(world: World) -> None:
        at = await scene(world)
        second = Peer(world, T2)
        caller = at.john.calls("0412345678", "001*002", "secret")
        (await at.trunk.expects_call()).is_at("<sip:0499999999@192.0.2.22>", "<sip:001*003@x>")
        await caller.left_alone()
        await world.over()
        assert (at.trunk.invited, second.invited, at.jane.invited, at.spent()) == (1, 0, 0, [0, 0])

    play(scenario, plan())


@pytest.mark.parametrize(("contacts", "users"), [
    (["<sip:a@h>, <sip:b@h>"], ["a", "b"]),
    (["<sip:a@h>;q=0.1", "<sip:b@h>;q=0.9", "<sip:c@h>"], ["c", "b", "a"]),
    (["<sip:a@h>;q=none, <sip:b@h>;q=-3, <sip:c@h>;q=nan"], ["a", "b", "c"]),
    ([", ".join(f"<sip:{n}@h>" for n in range(9))], ["0", "1", "2", "3", "4"]),
    (["<sip:a"], []),
    ([], []),
])  # fmt: skip
def test_targets_by_q(contacts: list[str], users: list[str]) -> None:
    response = Response(302, "Moved", {"Contact": contacts} if contacts else {})
    assert [uri.user for uri in targets_of(response)] == users
    refused = Response(486, "Busy", response.fields)
    assert targets_of(refused) == ()
