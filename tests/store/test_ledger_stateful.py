"""Random holds, extensions, settlements, recharges and crashes: the books balance after every step."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, insert

from store import ledger
from store.database import connect
from store.errors import NoCredit
from store.rates import price
from store.tables import accounts
from store.values import Micros, Rate

RATE = Rate("", "", Micros(2), 10, Micros(5), 7, Micros(3))
LIMIT = 50
amounts = st.integers(0, 60).map(Micros)


class Books(RuleBasedStateMachine):
    """A prepaid and a postpaid account, and a plain model of what each has and holds."""

    legs: Bundle[int] = Bundle("legs")

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.conn = engine.connect()
        self.undone = self.conn.begin()
        self.now = 0.0
        self.has: dict[int, int] = {}
        self.open: dict[int, tuple[int, int]] = {}
        """Hold id -> account, amount."""
        self.settled: dict[int, int] = {}
        self.answered: dict[int, float] = {}
        self.beat: dict[int, float] = {}

    def teardown(self) -> None:
        self.undone.rollback()
        self.conn.close()

    @initialize(credit=amounts)
    def two_accounts(self, credit: Micros) -> None:
        for name, plan in (("prepaid", "prepaid"), ("postpaid", "postpaid")):
            account_id = self.conn.execute(insert(accounts).values(
                name=name, plan=plan, call_api=True, credit_limit=LIMIT, dial_plan={},
            ).returning(accounts.c.id)).scalar_one()
            ledger.recharge(self.conn, account_id, credit, "", self.now)
            self.has[account_id] = credit

    @rule(target=legs, payer=st.integers(1, 2), amount=amounts, least=st.none() | amounts)
    def place(self, payer: int, amount: Micros, least: Micros | None) -> int:
        left = self._left(payer)
        needed = amount if least is None else min(least, amount)
        call_id = f"c{self.now}"
        try:
            hold = ledger.place_hold(
                self.conn, call_id=call_id, leg="b", account_id=payer, rate=RATE, amount=amount, at=self.now,
                least=least,
            )
        except NoCredit:
            assert left < needed
            return 0
        assert hold.amount == min(amount, left)
        assert hold.amount >= needed
        self.open[hold.id] = (payer, hold.amount)
        return hold.id

    @rule(hold=legs, more=amounts)
    def extend(self, hold: int, more: Micros) -> None:
        if hold:
            left = self._left(self.open[hold][0]) if hold in self.open else 0
            granted = ledger.extend_hold(self.conn, hold, more, self.now)
            assert granted == max(0, min(more, left))
            if hold in self.open:
                self.open[hold] = (self.open[hold][0], self.open[hold][1] + granted)
                self.beat[hold] = self.now

    @rule(hold=legs)
    def answer(self, hold: int) -> None:
        ledger.mark_answered(self.conn, hold, self.now)
        if hold in self.open and hold not in self.answered:
            self.answered[hold] = self.beat[hold] = self.now

    @rule(hold=legs)
    def heartbeat(self, hold: int) -> None:
        ledger.heartbeat(self.conn, [hold], self.now)
        if hold in self.open:
            self.beat[hold] = self.now

    @rule(hold=legs, charge=amounts)
    def settle(self, hold: int, charge: Micros) -> None:
        if hold:
            done = ledger.settle(self.conn, hold, charge, self.now)
            if hold in self.open:
                assert done.charged == min(charge, self.open[hold][1])
                self._close(hold, done.charged)
            assert done.charged == self.settled[hold]

    @rule(payer=st.integers(1, 2), amount=st.integers(-60, 60).map(Micros))
    def recharge(self, payer: int, amount: Micros) -> None:
        left, held = self._left(payer), dict(self.open)
        after = ledger.recharge(self.conn, payer, amount, "", self.now).balance
        self.open = {hold.id: (hold.account_id, hold.amount) for hold in ledger.open_holds(self.conn)}
        taken = sum(before[1] - self.open[hold][1] for hold, before in held.items())
        if payer == 1 and amount < 0:  # SPEC H9: the free money, then what live calls hold and have not talked
            assert after == self.has[payer] - min(-amount, left + taken)
            assert taken == 0 or -amount >= left + taken
        else:
            assert (after, taken) == (self.has[payer] + amount, 0)
        for hold, at in self.answered.items():
            if hold in self.open:
                assert self.open[hold][1] >= min(held[hold][1], price(RATE, self.now - at))
        self.has[payer] = after

    @rule()
    def crash(self) -> None:
        for done in ledger.settle_after_crash(self.conn, self.now):
            talked = self.now - self.answered.get(done.hold_id, self.now)
            most = price(RATE, talked) if done.hold_id in self.answered else 0
            assert 0 <= done.charged <= min(most, self.open[done.hold_id][1])
            self._close(done.hold_id, done.charged)
        assert not self.open

    @rule(seconds=st.floats(0.1, 40.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def the_books_balance(self) -> None:
        self.now += 0.001  # call ids are made of it
        assert ledger.audit(self.conn) == []
        for payer, has in self.has.items():
            seen = ledger.balance(self.conn, payer)
            assert (seen.balance, seen.held, seen.available) == (has, self._held(payer), self._left(payer))
        if self.has:
            assert ledger.balance(self.conn, 1).available >= 0  # type: ignore[operator]

    def _held(self, payer: int) -> int:
        return sum(amount for owner, amount in self.open.values() if owner == payer)

    def _left(self, payer: int) -> int:
        return self.has[payer] - self._held(payer) + (LIMIT if payer == 2 else 0)

    def _close(self, hold: int, charged: int) -> None:
        payer, _amount = self.open.pop(hold)
        self.has[payer] -= charged
        self.settled[hold] = charged


def test_the_books_balance_whatever_happens(url: str) -> None:
    engine = connect(url)
    machine: Any = lambda: Books(engine)  # noqa: E731
    quick = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=quick)
    engine.dispose()
