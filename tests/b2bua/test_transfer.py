"""Transfers by the phone on the virtual clock: who talks with whom, who pays for it, and who may ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import quote

import pytest

from b2bua.call import Call
from b2bua.outcome import Outcome
from sip_stack.headers import NameAddr
from sip_stack.hop import Hop
from sip_stack.message import Response
from sip_stack.uri import sip_uri
from store import journal
from tests.plans import fixture
from tests.world import PHONE, SECOND_PHONE, SERVER, T1, Far, Peer, World, play

JOHN, JANE, EVE = ("001*002", "secret"), ("001*003", "geheim"), ("001*004", "anders")
MOBILE, LOCAL, ABROAD = "0412345678", "5555551234", "0049301234"
MORE = (
    "# CB: the callback extension",
    '[[extension]]\nnumber = "001*003"\naccount = "client"\nname = "Jane"\npassword = "geheim"\n'
    'public_number = "5555550003"\n'
    '[[account]]\nname = "other"\ncurrency = "USD"\nplan = "prepaid"\ncredit = "50.00"\nrate_table = "at-12"\n'
    'dial_plan = { mode = "as-dialled", strip = ["+1"], min_digits = 6 }\n'
    '[[extension]]\nnumber = "001*004"\naccount = "other"\nname = "Eve"\npassword = "anders"\n'
    'public_number = "5555550004"\n',
)
PLAN = fixture(MORE)


class Scene:
    """John and Jane of one account, Eve of another, and the network behind the trunk."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.john, self.jane = Peer(world, PHONE), Peer(world, SECOND_PHONE)
        self.eve, self.trunk = Peer(world, ("192.0.2.12", 5060)), Peer(world, T1)

    async def registered(self) -> Scene:
        for phone, who in ((self.john, JOHN), (self.jane, JANE), (self.eve, EVE)):
            assert await phone.register(*who) == 200
        return self

    async def out(self, number: str = MOBILE) -> tuple[Far, Far]:
        """John talks with a number: his dialog, and that of the one he called."""
        john = self.john.calls(number, *JOHN)
        far = (await self.trunk.expects_call()).rings().answers().speaks()
        await john.told(200)
        john.speaks()
        await asyncio.sleep(1)
        return john, far

    async def came_in(self) -> tuple[Far, Far]:
        """Somebody has called John: John's dialog, and the caller's."""
        caller = self.trunk.calls("5555550000", "5551112222")
        john = (await self.john.expects_call()).rings().answers().speaks()
        await caller.told(200)
        caller.speaks()
        await asyncio.sleep(1)
        return john, caller

    async def inside(self) -> tuple[Far, Far]:
        """John has called Jane."""
        john = self.john.calls("001*003", *JOHN)
        jane = (await self.jane.expects_call()).rings().answers().speaks()
        await john.told(200)
        john.speaks()
        await asyncio.sleep(1)
        return john, jane

    async def are_joined(self, one: Far, two: Far) -> None:
        """Both hear each other's voice from now on."""
        for far in (one, two):
            far.heard.clear()
        for far in (one, two):
            await far.hears("demo-voice")

    async def over(self) -> dict[str, Call]:
        """All calls have ended; by the number that each was for."""
        await self.world.over()
        return {call.to: call for call in self.world.exchange.recent.values()}


def spent(world: World, account: int = 1) -> int:
    return -sum(
        amount for (amount,) in world.read(lambda conn: conn.exec_driver_sql(
            "SELECT amount FROM ledger WHERE kind = 'call' AND account_id = ?", (account,)
        ).all())
    )  # fmt: skip


def run(scenario: Callable[[Scene], Awaitable[None]], plan: str = PLAN) -> None:
    async def on(world: World) -> None:
        await scenario(await Scene(world).registered())

    play(on, plan)


