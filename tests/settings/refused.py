"""What a setting is refused for beyond its type, and with which sentence."""

from __future__ import annotations

from typing import Any

from tests.settings.known import SETTINGS
from tests.settings.nonsense import HUGE, takes_any_text

__all__ = ["REFUSED", "TEXTS"]

PREFIX = '{}: "{}" is no prefix: write digits, with or without + before them'
UNREAD = '{}: "x" is no prefix: write digits, with + before them in E.164'
NO_PLUS = "matches nothing: numbers are without + in mode as-dialled"
PROMPTS = 'language: there are no prompts in "klingon"; there are in en, ru'
SOUND = 'callback of 001*900: {}: "{}": a sound begins with /, as in "/en/zero"'
ODD = '"/../x": a part of it is no name of a folder or file'

SLOT_MIN = "slot_min: 5 or more, and a whole number of them in a day, as 15, 20, 30 or 60; or 0"

REFUSED: dict[str, list[tuple[Any, str]]] = {
    "server.realm": [("", "realm: expected text without quotes"), ('a"b', "realm: expected text without quotes")],
    "server.caller_quota": [(-1, "caller_quota: expected a whole number from 0 to 1000000"),
                            (HUGE, "caller_quota: expected a whole number from 0 to 1000000")],
    "server.edge_proxies": [(["x"], 'edge_proxies: "x" is no network or address')],
    "server.service_route": [(["x"], 'service_route: "x" is not as in "sip:edge.example.net;lr"')],
    "server.time_zone": [("Mars", 'time_zone: "Mars" is no time zone as in "Europe/Bucharest"')],
    "account.name": [("", "name: an account needs one"), ("~a", "name: ~ begins the names of callers' wallets")],
    "account.currency": [("euro", 'currency: expected three capitals, as in "USD"')],
    "account.parent": [("nobody", 'parent: there is no account "nobody"'),
                       ("client", 'parent: "client" would be above itself')],
    "account.dial_plan.country": [("XX", 'dial_plan.country: "XX" is no ISO 3166 code as in "US"')],
    "account.dial_plan.strip": [(["x"], PREFIX.format("dial_plan.strip", "x")),
                                ([""], PREFIX.format("dial_plan.strip", ""))],
    "account.dial_plan.refused": [
        (["1-900"], PREFIX.format("dial_plan.refused", "1-900")), ([""], PREFIX.format("dial_plan.refused", "")),
    ],
    "account.dial_plan.premium": [(["x"], PREFIX.format("dial_plan.premium", "x")),
                                  ([""], PREFIX.format("dial_plan.premium", ""))],
    "account.charging_plan": [("nosuch", 'charging_plan: there is no charging plan "nosuch"')],
    "extension.number": [("john", 'number: expected digits and *, as in "001*002"')],
    "extension.account": [("nobody", 'account: there is no account "nobody"')],
    "extension.name": [("a\nb", "name: a text here has no control characters")],
    "extension.password": [("a\tb", "password: a text here has no control characters")],
    "extension.public_number": [("5-5", "public_number: expected digits, with + before them in E.164")],
    "extension.caller_id.name": [("a\nb", "name: a text here has no control characters")],
    "extension.caller_id.number": [("12", "caller_id: the number by user has three or more digits"),
                                   ("12a", "caller_id: the number by user has three or more digits")],
    "extension.caller_id.numbers": [(["999"], "caller_id of 001*002: 999 is no public number of its account")],
    "extension.caller_id.default": [("999", "caller_id: the default is one of the numbers")],
    "extension.callnow.id": [("a b", "id: expected up to 64 letters, digits, - and _, and not captcha or status"),
                             ("status", "id: expected up to 64 letters, digits, - and _, and not captcha or status")],
    "extension.callnow.language": [("klingon", 'language: "klingon" is no language as in "en" or "pt-BR"')],
    "extension.callnow.message": [("a\x07", "message: a text here has no control characters")],
    "extension.callnow.allowed": [(["x"], UNREAD.format("allowed")),
                                  (["+44"], f'callnow of 001*002: allowed: "+44" {NO_PLUS}')],
    "extension.callnow.forbidden": [(["x"], UNREAD.format("forbidden")),
                                    (["+44"], f'callnow of 001*002: forbidden: "+44" {NO_PLUS}')],
    "extension.callnow.rules.number": [
        ("x", "rules: number: expected digits, with + before them in E.164"),
        ("+15555555555", f'callnow of 001*002: rules: number: "+15555555555" {NO_PLUS}'),
    ],
    "extension.callnow.rules.prefix": [("x", "rules: prefix: expected digits, with + before them in E.164"),
                                       ("+44", f'callnow of 001*002: rules: prefix: "+44" {NO_PLUS}')],
    "extension.callnow.rules.name": [(" ", "rules: a rule needs number, prefix, name or no_name")],
    "extension.callnow.slot_min": [(3, SLOT_MIN), (7, SLOT_MIN), (25, SLOT_MIN), (600, SLOT_MIN)],
    "extension.callnow.interval": [("nosuch", 'callnow of 001*002: there is no interval "nosuch"')],
    "extension.callback.fixed_number": [
        ("x", 'fixed_number: return_to "fixed" needs digits here, with + before them in E.164')],
    "extension.callback.password": [("12", "password: expected 3 to 32 digits, as they are keyed in")],
    "extension.callback.language": [("klingon", PROMPTS)],
    "extension.callback.greeting_sound": [("hello", SOUND.format("greeting_sound", "hello")),
                                          ("/../x", f"callback of 001*900: greeting_sound: {ODD}")],
    "extension.callback.cut_sound": [("hello", SOUND.format("cut_sound", "hello"))],
    "extension.callback.no_credit_sound": [("hello", SOUND.format("no_credit_sound", "hello"))],
    "extension.callback.allowed": [(["x"], UNREAD.format("allowed")),
                                   (["+44"], f'callback of 001*900: allowed: "+44" {NO_PLUS}')],
    "extension.callback.forbidden": [(["x"], UNREAD.format("forbidden")),
                                     (["+44"], f'callback of 001*900: forbidden: "+44" {NO_PLUS}')],
    "caller.extension": [
        ("nobody", 'extension: there is no extension "nobody"'),
        ("001*002", "001*002 is a phone extension: callers belong to callback extensions"),
    ],
    "caller.number": [
        ("x", "number: expected digits, with + before them in E.164"),
        ("1900555", "number: 1900555 is not called: This number cannot be called from here."),
        ("+15551111111", "number: +15551111111 matches nobody: the dial plan makes 5551111111 of it"),
    ],
    "caller.pin": [("x", "pin: expected 3 to 32 digits, as they are keyed in")],
    "caller.credit": [("-1", "credit: an opening credit cannot be negative")],
    "caller.order_number": [("x" * 65, "order_number: expected up to 64 characters"),
                            ("a\nb", "order_number: a text here has no control characters")],
    "caller.language": [("klingon", PROMPTS)],
    "trunk.name": [("", "name: a trunk needs one")],
    "trunk.host": [("a b", 'host: "a b" is no host name or address; write a port as `port`')],
    "trunk.tls_ca": [("/nosuch", 'tls_ca: "/nosuch": No such file or directory')],
    "trunk.tls_certificate": [("x", 'tls_certificate: "x": write the whole path, from / on')],
    "trunk.tls_key": [("/nosuch", "tls_key: tls_certificate and tls_key go together")],
    "trunk.tls_client": [("a b", 'tls_client: "a b" is no name as certificates have')],
    "trunk.user": [("a\nb", "user: a text here has no control characters")],
    "trunk.password": [("a\nb", "password: a text here has no control characters")],
    "trunk.sources": [(["x"], 'sources: "x" is no network, address or address:port')],
    "trunk.country": [("XX", 'country: "XX" is no ISO 3166 code as in "US"')],
    "trunk.codecs": [([], "codecs: expected each codec once, and one at least"),
                     (["PCMU", "PCMU"], "codecs: expected each codec once, and one at least")],
    "trunk.proxy": [("a b", 'proxy: "a b" is not as in "sip.example.net" or "192.0.2.1:5060"')],
    **{f"trunk.{key}": [("x", f"{key}: expected up to 24 digits, * and #, with or without + before them")]
       for key in ("out_strip", "out_prefix", "in_strip", "in_prefix")},
    "trunk.headers": [({"Via": "x"}, "headers: Via is written by Ringback itself"),
                      ({"X-A": "a\r\nb"}, "X-A: a text here has no control characters")],
    "trunk.rate_table": [("a\nb", "rate_table: a text here has no control characters")],
    "did.number": [("x", "number: expected digits, with + before them in E.164")],
    "did.extension": [("nobody", 'extension: there is no extension "nobody"')],
    "did.account": [("nobody", 'account: there is no account "nobody"')],
    "did.trunk": [("nobody", 'trunk: there is no trunk "nobody"')],
    "route.trunk": [("nobody", 'trunk: there is no trunk "nobody"')],
    "route.prefix": [("x", "prefix: expected digits, with + before them in E.164")],
    "route.interval": [("nosuch", 'interval: there is no interval "nosuch", which a route needs')],
    "rate.table": [("", "table: a table of rates needs a name")],
    "rate.prefix": [("x", "prefix: expected digits, with + before them in E.164")],
    "rate.description": [("a\nb", "description: a text here has no control characters")],
    "rate.interval": [("nosuch", 'interval: there is no interval "nosuch", which a rate needs')],
    "rate.valid_from": [("x", 'valid_from: "x" is no date as in "2026-12-01" or "2026-12-01 18:00"')],
    "rate.valid_until": [("x", 'valid_until: "x" is no date as in "2026-12-01" or "2026-12-01 18:00"')],
    "charging_plan.name": [("", "name: a charging plan needs one")],
    "charging_plan.rate_table": [("a\nb", "rate_table: a text here has no control characters")],
    "charging_plan.factor": [("x", 'factor: "x" is not as in "1.25"'), ("-1", "factor: expected 0 to 1000")],
    "charging_plan.free_prefixes": [(["x"], UNREAD.format("free_prefixes"))],
    "charging_plan.zone": [("Mars", 'zone: "Mars" is no time zone as in "Europe/Bucharest"')],
    "account.rate_table": [("a\nb", "rate_table: a text here has no control characters")],
    "interval.name": [("", "name: an interval needs one")],
    "interval.account": [("nobody", 'account: there is no account "nobody"')],
    "interval.zone": [("Mars", 'zone: "Mars" is no time zone as in "Europe/Bucharest"')],
    "interval.limits.hours": [("25:00", 'limits: hours: "25:00" is not as in "08:00-20:00"')],
    "interval.limits.weekdays": [("Foo", 'limits: weekdays: "Foo" is not as in "Mon-Fri" or "Sat"')],
    "interval.limits.days": [("32", 'limits: days: "32" is not as in "1-25" or "31"')],
    "interval.without": [(["nosuch"], 'without: there is no interval "nosuch"'),
                         (["hours"], 'without: "hours" would leave itself out')],
}
"""Values and sentences."""

TEXTS = {name for name, hint in SETTINGS.items() if takes_any_text(hint)}
"""Those whose type lets any text in, be it in a list: each has a row."""
