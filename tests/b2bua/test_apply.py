"""`ringback apply`: the database becomes what the file says, once (SPEC 1-4, 7, 24)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from b2bua.plan.apply import apply, parse
from b2bua.plan.entries import BadPlan
from b2bua.rules.tariff import table_rate
from b2bua.secret_hash import verify_secret
from store import callers, ledger
from store.bindings import Binding, load_bindings, save_binding
from store.database import connect, migrate
from store.directory import config_version, load
from store.meta import CALLER_QUOTA, read_meta
from store.tables import extensions, trunks
from store.values import AuthorisedCaller, CallbackSettings, Micros, Rate

FIXTURE = (Path(__file__).parents[1] / "fixture.toml").read_text()
FIRST_ID = "00000000000000a0"
PAGE = "CallNow   001*002: https://pbx.example/callnow/john_doe"
JANE = '[[extension]]\nnumber = "001*003"\naccount = "client"\npublic_number = "5555550001"\n[extension.callnow]\n'
"""One more extension, ready for CallNow settings."""
SAME = "unchanged 1 account, 3 trunks, 3 rates, 2 extensions, 1 callnow, 2 dids, 2 routes"


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    url = f"sqlite:///{tmp_path}/ringback.db"
    migrate(url)
    engine = connect(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def run(conn: Connection, plan: str = FIXTURE) -> list[str]:
    """Apply; new CallNow IDs count up from a0."""
    ids = (f"{n:016x}" for n in range(0xA0, 0xFF))
    return apply(conn, parse(plan, "f.toml"), 100.0, "https://pbx.example/", lambda: next(ids))


def changed(*changes: tuple[str, str]) -> str:
    plan = FIXTURE
    for old, new in changes:
        assert old in plan
        plan = plan.replace(old, new, 1)
    return plan


def everything(conn: Connection) -> Any:
    return list(conn.connection.driver_connection.iterdump())  # type: ignore[union-attr]


def test_the_first_run_creates_everything(conn: Connection) -> None:
    assert run(conn) == [
        "created   account client", "created   trunk R1", "created   trunk R2", "created   trunk T3",
        "created   rate at-12 555", "created   rate at-12 04", "created   rate at-12 00",
        "created   extension 001*002", "created   extension 001*900", "created   callnow of 001*002",
        "created   did 5555550000", "created   did 5555559000", "created   route (any) R1", "created   route (any) R2",
        "credited  account client: opening balance 100.00 USD", PAGE,
    ]
    directory = load(conn)
    john = directory.callnow("john_doe")
    assert john is not None
    assert (john.number, john.name, john.public_number) == ("001*002", "John Doe", "5555550000")
    assert not john.callnow.announce_to_visitor
    assert table_rate(directory, "at-12", "0402", 0.0) == Rate(
        "04", "mobile", Micros(0), 30, Micros(100_000), 30, Micros(100_000),
    )
    did, r1 = directory.did("5555559000", 1), directory.trunk_by_name("R1")
    assert did is not None
    assert r1 is not None
    assert (did.trunk_id, r1.trusted) == (r1.id, True)
    assert directory.extension_by_id(did.extension_id or 0) == directory.extension("001*900")
    assert ledger.balance(conn, 1).balance == 100_000_000
    assert ledger.audit(conn) == []


def test_a_second_run_changes_nothing(conn: Connection) -> None:
    run(conn)
    before = everything(conn)
    assert run(conn) == [SAME, PAGE]
    assert everything(conn) == before


def test_a_change_is_told_by_key_and_raises_the_version(conn: Connection) -> None:
    run(conn)
    assert config_version(conn) == 1
    lines = run(conn, changed(('name = "John Doe"', 'name = "Jane Doe"'), ("port = 5060 # T2_PORT", "port = 5070")))
    assert lines[:3] == [
        "changed   trunk R2: port", "changed   extension 001*002: name",
        "unchanged 1 account, 2 trunks, 3 rates, 1 extension, 1 callnow, 2 dids, 2 routes",
    ]
    assert config_version(conn) == 2
    assert load(conn).extensions["001*002"].name == "Jane Doe"
    trunk = load(conn).trunk_by_name("R2")
    assert trunk is not None
    assert trunk.port == 5070


def test_only_what_the_file_mentions_is_removed(conn: Connection) -> None:
    run(conn)
    save_binding(conn, Binding("001*900", "sip:a@b", "udp:192.0.2.7:5060", 999.0))
    john = '[[extension]]\nnumber = "001*002"\naccount = "client"\n'
    lines = run(conn, john + '[[did]]\nnumber = "5555550000"\nextension = "001*002"\n')
    assert lines[2:] == [
        "changed   did 5555550000: trunk_id", "removed   did 5555559000", "removed   extension 001*900",
    ]
    directory = load(conn)
    assert set(directory.extensions) == {"001*002"}
    assert len(directory.trunks) == 3
    assert load_bindings(conn, 0.0) == []


def test_what_is_still_used_is_kept_and_said_to_be(conn: Connection) -> None:
    run(conn)
    account, trunk = '[[account]]\nname = "other"\n', '[[trunk]]\nname = "T3"\nhost = "127.0.0.4"\n'
    lines = run(conn, account + trunk + 'port = 5060\nnumber_format = "as-is"\n')
    assert lines[:5] == [
        "created   account other",
        "kept      trunk R2: other rows still refer to it", "kept      trunk R1: other rows still refer to it",
        "kept      account client: other rows still refer to it", "unchanged 1 trunk",
    ]


def test_everything_can_go_but_money(conn: Connection) -> None:
    run(conn)
    lines = run(conn, "account = []\nextension = []\ntrunk = []\ndid = []\nroute = []\nrate = []\n")
    assert "kept      account client: other rows still refer to it" in lines
    assert sum(line.startswith("removed") for line in lines) == 3 + 3 + 2 + 2 + 2
    assert load(conn).extensions == {}


def test_parents_are_set_after_all_accounts_exist(conn: Connection) -> None:
    text = '[[account]]\nname = "child"\nparent = "top"\n[[account]]\nname = "top"\ncall_api = false\n'
    run(conn, text)
    version = config_version(conn)
    assert [account.call_api for account in load(conn).accounts.values()] == [False, False]
    run(conn, text)
    assert config_version(conn) == version
    run(conn, text.replace('parent = "top"\n', ""))
    assert config_version(conn) == version + 1
    assert load(conn).accounts[1].call_api


def test_the_opening_balance_is_posted_once(conn: Connection) -> None:
    run(conn)
    lines = run(conn, changed(('credit = "100.00"', 'credit = "50"')))
    assert lines[1] == (
        "note      account client: credit 50.00 changes nothing, the opening balance of 100.00 USD was posted once; "
        "recharge the account instead: ringback account recharge client AMOUNT"
    )
    assert run(conn, changed(('credit = "100.00"', ""))) == [SAME, PAGE]
    assert ledger.balance(conn, 1).balance == 100_000_000
    assert len(ledger.entries(conn, 1)) == 1


def test_a_callnow_id_is_allocated_once_and_kept(conn: Connection) -> None:
    page = f"CallNow   001*002: https://pbx.example/callnow/{FIRST_ID}"
    nameless = changed(('id = "john_doe"', ""))
    assert run(conn, nameless)[-1] == page
    assert run(conn, nameless) == [SAME, page]
    off = changed(("[extension.callnow]\n", ""), ('id = "john_doe"\n', ""), ("announce_to_visitor = false\n", ""))
    assert "changed   callnow of 001*002: enabled" in run(conn, off)
    assert load(conn).callnow(FIRST_ID) is None
    assert run(conn, nameless)[-1] == page


def test_an_id_may_move_to_another_extension(conn: Connection) -> None:
    run(conn)
    swapped = changed(('id = "john_doe"', 'id = "jane"')) + JANE + 'id = "john_doe"\n'
    run(conn, swapped)
    numbers = [load(conn).callnow(page) for page in ("john_doe", "jane")]
    assert [found and found.number for found in numbers] == ["001*003", "001*002"]
    run(conn, FIXTURE + JANE + 'id = "jane"\n')
    numbers = [load(conn).callnow(page) for page in ("john_doe", "jane")]
    assert [found and found.number for found in numbers] == ["001*002", "001*003"]


@pytest.mark.parametrize("switched_off", [False, True])
def test_an_extension_that_loses_its_id_to_another_gets_a_fresh_one(conn: Connection, switched_off: bool) -> None:
    run(conn)
    johns = ("[extension.callnow]\nid = \"john_doe\"\nannounce_to_visitor = false", "[extension.callnow]")
    run(conn, changed((johns[0], "" if switched_off else johns[1])) + JANE + 'id = "john_doe"\n')
    directory = load(conn)
    assert directory.extensions["001*003"].callnow.id == "john_doe"
    assert directory.extensions["001*002"].callnow.id == FIRST_ID
    assert directory.extensions["001*002"].callnow.enabled is not switched_off


def test_an_id_may_move_from_an_extension_that_is_removed(conn: Connection) -> None:
    run(conn)
    run(conn, "did = []\n" + JANE + 'id = "john_doe"\n')
    directory = load(conn)
    assert list(directory.extensions) == ["001*003"]
    assert directory.callnow("john_doe") == directory.extensions["001*003"]


def test_a_fresh_id_is_no_other_extensions(conn: Connection) -> None:
    run(conn, changed(('id = "john_doe"', f'id = "{FIRST_ID}"')))
    run(conn, changed(('id = "john_doe"', "")) + JANE)
    assert load(conn).extensions["001*003"].callnow.id == "00000000000000a1"


def test_passwords_are_digest_secrets_and_only_trunks_keep_theirs(conn: Connection) -> None:
    run(conn, changed(('host = "127.0.0.2"', 'host = "127.0.0.2"\nuser = "u"\npassword = "trunk-password"')))
    john, other = conn.execute(select(extensions).order_by(extensions.c.number)).mappings()
    clear = b"001*002:ringback:secret"
    assert (john["ha1_md5"], john["ha1_sha256"]) == (md5(clear).hexdigest(), sha256(clear).hexdigest())
    assert (other["ha1_md5"], other["ha1_sha256"]) == ("", "")
    assert conn.execute(select(trunks.c.password).where(trunks.c.name == "R1")).scalar_one() == "trunk-password"
    assert "'secret'" not in "".join(everything(conn))


def test_another_realm_is_another_secret_and_no_password_is_printed(conn: Connection) -> None:
    run(conn)
    lines = run(conn, '[server]\nrealm = "example.com"\n' + changed(('password = "secret"', 'password = "s3cret"')))
    assert lines[0] == "changed   extension 001*002: ha1_md5, ha1_sha256"
    assert "s3cret" not in "".join(lines)
    assert load(conn).realm == "example.com"
    clear = b"001*002:example.com:s3cret"
    assert load(conn).extensions["001*002"].ha1_md5 == md5(clear).hexdigest()


@pytest.mark.parametrize(("settings", "worst"), [
    pytest.param("", "3000.00 USD a day (100 calls of 3600 s to the dearest number), ended by the account's 100.00 USD",
                 id="the credit ends it first"),
    pytest.param("calls_a_day = 2\nlongest_call_s = 61", "1.50 USD a day (2 calls of 61 s to the dearest number)",
                 id="two calls of 61 s abroad"),
    pytest.param('money_a_day = "20"', "20.00 USD a day (100 calls of 3600 s to the dearest number)", id="money a day"),
])
def test_the_cost_rule_is_said_when_image_validation_is_off(conn: Connection, settings: str, worst: str) -> None:
    off = changed(("announce_to_visitor = false", f"image_validation = false\n{settings}"))
    for _ in range(2):
        assert run(conn, off)[-1] == (
            "WARNING   001*002: image validation is off: the owner WILL be charged for every call, no exceptions. "
            f"Worst case {worst}"
        )
    assert not any("WARNING" in line for line in run(conn))


def test_a_page_without_call_api_is_said_to_be_missing(conn: Connection) -> None:
    assert run(conn, changed(('plan = "prepaid"', "call_api = false")))[-2:] == [
        PAGE, "note      this page is not found while account client has no CallAPI access",
    ]
    assert load(conn).callnow("john_doe") is None


@pytest.mark.parametrize(("old", "new", "fault"), [
    ('account = "client"', 'account = "klient"', 'account: there is no account "klient"'),
    ('plan = "prepaid"', 'parent = "boss"', 'parent: there is no account "boss"'),
    ('extension = "001*900"', 'extension = "001*901"', 'extension: there is no extension "001*901"'),
    ('trunk = "R2"', 'trunk = "R9"', 'trunk: there is no trunk "R9"'),
])
def test_names_that_nobody_has(conn: Connection, old: str, new: str, fault: str) -> None:
    line = FIXTURE[:FIXTURE.index(old)].count("\n") + 1
    before = everything(conn)
    with pytest.raises(BadPlan) as refused:
        run(conn, changed((old, new)))
    assert str(refused.value) == f"f.toml:{line}: {fault}"
    assert everything(conn) == before


def test_a_silent_file_may_refer_to_what_the_database_has(conn: Connection) -> None:
    run(conn)
    lines = run(conn, '[[route]]\nprefix = "04"\ntrunk = "R2"\n')
    assert lines[:3] == ["created   route 04 R2", "removed   route (any) R2", "removed   route (any) R1"]
    assert conn.execute(text("SELECT prefix FROM routes")).scalars().all() == ["04"]


CALLBACK = """
[[account]]
name = "client"
dial_plan = { mode = "as-dialled" }
[[extension]]
number = "001*900"
account = "client"
kind = "callback"
public_number = "5555559000"
[extension.callback]
password = "4321"
quota = 2
"""
MARY = '[[caller]]\nextension = "001*900"\nnumber = "555111"\npin = "123"\ncredit = "5.00"\norder_number = "A1"\n'
FREE = '[[caller]]\nextension = "001*900"\nnumber = "555222"\ncredit = "unlimited"\n'


def callback(conn: Connection) -> CallbackSettings:
    return load(conn).extensions["001*900"].callback


def found(conn: Connection, number: str) -> AuthorisedCaller:
    caller = callers.find_caller(conn, load(conn).extensions["001*900"].id, number)
    assert caller is not None
    return caller


def test_callback_settings_and_callers_are_kept_and_a_second_run_changes_nothing(conn: Connection) -> None:
    assert run(conn, CALLBACK + MARY + FREE)[2:] == [
        "created   caller 001*900 555111: credit 5.00 USD", "created   caller 001*900 555222: credit unlimited",
    ]
    settings, mary, free = callback(conn), found(conn, "555111"), found(conn, "555222")
    assert settings == CallbackSettings(enabled=True, password_hash=settings.password_hash, quota=2)
    assert verify_secret(settings.password_hash, "4321")
    assert (verify_secret(mary.pin_hash, "123"), free.pin_hash, mary.created) == (True, "", 100.0)
    assert callers.recharges(conn, mary.id) == [callers.Recharge("A1", Micros(5_000_000), Micros(5_000_000), 100.0)]
    before = everything(conn)
    assert "4321" not in "".join(before)
    assert run(conn, CALLBACK + MARY + FREE) == ["unchanged 1 account, 1 extension, 2 callers"]
    assert everything(conn) == before


def test_another_password_or_none(conn: Connection) -> None:
    run(conn, CALLBACK)
    assert run(conn, CALLBACK.replace("4321", "1234"))[0] == "changed   extension 001*900: callback"
    assert verify_secret(callback(conn).password_hash, "1234")
    run(conn, CALLBACK.replace('password = "4321"\n', ""))
    assert callback(conn) == CallbackSettings(enabled=True, quota=2)
    run(conn, CALLBACK.split("[extension.callback]")[0])
    assert callback(conn) == CallbackSettings()


def test_a_caller_is_changed_and_its_credit_is_not(conn: Connection) -> None:
    run(conn, CALLBACK + MARY)
    before = found(conn, "555111")
    other = MARY.replace("123", "321").replace("5.00", "7") + 'language = "ru"\nenabled = false\n'
    assert run(conn, CALLBACK + other) == [
        "changed   caller 001*900 555111: pin, language, enabled", "unchanged 1 account, 1 extension",
        "note      caller 001*900 555111: credit 7.00 changes nothing, 5.00 USD was posted once; recharge it instead",
    ]
    after = found(conn, "555111")
    assert after == replace(before, pin_hash=after.pin_hash, language="ru", enabled=False)
    assert verify_secret(after.pin_hash, "321")
    assert ledger.balance(conn, after.account_id).balance == 5_000_000


def test_callers_that_the_file_does_not_have_are_removed_when_it_has_any(conn: Connection) -> None:
    run(conn, CALLBACK + MARY + FREE)
    wallet = found(conn, "555111").account_id
    run(conn, CALLBACK)
    assert found(conn, "555111").account_id == wallet
    assert run(conn, CALLBACK + FREE)[0] == "removed   caller 001*900 555111"
    assert ledger.balance(conn, wallet).balance == 5_000_000
    lines = run(conn, "extension = []\ncaller = []\n")
    assert lines[:2] == ["removed   caller 001*900 555222", "removed   extension 001*900"]


def test_an_extension_goes_with_its_callers_but_their_wallets_keep_the_owner(conn: Connection) -> None:
    run(conn, CALLBACK + MARY)
    lines = run(conn, "extension = []\naccount = []\n")
    assert lines == ["removed   extension 001*900", "kept      account client: other rows still refer to it"]
    assert conn.execute(text("SELECT count(*) FROM callers")).scalar_one() == 0
    assert ledger.audit(conn) == []


def test_the_quota_counts_in_a_file_too_and_who_is_switched_off_makes_room(conn: Connection) -> None:
    third = MARY.replace("555111", "555333")
    with pytest.raises(BadPlan) as refused, conn.begin_nested():
        run(conn, CALLBACK + FREE + MARY + third)
    line = (CALLBACK + FREE + MARY).count("\n") + 1
    assert str(refused.value) == (
        f"f.toml:{line}: the quota is reached: 2 authorised CallerIDs are active and no more may be"
    )
    run(conn, CALLBACK + FREE + MARY)
    run(conn, CALLBACK + third + FREE + MARY + "enabled = false\n")
    assert [found(conn, number).enabled for number in ("555111", "555222", "555333")] == [False, True, True]


@pytest.mark.parametrize(("plan", "sentence"), [
    pytest.param(CALLBACK.replace('mode = "as-dialled"', 'mode = "e164"') + MARY,
                 "number: 555111 matches nobody: numbers of this account begin with +", id="no plus"),
    pytest.param(CALLBACK.replace("callback", "phone").split("[extension.phone]")[0] + MARY,
                 "001*900 is a phone extension: callers belong to callback extensions", id="a phone"),
    pytest.param(CALLBACK + MARY.replace("001*900", "001*901"), 'extension: there is no extension "001*901"',
                 id="nobody's"),
])
def test_callers_that_cannot_be(conn: Connection, plan: str, sentence: str) -> None:
    with pytest.raises(BadPlan) as refused:
        run(conn, plan)
    assert str(refused.value).split(": ", 1)[1] == sentence


def test_a_file_without_a_realm_or_a_quota_leaves_them_as_they_are(conn: Connection) -> None:
    run(conn, '[server]\nrealm = "example.com"\ncaller_quota = 7\n' + FIXTURE)
    version = config_version(conn)
    assert run(conn) == [SAME, PAGE]
    assert (load(conn).realm, read_meta(conn, CALLER_QUOTA), config_version(conn)) == ("example.com", "7", version)
    run(conn, "[server]\ncaller_quota = 8\n")
    assert (read_meta(conn, CALLER_QUOTA), config_version(conn)) == ("8", version + 1)


def test_proxies_hold_until_a_file_says_otherwise(conn: Connection) -> None:
    run(conn, '[server]\nedge_proxies = ["192.0.2.0/24", "2001:db8::1"]\nservice_route = ["sip:edge;lr"]\n' + FIXTURE)
    known = load(conn)
    asked = ("192.0.2.7", "2001:db8::1", "192.0.3.1")
    assert ([known.is_edge(ip) for ip in asked], known.service_route) == ([True, True, False], "<sip:edge;lr>")
    assert run(conn) == [SAME, PAGE]
    run(conn, "[server]\nedge_proxies = []\nservice_route = []\n")
    assert (load(conn).edges, load(conn).service_route) == ((), "")


def test_wallets_are_no_accounts_of_a_file(conn: Connection) -> None:
    run(conn, CALLBACK + MARY)
    with pytest.raises(BadPlan, match='there is no account "~caller-2"'):
        run(conn, '[[extension]]\nnumber = "001*900"\naccount = "~caller-2"\n')


@pytest.mark.parametrize(("settings", "worst"), [
    pytest.param('highest_price_a_minute = "0.49"', "12.00", id="the mobile rate, 0.20 a minute"),
    pytest.param('forbidden = ["0"]', "0.12", id="only the local rate is left"),
    pytest.param('allowed = ["0401", "5"]', "12.00", id="some numbers of the mobile rate are allowed"),
    pytest.param('allowed = ["9"]', "0.00", id="nothing can be called"),
])
def test_the_worst_case_knows_the_firewall(conn: Connection, settings: str, worst: str) -> None:
    firewall = f"image_validation = false\ncalls_a_day = 1\n{settings}"
    lines = run(conn, changed(("announce_to_visitor = false", firewall)))
    assert f"Worst case {worst} USD a day (1 calls of 3600 s to the dearest number)" in lines[-1]


PUBLIC = 'public_number = "5555550000"\n'
BY_USER = (PUBLIC, f'{PUBLIC}caller_id = {{number_by = "user", number = "123"}}\n')
OTHER = """
[[account]]
name = "other"
[[did]]
number = "1123"
account = "other"
[[did]]
number = "345876"
account = "client"
trunk = "R1"
"""


def approved(conn: Connection) -> bool:
    owner = load(conn).extension("001*002")
    assert owner is not None
    return owner.caller_id.approved


def test_an_approved_number_stays_approved_while_it_is_the_same(conn: Connection) -> None:
    run(conn, changed(BY_USER))
    assert not approved(conn)
    run(conn, changed((PUBLIC, BY_USER[1].replace('"123"', '"123", approved = true'))))
    assert approved(conn)
    assert SAME in run(conn, changed(BY_USER))
    assert approved(conn)
    run(conn, changed((PUBLIC, BY_USER[1].replace("123", "124"))))
    assert not approved(conn)


def test_numbers_of_the_account_may_ring_nobody_and_be_shown(conn: Connection) -> None:
    shows = 'public_number = "5555550000"\ncaller_id = {numbers = ["345876", "5555559000"], default = "345876"}\n'
    run(conn, changed((PUBLIC, shows)) + OTHER)
    directory = load(conn)
    owner, did = directory.extension("001*002"), directory.public_numbers["345876"]
    assert owner is not None
    assert (owner.caller_id.numbers, owner.caller_id.default) == (("345876", "5555559000"), "345876")
    assert (did.account_id, did.extension_id, did.trunk_id) == (owner.account_id, None, 1)


@pytest.mark.parametrize(("old", "new", "sentence"), [
    pytest.param(PUBLIC, PUBLIC + 'caller_id = {numbers = ["1123"]}\n',
                 "caller_id of 001*002: 1123 is no public number of its account", id="43: a number of others"),
    pytest.param(PUBLIC, PUBLIC + 'caller_id = {numbers = ["999"]}\n',
                 "caller_id of 001*002: 999 is no public number of its account", id="43: nobody's number"),
    pytest.param('extension = "001*002"\n', 'extension = "001*002"\naccount = "other"\n',
                 "account: 001*002 is of another",
                 id="a number of one account that rings another's"),
])  # fmt: skip
def test_numbers_of_others_are_neither_shown_nor_rung(conn: Connection, old: str, new: str, sentence: str) -> None:
    plan = changed((old, new)) + OTHER
    line = 1 + plan[: plan.index(new)].count("\n") + 1
    with pytest.raises(BadPlan, match=f"^{re.escape(f'f.toml:{line}: {sentence}')}$"):
        run(conn, plan)


OFFICE = """
[[interval]]
name = "office"
zone = "Australia/Sydney"
limits = [{ hours = "08:00-20:00", weekdays = "Mon-Fri" }]
"""
IN_OFFICE_HOURS = ('id = "john_doe"\n', 'id = "john_doe"\ninterval = "office"\n')


def test_a_page_has_hours_by_the_name_of_an_interval(conn: Connection) -> None:
    run(conn, changed(IN_OFFICE_HOURS) + OFFICE)
    page = load(conn).callnow("john_doe")
    assert page is not None
    assert page.callnow.interval == "office"
    with pytest.raises(BadPlan, match=r'f.toml:\d+: callnow of 001\*002: there is no interval "office"'):
        run(conn, '[[interval]]\nname = "evening"\nlimits = [{hours = "18:00-20:00"}]\n')


def test_hours_that_nobody_defined_are_refused_at_their_line(conn: Connection) -> None:
    plan = changed(IN_OFFICE_HOURS)
    line = plan[: plan.index('interval = "office"')].count("\n") + 1
    with pytest.raises(BadPlan, match=rf'^f.toml:{line}: callnow of 001\*002: there is no interval "office"$'):
        run(conn, plan)


@pytest.mark.parametrize("silent", [False, True])
def test_h20_an_extension_has_no_emergency_number_of_its_country(conn: Connection, silent: bool) -> None:
    """Whether the account is in the file or was there before."""
    emergency = FIXTURE.replace('extension = "001*002"', 'extension = "9*11"').replace('"001*002"', '"9*11"')
    run(conn)
    text = emergency.partition("[[account]]")[0] + "[[extension]]" + emergency.partition("[[extension]]")[2]
    with pytest.raises(BadPlan, match=r"number: 911 is an emergency number: calls to it leave by a trunk"):
        run(conn, text if silent else emergency)


AS_DIALLED = (
    'dial_plan = { mode = "as-dialled", strip = ["+1"], refused = ["112", "911", "000", "1900"], min_digits = 6 }\n'
)
PAGE_ID, DIAL_S = 'id = "john_doe"\n', "dial_s = 5\n"
UNMATCHED = [
    pytest.param(PAGE_ID, 'forbidden = ["{}"]', 'callnow of 001*002: forbidden: "{}"', id="a page's fence"),
    pytest.param(PAGE_ID, 'allowed = ["{}"]', 'callnow of 001*002: allowed: "{}"', id="... the other way"),
    pytest.param(PAGE_ID, 'rules = [{{ do = "refuse", number = "{}" }}]', 'callnow of 001*002: rules: number: "{}"',
                 id="a rule by number"),
    pytest.param(PAGE_ID, 'rules = [{{ do = "accept", prefix = "{}" }}]', 'callnow of 001*002: rules: prefix: "{}"',
                 id="a rule by prefix"),
    pytest.param(DIAL_S, 'forbidden = ["{}"]', 'callback of 001*900: forbidden: "{}"',
                 id="a callback number's fence"),
]


@pytest.mark.parametrize(("where", "setting", "sentence"), UNMATCHED)
def test_a_fence_that_no_number_meets_is_refused(conn: Connection, where: str, setting: str, sentence: str) -> None:
    """SPEC A12.2, H17: who forbids 44 means +44, and would be called to pay for it."""
    def plan(digits: str, *changes: tuple[str, str]) -> str:
        return changed((where, where + setting.format(digits) + "\n"), *changes)

    def e164(digits: str) -> str:
        text = plan(digits, (AS_DIALLED, ""), ('rate_table = "at-12"', 'rate_table = "e164"'))
        return text.replace('table = "at-12"', 'table = "other"')

    run(conn, plan("441"))
    with pytest.raises(BadPlan, match=re.escape(f'{sentence.format("+441")} matches nothing: numbers are without +')):
        run(conn, plan("+441"))
    run(conn, e164("+441"))
    with pytest.raises(BadPlan, match=re.escape(f'{sentence.format("441")} matches nothing: numbers begin with +')):
        run(conn, e164("441"))


def test_free_minutes_that_nobody_has_are_refused(conn: Connection) -> None:
    gold = '[[charging_plan]]\nname = "gold"\nrate_table = "gold"\nfree_minutes = 1\nfree_prefixes = ["{}"]\n'
    of_gold = changed(('rate_table = "at-12"', 'charging_plan = "gold"'))
    run(conn, of_gold + gold.format("555"))
    with pytest.raises(BadPlan, match=r'free_prefixes: "\+1" matches nothing: numbers are without \+'):
        run(conn, of_gold + gold.format("+1"))
    run(conn, of_gold + gold.format("+1") + '[[account]]\nname = "other"\ncharging_plan = "gold"\n')
