"""What the settings of a callback number must be together, whoever writes them: a file, the API or the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict

import msgspec

from b2bua.plan.entries import CallbackEntry
from store.values import CallbackSettings

__all__ = ["callback_faults", "prefix_faults", "secret_fault", "settings_of"]

KeyFault = tuple[str, str]
"""The key and a sentence."""


def settings_of(entry: CallbackEntry, password_hash: str) -> CallbackSettings:
    """The settings as they are kept: the password is its hash."""
    return msgspec.convert({**asdict(entry), "password_hash": password_hash}, CallbackSettings)


def callback_faults(settings: CallbackSettings) -> Iterable[KeyFault]:
    """Why these settings cannot be saved."""
    back = settings.return_to
    if back != "authorised" and not settings.password_hash:  # SPEC H4: else strangers would call at the owner's expense
        yield "return_to", f'return_to "{back}" needs a password: whoever rings would call at the owner\'s expense'
    if settings.fixed_number and back != "fixed":  # SPEC 29
        yield "fixed_number", f'fixed_number is for return_to "fixed"; here it is "{back}"'
    if back == "fixed" and not re.fullmatch(r"\+?[0-9]{3,18}", settings.fixed_number):
        yield "fixed_number", 'fixed_number: return_to "fixed" needs digits here, with + before them in E.164'
    if settings.missed_call_s is not None and settings.missed_call_s >= settings.trigger_s:
        yield "missed_call_s", "missed_call_s: a trigger is refused before; choose less than trigger_s"
    yield from prefix_faults(settings.allowed, settings.forbidden)


def prefix_faults(allowed: tuple[str, ...], forbidden: tuple[str, ...]) -> Iterable[KeyFault]:
    """Prefixes that no number begins with."""
    for key, prefixes in (("allowed", allowed), ("forbidden", forbidden)):
        for prefix in prefixes:
            if not re.fullmatch(r"\+?[0-9]+", prefix):
                yield key, f'{key}: "{prefix}" is no prefix: write digits, with + before them in E.164'


def secret_fault(text: str) -> str:
    """Why this cannot be keyed in as a password or PIN; empty when it can."""
    return "" if re.fullmatch("[0-9]{3,32}", text) else "expected 3 to 32 digits, as they are keyed in"
