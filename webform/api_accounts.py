"""The part of the REST API that is about the money of accounts."""

from __future__ import annotations

from starlette.requests import Request

from b2bua.desk import AccountDesk, AccountRechargeView, BalanceView, Holder, NewRecharge
from webform.api_guard import read_json
from webform.api_schema import Operation

__all__ = ["AccountApi"]

_ONE = "/accounts/{account}"


class AccountApi:
    """The handlers."""

    def __init__(self, office: AccountDesk) -> None:
        self._office = office

    def operations(self) -> list[Operation]:
        """The operations, in the order of the document."""
        return [
            Operation("GET", _ONE + "/balance", "GetAccountBalance", "What an account has, holds and may use",
                      self._balance, gives=BalanceView),
            Operation("POST", _ONE + "/recharges", "RechargeAccount", "Add money to an account, or take some",
                      self._recharge, takes=NewRecharge, gives=AccountRechargeView, status=201,
                      conflict="the order number was used for another amount", reserved="all of it"),
        ]  # fmt: skip

    async def _balance(self, request: Request, who: Holder) -> BalanceView:
        return await self._office.account_balance(who, _account(request))

    async def _recharge(self, request: Request, who: Holder) -> AccountRechargeView:
        new = await read_json(request, NewRecharge)
        return await self._office.recharge_account(who, _account(request), new)


def _account(request: Request) -> str:
    return str(request.path_params["account"])
