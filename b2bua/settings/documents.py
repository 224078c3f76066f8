"""An entry as a JSON document, without its secrets, and a change of one (RFC 7396)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from b2bua.money import format_money
from b2bua.plan.entries import Money
from store.values import Micros

__all__ = ["Document", "as_written", "document", "is_secret", "merged", "with_secrets_of"]

Document = dict[str, Any]
ONCE = "credit"
"""What an account is given when it is made; later that is money."""


def is_secret(name: str) -> bool:
    """Whether the value of a field goes in and never comes out."""
    return name in ("password", "pin")


def document(entry: Any) -> Document:
    """What may be seen of an entry: money as text, of a secret whether there is one."""
    shown: Document = {}
    for each in fields(entry):
        value = getattr(entry, each.name)
        if is_secret(each.name):
            shown[f"has_{each.name}"] = bool(value)
        elif each.name != ONCE:
            shown[each.name] = _plain(value)
    return shown


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return document(value)
    if isinstance(value, Money):
        return format_money(Micros(value))
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return dict(value) if isinstance(value, Mapping) else value


def as_written(shown: Document) -> Document:
    """The document as a file has it: without what is not there, and without what is only told."""
    return {
        name: as_written(value) if isinstance(value, dict) else value for name, value in shown.items()
        if value is not None and not (name.startswith("has_") and is_secret(name.removeprefix("has_")))
    }  # fmt: skip


def merged(before: Document, change: Mapping[str, Any]) -> Document:
    """The document after a change: what the change does not name stays, and null is the default.  RFC 7396 2."""
    after = dict(before)
    for name, value in change.items():
        if value is None:
            after.pop(name, None)
        elif isinstance(value, dict):
            inner = after.get(name)
            after[name] = merged(inner if isinstance(inner, dict) else {}, value)
        else:
            after[name] = value
    return after


def with_secrets_of(before: Any, after: Any, change: Mapping[str, Any]) -> Any:
    """The entry after a change, with the secrets that the change does not name."""
    kept: dict[str, Any] = {}
    for each in fields(after):
        old, new, said = getattr(before, each.name), getattr(after, each.name), change.get(each.name)
        if is_secret(each.name) and each.name not in change:
            kept[each.name] = old
        elif is_dataclass(new) and is_dataclass(old):
            kept[each.name] = with_secrets_of(old, new, said if isinstance(said, dict) else {})
    return replace(after, **kept)
