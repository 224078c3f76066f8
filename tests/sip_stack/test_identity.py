"""RFC 3325 and 3323: who is calling, as far as it is believed."""

from __future__ import annotations

import pytest

from sip_stack.identity import Caller, caller_of, is_hidden_user
from sip_stack.message import Request

ALICE = '"Alice" <sip:5551@h>;tag=1'


@pytest.mark.parametrize(("fields", "trusted", "caller"), [
    pytest.param({"From": [ALICE]}, True, Caller("Alice", "5551", False, False), id="From alone"),
    pytest.param({"From": [ALICE], "P-Asserted-Identity": ['"Bob" <tel:+5552>']}, True, Caller("Bob", "+5552",
                 True, False),
                 id="asserted by a trusted peer"),
    pytest.param({"From": [ALICE], "P-Asserted-Identity": ["<tel:5552;phone-context=+44>"]}, True,
                 Caller("Alice", "+445552", True, False), id="a local number in its context"),
    pytest.param({"From": [ALICE], "P-Asserted-Identity": ["<sip:5552@h>"]}, True, Caller("Alice", "5552", True, False),
                 id="asserted without a name: From's is shown"),
    pytest.param({"From": [ALICE], "P-Asserted-Identity": ["<sip:5552@h>"]}, False, Caller("Alice", "5551", False,
                 False),
                 id="asserted by somebody we do not trust"),
    pytest.param({"From": [ALICE], "P-Asserted-Identity": ["<sip:"]}, True, Caller("Alice", "5551", False, False),
                 id="an assertion that cannot be read"),
    pytest.param({"From": [ALICE], "P-Asserted-Identity": ["<isdn:1>"]}, True, Caller("Alice", "5551", False, False),
                 id="an assertion that cannot be dialled"),
    pytest.param({"From": [ALICE], "Privacy": ["header; id"]}, True, Caller("Alice", "5551", False, True),
                 id="Privacy: id"),
    pytest.param({"From": [ALICE], "Privacy": ["USER"]}, True, Caller("Alice", "5551", False, True),
                 id="Privacy: user"),
    pytest.param({"From": [ALICE], "Privacy": ["none"]}, True, Caller("Alice", "5551", False, False),
                 id="Privacy: none"),
    pytest.param({"From": ["<sip:x@anonymous.invalid>"]}, True, Caller("", "x", False, True), id="anonymous.invalid"),
    pytest.param({"From": ["<sip:Restricted@h>"]}, True, Caller("", "Restricted", False, True),
                 id="a user that says hidden"),
    pytest.param({"From": ["<sip:anonymous@h>"], "P-Asserted-Identity": ["<sip:5552@h>"]}, True,
                 Caller("", "5552", True, True), id="From says nobody: so is the number asserted"),
    pytest.param({"From": ["<sip:x@anonymous.invalid>"], "P-Asserted-Identity": ["<sip:5552@h>"]}, True,
                 Caller("", "5552", True, True), id="... by its host"),
    pytest.param({"From": [ALICE], "P-Asserted-Identity": ["<sip:Restricted@h>"]}, True,
                 Caller("Alice", "Restricted", True, True), id="nobody is asserted"),
    pytest.param({"From": ["<sip:anonymous@h>"], "P-Asserted-Identity": ["<sip:5552@h>"], "Privacy": ["id"]}, True,
                 Caller("", "5552", True, True), id="asserted, but asked not to be shown"),
])  # fmt: skip
def test_caller_of(fields: dict[str, list[str]], trusted: bool, caller: Caller) -> None:
    assert caller_of(Request("INVITE", "sip:x@h", fields), trusted=trusted) == caller


@pytest.mark.parametrize(
    ("user", "hidden"), [("", True), (" Anonymous ", True), ("unavailable", True), ("5551", False)]
)
def test_is_hidden_user(user: str, hidden: bool) -> None:
    assert is_hidden_user(user) is hidden
