"""The money of accounts over one database: the implementation of b2bua.accounts.desk.AccountDesk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from b2bua.accounts.desk import AccountRechargeView, BalanceView
from b2bua.desk import Holder, NewRecharge, NotDone
from b2bua.money import UNLIMITED, format_credit, format_money
from b2bua.office.jobs import operator_only, order_number, recharge, refusals
from b2bua.plan.apply import OPENING
from b2bua.settings.kept import KINDS, Row
from b2bua.settings.view import found
from store import ledger

if TYPE_CHECKING:
    from store.database import Database

__all__ = ["AccountOffice"]


class AccountOffice:
    """Implements b2bua.accounts.desk.AccountDesk."""

    __slots__ = ()
    database: Database
    wall: Callable[[], float]

    async def account_balance(self, who: Holder, account: str) -> BalanceView:
        """What it has."""
        return await self.database.read(lambda conn: _balance(conn, _account(conn, who, account)))

    async def recharge_account(self, who: Holder, account: str, new: NewRecharge) -> AccountRechargeView:
        """Add money, or take some."""
        with refusals():
            return await self.database.run(lambda conn: _recharge(conn, who, account, new, self.wall()))


def _recharge(conn: Connection, who: Holder, name: str, new: NewRecharge, at: float) -> AccountRechargeView:
    account = _account(conn, who, name)
    operator_only(who, "amount")
    if new.amount.strip() == UNLIMITED:
        raise NotDone("amount: an account without limit is a postpaid one without credit_limit.", field="amount")
    order = order_number(new.order_number)
    if order == OPENING or order.startswith(ledger.FEE_ORDER):  # it would count as the one, or stand for the other
        raise NotDone(f"order_number: {order} is one of the server's own.", field="order_number")
    done = recharge(conn, account["id"], new, at)
    return AccountRechargeView(**asdict(done), **asdict(_balance(conn, account)))


def _account(conn: Connection, who: Holder, name: str) -> Row:
    return found(conn, who, KINDS["account"], name).row


def _balance(conn: Connection, account: Row) -> BalanceView:
    now = ledger.balance(conn, account["id"])
    return BalanceView(
        format_money(now.balance), format_money(now.held), format_credit(now.available), account["currency"],
    )  # fmt: skip
