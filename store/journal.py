"""What happened: one row per CallNow request, per call and per leg. Rows are never money; store.ledger is."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal, get_type_hints

import msgspec
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, insert, or_, select, true, update

from store.errors import StoreError
from store.tables import call_legs, calls, ladders, requests
from store.text import storable
from store.values import Micros

__all__ = [
    "INSERT_CALL", "INSERT_LEG", "INSERT_REQUEST", "LADDERS", "MORE_REFUSED", "OVERLOADED", "PUT_OFF", "RESTARTED",
    "RINGING", "SCHEDULED", "WAITING", "CallRecord", "LegRecord", "RequestKind", "RequestRecord", "calls_of",
    "close_open_requests", "close_request", "count_triggers", "dial_waiting", "ends_of", "find_call", "find_ladder",
    "legs_of", "open_request", "open_requests", "read_ladder", "recent_calls", "recent_requests", "record_crash",
    "request_of", "requests_of", "row", "serve_request", "spent_since", "total", "wait_again",
    "waiting_requests", "write_call", "write_ladder", "write_more",
]

RESTARTED = "server-restarted"
"""The reason of what a dead server left open."""
RINGING = "ringing"
"""Of a trigger that is not yet decided on: it rings us, and counts as nothing."""
SCHEDULED = "scheduled"
"""Of a request that waits for its time."""
PUT_OFF = "put-off"
"""Of one that waits because the owner pressed 3."""
WAITING = (SCHEDULED, PUT_OFF)
MORE_REFUSED = "more-refused"
"""Of a record that stands for refusals which are not written one by one: its source has too many."""
OVERLOADED = "overloaded"
"""Of one that stands for calls which were turned away unread, by a server that was behind with its work."""
LADDERS = 10_000
"""Most ladders kept."""

RequestKind = Literal["callnow", "callback", "code", "calls"]
"""`calls`: whatever was turned away."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One CallNow request, callback trigger or call that speaks a code, served or refused.

    `reason` is its one end, empty while under way. A trigger begins as RINGING.
    """

    token: str
    at: float
    page_id: str
    """Empty for triggers."""
    extension: str = ""
    name: str = ""
    number: str = ""
    """The visitor's, or the caller's."""
    ip: str = ""
    reason: str = ""
    call_id: str = ""
    cost: Micros = Micros(0)
    ended: float | None = None
    kind: RequestKind = "callnow"
    trunk: str = ""
    """Where a trigger came from."""
    link: str = ""
    """The id of the signed link that it came by."""
    due: float | None = None
    """When it is called, or was called last; None: it never waited."""
    tries: int = 0
    """Further ones that were planned, because the owner was not reached."""
    more: int = 0
    """How many a record stands for that is none of one alone."""


class CallRecord(msgspec.Struct, frozen=True):
    """One call, written when it ended."""

    id: str
    kind: str
    """`callnow`, `callback`, `internal`, `outbound`, `inbound`, `transfer`, `code`."""
    account_id: int | None
    started: float
    extension: str = ""
    from_: str = ""
    to: str = ""
    ended: float | None = None
    reason: str = ""
    talk_ms: int = 0
    cost: Micros = Micros(0)
    currency: str = ""
    buy: Micros | None = None
    """What it cost us; None: that is not known."""
    verified: str = ""
    """What the signature of the caller's number was worth: `verified-A`, `stale`, ...; empty: not looked at."""


class LegRecord(msgspec.Struct, frozen=True):
    """One leg of a call."""

    call_id: str
    lane: int
    """0 the extension's side, 2 the PSTN side, as in ladders."""
    direction: str
    """`out`: we invited; `in`: we were invited; `none`: a trunk that was passed over, `cause` says why."""
    invited: float
    from_: str = ""
    to: str = ""
    party: str = ""
    """Extension number or trunk name."""
    answered: float | None = None
    ended: float | None = None
    status: int = 0
    """Final SIP status; 0 when none came."""
    cause: str = ""
    talk_ms: int = 0
    cost: Micros = Micros(0)
    buy: Micros | None = None


def _texts(kind: type[CallRecord] | type[LegRecord]) -> Callable[[Any], tuple[str, ...]]:
    """How to get all the values of a record that are text."""
    return attrgetter(*[name for name, what in get_type_hints(kind).items() if what is str])


_TEXTS_OF_CALL, _TEXTS_OF_LEG = _texts(CallRecord), _texts(LegRecord)
INSERT_REQUEST, INSERT_CALL, INSERT_LEG = insert(requests), insert(calls), insert(call_legs)
_OPEN = requests.c.reason.in_(("", RINGING))
_WAITING = requests.c.reason.in_(WAITING)


def row(record: RequestRecord | CallRecord | LegRecord) -> dict[str, Any]:
    """A record as a statement takes it, the INSERT_ one of its kind above all."""
    if isinstance(record, RequestRecord):
        return {name: storable(getattr(record, name)) for name in RequestRecord.__slots__}
    return {name: storable(value) for name, value in asdict(record).items()}


