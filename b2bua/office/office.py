"""The back office over one database: the implementation of b2bua.desk.Office, for the API and the command line."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeVar

from sqlalchemy import Connection

from b2bua.accounts.office import AccountOffice
from b2bua.codes.confirm import approve_by_code, code_call_view, read_code, take_try, wrong_code
from b2bua.desk import (
    BlockedView,
    CallbackView,
    CallerChange,
    CallerList,
    CallerView,
    CodeCallView,
    Holder,
    ImportView,
    LadderRow,
    NewBlocked,
    NewCaller,
    NewRecharge,
    NotDone,
    Progress,
    PublicCallerIdChange,
    PublicCallerIdView,
    RechargeView,
    StoryView,
    TypedCode,
)
from b2bua.links.office import LinkOffice
from b2bua.money import format_money
from b2bua.office.blocked_numbers import block_number, blocked_numbers, unblock_number
from b2bua.office.callback_change import callback_view, change_callback
from b2bua.office.caller_import import add_all, rehearse
from b2bua.office.caller_sheet import BadSheet, read_sheet, to_csv, to_xlsx
from b2bua.office.jobs import (
    caller_number,
    caller_of,
    caller_row,
    caller_view,
    check_language,
    credit,
    internal_numbers,
    iso,
    operator_only,
    order_number,
    quota_view,
    recharge,
    recharge_view,
    refusals,
    searched,
    seat,
)
from b2bua.office.public_caller_id import change_public_caller_id, public_caller_id
from b2bua.office.stories import stories
from b2bua.plan.callback_settings import secret_fault
from b2bua.prices.office import PriceOffice
from b2bua.secret_hash import hash_secret, verify_secret
from b2bua.settings.office import SettingsOffice
from b2bua.trace.call_ladder import CallLadder, kept_ladder
from b2bua.trace.pcap import capture
from store import callers
from store.callers import CallerRow
from store.database import Database, Job
from store.tokens import check_token
from store.values import Micros

__all__ = ["BackOffice"]

T = TypeVar("T")

_OPERATORS = {"quota", "pay_call_back", "longest_call_s", "calls_a_number_a_day"}
"""Callback settings by which a tenant could ring at another's expense, or more than was agreed."""


