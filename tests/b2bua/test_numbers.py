"""Typed numbers (SPEC 8, 9, H17, H20, AT-07) and the forms that trunks speak."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.rules.numbers import (
    SENTENCES,
    BadNumber,
    NumberFault,
    called_on_trunk,
    from_trunk,
    is_emergency,
    read_number,
    to_trunk,
)
from store.values import DialPlan, NumberFormat, Trunk

AS_DIALLED = DialPlan("as-dialled", strip=("+1",), refused=("112", "911", "000", "1900"), min_digits=6)
E164 = DialPlan()
INTERNAL = frozenset({"001*002", "001002"})


@pytest.mark.parametrize(("typed", "number"), [
    pytest.param("5555555555", "5555555555", id="bare"),
    pytest.param("555-555-5555", "5555555555", id="AT-07 dashes"),
    pytest.param("(555) 555 5555", "5555555555", id="AT-07 brackets and spaces"),
    pytest.param("555.555.5555", "5555555555", id="AT-07 points"),
    pytest.param("+15555555555", "5555555555", id="AT-07 country code"),
    pytest.param("555/5555555", "5555555555", id="stroke"),
    pytest.param("555\u2011555\u00a05555\u202c", "5555555555", id="pasted from a web page"),
    pytest.param("\u0665\u0665\u0665\u0665\u0665\u0665", "555555", id="Arabic-Indic digits"),
    pytest.param("0011442079460958", "0011442079460958", id="international prefix stays"),
    pytest.param("+1555555", "1555555", id="+1 is kept where less than 10 digits would stay"),
    pytest.param("+442079460958", "442079460958", id="another country: only the plus goes"),
    pytest.param("555555", "555555", id="the least digits"),
    pytest.param("5" * 18, "5" * 18, id="the most digits"),
])
def test_as_dialled(typed: str, number: str) -> None:
    assert read_number(typed, AS_DIALLED, extensions=INTERNAL) == number


@pytest.mark.parametrize(("typed", "reason"), [
    pytest.param("001*002", NumberFault.INTERNAL, id="AT-07 internal"),
    pytest.param("001002", NumberFault.INTERNAL, id="AT-07 internal by keypad"),
    pytest.param("*672025550100", NumberFault.INTERNAL, id="a star: no number of the network"),
    pytest.param("555abc", NumberFault.CHARACTERS, id="AT-07 letters"),
    pytest.param("555555\r\nTo: x", NumberFault.CHARACTERS, id="AT-07 CR LF"),
    pytest.param("555555\t5555", NumberFault.CHARACTERS, id="a control character"),
    pytest.param("555#5555555", NumberFault.CHARACTERS, id="a hash"),
    pytest.param("5555+5555555", NumberFault.CHARACTERS, id="a plus inside"),
    pytest.param("++15555555555", NumberFault.CHARACTERS, id="two plusses"),
    pytest.param("\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2", NumberFault.CHARACTERS, id="superscripts are no digits"),
    pytest.param("112", NumberFault.REFUSED, id="AT-07 emergency by table"),
    pytest.param("12", NumberFault.TOO_SHORT, id="AT-07 too short"),
    pytest.param("19005551234", NumberFault.REFUSED, id="AT-07 premium by table"),
    pytest.param("+19005551234", NumberFault.REFUSED, id="premium does not hide behind a stripped +1"),
    pytest.param("+19115551234", NumberFault.REFUSED, id="nor does the stripped form itself"),
    pytest.param("5" * 19, NumberFault.TOO_LONG, id="too long"),
    pytest.param("", NumberFault.EMPTY, id="empty"),
    pytest.param(" - ", NumberFault.EMPTY, id="separators only"),
    pytest.param("+", NumberFault.EMPTY, id="a plus only"),
])
def test_as_dialled_refusals(typed: str, reason: NumberFault) -> None:
    with pytest.raises(BadNumber) as refused:
        read_number(typed, AS_DIALLED, extensions=INTERNAL)
    assert (refused.value.reason, refused.value.sentence) == (reason, SENTENCES[reason])


REFUSES_NOTHING = DialPlan("as-dialled", min_digits=3)


@pytest.mark.parametrize("typed", ["911", "1-1-2", "+911"])
def test_h20_a_table_that_refuses_nothing_lets_no_emergency_number_through(typed: str) -> None:
    with pytest.raises(BadNumber) as refused:
        read_number(typed, REFUSES_NOTHING)
    assert refused.value.reason == NumberFault.EMERGENCY


@pytest.mark.parametrize("typed", ["411", "9110"])
def test_what_is_no_emergency_number_passes_such_a_table(typed: str) -> None:
    assert read_number(typed, REFUSES_NOTHING) == typed


def test_each_prefix_that_is_stripped_is_looked_for() -> None:
    plan = DialPlan("as-dialled", strip=("+1", "00"))
    assert [read_number(typed, plan) for typed in ("+12025550100", "00442079460958", "442079460958")] == [
        "2025550100", "442079460958", "442079460958",
    ]  # fmt: skip


@pytest.mark.parametrize(("typed", "country", "number"), [
    pytest.param("555-555-5555", "", "+15555555555", id="the manual's number: possible, not valid"),
    pytest.param("(202) 555-0100", "US", "+12025550100", id="national"),
    pytest.param("12025550100", "US", "+12025550100", id="with country code, without plus"),
    pytest.param("011 40 721 234 567", "US", "+40721234567", id="international prefix of the country"),
    pytest.param("020 7946 0958", "GB", "+442079460958", id="trunk prefix of the chosen country"),
    pytest.param("+40 721 234 567", "GB", "+40721234567", id="a typed plus wins"),
    pytest.param("9115551234", "US", "+19115551234", id="begins like an emergency number, is none"),
    pytest.param("0906 123456", "DE", "+49906123456", id="an area code that is premium elsewhere"),
])
def test_e164(typed: str, country: str, number: str) -> None:
    assert read_number(typed, E164, country) == number


@pytest.mark.parametrize(("typed", "country", "reason"), [
    pytest.param("001*002", "US", NumberFault.INTERNAL, id="internal"),
    pytest.param("001002", "US", NumberFault.INTERNAL, id="internal by keypad"),
    pytest.param("112", "DE", NumberFault.EMERGENCY, id="emergency"),
    pytest.param("911", "US", NumberFault.EMERGENCY, id="emergency of another country"),
    pytest.param("+1911", "DE", NumberFault.EMERGENCY, id="emergency with its country code"),
    pytest.param("000", "AU", NumberFault.EMERGENCY, id="emergency that begins with zero"),
    pytest.param("1-900-555-1234", "US", NumberFault.PREMIUM, id="premium"),
    pytest.param("+44 909 879 0000", "US", NumberFault.PREMIUM, id="premium of another country"),
    pytest.param("411", "US", NumberFault.SHORT_CODE, id="short code"),
    pytest.param("116123", "DE", NumberFault.SHORT_CODE, id="a short code as long as a number"),
    pytest.param("555-0100", "US", NumberFault.TOO_SHORT, id="without its area code"),
    pytest.param("1", "US", NumberFault.TOO_SHORT, id="one digit"),
    pytest.param("2025550100555", "US", NumberFault.TOO_LONG, id="too long"),
    pytest.param("5" * 19, "US", NumberFault.TOO_LONG, id="far too long"),
    pytest.param("+999123456789", "US", NumberFault.IMPOSSIBLE, id="no such country"),
    pytest.param("2025550100", "XX", NumberFault.IMPOSSIBLE, id="a forged country choice"),
])
def test_e164_refusals(typed: str, country: str, reason: NumberFault) -> None:
    with pytest.raises(BadNumber) as refused:
        read_number(typed, E164, country, extensions=INTERNAL)
    assert refused.value.reason == reason


@pytest.mark.parametrize(("typed", "country", "number"), [
    pytest.param("1-900-555-1234", "US", "+19005551234", id="premium, named nationally"),
    pytest.param("+44 909 879 0000", "US", "+449098790000", id="premium of another country, named"),
    pytest.param("411", "US", "+1411", id="a short code"),
    pytest.param("116123", "DE", "+49116123", id="a short code as long as a number"),
    pytest.param("(202) 555-0100", "US", "+12025550100", id="any other number as everybody"),
])
def test_a_phone_of_the_tenant_reaches_more(typed: str, country: str, number: str) -> None:
    assert read_number(typed, DialPlan(premium=("900555", "+44909")), country, phone=True) == number


@pytest.mark.parametrize(("typed", "country", "refused", "reason"), [
    pytest.param("911", "US", (), NumberFault.EMERGENCY, id="emergency calls are no plain calls"),
    pytest.param("1-900-555-1234", "US", ("900",), NumberFault.REFUSED, id="premium, named and refused"),
    pytest.param("1-900-666-1234", "US", (), NumberFault.PREMIUM, id="premium, not named"),
    pytest.param("+44 909 879 0000", "US", (), NumberFault.PREMIUM, id="premium of another country"),
    pytest.param("+49 900 555 1234", "US", (), NumberFault.PREMIUM, id="the named digits abroad"),
    pytest.param("411", "US", ("411",), NumberFault.REFUSED, id="a short code refused by the tenant"),
    pytest.param("555-0100", "US", (), NumberFault.TOO_SHORT, id="without its area code"),
    pytest.param("001*002", "US", (), NumberFault.INTERNAL, id="internal"),
])
def test_what_a_phone_of_the_tenant_cannot_call_either(
    typed: str, country: str, refused: tuple[str, ...], reason: NumberFault
) -> None:
    plan = DialPlan(refused=refused, premium=("900555",))
    with pytest.raises(BadNumber) as fault:
        read_number(typed, plan, country, extensions=INTERNAL, phone=True)
    assert fault.value.reason == reason


@pytest.mark.parametrize(("typed", "refused"), [
    pytest.param("+40721234567", True, id="a country"),
    pytest.param("+41443643532", False, id="another country"),
    pytest.param("202 555 0100", True, id="an area code"),
    pytest.param("+912025550100", False, id="the same digits abroad"),
])
def test_e164_has_its_own_table(typed: str, refused: bool) -> None:
    plan = DialPlan(refused=("+40", "202"))
    if refused:
        with pytest.raises(BadNumber, match="cannot be called"):
            read_number(typed, plan)
    else:
        assert read_number(typed, plan) == typed


@given(st.text(max_size=40), st.sampled_from([AS_DIALLED, E164]), st.sampled_from(["", "US", "GB", "RO"]))
def test_any_text_is_a_clean_number_or_refused(typed: str, plan: DialPlan, country: str) -> None:
    try:
        number = read_number(typed, plan, country)
    except BadNumber:
        return
    assert number.removeprefix("+").isascii()
    assert number.removeprefix("+").isdigit()
    assert number.startswith("+") == (plan.mode == "e164")


@pytest.mark.parametrize("text", ["555-555-5555", "(555) 5555555", "+1 555 555 5555", "5555555555"])
def test_a_separated_and_a_bare_number_are_one(text: str) -> None:
    for plan, number in ((AS_DIALLED, "5555555555"), (E164, "+15555555555")):
        assert read_number(text, plan) == number


@pytest.mark.parametrize(("typed", "plan", "emergency"), [
    ("911", E164, True), ("9-1-1", AS_DIALLED, True), ("112", DialPlan(country="DE"), True),
    ("9115551234", E164, False), ("5555555555", AS_DIALLED, False),
])
def test_is_emergency(typed: str, plan: DialPlan, emergency: bool) -> None:
    assert is_emergency(typed, plan) is emergency


def trunk(number_format: NumberFormat, country: str = "GB") -> Trunk:
    return Trunk(1, "R1", "192.0.2.1", number_format=number_format, country=country)


@pytest.mark.parametrize(("number", "number_format", "sent"), [
    pytest.param("+442079460958", "+e164", "+442079460958", id="with plus"),
    pytest.param("+442079460958", "e164", "442079460958", id="without plus"),
    pytest.param("+442079460958", "as-is", "+442079460958", id="as it is"),
    pytest.param("+442079460958", "national", "02079460958", id="national, with its trunk prefix"),
    pytest.param("+12025550100", "national", "+12025550100", id="national has no form for abroad"),
    pytest.param("+999123", "national", "+999123", id="not a number of any country"),
    pytest.param("5555550000", "e164", "5555550000", id="as-dialled stays"),
])
def test_to_trunk(number: str, number_format: NumberFormat, sent: str) -> None:
    assert to_trunk(number, trunk(number_format)) == sent


@pytest.mark.parametrize(("received", "number_format", "number"), [
    pytest.param("+442079460958", "+e164", "+442079460958", id="with plus"),
    pytest.param("442079460958", "e164", "+442079460958", id="without plus"),
    pytest.param("02079460958", "national", "+442079460958", id="national"),
    pytest.param("5551111111", "as-is", "5551111111", id="as it is"),
    pytest.param("anonymous", "e164", "anonymous", id="no number"),
    pytest.param("+442079460958", "e164", "+442079460958", id="a plus that nobody promised"),
    pytest.param("1", "national", "1", id="too short to be national"),
])
def test_from_trunk(received: str, number_format: NumberFormat, number: str) -> None:
    assert from_trunk(received, trunk(number_format)) == number


@pytest.mark.parametrize(("number", "settings", "sent"), [
    pytest.param("+442079460958", {}, "+442079460958", id="as its format"),
    pytest.param("+442079460958", {"out_prefix": "1234#"}, "1234#+442079460958", id="a technical prefix"),
    pytest.param("+442079460958", {"out_strip": "+", "out_prefix": "011"}, "011442079460958", id="011 for the plus"),
    pytest.param("+12025550100", {"out_strip": "+1"}, "2025550100", id="a prefix taken off"),
    pytest.param("+442079460958", {"out_strip": "+1", "out_prefix": "9"}, "+442079460958", id="another beginning"),
    pytest.param("+442079460958", {"number_format": "e164", "out_prefix": "9"}, "9442079460958", id="after the format"),
    pytest.param("5555555555", {"out_prefix": "9"}, "95555555555", id="as-dialled too"),
])  # fmt: skip
def test_called_on_trunk(number: str, settings: dict[str, Any], sent: str) -> None:
    assert called_on_trunk(number, Trunk(1, "R1", "192.0.2.1", **settings)) == sent


@pytest.mark.parametrize(("received", "settings", "number"), [
    pytest.param("0044207946", {"in_strip": "00", "in_prefix": "+"}, "+44207946", id="00 for the plus"),
    pytest.param("0207946", {"in_strip": "00", "in_prefix": "+"}, "0207946", id="another beginning stays"),
    pytest.param("44207946", {"in_prefix": "+"}, "+44207946", id="a plus before all"),
    pytest.param("+44207946", {"in_prefix": "+"}, "+44207946", id="no second plus"),
    pytest.param("+44207946", {"in_strip": "+44", "in_prefix": "0"}, "0207946", id="a plus named is taken off"),
    pytest.param("1234#44207946", {"in_strip": "1234#", "number_format": "e164"}, "+44207946", id="before the format"),
    pytest.param("anonymous", {"in_prefix": "9"}, "anonymous", id="no number"),
])  # fmt: skip
def test_from_trunk_with_a_prefix(received: str, settings: dict[str, Any], number: str) -> None:
    assert from_trunk(received, Trunk(1, "R1", "192.0.2.1", **settings)) == number
