"""One named reason for every refusal, and the limits (SPEC 2, 17, 20, A12.3, A12.12, H13, H14)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.desk import Refused
from b2bua.rules.admission import (
    MAX_NAME,
    NOT_AVAILABLE,
    Facts,
    Reason,
    admit_callnow,
    admit_later,
    misfilled,
    refuse,
    refuse_number,
)
from b2bua.rules.numbers import BadNumber, NumberFault
from store.values import AcceptRule, CallNowSettings, Micros, Rate

RATE = Rate("555", connection_fee=Micros(120_000))
READY = Facts(on_phone=False, registered=True, routed=True, rate=RATE, available=Micros(120_000))


def owner(**settings: Any) -> CallNowSettings:
    return CallNowSettings(enabled=True, id="john_doe", **settings)


@pytest.mark.parametrize(("settings", "name", "facts", "reason"), [
    pytest.param(owner(), "Mary", {}, None, id="all is well"),
    pytest.param(owner(paused=True), "Mary", {}, Reason.PAUSED, id="H8: paused"),
    pytest.param(owner(), "Mary", {"blocked": "owner"}, Reason.NUMBER_BLOCKED, id="A12.6: blocked by the owner"),
    pytest.param(owner(), "Mary", {"blocked": "visitor"}, Reason.OPTED_OUT, id="A12.6: opted out"),
    pytest.param(owner(), "Mary", {"blocked": "operator"}, Reason.OPTED_OUT, id="A12.6: blocked for all pages"),
    pytest.param(owner(), "Mary", {"quarantined": True}, Reason.QUARANTINED, id="A12.8: not answered too often"),
    pytest.param(owner(rules=(AcceptRule("refuse", name="mary"),)), "Mary", {}, Reason.REFUSED_BY_RULE,
                 id="14: refused by a rule"),
    pytest.param(owner(rules=(AcceptRule("accept", name="mary"),)), "Mary", {}, None, id="14: accepted by a rule"),
    pytest.param(owner(), "Mary", {"closed": True}, Reason.CLOSED, id="16: outside its hours"),
    pytest.param(owner(), "Mary", {"on_phone": True}, Reason.ON_PHONE, id="17: on the phone"),
    pytest.param(owner(reject_while_on_phone=False), "Mary", {"on_phone": True}, None, id="17: may be called again"),
    pytest.param(owner(), "Mary", {"registered": False}, Reason.OFFLINE, id="no phone registered"),
    pytest.param(owner(), "Mary", {"routed": False}, Reason.NO_ROUTE, id="no trunk for the number"),
    pytest.param(owner(), "Mary", {"rate": None}, Reason.NO_RATE, id="no rate for the number"),
    pytest.param(owner(), "Mary", {"available": Micros(119_999)}, Reason.NO_CREDIT, id="one micro short"),
    pytest.param(owner(), "Mary", {"available": Micros(0), "free": True}, None, id="free minutes are enough"),
    pytest.param(owner(), "Mary", {"available": None}, None, id="unlimited credit"),
    pytest.param(owner(money_a_day=Micros(120_000)), "Mary", {}, None, id="today's money is just enough"),
    pytest.param(owner(money_a_day=Micros(120_000)), "Mary", {"spent_today": Micros(1)}, Reason.LINK_MONEY_TODAY,
                 id="today's money is not enough"),
    pytest.param(owner(forbidden=("5559",)), "Mary", {"number": "5551"}, None, id="A12.2: not forbidden"),
    pytest.param(owner(forbidden=("44", "555")), "Mary", {"number": "5551"}, Reason.NUMBER_FORBIDDEN,
                 id="A12.2: forbidden"),
    pytest.param(owner(allowed=("44", "555")), "Mary", {"number": "5551"}, None, id="A12.2: allowed"),
    pytest.param(owner(allowed=("44",)), "Mary", {"number": "5551"}, Reason.NUMBER_NOT_ALLOWED,
                 id="A12.2: not among the allowed"),
    pytest.param(owner(allowed=("555",), forbidden=("5551",)), "Mary", {"number": "5551"}, Reason.NUMBER_FORBIDDEN,
                 id="A12.2: forbidden whatever is allowed"),
    pytest.param(owner(highest_price_a_minute=Micros(120_000)), "Mary", {}, None, id="A12.2: as dear as may be"),
    pytest.param(owner(highest_price_a_minute=Micros(119_999)), "Mary", {}, Reason.PRICE_TOO_HIGH,
                 id="A12.2: too dear a minute"),
    pytest.param(owner(paused=True), "Mary", {"on_phone": True, "registered": False}, Reason.PAUSED,
                 id="one reason: the first"),
])
def test_admit_callnow(settings: CallNowSettings, name: str, facts: dict[str, Any], reason: Reason | None) -> None:
    assert admit_callnow(settings, name, replace(READY, **facts)) == reason


@pytest.mark.parametrize(("settings", "name", "reason"), [
    pytest.param(owner(), "Mary", None, id="a name"),
    pytest.param(owner(), "Zo\u00eb O'Neil \u674e", None, id="any script"),
    pytest.param(owner(), " \t", Reason.NAME_REQUIRED, id="20: a blank name"),
    pytest.param(owner(ask_name=False), "", None, id="20: no name asked"),
    pytest.param(owner(), "M" * MAX_NAME, None, id="the longest"),
    pytest.param(owner(), "M" * (MAX_NAME + 1), Reason.NAME_UNFIT, id="too long"),
    pytest.param(owner(ask_name=False), "Mary\r\nTo: x", Reason.NAME_UNFIT, id="AT-07: CR and LF"),
    pytest.param(owner(), "Ma\x00ry", Reason.NAME_UNFIT, id="a control character"),
    pytest.param(owner(), "Ma\u2028ry", Reason.NAME_UNFIT, id="a line separator"),
    pytest.param(owner(), "Ma\u202ery", Reason.NAME_UNFIT, id="a direction override"),
    pytest.param(owner(), "Ma\ud800ry", Reason.NAME_UNFIT, id="half a surrogate pair"),
])
def test_misfilled(settings: CallNowSettings, name: str, reason: Reason | None) -> None:
    assert misfilled(settings, name) == reason


@given(st.text(max_size=100))
def test_no_line_break_ever_passes(name: str) -> None:
    if misfilled(owner(), name) is None:
        assert name.splitlines() == [name]


def test_every_reason_has_an_answer_and_the_owners_state_is_never_told() -> None:
    shown = {reason: refuse(reason) for reason in Reason}
    neutral = {reason for reason, refused in shown.items() if refused.sentence == NOT_AVAILABLE}
    assert neutral == {
        Reason.PAUSED, Reason.ON_PHONE, Reason.OFFLINE, Reason.NO_CREDIT, Reason.LINK_MONEY_TODAY,
        Reason.LINK_CALLS_TODAY, Reason.CLOSED, Reason.REFUSED_BY_RULE, Reason.NUMBER_BLOCKED,
        Reason.QUARANTINED, Reason.MISSED, Reason.LINK_WAITING,
    }
    assert {(shown[reason].status, shown[reason].field) for reason in neutral} == {(409, "")}
    beside_the_number = {Reason.PRICE_TOO_HIGH, Reason.NUMBER_FORBIDDEN, Reason.NUMBER_NOT_ALLOWED, Reason.NO_RATE}
    assert {(shown[reason].sentence, shown[reason].status) for reason in beside_the_number} == {
        ("This number cannot be called from here.", 422),
    }
    assert (shown[Reason.UNKNOWN_PAGE].status, shown[Reason.NAME_REQUIRED].field) == (404, "name")


def test_refusals_of_limits_and_numbers() -> None:
    of_others = (Reason.NUMBER_PENDING, Reason.NUMBER_DAY, Reason.NUMBER_WAITING)
    told = [replace(refuse(reason, 90), reason="") for reason in of_others]
    assert told == [replace(refuse(Reason.IP_DAY), reason="")] * 3, "nobody learns that others call a number"
    assert refuse(Reason.IP_DAY, 90) == Refused(
        "ip-day", "There were too many requests. Please try again later.", 429, "", 90,
    )
    assert refuse_number(BadNumber(NumberFault.INTERNAL)) == Refused(
        "number-internal", "This is an internal number. Enter a public telephone number.", 422, "number",
    )


@pytest.mark.parametrize("facts", [
    {"on_phone": True}, {"registered": False}, {"closed": True}, {"available": Micros(0)},
    {"spent_today": Micros(10**9)},
])  # fmt: skip
def test_a_call_at_another_time_is_not_judged_by_what_is_now(facts: dict[str, Any]) -> None:
    settings = owner(money_a_day=Micros(10**9))
    assert admit_callnow(settings, "Mary", replace(READY, **facts)) is not None
    assert admit_later(settings, "Mary", replace(READY, **facts)) is None


@pytest.mark.parametrize(("facts", "reason"), [
    ({"blocked": "owner"}, Reason.NUMBER_BLOCKED), ({"routed": False}, Reason.NO_ROUTE),
    ({"rate": None}, Reason.NO_RATE), ({"quarantined": True}, Reason.QUARANTINED),
])  # fmt: skip
def test_a_call_at_another_time_is_judged_by_what_will_be_the_same(facts: dict[str, Any], reason: Reason) -> None:
    assert admit_later(owner(), "Mary", replace(READY, **facts)) is reason
