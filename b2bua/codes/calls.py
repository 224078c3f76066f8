"""Calls that speak a code: asked for, taken or refused, each with one reason, and followed to their end (SPEC 39)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from b2bua.call import Call
from b2bua.codes.call import CodeCallRequest, code_call
from b2bua.desk import Holder, NotDone
from b2bua.exchange import Exchange
from b2bua.explain import sentence
from b2bua.office.jobs import extension_of
from b2bua.outcome import Outcome
from b2bua.rules.code_admission import CodeFacts, CodeLimits, CodeRefusal, admit_code_call, nothing_to_prove
from b2bua.rules.numbers import BadNumber, NumberFault, read_number
from b2bua.rules.routing import route, sell_rate
from b2bua.rules.spelling import spellings
from store import codes, journal
from store.blocked import block, blocked_by
from store.values import Account, CallerId, Extension, Micros

__all__ = ["CodeCalls", "NewCode"]

log = logging.getLogger(__name__)

_HOUR_S, _DAY_S = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class NewCode:
    """Six digits, and what is kept of them."""

    digits: str = field(repr=False)
    hashed: str


class _Wanted(NamedTuple):
    extension: Extension
    account: Account
    shown: str
    """The number as the extension wants to show it."""


class CodeCalls:
    """The calls that speak a code on a running server."""

    def __init__(
        self, exchange: Exchange, new_code: Callable[[], Awaitable[NewCode]], limits: CodeLimits | None = None
    ) -> None:
        self._exchange, self._new_code, self._limits = exchange, new_code, limits or CodeLimits()

    async def place(self, who: Holder, number: str) -> Call:
        """Call the number that an extension wants to show.  Raises: NotDone."""
        placing = self._exchange.keep(self._place(who, number))
        placed: Call | NotDone = await asyncio.shield(placing)  # whoever asked may leave
        if isinstance(placed, NotDone):
            raise placed
        return placed

    async def _place(self, who: Holder, number: str) -> Call | NotDone:
        try:
            wanted = await self._wanted(who, number)
        except NotDone as refused:
            return refused
        extension, account, shown = wanted
        try:
            called = read_number(shown, account.dial_plan, extensions=self._exchange.directory.internal_numbers)
        except BadNumber as bad:
            call = Call(self._exchange, "code", account, extension, extension.number, shown)
            self._exchange.database.post(journal.INSERT_REQUEST, [journal.row(self._record(call, bad.reason))])
            return _refused(extension, bad.reason, 422)
        if called != shown:
            return NotDone(f"number: write it as {called}, since what is proven is what is shown.", 422, "number")
        code = await self._new_code()
        call = Call(self._exchange, "code", account, extension, extension.number, called)
        reason = await self._exchange.database.run(self._admission(call, wanted, code.hashed))
        if self._exchange.closing:  # the row that the admission has opened ends as those of a crash do
            return NotDone("This server is being stopped.", 409)
        if reason is not None:
            return _refused(extension, reason, 422 if reason in _OF_THE_NUMBER else 409)
        call.on_outcome = self._closing(call)
        self._exchange.begin(call, code_call(CodeCallRequest(extension, called, code.digits), call))
        return call

    async def _wanted(self, who: Holder, number: str) -> _Wanted:
        """Whose number it is, with the rules as they are kept now.  Raises: NotDone."""
        row = await self._exchange.database.read(lambda conn: extension_of(conn, who, number))
        directory, rules = self._exchange.directory, msgspec.convert(row["caller_id"], CallerId)
        extension = directory.extension_by_id(row["id"])
        if extension is None:
            raise NotDone("This extension is so new that the server does not know it yet.", 409)
        if fault := nothing_to_prove(rules):
            raise NotDone(f"{fault}.", 409, "number")
        account = directory.accounts[extension.account_id]
        return _Wanted(replace(extension, caller_id=rules), account, rules.number)

    def _admission(self, call: Call, wanted: _Wanted, code_hash: str) -> Callable[[Connection], CodeRefusal | None]:
        """The job that decides and writes what was decided: two at once are one after the other."""
        exchange, extension, number = self._exchange, wanted.extension, call.to
        at, directory, account_id = exchange.wall(), exchange.directory, wanted.account.id
        rate = sell_rate(directory, wanted.account, number, at)
        routed, kept = bool(route(directory, number, at)), spellings(number, wanted.account.dial_plan)

        def job(conn: Connection) -> CodeRefusal | None:
            reason = admit_code_call(CodeFacts(
                blocked_by(conn, kept, extension.id), routed, rate, codes.pending(conn, kept),
                codes.calls_of_number(conn, kept, at - _DAY_S),
                codes.calls_of_account(conn, account_id, at - _HOUR_S),
                codes.calls_of_account(conn, account_id, at - _DAY_S),
            ), self._limits)  # fmt: skip
            journal.open_request(conn, self._record(call, reason))
            if reason is None:
                codes.ask(conn, extension.id, wanted.shown, call.id, code_hash, at)
            return reason

        return job

    def _record(self, call: Call, reason: CodeRefusal | NumberFault | None) -> journal.RequestRecord:
        assert call.extension is not None
        at = self._exchange.wall()
        return journal.RequestRecord(
            call.id, at, "", call.extension.number, number=call.to[:40], reason=reason or "", call_id=call.id,
            ended=at if reason else None, kind="code",
        )  # fmt: skip

    def _closing(self, call: Call) -> Callable[[Connection, bool], None]:
        """What the transaction that ends the call writes of the request: its one reason (SPEC A12.5)."""

        def write(conn: Connection, held: bool) -> None:
            at, unwanted = self._exchange.wall(), call.outcome is Outcome.CODE_UNWANTED
            journal.close_request(conn, call.id, str(call.outcome), call.charged or Micros(0), at)
            codes.forget(conn, call.id, unspoken=not unwanted)
            if unwanted:
                block(conn, call.to, None, "visitor", at)

        return write


_OF_THE_NUMBER = (
    CodeRefusal.NUMBER_BLOCKED, CodeRefusal.OPTED_OUT, CodeRefusal.NO_ROUTE, CodeRefusal.NO_RATE,
)  # fmt: skip


def _refused(extension: Extension, reason: CodeRefusal | NumberFault, status: int) -> NotDone:
    log.info("extension=%s event=code-call-refused reason=%s", extension.number, reason)
    return NotDone(sentence(reason), status, "number")
