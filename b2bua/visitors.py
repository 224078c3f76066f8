"""CallNow requests of visitors: taken or refused, each with one reason, and followed to their end (SPEC A12.5)."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from b2bua.accept_rules import verdict
from b2bua.admission import NOT_AVAILABLE, Facts, Limits, Reason, RecentRequests, admit_callnow, misfilled, refuse
from b2bua.call import Call
from b2bua.callnow import CallNowRequest, callnow
from b2bua.desk import Accepted, CallNowPage, LinkPass, Refused, Stage, VisitorRequest, VisitorStatus
from b2bua.exchange import Exchange
from b2bua.feed import Feed
from b2bua.intervals import told_opening
from b2bua.meter import price, talk_limit
from b2bua.outcome import Outcome
from b2bua.routing import route, sell_rate
from b2bua.signed_links import Noted, link_pass, masked_number, open_link, take_use, wanted_number
from b2bua.tariff import free_pool
from store import journal, ledger
from store.blocked import BlockedBy, block, blocked_by
from store.errors import StoreError
from store.links import Link, give_back
from store.values import Account, Extension, Micros

__all__ = ["Visitors"]

log = logging.getLogger(__name__)

_DAY_S = 86400.0
_MOST_REQUESTS = 2000

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


@dataclass(slots=True)
class _Request:
    """One accepted request: where it stands, and its call as long as it lives."""

    status: Feed[VisitorStatus]
    call: Call | None
    at_stake: Micros
    """The most it can cost: what the link's money of the day must still have."""


