"""Refusals of a source are written one by one, then counted and told in one record; so are calls turned away unread."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from b2bua.cli.common import OPERATOR
from b2bua.desk import Holder, Refused, VisitorRequest
from b2bua.office.stories import stories
from b2bua.refusals import MOST, WITHIN_S
from store import journal
from store.errors import StoreError
from tests.plans import fixture
from tests.world import PHONE, T1, Peer, World, play

STRANGER = "198.51.100.66"
PAUSED = fixture(('id = "john_doe"', 'id = "john_doe"\npaused = true'))


async def refused(world: World, times: int, ip: str = STRANGER, page: str = "john_doe") -> None:
    for n in range(times):
        answer = await world.desk.request_call(VisitorRequest(page, "Mary", f"555555{n:04}", "", ip))
        assert isinstance(answer, Refused)


def told(world: World) -> list[tuple[str, str, str, str, int]]:
    """Of each record that stands for several: its reason, whose, and how many."""
    return sorted(
        (row.reason, row.ip, row.trunk, row.extension, row.more) for row in world.requests() if row.more
    )


def written(world: World) -> int:
    return sum(1 for row in world.requests() if not row.more)


def test_so_many_refusals_of_a_source_are_written_and_the_rest_are_counted_in_one_record() -> None:
    async def scenario(world: World) -> None:
        await refused(world, MOST + 5)
        await refused(world, 2, ip="198.51.100.67")
        await asyncio.sleep(11)
        assert (written(world), told(world)) == (MOST + 2, [("more-refused", STRANGER, "", "001*002", 5)])
        await refused(world, 200)
        await asyncio.sleep(11)
        assert (written(world), told(world)) == (MOST + 2, [("more-refused", STRANGER, "", "001*002", 205)])
        await asyncio.sleep(WITHIN_S)
        await refused(world, MOST + 1)
        await asyncio.sleep(11)
        assert (written(world), [row[-1] for row in told(world)]) == (2 * MOST + 2, [1, 205])

    play(scenario, PAUSED)


def test_what_was_counted_is_written_when_the_server_stops_and_told_to_who_asks_why() -> None:
    async def scenario(world: World) -> None:
        await refused(world, MOST + 1)
        await asyncio.sleep(11)
        await refused(world, 2)
        await world.exchange.close()
        for who, asked in ((OPERATOR, "001*002"), (OPERATOR, STRANGER), (Holder("t", 1), "001*002")):
            newest = world.read(lambda conn, who=who, asked=asked: stories(conn, who, asked, limit=40))
            said = [story.sentence for story in newest if story.reason == "more-refused"]
            assert said == ["More from there were refused, too many to be written one by one. So far: 3."]
        assert world.read(lambda conn: stories(conn, Holder("t", 99), STRANGER)) == []

    play(scenario, PAUSED)


def test_a_database_that_fails_for_a_while_loses_no_count() -> None:
    async def scenario(world: World) -> None:
        await refused(world, MOST)
        await asyncio.sleep(1)
        run, broken = world.database.run, True

        async def failing(job: object) -> object:
            if broken:
                raise StoreError("disk full")
            return await run(job)  # type: ignore[arg-type]

        world.database.run = failing  # type: ignore[method-assign, assignment]
        await refused(world, 4)
        await asyncio.sleep(25)
        assert told(world) == []
        broken = False
        await asyncio.sleep(11)
        assert told(world) == [("more-refused", STRANGER, "", "001*002", 4)]

    play(scenario, PAUSED)


def test_a_count_that_is_told_again_is_no_second_record() -> None:
    async def scenario(world: World) -> None:
        row = journal.RequestRecord("t", 1.0, "p", reason=journal.MORE_REFUSED, more=1)
        for more in (1, 1, 7):
            await world.database.run(partial(journal.write_more, rows=[replace(row, more=more)]))
        assert [each.more for each in world.requests()] == [7]

    play(scenario, fixture())


def test_pages_that_are_not_there_count_as_one_of_an_address() -> None:
    async def scenario(world: World) -> None:
        for n in range(15):
            await refused(world, 1, page=f"page{n}", ip=f"2001:db8::{n:x}")
        await asyncio.sleep(11)
        assert (written(world), told(world)) == (10, [("more-refused", "2001:db8::/64", "", "", 5)])

    play(scenario, fixture())


def test_sources_beyond_the_most_are_told_together() -> None:
    async def scenario(world: World) -> None:
        for n in range(130):
            await refused(world, 11, page="nobody", ip=f"198.51.100.{n}")
        await asyncio.sleep(11)
        rows = told(world)
        assert (len(rows), rows[0]) == (101, ("more-refused", "", "", "", 30))
        assert {row[-1] for row in rows[1:]} == {1}

    play(scenario, fixture())


def test_calls_turned_away_unread_are_counted_by_where_they_came_from() -> None:
    async def scenario(world: World) -> None:
        john, trunk, stranger = Peer(world, PHONE), Peer(world, T1), Peer(world, (STRANGER, 5060))
        assert await john.register("001*002", "secret") == 200
        world.exchange.backlog = lambda: 0.75
        for _ in range(3):
            await stranger.calls("5555550000", "5551111111").left_alone(within_s=1)
        for peer in (trunk, john):
            call = await peer.calls("5555550000", "001*002", "secret").left_alone(within_s=1)
            assert call.statuses == [503]
        await asyncio.sleep(11)
        assert told(world) == [
            ("overloaded", PHONE[0], "", "", 1), ("overloaded", T1[0], "R1", "", 1),
            ("overloaded", STRANGER, "", "", 3),
        ]  # fmt: skip
        why = world.read(lambda conn: stories(conn, OPERATOR, "R1"))
        assert [story.sentence for story in why] == [
            "New calls were turned away unread, as this server was behind with its work. So far: 1.",
        ]

    play(scenario, fixture())
