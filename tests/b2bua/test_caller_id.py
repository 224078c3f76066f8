"""Which name and number a public call shows and asserts (SPEC 11, 38-41, 51)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2bua.caller_id import Shown, by_server, from_header, identity_headers, shown_on_trunk
from store.values import CallerId, Extension, Trunk

TRUNK = Trunk(1, "R1", "192.0.2.1", number_format="e164")


@pytest.mark.parametrize(("rules", "name", "number"), [
    pytest.param(CallerId(), "John Doe", "15555550000", id="both by server, in the trunk's format"),
    pytest.param(CallerId("user", "Sales", "server", "123"), "Sales", "15555550000", id="40: only the name by user"),
    pytest.param(CallerId("server", "Sales", "user", "123"), "John Doe", "123", id="40, 41: only the number by user"),
    pytest.param(CallerId("user", "", "user", "+15551234567"), "", "15551234567", id="no name, number by user"),
])
def test_shown_on_trunk(rules: CallerId, name: str, number: str) -> None:
    owner = Extension(1, "001*002", 1, name="John Doe", public_number="+15555550000", caller_id=rules)
    assert shown_on_trunk(owner, TRUNK) == Shown(name, number)


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
    assert shown_on_trunk(owner, TRUNK, equipment) == shown
    asserting = replace(owner, caller_id=replace(rules, identity_headers=True))
    asserted = identity_headers(asserting, TRUNK, "pbx", equipment)
    assert asserted[0] == ("P-Asserted-Identity", f"<sip:{shown.number}@pbx>")


def test_the_leg_back_is_shown_by_the_server_whatever_the_rules() -> None:
    """SPEC H15; whether identity is asserted at all stays as it is set."""
    rules = CallerId("user", "Sales", "equipment", "123", identity_headers=True)
    owner = Extension(1, "001*900", 1, name="John Doe", public_number="+15555550000", caller_id=rules)
    assert by_server(owner).caller_id == CallerId(identity_headers=True)
    assert shown_on_trunk(by_server(owner), TRUNK) == Shown("John Doe", "15555550000")


ON = CallerId(identity_headers=True)


@pytest.mark.parametrize(("rules", "trunk", "asserted", "preferred"), [
    pytest.param(ON, TRUNK, "<sip:15555550000@pbx>", '"John Doe" <sip:15555550000@pbx>', id="51: what is shown"),
    pytest.param(replace(ON, number_by="user", number="123", name_by="user"), TRUNK, "<sip:123@pbx>", "<sip:123@pbx>",
                 id="51: number and name by user, without a name"),
    pytest.param(ON, replace(TRUNK, pai="extension"), "<sip:001*002@pbx>", '"John Doe" <sip:001*002@pbx>',
                 id="51: the extension, where the trunk wants it"),
])
def test_identity_headers(rules: CallerId, trunk: Trunk, asserted: str, preferred: str) -> None:
    owner = Extension(1, "001*002", 1, name="John Doe", public_number="+15555550000", caller_id=rules)
    assert identity_headers(owner, trunk, "pbx") == [
        ("P-Asserted-Identity", asserted), ("P-Preferred-Identity", preferred),
    ]


@pytest.mark.parametrize(("rules", "public_number"), [
    pytest.param(CallerId(), "+15555550000", id="51: switched off"),
    pytest.param(ON, "", id="without a number there is nobody to assert"),
])
def test_no_identity_headers(rules: CallerId, public_number: str) -> None:
    owner = Extension(1, "001*002", 1, name="John Doe", public_number=public_number, caller_id=rules)
    assert identity_headers(owner, TRUNK, "pbx") == []


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
    shown = shown_on_trunk(owner, trunk)
    assert str(from_header(owner, shown, "pbx")) == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert identity_headers(owner, trunk, "pbx") == headers