def kept(call: CallRecord, legs: Sequence[LegRecord]) -> tuple[CallRecord, Sequence[LegRecord]]:
    """A call and its legs as Database.post takes them, with INSERT_CALL and INSERT_LEG."""
    texts = [*_TEXTS_OF_CALL(call)]
    for leg in legs:
        texts += _TEXTS_OF_LEG(leg)
    text = "".join(texts)
    if storable(text) is text:  # nearly always: one look for all
        return call, legs
    return CallRecord(**row(call)), [LegRecord(**row(leg)) for leg in legs]


def total(amounts: Iterable[Micros | None]) -> Micros | None:
    """What is known of the amounts together; None where nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return Micros(sum(known)) if known else None


def open_request(conn: Connection, request: RequestRecord) -> None:
    """Write a request: accepted, or refused at once."""
    conn.execute(INSERT_REQUEST, row(request))


def write_more(conn: Connection, rows: Sequence[RequestRecord]) -> None:
    """Write records of what was counted, or their newest counts."""
    for each in rows:
        known = update(requests).where(requests.c.token == each.token)
        if not conn.execute(known.values(more=each.more)).rowcount:
            open_request(conn, each)


def serve_request(conn: Connection, request: RequestRecord) -> None:
    """It is decided to serve what rang: from here on it is under way, and counts."""
    ringing = update(requests).where(requests.c.token == request.token, requests.c.reason == RINGING)
    if not conn.execute(ringing.values(reason="")).rowcount:
        open_request(conn, request)


def close_request(conn: Connection, token: str, reason: str, cost: Micros, at: float) -> bool:
    """Give an open or waiting request its one reason; False when there was none: a closed one keeps what it has."""
    return bool(conn.execute(update(requests).where(requests.c.token == token, _OPEN | _WAITING).values(
        reason=reason, cost=requests.c.cost + cost, ended=at,
    )).rowcount)


def wait_again(conn: Connection, token: str, reason: str, due: float, tries: int, cost: Micros) -> None:
    """An open or waiting request is called (again) later; `reason` is one of WAITING."""
    conn.execute(update(requests).where(requests.c.token == token, _OPEN | _WAITING).values(
        reason=reason, due=due, tries=tries, cost=requests.c.cost + cost,
    ))


def dial_waiting(conn: Connection, token: str, call_id: str, at: float) -> None:
    """A waiting request is called: it is open, and never called for the same waiting again.

    Raises: StoreError for one that does not wait.
    """
    if not conn.execute(update(requests).where(requests.c.token == token, _WAITING).values(
        reason="", call_id=call_id, due=at,
    )).rowcount:
        raise StoreError(f"request {token} does not wait")


def waiting_requests(conn: Connection) -> list[RequestRecord]:
    """What waits for its time, the longest waiting first."""
    return _read(conn, RequestRecord, requests, _WAITING, newest=requests.c.at)[::-1]


def ends_of(
    conn: Connection, extension: str, numbers: tuple[str, ...], reasons: Iterable[str], since: float, limit: int,
) -> list[tuple[str, float]]:
    """How and when requests of a page for a number, in any of its spellings, ended; newest first.

    Of those asked since then that ended so.
    """
    found = select(requests.c.reason, requests.c.ended).where(
        requests.c.extension == extension, requests.c.at >= since, requests.c.number.in_(numbers),
        requests.c.kind == "callnow",
        requests.c.reason.in_([*reasons]), requests.c.ended.is_not(None),
    ).order_by(requests.c.ended.desc()).limit(limit)
    return [(row.reason, row.ended) for row in conn.execute(found)]


def open_requests(conn: Connection) -> list[RequestRecord]:
    """What rings or is under way, oldest first."""
    return _read(conn, RequestRecord, requests, _OPEN, newest=requests.c.at)[::-1]


def request_of(conn: Connection, call_id: str) -> RequestRecord | None:
    """The request or trigger that a call served."""
    found = _read(conn, RequestRecord, requests, requests.c.call_id == call_id)
    return found[0] if found else None


def close_open_requests(conn: Connection, at: float) -> None:
    """End the requests that a dead server left open."""
    conn.execute(update(requests).where(_OPEN).values(reason=RESTARTED, ended=at))


def write_call(conn: Connection, call: CallRecord, legs: Sequence[LegRecord]) -> None:
    """Write a call with its legs: in the transaction that settles it, so that money and record are kept together."""
    conn.execute(INSERT_CALL, row(call))
    if legs:
        conn.execute(INSERT_LEG, [row(leg) for leg in legs])


def record_crash(conn: Connection, call: CallRecord, legs: Sequence[LegRecord], *, known: bool) -> None:
    """Write a call that a crash cut off, and what it cost; of a call that is known, only what came to it."""
    conn.execute(update(requests).where(requests.c.call_id == call.id).values(cost=requests.c.cost + call.cost))
    if not known:
        return write_call(conn, call, legs)
    conn.execute(update(calls).where(calls.c.id == call.id).values(
        cost=calls.c.cost + call.cost, talk_ms=calls.c.talk_ms + call.talk_ms,
        buy=calls.c.buy if call.buy is None else func.coalesce(calls.c.buy, 0) + call.buy,
    ))
    conn.execute(INSERT_LEG, [row(leg) for leg in legs])
    return None


def find_call(conn: Connection, call_id: str) -> CallRecord | None:
    """One call."""
    found = _read(conn, CallRecord, calls, calls.c.id == call_id)
    return found[0] if found else None


def legs_of(conn: Connection, call_id: str) -> list[LegRecord]:
    """The legs of one call, in the order they were invited."""
    rows = conn.execute(select(call_legs).where(call_legs.c.call_id == call_id).order_by(
        call_legs.c.invited, call_legs.c.id,
    )).mappings()
    return list(_values(LegRecord, rows))


def recent_calls(conn: Connection, limit: int = 100) -> list[CallRecord]:
    """The newest calls, newest first."""
    return _read(conn, CallRecord, calls, newest=calls.c.started, limit=limit)


def calls_of(conn: Connection, number: str, limit: int = 100) -> list[CallRecord]:
    """The calls from or to a number or extension, newest first."""
    concerned = or_(calls.c.to == number, calls.c.from_ == number, calls.c.extension == number)
    return _read(conn, CallRecord, calls, concerned, newest=calls.c.started, limit=limit)


def recent_requests(conn: Connection, since: float) -> list[RequestRecord]:
    """The accepted and refused requests since then, newest first; those too that were asked before and called since."""
    return _read(conn, RequestRecord, requests, (requests.c.at >= since) | (requests.c.due >= since),
                 newest=requests.c.at)


def requests_of(conn: Connection, number: str, limit: int = 100) -> list[RequestRecord]:
    """Why not? The requests for a number, newest first (SPEC A12.5)."""
    return _read(conn, RequestRecord, requests, requests.c.number == number, newest=requests.c.at, limit=limit)


def spent_since(conn: Connection, page_id: str, since: float) -> Micros:
    """What one CallNow link has cost since then (SPEC A12.2), be it for requests that waited longer."""
    asked = requests.c.page_id == page_id, requests.c.at >= since, requests.c.due.is_(None)
    # not by the index of the page: few have waited, and a page may have had very many
    waited = func.coalesce(requests.c.page_id, "") == page_id, requests.c.due >= since
    return Micros(sum(conn.execute(select(func.coalesce(func.sum(requests.c.cost), 0)).where(*each)).scalar_one()
                      for each in (asked, waited)))


def count_triggers(conn: Connection, extension: str, number: str | None, since: float) -> int:
    """How many triggers of an extension have rung somebody since then, or are about to; of one number, or of all."""
    rang = exists().where(
        call_legs.c.call_id == requests.c.call_id, call_legs.c.lane == 0, call_legs.c.direction == "out",
    )
    return conn.execute(select(func.count()).select_from(requests).where(
        requests.c.extension == extension, requests.c.at >= since, requests.c.kind == "callback",
        true() if number is None else requests.c.number == number, or_(requests.c.reason == "", rang),
    )).scalar_one()


def write_ladder(conn: Connection, call_id: str, at: float, rows: Sequence[Any]) -> None:
    """Keep the ladder of a call, packed; of all ladders the newest LADDERS stay. `rows`: what msgspec makes JSON of."""
    packed = zlib.compress(msgspec.json.encode(rows))
    conn.execute(delete(ladders).where(ladders.c.call_id == call_id))
    newest = conn.execute(insert(ladders).values(call_id=call_id, at=at, rows=packed).returning(ladders.c.id))
    conn.execute(delete(ladders).where(ladders.c.id <= newest.scalar_one() - LADDERS))


def read_ladder(conn: Connection, call_id: str) -> list[dict[str, Any]]:
    """The kept rows of a call's ladder; none when it was never kept or is too old."""
    found = find_ladder(conn, call_id)
    return found[1] if found else []


def find_ladder(conn: Connection, call_id: str) -> tuple[float, list[dict[str, Any]]] | None:
    """When the call of a kept ladder began, and its rows."""
    kept = conn.execute(select(ladders.c.at, ladders.c.rows).where(ladders.c.call_id == call_id)).first()
    if kept is None:
        return None
    return kept.at, msgspec.json.decode(zlib.decompress(kept.rows), type=list[dict[str, Any]])


def _read(
    conn: Connection, cls: type[Any], table: Table, *where: ColumnElement[bool],
    newest: ColumnElement[Any] | None = None, limit: int | None = None,
) -> list[Any]:
    wanted = select(table).where(*where).limit(limit)
    rows = conn.execute(wanted if newest is None else wanted.order_by(newest.desc())).mappings()
    return list(_values(cls, rows))


def _values(cls: type[Any], rows: Iterable[Mapping[Any, Any]]) -> Iterable[Any]:
    names = tuple(cls.__annotations__)
    for found in rows:
        yield cls(**{name: found[name] for name in names})
