"""Requests are put through, asked about or refused by number and name (SPEC 14)."""

from __future__ import annotations

import pytest

from b2bua.rules.accept_rules import accept_rule_faults, verdict
from store.values import AcceptRule, CallNowSettings

BOSS = AcceptRule("accept", number="5551111111")
LOCAL = AcceptRule("confirm", prefix="555")
MARY = AcceptRule("accept", name="mary  smith")
NOBODY = AcceptRule("refuse", no_name=True)
NOT_BOB = AcceptRule("refuse", prefix="0", name="Bob")


@pytest.mark.parametrize(("rules", "name", "number", "what"), [
    pytest.param((), "Mary", "5551111111", "confirm", id="no rules: the check box"),
    pytest.param((BOSS,), "Mary", "5551111111", "accept", id="a number"),
    pytest.param((BOSS,), "Mary", "55511111112", "confirm", id="... exactly"),
    pytest.param((LOCAL, BOSS), "Mary", "5551111111", "confirm", id="the first that fits decides"),
    pytest.param((BOSS, LOCAL), "Mary", "5551111111", "accept", id="... in their order"),
    pytest.param((AcceptRule("refuse", prefix="555"),), "Mary", "5551111111", "refuse", id="a prefix"),
    pytest.param((MARY,), " MARY Smith ", "1", "accept", id="a name, whatever its capitals and blanks"),
    pytest.param((MARY,), "Mary Smithson", "1", "confirm", id="... the whole name"),
    pytest.param((NOBODY,), "  ", "1", "refuse", id="no name"),
    pytest.param((NOBODY,), "Mary", "1", "confirm", id="a name, where none is looked for"),
    pytest.param((NOT_BOB,), "bob", "04", "refuse", id="both conditions hold"),
    pytest.param((NOT_BOB,), "bob", "55", "confirm", id="one of two holds"),
])  # fmt: skip
def test_verdict(rules: tuple[AcceptRule, ...], name: str, number: str, what: str) -> None:
    assert verdict(CallNowSettings(rules=rules), name, number) == what


def test_without_a_rule_and_without_confirmation_all_are_put_through() -> None:
    assert verdict(CallNowSettings(confirm=False, rules=(LOCAL,)), "Mary", "04") == "accept"


@pytest.mark.parametrize(("rule", "key"), [
    pytest.param(AcceptRule("refuse"), "do", id="no condition"),
    pytest.param(AcceptRule("refuse", name="  "), "do", id="a blank name is none"),
    pytest.param(AcceptRule("refuse", name="Mary", no_name=True), "no_name", id="never both"),
    pytest.param(AcceptRule("refuse", number="555-1"), "number", id="no number"),
    pytest.param(AcceptRule("refuse", prefix="+"), "prefix", id="no prefix"),
    pytest.param(AcceptRule("refuse", prefix="1+"), "prefix", id="a plus behind"),
    pytest.param(AcceptRule("refuse", number="\u0661\u0662"), "number", id="other digits"),
])  # fmt: skip
def test_faults(rule: AcceptRule, key: str) -> None:
    assert [(index, where) for index, where, _ in accept_rule_faults([BOSS, rule])] == [(1, key)]


@pytest.mark.parametrize("rule", [
    BOSS, LOCAL, MARY, NOBODY, NOT_BOB, AcceptRule("refuse", number="+15551111111"), AcceptRule("accept", prefix="+40"),
])  # fmt: skip
def test_no_faults(rule: AcceptRule) -> None:
    assert list(accept_rule_faults([rule])) == []