def test_a_call_out_is_transferred_to_a_number_and_both_legs_are_paid() -> None:
    async def scenario(scene: Scene) -> None:
        world = scene.world
        john, mobile = await scene.out()
        john.refers(LOCAL)
        local = (await scene.trunk.expects_call()).rings()
        assert local.shown() == ("John Doe", "5555550000"), "called as John"
        await john.reported(202, 100, 180)
        local.answers().speaks()
        await john.reported(200)
        await john.left_alone(within_s=1)
        await scene.are_joined(mobile, local)
        assert not world.exchange.on_the_phone(world.exchange.directory.extensions["001*002"])
        await asyncio.sleep(40)
        local.hangs_up()
        await mobile.left_alone(within_s=1)
        calls = await scene.over()
        first, second = calls[MOBILE], calls[LOCAL]
        assert (first.kind, first.outcome, first.charged) == ("outbound", Outcome.TALKED, 200_000)
        assert (second.kind, second.outcome, second.charged) == ("transfer", Outcome.TALKED, 120_000)
        assert spent(world) == 320_000
        legs = world.read(lambda conn: journal.legs_of(conn, first.id))
        assert [(leg.to, leg.talk_ms > 40_000, leg.cost) for leg in legs] == [
            (MOBILE, False, 0), (MOBILE, True, 200_000),
        ]  # fmt: skip
        leg, = world.read(lambda conn: journal.legs_of(conn, second.id))
        assert (leg.to, leg.cost) == (LOCAL, 120_000)

    run(scenario)


def test_a_caller_is_transferred_inside_for_nothing() -> None:
    async def scenario(scene: Scene) -> None:
        john, caller = await scene.came_in()
        john.refers("001*003", *JOHN)
        jane = (await scene.jane.expects_call()).rings()
        assert jane.request is not None
        assert jane.request.get("Referred-By") == "<sip:001*002@192.0.2.1>"
        jane.answers().speaks()
        await scene.are_joined(caller, jane)
        await john.left_alone()
        caller.hangs_up()
        await jane.left_alone(within_s=1)
        calls = await scene.over()
        assert {call.outcome for call in calls.values()} == {Outcome.TALKED}
        assert spent(scene.world) == 0

    run(scenario)


def test_a_caller_inside_can_be_transferred_out_and_who_was_called_pays() -> None:
    """Eve calls John and is sent to a mobile: John's account pays for it, not Eve's."""

    async def scenario(scene: Scene) -> None:
        eve = scene.eve.calls("001*002", *EVE)
        john = (await scene.john.expects_call()).rings().answers().speaks()
        await eve.told(200)
        eve.speaks()
        await asyncio.sleep(1)
        john.refers(MOBILE, *JOHN)
        mobile = (await scene.trunk.expects_call()).rings().answers().speaks()
        await scene.are_joined(eve, mobile)
        await asyncio.sleep(10)
        eve.hangs_up()
        await mobile.left_alone(within_s=1)
        calls = await scene.over()
        assert calls[MOBILE].charged == 100_000
        assert (spent(scene.world, 1), spent(scene.world, 2)) == (100_000, 0)

    run(scenario)


def test_two_payers_in_one_talk_and_a_transfer_of_a_transfer() -> None:
    """John sends his mobile to Eve; Eve sends it on to a number: John pays the mobile, Eve the number."""

    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        john.refers("001*004")
        eve = (await scene.eve.expects_call()).rings().answers().speaks()
        await scene.are_joined(mobile, eve)
        eve.refers(LOCAL, *EVE)
        local = (await scene.trunk.expects_call()).rings().answers().speaks()
        await scene.are_joined(mobile, local)
        await eve.left_alone(within_s=1)
        await asyncio.sleep(60)
        assert len(scene.world.exchange.live) == 2, "the one of John's and Eve's to the number"
        mobile.hangs_up()
        await local.left_alone(within_s=1)
        calls = await scene.over()
        assert calls[MOBILE].charged == 300_000
        assert calls["001*004"].charged == 0
        assert calls[LOCAL].charged == 120_000
        assert (spent(scene.world, 1), spent(scene.world, 2)) == (300_000, 120_000)

    run(scenario)


@pytest.mark.parametrize("status", [486, 404, 503])
def test_a_target_that_is_not_reached_leaves_all_as_it_was(status: int) -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        john.refers(LOCAL)
        (await scene.trunk.expects_call()).rings().refuses(status)
        await john.reported(100, 180, status)
        assert john.told_by[-1].get("Subscription-State") == "terminated;reason=noresource"
        await scene.are_joined(john, mobile)
        john.hangs_up()
        calls = await scene.over()
        assert (calls[MOBILE].charged, spent(scene.world)) == (100_000, 100_000)
        assert len(calls) == 2

    run(scenario)


