"""The file of `ringback apply`: every fault is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.plan.apply import parse
from b2bua.plan.callback_settings import settings_of
from b2bua.plan.entries import BadPlan, CallbackEntry, CallNowEntry, Money
from store.values import CallbackSettings, CallerId, DialPlan

FIXTURE = (Path(__file__).parents[1] / "fixture.toml").read_text()


def faults(text: str) -> list[str]:
    with pytest.raises(BadPlan) as refused:
        parse(text, "f.toml")
    return str(refused.value).split("\n")


def with_line(old: str, new: str) -> tuple[str, int]:
    """The fixture with one replacement, and the line where it stands."""
    return FIXTURE.replace(old, new, 1), line_of(old)


def line_of(found: str) -> int:
    """Where it first stands in the fixture."""
    return FIXTURE[:FIXTURE.index(found)].count("\n") + 1


def test_the_fixture_reads() -> None:
    plan = parse(FIXTURE, "fixture.toml")
    assert plan.account is not None
    assert plan.extension is not None
    assert plan.account[0].credit == 100_000_000
    assert plan.account[0].dial_plan == DialPlan("as-dialled", "US", ("+1",), ("112", "911", "000", "1900"), 6)
    assert plan.extension[0].callnow == CallNowEntry(id="john_doe", announce_to_visitor=False)
    assert [len(entries or ()) for entries in (plan.trunk, plan.did, plan.route, plan.rate)] == [3, 2, 2, 3]
    assert (plan.realm, plan.caller_quota) == (None, None)


def test_kinds_that_are_not_mentioned_are_none() -> None:
    plan = parse('[[account]]\nname = "a"\n', "f.toml")
    assert (plan.extension, plan.trunk, plan.rate) == (None, None, None)


def test_the_realm_of_the_server_is_kept() -> None:
    assert parse('[server]\nrealm = "example.com"\n', "f.toml").realm == "example.com"


@pytest.mark.parametrize(("text", "said"), [
    ('[server]\nrealm = "x"\nrelm = "x"\n', '3: unknown key "relm"; did you mean "realm"?'),
    ('[server]\nsip = "0.0.0.0:5060"\n', '2: sip: `ringback serve` reads it from its own file, at its start'),
    ('[web]\nhttp = "0.0.0.0:80"\n', '1: [web]: `ringback serve` reads it from its own file, at its start'),
])
def test_what_is_for_serve_is_not_silently_left_aside(text: str, said: str) -> None:
    assert faults(text) == [f"f.toml:{said}"]


def test_windows_line_ends_and_caller_id() -> None:
    text = FIXTURE.replace('name = "Callback"', 'caller_id = { number_by = "user", number = "123" }')
    plan = parse(text.replace("\n", "\r\n"), "f.toml")
    assert plan.extension is not None
    assert plan.extension[1].caller_id == CallerId("server", "", "user", "123")


@pytest.mark.parametrize(("old", "new", "sentence"), [
    pytest.param('plan = "prepaid"', 'plna = "prepaid"', 'unknown key "plna"; did you mean "plan"?', id="misspelt key"),
    pytest.param('plan = "prepaid"', 'xyzzy = 1', 'unknown key "xyzzy"', id="a key like no other"),
    pytest.param("dial_plan = { mode", "dial_plan = { mod", 'unknown key "mod"; did you mean "mode"?',
                 id="inside a table"),
    pytest.param("[[account]]", "[[acount]]", 'unknown key "acount"; did you mean "account"?', id="misspelt table"),
    pytest.param('credit = "100.00"', "credit = 100.5", 'credit: write money as text, in quotes: "0.12"', id="a float"),
    pytest.param('credit = "100.00"', 'credit = "1,00"',
                 'credit: "1,00" is no amount of money: write digits, with at most 6 after the point, as in "0.12"',
                 id="no amount"),
    pytest.param('credit = "100.00"', 'credit = "-1"', "credit: money here cannot be negative", id="negative"),
    pytest.param('currency = "USD"', 'currency = "dollar"', 'currency: expected three capitals, as in "USD"',
                 id="currency"),
    pytest.param('plan = "prepaid"', 'credit_limit = "5"', "credit_limit is for postpaid accounts", id="prepaid limit"),
    pytest.param('plan = "prepaid"', 'plan = "free"', "plan: choose one of prepaid, postpaid", id="choice"),
    pytest.param('plan = "prepaid"', 'parent = "client"', 'parent: "client" would be above itself',
                 id="its own parent"),
    pytest.param("port = 5060 # T1_PORT", 'port = "x"', "port: expected a whole number, got text in quotes", id="type"),
    pytest.param("port = 5060 # T1_PORT", "port = -1", "port: expected a whole number >= 0", id="range"),
    pytest.param("trusted = true", 'codecs = ["G729"]', "codecs: choose one of PCMU, PCMA", id="choice in a list"),
    pytest.param("trusted = true", 'sources = ["10.0.0.0/99"]',
                 'sources: "10.0.0.0/99" is no network, address or address:port', id="source"),
    pytest.param("trusted = true", 'headers = { Via = "x" }', "headers: Via is written by Ringback itself", id="Via"),
    pytest.param("trusted = true", "headers = { X-A = 3 }", "headers: expected text in quotes, got a whole number",
                 id="a header that is no text"),
    pytest.param("trusted = true", "register = true", "register: needs `user` and `password`", id="registration"),
    pytest.param("trusted = true", "register_expires_s = 5", "register_expires_s: expected a whole number >= 60",
                 id="so short a registration"),
    pytest.param('number = "001*002"', 'number = "john"', 'number: expected digits and *, as in "001*002"',
                 id="extension"),
    pytest.param('public_number = "5555550000"', 'public_number = "5-5"',
                 "public_number: expected digits, with + before them in E.164", id="public number"),
    pytest.param('id = "john_doe"', 'id = "john doe"',
                 "id: expected up to 64 letters, digits, - and _, and not captcha or status", id="id"),
    pytest.param('id = "john_doe"', 'id = "captcha"',
                 "id: expected up to 64 letters, digits, - and _, and not captcha or status", id="an id that is taken"),
    pytest.param('kind = "callback"', 'caller_id = { number_by = "user", number = "12" }',
                 "caller_id: the number by user has three or more digits", id="39: two digits"),
    pytest.param('kind = "callback"', 'caller_id = { number_by = "user", number = "123a" }',
                 "caller_id: the number by user has three or more digits", id="39: not numeric"),
    pytest.param('kind = "callback"', "callnow = 3", "callnow: expected a table, got a whole number", id="no table"),
    pytest.param('[[did]]\nnumber = "5555559000"', '[[did]]\nnumber = "x"',
                 "number: expected digits, with + before them in E.164", id="did"),
    pytest.param('kind = "callback"', 'caller_id = { numbers = ["1123"], default = "3689" }',
                 "caller_id: the default is one of the numbers", id="H6"),
    pytest.param('prefix = "04"', 'prefix = "04x"', "prefix: expected digits, with + before them in E.164",
                 id="prefix"),
    pytest.param('description = "mobile"', 'minimum = "2"\nmaximum = "1"', "maximum is below minimum", id="maximum"),
    pytest.param('prefix = "04"', 'prefix = "555"', 'a second rate with prefix "at-12 555" (the first: line FIRST)',
                 id="rate"),
    pytest.param('name = "R2"', 'name = "R1"', 'a second trunk with name "R1" (the first: line FIRST)', id="trunk"),
])
def test_a_fault_has_its_line(old: str, new: str, sentence: str) -> None:
    text, line = with_line(old, new)
    line += 1 if "\n" in new else 0
    told = sentence.replace("FIRST", str(line_of(new) if new in FIXTURE else 0))
    assert f"f.toml:{line}: {told}" in faults(text)


def test_a_number_that_rings_nobody_has_an_account() -> None:
    text, line = with_line('extension = "001*900"\n', "")
    assert f"f.toml:{line - 2}: a number that rings no extension needs its account" in faults(text)


def with_callback(keys: str, more: str = "") -> tuple[str, int]:
    """The callback extension with these settings, and the line of their first key."""
    return (f"""[[account]]
