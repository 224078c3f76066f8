"""All configuration as one immutable snapshot with dict lookups; a running server reads it, never the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, RowMapping, Table, select, update

from store import tables
from store.meta import CONFIG_VERSION, EDGE_PROXIES, REALM, SERVICE_ROUTE, TIME_ZONE, read_meta, write_meta
from store.rates import RateTable
from store.values import (
    Account,
    CallbackSettings,
    CallerId,
    CallNowSettings,
    ChargingPlan,
    Did,
    Extension,
    Rate,
    Route,
    TimeInterval,
    Trunk,
)

__all__ = [
    "DEFAULT_REALM", "DEFAULT_ZONE", "Directory", "build", "config_version", "load", "raise_version",
    "save_callback", "save_caller_id", "split_source",
]

DEFAULT_REALM = "ringback"
DEFAULT_ZONE = "UTC"
K = TypeVar("K")
V = TypeVar("V")
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Directory:
    """Who exists, what is allowed, where numbers lead and what they cost. Lookups answer None for the unknown."""

    version: int = 0
    realm: str = DEFAULT_REALM
    accounts: Mapping[int, Account] = field(default_factory=dict)
    extensions: Mapping[str, Extension] = field(default_factory=dict)
    """By number."""
    trunks: Mapping[int, Trunk] = field(default_factory=dict)
    dids: Mapping[tuple[str, int | None], Did] = field(default_factory=dict)
    """By number and trunk; trunk None: whichever trunk it arrives on."""
    public_numbers: Mapping[str, Did] = field(default_factory=dict)
    """The same by number."""
    routes: Mapping[str, tuple[Route, ...]] = field(default_factory=dict)
    """By prefix, each in order of priority."""
    rate_tables: Mapping[str, RateTable] = field(default_factory=dict)
    charging_plans: Mapping[str, ChargingPlan] = field(default_factory=dict)
    intervals: Mapping[tuple[str, int | None], TimeInterval] = field(default_factory=dict)
    """By name and account; account None: the operator's."""
    internal_numbers: frozenset[str] = frozenset()
    """Extension numbers as written and as a keypad dials them: `001*002` and `001002` (SPEC 8)."""
    edges: tuple[Network, ...] = ()
    """Where the proxies are that phones may be behind, and that are believed about them."""
    service_route: str = ""
    """What phones are told in Service-Route (RFC 3608); empty: nothing."""
    zone: str = DEFAULT_ZONE
    """The time zone of whatever names none."""
    _by_id: Mapping[int, Extension] = field(default_factory=dict)
    _by_digits: Mapping[str, Extension] = field(default_factory=dict)
    _by_page: Mapping[str, Extension] = field(default_factory=dict)
    _by_trunk_name: Mapping[str, Trunk] = field(default_factory=dict)
    _by_client: Mapping[str, Trunk] = field(default_factory=dict)
    _by_address: Mapping[tuple[str, int | None], Trunk] = field(default_factory=dict)
    _callback_dids: Mapping[str, Did] = field(default_factory=dict)
    _networks: tuple[tuple[Network, Trunk], ...] = ()

    def extension(self, number: str) -> Extension | None:
        """By its number as written, `001*002`, or as a keypad dials it, `001002`."""
        return self.extensions.get(number) or self._by_digits.get(number)

    def extension_by_id(self, extension_id: int) -> Extension | None:
        """By row id."""
        return self._by_id.get(extension_id)

    def callnow(self, page_id: str) -> Extension | None:
        """The extension of a CallNow ID that is enabled and permitted: a phone with CallAPI access (SPEC 1, 2)."""
        return self._by_page.get(page_id)

    def trunk(self, trunk_id: int) -> Trunk | None:
        """By row id."""
        return self.trunks.get(trunk_id)

    def trunk_by_name(self, name: str) -> Trunk | None:
        """By name, the manual's channel ID."""
        return self._by_trunk_name.get(name)

    def trunk_for_source(self, ip: str, port: int) -> Trunk | None:
        """The trunk whose calls come from here: address with port first, then address, then the narrowest network."""
        if found := self._by_address.get((ip, port)) or self._by_address.get((ip, None)):
            return found
        if not self._networks:
            return None
        address = ip_address(ip)
        return next((trunk for network, trunk in self._networks if address in network), None)

    def is_edge(self, ip: str) -> bool:
        """Whether a proxy that we trust is here."""
        if not self.edges:
            return False
        address = ip_address(ip)
        return any(address in network for network in self.edges)

    def trunk_for_names(self, names: frozenset[str]) -> Trunk | None:
        """The trunk whose calls come with a certificate for one of these names."""
        return next((trunk for trunk in self._by_client.values() if trunk.tls_client.lower() in names), None)

    def did(self, number: str, trunk_id: int | None = None) -> Did | None:
        """The public number, arriving on this trunk."""
        return self.dids.get((number, trunk_id)) or self.dids.get((number, None))

    def callback_did(self, number: str) -> Did | None:
        """The public number of a callback extension, whichever trunk it is for: it rings alike on all (SPEC AT-13)."""
        return self._callback_dids.get(number)

    def names_above(self, account_id: int | None) -> list[str]:
        """The account, its parent, its grandparent, ... by name."""
        names = []
        while account_id is not None and (account := self.accounts.get(account_id)) is not None:
            names.append(account.name)
            account_id = account.parent_id
        return names

    def plan_of(self, account: Account) -> ChargingPlan:
        """How the account pays; one without a charging plan by the prices of its rate table."""
        return self.charging_plans.get(account.charging_plan) or ChargingPlan(rate_table=account.rate_table)

    def rate_table(self, name: str) -> RateTable:
        """A table of rates; an unknown one has none."""
        return self.rate_tables.get(name, MappingProxyType({}))

    def interval(self, name: str, account_id: int | None = None) -> TimeInterval | None:
        """A time interval of the account, else the operator's of this name (SPEC 70)."""
        return self.intervals.get((name, account_id)) or self.intervals.get((name, None))