@pytest.mark.parametrize(
    ("to", "status"),
    [
        pytest.param("0999999999", 403, id="no price"),
        pytest.param("1900123456", 403, id="refused prefix"),
        pytest.param("12", 403, id="too short"),
        pytest.param("001*999", 404, id="no such extension"),
        pytest.param("001*003", 480, id="nobody registered"),
    ],
)
def test_the_fences_of_a_plain_call_hold(to: str, status: int) -> None:
    async def scenario(world: World) -> None:
        scene = Scene(world)
        await scene.john.register(*JOHN)
        john, mobile = await scene.out()
        john.refers(to)
        await john.reported(status)
        await scene.are_joined(john, mobile)
        mobile.hangs_up()
        await world.over()
        assert scene.trunk.invited == 1

    play(scenario, PLAN)


def test_nobody_is_called_without_credit() -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        john.refers(ABROAD)
        await john.reported(402)
        await scene.are_joined(john, mobile)
        mobile.hangs_up()
        assert (await scene.over())[ABROAD].outcome is Outcome.NO_CREDIT

    run(scenario, fixture(MORE, ('credit = "100.00"', 'credit = "0.35"')))


def test_who_stays_is_cut_at_the_second_his_money_ends_and_the_target_with_him() -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        began = scene.world.loop.time() - 1
        john.refers("001*003")
        jane = (await scene.jane.expects_call()).rings().answers().speaks()
        await jane.left_alone(within_s=150)
        assert scene.world.loop.time() - began == pytest.approx(120, abs=0.1)
        await mobile.left_alone(within_s=1)
        calls = await scene.over()
        assert calls[MOBILE].outcome is Outcome.CREDIT_SPENT
        assert spent(scene.world) == 400_000

    run(scenario, fixture(MORE, ('credit = "100.00"', 'credit = "0.40"')))


def test_money_goes_on_while_the_target_rings() -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        began = scene.world.loop.time() - 1
        john.refers("001*003")
        (await scene.jane.expects_call()).rings()
        await mobile.left_alone(within_s=100)
        assert scene.world.loop.time() - began == pytest.approx(30, abs=0.1)
        await scene.over()
        assert spent(scene.world) == 100_000

    run(scenario, fixture(MORE, ('credit = "100.00"', 'credit = "0.10"')))


def test_a_phone_that_hangs_up_at_once_is_not_missed() -> None:
    async def scenario(scene: Scene) -> None:
        john, caller = await scene.came_in()
        john.refers("001*003", *JOHN)
        await john.reported(100)
        john.hangs_up()
        jane = (await scene.jane.expects_call()).rings()
        await asyncio.sleep(3)
        jane.answers().speaks()
        await scene.are_joined(caller, jane)
        jane.hangs_up()
        await caller.left_alone(within_s=1)
        await scene.over()

    run(scenario)


def test_who_stays_is_let_go_where_the_phone_has_left_and_the_target_is_busy() -> None:
    async def scenario(scene: Scene) -> None:
        john, caller = await scene.came_in()
        john.refers("001*003", *JOHN)
        await john.reported(100)
        john.hangs_up()
        (await scene.jane.expects_call()).refuses(486)
        await caller.left_alone(within_s=1)
        await scene.over()

    run(scenario)


def test_a_visitor_of_a_page_is_transferred_and_his_leg_stays_the_pages() -> None:
    async def scenario(scene: Scene) -> None:
        world = scene.world
        await world.callnow(number=MOBILE)
        john = (await scene.john.expects_call()).rings().answers().speaks()
        await john.hears("confirm")
        john.refers("001*003", *JOHN)
        await john.reported(403)  # there is nobody yet
        john.presses("1")
        visitor = (await scene.trunk.expects_call()).rings().answers().speaks()
        await scene.are_joined(john, visitor)
        john.refers("001*003", *JOHN)
        jane = (await scene.jane.expects_call()).rings().answers().speaks()
        await scene.are_joined(visitor, jane)
        await john.left_alone(within_s=1)
        await asyncio.sleep(40)
        visitor.hangs_up()
        await jane.left_alone(within_s=1)
        calls = await scene.over()
        assert (calls[MOBILE].kind, calls[MOBILE].charged) == ("callnow", 200_000)
        request, = world.requests()
        assert (request.reason, request.cost) == ("talked", 200_000)

    run(scenario)


