"""Rates, prices and margins as web pages and the API see them; all of it is the operator's alone.

Money is text, `4.88`; times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from b2bua.office.desk import Holder

__all__ = [
    "AppliedView", "MarginView", "MarginsBy", "PriceDesk", "PriceView", "RateCloneView", "RateImportView",
    "RateTableView", "RateView", "TalkPrice", "TrunkPriceView",
]  # fmt: skip

MarginsBy = Literal["trunk", "account", "extension", "day"]


@dataclass(frozen=True, slots=True)
class RateTableView:
    """One table of rates, and who pays by it or is paid by it."""

    table: str
    rates: int
    used_by: Sequence[str]
    """For example `account client`, `charging plan gold`, `trunk carrier`."""


@dataclass(frozen=True, slots=True)
class RateView:
    """One rate: b2bua.plan.entries.RateEntry says what each key means."""

    table: str
    prefix: str
    description: str
    connection_fee: str
    first_interval_s: int
    first_cost: str
    increment_s: int
    increment_cost: str
    minimum: str
    maximum: str | None
    interval: str
    valid_from: str
    valid_until: str
    formula: str
    """The same in words."""


@dataclass(frozen=True, slots=True)
class RateImportView:
    """What a file of rates did to its table, or would do."""

    added: int
    changed: int
    removed: int
    unchanged: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class RateCloneView:
    """What cloning a table of rates did to another, or would do."""

    added: int
    kept: int
    """Rates that both have, by prefix, interval and date: those of the target stay as they are."""
    dry_run: bool


@dataclass(frozen=True, slots=True)
class TrunkPriceView:
    """One way out, in the order in which they are tried."""

    trunk: str
    why: str
    """Its prefix, priority and weight."""
    buy: RateView | None
    sell: RateView | None
    buy_price: str
    """Of `PriceView.talk_s`; empty where it is not known."""
    sell_price: str
    margin: str


@dataclass(frozen=True, slots=True)
class TalkPrice:
    """What a talk of so many seconds costs."""

    seconds: int
    price: str


@dataclass(frozen=True, slots=True)
class PriceView:
    """How the price of a number comes about."""

    typed: str
    number: str
    """As the account's dial plan keeps it; empty where it is not called."""
    refused: str
    """Why the number cannot be called; empty where it can."""
    account: str
    currency: str
    dial_plan: str
    charging_plan: str
    method: str
    at: str
    sell: RateView | None
    talk_s: int
    prices: Sequence[TalkPrice]
    """Without free minutes."""
    free_minutes: str
    """What is left of them, and of which period; empty where there are none."""
    trunks: Sequence[TrunkPriceView]


@dataclass(frozen=True, slots=True)
class MarginView:
    """What calls brought and cost in one trunk, account, extension or day."""

    name: str
    currency: str
    calls: int
    minutes: str
    sold: str
    bought: str
    margin: str
    """Of the calls whose cost to us is known."""
    unknown: int
    """How many calls that were answered have none."""


@dataclass(frozen=True, slots=True)
class AppliedView:
    """What a document of configuration did, or would do, line by line."""

    lines: Sequence[str]
    dry_run: bool


class PriceDesk(Protocol):
    """What the API can ask about prices.  Raises: NotDone; 403 for the token of an account."""

    async def rate_tables(self, who: Holder) -> Sequence[RateTableView]:
        """Every table that has rates, or that something refers to."""

    async def rates(
        self, who: Holder, table: str, *, prefix: str = "", limit: int = 50, offset: int = 0
    ) -> Sequence[RateView]:
        """The rates of a table whose prefix begins so."""

    async def import_rates(
        self, who: Holder, table: str, data: bytes, *, separator: str = ",", keep: bool = False, plus: bool = False,
        dry_run: bool = False,
    ) -> RateImportView:  # fmt: skip
        """Make a table what a CSV file says, whole or not at all.

        `keep`: leave rates that are not in it; `plus`: put one before prefixes without.
        """

    async def clone_rates(self, who: Holder, source: str, table: str, *, dry_run: bool = False) -> RateCloneView:
        """Copy the rates of `source` that `table` does not have; what it has stays as it is."""

    async def export_rates(self, who: Holder, table: str, *, separator: str = ",") -> bytes:
        """A table as CSV, as `import_rates` takes it."""

    async def explain_price(
        self, who: Holder, number: str, *, account: str = "", at: str = "", trunk: str = ""
    ) -> PriceView:
        """How the price of a number comes about, now or at a moment; `trunk`: by this one alone."""

    async def margins(
        self, who: Holder, *, by: MarginsBy = "trunk", since: str = "", until: str = ""
    ) -> Sequence[MarginView]:
        """What the calls between two moments brought and cost; from the first of the month where nothing is said."""

    async def apply(self, who: Holder, text: str, *, dry_run: bool = False) -> AppliedView:
        """Take a document as `ringback apply` does."""
