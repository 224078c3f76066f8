"""Random callers, recharges, legs, moves, crashes and removals: every wallet's books balance after every step."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Engine, insert

from store import callers, journal, ledger
from store.database import connect
from store.errors import Duplicate, NoCredit, QuotaReached
from store.rates import price
from store.tables import accounts, extensions
from store.unspent import NOTICE_S
from store.values import AuthorisedCaller, Micros, Rate

RATE = Rate("", "", Micros(2), 10, Micros(5), 7, Micros(3))
QUOTA = 2
amounts = st.integers(0, 60).map(Micros)
numbers = st.sampled_from(["5551", "5552", "5553"])


class Wallets(RuleBasedStateMachine):
    """One callback extension with room for two active callers, and a plain model of each wallet."""

    rows: Bundle[AuthorisedCaller] = Bundle("rows")
    legs: Bundle[ledger.Hold] = Bundle("legs")

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.conn = engine.connect()
        self.undone = self.conn.begin()
        self.now = 0.0
        self.has: dict[int, int] = {}
        """Account -> balance."""
        self.unlimited: set[int] = set()
        self.open: dict[int, tuple[int, int]] = {}
        """Hold -> account, amount."""
        self.answered: dict[int, float] = {}
        self.settled: dict[int, int] = {}
        self.active: dict[str, bool] = {}

    def teardown(self) -> None:
        self.undone.rollback()
        self.conn.close()

    @initialize()
    def an_extension(self) -> None:
        owner = self.conn.execute(insert(accounts).values(
            name="client", plan="prepaid", call_api=True, dial_plan={},
        ).returning(accounts.c.id)).scalar_one()
        self.extension: int = self.conn.execute(insert(extensions).values(
            number="001*900", account_id=owner, kind="callback", ring_s=1, confirm_s=1, caller_id={},
            callback={"quota": QUOTA},
        ).returning(extensions.c.id)).scalar_one()

    @rule(target=rows, number=numbers, credit=st.none() | amounts, enabled=st.booleans())
    def add(self, number: str, credit: Micros | None, enabled: bool) -> Any:
        try:
            caller = callers.add_caller(self.conn, extension_id=self.extension, number=number, credit=credit,
                                        enabled=enabled, at=self.now)
        except Duplicate:
            assert number in self.active
        except QuotaReached:
            assert enabled
            assert self._active() >= QUOTA
        else:
            assert number not in self.active
            assert not enabled or self._active() < QUOTA
            self.active[number] = enabled
            self.has[caller.account_id] = credit or 0
            if credit is None:
                self.unlimited.add(caller.account_id)
            return caller
        return callers.find_caller(self.conn, self.extension, number)

    @rule(caller=rows, enabled=st.booleans())
    def switch(self, caller: AuthorisedCaller | None, enabled: bool) -> None:
        if caller and callers.get_caller(self.conn, caller.id):
            try:
                callers.set_enabled(self.conn, caller.id, enabled)
            except QuotaReached:
                assert enabled
                assert not self.active[caller.number]
                assert self._active() >= QUOTA
            else:
                self.active[caller.number] = enabled

    @rule(caller=rows)
    def remove(self, caller: AuthorisedCaller | None) -> None:
        if caller and callers.find_caller(self.conn, self.extension, caller.number) and callers.remove_caller(
            self.conn, caller.id,
        ):
            del self.active[caller.number]

    @rule(caller=rows, amount=st.none() | st.integers(-60, 60).map(Micros))
    def recharge(self, caller: AuthorisedCaller | None, amount: Micros | None) -> None:
        if not caller or not callers.get_caller(self.conn, caller.id):
            return
        wallet = caller.account_id
        row = callers.recharge_caller(self.conn, caller.id, amount, "", self.now)
        before = self._held(wallet)
        self.open = {hold.id: (hold.account_id, hold.amount) for hold in ledger.open_holds(self.conn)}
        taken = before - self._held(wallet)
        assert taken >= 0
        if taken and wallet not in self.unlimited:  # SPEC H9: what live calls held and had not talked
            assert amount is not None
            assert -amount >= self.has[wallet] - before + taken
        if amount is None:
            self.unlimited.add(wallet)
        elif amount < 0:
            less = self._held(wallet) if wallet in self.unlimited else self.has[wallet] + amount
            self.unlimited.discard(wallet)
            self.has[wallet] = max(less, self._held(wallet))
        else:
            self.has[wallet] += amount
        assert (row.added, row.left) == (amount, self._left(wallet))

    @rule(caller=rows, amount=st.integers(-60, -1).map(Micros))
    def make_finite_and_hang_up(self, caller: AuthorisedCaller | None, amount: Micros) -> None:
        """SPEC 60: of an unlimited wallet no more is left than its calls had spent ahead."""
        if not caller or caller.account_id not in self.unlimited or not callers.get_caller(self.conn, caller.id):
            return
        self.recharge(caller, amount)
        mine = [hold for hold, (wallet, _) in self.open.items() if wallet == caller.account_id]
        ahead = sum(price(RATE, self._talked(hold) + NOTICE_S) for hold in mine)
        for hold in mine:
            charge = price(RATE, self._talked(hold)) if hold in self.answered else Micros(0)
            done = ledger.settle(self.conn, hold, charge, self.now)
            self._close(hold, done.charged)
            ahead -= done.charged
        assert 0 <= (self._left(caller.account_id) or 0) <= ahead

    @rule(target=legs, caller=rows, leg=st.sampled_from(["back", "pstn"]), call=st.integers(0, 3), amount=amounts)
    def place(self, caller: AuthorisedCaller | None, leg: str, call: int, amount: Micros) -> Any:
        if not caller:
            return None
        wallet, left = caller.account_id, self._left(caller.account_id)
        try:
            hold = ledger.place_hold(self.conn, call_id=f"{wallet} {call}", leg=leg, account_id=wallet, rate=RATE,
                                     amount=amount, at=self.now, extension="001*900")
        except NoCredit:
            assert left is not None
            assert left < amount
            return None
        if hold.id not in self.open and hold.id not in self.settled:
            self.open[hold.id] = (wallet, hold.amount)
        return hold

    @rule(hold=legs, more=amounts)
    def extend(self, hold: ledger.Hold | None, more: Micros) -> None:
        if hold and hold.id in self.open:
            wallet, amount = self.open[hold.id]
            left = self._left(wallet)
            granted = ledger.extend_hold(self.conn, hold.id, more, self.now)
            assert granted == (more if left is None else min(more, left))
            self.open[hold.id] = (wallet, amount + granted)

    @rule(giver=legs, taker=legs, amount=amounts)
    def move(self, giver: ledger.Hold | None, taker: ledger.Hold | None, amount: Micros) -> None:
        if giver and taker and giver.call_id == taker.call_id:
            moved = ledger.move_held(self.conn, giver.id, taker.id, amount)
            both = giver.id in self.open and taker.id in self.open
            assert moved == (min(amount, self.open[giver.id][1]) if both else 0)
            for hold, more in ((giver, -moved), (taker, moved)) if both else ():
                self.open[hold.id] = (hold.account_id, self.open[hold.id][1] + more)

    @rule(hold=legs)
    def answer(self, hold: ledger.Hold | None) -> None:
        if hold:
            ledger.mark_answered(self.conn, hold.id, self.now)
            if hold.id in self.open:
                self.answered.setdefault(hold.id, self.now)

    @rule()
    def beat(self) -> None:
        ledger.heartbeat(self.conn, list(self.open), self.now)

    @rule(hold=legs, charge=amounts)
    def settle(self, hold: ledger.Hold | None, charge: Micros) -> None:
        if hold:
            done = ledger.settle(self.conn, hold.id, charge, self.now)
            if hold.id in self.open:
                assert done.charged == min(charge, self.open[hold.id][1])
                self._close(hold.id, done.charged)
            assert done.charged == self.settled[hold.id]

    @rule()
    def crash(self) -> None:
        there = {hold.call_id for hold in ledger.open_holds(self.conn)}
        for done in ledger.settle_after_crash(self.conn, self.now):
            most = price(RATE, self._talked(done.hold_id)) if done.hold_id in self.answered else 0
            assert 0 <= done.charged <= most
            self._close(done.hold_id, done.charged)
        assert not self.open
        for call_id in there:
            call = journal.find_call(self.conn, call_id)
            assert call is not None
            assert call.cost == sum(leg.cost for leg in journal.legs_of(self.conn, call_id))

    @rule(seconds=st.floats(0.1, 40.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def the_books_balance(self) -> None:
        assert ledger.audit(self.conn) == []
        assert self._active() <= QUOTA
        for wallet, has in self.has.items():
            seen = ledger.balance(self.conn, wallet)
            assert (seen.balance, seen.held, seen.available) == (has, self._held(wallet), self._left(wallet))
            assert seen.available is None or seen.available >= 0
        kept = {hold.id: (hold.account_id, hold.amount) for hold in ledger.open_holds(self.conn)}
        assert kept == self.open

    @invariant()
    def the_table_tells_the_same(self) -> None:
        if hasattr(self, "extension"):
            for row in callers.search_callers(self.conn, self.extension):
                wallet = row.caller.account_id
                assert (row.available, row.caller.enabled) == (self._left(wallet), self.active[row.caller.number])
                assert row.total - row.spent == self.has[wallet]

    def _talked(self, hold: int) -> float:
        return self.now - self.answered.get(hold, self.now)

    def _active(self) -> int:
        return sum(self.active.values())

    def _held(self, wallet: int) -> int:
        return sum(amount for owner, amount in self.open.values() if owner == wallet)

    def _left(self, wallet: int) -> Micros | None:
        return None if wallet in self.unlimited else Micros(self.has[wallet] - self._held(wallet))

    def _close(self, hold: int, charged: int) -> None:
        wallet, _amount = self.open.pop(hold)
        self.has[wallet] -= charged
        self.settled[hold] = charged


def test_every_wallet_balances_whatever_happens(url: str) -> None:
    engine = connect(url)
    machine: Any = lambda: Wallets(engine)  # noqa: E731
    quick = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=quick)
    engine.dispose()