def test_an_attended_transfer_joins_whom_the_phone_talks_with_in_two_calls() -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        again, local = await scene.out(LOCAL)
        john.refers("", instead=again)
        await john.reported(200)
        for far in (john, again):
            await far.left_alone(within_s=1)
        await scene.are_joined(mobile, local)
        assert not scene.world.exchange.on_the_phone(scene.world.exchange.directory.extensions["001*002"])
        await asyncio.sleep(40)
        mobile.hangs_up()
        await local.left_alone(within_s=1)
        calls = await scene.over()
        assert {number: (call.outcome, call.charged) for number, call in calls.items()} == {
            MOBILE: (Outcome.TALKED, 200_000), LOCAL: (Outcome.TALKED, 120_000),
        }  # fmt: skip
        assert spent(scene.world) == 320_000

    run(scenario)


def test_an_attended_transfer_of_a_caller_to_a_colleague() -> None:
    async def scenario(scene: Scene) -> None:
        john, caller = await scene.came_in()
        asking, jane = await scene.inside()
        asking.refers("001*003", *JOHN, instead=john)  # in either of the two dialogs
        await scene.are_joined(caller, jane)
        jane.refers(MOBILE, *JANE)  # and on
        mobile = (await scene.trunk.expects_call()).rings().answers().speaks()
        await scene.are_joined(caller, mobile)
        caller.hangs_up()
        await mobile.left_alone(within_s=1)
        calls = await scene.over()
        assert (calls[MOBILE].extension.number, spent(scene.world)) == ("001*003", 100_000)

    run(scenario)


def test_each_of_two_calls_joined_is_cut_by_its_own_money() -> None:
    """0.50: 30 s of the mobile and the number's fee are held; when the rest of the mobile is used up, both end."""

    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        again, local = await scene.out(LOCAL)
        john.refers("", instead=again)
        await scene.are_joined(mobile, local)
        await local.left_alone(within_s=200)
        await mobile.left_alone(within_s=1)
        calls = await scene.over()
        assert (calls[MOBILE].outcome, calls[LOCAL].outcome) == (Outcome.CREDIT_SPENT, Outcome.TALKED)
        assert spent(scene.world) == 420_000

    run(scenario, fixture(MORE, ('credit = "100.00"', 'credit = "0.50"')))


@pytest.mark.parametrize(
    ("replaces", "status"),
    [
        pytest.param("nobody;to-tag=a;from-tag=b", 481, id="no such dialog"),
        pytest.param("{jane}", 403, id="another extension's dialog"),
        pytest.param("{john}", 491, id="its own dialog"),
    ],
)
def test_an_attended_transfer_that_cannot_be(replaces: str, status: int) -> None:
    async def scenario(scene: Scene) -> None:
        john, caller = await scene.came_in()
        jane = scene.jane.calls(LOCAL, *JANE)
        (await scene.trunk.expects_call()).rings().answers().speaks()
        await jane.told(200)
        value = replaces.format(john=john.replaces, jane=jane.replaces)
        john.refers("", *JOHN, extra=[("Refer-To", f"<sip:x@h?Replaces={quote(value, safe='')}>")])
        await john.reported(status)
        jane.hangs_up()
        await scene.are_joined(john, caller)
        caller.hangs_up()
        await scene.over()

    run(scenario)


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        pytest.param([("Refer-To", "")], 400, id="no target"),
        pytest.param([("Refer-To", "<sip:1@h>, <sip:2@h>")], 400, id="two targets"),
        pytest.param([("Refer-To", "<http://h/>")], 400, id="no telephone"),
        pytest.param([("Refer-To", "<sip:1@h;method=BYE>")], 501, id="another method"),
        pytest.param([("Refer-To", "<sip:1@h?Replaces=x>")], 400, id="a Replaces that is none"),
        pytest.param([("Refer-To", "<sip:1@h?Replaces=x&Replaces=y>")], 400, id="two Replaces"),
        pytest.param([("Require", "magic")], 420, id="an extension nobody has"),
    ],
)
def test_a_refer_that_cannot_be_read_changes_nothing(extra: list[tuple[str, str]], status: int) -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        john.refers(LOCAL, extra=extra)
        await john.reported(status)
        await scene.are_joined(john, mobile)
        john.hangs_up()
        await scene.over()
        assert scene.trunk.invited == 1

    run(scenario)


def test_a_referrer_that_wants_to_hear_nothing_is_told_nothing() -> None:
    """RFC 4488."""

    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        john.refers("001*003", extra=[("Refer-Sub", "false"), ("Require", "norefersub")])
        jane = (await scene.jane.expects_call()).rings().answers().speaks()
        await scene.are_joined(mobile, jane)
        await john.left_alone(within_s=1)
        assert (john.referred, john.told_by) == ([202], [])
        mobile.hangs_up()
        await scene.over()

    run(scenario)


