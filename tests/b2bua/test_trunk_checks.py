"""What a plan may say of a trunk."""

from __future__ import annotations

from typing import Any

import pytest

from b2bua.plan.entries import TrunkEntry
from b2bua.plan.trunk_checks import split_host, trunk_faults

DIGITS = "expected up to 24 digits, * and #, with or without + before them"


@pytest.mark.parametrize(("settings", "faults"), [
    pytest.param({}, [], id="a host is enough"),
    pytest.param({"host": "2001:db8::1"}, [], id="an IPv6 address"),
    pytest.param({"host": "192.0.2.1:5060"}, [
        ("host", '"192.0.2.1:5060" is no host name or address; write a port as `port`'),
    ], id="a port is not part of the host"),
    pytest.param({"host": "a b"}, [("host", '"a b" is no host name or address; write a port as `port`')], id="a blank"),
    pytest.param({"register": True, "user": "u", "password": "p"}, [], id="a registration"),
    pytest.param({"register": True, "user": "u"}, [("register", "needs `user` and `password`")], id="no password"),
    pytest.param({"register": True, "password": "p"}, [("register", "needs `user` and `password`")], id="no user"),
    pytest.param({"proxy": "sbc.example.net"}, [], id="a proxy by name"),
    pytest.param({"proxy": "[2001:db8::1]:5070"}, [], id="a proxy by address and port"),
    pytest.param({"proxy": "sip:sbc"}, [
        ("proxy", '"sip:sbc" is not as in "sip.example.net" or "192.0.2.1:5060"'),
    ], id="a proxy is no URI"),
    pytest.param({"sources": ("192.0.2.0/24", "x")}, [
        ("sources", '"x" is no network, address or address:port'),
    ], id="a source"),
    pytest.param({"out_strip": "+1", "out_prefix": "1234#", "in_strip": "00", "in_prefix": "+"}, [], id="prefixes"),
    pytest.param({"out_prefix": "9;x=1"}, [("out_prefix", DIGITS)], id="a prefix with a parameter in it"),
    pytest.param({"in_strip": "1" * 25}, [("in_strip", DIGITS)], id="a prefix too long for its column"),
    pytest.param({"headers": {"X-Account": "42", "P-Early-Media": "supported"}}, [], id="more headers"),
    pytest.param({"headers": {"X-A": "1\r\nRoute: <sip:evil>"}}, [
        ("headers", "X-A: expected one line of text"),
    ], id="a header that would be two"),
    pytest.param({"headers": {"X-A": " "}}, [("headers", "X-A: expected one line of text")], id="an empty header"),
    pytest.param({"headers": {"X A": "1"}}, [("headers", '"X A" is no name of a header field')], id="a blank"),
    pytest.param({"headers": {"X\r\nVia": "1"}}, [
        ("headers", '"X\r\nVia" is no name of a header field'),
    ], id="a name with a line break"),
    pytest.param({"headers": {"contact": "x"}}, [("headers", "contact is written by Ringback itself")], id="Contact"),
    pytest.param({"headers": {"V": "x"}}, [("headers", "V is written by Ringback itself")], id="Via, compact"),
    pytest.param({"headers": {"Replaces": "x"}}, [("headers", "Replaces is written by Ringback itself")], id="a call"),
    pytest.param({"transport": "sips"}, [], id="a transport"),
    pytest.param({"transport": "tcp", "stay_on_udp": True}, [
        ("stay_on_udp", 'is for transport "udp", not "tcp"'),
    ], id="UDP over TCP"),
    pytest.param({"transport": "udp", "tls_ca": "/etc/hostname"}, [
        ("tls_ca", 'is for transport "tls" or "sips", not "udp"'),
    ], id="a certificate over UDP"),
    pytest.param({"transport": "tls", "tls_key": "/k"}, [
        ("tls_key", "tls_certificate and tls_key go together"),
    ], id="a key alone"),
    pytest.param({"transport": "tls", "tls_ca": "ca.pem"}, [
        ("tls_ca", '"ca.pem": write the whole path, from / on'),
    ], id="a path that depends on where the server starts"),
    pytest.param({"transport": "tls", "tls_ca": "/no/ca.pem"}, [
        ("tls_ca", '"/no/ca.pem": No such file or directory'),
    ], id="a file that is not there"),
])  # fmt: skip
def test_trunk_faults(settings: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert list(trunk_faults(TrunkEntry(**{"name": "R1", "host": "sip.example.net", **settings}))) == faults


@pytest.mark.parametrize(("text", "host", "port"), [
    ("sip.example.net", "sip.example.net", None), ("sip.example.net:5070", "sip.example.net", 5070),
    ("192.0.2.1:5070", "192.0.2.1", 5070), ("2001:db8::1", "2001:db8::1", None), ("[2001:db8::1]", "2001:db8::1", None),
    ("[2001:db8::1]:5070", "2001:db8::1", 5070),
])  # fmt: skip
def test_split_host(text: str, host: str, port: int | None) -> None:
    assert split_host(text) == (host, port)


@pytest.mark.parametrize("text", ["", ":5060", "a:", "a:0", "a:65536", "a:x", "a/b", "a@b"])
def test_no_host(text: str) -> None:
    with pytest.raises(ValueError, match="is not as in"):
        split_host(text)
