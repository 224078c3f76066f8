"""CallNow requests of visitors: taken or refused, each with one reason, and followed to their end (SPEC A12.5)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import groupby

from b2bua.desk import (
    Accepted,
    CallNowPage,
    LinkPass,
    Refused,
    SlotChoice,
    SlotDay,
    Stage,
    VisitorRequest,
    VisitorStatus,
)
from b2bua.exchange import Exchange
from b2bua.feed import Feed
from b2bua.links.signed_links import link_pass, masked_number, open_link, wanted_number
from b2bua.outcome import Outcome
from b2bua.refusals import MOST
from b2bua.rules.admission import (
    AWAY,
    NOT_AVAILABLE,
    Facts,
    Reason,
    admit_callnow,
    admit_later,
    misfilled,
    refuse,
)
from b2bua.rules.later import slots, told_day, told_hour
from b2bua.rules.limits import Limits, RecentRequests
from b2bua.rules.spelling import same_number
from b2bua.visitors.calls import VisitorCalls
from b2bua.visitors.facts import hours_of, opening_of, zone_of
from b2bua.visitors.waiting import AcceptedRequest
from store import journal
from store.errors import StoreError
from store.links import Link
from store.values import Account, Extension

__all__ = ["Visitors"]

log = logging.getLogger(__name__)

_MOST_UNASKED = 10
"""Refusals of one address that are written within a quarter of an hour, of links and missing pages."""


class Visitors:
    """Everybody who asked for a call on a page in the last day, and those who may not."""

    def __init__(self, exchange: Exchange, new_token: Callable[[], str], limits: Limits) -> None:
        self._exchange = exchange
        self._new_token = new_token
        self._limits = limits
        self._repeats = RecentRequests()
        self._calls = VisitorCalls(exchange, limits)
        self._asking: dict[tuple[str, str, str], asyncio.Future[None]] = {}

    async def open(self) -> None:
        """Count again what was accepted before this start, and let wait on what waits."""
        await self._calls.open()

    def page(self, page_id: str) -> CallNowPage | None:
        """The page of one CallNow ID; None for unknown, disabled and not-permitted alike (SPEC H14)."""
        extension = self._exchange.directory.callnow(page_id)
        if extension is None:
            return None
        settings = extension.callnow
        plan = self._account(extension).dial_plan
        opens = self._opens(extension)
        return CallNowPage(
            id=settings.id,
            owner_name=extension.name if settings.show_name else None,
            available=not settings.paused and opens is None,
            opens="" if settings.paused or opens is None else opens,
            ask_name=settings.ask_name,
            image_validation=settings.image_validation,
            language=settings.language,
            message=settings.message,
            country=plan.country if plan.mode == "e164" else "",
        )

    async def request(self, request: VisitorRequest) -> Accepted | Refused:
        """Place one CallNow call, or say why not; every end is one recorded reason (SPEC A12.12)."""
        extension, link = self._exchange.directory.callnow(request.page_id), None
        if request.link:
            opened = await self._open_link(request, extension)
            if isinstance(opened, Refused):
                return opened
            link, request = opened, replace(request, name=opened.name or request.name)
        if extension is None:
            return self._refused_unasked(request, None, None, Reason.UNKNOWN_PAGE)
        if (reason := misfilled(extension.callnow, request.name)) is not None:
            return self._refused(request, extension, request.number, refuse(reason), link)
        plan, internal = self._account(extension).dial_plan, self._exchange.directory.internal_numbers
        number = wanted_number(request, plan, internal, link.number if link else "")
        if isinstance(number, Refused):
            return self._refused(request, extension, request.number, number, link)
        same = (request.page_id, request.source_ip, same_number(number, plan))
        while (first := self._asking.get(same)) is not None:  # a double click waits for what the first one gets
            await asyncio.wait([first])
        self._asking[same] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._answer(request, extension, number, same[2], link)
        except StoreError as error:
            log.error("page=%s event=not-admitted error=%s", request.page_id, error)
            answer = Refused(Outcome.SERVER_ERROR, NOT_AVAILABLE, 409)
        finally:
            self._asking.pop(same).set_result(None)
        return self._refused(request, extension, number, answer, link) if isinstance(answer, Refused) else answer

    async def open_link(self, page_id: str, token: str, source_ip: str) -> LinkPass | Refused:
        """What a signed link gives on a page, or why it is no good: written down where there is an address."""
        extension = self._exchange.directory.callnow(page_id)
        request = VisitorRequest(page_id, "", "", "", source_ip, link=token)
        link = await self._open_link(request, extension)
        if isinstance(link, Refused):
            return link
        return link_pass(link) if link.left else self._refused_unasked(request, extension, link, Reason.SIGNED_USED_UP)

    async def _open_link(self, request: VisitorRequest, extension: Extension | None) -> Link | Refused:
        """The link that a visitor brings. Whether a use is left is asked later: a click repeated is one request."""
        now = self._exchange.wall()
        try:
            link, reason = await self._exchange.database.read(
                lambda conn: open_link(conn, request.link, extension, now)
            )
        except StoreError as error:
            log.error("page=%s event=not-admitted error=%s", request.page_id, error)
            return Refused(Outcome.SERVER_ERROR, NOT_AVAILABLE, 409)
        if reason is None and link is not None:
            return link
        return self._refused_unasked(request, extension, link, reason or Reason.SIGNED_FORGED)

    def _refused_unasked(
        self, request: VisitorRequest, extension: Extension | None, link: Link | None, reason: Reason
    ) -> Refused:
        """No such page, or a link that is no good: in the records of the page's extension, or of the link's own."""
        owner = extension or (self._exchange.directory.extension_by_id(link.extension_id) if link else None)
        answer = refuse(reason if extension else Reason.UNKNOWN_PAGE)
        number = (link.number if link else "") or request.number
        return self._refused(request, owner, number, answer, link, unasked=True) if request.source_ip else answer

    async def _answer(
        self, request: VisitorRequest, extension: Extension, number: str, same: str, link: Link | None
    ) -> Accepted | Refused:
        now, first = self._exchange.now(), {"page_id": request.page_id, "ip": request.source_ip, "number": same}
        if (seen := self._repeats.find(now, **first)) and (accepted := self._calls.find(seen)) is not None:
            if request.at == accepted.asked_for and (request.at is None or request.at == accepted.due):
                return Accepted(seen)
        if link is not None and not link.left:
            return refuse(Reason.SIGNED_USED_UP)
        answer = await self._admit(request, extension, number, same, link)
        if isinstance(answer, Accepted):
            self._repeats.remember(now, answer.token, **first)
        return answer

    async def _admit(
        self, request: VisitorRequest, extension: Extension, number: str, same: str, link: Link | None
    ) -> Accepted | Refused:
        if request.at is not None and request.at not in self._free_slots(extension):
            return refuse(Reason.SLOT_GONE)
        facts = await self._calls.facts(extension, number, request.at)
        due, reason = self._when(request, extension, facts, same)
        if reason is not None or facts.rate is None:
            return refuse(reason or Reason.NO_RATE)
        now, settings = self._exchange.wall(), extension.callnow
        reached = self._limits.take(
            now, ip=request.source_ip, number=same, page_id=settings.id, calls_a_day=settings.calls_a_day, due=due,
        )  # fmt: skip
        if reached is not None:
            return refuse(reached.reason, reached.retry_after_s)
        record = journal.RequestRecord(
            self._new_token(), now, request.page_id, extension.number, request.name, number, request.source_ip, due=due,
            tries=int(due is not None and request.at is None), link=link.id if link else "",
        )  # fmt: skip
        shown = masked_number(number) if link is not None and link.number else number
        status = VisitorStatus(Stage.SCHEDULED, request.page_id, shown)
        accepted = AcceptedRequest(record, same, Feed(status), tries=record.tries)
        if due is None:
            taken = await self._calls.begin(accepted, extension, facts, facts.rate, link)
            if taken:
                # its call has held the money, or is over: what is told to be accepted is written
                await accepted.status.changed()
        else:
            taken = await self._calls.schedule(accepted, due, link)
        return Accepted(record.token) if taken else refuse(Reason.SIGNED_USED_UP)

    def _when(
        self, request: VisitorRequest, extension: Extension, facts: Facts, same: str
    ) -> tuple[float | None, Reason | None]:
        """When it is called, None for now, and the reason why it is not called at all."""
        due, reason = request.at, None
        if due is None:
            reason = admit_callnow(extension.callnow, request.name, facts)
            if reason is None and self._calls.owner_put_off(extension, same):
                reason = Reason.NUMBER_WAITING
            if reason in AWAY and extension.callnow.tries:
                due = self._calls.next_try(extension, self._exchange.wall())
        elif due not in self._free_slots(extension):  # somebody was quicker
            reason = Reason.SLOT_GONE
        if due is None or reason is Reason.SLOT_GONE:
            return None, reason
        later = admit_later(extension.callnow, request.name, facts) or self._too_many_waiting(extension, same)
        return due, later

    def _too_many_waiting(self, extension: Extension, same: str) -> Reason | None:
        waiting = self._calls.waiting
        if sum(1 for _ in waiting.of_extension(extension.number)) >= extension.callnow.most_waiting:
            return Reason.LINK_WAITING
        if self._limits.too_many_waiting(sum(1 for _ in waiting.of_number(same))):
            return Reason.NUMBER_WAITING
        return None

    # What the visitor sees

    def slots(self, page_id: str) -> SlotChoice:
        """When a visitor of a page may be called, other than now."""
        extension = self._exchange.directory.callnow(page_id)
        if extension is None:
            return SlotChoice()
        zone = zone_of(self._exchange.directory, extension)
        days = groupby(self._free_slots(extension), lambda at: told_day(at, zone))
        return SlotChoice(zone, told_hour(self._exchange.wall(), zone), [
            SlotDay(label, [(int(at), told_hour(at, zone)) for at in times]) for label, times in days
        ])

    def _free_slots(self, extension: Extension) -> list[float]:
        settings, directory = extension.callnow, self._exchange.directory
        if not settings.slot_min or settings.paused:
            return []
        hours, now = hours_of(directory, extension), self._exchange.wall()
        taken = {each.due for each in self._calls.waiting.of_extension(extension.number)}
        if len(taken) >= settings.most_waiting:
            return []
        offered = slots(zone_of(directory, extension), hours, now, settings.slot_min, settings.slot_days)
        return [at for at in offered if at not in taken]

    def status(self, token: str) -> VisitorStatus | None:
        """Where the request stands; None for an unknown token."""
        accepted = self._calls.find(token)
        return self._calls.seen(accepted) if accepted is not None else None

    async def watch(self, token: str) -> AsyncIterator[VisitorStatus]:
        """The status now and at each change, ending after a final one."""
        accepted = self._calls.find(token)
        if accepted is None:
            return
        async for status in accepted.status.follow():
            yield self._calls.seen(accepted) if status.stage is Stage.SCHEDULED else status
            if status.stage.final:
                return

    async def cancel(self, token: str) -> bool:
        """The visitor no longer wants the call; False when it is over, talking or unknown."""
        return await self._calls.cancel(token)

    def _refused(
        self, request: VisitorRequest, extension: Extension | None, number: str, answer: Refused,
        link: Link | None = None, *, unasked: bool = False,
    ) -> Refused:
        """Write the refusal down with its one reason; `unasked`: no captcha was before it."""
        at, whose = self._exchange.wall(), extension.number if extension else ""
        record = journal.RequestRecord(
            self._new_token(), at, request.page_id[:64], whose, request.name[:80], number[:40], request.source_ip,
            answer.reason, ended=at, link=link.id if link else "",
        )  # fmt: skip
        self._exchange.refusals.note(record, most=_MOST_UNASKED if unasked else MOST, anywhere=unasked)
        log.info("page=%s event=refused reason=%s", record.page_id, answer.reason)
        return answer

    def _opens(self, extension: Extension) -> str | None:
        return opening_of(self._exchange.directory, extension, self._exchange.wall())

    def _account(self, extension: Extension) -> Account:
        return self._exchange.directory.accounts[extension.account_id]
