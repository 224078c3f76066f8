"""Requests, calls and legs are written once and found again by number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import Connection, func, select

from store import journal
from store.database import Database
from store.errors import StoreError
from store.journal import CallRecord, LegRecord, RequestRecord
from store.tables import ladders
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


def test_a_request_that_waits_is_dialled_once_for_each_waiting(conn: Connection) -> None:
    journal.open_request(conn, replace(asked("t", 1.0, reason="scheduled"), due=50.0, call_id=""))
    journal.open_request(conn, asked("u", 0.5, reason="talked"))
    assert [each.token for each in journal.waiting_requests(conn)] == ["t"]
    journal.close_open_requests(conn, 40.0)  # a restart
    journal.dial_waiting(conn, "t", "c1", 51.0)
    with pytest.raises(StoreError, match="does not wait"):
        journal.dial_waiting(conn, "t", "c2", 52.0)
    journal.wait_again(conn, "t", journal.PUT_OFF, 90.0, 1, Micros(3))
    request, = journal.waiting_requests(conn)
    assert (request.reason, request.due, request.tries, request.cost, request.call_id) == ("put-off", 90.0, 1, 3, "c1")
    journal.dial_waiting(conn, "t", "c2", 91.0)
    assert journal.waiting_requests(conn) == []
    assert journal.close_request(conn, "t", "talked", Micros(4), 99.0)
    journal.wait_again(conn, "t", journal.PUT_OFF, 120.0, 2, Micros(0))
    request, = (each for each in journal.recent_requests(conn, 80.0) if each.token == "t")
    assert (request.reason, request.due, request.cost, request.call_id) == ("talked", 91.0, 7, "c2")
    for token in ("t", "u"):
        with pytest.raises(StoreError, match="does not wait"):
            journal.dial_waiting(conn, token, "c3", 100.0)


def test_what_a_link_has_cost_counts_from_the_call(conn: Connection) -> None:
    journal.open_request(conn, replace(asked("t", 1.0, cost=5, reason="talked"), due=100.0))
    journal.open_request(conn, asked("u", 90.0, cost=7, reason="talked"))
    journal.open_request(conn, replace(asked("v", 90.0, cost=9, reason="talked"), due=95.0, page_id="jane"))
    assert [journal.spent_since(conn, "john_doe", since) for since in (0.0, 90.0, 91.0, 101.0)] == [12, 12, 5, 0]


def test_how_the_requests_of_a_page_for_a_number_ended(conn: Connection) -> None:
    for n, (reason, number) in enumerate([("talked", "5551"), ("busy", "5551"), ("visitor-busy", "5552"),
                                          ("visitor-busy", "5551"), ("visitor-no-answer", "5551")]):
        journal.open_request(conn, replace(asked(f"t{n}", float(n), number, reason=reason), ended=10.0 + n))
    wanted = {"talked", "visitor-busy", "visitor-no-answer"}

    def ends(since: float, limit: int, extension: str = "001*002") -> list[tuple[str, float]]:
        return journal.ends_of(conn, extension, ("5551",), wanted, since, limit)

    assert ends(0.0, 9) == [("visitor-no-answer", 14.0), ("visitor-busy", 13.0), ("talked", 10.0)]
    assert ends(0.0, 2) == [("visitor-no-answer", 14.0), ("visitor-busy", 13.0)]
    assert ends(4.0, 9) == [("visitor-no-answer", 14.0)]
    assert ends(0.0, 9, "001*003") == []


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


def triggered(
    token: str, at: float, number: str = "5551", reason: str = "", extension: str = "001*900",
) -> RequestRecord:
    return RequestRecord(
        token, at, "", extension, "Mary", number, "127.0.0.2", reason, token, kind="callback", trunk="R1",
    )


def test_a_request_tells_whether_it_was_open_and_is_found_by_its_call(conn: Connection) -> None:
    journal.open_request(conn, triggered("t1", 1.0))
    journal.open_request(conn, asked("t2", 2.0))
    assert [each.token for each in journal.open_requests(conn)] == ["t1", "t2"]
    assert [journal.close_request(conn, token, "talked", Micros(5), 9.0) for token in ("t1", "t1", "t9")] == [
        True, False, False,
    ]
    assert [each.token for each in journal.open_requests(conn)] == ["t2"]
    request = journal.request_of(conn, "t1")
    assert request is not None
    assert (request.kind, request.trunk, request.reason) == ("callback", "R1", "talked")
    assert journal.request_of(conn, "c9") is None
    assert {each.kind for each in journal.requests_of(conn, "5551")} == {"callback", "callnow"}


def test_only_triggers_that_rang_somebody_count(conn: Connection) -> None:
    for token, at, number, reason in (
        ("too early", 1.0, "5551", ""), ("under way", 2.0, "5551", ""), ("refused", 3.0, "5551", "number-locked"),
        ("rang", 4.0, "5551", "talked"), ("another", 5.0, "5552", "no-answer"), ("only rung", 6.0, "5551", "cancelled"),
    ):
        journal.open_request(conn, triggered(token, at, number, reason))
    journal.open_request(conn, triggered("elsewhere", 7.0, extension="001*901"))
    journal.open_request(conn, replace(asked("page", 8.0), extension="001*900"))
    for token in ("rang", "another"):
        journal.write_call(conn, structs.replace(CALL, id=token), [structs.replace(PHONE, call_id=token)])
    journal.write_call(conn, structs.replace(CALL, id="only rung"), [
        structs.replace(PHONE, call_id="only rung", direction="in"), structs.replace(PSTN, call_id="only rung"),
    ])
    assert [journal.count_triggers(conn, "001*900", number, 2.0) for number in ("5551", "5552", "5553", None)] == [
        2, 1, 0, 3,
    ]


def test_a_ladder_is_kept_packed_and_the_oldest_go(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LADDERS", 3)
    rows = [{"n": n, "title": "INVITE", "text": "x" * 1000} for n in range(20)]
    for call_id in ("c1", "c2", "c3", "c3"):
        journal.write_ladder(conn, call_id, 1.0, rows)
    assert [journal.read_ladder(conn, call_id) for call_id in ("c1", "c2", "c9")] == [rows, rows, []]
    packed = conn.execute(select(ladders.c.call_id, func.length(ladders.c.rows))).all()
    assert {call_id for call_id, _ in packed} == {"c1", "c2", "c3"}
    assert max(size for _, size in packed) < 500
    for call_id in ("c4", "c5"):
        journal.write_ladder(conn, call_id, 2.0, [structs.asdict(CALL)])
    assert conn.execute(select(ladders.c.call_id)).scalars().all() == ["c3", "c4", "c5"]
    assert journal.read_ladder(conn, "c4")[0]["reason"] == "talked"