def build(
    *, accounts: Iterable[Account] = (), extensions: Iterable[Extension] = (), trunks: Iterable[Trunk] = (),
    dids: Iterable[Did] = (), routes: Iterable[Route] = (), rates: Iterable[tuple[str, Rate]] = (), version: int = 0,
    realm: str = DEFAULT_REALM, edges: Iterable[Network] = (), service_route: str = "",
    zone: str = DEFAULT_ZONE,
    charging_plans: Iterable[ChargingPlan] = (),
    intervals: Mapping[tuple[str, int | None], TimeInterval] = MappingProxyType({}),
) -> Directory:
    """Index the values once. `rates` are pairs of table name and rate."""
    payers, phones, lines = _by(accounts, "id"), _by(extensions, "number"), _by(trunks, "id")
    everyone, public = list(phones.values()), list(dids)
    by_id = _by(everyone, "id")
    return Directory(
        version=version, realm=realm, accounts=payers, extensions=phones, trunks=lines, edges=tuple(edges),
        service_route=service_route, zone=zone,
        dids={(did.number, did.trunk_id): did for did in public}, public_numbers=_by(public, "number"),
        routes={
            prefix: tuple(sorted(group, key=lambda route: (route.priority, route.trunk_id)))
            for prefix, group in _groups((route.prefix, route) for route in routes).items()
        },
        rate_tables={name: _by_prefix(group) for name, group in _groups(rates).items()},
        charging_plans=_by(charging_plans, "name"), intervals=intervals,
        internal_numbers=frozenset(phones) | {_digits(number) for number in phones},
        _by_id=by_id, _by_digits={_digits(extension.number): extension for extension in everyone},
        _by_page={
            extension.callnow.id: extension for extension in everyone
            if extension.callnow.enabled and extension.kind == "phone" and payers[extension.account_id].call_api
        },
        _callback_dids={
            did.number: did for did in public
            if (rung := by_id.get(did.extension_id or 0)) is not None and rung.kind == "callback"
        },
        _by_trunk_name=_by(lines.values(), "name"),
        _by_client=_by((trunk for trunk in lines.values() if trunk.tls_client), "tls_client"),
        **_sources(lines.values()),
    )


def _by(values: Iterable[V], name: str) -> dict[Any, V]:
    return {getattr(value, name): value for value in values}


_RATES = select(tables.rates.c.rate_table, *(
    tables.rates.c[name] for name in Rate.__slots__ if name != "free_s"
)).order_by(tables.rates.c.id)  # fmt: skip
"""In the order of the fields: there may be a hundred thousand."""


def _by_prefix(rates: Iterable[Rate]) -> RateTable:
    groups = _groups((rate.prefix, rate) for rate in rates)
    return {
        prefix: tuple(sorted(group, key=lambda rate: (not rate.interval, -rate.valid_from, rate.interval)))
        if len(group) > 1 else (group[0],)
        for prefix, group in groups.items()
    }


