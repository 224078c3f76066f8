"""Makes the authorised CallerIDs what a file says; their credit is posted once, later it is money."""

from __future__ import annotations

from collections.abc import Mapping

from b2bua.money import format_credit, parse_credit
from b2bua.plan.entries import BadPlan, CallerEntry, Fault, Plan
from b2bua.plan.sync import Sync
from b2bua.rules.numbers import BadNumber, read_number
from b2bua.secret_hash import keep_hash
from store import callers
from store.directory import Directory, load
from store.errors import QuotaReached
from store.values import AuthorisedCaller, Extension

__all__ = ["apply_callers"]

Key = tuple[str, str]
"""Extension and number."""


def apply_callers(sync: Sync, plan: Plan, at: float) -> list[str]:
    """Add, change and remove rows; gives notes for people.  Raises: BadPlan."""
    if plan.caller is None:
        return []
    directory = load(sync.conn)
    if faults := [fault for index, entry in enumerate(plan.caller) for fault in _faults(plan, directory, index, entry)]:
        raise BadPlan(plan.filename, faults)
    there = _there(sync, directory)
    wanted = {(entry.extension, entry.number) for entry in plan.caller}
    for key, caller in there.items():
        if key not in wanted:
            callers.remove_caller(sync.conn, caller.id)
            sync.tell(f"removed   caller {' '.join(key)}")
    # the disabled first, as they make room in the quota
    in_turn = sorted(enumerate(plan.caller), key=lambda item: item[1].enabled)
    notes = [_apply_one(sync, plan, directory, there, index, entry, at) for index, entry in in_turn]
    return [note for note in notes if note]


def _faults(plan: Plan, directory: Directory, index: int, entry: CallerEntry) -> list[Fault]:
    extension = directory.extensions[entry.extension]
    if extension.kind != "callback":
        sentence = f"{entry.extension} is a {extension.kind} extension: callers belong to callback extensions"
        return [plan.fault(sentence, "caller", index, "extension")]
    dial_plan = directory.accounts[extension.account_id].dial_plan
    if dial_plan.mode == "e164" and not entry.number.startswith("+"):
        return [plan.fault(f"number: {entry.number} matches nobody: numbers of this account begin with +",
                           "caller", index, "number")]
    try:
        kept = read_number(entry.number, dial_plan, extensions=directory.internal_numbers)
    except BadNumber as bad:
        return [plan.fault(f"number: {entry.number} is not called: {bad.sentence}", "caller", index, "number")]
    if kept != entry.number:
        return [plan.fault(f"number: {entry.number} matches nobody: the dial plan makes {kept} of it", "caller", index,
                           "number")]
    return []


def _there(sync: Sync, directory: Directory) -> dict[Key, AuthorisedCaller]:
    return {
        (number, row.caller.number): row.caller for number, extension in directory.extensions.items()
        for row in callers.search_callers(sync.conn, extension.id)
    }


def _apply_one(
    sync: Sync, plan: Plan, directory: Directory, there: Mapping[Key, AuthorisedCaller], index: int,
    entry: CallerEntry, at: float,
) -> str:
    extension = directory.extensions[entry.extension]
    currency = directory.accounts[extension.account_id].currency
    try:
        if before := there.get((entry.extension, entry.number)):
            _change(sync, before, entry)
            return _note(sync, before, entry, currency)
        _add(sync, extension, entry, currency, at)
    except QuotaReached as reached:
        raise BadPlan(plan.filename, [plan.fault(str(reached), "caller", index)]) from reached
    return ""


def _add(sync: Sync, extension: Extension, entry: CallerEntry, currency: str, at: float) -> None:
    credit = parse_credit(entry.credit)
    callers.add_caller(
        sync.conn, extension_id=extension.id, number=entry.number, credit=credit, at=at,
        pin_hash=keep_hash("", entry.pin), order_number=entry.order_number, enabled=entry.enabled,
        language=entry.language,
    )
    sync.tell(f"created   caller {entry.extension} {entry.number}: credit {format_credit(credit, currency)}")


def _change(sync: Sync, before: AuthorisedCaller, entry: CallerEntry) -> None:
    pin_hash = keep_hash(before.pin_hash, entry.pin)
    wanted = {"pin": pin_hash != before.pin_hash, "language": entry.language != before.language,
              "enabled": entry.enabled != before.enabled}
    if not any(wanted.values()):
        sync.same("caller")
        return
    callers.edit_caller(sync.conn, before.id, pin_hash=pin_hash, language=entry.language)
    callers.set_enabled(sync.conn, before.id, entry.enabled)
    differs = ", ".join(key for key, is_other in wanted.items() if is_other)
    sync.tell(f"changed   caller {entry.extension} {entry.number}: {differs}")


def _note(sync: Sync, before: AuthorisedCaller, entry: CallerEntry, currency: str) -> str:
    opening, credit = callers.recharges(sync.conn, before.id)[0], parse_credit(entry.credit)
    who = f"note      caller {entry.extension} {entry.number}"
    if opening.added != credit:
        return (f"{who}: credit {format_credit(credit)} changes nothing, {format_credit(opening.added, currency)} was "
                f"posted once; recharge it instead")
    if opening.order_number != entry.order_number:
        return (f'{who}: order_number "{entry.order_number}" changes nothing, the opening credit was posted once, '
                f'with "{opening.order_number}"')
    return ""
