"""What the entries of a plan must be together, beyond what each must be alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from b2bua.money import parse_credit, parse_money
from b2bua.plan.callback_settings import callback_faults, prefix_faults, secret_fault, settings_of
from b2bua.plan.entries import (
    AccountEntry,
    CallbackEntry,
    CallNowEntry,
    ChargingPlanEntry,
    ExtensionEntry,
    Fault,
    Kept,
    Plan,
    RateEntry,
)
from b2bua.plan.texts import dial_plan_faults, language_fault, prompts_fault
from b2bua.plan.times import interval_faults, parse_moment, zone_fault
from b2bua.plan.toml_lines import line_of
from b2bua.plan.trunk_checks import session_faults, trunk_faults
from b2bua.rules.accept_rules import accept_rule_faults
from b2bua.rules.caller_id import caller_id_faults
from b2bua.rules.numbers import MAX_DIGITS
from store.values import UNIT

__all__ = ["faults_between", "rate_faults"]


def faults_between(plan: Plan) -> list[Fault]:
    """Every fault of a file whose tables are each well written."""
    return [
        *_twice(plan), *_accounts(plan), *_extensions(plan), *_callers(plan), *_others(plan), *_rates(plan),
        *_charging_plans(plan), *_intervals(plan),
    ]  # fmt: skip


def _twice(plan: Plan) -> Iterable[Fault]:
    keys: list[tuple[str, tuple[str, ...], Callable[[Any], Any]]] = [
        ("account", ("name",), lambda entry: entry.name),
        ("extension", ("number",), lambda entry: entry.number),
        ("extension", ("callnow", "id"), lambda entry: entry.callnow.id or None if entry.callnow else None),
        ("caller", ("number",), lambda entry: (entry.extension, entry.number)),
        ("trunk", ("name",), lambda entry: entry.name),
        ("did", ("number",), lambda entry: entry.number),
        ("route", ("prefix",), lambda entry: (entry.prefix, entry.trunk, *filter(None, (entry.interval,)))),
        ("rate", ("prefix",), lambda entry: (entry.table, entry.prefix, *_times(entry))),
        ("charging_plan", ("name",), lambda entry: entry.name),
        ("interval", ("name",), lambda entry: (entry.name, *filter(None, (entry.account,)))),
    ]
    for kind, path, key_of in keys:
        first: dict[Any, int] = {}
        for index, entry in enumerate(getattr(plan, kind) or ()):
            key = key_of(entry)
            if key is not None and first.setdefault(key, index) != index:
                before = line_of(plan.lines, (kind, first[key], *path))
                shown = " ".join(key) if isinstance(key, tuple) else key
                yield plan.fault(f'a second {kind} with {".".join(path)} "{shown}" (the first: line {before})',
                                 kind, index, *path)


def _accounts(plan: Plan) -> Iterable[Fault]:
    parents = {entry.name: entry.parent for entry in plan.account or ()}
    for index, entry in enumerate(plan.account or ()):
        if not entry.name:
            yield plan.fault("name: an account needs one", "account", index, "name")
        if entry.name.startswith("~"):
            yield plan.fault("name: ~ begins the names of callers' wallets", "account", index, "name")
        if not re.fullmatch("[A-Z]{3}", entry.currency):
            yield plan.fault('currency: expected three capitals, as in "USD"', "account", index, "currency")
        if entry.credit_limit is not None and entry.plan == "prepaid":
            yield plan.fault("credit_limit is for postpaid accounts", "account", index, "credit_limit")
        above, seen = entry.parent, {entry.name}
        while above and above not in seen:
            seen.add(above)
            above = parents.get(above, "")
        if above:
            yield plan.fault(f'parent: "{entry.name}" would be above itself', "account", index, "parent")
        if entry.charging_plan and entry.rate_table != "default":
            yield plan.fault("rate_table: the charging plan has one", "account", index, "rate_table")
        for key, sentence in dial_plan_faults(entry.dial_plan):
            yield plan.fault(f"dial_plan.{key}: {sentence}", "account", index, "dial_plan", key)
        if not 0 <= entry.dial_plan.min_digits <= MAX_DIGITS:
            yield plan.fault(f"dial_plan.min_digits: expected a whole number from 0 to {MAX_DIGITS}",
                             "account", index, "dial_plan", "min_digits")
        if entry.dial_plan.mode == "e164":
            yield from _plus(plan, entry)


def _plus(plan: Plan, account: AccountEntry) -> Iterable[Fault]:
    tables = {each.name: each.rate_table for each in plan.charging_plan or ()}
    table = tables.get(account.charging_plan, account.rate_table)
    for index, rate in enumerate(plan.rate or ()):
        if rate.table == table and rate.prefix and not rate.prefix.startswith("+"):
            yield plan.fault(
                f'prefix "{rate.prefix}" matches nothing: numbers of account "{account.name}" begin with +',
                "rate", index, "prefix",
            )


MOST_ORDER_NUMBER = 64
MOST_INSIDE = 50
"""Intervals that one may leave out, with those that these leave out."""
_PUBLIC = re.compile(r"\+?[0-9]{3,18}")


def _extensions(plan: Plan) -> Iterable[Fault]:
    for index, entry in enumerate(plan.extension or ()):
        at = ("extension", index)
        if not re.fullmatch(r"[0-9][0-9*]{1,30}", entry.number):
            yield plan.fault('number: expected digits and *, as in "001*002"', *at, "number")
        if entry.public_number and not _PUBLIC.fullmatch(entry.public_number):
            yield plan.fault("public_number: expected digits, with + before them in E.164", *at, "public_number")
        for key, sentence in caller_id_faults(entry.caller_id):
            yield plan.fault(f"caller_id: {sentence}", *at, "caller_id", key)
        for key, sentence in session_faults(entry.session_expires_s, entry.min_se_s):
            yield plan.fault(f"{key}: {sentence}", *at, key)
        if entry.callnow is not None:
            yield from _callnow(plan, entry, entry.callnow, at)
        if entry.callback is not None:
            yield from _callback(plan, entry, entry.callback, at)


def _callnow(plan: Plan, entry: ExtensionEntry, callnow: CallNowEntry, at: tuple[str, int]) -> Iterable[Fault]:
    if entry.kind != "phone":  # SPEC 1
        yield plan.fault(f"{entry.number} is a {entry.kind} extension: CallNow is for phones only", *at, "callnow")
    if callnow.enabled and not entry.public_number:  # SPEC 11: the visitor is called from it
        yield plan.fault(f'CallNow of {entry.number} needs the extension\'s "public_number"', *at, "callnow")
    if callnow.id and (not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", callnow.id) or callnow.id in ("captcha", "status")):
        yield plan.fault("id: expected up to 64 letters, digits, - and _, and not captcha or status",
                         *at, "callnow", "id")
    if callnow.slot_min and (callnow.slot_min < 5 or 24 * 60 % callnow.slot_min):
        yield plan.fault("slot_min: 5 or more, and a whole number of them in a day, as 15, 20, 30 or 60; or 0",
                         *at, "callnow", "slot_min")
    if sentence := language_fault(callnow.language):
        yield plan.fault(f"language: {sentence}", *at, "callnow", "language")
    for key, sentence in prefix_faults(callnow.allowed, callnow.forbidden):
        yield plan.fault(sentence, *at, "callnow", key)
    for index, key, sentence in accept_rule_faults(callnow.rules):
        yield plan.fault(f"rules: {sentence}", *at, "callnow", "rules", index, key)


def _callback(plan: Plan, entry: ExtensionEntry, callback: CallbackEntry, at: tuple[str, int]) -> Iterable[Fault]:
    if entry.kind != "callback":
        yield plan.fault(f"{entry.number} is a {entry.kind} extension: [extension.callback] is for callback extensions",
                         *at, "callback")
    if callback.enabled and not entry.public_number:  # SPEC H15: callers are called back from it
        yield plan.fault(f'callback of {entry.number} needs the extension\'s "public_number"', *at, "callback")
    if callback.password and not isinstance(callback.password, Kept) and (sentence := secret_fault(callback.password)):
        yield plan.fault(f"password: {sentence}", *at, "callback", "password")
    if sentence := prompts_fault(callback.language):
        yield plan.fault(f"language: {sentence}", *at, "callback", "language")
    for key, sentence in callback_faults(settings_of(callback, callback.password)):
        yield plan.fault(sentence, *at, "callback", key)


def _callers(plan: Plan) -> Iterable[Fault]:
    for index, entry in enumerate(plan.caller or ()):
        if not _PUBLIC.fullmatch(entry.number):
            yield plan.fault("number: expected digits, with + before them in E.164", "caller", index, "number")
        if entry.language and (sentence := prompts_fault(entry.language)):
            yield plan.fault(f"language: {sentence}", "caller", index, "language")
        if len(entry.order_number) > MOST_ORDER_NUMBER:
            yield plan.fault(f"order_number: expected up to {MOST_ORDER_NUMBER} characters", "caller", index,
                             "order_number")
        if entry.pin and (sentence := secret_fault(entry.pin)):
            yield plan.fault(f"pin: {sentence}", "caller", index, "pin")
        try:
            credit = parse_credit(entry.credit)
        except ValueError as wrong:
            yield plan.fault(f"credit: {wrong}", "caller", index, "credit")
        else:
            if credit is not None and credit < 0:
                yield plan.fault("credit: an opening credit cannot be negative", "caller", index, "credit")


def _others(plan: Plan) -> Iterable[Fault]:
    for index, did in enumerate(plan.did or ()):
        if not _PUBLIC.fullmatch(did.number):
            yield plan.fault("number: expected digits, with + before them in E.164", "did", index, "number")
        if not did.extension and not did.account:
            yield plan.fault("a number that rings no extension needs its account", "did", index)
    for kind in ("route", "rate"):
        for index, entry in enumerate(getattr(plan, kind) or ()):
            if not re.fullmatch(r"\+?[0-9]*", entry.prefix):
                yield plan.fault("prefix: expected digits, with + before them in E.164", kind, index, "prefix")
    for index, trunk in enumerate(plan.trunk or ()):
        for key, sentence in trunk_faults(trunk):
            yield plan.fault(f"{key}: {sentence}", "trunk", index, key)


def _times(rate: RateEntry) -> Iterable[str]:
    return filter(None, (rate.interval, rate.valid_from))


def _rates(plan: Plan) -> Iterable[Fault]:
    for index, rate in enumerate(plan.rate or ()):
        if not rate.table:
            yield plan.fault("table: a table of rates needs a name", "rate", index, "table")
        for key, sentence in rate_faults(rate):
            yield plan.fault(sentence, "rate", index, key)


def rate_faults(rate: RateEntry) -> Iterable[tuple[str, str]]:
    """Key and sentence of what makes no sense in one rate, whoever writes it: a file of ours or a CSV."""
    if rate.maximum is not None and rate.maximum < rate.minimum:
        yield "maximum", "maximum is below minimum"
    moments = []
    for key in ("valid_from", "valid_until"):
        try:
            moments.append(parse_moment(getattr(rate, key), "UTC") if getattr(rate, key) else None)
        except ValueError as wrong:
            yield key, f"{key}: {wrong}"
    if len(moments) == 2 and None not in moments and moments[0] >= moments[1]:  # type: ignore[operator]
        yield "valid_until", "valid_until is not after valid_from"


def _charging_plans(plan: Plan) -> Iterable[Fault]:
    for index, entry in enumerate(plan.charging_plan or ()):
        for key, sentence in _charging_plan(entry):
            yield plan.fault(sentence, "charging_plan", index, key)


def _charging_plan(entry: ChargingPlanEntry) -> Iterable[tuple[str, str]]:
    if not entry.name:
        yield "name", "name: a charging plan needs one"
    if entry.zone and (fault := zone_fault(entry.zone)):
        yield "zone", f"zone: {fault}"
    try:
        factor = parse_money(entry.factor)
    except ValueError:
        yield "factor", f'factor: "{entry.factor}" is not as in "1.25"'
    else:
        if not 0 <= factor <= 1000 * UNIT:
            yield "factor", "factor: expected 0 to 1000"
        if entry.method == "fixed" and (factor != UNIT or entry.adjustment):  # SPEC 71: one or the other
            yield "method", 'method: factor and adjustment are for "relative" prices'
    if entry.method == "relative" and entry.rate_table != "default":
        yield "rate_table", "rate_table: relative prices come from the trunk's rate_table"
    if entry.free_prefixes and not entry.free_minutes:
        yield "free_prefixes", "free_prefixes: without free_minutes they do nothing"
    for _, sentence in prefix_faults(entry.free_prefixes, ()):
        yield "free_prefixes", sentence.replace("allowed", "free_prefixes", 1)


def _intervals(plan: Plan) -> Iterable[Fault]:
    inside = {(entry.name, entry.account): entry.without for entry in plan.interval or ()}
    for index, entry in enumerate(plan.interval or ()):
        for key, sentence in interval_faults(entry):
            yield plan.fault(sentence, "interval", index, key)
        reached, new = set(), {*entry.without}
        while new:
            reached |= new
            new = {each for name in new for each in inside.get((name, entry.account), inside.get((name, ""), ()))}
            new -= reached
        if entry.name in reached:
            yield plan.fault(f'without: "{entry.name}" would leave itself out', "interval", index, "without")
        elif _is_too_deep((entry.name, entry.account), inside):
            yield plan.fault(f"without: more than {MOST_INSIDE} intervals inside, counted wherever they are named",
                             "interval", index, "without")


def _is_too_deep(key: tuple[str, str], inside: Mapping[tuple[str, str], tuple[str, ...]]) -> bool:
    """Intervals that leave out each other's would take ever more time to look at: 2^30 for thirty of them."""
    found, left = -1, [key]
    while left and found <= MOST_INSIDE:
        at = left.pop()
        found += 1
        left += [(name, at[1] if (name, at[1]) in inside else "") for name in inside.get(at, ())]
    return found > MOST_INSIDE
