"""Which accounts a token reaches, and what it may do there; pure but for one reading of who is above whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from b2bua.office.desk import Holder
from b2bua.settings.kept import KeptKind
from store.tables import accounts

__all__ = ["Reach", "below", "may_change", "may_see", "reach_of"]

Verdict = Literal["yes", "hidden", "forbidden"]
"""`hidden`: for this token it is not there."""


@dataclass(frozen=True, slots=True)
class Reach:
    """An account and all below it; account None is the operator, who reaches everything."""

    account_id: int | None
    below: frozenset[int] = frozenset()

    @property
    def is_operator(self) -> bool:
        return self.account_id is None

    def accounts(self, kind: KeptKind) -> frozenset[int]:
        """Whose entries of a kind it sees."""
        own = frozenset() if self.account_id is None else frozenset({self.account_id})
        return own | self.below if kind.seen_by == "branch" else own


def may_see(kind: KeptKind, reach: Reach, owner: int | None) -> Verdict:
    """Whether the token sees the entries of this account."""
    if reach.is_operator:
        return "yes"
    if kind.seen_by == "operator":
        return "forbidden"
    return "yes" if owner in reach.accounts(kind) else "hidden"


def may_change(kind: KeptKind, reach: Reach, owner: int | None) -> Verdict:
    """Whether it may make, change and remove them; what lies below is seen and not changed."""
    seen = may_see(kind, reach, owner)
    if reach.is_operator or seen != "yes":
        return seen
    return "yes" if kind.changed_by == "own" and owner == reach.account_id else "forbidden"


def below(account_id: int, parents: Mapping[int, int | None]) -> frozenset[int]:
    """The accounts under this one, at any depth; `parents` has the account above each."""
    found: frozenset[int] = frozenset()
    while new := {each for each, parent in parents.items() if parent in {account_id, *found}} - found:
        found |= new
    return found - {account_id}


def reach_of(conn: Connection, who: Holder) -> Reach:
    """As things are now."""
    if who.account_id is None:
        return Reach(None)
    rows = conn.execute(select(accounts.c.id, accounts.c.parent_id).where(accounts.c.kind == "client"))
    return Reach(who.account_id, below(who.account_id, {row_id: parent for row_id, parent in rows}))
