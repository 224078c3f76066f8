"""The code that somebody has heard, typed back: the right one approves the number (SPEC 39)."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
from sqlalchemy import Connection, RowMapping, select

from b2bua.desk import CodeCallView, Holder, NotDone, PublicCallerIdView, TypedCode
from b2bua.explain import sentence
from b2bua.office.jobs import extension_of, iso
from b2bua.office.public_caller_id import public_caller_id
from b2bua.rules.code_admission import code_fault, nothing_to_prove
from store import codes
from store.codes import Code
from store.directory import save_caller_id
from store.tables import requests
from store.values import CallerId

__all__ = ["approve_by_code", "code_call_view", "read_code", "take_try", "wrong_code"]


def read_code(typed: TypedCode) -> str:
    """The digits, however they were grouped.  Raises: NotDone, and no try is lost."""
    digits = re.sub(r"[\s-]", "", typed.code)
    if not re.fullmatch(r"[0-9]{6}", digits):
        raise NotDone("code: a code has six digits.", field="code")
    return digits


def take_try(conn: Connection, who: Holder, number: str, at: float) -> Code:
    """The code to compare with; it is counted as a try.  Raises: NotDone."""
    row, code = _kept(conn, who, number, at)
    fault = code_fault(code, _rules(row))
    if fault or code is None or not codes.take_try(conn, code):
        raise NotDone(f"{fault}.", 409, "code")
    return code


def wrong_code(tried: Code) -> NotDone:
    """What is told of another code."""
    left = codes.TRIES - tried.tries - 1
    return NotDone(f"code: this is not the code that was spoken; tries left: {left}.", field="code")


def approve_by_code(conn: Connection, who: Holder, number: str, tried: Code, at: float) -> PublicCallerIdView:
    """The number is theirs: a running server shows it.  Raises: NotDone where things have moved on meanwhile."""
    row, code = _kept(conn, who, number, at)
    rules = _rules(row)
    if code is None or code.call_id != tried.call_id or nothing_to_prove(rules) or rules.number != tried.number:
        raise NotDone("The number, or its code, has changed meanwhile: ask for another call.", 409, "code")
    save_caller_id(conn, row["id"], replace(rules, approved=True))
    codes.forget(conn, code.call_id)
    return public_caller_id(conn, who, number)


def code_call_view(conn: Connection, who: Holder, number: str, at: float) -> CodeCallView:
    """The newest call with a code of an extension.  Raises: NotDone 404 where there was none."""
    row, code = _kept(conn, who, number, at)
    call = conn.execute(select(requests).where(
        requests.c.kind == "code", requests.c.extension == row["number"],
    ).order_by(requests.c.at.desc()).limit(1)).mappings().first()  # fmt: skip
    if call is None:
        raise NotDone(f"No code was spoken for {number}.", 404)
    counts = code is not None and not code_fault(code, _rules(row))
    return CodeCallView(
        call["number"], call["reason"], sentence(call["reason"]), iso(call["at"]),
        iso(code.spoken_at + codes.KEPT_S) if counts and code and code.spoken_at else "",
        codes.TRIES - code.tries if counts and code else 0,
    )  # fmt: skip


def _kept(conn: Connection, who: Holder, number: str, at: float) -> tuple[RowMapping, Code | None]:
    row = extension_of(conn, who, number)
    return row, codes.find(conn, row["id"], at)


def _rules(row: RowMapping) -> CallerId:
    return msgspec.convert(row["caller_id"], CallerId)
