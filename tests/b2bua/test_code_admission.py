"""Whether a number is called with a code, and whether a code can be typed now: pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2bua.rules.code_admission import CodeFacts, CodeLimits, CodeRefusal, admit_code_call, code_fault
from store.codes import TRIES, Code
from store.values import CallerId, Rate

GOOD = CodeFacts(None, True, Rate(), False, 0, 0, 0)
LIMITS = CodeLimits(per_number_day=3, per_account_hour=5, per_account_day=15)
RULES = CallerId(number_by="user", number="555")
SPOKEN = Code(1, "555", "c1", "hash", 1000.0, 0)


@pytest.mark.parametrize(("facts", "reason"), [
    pytest.param(GOOD, None, id="nothing against it"),
    pytest.param(replace(GOOD, blocked="owner"), "number-blocked", id="blocked by its owner"),
    pytest.param(replace(GOOD, blocked="visitor"), "number-opted-out", id="9 was pressed there"),
    pytest.param(replace(GOOD, blocked="operator"), "number-opted-out", id="blocked for all"),
    pytest.param(replace(GOOD, routed=False), "no-route", id="no trunk"),
    pytest.param(replace(GOOD, rate=None), "no-rate", id="no price"),
    pytest.param(replace(GOOD, pending=True), "number-pending", id="it rings there already"),
    pytest.param(replace(GOOD, number_day=2, account_hour=4, account_day=14), None, id="one below each limit"),
    pytest.param(replace(GOOD, number_day=3), "number-day", id="three calls to a number"),
    pytest.param(replace(GOOD, account_hour=5), "code-calls-hour", id="five of an account in an hour"),
    pytest.param(replace(GOOD, account_day=15), "code-calls-day", id="fifteen in a day"),
    pytest.param(CodeFacts("visitor", False, None, True, 9, 9, 99), "number-opted-out", id="one reason of many"),
])  # fmt: skip
def test_admission(facts: CodeFacts, reason: str | None) -> None:
    assert admit_code_call(facts, LIMITS) == reason


def test_a_limit_of_none_at_all_switches_them_off() -> None:
    assert admit_code_call(GOOD, CodeLimits(per_number_day=0)) is CodeRefusal.NUMBER_DAY
    assert admit_code_call(GOOD, CodeLimits(per_account_hour=0)) is CodeRefusal.ACCOUNT_HOUR
    assert admit_code_call(GOOD, CodeLimits(per_account_day=0)) is CodeRefusal.ACCOUNT_DAY


@pytest.mark.parametrize(("code", "rules", "fault"), [
    pytest.param(SPOKEN, RULES, "", id="it counts"),
    pytest.param(replace(SPOKEN, tries=TRIES - 1), RULES, "", id="one try left"),
    pytest.param(replace(SPOKEN, tries=TRIES), RULES, "Too many wrong codes: ask for another call", id="no try left"),
    pytest.param(replace(SPOKEN, spoken_at=None), RULES, "The code was not spoken yet", id="it rings"),
    pytest.param(None, RULES, "No code of 555 counts now: ask for a call first", id="none"),
    pytest.param(replace(SPOKEN, number="556"), RULES, "No code of 555 counts now: ask for a call first",
                 id="of another number"),
    pytest.param(SPOKEN, replace(RULES, approved=True), "555 is approved already", id="nothing left to prove"),
    pytest.param(SPOKEN, replace(RULES, number_by="server"),
                 "The number is not set by the user, so there is nothing to prove", id="by server"),
    pytest.param(SPOKEN, CallerId(number_by="user"),
                 "The number is not set by the user, so there is nothing to prove", id="no number"),
])  # fmt: skip
def test_what_can_be_typed(code: Code | None, rules: CallerId, fault: str) -> None:
    assert code_fault(code, rules) == fault
