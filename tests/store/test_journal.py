"""Requests, calls and legs are written once and found again by number."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from store import journal
from store.database import Database
from store.journal import CallRecord, LegRecord, RequestRecord
from store.values import Micros

CALL = CallRecord("c1", "callnow", None, 10.0, "001*002", "001*002", "5551", 40.0, "talked", 20_000, Micros(7), "USD")
OTHER = CallRecord("c2", "inbound", None, 20.0, "001*003", "5559", "001*003")
PHONE = LegRecord("c1", 0, "out", 11.0, "5551", "001*002", "001*002", 12.0, 40.0, 200, "", 28_000)
PSTN = LegRecord("c1", 2, "out", 13.0, "5550", "5551", "R1", 20.0, 40.0, 200, "BYE", 20_000, Micros(7))


def asked(token: str, at: float, number: str = "5551", cost: int = 0, reason: str = "") -> RequestRecord:
    return RequestRecord(token, at, "john_doe", "001*002", "Mary", number, "192.0.2.9", reason, "c1", Micros(cost))


def test_a_call_and_its_legs(conn: Connection) -> None:
    journal.write_call(conn, CALL, [PSTN, PHONE])
    journal.write_call(conn, OTHER, [])
    assert (journal.find_call(conn, "c1"), journal.find_call(conn, "c9")) == (CALL, None)
    assert (journal.legs_of(conn, "c1"), journal.legs_of(conn, "c2")) == ([PHONE, PSTN], [])
    assert journal.recent_calls(conn) == [OTHER, CALL]
    assert journal.recent_calls(conn, limit=1) == [OTHER]


def test_calls_of_a_number_or_extension(conn: Connection) -> None:
    journal.write_call(conn, CALL, [])
    journal.write_call(conn, OTHER, [])
    found = {number: journal.calls_of(conn, number) for number in ("5551", "5559", "001*003", "001*002", "9")}
    assert found == {"5551": [CALL], "5559": [OTHER], "001*003": [OTHER], "001*002": [CALL], "9": []}


async def test_records_go_through_the_batched_insert(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/ringback.db")
    database.post(journal.INSERT_CALL, [journal.row(CALL)])
    database.post(journal.INSERT_LEG, [journal.row(PHONE), journal.row(PSTN)])
    database.post(journal.INSERT_REQUEST, [journal.row(asked("t", 1.0))])
    await database.close()
    again = await Database.open(f"sqlite:///{tmp_path}/ringback.db")
    assert await again.read(lambda conn: journal.find_call(conn, "c1")) == CALL
    assert await again.read(lambda conn: journal.legs_of(conn, "c1")) == [PHONE, PSTN]
    assert await again.read(lambda conn: journal.requests_of(conn, "5551")) == [asked("t", 1.0)]
    await again.close()


def test_a_request_ends_in_exactly_one_reason(conn: Connection) -> None:
    journal.open_request(conn, asked("t", 1.0))
    journal.close_request(conn, "t", "talked", Micros(5), 9.0)
    journal.close_request(conn, "t", "cancelled", Micros(6), 10.0)
    request, = journal.requests_of(conn, "5551")
    assert (request.reason, request.cost, request.ended) == ("talked", 5, 9.0)


def test_only_open_requests_are_ended_after_a_crash(conn: Connection) -> None:
    journal.open_request(conn, asked("t1", 1.0))
    journal.open_request(conn, asked("t2", 2.0, reason="paused"))
    journal.close_open_requests(conn, 9.0)
    reasons = [(each.token, each.reason, each.ended) for each in journal.requests_of(conn, "5551")]
    assert reasons == [("t2", "paused", None), ("t1", journal.RESTARTED, 9.0)]


def test_requests_by_time_and_number(conn: Connection) -> None:
    for token, at, number in (("t1", 1.0, "5551"), ("t2", 2.0, "5552"), ("t3", 3.0, "5551")):
        journal.open_request(conn, asked(token, at, number))
    assert [each.token for each in journal.recent_requests(conn, 2.0)] == ["t3", "t2"]
    assert [each.token for each in journal.requests_of(conn, "5551")] == ["t3", "t1"]
    assert [each.token for each in journal.requests_of(conn, "5551", limit=1)] == ["t3"]


def test_what_a_link_has_cost(conn: Connection) -> None:
    for token, at, cost in (("t1", 1.0, 100), ("t2", 2.0, 20), ("t3", 3.0, 3)):
        journal.open_request(conn, asked(token, at, cost=cost))
    assert (journal.spent_since(conn, "john_doe", 2.0), journal.spent_since(conn, "jane", 0.0)) == (23, 0)