class Visitors:
    """Everybody who asked for a call on a page in the last day, and those who may not."""

    def __init__(self, exchange: Exchange, new_token: Callable[[], str], limits: Limits) -> None:
        self._exchange = exchange
        self._new_token = new_token
        self._limits = limits
        self._repeats = RecentRequests()
        self._requests: OrderedDict[str, _Request] = OrderedDict()
        self._noted = Noted()
        self._asking: dict[tuple[str, str, str], asyncio.Future[None]] = {}

    async def open(self) -> None:
        """Count again what was accepted in the day before this start, so that a restart lifts no limit."""
        since = self._exchange.wall() - _DAY_S
        for record in reversed(await self._exchange.database.read(lambda conn: journal.recent_requests(conn, since))):
            if record.kind == "callnow" and record.call_id and record.ip:
                self._limits.note(record.at, ip=record.ip, number=record.number, page_id=record.page_id)

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
            return self._refused(request, None, request.number, refuse(Reason.UNKNOWN_PAGE))
        if (reason := misfilled(extension.callnow, request.name)) is not None:
            return self._refused(request, extension, request.number, refuse(reason), link)
        plan, internal = self._account(extension).dial_plan, self._exchange.directory.internal_numbers
        number = wanted_number(request, plan, internal, link.number if link else "")
        if isinstance(number, Refused):
            return self._refused(request, extension, request.number, number, link)
        same = (request.page_id, request.source_ip, number)
        while (first := self._asking.get(same)) is not None:  # a double click waits for what the first one gets
            await asyncio.wait([first])
        self._asking[same] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._answer(request, extension, number, link)
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
        return link_pass(link) if link.left else self._refused_link(request, extension, link, Reason.SIGNED_USED_UP)

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
        return self._refused_link(request, extension, link, reason or Reason.SIGNED_FORGED)

    def _refused_link(
        self, request: VisitorRequest, extension: Extension | None, link: Link | None, reason: Reason
    ) -> Refused:
        """Why a link is no good, in the records of the page's extension, or of its own where there is no page."""
        owner = extension or (self._exchange.directory.extension_by_id(link.extension_id) if link else None)
        answer = refuse(reason if extension else Reason.UNKNOWN_PAGE)
        number = (link.number if link else "") or request.number
        if not request.source_ip or not self._noted.take(request.source_ip, self._exchange.wall()):
            return answer
        return self._refused(request, owner, number, answer, link)

    async def _answer(
        self, request: VisitorRequest, extension: Extension, number: str, link: Link | None
    ) -> Accepted | Refused:
        now, same = self._exchange.now(), {"page_id": request.page_id, "ip": request.source_ip, "number": number}
        if (seen := self._repeats.find(now, **same)) and seen in self._requests:
            return Accepted(seen)
        if link is not None and not link.left:
            return refuse(Reason.SIGNED_USED_UP)
        answer = await self._admit(request, extension, number, link)
        if isinstance(answer, Accepted):
            self._repeats.remember(now, answer.token, **same)
        return answer

    async def _admit(
        self, request: VisitorRequest, extension: Extension, number: str, link: Link | None
    ) -> Accepted | Refused:
        exchange = self._exchange
        account = self._account(extension)
        since = exchange.wall() - _DAY_S

        at, directory = exchange.wall(), exchange.directory
        pool = free_pool(directory, account, number, at)

        def known(conn: Connection) -> tuple[Micros | None, Micros, bool, BlockedBy | None]:
            available = ledger.balance(conn, account.id).available
            free = pool is not None and ledger.free_left(conn, account.id, pool) > 0
            spent = journal.spent_since(conn, request.page_id, since)
            return available, spent, free, blocked_by(conn, number, extension.id)

        before = self._at_stake(request.page_id)
        available, spent, free, blocked = await exchange.database.read(known)
        # a call that ended meanwhile may not be in `spent` yet
        at_stake = sum((self._at_stake(request.page_id) | before).values())
        rate = sell_rate(directory, account, number, at)
        facts = Facts(
            on_phone=exchange.on_the_phone(extension),
            registered=bool(exchange.locations.of(extension.number)),
            routed=bool(route(directory, number, at)),
            rate=rate,
            available=available,
            spent_today=Micros(spent + at_stake),
            number=number,
            free=free,
            blocked=blocked,
            closed=self._opens(extension) is not None,
        )
        reason = admit_callnow(extension.callnow, request.name, facts)
        if reason is not None or rate is None:
            return refuse(reason or Reason.NO_RATE)
        reached = self._limits.take(
            exchange.wall(), ip=request.source_ip, number=number, page_id=request.page_id,
            calls_a_day=extension.callnow.calls_a_day,
        )  # fmt: skip
        if reached is not None:
            return refuse(reached.reason, reached.retry_after_s)
        limit_s = talk_limit(extension.callnow, rate, facts.spent_today)
        return await self._begin(request, extension, number, link, limit_s, price(rate, limit_s))

    async def _begin(
        self, request: VisitorRequest, extension: Extension, number: str, link: Link | None, limit_s: int,
        at_stake: Micros,
    ) -> Accepted | Refused:
        """The call begins; by a link only once a use of it is counted, and then nothing is awaited any more."""
        exchange, token, at = self._exchange, self._new_token(), self._exchange.wall()
        call = Call(exchange, "callnow", self._account(extension), extension, request.name or "Anonymous", number)
        shown = masked_number(number) if link is not None and link.number else number
        status = Feed(VisitorStatus(Stage.RINGING_OWNER, request.page_id, shown))
        self._requests[token] = accepted = _Request(status, call, at_stake)
        while len(self._requests) > _MOST_REQUESTS:
            self._requests.popitem(last=False)
        record = journal.RequestRecord(
            token, at, request.page_id, extension.number, request.name, number, request.source_ip,
            call_id=call.id, link=link.id if link else "",
        )  # fmt: skip
        if link is not None and not await self._use(link, record, accepted):
            return refuse(Reason.SIGNED_USED_UP)

        def opened(conn: Connection) -> None:
            journal.open_request(conn, record)

        def closed(conn: Connection, is_open: bool) -> None:
            if not is_open and link is None:
                opened(conn)
            if link is not None and not any(leg.direction == "out" for leg in call.legs):
                give_back(conn, link.id)  # it rang nobody
            journal.close_request(conn, token, str(call.outcome), call.charged or Micros(0), exchange.wall())
            if call.outcome is Outcome.BLOCKED:
                block(conn, number, extension.id, "owner", exchange.wall())
            elif call.outcome is Outcome.OPTED_OUT:
                block(conn, number, None, "visitor", exchange.wall())

        def tell(stage: Stage) -> None:
            status.set(replace(status.value, stage=stage))

        call.on_hold, call.on_outcome = None if link else opened, closed
        confirm = verdict(extension.callnow, request.name, number) == "confirm"
        want = CallNowRequest(extension, request.name, number, limit_s, confirm, tell)
        exchange.begin(call, callnow(want, call))
        exchange.keep(self._follow(call, number, accepted))
        return Accepted(token)

    async def _use(self, link: Link, record: journal.RequestRecord, accepted: _Request) -> bool:
        """Count a use of a link; where that fails, nothing is left of the request.  Raises: StoreError."""
        used = False
        try:
            used = await take_use(self._exchange.database, link, record, record.at)
        finally:
            if not used and accepted.call is not None:
                self._limits.undo(ip=record.ip, number=record.number, page_id=record.page_id)
                self._requests.pop(record.token, None)
                accepted.call.forget()
        return used

    async def _follow(self, call: Call, number: str, request: _Request) -> None:
        """Tell the visitor the end, and free the number."""
        try:
            await call.ended()
        finally:
            self._limits.done(number)
            request.call = None
            request.status.set(replace(request.status.value, stage=_last_stage(call), talk_s=round(call.talk_s)))

    def status(self, token: str) -> VisitorStatus | None:
        """Where the request stands; None for an unknown token."""
        request = self._requests.get(token)
        if request is None:
            return None
        status = request.status.value
        return replace(status, talk_s=round(request.call.talk_s)) if request.call else status

    async def watch(self, token: str) -> AsyncIterator[VisitorStatus]:
        """The status now and at each change, ending after a final one."""
        request = self._requests.get(token)
        if request is None:
            return
        async for status in request.status.follow():
            yield status
            if status.stage.final:
                return

    def cancel(self, token: str) -> bool:
        """The visitor no longer wants the call; False when it is over, talking or unknown."""
        request = self._requests.get(token)
        if request is None or request.call is None or request.call.talk_began is not None:
            return False
        return request.call.cancel()

    def _refused(
        self, request: VisitorRequest, extension: Extension | None, number: str, answer: Refused,
        link: Link | None = None,
    ) -> Refused:
        """Write the refusal down with its one reason."""
        at, whose = self._exchange.wall(), extension.number if extension else ""
        record = journal.RequestRecord(
            self._new_token(), at, request.page_id[:64], whose, request.name[:80], number[:40], request.source_ip,
            answer.reason, ended=at, link=link.id if link else "",
        )  # fmt: skip
        self._exchange.database.post(journal.INSERT_REQUEST, [journal.row(record)])
        log.info("page=%s event=refused reason=%s", record.page_id, answer.reason)
        return answer

    def _at_stake(self, page_id: str) -> dict[str, Micros]:
        """What the live calls of one link may cost at most, by token."""
        return {
            token: request.at_stake
            for token, request in self._requests.items()
            if request.call is not None and request.status.value.page_id == page_id
        }

    def _opens(self, extension: Extension) -> str | None:
        """When the page takes requests again; None: it does, empty: nobody knows (SPEC 16, H14)."""
        name = extension.callnow.interval
        interval = self._exchange.directory.interval(name, extension.account_id) if name else None
        if interval is None:
            return None if not name else ""
        return told_opening(interval, self._exchange.wall())

    def _account(self, extension: Extension) -> Account:
        return self._exchange.directory.accounts[extension.account_id]


def _last_stage(call: Call) -> Stage:
    """What the visitor learns of the end."""
    if call.talk_began is not None:
        return Stage.ENDED
    return _STAGES.get(call.outcome or Outcome.SERVER_ERROR, Stage.NOT_AVAILABLE)
