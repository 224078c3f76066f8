"""The calls that visitors asked for, now or later: begun, followed, put off, tried again, each to its one end."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from b2bua.call import Call
from b2bua.callnow import CallNowRequest, callnow
from b2bua.desk import Stage, VisitorStatus
from b2bua.exchange import Exchange
from b2bua.feed import Feed
from b2bua.links.signed_links import masked_number, take_use
from b2bua.outcome import Outcome
from b2bua.rules.accept_rules import verdict
from b2bua.rules.admission import AWAY, Facts, Reason, admit_callnow
from b2bua.rules.later import LONGEST_WAIT_S, next_try, told_moment, tried_again
from b2bua.rules.limits import Limits
from b2bua.rules.meter import price, talk_limit
from b2bua.visitors.facts import hours_of, read_facts, same_for, zone_of
from b2bua.visitors.waiting import AcceptedRequest, WaitingList
from store import journal
from store.blocked import block
from store.directory import Directory
from store.errors import StoreError
from store.links import Link, find_link, give_back
from store.values import Extension, Micros, Rate

__all__ = ["VisitorCalls"]

log = logging.getLogger(__name__)

_DAY_S = 86400.0
_MOST_REQUESTS = 2000
_AFTER_START_S = 2.0
"""Phones that are connected to us come back first."""

_STAGES = {
    Outcome.CANCELLED: Stage.CANCELLED,
    Outcome.VISITOR_BUSY: Stage.NOT_REACHED,
    Outcome.VISITOR_DECLINED: Stage.NOT_REACHED,
    Outcome.VISITOR_NO_ANSWER: Stage.NOT_REACHED,
    Outcome.VISITOR_FAILED: Stage.NOT_REACHED,
    Outcome.VISITOR_LEFT: Stage.NOT_REACHED,
    Outcome.OPTED_OUT: Stage.NOT_REACHED,
}
"""What the visitor learns of a call that was no talk; of the owner's doing nothing (SPEC H13)."""
_HELD_UP = (*AWAY, Reason.NUMBER_PENDING)
"""A call whose time has come waits this out, within its grace."""


