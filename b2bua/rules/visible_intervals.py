"""Which time intervals an account sees (SPEC 70)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["associated", "named"]

Key = tuple[str, int | None]
"""Name and account; account None: the operator's."""


def named(name: str, account_id: int | None, intervals: Mapping[Key, Sequence[str]]) -> Key | None:
    """The interval that a name means for an account: its own, else the operator's."""
    return next((key for key in ((name, account_id), (name, None)) if key in intervals), None)


def associated(account_id: int, intervals: Mapping[Key, Sequence[str]], used: Iterable[Key]) -> frozenset[Key]:
    """The operator's intervals whose properties an account sees, as they are associated with it.

    `intervals` has the names that each leaves out; `used` are those that decide about the account's calls.
    """
    new = {*used} | {key for key in intervals if key[1] == account_id}
    found: set[Key] = set()
    while new:
        found |= new
        inside = {named(name, key[1], intervals) for key in new for name in intervals.get(key, ())}
        new = {key for key in inside if key is not None} - found
    return frozenset(key for key in found if key[1] is None and key in intervals)
