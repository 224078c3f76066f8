"""What `ringback apply` sets, as the API sees it: one entry at a time.

A document has the names and values of the file's tables (b2bua.plan.entries); secrets go in and never come out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from b2bua.office.desk import Holder
from b2bua.plan.entries import (
    AccountEntry,
    CallNowEntry,
    ChargingPlanEntry,
    DidEntry,
    ExtensionEntry,
    IntervalEntry,
    Money,
    RouteEntry,
    TrunkEntry,
)

__all__ = [
    "CALLNOW", "SETTINGS", "EntryList", "EntryType", "Money", "ServerSettings", "SettingsDesk",
]  # fmt: skip

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EntryType:
    """One kind of document: its path, and the type that says which fields it has."""

    kind: str
    """The table of the file, `charging_plan`."""
    name: str
    """As in names of operations, `ChargingPlan`."""
    fields: type[Any]
    known_by: tuple[str, ...] = ("name",)
    """The fields that cannot be changed."""
    numbered: bool = False
    """Known by an `id` in paths, as it has no name."""
    branch: bool = False
    """An account's token sees those of its account, or of those below it too."""
    shared: bool = False
    """Accounts have their own as well, and change them."""

    @property
    def path(self) -> str:
        return f"/{self.kind.replace('_', '-')}s"

    @property
    def word(self) -> str:
        return self.kind.replace("_", " ")


SETTINGS = (
    EntryType("account", "Account", AccountEntry, branch=True),
    EntryType("extension", "Extension", ExtensionEntry, ("number",), branch=True),
    EntryType("interval", "Interval", IntervalEntry, ("name", "account"), branch=True, shared=True),
    EntryType("trunk", "Trunk", TrunkEntry),
    EntryType("did", "DID", DidEntry, ("number",), branch=True),
    EntryType("route", "Route", RouteEntry, ("prefix", "trunk", "interval"), numbered=True),
    EntryType("charging_plan", "ChargingPlan", ChargingPlanEntry),
)
CALLNOW = EntryType("callnow", "CallNow", CallNowEntry, ())
"""The part of an extension that its owner changes."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """[server] of the file."""

    realm: str
    caller_quota: int | None
    edge_proxies: Sequence[str]
    service_route: Sequence[str]
    time_zone: str


@dataclass(frozen=True, slots=True)
class EntryList:
    """Some entries of a kind, and how many there are."""

    entries: Sequence[Document]
    total: int


class SettingsDesk(Protocol):
    """What the API can ask about settings.

    Raises: NotDone; 404 for what the holder may not see, 403 for what he may not change.
    """

    async def entries(
        self, who: Holder, kind: str, *, text: str = "", account: str | None = None, limit: int = 50, offset: int = 0
    ) -> EntryList:
        """Those whose name, number or prefix contains `text`; `account`: of this one alone, empty: the operator's."""

    async def entry(self, who: Holder, kind: str, name: str, account: str = "") -> Document:
        """One of them; `account` tells intervals of one name apart."""

    async def add_entry(self, who: Holder, kind: str, values: Document) -> tuple[Document, str]:
        """Make one; gives it, and what its path ends with."""

    async def edit_entry(self, who: Holder, kind: str, name: str, change: Document, account: str = "") -> Document:
        """Change what is said of it; null is the default.  RFC 7396."""

    async def remove_entry(self, who: Holder, kind: str, name: str, account: str = "") -> None:
        """Remove one that nothing refers to."""

    async def callnow(self, who: Holder, extension: str) -> Document:
        """The CallNow settings of a phone, with its `url`, and a `warning` of what it may cost."""

    async def edit_callnow(self, who: Holder, extension: str, change: Document) -> Document:
        """Change some of them."""

    async def server(self, who: Holder) -> ServerSettings:
        """What holds for the whole server."""

    async def edit_server(self, who: Holder, change: Document) -> ServerSettings:
        """Change some of it."""
