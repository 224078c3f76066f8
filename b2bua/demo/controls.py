"""What the demo page steers: John's phone, and the caller of the callback number with his credit."""

from __future__ import annotations

from sqlalchemy import Connection

from b2bua.demo.caller import CALLER, STEPS, Caller
from b2bua.demo.phone import Phone
from b2bua.desk import DemoCallback, DemoState
from b2bua.exchange import Exchange
from b2bua.money import format_credit, format_money
from store import callers, ledger
from store.values import AuthorisedCaller, Micros

__all__ = ["RECHARGE", "Controls"]

RECHARGE = Micros(500_000)


class Controls:
    """Implements b2bua.front.DemoControls."""

    def __init__(self, phone: Phone, caller: Caller, extension: str) -> None:
        """`extension` is the callback number's."""
        self._phone, self._caller, self._extension = phone, caller, extension
        self.exchange: Exchange
        """What they belong to, from the moment it runs."""

    def state(self) -> DemoState:
        """The phone as it stands."""
        return self._phone.state()

    async def set(self, behaviour: str) -> bool:
        """Change the phone's behaviour; False for an unknown one."""
        return await self._phone.set(behaviour)

    async def callback(self) -> DemoCallback | None:
        """The callback number, and its caller's credit at this moment; None when he is not authorised any more."""
        row = await self.exchange.database.read(self._row)
        if row is None:
            return None
        directory = self.exchange.directory
        currency = directory.accounts[directory.extensions[self._extension].account_id].currency
        return DemoCallback(
            number=self._caller.number,
            caller=CALLER,
            does=[step.does for step in STEPS],
            credit=format_credit(await self._left(row), currency),
            recharge=format_money(RECHARGE, currency),
        )

    async def ring(self) -> None:
        """Let the caller ring the callback number; the call is there when this returns."""
        await self._caller.ring().heard

    async def recharge(self) -> None:
        """Give the caller more credit."""
        at = self.exchange.wall()

        def more(conn: Connection) -> None:
            row = self._row(conn)
            if row is not None:
                callers.recharge_caller(conn, row.id, RECHARGE, "", at)

        await self.exchange.database.run(more)

    async def _left(self, row: AuthorisedCaller) -> Micros | None:
        """What he can still pay, what his live call has cost up to now taken off; None: no limit."""
        for call in self.exchange.live.values():
            if call.purse is not None and call.purse.account_id == row.account_id and call.outcome is None:
                return await call.purse.left()
        return (await self.exchange.database.read(lambda conn: ledger.balance(conn, row.account_id))).available

    def _row(self, conn: Connection) -> AuthorisedCaller | None:
        return callers.find_caller(conn, self.exchange.directory.extensions[self._extension].id, CALLER)
