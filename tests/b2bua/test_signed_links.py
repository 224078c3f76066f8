"""Signed links, from the page to the end of the call, on the virtual clock (SPEC A12.7)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from unittest.mock import ANY

import pytest
from sqlalchemy import Connection, select, update

from b2bua.desk import (
    Accepted,
    Holder,
    KeyRotation,
    LinkPass,
    LinkView,
    MadeLink,
    NewBlocked,
    NewLink,
    NotDone,
    Refused,
    RotatedKey,
    Stage,
    VisitorRequest,
)
from b2bua.links.signed_links import wanted_number
from b2bua.office.office import BackOffice
from b2bua.plan.apply import apply, parse
from b2bua.rules.admission import NOT_AVAILABLE
from store.database import connect
from store.directory import raise_version
from store.tables import callnow, links
from store.values import DialPlan
from tests.b2bua.test_callnow import john
from tests.b2bua.test_callnow_rules import OTHER_PAGE, rules
from tests.plans import fixture
from tests.world import T1, Far, Peer, World, given_up_at_once, play

OPERATOR, CLIENT = Holder("operator", None), Holder("client", 1)
IP, OTHER_IP = "198.51.100.7", "203.0.113.9"
EVEN_ON_PHONE = ('id = "john_doe"', 'id = "john_doe"\nreject_while_on_phone = false')
BAD = "This link does not work. Please ask whoever gave it to you for a new one."


def office(world: World) -> BackOffice:
    return BackOffice(world.database, world.wall, base_url="http://test")  # type: ignore[arg-type]


async def made(world: World, extension: str = "001*002", **new: object) -> MadeLink:
    return await office(world).make_link(OPERATOR, extension, NewLink(**new))  # type: ignore[arg-type]


def token_of(link: MadeLink) -> str:
    return link.url.rpartition("link=")[2]


async def ask(
    world: World, token: str, *, number: str = "", name: str = "Mary", page: str = "john_doe", ip: str = IP
) -> Accepted | Refused:
    """Press the button of a link's page."""
    return await world.desk.request_call(VisitorRequest(page, name, number, "", ip, link=token))


async def refusal(world: World, token: str, **more: str) -> tuple[str, int, str]:
    answer = await ask(world, token, **more)
    assert isinstance(answer, Refused), answer
    return answer.reason, answer.status, answer.sentence


async def listed(world: World, extension: str = "001*002") -> Sequence[LinkView]:
    return await office(world).links(OPERATOR, extension)


async def left(world: World) -> list[tuple[str, int]]:
    """State and uses left of each link, newest first."""
    return [(row.state, row.left) for row in await listed(world)]


async def rung_out(phone: Peer) -> Far:
    """The owner's phone rings, and is busy."""
    return (await phone.expects_call()).refuses(486)


def test_a_link_calls_its_own_number_and_no_other() -> None:
    async def scenario(world: World) -> None:
        phone, trunk = await john(world), Peer(world, T1)
        link = await made(world, number="(555) 123-4567", name="Mary Poe", uses=2)
        assert await world.desk.open_link("john_doe", token_of(link), IP) == LinkPass("Mary Poe", "67")
        assert await refusal(world, token_of(link), number="5559999999") == (
            "signed-link-other-number", 422, "This link is for one telephone number, and for no other.",
        )  # fmt: skip
        assert (await refusal(world, token_of(link), number="rubbish"))[0] == "signed-link-other-number"
        answer = await ask(world, token_of(link), number="+1 555 123 4567", name="Somebody")
        assert isinstance(answer, Accepted)
        assert world.desk.visitor_status(answer.token).number == "•••67", "whoever holds the link need not know more"
        owner = (await phone.expects_call()).rings()
        assert owner.shown() == ("Mary Poe", "5551234567")
        owner.answers()
        await owner.hears("confirm")
        owner.presses("1")
        visitor = (await trunk.expects_call()).rings().answers()
        assert visitor.request is not None
        assert visitor.request.uri.user == "5551234567"
        visitor.hangs_up()
        await world.over()
        assert await left(world) == [("open", 1)]
        newest, *refused = world.requests()
        assert (newest.reason, newest.number, newest.link) == ("talked", "5551234567", link.link.id)
        assert {row.reason for row in refused} == {"signed-link-other-number"}
        (row,) = await listed(world)
        assert row.last_used >= row.made
        told = await office(world).stories(OPERATOR, "555-123-4567")
        assert [story.source for story in told if story.reason == "talked"] == [
            f"{IP}, Mary Poe, signed link {link.link.id}",
        ]

    play(scenario, fixture())


