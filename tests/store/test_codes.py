"""Codes that were spoken: one of an extension, for ten minutes, a few tries (SPEC 39)."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from store import codes, journal, tables
from store.codes import KEPT_S, TRIES, Code
from tests.store.test_blocked import extension

AT = 1000.0


def begin(conn: Connection) -> None:
    extension(conn, "001*002", 1)
    extension(conn, "002*002", 2)


def test_a_code_counts_from_when_it_was_spoken_for_ten_minutes(conn: Connection) -> None:
    begin(conn)
    codes.ask(conn, 1, "555", "c1", "h1", AT)
    assert codes.find(conn, 1, AT + 9 * KEPT_S) == Code(1, "555", "c1", "h1", None, 0)
    codes.spoken(conn, "c1", AT)
    assert codes.find(conn, 1, AT + KEPT_S) == Code(1, "555", "c1", "h1", AT, 0)
    assert codes.find(conn, 1, AT + KEPT_S + 0.1) is None
    assert codes.find(conn, 2, AT) is None


def test_a_newer_code_takes_the_place_and_old_ones_of_anybody_are_forgotten(conn: Connection) -> None:
    begin(conn)
    codes.ask(conn, 1, "555", "c1", "h1", AT)
    codes.ask(conn, 1, "556", "c2", "h2", AT)
    codes.spoken(conn, "c1", AT)  # its call says it too late
    assert codes.find(conn, 1, AT) == Code(1, "556", "c2", "h2", None, 0)
    codes.spoken(conn, "c2", AT)
    codes.ask(conn, 2, "557", "c3", "h3", AT + KEPT_S + 1)
    assert conn.execute(tables.codes.select()).mappings().one()["call_id"] == "c3"


def test_tries_are_counted_before_they_are_looked_at(conn: Connection) -> None:
    begin(conn)
    codes.ask(conn, 1, "555", "c1", "h1", AT)
    code = codes.find(conn, 1, AT)
    assert code is not None
    assert [codes.take_try(conn, code) for _ in range(TRIES + 1)] == [True] * TRIES + [False]


def test_what_nobody_heard_is_forgotten_when_the_call_is_over(conn: Connection) -> None:
    begin(conn)
    for spoken in (False, True):
        codes.ask(conn, 1, "555", "c1", "h1", AT)
        if spoken:
            codes.spoken(conn, "c1", AT)
        codes.forget(conn, "c1", unspoken=True)
        assert (codes.find(conn, 1, AT) is not None) == spoken
    codes.forget(conn, "c1")
    assert codes.find(conn, 1, AT) is None


def test_calls_count_that_rang_somebody_or_are_about_to(conn: Connection) -> None:
    begin(conn)

    def request(token: str, number: str, by: str, at: float, reason: str, *, rang: bool, kind: str = "code") -> None:
        journal.open_request(conn, journal.RequestRecord(
            token, at, "", by, number=number, reason=reason, call_id=token, kind=kind,  # type: ignore[arg-type]
        ))
        for direction in ("none", *(["out", "out"] if rang else [])):
            leg = journal.LegRecord(token, 2, direction, at, to=number)
            conn.execute(insert(tables.call_legs).values(**journal.row(leg)))

    request("a", "555", "001*002", AT, "busy", rang=True)
    request("b", "555", "002*002", AT + 10, "no-credit", rang=False)
    request("c", "555", "002*002", AT + 20, "code-spoken", rang=True)
    request("d", "555", "001*002", AT + 30, "number-day", rang=False)
    request("e", "555", "001*002", AT + 40, "talked", rang=True, kind="callnow")
    request("f", "556", "001*002", AT + 50, "", rang=False)
    assert [codes.calls_of_number(conn, ("555",), since) for since in (AT, AT + 1, AT + 21)] == [2, 1, 0]
    assert [codes.calls_of_account(conn, account, AT) for account in (1, 2, 3)] == [2, 1, 0]
    assert [codes.pending(conn, ("00" + number, number)) for number in ("555", "556")] == [False, True]
