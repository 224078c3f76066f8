"""Reads the file of `ringback apply`; every fault is told with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from b2bua.config import Config, ServerConfig
from b2bua.money import parse_money
from b2bua.plan.checks import faults_between
from b2bua.plan.entries import (
    AccountEntry,
    BadPlan,
    CallerEntry,
    ChargingPlanEntry,
    DidEntry,
    ExtensionEntry,
    Fault,
    IntervalEntry,
    Plan,
    RateEntry,
    RouteEntry,
    TrunkEntry,
)
from b2bua.plan.server import read_networks, read_routes
from b2bua.plan.texts import text_faults
from b2bua.plan.times import zone_fault
from b2bua.plan.toml_lines import Path, key_lines, line_of

__all__ = ["ENTRIES", "SERVER", "parse", "read_entry", "read_one", "read_server", "table_class"]

T = TypeVar("T")
ENTRIES: dict[str, type[Any]] = {
    "account": AccountEntry, "extension": ExtensionEntry, "caller": CallerEntry, "trunk": TrunkEntry, "did": DidEntry,
    "route": RouteEntry, "rate": RateEntry, "charging_plan": ChargingPlanEntry, "interval": IntervalEntry,
}
SERVER = ("realm", "caller_quota", "edge_proxies", "service_route", "time_zone")
"""The keys of [server] that the database keeps; the others are for `serve`, in its own file."""
_ELSEWHERE = "`ringback serve` reads it from its own file, at its start"


def parse(text: str, filename: str) -> Plan:
    """Read the whole file. Raises: BadPlan with every fault found."""
    text = text.replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise BadPlan(filename, [_syntax(str(broken), text)]) from broken
    except RecursionError as broken:
        raise BadPlan(filename, [Fault(1, "tables or lists are nested too deeply")]) from broken
    reader = _Reader(key_lines(text))
    for table in sorted(document.keys() & (set(Config.__struct_fields__) - {"server"})):
        reader.fault((table,), f"[{table}]: {_ELSEWHERE}")
    reader.known((), {key: each for key, each in document.items() if key not in Config.__struct_fields__}, ENTRIES)
    kinds: dict[str, Any] = {kind: reader.tables(kind, document[kind]) for kind in ENTRIES if kind in document}
    server = reader.server(document.get("server", {}))
    if reader.faults:
        raise BadPlan(filename, reader.faults)
    plan = Plan(filename=filename, lines=reader.lines, **server, **kinds)
    if faults := faults_between(plan):
        raise BadPlan(filename, faults)
    return plan


def read_one(kind: str, values: dict[str, Any]) -> Any:
    """One table by itself, as an entry.  Raises: BadPlan, whose paths begin with the kind and 0."""
    reader = _Reader({})
    entry = reader.entry((kind, 0), values, ENTRIES[kind])
    if reader.faults:
        raise BadPlan("", reader.faults)
    return entry


def read_server(values: dict[str, Any]) -> dict[str, Any]:
    """[server] by itself.  Raises: BadPlan, whose paths begin with `server`."""
    reader = _Reader({})
    found = reader.server(values)
    if reader.faults:
        raise BadPlan("", reader.faults)
    return found


def read_entry(kind: str, values: dict[str, Any]) -> Any:
    """One table by itself, whose keys are known to be right, or the first fault of it: `key: sentence`."""
    try:
        return msgspec.convert(values, ENTRIES[kind], dec_hook=_money)
    except msgspec.ValidationError as wrong:
        return _told(wrong, ENTRIES[kind])[1]


def _syntax(message: str, text: str) -> Fault:
    found = re.search(r" \(at line (\d+), column \d+\)", message)
    line = int(found[1]) if found else text.count("\n") + 1
    return Fault(line, f"not TOML: {message[:found.start()] if found else message}")


class _Reader:
    """Reads tables into entries and gathers faults."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self.lines = lines
        self.faults: list[Fault] = []

    def fault(self, path: Path, sentence: str) -> None:
        self.faults.append(Fault(line_of(self.lines, path), sentence, path))

    def known(self, path: Path, table: dict[str, Any], names: Iterable[str]) -> None:
        for key in table.keys() - set(names):
            near = get_close_matches(key, sorted(names), 1)
            self.fault((*path, key), f'unknown key "{key}"' + (f'; did you mean "{near[0]}"?' if near else ""))

    def server(self, server: Any) -> dict[str, Any]:
        """The keys of [server] that the database keeps; those not written are left as they are."""
        if not isinstance(server, dict):
            self.fault(("server",), "write [server], as a table")
            return {}
        ours = {key: server[key] for key in SERVER if key in server}
        for key in sorted(server.keys() & set(ServerConfig.__struct_fields__)):
            self.fault(("server", key), f"{key}: {_ELSEWHERE}")
        self.known(("server",), {key: server[key] for key in server.keys() - {*ServerConfig.__struct_fields__}}, SERVER)
        realm, quota = ours.get("realm", "-"), ours.get("caller_quota", 0)
        if not isinstance(realm, str) or not re.fullmatch(r'[^"\\\x00-\x1f]+', realm):
            self.fault(("server", "realm"), "realm: expected text without quotes")
        if type(quota) is not int or not 0 <= quota <= 1_000_000:
            self.fault(("server", "caller_quota"), "caller_quota: expected a whole number from 0 to 1000000")
        for key, read in (("edge_proxies", read_networks), ("service_route", read_routes)):
            try:
                ours |= {key: read(ours[key])} if key in ours else {}
            except ValueError as wrong:
                self.fault(("server", key), f"{key}: {wrong}")
        if "time_zone" in ours and (fault := zone_fault(ours["time_zone"])):
            self.fault(("server", "time_zone"), f"time_zone: {fault}")
        return ours

    def tables(self, kind: str, tables: Any) -> tuple[Any, ...]:
        if not isinstance(tables, list):
            self.fault((kind,), f"write [[{kind}]], with two brackets")
            return ()
        entries = (self.entry((kind, index), table, ENTRIES[kind]) for index, table in enumerate(tables))
        return tuple(entry for entry in entries if entry is not None)

    def entry(self, path: Path, table: Any, cls: type[T]) -> T | None:
        if not isinstance(table, dict):
            self.fault(path, f"{path[0]}: expected a table")
            return None
        before = len(self.faults)
        self.keys(path, table, cls)
        for where, sentence in text_faults(path, table):
            self.fault(where, f"{where[-1]}: {sentence}")
        try:
            return msgspec.convert(table, cls, dec_hook=_money) if len(self.faults) == before else None
        except msgspec.ValidationError as wrong:
            inner, sentence = _told(wrong, cls)
            self.fault((*path, *inner), sentence)
            return None

    def keys(self, path: Path, table: dict[str, Any], cls: type[Any]) -> None:
        """Unknown and missing keys, of the tables inside too."""
        kinds = _kinds(cls)  # type: ignore[arg-type]  # a class is hashable, which mypy does not know of type[Any]
        self.known(path, table, kinds)
        for known in fields(cls):
            if known.name not in table and known.default is MISSING and known.default_factory is MISSING:
                self.fault((*path, known.name), f'this {path[0]} needs "{known.name}"')
        for key, value in table.items():
            inner = table_class(kinds.get(key))
            if inner is not None:
                for each in value if isinstance(value, list) else [value]:
                    if isinstance(each, dict):
                        self.keys((*path, key), each, inner)