def test_a_link_without_a_number_takes_the_visitors() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        link = await made(world)
        assert await world.desk.open_link("john_doe", token_of(link), IP) == LinkPass()
        answer = await ask(world, token_of(link), number="5551112222")
        assert isinstance(answer, Accepted)
        assert world.desk.visitor_status(answer.token).number == "5551112222"
        assert (await rung_out(phone)).shown() == ("Mary", "5551112222")
        await world.over()
        assert await left(world) == [("used-up", 0)]
        await asyncio.sleep(31)
        used_up = "signed-link-used-up", 410, "This link has been used already."
        assert await refusal(world, token_of(link), number="5551112222") == used_up
        assert await refusal(world, token_of(link), number="112") == ("number-refused", 422, ANY)
        await office(world).block_number(CLIENT, NewBlocked("5551112222", "001*002"))
        assert await refusal(world, token_of(link), number="5551112222") == used_up
        opened = await world.desk.open_link("john_doe", token_of(link), IP)
        assert isinstance(opened, Refused)
        assert (opened.reason, opened.status, opened.sentence) == used_up
        assert phone.invited == 1

    play(scenario, fixture())


def test_two_clicks_at_once_on_a_link_of_one_use_place_one_call() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = token_of(await made(world))
        answers = await asyncio.gather(
            ask(world, token, number="5551112222"), ask(world, token, number="5553334444", ip=OTHER_IP)
        )
        (accepted,) = [each for each in answers if isinstance(each, Accepted)]
        (refused,) = [each for each in answers if isinstance(each, Refused)]
        assert refused.reason == "signed-link-used-up"
        await rung_out(phone)
        await world.over()
        assert phone.invited == 1
        assert await left(world) == [("used-up", 0)]
        assert world.desk._visitors._calls._at_stake("john_doe") == {}
        # the one that lost is not counted against any limit, nor is its number still being called
        await world.callnow(number="5553334444")
        await rung_out(phone)
        await world.over()
        assert world.desk.visitor_status(accepted.token).stage is Stage.NOT_AVAILABLE

    play(scenario, fixture(EVEN_ON_PHONE))


def test_two_links_at_once_spend_no_more_than_the_money_of_the_day() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        tokens = [token_of(await made(world, number=number)) for number in ("5551112222", "5553334444")]
        answers = await asyncio.gather(ask(world, tokens[0]), ask(world, tokens[1], ip=OTHER_IP))
        (refused,) = [each for each in answers if isinstance(each, Refused)]
        assert refused.reason == "link-money-today"
        await rung_out(phone)
        await world.over()
        assert sorted(await left(world)) == [("open", 1), ("used-up", 0)]

    play(scenario, fixture((EVEN_ON_PHONE[0], f'{EVEN_ON_PHONE[1]}\nmoney_a_day = "0.12"')))


def test_the_links_of_an_extension_go_with_it() -> None:
    async def scenario(world: World) -> None:
        token = token_of(await made(world, "001*003", number="5551112222"))
        with connect(world.url).begin() as conn:
            said = apply(conn, parse(fixture(), "plan.toml"), world.wall(), "http://test", lambda: "0" * 16)
        assert "removed   extension 001*003" in said
        assert world.read(lambda conn: conn.execute(select(links.c.id)).all()) == []
        assert (await refusal(world, token))[0] == "signed-link-forged"

    play(scenario, fixture() + OTHER_PAGE)


def test_a_click_repeated_within_30_s_is_one_request_though_the_link_is_used_up() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = token_of(await made(world, number="5551112222"))
        first, second = await asyncio.gather(ask(world, token), ask(world, token))
        await asyncio.sleep(5)
        assert first == second == await ask(world, token)
        await rung_out(phone)
        await world.over()
        assert phone.invited == 1
        assert len(world.requests()) == 1

    play(scenario, fixture())


def test_a_refused_request_uses_nothing_and_every_rule_of_the_page_holds() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        await office(world).block_number(CLIENT, NewBlocked("5550000001", "001*002"))
        token = token_of(await made(world, uses=5))
        for number, name, reason, status in (
            ("5550000001", "Mary", "number-blocked", 409),
            ("5551112222", "Bob", "refused-by-rule", 409),
            ("5551112222", " ", "name-required", 422),
            ("112", "Mary", "number-refused", 422),
            ("", "Mary", "number-empty", 422),
            ("8881112222", "Mary", "no-rate", 422),
        ):
            assert (await refusal(world, token, number=number, name=name))[:2] == (reason, status), number
        assert await left(world) == [("open", 5)]
        for number in ("5551110001", "5551110002", "5551110003"):
            assert isinstance(await ask(world, token, number=number), Accepted)
            await rung_out(phone)
            await world.over()
        assert (await refusal(world, token, number="5551110004"))[0] == "ip-numbers"
        assert await left(world) == [("open", 2)]

    play(scenario, fixture(rules('{do = "refuse", name = "bob"}')))