def test_a_referrer_that_knows_of_no_subscription_is_told_once() -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        john.answers_notify = 481
        john.refers("001*003")
        jane = (await scene.jane.expects_call()).rings().answers().speaks()
        await scene.are_joined(mobile, jane)
        await john.left_alone(within_s=1)
        assert len(john.told_by) == 1
        mobile.hangs_up()
        await scene.over()

    run(scenario)


def test_a_second_refer_waits_for_the_first_and_has_an_id() -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        john.refers(LOCAL)
        local = (await scene.trunk.expects_call()).rings()
        await john.reported(180)
        john.refers(ABROAD)
        await john.reported(491)
        local.refuses(486)
        await john.reported(486)
        john.refers("001*003")
        jane = (await scene.jane.expects_call()).rings().answers().speaks()
        await john.reported(200)
        events = [request.get("Event") or "" for request in john.told_by]
        assert {event.partition("=")[0] for event in events} == {"refer", "refer;id"}
        await scene.are_joined(mobile, jane)
        jane.hangs_up()
        await scene.over()

    run(scenario)


def test_nobody_but_a_phone_of_ours_can_transfer() -> None:
    """A trunk's far end, who is called back, a wrong password, another's password: nobody is called for them."""

    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        mobile.refers(LOCAL)
        await mobile.reported(403)
        mobile.refers(LOCAL, *JOHN)
        await mobile.until(lambda: mobile.referred == [403, 403])
        john.refers(LOCAL, JOHN[0], "wrong")
        await john.reported(403)
        john.refers(LOCAL, *EVE)
        await john.until(lambda: john.referred == [403, 403])
        await scene.are_joined(john, mobile)
        john.hangs_up()
        await scene.over()
        assert scene.trunk.invited == 1

    run(scenario)


def test_a_refer_outside_a_dialog_is_refused() -> None:
    async def scenario(scene: Scene) -> None:
        for peer, user in ((scene.john, "001*002"), (scene.trunk, "5551112222")):
            answered: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
            to = NameAddr("", sip_uri(MOBILE, SERVER[0]))
            who = NameAddr("", sip_uri(user, SERVER[0]))
            request = peer.core.build("REFER", to.uri, who, to, [("Refer-To", f"<sip:{LOCAL}@{SERVER[0]}>")])
            peer.core.request(request, Hop("UDP", *SERVER), answered.set_result)
            response = await answered
            assert response is not None
            assert response.status == 403
        assert scene.trunk.invited == 0

    run(scenario)


def test_transfers_can_be_switched_off() -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        john.refers(LOCAL)
        await john.reported(403)
        await scene.are_joined(john, mobile)
        taking = scene.john.calls("", *JOHN, extra=[("Replaces", john.replaces)])
        await taking.told(403)
        john.hangs_up()
        await scene.over()

    run(scenario, fixture(MORE, ('name = "John Doe"\n', 'name = "John Doe"\ntransfer = false\n')))


def test_a_call_whose_sound_passes_us_by_cannot_be_transferred() -> None:
    async def scenario(scene: Scene) -> None:
        caller = scene.trunk.calls("5555550000", "5551112222")
        john = (await scene.john.expects_call()).rings().answers()
        await caller.told(200)
        await asyncio.sleep(1)
        john.refers("001*003", *JOHN)
        await john.reported(403)
        caller.hangs_up()
        await scene.over()

    run(scenario, fixture(MORE, ('name = "R1"\n', 'name = "R1"\nmedia = "direct"\n')))


def test_an_emergency_call_stays_where_it_is() -> None:
    async def scenario(scene: Scene) -> None:
        john = scene.john.calls("112", *JOHN)
        far = (await scene.trunk.expects_call()).rings().answers().speaks()
        await john.told(200)
        await asyncio.sleep(1)
        john.refers(LOCAL)
        await john.reported(403)
        far.hangs_up()
        await scene.over()

    run(scenario)


def test_transfers_without_end_come_to_one() -> None:
    async def scenario(scene: Scene) -> None:
        john = scene.john.calls(MOBILE, *JOHN)
        (await scene.trunk.expects_call()).rings().answers().speaks()
        await john.told(200)
        await asyncio.sleep(1)
        next(iter(scene.world.exchange.live.values())).max_forwards = 1
        john.refers(LOCAL)
        await john.reported(483)
        john.hangs_up()
        await scene.over()

    run(scenario)


