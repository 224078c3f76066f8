"""Why, or why not: what is told of a number after real calls, in any notation, and to whom (SPEC A12.5)."""

from __future__ import annotations

import asyncio

import pytest

from b2bua.desk import Holder, Refused, StoryView, VisitorRequest
from b2bua.office.stories import forms, stories
from b2bua.trace.call_ladder import kept_ladder, live_ladder
from store import journal, ledger
from store.values import DialPlan, Micros, Rate
from tests.callback import CALLER, CB, MOBILE, Caller, callback_plan
from tests.plans import fixture
from tests.world import PHONE, T1, Peer, World, play

OPERATOR = Holder("operator", None)
VISITOR = "5555555555"


async def talked(world: World, seconds: float, number: str = VISITOR) -> None:
    """One CallNow call, with so much talk."""
    phone, trunk = Peer(world, PHONE), Peer(world, T1)
    assert await phone.register("001*002", "secret") == 200
    await world.callnow(number=number)
    owner = (await phone.expects_call()).rings().answers()
    await owner.hears("confirm")
    owner.presses("1")
    visitor = (await trunk.expects_call()).rings().answers().speaks()
    owner.speaks()
    await asyncio.sleep(seconds)
    visitor.hangs_up()
    await world.over()


async def turned_away(world: World, number: str) -> None:
    """A request that is no call, written down."""
    answer = await world.desk.request_call(VisitorRequest("john_doe", "Mary", number, "", "198.51.100.7"))
    assert isinstance(answer, Refused)
    await asyncio.sleep(2)  # refusals are posted, and written together


def told(world: World, number: str = VISITOR, who: Holder = OPERATOR, *, ladder: bool = False) -> list[StoryView]:
    return world.read(lambda conn: stories(conn, who, number, ladder=ladder))


def test_a_call_is_told_with_its_legs_and_its_cost_line_by_line() -> None:
    async def scenario(world: World) -> list[StoryView]:
        await talked(world, 31, "0412345678")
        return told(world, "0412345678")

    (story,) = play(scenario, fixture())
    assert (story.kind, story.reason, story.extension, story.cost) == ("callnow", "talked", "001*002", "0.20 USD")
    assert story.sentence == "They talked, and one of them hung up."
    owner, visitor = story.legs
    assert (owner.called, owner.cost, owner.cost_lines) == ("001*002", "0.00 USD", [])
    assert (visitor.called, visitor.party, visitor.cost) == ("0412345678", "R1", "0.20 USD")
    assert visitor.cost_lines == ["first 30 s: 0.10", "1 x 30 s begun: 0.10", "total: 0.20 USD"]


@pytest.mark.parametrize("typed", [
    "5555555555", "555-555-5555", "(555) 555 5555", "+15555555555", "+1 555.555.5555", " 5555555555 ",
])  # fmt: skip
def test_a_number_is_found_in_any_notation(typed: str) -> None:
    async def scenario(world: World) -> list[StoryView]:
        await talked(world, 1)
        return told(world, typed)

    (story,) = play(scenario, fixture())
    assert story.called == VISITOR


def test_a_refused_request_is_told_with_its_reason_and_no_call() -> None:
    async def scenario(world: World) -> list[StoryView]:
        await turned_away(world, VISITOR)  # no phone is registered
        return told(world)

    (story,) = play(scenario, fixture())
    assert (story.reason, story.sentence) == ("offline", "No phone of the extension was registered.")
    assert (story.call_id, story.legs, story.cost) == ("", [], "0.00 USD")
    assert "Mary" in story.source


def test_a_plain_call_has_no_request_and_is_told_by_itself_and_by_extension() -> None:
    async def scenario(world: World) -> tuple[list[StoryView], list[StoryView]]:
        phone, trunk = Peer(world, PHONE), Peer(world, T1)
        assert await phone.register("001*002", "secret") == 200
        phone.calls("0412345678", user="001*002", password="secret")
        far = (await trunk.expects_call()).rings().answers()
        await asyncio.sleep(3)
        far.hangs_up()
        await world.over()
        await asyncio.sleep(2)
        return told(world, "0412345678"), told(world, "001*002")

    by_number, by_extension = play(scenario, fixture())
    assert [(story.kind, story.reason, story.cost) for story in by_number] == [("outbound", "talked", "0.10 USD")]
    assert by_extension == by_number


