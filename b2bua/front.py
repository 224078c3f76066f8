"""The front desk: what web pages ask, answered by the exchange (implements b2bua.desk.Desk)."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from b2bua.call import Call
from b2bua.desk import (
    Accepted,
    CallNowPage,
    CallView,
    DemoCallback,
    DemoState,
    ExtensionView,
    LadderRow,
    LinkPass,
    Refused,
    SlotChoice,
    TrunkState,
    VisitorRequest,
    VisitorStatus,
)
from b2bua.exchange import Exchange
from b2bua.explain import proof, sentence
from b2bua.money import format_money
from b2bua.rules.limits import Limits
from b2bua.visitors.requests import Visitors
from store import ledger
from store.meta import ADMIN_TOKEN_HASH, read_meta, write_meta
from store.values import Extension

__all__ = ["DemoControls", "FrontDesk"]

log = logging.getLogger(__name__)

_DAY_S = 86400.0
_MOST_REQUESTS = 2000

class DemoControls(Protocol):
    """The simulated phone and PSTN."""

    def state(self) -> DemoState:
        """As it stands."""

    async def set(self, behaviour: str) -> bool:
        """Change the phone's behaviour; False for an unknown one."""

    async def callback(self) -> DemoCallback | None:
        """The callback number, and the credit of who rings it."""

    async def ring(self) -> None:
        """Let him ring it; the call is there when this returns."""

    async def recharge(self) -> None:
        """Give him more credit."""