def test_nobody_rung_is_no_use() -> None:
    """The phone is gone when its turn comes: registered when it was asked for, not when it was to ring."""

    async def scenario(world: World) -> None:
        phone = await john(world)
        token = token_of(await made(world))
        world.database.takes_s = 1
        asked = asyncio.create_task(ask(world, token, number="5551112222"))
        await asyncio.sleep(2.1)  # the request is judged; its use is being written
        assert await phone.register("001*002", "secret", expires=0) == 200
        assert isinstance(await asked, Accepted)
        await world.over()
        assert [row.reason for row in world.requests()] == ["offline"]
        assert await left(world) == [("open", 1)]
        assert phone.invited == 0

    play(scenario, fixture())


def test_a_call_given_up_before_it_begins_is_no_use_and_has_one_record() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        link = token_of(await made(world))
        with given_up_at_once(world):
            assert isinstance(await ask(world, link, number="5551112222"), Accepted)
        await world.over()
        assert [row.reason for row in world.requests()] == ["cancelled"]
        assert world.exchange.unsettled == {}
        assert await left(world) == [("open", 1)]
        assert phone.invited == 0

    play(scenario, fixture())


def test_two_links_at_the_same_moment_ring_a_phone_once() -> None:
    """SPEC 17: while a use of the one is counted, its call is as good as begun."""
    async def scenario(world: World) -> None:
        phone = await john(world)
        links = [token_of(await made(world)) for _ in range(2)]
        answers = await asyncio.gather(*(
            ask(world, link, number=f"555111222{n}", ip=f"198.51.100.{n}") for n, link in enumerate(links)
        ))
        assert [answer.reason for answer in answers if isinstance(answer, Refused)] == ["on-phone"]
        (await phone.expects_call()).refuses(486)
        await world.over()
        assert phone.invited == 1

    play(scenario, fixture())


def test_who_looks_ahead_leaves_no_record() -> None:
    async def scenario(world: World) -> None:
        link = await made(world, number="5551112222")
        await office(world).revoke_link(OPERATOR, "001*002", link.link.id)
        for ip, records in (("", 0), (IP, 1)):
            answer = await world.desk.open_link("john_doe", token_of(link), ip)
            await asyncio.sleep(1)
            assert isinstance(answer, Refused)
            assert (answer.reason, len(world.requests())) == ("signed-link-revoked", records)

    play(scenario, fixture())


def test_each_end_of_a_link_has_its_reason_and_strangers_learn_nothing() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        desk = office(world)
        kinds = ("revoked", "expired", "other")
        out = {name: await made(world, number="5551112222", label=name) for name in kinds}
        await desk.revoke_link(CLIENT, "001*002", out["revoked"].link.id)
        good = token_of(out["other"])
        forged = good[:-1] + ("A" if good[-1] != "A" else "B")
        assert await refusal(world, token_of(out["revoked"])) == (
            "signed-link-revoked", 410, "This link has been withdrawn.",
        )  # fmt: skip
        assert await refusal(world, good, page="jane") == ("signed-link-other-page", 403, BAD)
        assert await refusal(world, forged) == ("signed-link-forged", 403, BAD)
        world.clock_set_s += 168 * 3600
        assert await refusal(world, token_of(out["expired"])) == (
            "signed-link-expired", 410, "This link has expired.",
        )  # fmt: skip
        fresh = token_of(await made(world, number="5551112222"))
        assert await desk.rotate_link_key(OPERATOR, KeyRotation()) == RotatedKey(1)
        assert await refusal(world, fresh) == ("signed-link-key-rotated", 403, BAD)
        await asyncio.sleep(1)  # it is posted
        assert [(row.reason, row.extension, row.number, row.link) for row in reversed(world.requests())] == [
            ("signed-link-revoked", "001*002", "5551112222", out["revoked"].link.id),
            ("signed-link-other-page", "001*003", "5551112222", out["other"].link.id),
            ("signed-link-forged", "001*002", "", ""),
            ("signed-link-expired", "001*002", "5551112222", out["expired"].link.id),
            ("signed-link-key-rotated", "001*002", "", ""),
        ]
        assert phone.invited == 0

    play(scenario, fixture() + OTHER_PAGE)


def test_links_of_an_older_key_stay_where_they_are_kept() -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        old = token_of(await made(world, number="5551112222"))
        assert await office(world).rotate_link_key(OPERATOR, KeyRotation(keep_links=True)) == RotatedKey(0)
        new = token_of(await made(world, number="5553334444"))
        assert old[:3] != new[:3], "the number of the key"
        for token in (old, new):
            assert isinstance(await ask(world, token), Accepted)
            await rung_out(phone)
            await world.over()

    play(scenario, fixture())


