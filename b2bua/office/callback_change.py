"""Callback settings as text, and a change of some of them under the rules of `ringback apply`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
from sqlalchemy import Connection, select

from b2bua.desk import CallbackView, NotDone
from b2bua.money import format_money, parse_money
from b2bua.office.jobs import Seat, check_language
from b2bua.plan.callback_settings import callback_faults, settings_of
from b2bua.plan.entries import CallbackEntry
from b2bua.plan.unmatched import unmatched_in
from b2bua.sounds import BadSound, find_sound, sound_path
from store.directory import save_callback
from store.tables import accounts
from store.values import CallbackSettings, Micros

__all__ = ["callback_view", "change_callback", "changed"]

_MONEY = {"least_credit", "money_a_day", "highest_price_a_minute"}
_SOUNDS = {"greeting_sound", "cut_sound", "no_credit_sound"}
_KNOWN = [each.name for each in fields(CallbackEntry)]


def callback_view(settings: CallbackSettings) -> CallbackView:
    """The settings as the API shows them."""
    shown = {each.name: getattr(settings, each.name) for each in fields(CallbackView) if each.name != "has_password"}
    texts = {name: format_money(Micros(shown[name])) for name in _MONEY if shown[name] is not None}
    return CallbackView(has_password=bool(settings.password_hash), **shown | texts)


def change_callback(
    conn: Connection, at: Seat, changes: Mapping[str, object], password_hash: str | None, sounds: Path | None,
) -> CallbackView:  # fmt: skip
    """Write a change, so that a running server takes it; `password_hash` None leaves the password.

    `sounds` is the root of the accounts' sounds; without one only the paths are looked at.  Raises: NotDone.
    """
    settings = changed(at.settings, changes, at.settings.password_hash if password_hash is None else password_hash)
    for (field, *_), sentence in unmatched_in(settings, at.dial_plan):
        if field in changes:
            raise NotDone(f"{sentence}.", field=str(field))
    if settings.enabled and not at.public_number:  # SPEC H15: callers are called back from it
        raise NotDone(f"{at.number} has no public number to call back from.", field="enabled")
    for field in _SOUNDS & changes.keys():
        if text := getattr(settings, field):
            _check_sound(field, text, _chain(conn, at.account_id), sounds)
    save_callback(conn, at.id, settings)
    return callback_view(settings)


def _check_sound(field: str, text: str, chain: list[str], root: Path | None) -> None:
    try:
        if root is None:
            sound_path(text, chain, Path())
        else:
            find_sound(text, chain, root)
    except BadSound as bad:
        raise NotDone(f"{field}: {bad}.", field=field) from bad


def _chain(conn: Connection, account_id: int | None) -> list[str]:
    """The account, its parent, its grandparent, ... by name (SPEC 66)."""
    names: list[str] = []
    while account_id is not None:
        row = conn.execute(select(accounts.c.name, accounts.c.parent_id).where(accounts.c.id == account_id)).one()
        names.append(row.name)
        account_id = row.parent_id
    return names


def changed(before: CallbackSettings, changes: Mapping[str, object], password_hash: str) -> CallbackSettings:
    """The settings after a change.  Raises: NotDone with the field."""
    for key in changes:
        if key not in _KNOWN:
            raise NotDone(f"There is no setting {key}; there are {', '.join(_KNOWN)}.", field=key)
    asked: dict[str, Any] = {name: value for name, value in asdict(callback_view(before)).items() if name in _KNOWN}
    if changes.get("return_to", "fixed") != "fixed":  # SPEC 29: the fixed number goes with its mode
        asked["fixed_number"] = ""
    try:
        entry = msgspec.convert(asked | dict(changes), CallbackEntry, dec_hook=_money)
    except msgspec.ValidationError as wrong:
        raise _not_so(str(wrong)) from wrong
    settings = settings_of(entry, password_hash)
    for field, sentence in callback_faults(settings):
        raise NotDone(f"{sentence}.", field=field)
    check_language(settings.language, "language")
    return settings


def _money(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError('write money as text, in quotes: "0.12"')
    micros = parse_money(value)
    if micros < 0:
        raise ValueError("money here cannot be negative")
    return kind(micros)


def _not_so(message: str) -> NotDone:
    """msgspec's `Expected `int` >= 1 - at `$.tries`` in plain words."""
    said, _, where = message.partition(" - at `$.")
    field = where.rstrip("`").partition("[")[0]
    if choices := get_args(get_type_hints(CallbackEntry).get(field)) if said.startswith("Invalid enum") else ():
        said = f"choose one of {', '.join(map(str, choices))}"
    return NotDone(f"{field}: {said.replace('`', '')}.", field=field)
