"""What the store refuses: each error says who must act."""

from __future__ import annotations

__all__ = ["Duplicate", "NoCredit", "QuotaReached", "StoreError"]


class StoreError(Exception):
    """The database could not do it; nothing of the job was kept. The operator must act."""


class Duplicate(StoreError):
    """There is one already of this `what`, for example `number` or `order number`: choose another."""

    def __init__(self, what: str, value: str, sentence: str) -> None:
        super().__init__(sentence)
        self.what, self.value = what, value


class QuotaReached(StoreError):
    """No more authorised CallerIDs may be active (SPEC 55): disable one, or ask the operator for more."""

    def __init__(self, most: int) -> None:
        super().__init__(f"the quota is reached: {most} authorised CallerIDs are active and no more may be")
        self.most = most


class NoCredit(Exception):
    """The account cannot pay for the first second; the call must not be dialled (SPEC A12.1)."""

    def __init__(self, account_id: int, needed: int, available: int) -> None:
        super().__init__(f"account {account_id} has {available} micros left, {needed} needed")
        self.account_id, self.needed, self.available = account_id, needed, available