class FrontDesk:
    """One exchange seen from the web."""

    def __init__(
        self, exchange: Exchange, *, base_url: str, new_token: Callable[[], str], limits: Limits | None = None,
        demo: DemoControls | None = None,
    ) -> None:  # fmt: skip
        self._exchange = exchange
        self._base_url = base_url
        self._new_token = new_token
        self._visitors = Visitors(exchange, new_token, limits or Limits())
        self._demo = demo

    async def open(self) -> None:
        """Count again what was accepted before this start, and let wait on what waits."""
        await self._visitors.open()

    @property
    def demo(self) -> bool:
        """True when the simulated phone and PSTN run."""
        return self._demo is not None

    # The visitor

    def callnow_page(self, page_id: str) -> CallNowPage | None:
        """The page of one CallNow ID; None for unknown, disabled and not-permitted alike (SPEC H14)."""
        return self._visitors.page(page_id)

    async def open_link(self, page_id: str, token: str, source_ip: str) -> LinkPass | Refused:
        """What a signed link gives on a page, or why it is no good."""
        return await self._visitors.open_link(page_id, token, source_ip)

    async def request_call(self, request: VisitorRequest) -> Accepted | Refused:
        """Place one CallNow call, or say why not."""
        return await self._visitors.request(request)

    def visitor_status(self, token: str) -> VisitorStatus | None:
        """Where the request stands; None for an unknown token."""
        return self._visitors.status(token)

    def watch_visitor(self, token: str) -> AsyncIterator[VisitorStatus]:
        """The status now and at each change, ending after a final one."""
        return self._visitors.watch(token)

    async def cancel_visitor(self, token: str) -> bool:
        """The visitor no longer wants the call; False when it is over, talking or unknown."""
        return await self._visitors.cancel(token)

    def callnow_slots(self, page_id: str) -> SlotChoice:
        """When a visitor of a page may be called, other than now."""
        return self._visitors.slots(page_id)

    # Calls

    def calls(self) -> Sequence[CallView]:
        """Live and recent calls, newest first."""
        exchange = self._exchange
        known = [*exchange.recent.values(), *exchange.live.values()]
        return [_view(call) for call in sorted(known, key=lambda call: -call.started)]

    def call(self, call_id: str) -> CallView | None:
        """One call of `calls`."""
        call = self._call(call_id)
        return _view(call) if call else None

    def ladder(self, call_id: str) -> Sequence[LadderRow]:
        """The rows of one call so far."""
        call = self._call(call_id)
        return call.ladder.rows() if call else []

    async def watch_ladder(self, call_id: str, after: int = -1) -> AsyncIterator[LadderRow]:
        """Rows with n > after, then each new one until the call ends."""
        call = self._call(call_id)
        if call is not None:
            async for row in call.ladder.watch(after):
                yield row

    async def watch_calls(self) -> AsyncIterator[Sequence[CallView]]:
        """`calls` now and at each change."""
        async for _ in self._exchange.moves.follow():
            yield self.calls()

    def recording(self, call_id: str) -> Path | None:
        """The stereo WAV of an ended call."""
        call = self._call(call_id)
        path = (
            self._exchange.recording_path(call_id)
            if call and call.recorded and call_id not in self._exchange.live
            else None
        )
        return path if path is not None and path.is_file() else None

    def _call(self, call_id: str) -> Call | None:
        return self._exchange.live.get(call_id) or self._exchange.recent.get(call_id)

    # Extensions, admins, demo

    async def extensions(self) -> Sequence[ExtensionView]:
        """Every extension with registration and balance."""
        directory = self._exchange.directory
        ids = list(directory.accounts)
        balances = await self._exchange.database.read(lambda conn: {i: ledger.balance(conn, i) for i in ids})
        return [self._extension(e, balances[e.account_id]) for e in directory.extensions.values()]

    def _extension(self, extension: Extension, balance: ledger.Balance) -> ExtensionView:
        account = self._exchange.directory.accounts[extension.account_id]
        bindings = self._exchange.locations.of(extension.number)
        page = extension.callnow.id if self._exchange.directory.callnow(extension.callnow.id) else ""
        return ExtensionView(
            number=extension.number,
            name=extension.name,
            kind=extension.kind,
            public_number=extension.public_number,
            contacts=[f"{b.source_ip}:{b.source_port} {b.user_agent}".strip() for b in bindings],
            callnow_url=f"{self._base_url}/callnow/{page}" if page else "",
            account=account.name,
            balance=format_money(balance.balance, account.currency),
        )

    async def new_admin_link(self) -> str:
        """A one-time link for the admin page; an older one not yet used is void."""
        token = self._new_token()
        digest = _digest(token)
        await self._exchange.database.run(lambda conn: write_meta(conn, ADMIN_TOKEN_HASH, digest))
        return f"{self._base_url}/admin/{token}"

    def trunk_states(self) -> Sequence[TrunkState]:
        """Every trunk, whether it is registered and there."""
        return self._exchange.trunks.states()

    async def open_admin_link(self, token: str) -> bool:
        """Spend a one-time admin link; False when it was used or never given."""

        def spend(conn: Connection) -> bool:
            kept = read_meta(conn, ADMIN_TOKEN_HASH) or ""
            if not kept or not hmac.compare_digest(kept, _digest(token)):
                return False
            write_meta(conn, ADMIN_TOKEN_HASH, "")
            return True

        return await self._exchange.database.run(spend)

    def demo_state(self) -> DemoState | None:
        """None outside demo mode."""
        return self._demo.state() if self._demo else None

    async def demo_set(self, behaviour: str) -> bool:
        """How the simulated phone behaves from now on."""
        return await self._demo.set(behaviour) if self._demo else False

    async def demo_callback(self) -> DemoCallback | None:
        """None outside demo mode."""
        return await self._demo.callback() if self._demo else None

    async def demo_ring(self) -> None:
        """Let the caller ring the callback number."""
        if self._demo:
            await self._demo.ring()

    async def demo_recharge(self) -> None:
        """Give the caller more credit."""
        if self._demo:
            await self._demo.recharge()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _view(call: Call) -> CallView:
    currency = call.account.currency if call.account else ""
    return CallView(
        id=call.id,
        kind=call.kind,  # type: ignore[arg-type]
        started=call.wall(call.started),
        state="ended" if call.outcome else "talking" if call.talk_began is not None else "ringing",
        reason=str(call.outcome or ""),
        from_=call.from_,
        to=call.to,
        talk_s=round(call.talk_s),
        charge=format_money(call.charged, currency) if call.charged is not None else "",
        recorded=call.recorded and call.id not in call.exchange.live,  # it is complete when the call is over
        why=sentence(call.outcome) if call.outcome else "",
        verified=proof(str(call.verdict or "")),
    )
