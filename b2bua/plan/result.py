"""What all configuration must be together once a plan is carried out, wherever it comes from: the file or before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as Folder

from b2bua.plan.entries import Fault, Plan
from b2bua.plan.unmatched import Path, unmatched, unmatched_by
from b2bua.rules.numbers import is_emergency
from b2bua.sounds import BadSound, sound_path
from store.directory import Directory
from store.values import Extension

__all__ = ["faults_of_result", "without_help", "without_prices"]

_HELP = ("911", "999", "000", "112", "110", "100")
"""What people dial for help, somewhere."""


def faults_of_result(plan: Plan, directory: Directory) -> list[Fault]:
    """Extensions that name what is not there, or is not theirs; at their line, or at what was taken from them."""
    at = {entry.number: index for index, entry in enumerate(plan.extension or ())}
    found = [*_rung_by_others(plan, directory), *_free_for_nobody(plan, directory)]
    for extension in directory.extensions.values():
        index = at.get(extension.number)
        for key, elsewhere, sentence in _missing(extension, directory):
            found.append(plan.fault(sentence, elsewhere, 0) if index is None else plan.fault(
                sentence, "extension", index, *key,
            ))  # fmt: skip
    return found


def _free_for_nobody(plan: Plan, directory: Directory) -> Iterator[Fault]:
    """Free minutes of a plan whose accounts all write numbers otherwise."""
    for index, entry in enumerate(plan.charging_plan or ()):
        dial_plans = [each.dial_plan for each in directory.accounts.values() if each.charging_plan == entry.name]
        for prefix in entry.free_prefixes:
            whys = [unmatched(prefix, each.mode) for each in dial_plans]
            if whys and all(whys):
                yield plan.fault(f"free_prefixes: {whys[0]}", "charging_plan", index, "free_prefixes")


def _rung_by_others(plan: Plan, directory: Directory) -> Iterator[Fault]:
    for index, entry in enumerate(plan.did or ()):
        did = directory.public_numbers[entry.number]
        rung = directory.extension_by_id(did.extension_id or 0)
        if rung is not None and rung.account_id != did.account_id:
            yield plan.fault(f"account: {rung.number} is of another", "did", index, "account")


def _missing(extension: Extension, directory: Directory) -> Iterator[tuple[Path, str, str]]:
    """The key of an extension, the kind of table it names, and what is wrong."""
    keypad, dial_plan = extension.number.replace("*", ""), directory.accounts[extension.account_id].dial_plan
    for path, sentence in unmatched_by(extension, dial_plan):
        yield path, "account", sentence
    if is_emergency(keypad, dial_plan):
        yield ("number",), "account", f"number: {keypad} is an emergency number: calls to it leave by a trunk"
    name = extension.callnow.interval
    if name and directory.interval(name, extension.account_id) is None:
        yield ("callnow", "interval"), "interval", f'callnow of {extension.number}: there is no interval "{name}"'
    for number in extension.caller_id.numbers:
        of = directory.public_numbers.get(number)
        if of is None or of.account_id != extension.account_id:  # SPEC 43
            sentence = f"caller_id of {extension.number}: {number} is no public number of its account"
            yield ("caller_id",), "did", sentence
    yield from _sounds(extension, directory)


def _sounds(extension: Extension, directory: Directory) -> Iterator[tuple[Path, str, str]]:
    """Sounds whose path can mean no file; whether it is there is known where the server runs."""
    for key in ("greeting_sound", "cut_sound", "no_credit_sound"):
        text = getattr(extension.callback, key)
        try:
            if text:
                sound_path(text, directory.names_above(extension.account_id), Folder("/"))
        except BadSound as wrong:
            yield ("callback", key), "account", f"callback of {extension.number}: {key}: {wrong}"


def without_prices(directory: Directory) -> Iterator[str]:
    """Notes of what refers to a table of rates that is not there; those of a CSV come later."""
    for account in directory.accounts.values():
        name = directory.plan_of(account).rate_table
        if directory.plan_of(account).method == "fixed" and name != "default" and name not in directory.rate_tables:
            yield f'note      account {account.name}: there is no rate table "{name}" yet: it can call no number'
    for trunk in directory.trunks.values():
        name = trunk.rate_table
        if name and name not in directory.rate_tables:
            yield f'note      trunk {trunk.name}: there is no rate table "{name}" yet: what its calls cost is not known'


def without_help(directory: Directory) -> Iterator[str]:
    """Notes of accounts whose phones reach nobody when they dial an emergency number (SPEC H20)."""
    owners = {extension.account_id for extension in directory.extensions.values() if extension.ha1_md5}
    for account in directory.accounts.values():
        numbers = [number for number in _HELP if is_emergency(number, account.dial_plan)]
        if account.id in owners and numbers and not any(
            number.startswith(prefix) for number in numbers for prefix in directory.routes
        ):
            yield f"note      account {account.name}: no route takes {numbers[0]}: its phones reach no emergency number"
