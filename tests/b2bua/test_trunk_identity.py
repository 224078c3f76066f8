"""Which header of a trunk carries the caller, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.rules.caller_id import Shown
from b2bua.trunks.identity import caller_headers, caller_on_trunk
from sip_stack.identity import Caller
from sip_stack.message import Request, parse
from store.values import CallerHeader, Trunk

JOHN = Shown("John", "+12025550100")


def trunk(**settings: Any) -> Trunk:
    return Trunk(1, "R1", "192.0.2.1", **settings)


@pytest.mark.parametrize(("carrier", "headers"), [
    pytest.param("from", [], id="From is enough"),
    pytest.param("pai", [("P-Asserted-Identity", "<sip:+12025550100@pbx>")], id="P-Asserted-Identity"),
    pytest.param("rpid", [
        ("Remote-Party-ID", '"John" <sip:+12025550100@pbx>;party=calling;privacy=off;screen=yes'),
    ], id="Remote-Party-ID"),
    pytest.param("charge", [("P-Charge-Info", "<sip:+12025550100@pbx>")], id="P-Charge-Info"),
])  # fmt: skip
def test_caller_headers(carrier: CallerHeader, headers: list[tuple[str, str]]) -> None:
    assert caller_headers(trunk(send_caller=carrier), JOHN, "pbx") == headers


@pytest.mark.parametrize("number", ["", "anonymous"])
def test_a_number_that_is_not_shown_is_in_no_header(number: str) -> None:
    assert caller_headers(trunk(send_caller="rpid"), Shown("", number), "pbx") == []


ALL = (
    'From: "Ann" <sip:1@h>;tag=x\r\nP-Asserted-Identity: <sip:2@h>\r\n'
    'Remote-Party-ID: "Bob" <sip:3@h>;party=calling;privacy=off\r\nP-Charge-Info: <sip:4@h>\r\n'
)


@pytest.mark.parametrize(("carrier", "trusted", "caller"), [
    pytest.param("pai", True, Caller("Ann", "2", True, False), id="P-Asserted-Identity"),
    pytest.param("rpid", True, Caller("Bob", "3", True, False), id="Remote-Party-ID"),
    pytest.param("charge", True, Caller("Ann", "4", True, False), id="P-Charge-Info"),
    pytest.param("from", True, Caller("Ann", "1", False, False), id="From"),
    pytest.param("rpid", False, Caller("Ann", "1", False, False), id="a trunk that is not trusted"),
])
def test_caller_on_trunk(carrier: CallerHeader, trusted: bool, caller: Caller) -> None:
    assert caller_on_trunk(invite(ALL), trunk(read_caller=carrier, trusted=trusted)) == caller


@pytest.mark.parametrize(("headers", "caller"), [
    pytest.param("From: <sip:1@h>;tag=x\r\n", Caller("", "1", False, False), id="without it: From"),
    pytest.param("From: <sip:1@h>;tag=x\r\nRemote-Party-ID: <sip:\r\n", Caller("", "1", False, False), id="unreadable"),
    pytest.param("From: <sip:1@h>;tag=x\r\nRemote-Party-ID: <sip:3@h>;privacy=full\r\n", Caller("", "3", True, True),
                 id="privacy=full"),
    pytest.param("From: <sip:1@h>;tag=x\r\nRemote-Party-ID: <sip:anonymous@h>\r\n", Caller("", "anonymous", True, True),
                 id="nobody is named"),
    pytest.param("From: <sip:anonymous@h>;tag=x\r\nRemote-Party-ID: <sip:3@h>\r\n", Caller("", "3", True, True),
                 id="From is anonymous"),
    pytest.param("From: <sip:1@h>;tag=x\r\nRemote-Party-ID: <sip:3@h>\r\nPrivacy: id\r\n", Caller("", "3", True, True),
                 id="Privacy: id"),
])  # fmt: skip
def test_remote_party_id(headers: str, caller: Caller) -> None:
    assert caller_on_trunk(invite(headers), trunk(read_caller="rpid", trusted=True)) == caller


def invite(headers: str) -> Request:
    """As it comes from the wire: header names are not all known to the parser."""
    request = parse(f"INVITE sip:x@h SIP/2.0\r\n{headers}\r\n".encode())
    assert isinstance(request, Request)
    return request
