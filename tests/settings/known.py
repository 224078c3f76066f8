"""Every setting that `ringback apply` knows, from the reader itself: a new one is in this list at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from b2bua.plan.reader import ENTRIES, SERVER, table_class

__all__ = ["SETTINGS", "Setting"]

Setting = str
"""`trunk.port`, `extension.callnow.rules.do`, `server.realm`."""


def _of_table(path: str, table: type[Any]) -> Iterator[tuple[Setting, Any]]:
    hints = get_type_hints(table, include_extras=True)
    for each in fields(table):
        name, inner = f"{path}.{each.name}", table_class(hints[each.name])
        if inner is None or each.default_factory is MISSING:  # a table that is always there is no setting: its keys are
            yield name, hints[each.name]
        if inner is not None:
            yield from _of_table(name, inner)


SETTINGS: dict[Setting, Any] = {
    **{f"server.{key}": None for key in SERVER},
    **{name: hint for kind, table in ENTRIES.items() for name, hint in _of_table(kind, table)},
}
"""With the type of each; [server] is read by hand."""
