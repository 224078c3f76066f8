"""What the store refuses: each error says who must act."""

from __future__ import annotations

__all__ = ["NoCredit", "StoreError"]


class StoreError(Exception):
    """The database could not do it; nothing of the job was kept. The operator must act."""


class NoCredit(Exception):
    """The account cannot pay for the first second; the call must not be dialled (SPEC A12.1)."""

    def __init__(self, account_id: int, needed: int, available: int) -> None:
        super().__init__(f"account {account_id} has {available} micros left, {needed} needed")
        self.account_id, self.needed, self.available = account_id, needed, available
