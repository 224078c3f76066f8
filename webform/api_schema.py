"""The OpenAPI 3.1 document of a table of operations; bodies and answers are described by their types."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from starlette.requests import Request

from b2bua.desk import CallbackView, Holder, ServerSettings
from webform.entry_schema import REF, Shape, change_of, entry_components, money_schema, shape_schema

__all__ = [
    "CHANGE", "CSV", "LIMIT", "OFFSET", "PCAP", "SEARCH", "SERVER_CHANGE", "TOML", "XLSX", "Operation", "Query",
    "document",
]  # fmt: skip

CSV = "text/csv"
TOML = "application/toml"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PCAP = "application/vnd.tcpdump.pcap"
JSON = "application/json"
CHANGE = "CallbackChange"
"""Any of the settings of a CallbackView."""
SERVER_CHANGE = "ServerChange"
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """One parameter of the query."""

    name: str
    says: str
    kind: Literal["string", "integer", "boolean"] = "string"
    required: bool = False


SEARCH = Query("q", "part of a number")
LIMIT = Query("limit", "how many at most, up to 500", "integer")
OFFSET = Query("offset", "how many to leave out first", "integer")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; `takes` and `gives` are a type, a shape, a change or a media type."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    name: str
    summary: str
    handler: Callable[[Request, Holder], Awaitable[object]]
    takes: Any = None
    gives: Any = None
    status: int = 200
    query: tuple[Query, ...] = ()
    conflict: str = ""
    """What a 409 means here; empty where there is none."""
    reserved: str = ""
    """What a 403 means here: what only the operator's token may do."""


_REFUSALS = {
    401: "no API token, or a bad one", 404: "not there, or not yours to see", 413: "the body is too long",
    415: "another media type is expected", 422: "a field, the query or a line of a file is wrong",
    429: "too many wrong tokens from this address", 503: "the database cannot be had just now; nothing was changed",
}  # fmt: skip


def document(operations: Iterable[Operation]) -> Schema:
    """The whole document."""
    operations = list(operations)
    bodies = [each for one in operations for each in (one.takes, one.gives) if each and not isinstance(each, str)]
    types = [each for each in bodies if not isinstance(each, Shape)]
    shapes = {each: None for each in bodies if isinstance(each, Shape)}
    schemas, components = msgspec.json.schema_components(
        [*types, *(each.of.fields for each in shapes)], ref_template=REF, schema_hook=money_schema
    )
    known: dict[Any, Schema] = dict(zip(types, schemas, strict=False))
    known |= {each: shape_schema(each) for each in shapes}
    known |= {name: {"$ref": REF.format(name=name)} for name in (CHANGE, SERVER_CHANGE)}
    paths: dict[str, Schema] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ringback", "version": "1", "description": "Money is text: `4.88` or `unlimited`."},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": entry_components(components, shapes) | {
                CHANGE: _change(components[CallbackView.__name__]), "Error": _ERROR,
                SERVER_CHANGE: change_of(components[ServerSettings.__name__], SERVER_CHANGE),
            },
        },
    }


_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "a sentence"},
        "field": {"type": "string", "description": "which field, query parameter or column is wrong"},
        "line": {"type": "integer", "description": "which line of a file is wrong"},
        "faults": {
            "type": "array", "description": "all that is wrong, where the sentence is of the first",
            "items": {"type": "object", "properties": {
                "field": {"type": "string"}, "reason": {"type": "string"}, "line": {"type": ["integer", "null"]},
            }},
        },
    },
}


def _change(view: Schema) -> Schema:
    """What a PATCH takes: any of the settings, and the password that no answer shows."""
    properties = {name: schema for name, schema in view["properties"].items() if name != "has_password"}
    return {"title": CHANGE, "type": "object", "additionalProperties": False, "properties": properties | {
        "password": {"type": "string", "writeOnly": True, "description": "digits; empty removes it"},
    }}  # fmt: skip


def _operation(one: Operation, known: dict[Any, Schema]) -> Schema:
    described: Schema = {
        "operationId": one.name,
        "summary": one.summary,
        "parameters": [*_in_path(one.path), *map(_in_query, one.query)],
        "responses": {str(one.status): {"description": "done", **_content(one.gives, known)}, **_refusals(one)},
    }
    if one.takes:
        described["requestBody"] = {"required": True, **_content(one.takes, known)}
    return described


def _in_path(path: str) -> Iterable[Schema]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(query: Query) -> Schema:
    return {"name": query.name, "in": "query", "required": query.required, "description": query.says,
            "schema": {"type": query.kind}}  # fmt: skip


def _content(kind: Any, known: dict[Any, Schema]) -> Schema:
    if kind is None:
        return {}
    return {"content": {JSON: {"schema": known[kind]}} if kind in known else {kind: {}}}


def _refusals(one: Operation) -> Schema:
    codes = {401, 404, 422, 429, 503} | ({413, 415} if one.takes else set())
    own = {code: says for code, says in ((403, one.reserved), (409, one.conflict)) if says}
    refused = {code: _REFUSALS[code] for code in codes} | own
    error = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {str(code): {"description": says, "content": error} for code, says in sorted(refused.items())}
