"""Files for `ringback apply` that differ in single settings: a whole one, changed by path and written as TOML."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from b2bua.plan.toml_lines import Path
from tests.plans import fixture
from tests.settings.known import Setting

__all__ = ["Changes", "name_of", "path_of", "written"]

Changes = Mapping[Setting, Any]
"""None takes the setting out of the file. `trunk[1].port` is the second trunk's; without a number see `_USUALLY`."""

_USUALLY = {"extension.callback": 1, "rate": 1}
"""Which table is meant where no number says it: the callback number CB, the rate of mobiles; else the first."""

_WHOLE: dict[str, Any] = tomllib.loads(fixture()) | {"caller": [
    {"extension": "001*900", "number": "5551111111", "credit": "5.00"},
]}  # fmt: skip
_WHOLE["extension"][1]["callback"] = {"trigger_s": 3, "dial_s": 5}
_WHOLE["extension"].append({
    "number": "001*003", "account": "client", "name": "Jane", "password": "geheim", "public_number": "5555550003",
})  # fmt: skip


def name_of(place: str) -> Setting:
    """The setting, whichever table of its array is meant: `trunk[1].port` is `trunk.port`."""
    return re.sub(r"\[\d+\]", "", place)


def path_of(place: str) -> Path:
    """Where a setting stands: `("trunk", 1, "port")`."""
    kind, *keys = place.split(".")
    word, _, index = kind.rstrip("]").partition("[")
    if kind == "server" or not (keys or index):
        return (kind, *keys)
    usual = next((n for begin, n in _USUALLY.items() if f"{place}.".startswith(f"{begin}.")), 0)
    path: Path = (word, int(index) if index else usual)
    for key in keys:
        path = (*path, key, 0) if key in ("rules", "limits") and key != keys[-1] else (*path, key)
    return path


def written(*changes: Changes) -> tuple[str, dict[Path, int]]:
    """The file with these changes, and the line of every table and key."""
    document = deepcopy(_WHOLE)
    for each in changes:
        for place, value in each.items():
            _put(document, path_of(place), value)
    return _toml(document)


def _put(document: dict[str, Any], path: Path, value: Any) -> None:
    at: Any = document
    for part, following in zip(path, [*path[1:], None], strict=True):
        if isinstance(at, list):
            at.extend({} for _ in range(int(part) + 1 - len(at)))
        if following is None and value is None:
            at.pop(part, None)
        elif following is None:
            at[part] = deepcopy(value)
        elif isinstance(at, dict):
            at.setdefault(part, [] if isinstance(following, int) else {})
        at = at[part] if following is not None else None


def _toml(document: dict[str, Any]) -> tuple[str, dict[Path, int]]:
    lines: list[str] = []
    found: dict[Path, int] = {}

    def table(path: Path, header: str, values: dict[str, Any]) -> None:
        lines.append(header)
        found[path] = len(lines)
        inside = {key: value for key, value in values.items() if key in ("callnow", "callback")}
        for key, value in values.items():
            if key not in inside or not isinstance(value, dict):
                lines.append(f"{key} = {_value(value)}")
                found[*path, key] = len(lines)
        for key, value in inside.items():
            if isinstance(value, dict):
                table((*path, key), f"[{path[0]}.{key}]", value)

    simple = {kind: each for kind, each in document.items() if not (isinstance(each, dict) or _has_tables(each))}
    for kind, value in simple.items():  # before any header
        lines.append(f"{kind} = {_value(value)}")
        found[kind,] = len(lines)
    for kind, values in document.items():
        if kind in simple:
            continue
        if isinstance(values, dict):
            table((kind,), f"[{kind}]", values)
        else:
            for index, each in enumerate(values):
                table((kind, index), f"[[{kind}]]", each)
    return "\n".join(lines) + "\n", found


def _has_tables(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(each, dict) for each in values)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