@cache
def _kinds(cls: type[Any]) -> dict[str, Any]:
    """The type of each key; to find that out costs more than to read an entry."""
    return get_type_hints(cls)


def table_class(hint: Any) -> type[Any] | None:
    """The kind of table that a key of this type has; None for a plain value."""
    return next((kind for kind in (hint, *get_args(hint)) if isinstance(kind, type) and is_dataclass(kind)), None)


def _money(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError('write money as text, in quotes: "0.12"')
    micros = parse_money(value)
    if micros < 0:
        raise ValueError("money here cannot be negative")
    return kind(micros)


_PLAIN = {
    "`int`": "a whole number", "`str`": "text in quotes", "`bool`": "true or false", "`array`": "a list in [ ]",
    "`object`": "a table", "`float`": "a number with a point",
}


def _told(wrong: msgspec.ValidationError, cls: type[Any]) -> tuple[Path, str]:
    """Where inside the table, and the sentence."""
    sentence, _, where = str(wrong).partition(" - at `$")
    inner: Path = tuple(re.findall(r"\.([^.\[\]`]+)", where))
    return inner, _friendly(sentence, inner, cls)


def _friendly(sentence: str, inner: Path, cls: type[Any]) -> str:
    """msgspec's message in the words of whoever writes the file."""
    if choices := _choices(inner, cls):
        return f"{inner[-1]}: choose one of {', '.join(choices)}"
    sentence = sentence.replace(" | null`", "`")  # TOML has no null
    for word, plain in _PLAIN.items():
        sentence = sentence.replace(word, plain)
    return f"{'.'.join(map(str, inner))}: {sentence[:1].lower()}{sentence[1:]}"


def _choices(inner: Path, cls: type[Any]) -> list[str]:
    hint: Any = cls
    for key in inner:
        hint = get_type_hints(table_class(hint) or hint)[str(key)]
    options = [hint, *get_args(hint)]
    return next(([str(each) for each in get_args(option)] for option in options if get_origin(option) is Literal), [])
