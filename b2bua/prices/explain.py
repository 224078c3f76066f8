"""How the price of a number comes about: dial plan, charging plan, rate, trunks, margin; pure, over one snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from b2bua.desk import NotDone
from b2bua.money import format_money
from b2bua.office.jobs import iso
from b2bua.plan.times import format_moment
from b2bua.prices.desk import PriceView, RateView, TalkPrice, TrunkPriceView
from b2bua.rules.numbers import BadNumber, is_emergency, read_number
from b2bua.rules.routing import TYPICAL_S, route, sell_rate, sell_rate_by
from b2bua.rules.tariff import buy_rate
from store.directory import Directory
from store.rates import price
from store.values import Account, Micros, Rate, Trunk

__all__ = ["account_of", "explain", "formula", "rate_view"]

_TALKS_S = (1, 60, 180, 600)


def account_of(directory: Directory, name: str) -> Account:
    """The account of this name, or the only one.  Raises: NotDone."""
    found = [each for each in directory.accounts.values() if not name or each.name == name]
    if len(found) == 1:
        return found[0]
    there = ", ".join(sorted(each.name for each in directory.accounts.values())) or "none"
    what = f"There is no account {name}" if name else "Which account?"
    raise NotDone(f"{what}; there are: {there}.", field="account")


def explain(directory: Directory, account: Account, typed: str, at: float, trunk: str = "") -> PriceView:
    """The whole way from what is typed to what is paid; `trunk`: by this one alone."""
    plan, dial = directory.plan_of(account), account.dial_plan
    how = f"{dial.mode}, {dial.country}" if dial.mode == "e164" else dial.mode
    told = PriceView(
        typed, "", "", account.name, account.currency, how, plan.name, plan.method, iso(at), None, TYPICAL_S, [], "",
        [],
    )  # fmt: skip
    if is_emergency(typed, dial):
        return _help(directory, account, told, at, trunk)
    try:
        number = read_number(typed, dial, extensions=directory.internal_numbers, phone=True)
    except BadNumber as bad:
        return replace(told, refused=bad.sentence)
    told = replace(told, number=number)
    ways = _ways(directory, number, at, trunk)
    sell = sell_rate(directory, account, number, at)
    if trunk and plan.method == "relative":
        sell = sell_rate_by(directory, account, number, at, ways[0])
    table = plan.rate_table if plan.method == "fixed" else ""
    trunks = [_trunk(directory, account, number, at, way) for way in ways]
    if sell is None:
        none = f"Table {table} has no rate for it." if table else "What it costs us is not known of any trunk."
        return replace(told, refused=none, trunks=trunks)
    prices = [TalkPrice(seconds, format_money(price(sell, seconds))) for seconds in _TALKS_S]
    refused = "" if trunks else "No trunk takes this number."
    return replace(told, sell=rate_view(sell, table), prices=prices, trunks=trunks, refused=refused)


def _help(directory: Directory, account: Account, told: PriceView, at: float, trunk: str) -> PriceView:
    """An emergency number leaves as its digits are, and nobody pays (SPEC H20)."""
    digits = "".join(filter(str.isdecimal, told.typed))
    trunks = [_trunk(directory, account, digits, at, way) for way in _ways(directory, digits, at, trunk)]
    only = "phones alone may call it, at no price, whatever the credit" if trunks else "no route takes it"
    return replace(told, trunks=trunks, refused=f"An emergency number: {only}.")


def _ways(directory: Directory, number: str, at: float, name: str) -> Sequence[Trunk]:
    if not name:
        return route(directory, number, at)
    trunk = directory.trunk_by_name(name)
    if trunk is None:
        raise NotDone(f"There is no trunk {name}.", field="trunk")
    return [trunk]


def _trunk(directory: Directory, account: Account, number: str, at: float, trunk: Trunk) -> TrunkPriceView:
    buy, sell = buy_rate(directory, trunk, number, at), sell_rate_by(directory, account, number, at, trunk)
    bought = price(buy, TYPICAL_S) if buy else None
    sold = price(sell, TYPICAL_S) if sell else None
    margin = "" if bought is None or sold is None else format_money(Micros(sold - bought))
    relative = directory.plan_of(account).method == "relative"
    table = trunk.rate_table if relative else directory.plan_of(account).rate_table
    return TrunkPriceView(
        trunk.name, _why(directory, number, trunk), rate_view(buy, trunk.rate_table) if buy else None,
        rate_view(sell, table) if sell else None, "" if bought is None else format_money(bought),
        "" if sold is None else format_money(sold), margin,
    )  # fmt: skip


def _why(directory: Directory, number: str, trunk: Trunk) -> str:
    """The routes by which the trunk takes the number."""
    for length in range(len(number), -1, -1):
        found = [way for way in directory.routes.get(number[:length], ()) if way.trunk_id == trunk.id]
        if found:
            return "; ".join(
                f"route {way.prefix or '(any)'}, priority {way.priority}"
                + (f", weight {way.weight}" if way.weight else "") + (f", in {way.interval}" if way.interval else "")
                for way in found
            )  # fmt: skip
    return "no route"


def rate_view(rate: Rate, table: str) -> RateView:
    """A rate as text."""
    return RateView(
        table, rate.prefix, rate.description, format_money(rate.connection_fee), rate.first_interval_s,
        format_money(rate.first_cost), rate.increment_s, format_money(rate.increment_cost), format_money(rate.minimum),
        None if rate.maximum is None else format_money(rate.maximum), rate.interval, format_moment(rate.valid_from),
        format_moment(rate.valid_until), formula(rate),
    )  # fmt: skip


def formula(rate: Rate) -> str:
    """A rate in words: `0.50 for the first 60 s, then 0.25 for every 30 s begun`."""
    parts = []
    if rate.connection_fee:
        parts.append(f"{format_money(rate.connection_fee)} once answered")
    if rate.first_cost:
        parts.append(f"{format_money(rate.first_cost)} for the first {rate.first_interval_s} s")
    if rate.increment_cost:
        after = f" after {rate.first_interval_s} s" if rate.first_interval_s and not rate.first_cost else ""
        parts.append(f"{format_money(rate.increment_cost)} for every {rate.increment_s} s begun{after}")
    said = ", then ".join(parts) or "free"
    if rate.minimum:
        said += f"; at least {format_money(rate.minimum)}"
    return said if rate.maximum is None else f"{said}; at most {format_money(rate.maximum)}"