def test_newest_first_and_no_more_than_asked_for() -> None:
    async def scenario(world: World) -> list[list[str]]:
        await talked(world, 1)
        await asyncio.sleep(60)
        await turned_away(world, "911911")
        await asyncio.sleep(60)
        await talked(world, 1, "0412345678")
        every = told(world, "001*002")
        few = world.read(lambda conn: stories(conn, OPERATOR, "001*002", limit=1))
        return [[story.called for story in some] for some in (every, few)]

    every, few = play(scenario, fixture())
    assert every == ["0412345678", "911911", VISITOR]
    assert few == every[:1]


def test_an_account_is_told_of_its_own_extensions_only() -> None:
    async def scenario(world: World) -> tuple[list[StoryView], list[StoryView]]:
        await talked(world, 1)
        return told(world, who=Holder("mine", 1)), told(world, who=Holder("theirs", 2))

    mine, theirs = play(scenario, fixture())
    assert (len(mine), theirs) == (1, [])


def test_whom_a_call_back_called_is_found_too() -> None:
    async def scenario(world: World) -> list[StoryView]:
        await talked(world, 1)
        call_id = told(world)[0].call_id
        paid = {"call_id": call_id, "leg": "pstn-2", "account_id": 1, "amount": Micros(0), "at": 0.0, "rate": Rate()}
        await world.database.run(lambda conn: ledger.place_hold(conn, **paid, number="0498765432"))  # type: ignore[arg-type]
        found = told(world, "0498765432")
        await world.database.run(lambda conn: ledger.settle_after_crash(conn, 0.0))
        return found

    (story,) = play(scenario, fixture())
    assert (story.reason, story.called) == ("talked", VISITOR)
    assert "Mary" in story.source


@pytest.mark.parametrize("typed", [CALLER, MOBILE, CB, "001*900"])
def test_a_call_back_is_told_with_all_its_legs_and_found_by_every_number_of_it(typed: str) -> None:
    async def scenario(world: World) -> list[StoryView]:
        back, far = await Caller(world).talks()
        await asyncio.sleep(31)
        far.hangs_up()
        await back.hears("dial-number")
        back.hangs_up()
        await world.over()
        return told(world, typed, ladder=True)

    (story,) = play(scenario, callback_plan())
    assert (story.kind, story.reason, story.caller, story.called) == ("callback", "talked", CALLER, MOBILE)
    assert (story.cost, story.source) == ("0.32 USD", "R1, 192.0.2.21")
    trigger, back, far = story.legs
    assert (trigger.direction, trigger.caller, trigger.status, trigger.cost_lines) == ("in", CALLER, 486, [])
    assert (back.called, back.cost_lines) == (CALLER, ["connection fee: 0.12", "total: 0.12 USD"])
    assert (far.called, far.cost_lines) == (MOBILE, [
        "first 30 s: 0.10", "1 x 30 s begun: 0.10", "total: 0.20 USD",
    ])  # fmt: skip
    assert [row.title for row in story.ladder[:3]] == ["INVITE", "180 Ringing", "486 Busy Here"]


def test_a_talk_cut_at_the_end_of_the_credit_tells_all_of_it() -> None:
    async def scenario(world: World) -> list[StoryView]:
        await Caller(world).talks()
        await world.over()
        return told(world, MOBILE)

    (story,) = play(scenario, callback_plan('pay_call_back = "no"', credit="0.30"))
    assert (story.reason, story.cost) == ("credit-spent", "0.30 USD")
    assert story.legs[2].cost_lines == ["first 30 s: 0.10", "2 x 30 s begun: 0.20", "total: 0.30 USD"]


def test_a_trigger_that_is_not_called_back_tells_why_with_its_ladder() -> None:
    async def scenario(world: World) -> list[StoryView]:
        await Caller(world).rings("5552222222").told(486)
        await world.over()
        return told(world, "5552222222", ladder=True)

    (story,) = play(scenario, callback_plan())
    assert (story.reason, story.sentence) == ("unknown-caller", "The number is not among the authorised CallerIDs.")
    assert "486 Busy Here" in [row.title for row in story.ladder]


@pytest.mark.parametrize("typed", ["001*900", "001900"])
def test_the_triggers_of_a_callback_number_are_found_by_it(typed: str) -> None:
    async def scenario(world: World) -> list[StoryView]:
        record = journal.RequestRecord("t", 0.0, "", "001*900", reason="hidden-callerid", kind="callback", trunk="T1")
        await world.database.run(lambda conn: journal.open_request(conn, record))
        return told(world, typed)

    (story,) = play(scenario, fixture())
    assert (story.caller, story.sentence) == ("", "The caller hid the number.")