def _groups(pairs: Iterable[tuple[K, V]]) -> dict[K, list[V]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _digits(number: str) -> str:
    return number.replace("*", "")


def _sources(trunks: Iterable[Trunk]) -> dict[str, Any]:
    exact: dict[tuple[str, int | None], Trunk] = {}
    networks: list[tuple[Network, Trunk]] = []
    for trunk in (each for each in trunks if not each.tls_client):
        for source in trunk.sources or (trunk.host,):
            try:
                network, port = split_source(source)
            except ValueError:  # a host name: its addresses must be listed in `sources`
                continue
            if network.num_addresses == 1:
                exact.setdefault((str(network.network_address), port), trunk)
            else:
                networks.append((network, trunk))
    networks.sort(key=lambda pair: -pair[0].prefixlen)
    return {"_by_address": exact, "_networks": tuple(networks)}


def split_source(source: str) -> tuple[Network, int | None]:
    """Read `network`, `address` or `address:port` (IPv6 with a port in brackets). Raises: ValueError."""
    address, colon, port = source.rpartition(":")
    if colon and (address.startswith("[") or ":" not in address):
        return ip_network(address.strip("[]")), int(port)
    return ip_network(source.strip("[]")), None


def config_version(conn: Connection) -> int:
    """The number that every change of configuration raises: a running server polls it and loads again."""
    return int(read_meta(conn, CONFIG_VERSION) or 0)


def raise_version(conn: Connection) -> None:
    """Configuration has changed."""
    write_meta(conn, CONFIG_VERSION, str(config_version(conn) + 1))


def save_callback(conn: Connection, extension_id: int, settings: CallbackSettings) -> None:
    """Keep the settings of a callback extension; a running server takes them with its next look."""
    conn.execute(update(tables.extensions).where(tables.extensions.c.id == extension_id).values(
        callback=msgspec.to_builtins(settings),
    ))
    raise_version(conn)


def save_caller_id(conn: Connection, extension_id: int, rules: CallerId) -> None:
    """Keep what public calls of an extension show; a running server takes it with its next look."""
    conn.execute(update(tables.extensions).where(tables.extensions.c.id == extension_id).values(
        caller_id=msgspec.to_builtins(rules),
    ))
    raise_version(conn)


def load(conn: Connection, *, prices: bool = True) -> Directory:
    """Read all configuration as one snapshot, or all but the rates, of which there may be a hundred thousand."""
    zone = read_meta(conn, TIME_ZONE) or DEFAULT_ZONE
    settings = {row["extension_id"]: _callnow(row) for row in _rows(conn, tables.callnow)}
    accounts = [_value(Account, row) for row in _rows(conn, tables.accounts) if row["kind"] == "client"]
    return build(
        accounts=_with_permission(accounts),
        extensions=[
            _value(Extension, row, callnow=settings.get(row["id"], CallNowSettings()))
            for row in _rows(conn, tables.extensions)
        ],
        trunks=[_value(Trunk, row) for row in _rows(conn, tables.trunks)],
        dids=[_value(Did, row) for row in _rows(conn, tables.dids)],
        routes=[_value(Route, row) for row in _rows(conn, tables.routes)],
        rates=[(table, Rate(*values)) for table, *values in (conn.execute(_RATES) if prices else ())],
        charging_plans=[
            _value(ChargingPlan, row, zone=row["zone"] or zone) for row in _rows(conn, tables.charging_plans)
        ],
        intervals=_intervals(_rows(conn, tables.intervals), zone),
        version=config_version(conn), realm=read_meta(conn, REALM) or DEFAULT_REALM,
        edges=[ip_network(each) for each in (read_meta(conn, EDGE_PROXIES) or "").split()],
        service_route=read_meta(conn, SERVICE_ROUTE) or "", zone=zone,
    )


def _intervals(rows: list[RowMapping], zone: str) -> dict[tuple[str, int | None], TimeInterval]:
    """Every interval with those it leaves out inside it."""
    by_key = {(row["name"], row["account_id"]): row for row in rows}

    def built(key: tuple[str, int | None], above: frozenset[Any]) -> TimeInterval:
        row = by_key[key]
        without = [(name, key[1]) if (name, key[1]) in by_key else (name, None) for name in row["without"]]
        inner = [built(other, above | {key}) for other in without if other in by_key and other not in above | {key}]
        return replace(_value(TimeInterval, {**row, "zone": row["zone"] or zone, "without": ()}), without=tuple(inner))

    return {key: built(key, frozenset()) for key in by_key}


def _rows(conn: Connection, table: Table) -> list[RowMapping]:
    return list(conn.execute(select(table).order_by(*table.primary_key)).mappings())


def _value(cls: type[V], row: Mapping[Any, Any], **more: Any) -> V:
    """A value from the columns that carry its fields' names."""
    known = {name: row[name] for name in cls.__dict__["__slots__"] if name in row}
    return msgspec.convert({**known, **{name: msgspec.to_builtins(value) for name, value in more.items()}}, cls)


def _callnow(row: RowMapping) -> CallNowSettings:
    return _value(CallNowSettings, {**row, "id": row["page_id"]})


def _with_permission(accounts: list[Account]) -> list[Account]:
    """CallAPI access counts only when every account above has it too (SPEC 2)."""
    known = {account.id: account for account in accounts}

    def allowed(account: Account) -> bool:
        above = None if account.parent_id is None else known.get(account.parent_id)
        return account.call_api and (above is None or allowed(above))

    return [replace(account, call_api=allowed(account)) for account in accounts]
