"""The money of accounts as the API sees it.

Money is text, `4.88`; times are ISO 8601 in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from b2bua.office.desk import Holder, NewRecharge, RechargeView

__all__ = ["AccountDesk", "AccountRechargeView", "BalanceView"]


@dataclass(frozen=True, slots=True)
class BalanceView:
    """What an account has now."""

    balance: str
    held: str
    """What its live calls have set aside."""
    available: str
    """What a new call may use; `unlimited`: postpaid, without a limit."""
    currency: str


@dataclass(frozen=True, slots=True)
class AccountRechargeView(RechargeView):
    """One row of the recharge history, and what the account has now."""

    balance: str
    held: str
    available: str
    currency: str


class AccountDesk(Protocol):
    """What the API can ask about the money of accounts.  Raises: NotDone; 404 for one that the holder may not know."""

    async def account_balance(self, who: Holder, account: str) -> BalanceView:
        """What it has; an account's token asks about its own and those below."""

    async def recharge_account(self, who: Holder, account: str, new: NewRecharge) -> AccountRechargeView:
        """Add money, or take some; 403 for the token of an account."""