def test_an_extension_that_is_gone_is_told_of_to_the_operator_only() -> None:
    async def scenario(world: World) -> list[int]:
        record = journal.RequestRecord("t", 0.0, "", "001*777", number=VISITOR, reason="hidden-callerid")
        await world.database.run(lambda conn: journal.open_request(conn, record))
        return [len(told(world)), len(told(world, who=Holder("mine", 1)))]

    assert play(scenario, fixture()) == [1, 0]


def test_a_trigger_is_told_from_its_caller_to_the_callback_number() -> None:
    async def scenario(world: World) -> list[StoryView]:
        record = journal.RequestRecord(
            "t", 0.0, "", "001*900", "Mary", VISITOR, "192.0.2.21", "unknown-caller", kind="callback", trunk="T1",
        )  # fmt: skip
        await world.database.run(lambda conn: journal.open_request(conn, record))
        return told(world)

    (story,) = play(scenario, fixture())
    assert (story.kind, story.caller, story.called) == ("callback", VISITOR, "001*900")
    assert (story.source, story.sentence) == (
        "T1, 192.0.2.21, Mary", "The number is not among the authorised CallerIDs.",
    )  # fmt: skip


def test_the_kept_ladder_comes_when_it_is_asked_for() -> None:
    async def scenario(world: World) -> tuple[list[StoryView], list[StoryView]]:
        await talked(world, 1)
        call_id = told(world)[0].call_id
        row = {"n": 0, "at_s": 0.5, "kind": "sip", "source": 1, "target": 2, "title": "INVITE", "text": "INVITE sip:"}
        await world.database.run(lambda conn: journal.write_ladder(conn, call_id, 0.0, [row]))
        return told(world), told(world, ladder=True)

    (without,), (with_it,) = play(scenario, fixture())
    assert without.ladder == []
    assert [(row.title, row.target) for row in with_it.ladder] == [("INVITE", 2)]


def test_two_equal_legs_are_not_paid_for_by_one_hold() -> None:
    async def scenario(world: World) -> list[list[str]]:
        await talked(world, 31, "0412345678")
        call_id = told(world, "0412345678")[0].call_id
        leg = journal.LegRecord(call_id, 2, "out", 0.0, "", "0412345678", answered=1.0, talk_ms=31_000,
                                cost=Micros(200_000))  # fmt: skip
        await world.database.run(lambda conn: conn.execute(journal.INSERT_LEG, journal.row(leg)))
        return [list(leg.cost_lines) for leg in told(world, "0412345678")[0].legs]

    assert sorted(map(len, play(scenario, fixture()))) == [0, 0, 3]


@pytest.mark.parametrize(("typed", "found"), [
    ("+1 (555) 111-1111", {"+1 (555) 111-1111", "15551111111", "+15551111111", "5551111111", "+5551111111",
                           "0015551111111", "01115551111111"}),
    ("020 7946 0018", {"020 7946 0018", "02079460018", "+02079460018", "+442079460018"}),
    ("001*900", {"001*900"}),
])  # fmt: skip
def test_forms_of_a_number(typed: str, found: set[str]) -> None:
    plans = [DialPlan(mode="as-dialled", strip=("+1",)), DialPlan(country="GB")]
    assert set(forms(typed, plans)) == found


@pytest.mark.parametrize(("who", "seen"), [(OPERATOR, True), (Holder("client", 1), False)])
@pytest.mark.parametrize(("called", "plan"), [
    pytest.param("5555550000", fixture(), id="a call in"),
    pytest.param(CB, callback_plan('return_to = "fixed"\nfixed_number = "5551234567"\npassword = "4321"'),
                 id="a callback number"),
])  # fmt: skip
def test_who_hid_himself_is_known_to_the_operator_alone(called: str, plan: str, who: Holder, seen: bool) -> None:
    """Not by the legs, the ladder in memory, the one that is kept, nor the name that came with the number."""

    async def scenario(world: World) -> str:
        phone, trunk = Peer(world, PHONE), Peer(world, T1)
        await phone.register("001*002", "secret")
        caller = trunk.calls(called, "5551111111", display="Mallory", extra=[("Privacy", "id")])
        far = await (phone if called != CB else trunk).expects_call()
        far.refuses(486)
        await caller.left_alone()
        call = await world.over()
        await asyncio.sleep(2)
        live, kept = live_ladder(world.exchange, who, call.id), world.read(lambda conn: kept_ladder(conn, who, call.id))
        assert live is not None
        assert "INVITE" in [row.title for row in live.rows]
        story = told(world, call.extension.number if call.extension else "", who, ladder=True)[0]
        assert story.call_id == call.id
        return f"{live}{kept}{story}"

    everything = play(scenario, plan)
    assert ("5551111111" in everything) is seen
    assert ("Mallory" in everything) is seen
