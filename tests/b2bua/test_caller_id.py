"""Which name and number a public call shows (SPEC 11, 38-41)."""

from __future__ import annotations

import pytest

from b2bua.caller_id import Shown, shown_on_trunk
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
