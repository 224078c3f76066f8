"""JSON schemas of what `ringback apply` sets: an entry, a change of one, a list of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from b2bua.desk import CALLNOW, EntryType, Money

__all__ = ["REF", "Shape", "change_of", "entry_components", "money_schema", "shape_schema"]

REF = "#/components/schemas/{name}"
Schema = dict[str, Any]
_SECRETS = ("password", "pin")
_TEXT: Schema = {"type": "string"}
_TOLD: dict[str, Schema] = {
    "url": _TEXT | {"readOnly": True, "description": "its address; empty while it is not enabled"},
    "warning": _TEXT | {"readOnly": True, "description": "what it may cost; empty with image validation"},
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A document of one kind of entry, a change of one, or a list of `many`."""

    of: EntryType
    change: bool = False
    many: bool = False

    @property
    def name(self) -> str:
        """Of its component."""
        if self.change:
            return f"{self.of.name}Change"
        return self.of.name if self.of is CALLNOW else self.of.fields.__name__


def shape_schema(shape: Shape) -> Schema:
    """The schema of a body."""
    one = {"$ref": REF.format(name=shape.name)}
    if not shape.many:
        return one
    return {"type": "object", "properties": {
        "entries": {"type": "array", "items": one},
        "total": {"type": "integer", "description": "how many there are, beyond limit and offset too"},
    }}  # fmt: skip


def entry_components(components: dict[str, Schema], shapes: Iterable[Shape]) -> dict[str, Schema]:
    """The components with those of entries as they are: secrets go in only, and some fields come out only."""
    made = {name: _entry(each) if name.endswith("Entry") else each for name, each in components.items()}
    for shape in shapes:
        whole = made[shape.of.fields.__name__]
        if shape.of is CALLNOW:
            made[CALLNOW.name] = whole | {"title": CALLNOW.name, "properties": whole["properties"] | _TOLD}
        elif shape.of.numbered:
            number = {"type": "integer", "readOnly": True}
            made[whole["title"]] = whole | {"properties": {"id": number} | whole["properties"]}
        if shape.change:
            made[shape.name] = change_of(whole, shape.name, shape.of.known_by)
    return made


def _entry(schema: Schema) -> Schema:
    properties: dict[str, Schema] = {}
    for name, each in schema["properties"].items():
        shown = {key: value for key, value in each.items() if key != "default"}
        if name in _SECRETS:
            properties |= {name: shown | {"writeOnly": True}, f"has_{name}": {"type": "boolean", "readOnly": True}}
        elif name == "credit":
            properties[name] = shown | {"writeOnly": True, "description": "only when it is made"}
        else:
            properties[name] = shown
    return schema | {"properties": properties}


def change_of(whole: Schema, name: str, known_by: Iterable[str] = ()) -> Schema:
    """What a PATCH takes (RFC 7396): any of the fields but those that it is known by; null is the default."""
    properties = {
        key: {"anyOf": [each, {"type": "null"}]} for key, each in whole["properties"].items()
        if key not in known_by and key != "credit" and not each.get("readOnly")
    }  # fmt: skip
    return {"title": name, "type": "object", "additionalProperties": False, "properties": properties}


def money_schema(kind: type[Any]) -> Schema:
    """Of the one type that msgspec does not know.  Raises: NotImplementedError."""
    if kind is Money:
        return _TEXT
    raise NotImplementedError
