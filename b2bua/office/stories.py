"""Why, or why not: what became of the requests, triggers and calls of one number (SPEC A12.5)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Select, func, or_, select

from b2bua.desk import Holder, LadderRow, LegView, StoryView
from b2bua.explain import cost_lines, proof, sentence
from b2bua.money import format_money
from b2bua.office.jobs import iso
from b2bua.rules.numbers import BadNumber, read_number
from b2bua.rules.spelling import spellings
from b2bua.trace.call_ladder import is_kept_from, rows_for
from store import journal, tables
from store.journal import CallRecord, LegRecord, RequestRecord
from store.rates import held_rate
from store.values import DialPlan, Micros

__all__ = ["forms", "stories"]

T = TypeVar("T", RequestRecord, CallRecord)
_AS_TYPED = DialPlan(mode="as-dialled", min_digits=0, premium=("",))
_TAIL = 6
"""Digits by which a number and its form on a trunk are one: prefixes differ."""


def stories(conn: Connection, who: Holder, typed: str, *, limit: int = 20, ladder: bool = False) -> list[StoryView]:
    """What happened to a number, or at an extension, newest first; of the holder's extensions only."""
    mine, requests, calls, holds = _currencies(conn, who), tables.requests.c, tables.calls.c, tables.holds.c
    numbers = forms(typed, _dial_plans(conn))
    asked = _newest(conn, RequestRecord, requests.at, limit, *_own(requests.extension, who), or_(
        requests.number.in_(numbers), requests.extension.in_(_extensions(numbers)), *_source(typed.strip()),
    ))  # fmt: skip
    called = _newest(conn, CallRecord, calls.started, limit, *_own(calls.extension, who), or_(
        calls.to.in_(numbers), calls.from_.in_(numbers),
        calls.id.in_(select(holds.call_id).where(holds.number.in_(numbers))),  # a call back has several called parties
        calls.extension.in_(_extensions(numbers)),
    ))  # fmt: skip
    seen = {row.call_id for row in asked}
    others = [journal.request_of(conn, call.id) or call for call in called if call.id not in seen]
    rows: list[RequestRecord | CallRecord] = [*asked, *others]
    rows.sort(key=_moment, reverse=True)
    found = [
        _of_request(conn, row, mine.get(row.extension, "")) if isinstance(row, RequestRecord) else _of_call(conn, row)
        for row in rows[:limit]
    ]
    if who.account_id is not None:
        found = [_without_buy(_without_caller(story, who)) for story in found]
    return [replace(story, ladder=_ladder(conn, who, story)) for story in found] if ladder else found


def _own(extension: Column[Any], who: Holder) -> list[ColumnElement[bool]]:
    """An operator also sees what had no extension, or one that is gone."""
    table = tables.extensions
    own = select(table.c.number).where(table.c.account_id == who.account_id)
    return [] if who.account_id is None else [extension.in_(own)]


def _source(typed: str) -> list[ColumnElement[bool]]:
    """What is no number may be the address or the trunk where it came from."""
    requests = tables.requests.c
    return [] if re.fullmatch(r"[+0-9*#() -]*", typed) else [requests.ip == typed, requests.trunk == typed]


def _newest(conn: Connection, cls: type[T], at: Column[Any], limit: int, *where: ColumnElement[bool]) -> list[T]:
    rows = conn.execute(select(at.table).where(*where).order_by(at.desc()).limit(limit)).mappings()
    return [cls(**{name: row[name] for name in cls.__annotations__}) for row in rows]


def _extensions(numbers: Collection[str]) -> Select[tuple[str]]:
    """The extensions that a number means: as written, as a keypad has it, or by their public number."""
    table = tables.extensions.c
    keypad = func.replace(table.number, "*", "")
    return select(table.number).where(or_(*(each.in_(numbers) for each in (table.number, keypad, table.public_number))))


def _moment(row: RequestRecord | CallRecord) -> float:
    return row.at if isinstance(row, RequestRecord) else row.started


def forms(typed: str, plans: Iterable[DialPlan]) -> list[str]:
    """How a number may have been written down: as typed, its digits, and as each dial plan reads and spells it."""
    found, spelled = {typed.strip(): None}, dict[str, None]()
    for plan in (_AS_TYPED, *plans):
        try:
            number = read_number(typed, plan, phone=True)
        except BadNumber:
            continue
        found[number] = None
        if plan is not _AS_TYPED:
            spelled |= dict.fromkeys(spellings(number, plan))
    plus = (f"+{number}" for number in found if number.isdigit())
    return [*dict.fromkeys((*found, *plus, *spelled))]


