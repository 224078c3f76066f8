"""The pure rules of callback numbers, row by row (SPEC 26-30, 35, 64, H3, H4, H18, A12.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from b2bua.outcome import Outcome
from b2bua.rules.callback_admission import (
    Facts,
    Trigger,
    admit_callback,
    firewall,
    needs_secret,
    number_to_ring,
    proven_trigger,
    read_trigger,
    too_poor,
)
from b2bua.stir.verdict import Finding, Verdict
from sip_stack.identity import Caller
from store.directory import build
from store.values import Account, AuthorisedCaller, CallbackSettings, DialPlan, Extension, Micros, Rate, Trunk

ROW = AuthorisedCaller(1, 2, 3, "+12025550100", pin_hash="pin")
MOBILE = Rate("04", "", Micros(0), 30, Micros(100_000), 30, Micros(100_000))
A = CallbackSettings(enabled=True)
B = CallbackSettings(enabled=True, return_to="caller", password_hash="secret")
C = CallbackSettings(enabled=True, return_to="fixed", fixed_number="+12025550199", password_hash="secret")
KNOWN = Trigger("Mary", "+12025550100", hidden=False, trusted=True)
HIDDEN = Trigger("", "", True, True)
STRANGER = replace(KNOWN, trusted=False)
GOOD = Facts(
    row=ROW, repeated=False, locked=False, calls_today=0, used_today=Micros(0), available=Micros(5_000_000),
    rate=MOBILE, callable=True, routed=True,
)  # fmt: skip


def facts(**changes: Any) -> Facts:
    return replace(GOOD, **changes)


NOBODY, OFF = facts(row=None), facts(row=replace(ROW, enabled=False))


@pytest.mark.parametrize(("settings", "trigger", "known", "reason"), [
    pytest.param(A, KNOWN, GOOD, None, id="a: an authorised caller"),
    pytest.param(replace(A, enabled=False), KNOWN, GOOD, Outcome.NOT_CONFIGURED, id="26: not set up"),
    pytest.param(A, HIDDEN, GOOD, Outcome.HIDDEN_CALLER, id="30: hidden, a"),
    pytest.param(B, HIDDEN, NOBODY, Outcome.HIDDEN_CALLER, id="28b: hidden, b"),
    pytest.param(C, HIDDEN, NOBODY, None, id="28c: hidden, c"),
    pytest.param(A, STRANGER, GOOD, Outcome.UNTRUSTED_CALLER, id="H18: not believed, a"),
    pytest.param(B, STRANGER, NOBODY, Outcome.UNTRUSTED_CALLER, id="H18: not believed, b"),
    pytest.param(C, STRANGER, NOBODY, None, id="28c: whoever it is"),
    pytest.param(A, KNOWN, NOBODY, Outcome.UNKNOWN_CALLER, id="28a: not in the list"),
    pytest.param(A, KNOWN, OFF, Outcome.CALLER_DISABLED, id="28a: not active"),
    pytest.param(B, KNOWN, NOBODY, None, id="H4: the owner pays"),
    pytest.param(B, KNOWN, OFF, None, id="H4: a row that is not active is none"),
    pytest.param(replace(B, ask_pin=True), KNOWN, NOBODY, Outcome.UNKNOWN_CALLER, id="H4: no PIN to give"),
    pytest.param(replace(B, ask_pin=True), KNOWN, OFF, Outcome.CALLER_DISABLED, id="H4: a PIN that counts no more"),
    pytest.param(replace(B, ask_pin=True), KNOWN, GOOD, None, id="H4: a PIN"),
    pytest.param(replace(C, ask_pin=True), HIDDEN, NOBODY, Outcome.UNKNOWN_CALLER, id="H4: nor has a hidden caller"),
    pytest.param(replace(B, password_hash=""), KNOWN, NOBODY, Outcome.NOT_CONFIGURED, id="H4: no password"),
    pytest.param(replace(B, password_hash=""), KNOWN, GOOD, None, id="H4: a row of his own needs none"),
    pytest.param(A, KNOWN, facts(callable=False), Outcome.NOT_ALLOWED, id="never called"),
    pytest.param(A, KNOWN, facts(routed=False), Outcome.NO_ROUTE, id="no trunk"),
    pytest.param(A, KNOWN, facts(rate=None), Outcome.NO_RATE, id="no rate"),
    pytest.param(replace(A, pay_call_back="no"), KNOWN, facts(rate=None), None, id="no rate for a free leg"),
    pytest.param(replace(B, pay_call_back="no"), KNOWN, facts(rate=None), Outcome.NO_RATE, id="b: a rate all the same"),
    pytest.param(replace(B, forbidden=("+1202",)), KNOWN, GOOD, Outcome.NOT_ALLOWED, id="b: the firewall counts"),
    pytest.param(replace(C, forbidden=("+1202",)), KNOWN, GOOD, Outcome.NOT_ALLOWED, id="c: the firewall counts"),
    pytest.param(replace(A, forbidden=("+1202",)), KNOWN, GOOD, None, id="a: the owner has chosen the number"),
    pytest.param(A, KNOWN, facts(repeated=True), Outcome.ALREADY_PENDING, id="repeated"),
    pytest.param(A, KNOWN, facts(locked=True), Outcome.LOCKED, id="H12: locked"),
    pytest.param(A, KNOWN, facts(calls_today=9), None, id="the last call of the day"),
    pytest.param(A, KNOWN, facts(calls_today=10), Outcome.NUMBER_TODAY, id="one more"),
    pytest.param(A, KNOWN, facts(used_today=Micros(10**9)), None, id="no limit of money"),
    pytest.param(replace(A, money_a_day=Micros(5)), KNOWN, facts(used_today=Micros(4)), None, id="some is left"),
    pytest.param(replace(A, money_a_day=Micros(5)), KNOWN, facts(used_today=Micros(5)), Outcome.MONEY_TODAY,
                 id="none is left"),
    pytest.param(A, KNOWN, facts(available=Micros(0)), Outcome.NO_CREDIT, id="28a: no credit"),
    pytest.param(A, KNOWN, facts(available=None), None, id="unlimited"),
])  # fmt: skip
def test_admit_callback(settings: CallbackSettings, trigger: Trigger, known: Facts, reason: Outcome | None) -> None:
    assert admit_callback(settings, trigger, "+12025550100", known) is reason


@pytest.mark.parametrize(("least", "available", "poor"), [
    pytest.param(0, 1, False, id="anything will do"),
    pytest.param(0, 0, True, id="but nothing"),
    pytest.param(0, -1, True, id="or less"),
    pytest.param(100, 99, True, id="64: below"),
    pytest.param(100, 100, False, id="64: not below"),
    pytest.param(100, None, False, id="unlimited"),
])  # fmt: skip
def test_too_poor(least: int, available: int | None, poor: bool) -> None:
    settings = replace(A, least_credit=Micros(least))
    assert too_poor(settings, None if available is None else Micros(available)) is poor


@pytest.mark.parametrize(("settings", "rate", "reason"), [
    pytest.param(A, MOBILE, None, id="no wall"),
    pytest.param(A, None, Outcome.NO_RATE, id="no rate"),
    pytest.param(replace(A, forbidden=("04", "05")), MOBILE, Outcome.NOT_ALLOWED, id="forbidden"),
    pytest.param(replace(A, forbidden=("05",)), MOBILE, None, id="another is forbidden"),
    pytest.param(replace(A, allowed=("05",)), MOBILE, Outcome.NOT_ALLOWED, id="not allowed"),
    pytest.param(replace(A, allowed=("05", "041")), MOBILE, None, id="allowed"),
    pytest.param(replace(A, allowed=("04",), forbidden=("041",)), MOBILE, Outcome.NOT_ALLOWED, id="both: forbidden"),
    pytest.param(replace(A, highest_price_a_minute=Micros(200_000)), MOBILE, None, id="just not too dear"),
    pytest.param(replace(A, highest_price_a_minute=Micros(199_999)), MOBILE, Outcome.PRICE_TOO_HIGH, id="too dear"),
])  # fmt: skip
def test_firewall(settings: CallbackSettings, rate: Rate | None, reason: Outcome | None) -> None:
    assert firewall(settings, "0412345678", rate) is reason


@pytest.mark.parametrize(("settings", "row", "asked"), [
    pytest.param(A, ROW, [], id="nothing"),
    pytest.param(replace(A, ask_pin=True), ROW, [("ask-pin", "pin")], id="the PIN"),
    pytest.param(replace(A, ask_pin=True), replace(ROW, pin_hash=""), [], id="35: a row without PIN"),
    pytest.param(B, ROW, [("ask-password", "secret")], id="the password"),
    pytest.param(replace(B, ask_pin=True), ROW, [("ask-password", "secret"), ("ask-pin", "pin")],
                 id="H3: then the PIN"),
    pytest.param(replace(B, ask_pin=True), None, [("ask-password", "secret")], id="nobody's PIN"),
])  # fmt: skip
def test_needs_secret(settings: CallbackSettings, row: AuthorisedCaller | None, asked: list[tuple[str, str]]) -> None:
    assert needs_secret(settings, row) == asked


PLAN = DialPlan(country="US")
DIRECTORY = build(accounts=[Account(1, "client")], extensions=[Extension(1, "001*002", 1)])
TRUSTED = Trunk(1, "R1", "192.0.2.1", trusted=True, number_format="national", country="US")


@pytest.mark.parametrize(("caller", "trunk", "trigger"), [
    pytest.param(Caller("Mary", "2025550100", True, False), TRUSTED, KNOWN, id="a national number"),
    pytest.param(Caller("Mary", "(202) 555-0100", True, False), replace(TRUSTED, number_format="as-is"), KNOWN,
                 id="one that only the dial plan can read"),
    pytest.param(Caller("Mary", "2025550100", False, False), replace(TRUSTED, trusted=False), STRANGER,
                 id="a stranger"),
    pytest.param(Caller("Mary", "2025550100", True, True), TRUSTED, HIDDEN, id="hidden"),
    pytest.param(Caller("Bob", "bob", False, False), TRUSTED, Trigger("Bob", "bob", False, True), id="no number"),
    pytest.param(Caller("", "+19005551234", False, False), TRUSTED, Trigger("", "+19005551234", False, True),
                 id="never called"),
])  # fmt: skip
def test_read_trigger(caller: Caller, trunk: Trunk, trigger: Trigger) -> None:
    assert read_trigger(caller, trunk, PLAN, DIRECTORY) == trigger


@pytest.mark.parametrize(("settings", "trigger", "number"), [
    pytest.param(A, KNOWN, ("+12025550100", True), id="a: the caller's"),
    pytest.param(B, KNOWN, ("+12025550100", True), id="b: the caller's"),
    pytest.param(C, KNOWN, ("+12025550199", True), id="c: always the fixed one"),
    pytest.param(replace(C, fixed_number="(202) 555-0199"), KNOWN, ("+12025550199", True), id="as it is typed"),
    pytest.param(B, replace(KNOWN, number="bob"), ("bob", False), id="no number"),
    pytest.param(B, replace(KNOWN, number="001002"), ("001002", False), id="an internal one"),
    pytest.param(B, replace(KNOWN, number="911"), ("911", False), id="an emergency number"),
    pytest.param(replace(C, fixed_number="+19005551234"), KNOWN, ("+19005551234", False), id="a premium one"),
])  # fmt: skip
def test_number_to_ring(settings: CallbackSettings, trigger: Trigger, number: tuple[str, bool]) -> None:
    assert number_to_ring(settings, trigger, PLAN, DIRECTORY) == number


@pytest.mark.parametrize(("finding", "must", "trusted"), [
    pytest.param(Finding.PASSED, False, True, id="proven"),
    pytest.param(Finding.PASSED, True, True, id="proven, as it must be"),
    pytest.param(Finding.NONE, False, True, id="nobody signed, nobody need"),
    pytest.param(Finding.NONE, True, False, id="nobody signed, and must"),
    *(pytest.param(each, must, False, id=f"{each}, must {must}") for must in (False, True)
      for each in Finding if each.failed),
])  # fmt: skip
def test_what_a_signature_makes_of_a_trigger(finding: Finding, must: bool, trusted: bool) -> None:
    assert proven_trigger(KNOWN, Verdict(finding), must=must) == replace(KNOWN, trusted=trusted)
    assert proven_trigger(STRANGER, Verdict(finding), must=must) == STRANGER, "a signature makes nobody trusted"


def test_only_a_believed_number_is_looked_up() -> None:
    assert [each.listed for each in (KNOWN, HIDDEN, STRANGER)] == [True, False, False]
