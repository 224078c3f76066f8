"""Which name and number a public call shows and asserts (SPEC 11, 38-41, 51)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from b2bua.rules.caller_id import (
    Shown,
    by_server,
    caller_id_faults,
    equipment_of,
    from_header,
    identity_headers,
    numbers_to_show,
    shown_on_trunk,
)
from sip_stack.headers import NameAddr
from sip_stack.uri import sip_uri
from store.values import CallerId, DialPlan, Did, Extension, Trunk

TRUNK = Trunk(1, "R1", "192.0.2.1", number_format="e164")


@pytest.mark.parametrize(("rules", "name", "number"), [
    pytest.param(CallerId(), "John Doe", "15555550000", id="both by server, in the trunk's format"),
    pytest.param(CallerId("user", "Sales", "server", "123"), "Sales", "15555550000", id="40: only the name by user"),
    pytest.param(CallerId("server", "Sales", "user", "123", True), "John Doe", "123",
                 id="40, 41: only the number by user"),
    pytest.param(CallerId("server", "", "user", "123"), "John Doe", "15555550000", id="a number not approved yet"),
    pytest.param(CallerId("user", "", "user", "+15551234567", True), "", "15551234567", id="no name, number by user"),
])
def test_shown_on_trunk(rules: CallerId, name: str, number: str) -> None:
    owner = Extension(1, "001*002", 1, name="John Doe", public_number="+15555550000", caller_id=rules)
    assert shown_on_trunk(owner, TRUNK, owner.public_number) == Shown(name, number)


BY_EQUIPMENT = CallerId("equipment", "", "equipment", "")


@pytest.mark.parametrize(("rules", "equipment", "shown"), [
    pytest.param(BY_EQUIPMENT, Shown("Mary", "+15551111111"), Shown("Mary", "15551111111"),
                 id="H15: who is called back"),
    pytest.param(BY_EQUIPMENT, Shown("", "+15551111111"), Shown("John Doe", "15551111111"), id="it shows no name"),
    pytest.param(BY_EQUIPMENT, None, Shown("John Doe", "15555550000"), id="it shows nothing"),
    pytest.param(CallerId(), Shown("Mary", "+15551111111"), Shown("John Doe", "15555550000"), id="the server decides"),
    pytest.param(CallerId("user", "Sales", "equipment"), Shown("Mary", "+15551111111"), Shown("Sales", "15551111111"),
                 id="40: only the number by equipment"),
])
def test_what_the_equipment_shows(rules: CallerId, equipment: Shown | None, shown: Shown) -> None:
    owner = Extension(1, "001*900", 1, name="John Doe", public_number="+15555550000", caller_id=rules)
    assert shown_on_trunk(owner, TRUNK, owner.public_number, equipment) == shown
    asserting = replace(owner, caller_id=replace(rules, identity_headers=True))
    asserted = identity_headers(asserting, TRUNK, shown, "pbx")
    assert asserted[0] == ("P-Asserted-Identity", f"<sip:{shown.number}@pbx>")


@pytest.mark.parametrize("number_by", ["equipment", "user"])
def test_the_leg_back_is_shown_by_the_server_whatever_the_rules(number_by: Literal["equipment", "user"]) -> None:
    """SPEC H15; whether identity is asserted at all stays as it is set."""
    rules = CallerId("user", "Sales", number_by, "123", True, identity_headers=True)
    owner = Extension(1, "001*900", 1, name="John Doe", public_number="+15555550000", caller_id=rules)
    assert by_server(owner).caller_id.identity_headers
    shown = shown_on_trunk(by_server(owner), TRUNK, owner.public_number, Shown("Mary", "+15551111111"))
    assert shown == Shown("John Doe", "15555550000")


ON = CallerId(identity_headers=True)


@pytest.mark.parametrize(("rules", "trunk", "asserted", "preferred"), [
    pytest.param(ON, TRUNK, "<sip:15555550000@pbx>", '"John Doe" <sip:15555550000@pbx>', id="51: what is shown"),
    pytest.param(replace(ON, number_by="user", number="123", approved=True, name_by="user"), TRUNK,
                 "<sip:123@pbx>", "<sip:123@pbx>",
                 id="51: number and name by user, without a name"),
    pytest.param(ON, replace(TRUNK, pai="extension"), "<sip:001*002@pbx>", '"John Doe" <sip:001*002@pbx>',
                 id="51: the extension, where the trunk wants it"),
])
def test_identity_headers(rules: CallerId, trunk: Trunk, asserted: str, preferred: str) -> None:
    owner = Extension(1, "001*002", 1, name="John Doe", public_number="+15555550000", caller_id=rules)
    shown = shown_on_trunk(owner, trunk, owner.public_number)
    assert identity_headers(owner, trunk, shown, "pbx") == [
        ("P-Asserted-Identity", asserted), ("P-Preferred-Identity", preferred),
    ]


@pytest.mark.parametrize(("rules", "public_number"), [
    pytest.param(CallerId(), "+15555550000", id="51: switched off"),
    pytest.param(ON, "", id="without a number there is nobody to assert"),
])
def test_no_identity_headers(rules: CallerId, public_number: str) -> None:
    owner = Extension(1, "001*002", 1, name="John Doe", public_number=public_number, caller_id=rules)
    shown = shown_on_trunk(owner, TRUNK, owner.public_number)
    assert identity_headers(owner, TRUNK, shown, "pbx") == []


@pytest.mark.parametrize(("rules", "trusted", "headers"), [
    pytest.param(CallerId(anonymous=True), True, [("Privacy", "id")], id="50: nothing asserted"),
    pytest.param(CallerId(anonymous=True, identity_headers=True), False, [("Privacy", "id")], id="H7: not trusted"),
    pytest.param(
        CallerId(anonymous=True, identity_headers=True), True,
        [("P-Asserted-Identity", "<sip:15555550000@pbx>"), ("Privacy", "id")], id="H7: trusted",
    ),
])
def test_an_anonymous_call(rules: CallerId, trusted: bool, headers: list[tuple[str, str]]) -> None:
    owner = Extension(1, "001*002", 1, name="John Doe", public_number="+15555550000", caller_id=rules)
    trunk = replace(TRUNK, trusted=trusted)
    shown = shown_on_trunk(owner, trunk, owner.public_number)
    assert str(from_header(owner, shown, "pbx")) == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert identity_headers(owner, trunk, shown, "pbx") == headers


R1_NUMBERS = ("1123", "345876", "2854478")
DIDS = {did.number: did for did in (
    *(Did(number, 1, trunk_id=1) for number in R1_NUMBERS), Did("2255", 1, trunk_id=1), Did("6987560", 1, trunk_id=2),
    Did("3689", 1, trunk_id=2), Did("800", 1),
)}  # fmt: skip


@pytest.mark.parametrize(("rules", "trunk_id", "shown"), [
    pytest.param(CallerId(numbers=R1_NUMBERS), 1, R1_NUMBERS, id="47: any of the trunk's"),
    pytest.param(CallerId(numbers=("2255", "6987560")), 1, ("2255",), id="48: of the trunk that routes, R1"),
    pytest.param(CallerId(numbers=("2255", "6987560")), 2, ("6987560",), id="48: of the trunk that routes, R2"),
    pytest.param(CallerId(numbers=("3689",), default="3689"), 1, ("3689",), id="49: the default of another trunk"),
    pytest.param(CallerId(numbers=("2255", "3689"), default="3689"), 1, ("2255",), id="48 before 49"),
    pytest.param(CallerId(numbers=("3689",)), 1, ("+15555550000",), id="hole: no default either"),
    pytest.param(CallerId(), 1, ("+15555550000",), id="none associated: the public number"),
    pytest.param(CallerId(numbers=("800", "3689")), 1, ("800",), id="a number of no trunk in particular is of all"),
    pytest.param(CallerId(numbers=("800", "2255")), 1, ("2255",), id="... after the trunk's own"),
    pytest.param(CallerId(numbers=("9999",)), 1, ("+15555550000",), id="no public number any more"),
    pytest.param(CallerId(number_by="user", numbers=R1_NUMBERS), 1, ("+15555550000",), id="41: by user, no pool"),
    pytest.param(CallerId(number_by="equipment", numbers=R1_NUMBERS), 1, ("+15555550000",), id="41: by equipment"),
])  # fmt: skip
def test_numbers_to_show(rules: CallerId, trunk_id: int, shown: tuple[str, ...]) -> None:
    owner = Extension(1, "001*002", 1, public_number="+15555550000", caller_id=rules)
    assert numbers_to_show(owner, replace(TRUNK, id=trunk_id), DIDS) == shown


@pytest.mark.parametrize(("rules", "key"), [
    pytest.param(CallerId(number_by="user", number="12"), "number", id="39: two digits"),
    pytest.param(CallerId(number_by="user", number="12a"), "number", id="39: a letter"),
    pytest.param(CallerId(name_by="user", name="J\r\nVia: x"), "name", id="a line break in a name"),
    pytest.param(CallerId(name_by="user", name="J" * 81), "name", id="a name that no phone can show"),
    pytest.param(CallerId(numbers=("1123",), default="3689"), "default", id="H6: a default that is not associated"),
])  # fmt: skip
def test_faults(rules: CallerId, key: str) -> None:
    assert [where for where, _ in caller_id_faults(rules)] == [key]


@pytest.mark.parametrize("rules", [
    pytest.param(CallerId(), id="the defaults"),
    pytest.param(CallerId(number="12"), id="a number that is not used"),
    pytest.param(CallerId(name_by="user", name="J" * 80), id="a long name"),
    pytest.param(CallerId("user", "Žofie \N{GRINNING FACE}", "user", "123", numbers=("1123",), default="1123"),
                 id="all"),
])  # fmt: skip
def test_no_faults(rules: CallerId) -> None:
    assert list(caller_id_faults(rules)) == []


@pytest.mark.parametrize(("user", "number"), [
    pytest.param("5551234567", "5551234567", id="a public number"),
    pytest.param("001*002", "", id="the extension itself"),
    pytest.param("001002", "", id="... as a keypad writes it"),
    pytest.param("john", "", id="a name"),
    pytest.param("anonymous", "", id="nobody"),
    pytest.param("12", "", id="too short for a number"),
])  # fmt: skip
def test_equipment_of(user: str, number: str) -> None:
    owner = Extension(1, "001*002", 1)
    as_dialled = DialPlan("as-dialled", min_digits=3)
    assert equipment_of(NameAddr("John", sip_uri(user, "pbx")), owner, as_dialled) == Shown("John", number)


@pytest.mark.parametrize(("user", "number"), [
    pytest.param("2025550100", "+12025550100", id="national"),
    pytest.param("+442079460958", "+442079460958", id="international"),
    pytest.param("123", "123", id="what the dial plan cannot read"),
])  # fmt: skip
def test_equipment_says_its_number_as_it_dials(user: str, number: str) -> None:
    shown = equipment_of(NameAddr("", sip_uri(user, "pbx")), Extension(1, "001*002", 1), DialPlan())
    assert shown == Shown("", number)