@dataclass(frozen=True, slots=True)
class BackOffice(AccountOffice, PriceOffice, LinkOffice, SettingsOffice):
    """Implements b2bua.desk.Office; `wall` gives the Unix time, `sounds` is the root of the accounts' sounds."""

    database: Database
    wall: Callable[[], float]
    sounds: Path | None = None
    live: Callable[[Holder, str], CallLadder | None] = lambda who, call_id: None
    """The ladder of a call in the memory of a running server."""
    place_code_call: Callable[[Holder, str], Awaitable[object]] | None = None
    """What a running server does (b2bua.codes.calls)."""
    base_url: str = ""
    """Where visitors reach the pages."""

    async def holder(self, token: str) -> Holder | None:
        """Whose API token this is; None for an unknown or revoked one."""
        digest, now = hashlib.sha256(token.encode()).hexdigest(), self.wall()
        found = await self.database.run(lambda conn: check_token(conn, digest, now))
        return None if found is None else Holder(found.name, found.account_id)

    async def callback(self, who: Holder, extension: str) -> CallbackView:
        """The callback settings of an extension."""
        return await self.database.read(lambda conn: callback_view(seat(conn, who, extension).settings))

    async def change_callback(self, who: Holder, extension: str, changes: Mapping[str, object]) -> CallbackView:
        """Change some of them, under the rules of `ringback apply`; `password` sets it, empty removes it."""
        for key in _OPERATORS & changes.keys():
            operator_only(who, key)
        password = changes.get("password")
        hashed = await _hashed(password, "password") if isinstance(password, str) else None
        return await self._run(
            lambda conn: change_callback(conn, seat(conn, who, extension), changes, hashed, self.sounds)
        )

    async def public_caller_id(self, who: Holder, extension: str) -> PublicCallerIdView:
        """What public calls of an extension show, and what they could."""
        return await self.database.read(lambda conn: public_caller_id(conn, who, extension))

    async def change_public_caller_id(
        self, who: Holder, extension: str, change: PublicCallerIdChange
    ) -> PublicCallerIdView:  # fmt: skip
        """Change some of it, under the rules of `ringback apply`."""
        return await self._run(lambda conn: change_public_caller_id(conn, who, extension, change))

    async def call_with_code(self, who: Holder, extension: str) -> CodeCallView:
        """Call the number that the user has set, and speak a code."""
        if self.place_code_call is None:
            raise NotDone("Only a running server can call.", 409)
        await self.place_code_call(who, extension)
        return await self.code_call(who, extension)

    async def code_call(self, who: Holder, extension: str) -> CodeCallView:
        """The newest such call."""
        return await self.database.read(lambda conn: code_call_view(conn, who, extension, self.wall()))

    async def confirm_code(self, who: Holder, extension: str, typed: TypedCode) -> PublicCallerIdView:
        """The code that was heard: the right one approves the number."""
        digits = read_code(typed)
        tried = await self._run(lambda conn: take_try(conn, who, extension, self.wall()))
        if not await asyncio.to_thread(verify_secret, tried.code_hash, digits):
            raise wrong_code(tried)
        return await self._run(lambda conn: approve_by_code(conn, who, extension, tried, self.wall()))

    async def blocked_numbers(self, who: Holder, text: str = "") -> Sequence[BlockedView]:
        """The blocked numbers that contain `text`, newest first."""
        return await self.database.read(lambda conn: blocked_numbers(conn, who, text))

    async def block_number(self, who: Holder, new: NewBlocked) -> BlockedView:
        """No CallNow request for it is taken any more."""
        return await self._run(lambda conn: block_number(conn, who, new, self.wall()))

    async def unblock_number(self, who: Holder, extension: str, number: str) -> None:
        """It may be called again; `extension` empty: by all pages."""
        await self._run(lambda conn: unblock_number(conn, who, extension, number))

    async def callers(
        self, who: Holder, extension: str, *, text: str = "", enabled: bool | None = None, limit: int = 50,
        offset: int = 0,
    ) -> CallerList:  # fmt: skip
        """The CallerIDs whose number contains `text`."""

        def found(conn: Connection) -> CallerList:
            at, part = seat(conn, who, extension), searched(text)
            rows = callers.search_callers(conn, at.id, part, enabled, limit, offset)
            total = callers.count_callers(conn, at.id, part, enabled)
            return CallerList([caller_view(row, at.currency) for row in rows], total, quota_view(conn, at))

        return await self.database.read(found)

    async def caller(self, who: Holder, extension: str, number: str) -> CallerView:
        """One CallerID."""

        def found(conn: Connection) -> CallerView:
            at = seat(conn, who, extension)
            return caller_view(caller_row(conn, caller_of(conn, at, number)), at.currency)

        return await self.database.read(found)

    async def add_caller(self, who: Holder, extension: str, new: NewCaller) -> CallerView:
        """Add one."""
        hashed = await _hashed(new.pin, "pin")
        return await self._run(lambda conn: self._add(conn, who, extension, new, hashed))

    def _add(self, conn: Connection, who: Holder, extension: str, new: NewCaller, pin_hash: str) -> CallerView:
        at, opening = seat(conn, who, extension), credit(new.credit, "credit")
        if opening is not None and opening < 0:
            raise NotDone("The first credit cannot be negative.", field="credit")
        if opening != 0:
            operator_only(who, "credit")
        if new.language:
            check_language(new.language, "language")
        added = callers.add_caller(
            conn, extension_id=at.id, number=caller_number(at, new.number, internal_numbers(conn)), pin_hash=pin_hash,
            credit=opening, order_number=order_number(new.order_number), enabled=new.enabled,
            language=new.language, at=self.wall(),
        )  # fmt: skip
        return caller_view(caller_row(conn, added), at.currency)

    async def edit_caller(self, who: Holder, extension: str, number: str, change: CallerChange) -> CallerView:
        """Change one."""
        hashed = None if change.pin is None else await _hashed(change.pin, "pin")

        def edited(conn: Connection) -> CallerView:
            at = seat(conn, who, extension)
            caller = caller_of(conn, at, number)
            if change.language:
                check_language(change.language, "language")
            renamed = None if change.number is None else caller_number(at, change.number, internal_numbers(conn))
            caller = callers.edit_caller(conn, caller.id, number=renamed, pin_hash=hashed, language=change.language)
            if change.enabled is not None:
                caller = callers.set_enabled(conn, caller.id, change.enabled)
            return caller_view(caller_row(conn, caller), at.currency)

        return await self._run(edited)

    async def remove_caller(self, who: Holder, extension: str, number: str) -> None:
        """Remove one; its ledger stays."""
        await self.database.run(
            lambda conn: callers.remove_caller(conn, caller_of(conn, seat(conn, who, extension), number).id)
        )

    async def recharges(self, who: Holder, extension: str, number: str, text: str = "") -> Sequence[RechargeView]:
        """The recharges whose order number contains `text`, newest first."""

        def found(conn: Connection) -> list[RechargeView]:
            caller = caller_of(conn, seat(conn, who, extension), number)
            return [recharge_view(row) for row in reversed(callers.recharges(conn, caller.id, text))]

        return await self.database.read(found)

    async def recharge(self, who: Holder, extension: str, number: str, new: NewRecharge) -> RechargeView:
        """Add credit."""
        operator_only(who, "amount")
        return await self._run(
            lambda conn: recharge(
                conn, caller_of(conn, seat(conn, who, extension), number).account_id, new, self.wall()
            )
        )

    async def import_callers(
        self, who: Holder, extension: str, data: bytes, *, separator: str = ",", dry_run: bool = False,
        progress: Progress | None = None,
    ) -> ImportView:  # fmt: skip
        """Add every line of a file, or none."""
        try:
            lines = await asyncio.to_thread(read_sheet, data, separator)
        except BadSheet as bad:
            raise NotDone(f"Line {bad.line}: {bad.sentence}.", line=bad.line) from bad
        await self.database.read(lambda conn: rehearse(conn, who, seat(conn, who, extension), lines))
        if dry_run:
            return ImportView(len(lines), True)
        hashes: list[str] = []
        for line in lines:
            hashes.append(await _hashed(line.pin, "pin"))
            if progress is not None:
                progress(len(hashes), len(lines))
        await self.database.run(lambda conn: add_all(conn, seat(conn, who, extension), lines, hashes, self.wall()))
        return ImportView(len(lines), False)

    async def export_callers(
        self, who: Holder, extension: str, kind: Literal["csv", "xlsx"], *, text: str = "",
        enabled: bool | None = None,
    ) -> bytes:  # fmt: skip
        """The list as a file."""

        def found(conn: Connection) -> tuple[str, list[CallerRow]]:
            at = seat(conn, who, extension)
            return at.currency, callers.search_callers(conn, at.id, searched(text), enabled)

        currency, rows = await self.database.read(found)
        write = to_csv if kind == "csv" else to_xlsx
        return await asyncio.to_thread(lambda: write(_cells(row, currency) for row in rows))

    async def stories(self, who: Holder, number: str, *, limit: int = 20, ladder: bool = False) -> Sequence[StoryView]:
        """Why, or why not: what became of the requests, triggers and calls of a number, newest first."""
        return await self.database.read(lambda conn: stories(conn, who, number, limit=limit, ladder=ladder))

    async def ladder(self, who: Holder, call_id: str) -> Sequence[LadderRow]:
        """What happened on the wires of a call, under way or over."""
        return (await self.call_ladder(who, call_id)).rows

    async def pcap(self, who: Holder, call_id: str) -> bytes:
        """Its SIP messages as a file for Wireshark."""
        found = await self.call_ladder(who, call_id)
        return capture(found.started, found.rows)

    async def call_ladder(self, who: Holder, call_id: str) -> CallLadder:
        """The ladder with its time.  Raises: NotDone."""
        found = self.live(who, call_id) or await self.database.read(lambda conn: kept_ladder(conn, who, call_id))
        if found is None:
            raise NotDone("No ladder of this call is kept.", 404)
        return found

    async def _run(self, job: Job[T]) -> T:
        with refusals():
            return await self.database.run(job)


async def _hashed(secret: str, field: str) -> str:
    """The hash of a password or PIN, empty for none, made in a thread.  Raises: NotDone."""
    if secret and (fault := secret_fault(secret)):
        raise NotDone(f"{field}: {fault}.", field=field)
    return await asyncio.to_thread(hash_secret, secret) if secret else ""


def _cells(row: CallerRow, currency: str) -> list[str | Decimal]:
    def money(micros: Micros | None) -> str | Decimal:
        return "unlimited" if micros is None else Decimal(format_money(micros))

    return [
        "enabled" if row.caller.enabled else "disabled", row.caller.number, "yes" if row.caller.pin_hash else "no",
        "unlimited" if row.available is None else money(row.total), money(row.available), money(row.spent), currency,
        iso(row.caller.created),
    ]  # fmt: skip