name = "client"
dial_plan = {{ mode = "as-dialled" }}
[[extension]]
number = "001*900"
account = "client"
kind = "callback"
public_number = "5555559000"
[extension.callback]
{keys}
{more}""", 10)


def test_callback_settings_are_read() -> None:
    text, _ = with_callback('password = "4321"\nreturn_to = "fixed"\nfixed_number = "5551"\nleast_credit = "0.10"\n'
                            'missed_call_s = 1\nallowed = ["04"]\nfinal_status = 603')
    plan = parse(text, "f.toml")
    assert plan.extension is not None
    assert plan.extension[0].callback == CallbackEntry(
        password="4321", return_to="fixed", fixed_number="5551", least_credit=Money(100_000), missed_call_s=1,
        allowed=("04",), final_status=603,
    )
    assert "4321" not in repr(plan)


def test_kept_settings_have_the_password_as_its_hash_and_are_what_the_file_leaves_out() -> None:
    assert settings_of(CallbackEntry(password="4321"), "$") == CallbackSettings(enabled=True, password_hash="$")


@pytest.mark.parametrize(("keys", "sentence"), [
    pytest.param('return_to = "caller"',
                 'return_to "caller" needs a password: whoever rings would call at the owner\'s expense', id="H4: b"),
    pytest.param('return_to = "fixed"\nfixed_number = "5551"',
                 'return_to "fixed" needs a password: whoever rings would call at the owner\'s expense', id="H4: c"),
    pytest.param('fixed_number = "5551"', 'fixed_number is for return_to "fixed"; here it is "authorised"', id="29: a"),
    pytest.param('fixed_number = "5551"\nreturn_to = "caller"\npassword = "4321"',
                 'fixed_number is for return_to "fixed"; here it is "caller"', id="29: b"),
    pytest.param('fixed_number = "12a"\nreturn_to = "fixed"\npassword = "4321"',
                 'fixed_number: return_to "fixed" needs digits here, with + before them in E.164', id="no digits"),
    pytest.param("missed_call_s = 5", "missed_call_s: a trigger is refused before; choose less than trigger_s",
                 id="H1: later than the refusal"),
    pytest.param('password = "12"', "password: expected 3 to 32 digits, as they are keyed in", id="short"),
    pytest.param('password = "secret"', "password: expected 3 to 32 digits, as they are keyed in", id="letters"),
    pytest.param('forbidden = ["1-900"]', 'forbidden: "1-900" is no prefix: write digits, with + before them in E.164',
                 id="prefix"),
    pytest.param("final_status = 404", "final_status: choose one of 480, 486, 603", id="H2: status"),
    pytest.param("trigger_s = 0", "callback.trigger_s: expected a whole number >= 1", id="no ringing"),
    pytest.param('least_credit = "-1"', "callback.least_credit: money here cannot be negative", id="64: negative"),
    pytest.param("tryes = 3", 'unknown key "tryes"; did you mean "tries"?', id="misspelt"),
])
def test_a_fault_of_a_callback_number(keys: str, sentence: str) -> None:
    text, line = with_callback(keys)
    assert faults(text) == [f"f.toml:{line}: {sentence}"]


def test_a_fixed_number_that_is_missing_is_told_at_the_table() -> None:
    text, line = with_callback('return_to = "fixed"\npassword = "4321"')
    sentence = 'fixed_number: return_to "fixed" needs digits here, with + before them in E.164'
    assert faults(text) == [f"f.toml:{line - 1}: {sentence}"]


def test_callback_is_for_callback_extensions_with_a_public_number() -> None:
    text = '[[extension]]\nnumber = "001*002"\naccount = "client"\n[extension.callback]\ntrigger_s = 3\n'
    assert faults(text) == [
        "f.toml:4: 001*002 is a phone extension: [extension.callback] is for callback extensions",
        'f.toml:4: callback of 001*002 needs the extension\'s "public_number"',
    ]
    assert parse(text.replace("[extension.cal", 'kind = "callback"\n[extension.cal') + "enabled = false\n", "f.toml")


@pytest.mark.parametrize(("keys", "sentence"), [
    pytest.param('number = "x"', "number: expected digits, with + before them in E.164", id="number"),
    pytest.param('number = "5551"\npin = "x"', "pin: expected 3 to 32 digits, as they are keyed in", id="pin"),
    pytest.param('number = "5551"\ncredit = "lots"',
                 'credit: "lots" is no amount of money: write digits, with at most 6 after the point, as in "0.12"',
                 id="credit"),
    pytest.param('number = "5551"\ncredit = "-1"', "credit: an opening credit cannot be negative", id="negative"),
    pytest.param('number = "5551"\ncredit = 5', "credit: expected text in quotes, got a whole number", id="no text"),
])
def test_a_fault_of_a_caller(keys: str, sentence: str) -> None:
    line = 13 + keys.count("\n")
    assert faults(with_callback("", f'[[caller]]\nextension = "001*900"\n{keys}')[0]) == [f"f.toml:{line}: {sentence}"]


def test_a_caller_is_written_once() -> None:
    row = '[[caller]]\nextension = "001*900"\nnumber = "5551"\n'
    assert faults(with_callback("", row + row)[0]) == [
        'f.toml:16: a second caller with number "001*900 5551" (the first: line 13)',
    ]


@pytest.mark.parametrize("forbidden", ["", "04x"])
def test_prefixes_of_a_callnow_page(forbidden: str) -> None:
    text, line = with_line('id = "john_doe"', f'forbidden = ["{forbidden}"]')
    assert faults(text) == [
        f'f.toml:{line}: forbidden: "{forbidden}" is no prefix: write digits, with + before them in E.164',
    ]


@pytest.mark.parametrize(("line", "sentence"), [
    ("caller_quota = -1", "caller_quota: expected a whole number from 0 to 1000000"),
    ("caller_quota = true", "caller_quota: expected a whole number from 0 to 1000000"),
    ('caller_quota = "1"', "caller_quota: expected a whole number from 0 to 1000000"),
    ('edge_proxies = "192.0.2.1"', "edge_proxies: expected a list of networks or addresses, each in quotes"),
    ("edge_proxies = [1]", "edge_proxies: expected a list of networks or addresses, each in quotes"),
    ('edge_proxies = ["edge.test"]', 'edge_proxies: "edge.test" is no network or address'),
    ('edge_proxies = ["192.0.2.1/24"]', 'edge_proxies: "192.0.2.1/24" is no network or address'),
    ('service_route = ["sip:edge"]', 'service_route: "sip:edge" is not as in "sip:edge.example.net;lr"'),
    ('service_route = ["edge;lr"]', 'service_route: "edge;lr" is not as in "sip:edge.example.net;lr"'),
])
def test_what_the_server_cannot_be_told(line: str, sentence: str) -> None:
    assert faults(f"[server]\n{line}\n") == [f"f.toml:2: {sentence}"]


def test_the_names_of_wallets_are_not_for_accounts() -> None:
    assert faults('[[account]]\nname = "~a"\n') == ["f.toml:2: name: ~ begins the names of callers' wallets"]


def test_callnow_is_for_phones_only() -> None:
    text, line = with_line('kind = "callback"', 'kind = "callback"\ncallnow = { id = "cb" }')
    assert faults(text) == [f"f.toml:{line + 1}: 001*900 is a callback extension: CallNow is for phones only"]


def test_a_second_john_doe() -> None:
    jane = '[[extension]]\nnumber = "001*003"\naccount = "client"\npublic_number = "5555550001"\n'
    text = FIXTURE + jane + 'callnow = { id = "john_doe" }\n'
    last, first = len(text.splitlines()), line_of('id = "john_doe"')
    assert faults(text) == [
        f'f.toml:{last}: a second extension with callnow.id "john_doe" (the first: line {first})',
    ]


def test_callnow_needs_a_public_number() -> None:
    text, line = with_line('public_number = "5555550000"\n\n[extension.callnow]', "\n\n[extension.callnow]")
    assert faults(text) == [f'f.toml:{line + 2}: CallNow of 001*002 needs the extension\'s "public_number"']


def test_a_missing_key_is_told_at_its_table() -> None:
    assert faults('[[account]]\nname = "a"\n\n[[account]]\n') == ['f.toml:4: this account needs "name"']


def test_accounts_above_each_other() -> None:
    text = '[[account]]\nname = "a"\nparent = "b"\n[[account]]\nname = "b"\nparent = "a"\n'
    assert faults(text) == [
        'f.toml:3: parent: "a" would be above itself', 'f.toml:6: parent: "b" would be above itself',
    ]


def test_rates_of_an_e164_account_begin_with_a_plus() -> None:
    rates = ('prefix = "40"', 'prefix = "+40"', "", 'table = "x"\nprefix = "4"')
    text = '[[account]]\nname = "a"\n' + "".join(f"[[rate]]\n{rate}\n" for rate in rates)
    assert faults(text) == ['f.toml:4: prefix "40" matches nothing: numbers of account "a" begin with +']


def test_all_faults_are_told_in_the_order_of_lines() -> None:
    text = '[[trunk]]\nname = "R1"\nhost = 3\n[[trunk]]\nname = "R2"\n[[account]]\nname = "a"\nplan = "x"\n'
    assert faults(text) == [
        "f.toml:3: host: expected text in quotes, got a whole number", 'f.toml:4: this trunk needs "host"',
        "f.toml:8: plan: choose one of prepaid, postpaid",
    ]


@pytest.mark.parametrize(("text", "expected"), [
    pytest.param("[account]\nname = 'a'\n", "f.toml:1: write [[account]], with two brackets", id="one bracket"),
    pytest.param("account = [1]\n", "f.toml:1: account: expected a table", id="a list of numbers"),
    pytest.param("a = 1\na = 2\n", "f.toml:2: not TOML: Cannot overwrite a value", id="twice"),
    pytest.param("\n\n[x", "f.toml:3: not TOML: Expected ']' at the end of a table declaration (at end of document)",
                 id="an open end"),
    pytest.param("server = 3\n", "f.toml:1: write [server], as a table", id="server is no table"),
    pytest.param("[server]\nrealm = 'a\"b'\n", "f.toml:2: realm: expected text without quotes", id="realm"),
])
def test_not_the_shape_of_the_file(text: str, expected: str) -> None:
    assert faults(text) == [expected]


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(parse(FIXTURE, "f.toml").extension)


