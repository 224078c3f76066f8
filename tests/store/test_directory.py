"""One snapshot of all configuration, and its lookups."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, insert

from store import tables
from store.directory import DEFAULT_REALM, Directory, build, config_version, load, save_callback, split_source
from store.meta import CONFIG_VERSION, REALM, read_meta, write_meta
from store.values import (
    Account,
    CallbackSettings,
    CallerId,
    CallNowSettings,
    ChargingPlan,
    DialPlan,
    Did,
    Extension,
    Micros,
    Rate,
    Route,
    Trunk,
)

PAGE = CallNowSettings(enabled=True, id="john_doe")


def phone(**more: Any) -> Extension:
    return Extension(**{"id": 1, "number": "001*002", "account_id": 1, "callnow": PAGE, **more})


def trunk(id: int, host: str, *sources: str) -> Trunk:
    return Trunk(id, f"R{id}", host, sources=sources)


@pytest.mark.parametrize(("extension", "account", "found"), [
    pytest.param(phone(), Account(1, "a"), True, id="enabled phone with CallAPI access"),
    pytest.param(phone(kind="callback"), Account(1, "a"), False, id="rule 1: not a phone"),
    pytest.param(phone(), Account(1, "a", call_api=False), False, id="rule 2: no CallAPI access"),
    pytest.param(phone(callnow=CallNowSettings(False, "john_doe")), Account(1, "a"), False, id="rule 2: switched off"),
])
def test_a_callnow_page(extension: Extension, account: Account, found: bool) -> None:
    directory = build(accounts=[account], extensions=[extension])
    assert directory.callnow("john_doe") == (extension if found else None)
    assert directory.callnow("") is None


def test_extensions_by_number_digits_and_id() -> None:
    one, other = phone(), phone(id=2, number="001002")
    directory = build(accounts=[Account(1, "a")], extensions=[one])
    assert [directory.extension(number) for number in ("001*002", "001002", "001003")] == [one, one, None]
    assert (directory.extension_by_id(1), directory.extension_by_id(9)) == (one, None)
    assert directory.internal_numbers == {"001*002", "001002"}
    both = build(accounts=[Account(1, "a")], extensions=[one, other])
    assert both.extension("001002") == other


R1, R2 = trunk(1, "192.0.2.1"), trunk(2, "sip.example.com", "192.0.2.1:5080", "198.51.100.0/24", "[2001:db8::1]:5060")
R3, R4 = trunk(3, "sip.example.net", "198.51.0.0/16", "2001:db8::2", "2001:db8:1::/48"), trunk(4, "sip.example.org")


@pytest.mark.parametrize(("ip", "port", "found"), [
    pytest.param("192.0.2.1", 5060, R1, id="its own host, any port"),
    pytest.param("192.0.2.1", 5080, R2, id="the exact port wins"),
    pytest.param("198.51.100.7", 1, R2, id="the narrowest network"),
    pytest.param("198.51.7.7", 1, R3, id="the wider network"),
    pytest.param("2001:db8::1", 5060, R2, id="IPv6 with a port"),
    pytest.param("2001:db8::1", 5061, None, id="IPv6, another port"),
    pytest.param("2001:db8::2", 9, R3, id="IPv6, any port"),
    pytest.param("2001:db8:1::9", 9, R3, id="IPv6 network"),
    pytest.param("203.0.113.1", 5060, None, id="a stranger"),
])
def test_trunk_for_source(ip: str, port: int, found: Trunk | None) -> None:
    assert build(trunks=[R1, R2, R3, R4]).trunk_for_source(ip, port) == found


def test_trunk_for_source_without_networks() -> None:
    assert build(trunks=[R1]).trunk_for_source("203.0.113.1", 5060) is None


def test_trunks_by_id_and_name() -> None:
    directory = build(trunks=[R1, R2])
    assert (directory.trunk(2), directory.trunk(9)) == (R2, None)
    assert (directory.trunk_by_name("R1"), directory.trunk_by_name("R9")) == (R1, None)


def test_a_did_of_this_trunk_wins_over_one_of_any_trunk() -> None:
    any_trunk, only_r2 = Did("555", 1, 1), Did("555", 1, 2, 2)
    directory = build(dids=[any_trunk, only_r2, Did("556", 1, 1, 2)])
    assert [directory.did("555", trunk_id) for trunk_id in (None, 1, 2)] == [any_trunk, any_trunk, only_r2]
    assert directory.did("556", 1) is None


def test_rates_by_table_and_prefix_those_of_a_time_of_day_first_then_the_newest() -> None:
    local, newer, night = Rate("555"), Rate("555", valid_from=9.0), Rate("555", interval="night")
    directory = build(rates=[("gold", local), ("gold", newer), ("gold", night), ("default", Rate("1"))])
    assert directory.rate_table("gold") == {"555": (night, newer, local)}
    assert directory.rate_table("nowhere") == {}


def test_an_account_pays_by_its_charging_plan_else_by_its_table() -> None:
    gold = ChargingPlan("gold", rate_table="dear")
    directory = build(charging_plans=[gold])
    assert directory.plan_of(Account(1, "a", charging_plan="gold")) == gold
    assert directory.plan_of(Account(2, "b", rate_table="cheap")) == ChargingPlan(rate_table="cheap")


@pytest.mark.parametrize("source", ["nonsense", "192.0.2.1:port", "192.0.2.0/99", ""])
def test_a_source_that_is_none(source: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the sentence is ipaddress's own
        split_source(source)


def test_an_empty_database_is_an_empty_directory(conn: Connection) -> None:
    assert load(conn) == Directory(realm=DEFAULT_REALM)
    assert config_version(conn) == 0


def test_load_reads_back_every_field(conn: Connection) -> None:
    plan = DialPlan("as-dialled", "RO", ("+1",), ("112",), 5, ("+1900",))
    rate = Rate("555", "local", Micros(1), 2, Micros(3), 4, Micros(5), Micros(6), Micros(7))
    line = Trunk(
        1, "R1", "192.0.2.1", 5061, "u", "p", True, ("192.0.2.0/24",), "national", "GB", ("PCMA",), 9, "direct",
        "extension", "proxy.test:5070", True, 600, 30, 4, 5, 6, "+", "9", "00", "+", {"X-Account": "42"}, "pai", "rpid",
        7, 8, "sips", True, "/ca", "/crt", "/key", "carrier.test", sign=False, verify="require",
    )
    page = CallNowSettings(
        True, "john_doe", True, False, False, False, False, False, "ro", "hello", False, 1, 2, Micros(3),
        Micros(4), ("+44",), ("+4470",),
    )
    owner = Extension(
        1, "001*002", 2, "phone", "John", "555", "m", "s", 7, 8, page,
        caller_id=CallerId("user", "J", "user", "123"),
        callback=CallbackSettings(trigger_s=3, password_hash="$", allowed=("+44",), money_a_day=Micros(5)),
        redirects="extensions",
    )
    write(conn, tables.accounts, id=1, name="top", currency="EUR", plan="postpaid", call_api=True, dial_plan={},
          rate_table="gold", credit_limit=5)
    write(conn, tables.accounts, id=2, name="client", currency="EUR", plan="prepaid", call_api=True, parent_id=1,
          dial_plan={"mode": "as-dialled", "country": "RO", "strip": ["+1"], "refused": ["112"], "min_digits": 5,
                     "premium": ["+1900"]},
          rate_table="gold", caller_quota=6)
    write(conn, tables.accounts, id=3, name="~caller-3", kind="caller", plan="unlimited", call_api=False, parent_id=2,
          dial_plan={})
    write(conn, tables.trunks, id=1, name="R1", host="192.0.2.1", port=5061, user="u", password="p", trusted=True,
          sources=["192.0.2.0/24"], number_format="national", country="GB", codecs=["PCMA"], ring_s=9, media="direct",
          pai="extension", proxy="proxy.test:5070", register=True, register_expires_s=600, qualify_s=30, down_after=4,
          up_after=5, connect_s=6, out_strip="+", out_prefix="9", in_strip="00", in_prefix="+",
          headers={"X-Account": "42"}, send_caller="pai", read_caller="rpid", channels=7, calls_per_s=8,
          transport="sips", stay_on_udp=True, tls_ca="/ca", tls_certificate="/crt", tls_key="/key",
          tls_client="carrier.test", sign=False, verify="require")
    write(conn, tables.extensions, id=1, number="001*002", account_id=2, kind="phone", name="John",
          public_number="555", ha1_md5="m", ha1_sha256="s", ring_s=7, confirm_s=8,
          caller_id={"name_by": "user", "name": "J", "number_by": "user", "number": "123"},
          callback={"trigger_s": 3, "password_hash": "$", "allowed": ["+44"], "money_a_day": 5},
          redirects="extensions")
    write(conn, tables.callnow, extension_id=1, enabled=True, page_id="john_doe", paused=True,
          reject_while_on_phone=False, confirm=False, show_name=False, ask_name=False, image_validation=False,
          language="ro", message="hello", announce_to_visitor=False, calls_a_day=1, longest_call_s=2, money_a_day=3,
          highest_price_a_minute=4, allowed=["+44"], forbidden=["+4470"])
    write(conn, tables.dids, number="555", account_id=1, extension_id=1, trunk_id=1)
    write(conn, tables.routes, prefix="", trunk_id=1, priority=4)
    write(conn, tables.rates, rate_table="gold", prefix="555", description="local", connection_fee=1,
          first_interval_s=2, first_cost=3, increment_s=4, increment_cost=5, minimum=6, maximum=7)
    write_meta(conn, CONFIG_VERSION, "7")
    write_meta(conn, REALM, "example")
    assert load(conn) == build(
        accounts=[
            Account(1, "top", "EUR", "postpaid", True, DialPlan(), "gold", Micros(5)),
            Account(2, "client", "EUR", "prepaid", True, plan, "gold", None, 1, 6),
        ],
        extensions=[owner], trunks=[line], dids=[Did("555", 1, 1, 1)], routes=[Route("", 1, 4)], rates=[("gold", rate)],
        version=7, realm="example",
    )


def write(conn: Connection, table: Any, **values: Any) -> None:
    conn.execute(insert(table).values(**values))


def test_an_extension_without_settings_has_no_page(conn: Connection) -> None:
    write(conn, tables.accounts, id=1, name="a", plan="prepaid", currency="USD", call_api=True, dial_plan={})
    write(conn, tables.extensions, number="001*002", account_id=1, kind="phone", ring_s=1, confirm_s=1, caller_id={})
    found = load(conn).extension("001*002")
    assert found is not None
    assert (found.callnow, found.callback) == (CallNowSettings(), CallbackSettings())


def test_saved_callback_settings_are_in_the_next_snapshot(conn: Connection) -> None:
    settings = CallbackSettings(True, 3, 603, 1, "fixed", "555", password_hash="$", allowed=("04",), quota=2)
    write(conn, tables.accounts, id=1, name="a", plan="prepaid", currency="USD", call_api=True, dial_plan={})
    write(conn, tables.extensions, id=7, number="001*900", account_id=1, kind="callback", ring_s=1, confirm_s=1,
          caller_id={})
    save_callback(conn, 7, settings)
    assert (load(conn).extensions["001*900"].callback, config_version(conn)) == (settings, 1)


@pytest.mark.parametrize(("above", "allowed"), [((True, True), True), ((False, True), False), ((True, False), False)])
def test_call_api_needs_every_account_above(conn: Connection, above: tuple[bool, bool], allowed: bool) -> None:
    for row_id, call_api in enumerate((*above, True), 1):
        write(conn, tables.accounts, id=row_id, name=str(row_id), plan="prepaid", currency="USD", call_api=call_api,
              dial_plan={}, parent_id=row_id - 1 or None)
    assert load(conn).accounts[3].call_api is allowed


def test_meta_keeps_the_last_value(conn: Connection) -> None:
    assert read_meta(conn, "key") is None
    for value in ("1", "2"):
        write_meta(conn, "key", value)
    assert read_meta(conn, "key") == "2"


def test_the_number_of_a_callback_extension_is_known_on_every_trunk() -> None:
    """AT-13: it rings alike on a trunk that is not its own; a phone's number does not."""
    callback = Extension(2, "001*900", 1, kind="callback")
    phone = Extension(3, "001*002", 1)
    directory = build(
        accounts=[Account(1, "a")], extensions=[callback, phone], dids=[Did("555", 1, 2, 1), Did("556", 1, 3, 1)],
    )
    assert directory.callback_did("555") == Did("555", 1, 2, 1)
    assert directory.callback_did("556") is None