@pytest.mark.parametrize("takes", [JOHN, JANE], ids=["another phone of the extension", "a colleague"])
def test_a_phone_takes_a_call_over(takes: tuple[str, str]) -> None:
    """RFC 3891: the dialog it names ends, its far end talks with the new phone."""

    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        phone = Peer(scene.world, ("192.0.2.13", 5060))
        new = phone.calls("", *takes, extra=[("Replaces", john.replaces), ("Require", "replaces")])
        await new.told(200)
        new.speaks()
        await john.left_alone(within_s=1)
        await scene.are_joined(new, mobile)
        late = phone.calls("", *JOHN, extra=[("Replaces", john.replaces)])
        await late.told(603)
        await asyncio.sleep(30)
        new.hangs_up()
        await mobile.left_alone(within_s=1)
        call = (await scene.over())[MOBILE]
        assert (call.charged, len(call.legs)) == (200_000, 3)

    run(scenario)


def test_a_phone_answers_in_the_place_of_one_that_rings() -> None:
    async def scenario(scene: Scene) -> None:
        caller = scene.trunk.calls("5555550000", "5551112222")
        john = (await scene.john.expects_call()).rings()
        await caller.told(180)
        new = scene.jane.calls("", *JANE, extra=[("Replaces", f"{john.replaces_ringing};early-only")])
        await new.told(200)
        new.speaks()
        await caller.told(200)
        caller.speaks()
        await john.left_alone(within_s=1)
        await scene.are_joined(new, caller)
        caller.hangs_up()
        await scene.over()

    run(scenario)


@pytest.mark.parametrize(
    ("who", "value", "status"),
    [
        pytest.param(JOHN, "{john};early-only", 486, id="early-only, and it is answered"),
        pytest.param(JOHN, "nobody;to-tag=1;from-tag=2", 481, id="no such dialog"),
        pytest.param(JOHN, "{john}0", 481, id="another tag"),
        pytest.param(JOHN, "nobody", 400, id="no tags"),
        pytest.param(JOHN, "{mobile}", 403, id="the network's own dialog"),
        pytest.param(EVE, "{john}", 403, id="another account's"),
        pytest.param(None, "{john}", 403, id="from a trunk"),
        pytest.param(JOHN, "{ringing}", 481, id="one that rings us"),
    ],
)
def test_a_call_that_cannot_be_taken_over(who: tuple[str, str] | None, value: str, status: int) -> None:
    async def scenario(scene: Scene) -> None:
        john, mobile = await scene.out()
        ringing = scene.jane.calls(LOCAL, *JANE)
        far = (await scene.trunk.expects_call()).rings()
        await ringing.told(180)
        text = value.format(john=john.replaces, mobile=mobile.replaces, ringing=ringing.replaces_ringing)
        if who is None:
            taking = scene.trunk.calls("5555550000", "5551112222", extra=[("Replaces", text)])
        else:
            taking = Peer(scene.world, ("192.0.2.13", 5060)).calls("", *who, extra=[("Replaces", text)])
        await taking.told(status)
        far.refuses(486)
        await scene.are_joined(john, mobile)
        john.hangs_up()
        await scene.over()

    run(scenario)


def test_keys_and_hold_go_on_through_a_transfer() -> None:
    """John puts the caller on hold, sends him to Jane; keys pass both ways, and Jane can hold him again."""

    async def scenario(scene: Scene) -> None:
        john, caller = await scene.came_in()
        assert await john.offers(b"a=sendonly") == 200
        john.refers("001*003", *JOHN)
        jane = (await scene.jane.expects_call()).rings()
        await caller.until(lambda: len(caller.heard) > 4000)  # it rings
        jane.answers().speaks()
        await scene.are_joined(caller, jane)
        caller.presses("12")
        jane.presses("34")
        await asyncio.sleep(3)
        assert (jane.keys, caller.keys) == ("12", "34")
        assert await jane.offers(b"a=inactive") == 200
        await asyncio.sleep(0.5)
        jane.heard.clear()
        await asyncio.sleep(2)
        assert len(jane.heard) == 0
        assert await jane.offers(b"a=sendrecv") == 200
        await scene.are_joined(caller, jane)
        caller.hangs_up()
        await scene.over()

    run(scenario)
