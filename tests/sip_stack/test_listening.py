"""Which of our addresses a far end is told."""

from __future__ import annotations

import pytest

from sip_stack.hop import Hop, bare, bracketed
from sip_stack.listening import Listener, Listening

INSIDE = Listener("UDP", "10.0.0.1", 5060, "10.0.0.1")
OUTSIDE = Listener("UDP", "0.0.0.0", 5062, "198.51.100.7")
SIX = Listener("UDP", "::", 5060, "2001:db8::1")
TCP = Listener("TCP", "0.0.0.0", 5060, "198.51.100.7")
ALL = Listening([INSIDE, OUTSIDE, SIX, TCP])


@pytest.mark.parametrize(("hop", "listener"), [
    pytest.param(Hop("UDP", "192.0.2.1", 5060), INSIDE, id="the first of its family"),
    pytest.param(Hop("UDP", "2001:db8::9", 5060), SIX, id="the IPv6 one for IPv6"),
    pytest.param(Hop("UDP", "192.0.2.1", 5060, 2), OUTSIDE, id="the one that it came in by"),
    pytest.param(Hop("TCP", "192.0.2.1", 5060, 64 * 7 + 4), TCP, id="a connection names it too"),
    pytest.param(Hop("UDP", "2001:db8::9", 5060, 2), SIX, id="a dialog that moved to the other family"),
    pytest.param(Hop("TCP", "2001:db8::9", 5060), TCP, id="any where there is none of the family"),
])
def test_of(hop: Hop, listener: Listener) -> None:
    assert ALL.of(hop) == listener


def test_one_address_for_each_transport_is_simple() -> None:
    assert Listening([INSIDE, TCP]).simple
    assert not ALL.simple


def test_too_many() -> None:
    with pytest.raises(ValueError, match="more than 63"):
        Listening([INSIDE] * 64)


@pytest.mark.parametrize(("host", "short", "in_uri"), [
    ("192.0.2.1", "192.0.2.1", "192.0.2.1"), ("pbx.test", "pbx.test", "pbx.test"),
    ("[2001:DB8:0::1]", "2001:db8::1", "[2001:DB8:0::1]"), ("2001:db8::1", "2001:db8::1", "[2001:db8::1]"),
    ("[no:address]", "no:address", "[no:address]"),
])
def test_hosts(host: str, short: str, in_uri: str) -> None:
    assert (bare(host), bracketed(host)) == (short, in_uri)