class VisitorCalls:
    """Every accepted request: those that wait, and those that are or were called in the last day or so."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self._exchange, self._limits = exchange, limits
        self._requests: OrderedDict[str, AcceptedRequest] = OrderedDict()
        self.waiting = WaitingList(exchange.wall, self._call_waiting)

    async def open(self) -> None:
        """Count again what was accepted before this start, so that a restart lifts no limit; let wait on what waits."""
        exchange = self._exchange
        since = exchange.wall() - _DAY_S
        known = await exchange.database.read(lambda conn: journal.recent_requests(conn, since))
        for record in reversed(known):
            if record.kind == "callnow" and (record.call_id or record.due) and record.ip:
                number = same_for(exchange.directory, record)
                self._limits.note(record.at, ip=record.ip, number=number, page_id=record.page_id, due=record.due)
        for accepted in await exchange.database.read(lambda conn: _waiting(conn, exchange.directory)):
            self._wait(accepted, accepted.record.due or 0.0)
        exchange.keep(self._run())

    async def _run(self) -> None:
        await asyncio.sleep(_AFTER_START_S)
        await self.waiting.run()

    def find(self, token: str) -> AcceptedRequest | None:
        """By the name of its status page."""
        return self._requests.get(token) or self.waiting.get(token)

    def _told(self, accepted: AcceptedRequest, stage: Stage, talk_s: int = 0) -> None:
        accepted.status.set(replace(accepted.status.value, stage=stage, talk_s=talk_s))

    def seen(self, accepted: AcceptedRequest) -> VisitorStatus:
        """What its visitor sees now."""
        status = accepted.status.value
        if accepted.call is not None:
            return replace(status, talk_s=round(accepted.call.talk_s))
        if accepted.due is None:
            return status
        directory = self._exchange.directory
        zone = zone_of(directory, directory.extensions.get(accepted.record.extension))
        told = told_moment(accepted.due, self._exchange.wall(), zone)
        return replace(status, due=accepted.due, told=told, zone=zone)

    def _at_stake(self, page_id: str) -> dict[str, Micros]:
        """What the live calls of one link may cost at most, by token."""
        return {
            token: request.at_stake
            for token, request in self._requests.items()
            if request.call is not None and request.status.value.page_id == page_id
        }

    async def facts(self, extension: Extension, number: str, at: float | None = None) -> Facts:
        """What is known of a call now, or at another time.  Raises: StoreError."""
        facts = await read_facts(
            self._exchange, extension, number, lambda: self._at_stake(extension.callnow.id), at,
        )
        return replace(facts, on_phone=facts.on_phone or self._begins(extension))

    def _begins(self, extension: Extension) -> bool:
        """A call of its page is about to begin: it waits until a use of its link is counted."""
        live = self._exchange.live
        return any(
            each.call is not None and each.call.outcome is None and each.call.id not in live
            for each in self._requests.values() if each.record.extension == extension.number
        )

    async def schedule(self, accepted: AcceptedRequest, due: float, link: Link | None) -> bool:
        """It waits, and its slot is taken, from here on; it is written when this returns.

        False: its link has no use left.  Raises: StoreError.
        """
        self._wait(accepted, due)
        record = replace(accepted.record, reason=journal.SCHEDULED)
        written = False
        try:
            if link is None:
                await self._exchange.database.run(lambda conn: journal.open_request(conn, record))
            written = link is None or await take_use(self._exchange.database, link, record, record.at)
        finally:
            if not written:
                self.waiting.remove(accepted)
                self._undo(accepted)
        log.info("page=%s event=scheduled due=%d", record.page_id, due)
        return written

    def _undo(self, accepted: AcceptedRequest) -> None:
        """Nothing is left of the request."""
        record = accepted.record
        self._limits.undo(record.at, ip=record.ip, number=accepted.same, page_id=record.page_id, due=record.due)
        self._requests.pop(record.token, None)

    async def begin(
        self, accepted: AcceptedRequest, extension: Extension, facts: Facts, rate: Rate, link: Link | None = None
    ) -> bool:
        """Call the extension, and so on; `accepted` may have waited.

        By a link only once a use of it is counted, and then nothing is awaited any more; False: none is left.
        Raises: StoreError, with a link.
        """
        exchange, settings, record = self._exchange, extension.callnow, accepted.record
        limit_s = talk_limit(settings, rate, facts.spent_today)
        accepted.at_stake, accepted.due, accepted.by_owner = price(rate, limit_s), None, False
        account = exchange.directory.accounts[extension.account_id]
        call = Call(exchange, "callnow", account, extension, record.name or "Anonymous", record.number)
        accepted.call = call
        waited = self.waiting.remove(accepted)
        self._requests[record.token] = accepted
        while len(self._requests) > _MOST_REQUESTS:
            self._requests.popitem(last=False)
        self._told(accepted, Stage.RINGING_OWNER)
        if link is not None and not await self._use(link, accepted, call):
            return False

        def opened(conn: Connection) -> None:
            if waited:
                journal.dial_waiting(conn, record.token, call.id, exchange.wall())
            elif link is None:
                journal.open_request(conn, replace(record, call_id=call.id))

        def closed(conn: Connection, is_open: bool) -> None:
            if not is_open:
                opened(conn)
            self._written(conn, accepted, extension, call)

        async def put_off() -> None:
            due = exchange.wall() + settings.later_s
            await exchange.database.run(
                lambda conn: journal.wait_again(conn, record.token, journal.PUT_OFF, due, accepted.tries, Micros(0))
            )
            accepted.due, accepted.by_owner = due, True

        call.on_hold, call.on_outcome = opened, closed
        said = verdict(settings, record.name, record.number, facts.spellings, facts.abroad)
        tell = partial(self._told, accepted)
        want = CallNowRequest(extension, record.name, record.number, limit_s, said == "confirm", tell, put_off)
        exchange.begin(call, callnow(want, call))
        exchange.keep(self._follow(call, accepted, extension))
        return True

    async def _use(self, link: Link, accepted: AcceptedRequest, call: Call) -> bool:
        """Count a use of a link; where that fails, nothing is left of the request.  Raises: StoreError."""
        used, record = False, replace(accepted.record, call_id=call.id)
        try:
            used = await take_use(self._exchange.database, link, record, record.at)
        finally:
            if not used:
                accepted.call = None
                self._undo(accepted)
        return used

    def _written(self, conn: Connection, accepted: AcceptedRequest, extension: Extension, call: Call) -> None:
        """Write, in the transaction that ends the call, how its request ended, or that it is called again."""
        token, number, at = accepted.record.token, accepted.record.number, self._exchange.wall()
        cost = call.charged or Micros(0)
        accepted.rang = accepted.rang or any(leg.direction == "out" for leg in call.legs)
        due = self._due_again(accepted, extension, call)
        if due is None:
            _close(conn, accepted, str(call.outcome), cost, at)
        elif not accepted.by_owner:
            journal.wait_again(conn, token, journal.SCHEDULED, due, accepted.tries, cost)
        if call.outcome is Outcome.BLOCKED:
            block(conn, number, extension.id, "owner", at)
        elif call.outcome is Outcome.OPTED_OUT:
            block(conn, number, None, "visitor", at)

    def _due_again(self, accepted: AcceptedRequest, extension: Extension, call: Call) -> float | None:
        """When its request is called again after a call; asked for again, the same."""
        if call.outcome is Outcome.CANCELLED:
            accepted.due = None
        elif accepted.due is None and tried_again(call.outcome, extension.callnow, accepted.tries):
            accepted.due = self.next_try(extension, accepted.record.at)
            accepted.tries += accepted.due is not None
        return accepted.due

    async def _follow(self, call: Call, accepted: AcceptedRequest, extension: Extension) -> None:
        """Tell the visitor the end, or when he is called again, and free the number."""
        try:
            await call.ended()
        finally:
            number = accepted.same
            self._limits.done(number)
            accepted.call = None
            due = self._due_again(accepted, extension, call)
            if due is not None:
                self._limits.note_call(self._exchange.wall(), due, number=number, page_id=accepted.record.page_id)
                self._wait(accepted, due)
            else:
                self._told(accepted, _last_stage(call), round(call.talk_s))

    async def cancel(self, token: str) -> bool:
        """The visitor no longer wants the call; False when it is over, talking or unknown."""
        accepted = self.find(token)
        if accepted is None:
            return False
        if accepted.call is not None:
            return accepted.call.talk_began is None and accepted.call.cancel()
        if accepted.due is None or not self.waiting.remove(accepted):
            return False
        self._requests[token] = accepted  # nobody calls it any more
        due, at = accepted.due, self._exchange.wall()
        try:
            await self._exchange.database.run(
                lambda conn: _close(conn, accepted, Outcome.CANCELLED, Micros(0), at)
            )
        except StoreError as error:
            log.error("request=%s event=not-cancelled error=%s", token, error)
            self._wait(accepted, due)
            return False
        self._limits.release(due, number=accepted.same, page_id=accepted.record.page_id)
        accepted.due = None
        self._told(accepted, Stage.CANCELLED)
        return True

    # Requests that wait for their time

    def _wait(self, accepted: AcceptedRequest, due: float) -> None:
        accepted.due, accepted.held_up = due, None
        self._requests.pop(accepted.record.token, None)
        self.waiting.add(accepted)
        self._told(accepted, Stage.SCHEDULED)

    async def _call_waiting(self, accepted: AcceptedRequest) -> None:
        """Its time has come: judge it anew, and call, leave it for a later look, or end it.  Raises: StoreError."""
        exchange, record = self._exchange, accepted.record
        extension = exchange.directory.extensions.get(record.extension)
        if extension is None or exchange.directory.callnow(extension.callnow.id) is not extension:
            return await self._over(accepted, Reason.UNKNOWN_PAGE)
        late = exchange.wall() > (accepted.due or 0.0) + extension.callnow.grace_s
        if late and accepted.held_up is None:
            return await self._over(accepted, Reason.MISSED)
        facts = await self.facts(extension, record.number)
        if exchange.closing or accepted not in self.waiting:  # the visitor gave it up meanwhile
            return None
        if accepted.by_owner:  # he wants it, whatever the hours of his page
            facts = replace(facts, closed=False)
        reason = admit_callnow(extension.callnow, record.name, facts)
        if reason is None and not self._limits.begin(accepted.same):
            reason = Reason.NUMBER_PENDING
        if reason is None and facts.rate is not None:
            await self.begin(accepted, extension, facts, facts.rate)
            return None
        accepted.held_up = reason
        if reason in _HELD_UP and not late:
            return None
        if reason in AWAY and tried_again(Outcome.OFFLINE, extension.callnow, accepted.tries):
            again = self.next_try(extension, record.at)
            if again is not None:
                return await self._try_later(accepted, again)
        return await self._over(accepted, reason or Reason.NO_RATE)

    async def _try_later(self, accepted: AcceptedRequest, due: float) -> None:
        token, tries = accepted.record.token, accepted.tries + 1
        await self._exchange.database.run(
            lambda conn: journal.wait_again(conn, token, journal.SCHEDULED, due, tries, Micros(0))
        )
        if (before := accepted.due) is not None and self.waiting.remove(accepted):
            number, page_id = accepted.same, accepted.record.page_id
            self._limits.release(before, number=number, page_id=page_id)
            self._limits.note_call(self._exchange.wall(), due, number=number, page_id=page_id)
            accepted.tries, accepted.by_owner = tries, False
            self._wait(accepted, due)

    async def _over(self, accepted: AcceptedRequest, reason: Reason) -> None:
        """One that waits ends without a call."""
        token, at = accepted.record.token, self._exchange.wall()
        await self._exchange.database.run(lambda conn: _close(conn, accepted, reason, Micros(0), at))
        if self.waiting.remove(accepted):
            accepted.due = None
            self._requests[token] = accepted
            self._told(accepted, Stage.NOT_AVAILABLE)
            log.info("page=%s event=waited reason=%s", accepted.record.page_id, reason)

    def owner_put_off(self, extension: Extension, same: str) -> bool:
        """Whether he wants to be asked for this number later."""
        waiting = self.waiting.of_extension(extension.number)
        return any(each.by_owner and each.same == same for each in waiting)

    def next_try(self, extension: Extension, asked: float) -> float | None:
        """When a request of that time is tried again, as its owner is not reached now."""
        hours = hours_of(self._exchange.directory, extension)
        return next_try(hours, self._exchange.wall(), extension.callnow.try_after_s, asked + LONGEST_WAIT_S)


def _waiting(conn: Connection, directory: Directory) -> list[AcceptedRequest]:
    """What waited when the server ended; a number that a link fixed is not shown to who holds the link."""
    found = []
    for record in journal.waiting_requests(conn):
        link = find_link(conn, record.link) if record.link else None
        shown = masked_number(record.number) if link is not None and link.number else record.number
        status = Feed(VisitorStatus(Stage.SCHEDULED, record.page_id, shown))
        by_owner = record.reason == journal.PUT_OFF
        same, rang = same_for(directory, record), bool(record.call_id)
        found.append(AcceptedRequest(record, same, status, by_owner=by_owner, tries=record.tries, rang=rang))
    return found


def _close(conn: Connection, accepted: AcceptedRequest, reason: str, cost: Micros, at: float) -> None:
    """Give a request its one reason; a link's use that rang nobody is given back."""
    if journal.close_request(conn, accepted.record.token, reason, cost, at):
        if accepted.record.link and not accepted.rang:
            give_back(conn, accepted.record.link)


def _last_stage(call: Call) -> Stage:
    """What the visitor learns of the end."""
    if call.talk_began is not None:
        return Stage.ENDED
    return _STAGES.get(call.outcome or Outcome.SERVER_ERROR, Stage.NOT_AVAILABLE)