def _dial_plans(conn: Connection) -> list[DialPlan]:
    plans = conn.execute(select(tables.accounts.c.dial_plan).where(tables.accounts.c.kind == "client")).scalars()
    return list(dict.fromkeys(msgspec.convert(plan, DialPlan) for plan in plans))


def _currencies(conn: Connection, who: Holder) -> dict[str, str]:
    """The extensions that may be seen, with the currency of each."""
    accounts, extensions = tables.accounts, tables.extensions
    rows = conn.execute(select(extensions.c.number, accounts.c.id, accounts.c.currency).join(
        accounts, accounts.c.id == extensions.c.account_id,
    ))  # fmt: skip
    return {number: currency for number, account_id, currency in rows if who.account_id in (None, account_id)}


def _of_request(conn: Connection, row: RequestRecord, currency: str) -> StoryView:
    call = journal.find_call(conn, row.call_id) if row.call_id else None
    source = ", ".join(filter(None, (row.trunk, row.ip, row.name, row.link and f"signed link {row.link}")))
    told = _story(row.at, row.kind, row.reason, row.extension, format_money(row.cost, currency), row.call_id, source)
    ends = (row.number, row.extension) if row.kind == "callback" else (row.extension, row.number)
    caller, called = (call.from_, call.to) if call else ends
    told = replace(told, caller=caller, called=called)
    if row.reason in journal.WAITING and row.due is not None:
        told = replace(told, sentence=f"{told.sentence} It is called at {iso(row.due)}.")
    if row.more:
        told = replace(told, sentence=f"{told.sentence} So far: {row.more}.")
    return _with_call(conn, told, call) if call else told


def _of_call(conn: Connection, row: CallRecord) -> StoryView:
    told = _story(row.started, row.kind, row.reason, row.extension, format_money(row.cost, row.currency), row.id, "")
    return _with_call(conn, replace(told, caller=row.from_, called=row.to), row)


def _with_call(conn: Connection, told: StoryView, call: CallRecord) -> StoryView:
    told = replace(told, legs=_legs(conn, call), verified=proof(call.verified))
    if call.buy is None:
        return told
    margin = Micros(call.cost - call.buy)
    return replace(told, buy=format_money(call.buy, call.currency), margin=format_money(margin, call.currency))


def _without_buy(story: StoryView) -> StoryView:
    """What calls cost us is the operator's alone."""
    return replace(story, buy="", margin="", legs=[replace(leg, buy="") for leg in story.legs])


def _without_caller(story: StoryView, who: Holder) -> StoryView:
    """Who hid himself is not told by what came on the wire either."""
    if not is_kept_from(who, story.kind, story.caller):
        return story
    return replace(story, legs=[replace(leg, caller=story.caller) if leg.direction == "in" else leg
                                for leg in story.legs])  # fmt: skip


def _story(at: float, kind: str, reason: str, extension: str, cost: str, call_id: str, source: str) -> StoryView:
    return StoryView(iso(at), kind, reason, sentence(reason), extension, "", "", cost, call_id, source, [], [])


def _legs(conn: Connection, call: CallRecord) -> list[LegView]:
    holds = tables.holds
    paid = [*conn.execute(select(holds).where(holds.c.call_id == call.id).order_by(holds.c.id)).mappings()]
    return [_leg(leg, call.currency, _hold_of(leg, paid)) for leg in journal.legs_of(conn, call.id)]


def _hold_of(leg: LegRecord, paid: list[RowMapping]) -> RowMapping | None:
    """The money of an answered leg; each hold is of one leg."""
    for hold in paid:
        if leg.answered is not None and hold["charged"] == leg.cost and hold["number"][-_TAIL:] == leg.to[-_TAIL:]:
            paid.remove(hold)
            return hold
    return None


def _leg(leg: LegRecord, currency: str, hold: Mapping[Any, Any] | None) -> LegView:
    seconds = leg.talk_ms / 1000
    lines: Sequence[str] = []
    if hold is not None:
        lines = cost_lines(held_rate(hold), seconds, leg.cost, currency)
    return LegView(
        leg.direction, leg.from_, leg.to, leg.party, leg.status, leg.cause, seconds, format_money(leg.cost, currency),
        lines, "" if leg.buy is None else format_money(leg.buy, currency),
    )  # fmt: skip


def _ladder(conn: Connection, who: Holder, story: StoryView) -> Sequence[LadderRow]:
    rows = msgspec.convert(journal.read_ladder(conn, story.call_id) if story.call_id else [], list[LadderRow])
    return rows_for(who, story.kind, story.caller, rows)