@pytest.mark.parametrize("opened", [True, False])
def test_a_link_of_a_page_that_is_switched_off_is_the_one_404_and_the_owner_can_see_it(opened: bool) -> None:
    async def scenario(world: World) -> None:
        token = token_of(await made(world, number="5551112222"))
        await world.exchange.database.run(_off)
        await asyncio.sleep(2)
        answer = await (world.desk.open_link("john_doe", token, IP) if opened else ask(world, token))
        stranger = await ask(world, token[:-1] + "?")
        assert answer == stranger == await ask(world, "", number="5551112222")
        assert isinstance(answer, Refused)
        assert (answer.reason, answer.status) == ("unknown-page", 404)
        assert [(row.reason, row.extension, row.number) for row in world.requests()] == [
            ("unknown-page", "001*002", "5551112222"),
        ]

    play(scenario, fixture())


def _off(conn: Connection) -> None:
    conn.execute(update(callnow).values(enabled=False))
    raise_version(conn)


def test_a_link_is_made_only_for_a_page_and_a_number_that_it_may_call() -> None:
    async def scenario(world: World) -> None:
        desk = office(world)
        for new, field in (
            (NewLink(number="112"), "number"), (NewLink(number="001*002"), "number"), (NewLink(uses=0), "uses"),
            (NewLink(valid_hours=0), "valid_hours"), (NewLink(name="Mary\r\n"), "name"),
            (NewLink(label="x" * 81), "label"), (NewLink(number="5559991111"), "number"),
        ):  # fmt: skip
            with pytest.raises(NotDone) as refused:
                await desk.make_link(OPERATOR, "001*002", new)
            assert refused.value.field == field
        with pytest.raises(NotDone, match="no CallNow page"):
            await desk.make_link(OPERATOR, "001*900", NewLink())
        with pytest.raises(NotDone, match="only the operator"):
            await desk.rotate_link_key(CLIENT, KeyRotation())
        assert await listed(world) == []

    play(scenario, fixture(('id = "john_doe"', 'id = "john_doe"\nforbidden = ["555999"]')))


def test_the_worst_case_is_told_when_a_link_is_made() -> None:
    async def scenario(world: World) -> None:
        link = await made(world, number="5551112222", uses=3)
        assert link.worst_case == "0.36 USD"
        assert link.warning == (
            "Whoever has this link places calls without image validation, and the owner WILL be charged for them. "
            "Worst case 0.36 USD (3 calls of 3600 s to 5551112222)."
        )
        assert link.one_step_url.endswith("&now=1")
        dear = await made(world, uses=1000)
        assert dear.warning.endswith(", ended by the account's 100.00 USD.")
        assert not dear.one_step_url.endswith("&now=1")

    play(scenario, fixture())


def test_no_token_is_in_any_log_or_record(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(world: World) -> None:
        phone = await john(world)
        token = token_of(await made(world, number="5551112222"))
        assert isinstance(await ask(world, token), Accepted)
        await rung_out(phone)
        await world.over()
        await asyncio.sleep(31)
        await refusal(world, token)
        await refusal(world, token[:-1] + "?")
        assert token not in repr(VisitorRequest("john_doe", "", "", "", IP, link=token))
        kept = world.read(lambda conn: "\n".join(conn.connection.iterdump()))  # type: ignore[attr-defined]
        assert "5551112222" in kept
        assert token not in kept
        assert caplog.text
        assert token not in caplog.text

    caplog.set_level(logging.DEBUG)
    play(scenario, fixture())


def test_a_database_that_does_not_answer_refuses_and_uses_nothing() -> None:
    async def scenario(world: World) -> None:
        await john(world)
        token = token_of(await made(world))
        world.database.broken = True
        assert (await refusal(world, token, number="5551112222"))[1:] == (409, NOT_AVAILABLE)
        world.database.broken = False
        assert await left(world) == [("open", 1)]
        assert isinstance(await ask(world, token, number="5551112222"), Accepted)

    play(scenario, fixture())


# --- what is pure

PLAN = DialPlan(mode="as-dialled", strip=("+1",), refused=("112",))


@pytest.mark.parametrize(("typed", "fixed", "wanted"), [
    pytest.param("555-111-2222", "", "5551112222", id="the visitor's"),
    pytest.param("", "5551112222", "5551112222", id="the link's"),
    pytest.param(" ", "5551112222", "5551112222", id="blanks say nothing"),
    pytest.param("+1 555 111 2222", "5551112222", "5551112222", id="the same in other words"),
    pytest.param("5551112223", "5551112222", "signed-link-other-number", id="another"),
    pytest.param("555x", "5551112222", "signed-link-other-number", id="no number at all"),
    pytest.param("", "112", "number-refused", id="the dial plan of today holds for the link's own"),
    pytest.param("", "", "number-empty", id="none"),
])  # fmt: skip
def test_wanted_number(typed: str, fixed: str, wanted: str) -> None:
    found = wanted_number(VisitorRequest("p", "", typed, "", IP), PLAN, frozenset(), fixed)
    assert (found.reason if isinstance(found, Refused) else found) == wanted
