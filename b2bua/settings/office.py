"""Settings over one database: the implementation of b2bua.settings.desk.SettingsDesk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from b2bua.desk import Holder
from b2bua.plan.callback_settings import secret_fault
from b2bua.secret_hash import hash_secret
from b2bua.settings.change import Writer, remove
from b2bua.settings.desk import EntryList, ServerSettings
from b2bua.settings.documents import Document
from b2bua.settings.kept import KINDS
from b2bua.settings.own import change_page, check_room, checked_interval, page_of
from b2bua.settings.server import change_server, server_settings
from b2bua.settings.view import address_of, changeable, creatable, found, listed, view

if TYPE_CHECKING:
    from store.database import Database

__all__ = ["SettingsOffice"]


class SettingsOffice:
    """Implements b2bua.settings.desk.SettingsDesk."""

    __slots__ = ()
    database: Database
    wall: Callable[[], float]
    base_url: str

    async def entries(
        self, who: Holder, kind: str, *, text: str = "", account: str | None = None, limit: int = 50, offset: int = 0
    ) -> EntryList:
        """Those whose name, number or prefix contains `text`; `account`: of this one alone, empty: the operator's."""
        return await self.database.read(
            lambda conn: listed(conn, who, KINDS[kind], text=text, account=account, limit=limit, offset=offset)
        )

    async def entry(self, who: Holder, kind: str, name: str, account: str = "") -> Document:
        """One of them."""
        return await self.database.read(lambda conn: found(conn, who, KINDS[kind], name, account).view())

    async def add_entry(self, who: Holder, kind: str, values: Mapping[str, Any]) -> tuple[Document, str]:
        """Make one; gives it, and what its path ends with."""
        of, hashed = KINDS[kind], await _hashed(who, values)

        def added(conn: Connection) -> tuple[Document, str]:
            reach = creatable(conn, who, of)
            document = dict(values)
            if kind == "interval":
                check_room(conn, reach)
                document = checked_interval(conn, reach, document)
            entry, row = self._writer(conn, hashed).create(of, document)
            return view(of, entry, row, reach), address_of(of, entry, row)

        return await self.database.run(added)

    async def edit_entry(
        self, who: Holder, kind: str, name: str, change: Mapping[str, Any], account: str = ""
    ) -> Document:
        """Change what is said of it."""
        of, hashed = KINDS[kind], await _hashed(who, change)

        def edited(conn: Connection) -> Document:
            at = changeable(conn, who, of, name, account)
            document = checked_interval(conn, at.reach, dict(change)) if kind == "interval" else dict(change)
            entry, row = self._writer(conn, hashed).change(of, at.row, document)
            return view(of, entry, row, at.reach)

        return await self.database.run(edited)

    async def remove_entry(self, who: Holder, kind: str, name: str, account: str = "") -> None:
        """Remove one that nothing refers to."""
        of = KINDS[kind]
        await self.database.run(lambda conn: remove(conn, of, changeable(conn, who, of, name, account).row))

    async def callnow(self, who: Holder, extension: str) -> Document:
        """The CallNow settings of a phone."""
        return await self.database.read(lambda conn: page_of(conn, who, extension, self.base_url))

    async def edit_callnow(self, who: Holder, extension: str, change: Mapping[str, Any]) -> Document:
        """Change some of them."""

        def edited(conn: Connection) -> Document:
            change_page(self._writer(conn), who, extension, dict(change))
            return page_of(conn, who, extension, self.base_url)

        return await self.database.run(edited)

    async def server(self, who: Holder) -> ServerSettings:
        """What holds for the whole server."""
        return await self.database.read(lambda conn: server_settings(conn, who))

    async def edit_server(self, who: Holder, change: Mapping[str, Any]) -> ServerSettings:
        """Change some of it."""
        return await self.database.run(lambda conn: change_server(conn, who, dict(change)))

    def _writer(self, conn: Connection, hashed: str = "") -> Writer:
        return Writer(conn, self.wall(), lambda: token_hex(8), hashed)


async def _hashed(who: Holder, values: Mapping[str, Any]) -> str:
    """The hash of the callback password in a document, made in a thread; empty where there is none, or a wrong one."""
    if who.account_id is not None:  # it will be refused: not at this price
        return ""
    callback = values.get("callback")
    password = callback.get("password") if isinstance(callback, dict) else None
    if not isinstance(password, str) or secret_fault(password):
        return ""
    return await asyncio.to_thread(hash_secret, password)
