"""Phones behind proxies: whose address counts, and by which way they are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from b2bua.rules.edge import behind_proxies, by_phone, flow_is_lost, hop_of, routes_of, seen_by_edge
from sip_stack.hop import Hop
from sip_stack.message import Request
from sip_stack.outbound import Flow
from sip_stack.registrar import Binding

EDGE, PHONE = "192.0.2.80", "198.51.100.7"
FROM_EDGE = Hop("UDP", EDGE, 5060)


def is_edge(ip: str) -> bool:
    return ip in (EDGE, "192.0.2.81")


@pytest.mark.parametrize(("vias", "seen"), [
    pytest.param([f"{EDGE};branch=1", f"10.0.0.3:5070;received={PHONE};rport=4711"], (PHONE, 4711), id="behind a NAT"),
    pytest.param([f"{EDGE};branch=1", f"{PHONE}:5070;branch=2"], (PHONE, 5070), id="behind none"),
    pytest.param([f"{EDGE};branch=1", f"{PHONE}"], (PHONE, 5060), id="a usual port"),
    pytest.param([f"{EDGE};branch=1, a.invalid;received={PHONE};rport=9"], (PHONE, 9), id="in one line"),
    pytest.param([f"{EDGE};branch=1", "edge.test;received=192.0.2.81;rport=5060", f"h;received={PHONE};rport=7"],
                 (PHONE, 7), id="two proxies of ours"),
    pytest.param([f"{EDGE};branch=1", f"h;received={PHONE};rport=7", "h;received=203.0.113.1;rport=1"], (PHONE, 7),
                 id="what the sender wrote below is not read"),
    pytest.param([f"{EDGE};branch=1", f"h;received=203.0.113.1;rport=1;received={PHONE};rport=7"], (PHONE, 7),
                 id="nor what he wrote before the proxy did"),
    pytest.param([f"{EDGE};branch=1", "phone.test;rport=7"], (EDGE, 5060), id="a proxy that did not look"),
    pytest.param([f"{EDGE};branch=1", f"h;received={PHONE};rport=99999999"], (PHONE, 5060), id="no port"),
    pytest.param([f"{EDGE};branch=1"], (EDGE, 5060), id="the proxy itself"),
])
def test_the_first_proxy_tells_where_the_phone_is(vias: list[str], seen: tuple[str, int]) -> None:
    lines = [f"SIP/2.0/UDP {via}".replace(", ", ", SIP/2.0/UDP ") for via in vias]
    request = Request("REGISTER", "sip:h", {"Via": lines})
    assert seen_by_edge(request, FROM_EDGE, is_edge) == seen


def test_who_is_no_proxy_of_ours_is_not_believed() -> None:
    request = Request("REGISTER", "sip:h", {"Via": ["SIP/2.0/UDP a", f"SIP/2.0/UDP b;received={PHONE};rport=1"]})
    assert seen_by_edge(request, Hop("UDP", "203.0.113.9", 5061), is_edge) == ("203.0.113.9", 5061)


@pytest.mark.parametrize(("peer", "header", "seen"), [
    pytest.param(EDGE, PHONE, PHONE, id="one proxy"),
    pytest.param(EDGE, f"203.0.113.9, {PHONE}", PHONE, id="what the page itself wrote is not read"),
    pytest.param(EDGE, f"{PHONE}, 192.0.2.81", PHONE, id="two proxies of ours"),
    pytest.param(EDGE, "", EDGE, id="a proxy that says nothing"),
    pytest.param(EDGE, f"{PHONE}, unknown", EDGE, id="no address"),
    pytest.param("203.0.113.9", PHONE, "203.0.113.9", id="no proxy of ours"),
])
def test_for_whom_web_proxies_speak(peer: str, header: str, seen: str) -> None:
    assert behind_proxies(peer, header, is_edge) == seen


def bound(path: str, transport: str = "UDP", source: str = EDGE, contact: str = "sip:a@10.0.0.3") -> Binding:
    return Binding(contact, source, 5080, transport, 0.0, "c", 1, flow=3, path=path)


@pytest.mark.parametrize(("binding", "hop"), [
    pytest.param(bound(""), Hop("UDP", EDGE, 5080, 3), id="no Path: where the REGISTER came from"),
    pytest.param(bound("", source="10.0.0.3"), Hop("UDP", "10.0.0.3", 5060, 3), id="no NAT: its Contact"),
    pytest.param(replace(bound("", source="10.0.0.3"), outbound=Flow("urn:1", 1)), Hop("UDP", "10.0.0.3", 5080, 3),
                 id="a flow, whatever its Contact"),
    pytest.param(bound(f"<sip:{EDGE}:5090;lr>"), Hop("UDP", EDGE, 5090, 3), id="its address and port"),
    pytest.param(bound(f"<sip:{EDGE};lr>, <sip:far;lr>"), Hop("UDP", EDGE, 5060, 3), id="the first of them"),
    pytest.param(bound(f"<sip:{EDGE};transport=tcp;lr>", "TCP"), Hop("TCP", EDGE, 5060, 3), id="its connection"),
    pytest.param(bound(f"<sip:{EDGE};transport=tcp;lr>"), Hop("UDP", EDGE, 5080, 3), id="another transport"),
    pytest.param(bound("<sip:192.0.2.81:5070;transport=tcp;lr>"), Hop("TCP", "192.0.2.81", 5070), id="another of ours"),
    pytest.param(bound("<sip:203.0.113.9;lr>"), Hop("UDP", EDGE, 5080, 3), id="a stranger's address"),
    pytest.param(bound("<sip:edge.test;lr>"), Hop("UDP", EDGE, 5080, 3), id="a name"),
])
def test_a_call_goes_by_the_first_of_the_path(binding: Binding, hop: Hop) -> None:
    assert hop_of(binding, is_edge) == hop
    assert routes_of(binding) == ([("Route", binding.path)] if binding.path else [])


def test_flows_of_one_phone_are_ways_to_ring_it_once_the_newest_first() -> None:
    desk = bound("")
    first, second = (replace(bound("", contact=f"sip:a@h{n}"), outbound=Flow("urn:1", n)) for n in (1, 2))
    assert by_phone([first, desk, second]) == [[second, first], [desk]]


@pytest.mark.parametrize(("status", "rang", "lost"), [
    (430, True, True), (408, False, True), (408, True, False), (486, False, False), (480, False, False),
])
def test_another_flow_is_tried_where_this_one_is_lost(status: int, rang: bool, lost: bool) -> None:
    assert flow_is_lost(status, rang) is lost
