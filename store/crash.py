"""What a dead server's calls cost, and the records of them: pure, store.ledger reads and writes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from store.journal import RESTARTED, CallRecord, LegRecord, RequestRecord, total
from store.rates import price
from store.values import Micros, Rate

__all__ = ["DeadLeg", "owed", "records"]


@dataclass(frozen=True, slots=True)
class DeadLeg:
    """One leg that had money held when its server died."""

    name: str
    """As its hold names it; `back` is the leg to whoever is called back."""
    extension: str
    number: str
    rate: Rate
    placed: float
    answered: float | None
    ended: float
    """When it was last seen up, or was settled."""
    charged: Micros | None = None
    """None: that is still to be found out."""
    trunk: str = ""
    buy_rate: Rate | None = None

    @property
    def talk_s(self) -> float:
        return 0.0 if self.answered is None else max(0.0, self.ended - self.answered)

    @property
    def buy(self) -> Micros | None:
        """What it cost us; None: that is not known."""
        return None if self.buy_rate is None or self.answered is None else price(self.buy_rate, self.talk_s)


def owed(legs: Sequence[DeadLeg], held: int) -> list[Micros]:
    """What each leg of one call costs, out of the money held for all of them.

    Each its price up to when it was last seen, but none beyond the moment at which the money was used up: a cut comes
    some milliseconds late, and they are free.
    """
    begun = [leg.answered for leg in legs if leg.answered is not None]
    if not begun:
        return [Micros(0) for _ in legs]
    first, last = min(begun), max(*begun, *(leg.ended for leg in legs))
    moments = range(round((last - first) * 1000) + 1)
    paid = bisect_right(moments, held, key=lambda ms: sum(_prices(legs, first + ms / 1000)))
    until = last if paid == len(moments) else first + max(0, paid - 1) / 1000
    return _within(_prices(legs, until), held)


def _prices(legs: Sequence[DeadLeg], until: float) -> list[int]:
    """The prices had all of it ended at this moment."""
    return [
        0 if leg.answered is None or leg.answered > until
        else price(leg.rate, max(0.0, min(leg.ended, until) - leg.answered))
        for leg in legs
    ]


def _within(prices: Sequence[int], held: int) -> list[Micros]:
    """Where the held money does not even pay the first moment, it goes to the legs in turn."""
    given: list[Micros] = []
    for each in prices:
        given.append(Micros(min(each, held - sum(given))))
    return given


def records(
    call_id: str, legs: Sequence[DeadLeg], request: RequestRecord | None, account_id: int, currency: str,
) -> tuple[CallRecord, list[LegRecord]]:
    """The records of a call that its server could not write; every leg has its charge."""
    far = [leg for leg in legs if leg.name != "back"]
    extension, to = legs[0].extension, far[-1].number if far else ""
    kind, started = (request.kind, request.at) if request else ("outbound", min(leg.placed for leg in legs))
    call = CallRecord(
        call_id, kind, account_id, started, extension,
        request.number if request and kind == "callback" else extension, to, max(leg.ended for leg in legs), RESTARTED,
        round(sum(leg.talk_s for leg in far) * 1000), Micros(sum(leg.charged or 0 for leg in legs)), currency,
        total(leg.buy for leg in legs),
    )
    return call, [_leg(call_id, leg) for leg in legs]


def _leg(call_id: str, leg: DeadLeg) -> LegRecord:
    return LegRecord(
        call_id, 0 if leg.name == "back" else 2, "out", leg.placed, leg.extension, leg.number, leg.trunk,
        answered=leg.answered, ended=leg.ended, cause=RESTARTED, talk_ms=round(leg.talk_s * 1000),
        cost=leg.charged or Micros(0), buy=leg.buy,
    )
