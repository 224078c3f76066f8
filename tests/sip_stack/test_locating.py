"""RFC 3263 and RFC 2782: which servers, by which transport, in which order."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from sip_stack.locating import Naptr, Srv, default_port, in_order, offered, srv_name

TLS = Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com.")
TCP = Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com.")
UDP = Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com.")


@pytest.mark.parametrize(("records", "wanted", "expected"), [
    pytest.param([UDP, TLS, TCP], ("UDP", "TCP", "TLS"), ["TLS", "TCP", "UDP"], id="4.1: the domain's order"),
    pytest.param([UDP, TLS, TCP], ("UDP", "TCP"), ["TCP", "UDP"], id="4.1: what we do not speak is left out"),
    pytest.param([UDP._replace(preference=60), TCP._replace(order=100)], ("UDP", "TCP"), ["TCP", "UDP"],
                 id="preference within one order"),
    pytest.param([UDP._replace(flags="u")], ("UDP",), [], id="a flag that leads to no SRV"),
    pytest.param([UDP._replace(flags="S", service="sip+d2u")], ("UDP",), ["UDP"], id="in any case"),
    pytest.param([UDP._replace(service="E2U+sip")], ("UDP",), [], id="another service"),
])
def test_naptr(records: list[Naptr], wanted: tuple[str, ...], expected: list[str]) -> None:
    assert [transport for transport, _ in offered(records, wanted)] == expected


def test_names_and_ports() -> None:
    assert srv_name("TLS", "example.com") == "_sips._tcp.example.com"
    assert srv_name("WS", "example.com") is None
    assert [default_port(t) for t in ("UDP", "TCP", "TLS", "WS", "WSS")] == [5060, 5060, 5061, 80, 443]


def test_priority_goes_before_weight() -> None:
    first, second = Srv(1, 0, 5060, "a."), Srv(2, 100, 5060, "b.")
    assert in_order([second, first], lambda n: n) == [first, second]


def test_a_service_that_is_not_there() -> None:
    assert in_order([Srv(0, 0, 0, ".")], lambda n: n) == []


def test_each_record_comes_once_and_weights_decide_how_often_it_is_first() -> None:
    chance = Random(2782)
    records = [Srv(1, 60, 5060, "a."), Srv(1, 30, 5060, "b."), Srv(1, 10, 5060, "c."), Srv(1, 0, 5060, "d.")]
    orders = [in_order(records, lambda n: chance.randint(0, n)) for _ in range(5000)]
    assert all(sorted(order) == sorted(records) for order in orders)
    firsts = Counter(order[0].target for order in orders)
    assert [round(firsts[name] / 5000, 1) for name in ("a.", "b.", "c.")] == [0.6, 0.3, 0.1]
    assert 0 < firsts["d."] < 150, "RFC 2782: weight 0 has a small chance"
