"""What all configuration must be together once a plan is carried out, wherever it comes from: the file or before it."""

from __future__ import annotations

from collections.abc import Iterator

from b2bua.plan import Fault, Plan
from store.directory import Directory
from store.values import Extension

__all__ = ["faults_of_result"]


def faults_of_result(plan: Plan, directory: Directory) -> list[Fault]:
    """Extensions that name what is not there, or is not theirs; at their line, or at what was taken from them."""
    at = {entry.number: index for index, entry in enumerate(plan.extension or ())}
    found = list(_rung_by_others(plan, directory))
    for extension in directory.extensions.values():
        index = at.get(extension.number)
        for key, elsewhere, sentence in _missing(extension, directory):
            found.append(plan.fault(sentence, elsewhere, 0) if index is None else plan.fault(
                sentence, "extension", index, *key,
            ))  # fmt: skip
    return found


def _rung_by_others(plan: Plan, directory: Directory) -> Iterator[Fault]:
    for index, entry in enumerate(plan.did or ()):
        did = directory.public_numbers[entry.number]
        rung = directory.extension_by_id(did.extension_id or 0)
        if rung is not None and rung.account_id != did.account_id:
            yield plan.fault(f"account: {rung.number} is of another", "did", index, "account")


def _missing(extension: Extension, directory: Directory) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The key of an extension, the kind of table it names, and what is wrong."""
    name = extension.callnow.interval
    if name and directory.interval(name, extension.account_id) is None:
        yield ("callnow", "interval"), "interval", f'callnow of {extension.number}: there is no interval "{name}"'
    for number in extension.caller_id.numbers:
        of = directory.public_numbers.get(number)
        if of is None or of.account_id != extension.account_id:  # SPEC 43
            sentence = f"caller_id of {extension.number}: {number} is no public number of its account"
            yield ("caller_id",), "did", sentence
