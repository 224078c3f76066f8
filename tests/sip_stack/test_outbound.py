"""Path (RFC 3327), flows (RFC 5626) and STUN keep-alives (RFC 5389)."""

from __future__ import annotations

import pytest

from sip_stack.errors import BadMessage, PeerError
from sip_stack.hop import Hop
from sip_stack.message import Request
from sip_stack.outbound import NO_FLOW, Flow, flow_of, path_of
from sip_stack.registrar import Binding, register
from sip_stack.stun import binding_response

VIA, EDGE_VIA = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.80;branch=z9hG4bK2"
CONTACT = '<sip:a@10.0.0.1;ob>;+sip.instance="<urn:uuid:1>";reg-id=1'
SOURCE = Hop("TCP", "192.0.2.9", 40000, 7)


def ask(
    *contacts: str, supported: str = "path, outbound", path: tuple[str, ...] = (), vias: tuple[str, ...] = (VIA,),
    call_id: str = "c", cseq: int = 1,
) -> Request:
    fields = {"Via": list(vias), "Call-ID": [call_id], "CSeq": [f"{cseq} REGISTER"], "Contact": list(contacts)}
    if supported:
        fields["Supported"] = [supported]
    if path:
        fields["Path"] = list(path)
    return Request("REGISTER", "sip:h", fields)


@pytest.mark.parametrize(("path", "kept"), [
    pytest.param((), "", id="none"),
    pytest.param(("<sip:edge;lr>",), "<sip:edge;lr>", id="one"),
    pytest.param(("<sip:core;lr>", "<sip:tok@edge;lr;ob>"), "<sip:core;lr>, <sip:tok@edge;lr;ob>", id="in their order"),
])
def test_3327_5_3_the_path_is_kept_as_a_route(path: tuple[str, ...], kept: str) -> None:
    assert path_of(ask(path=path), trusted=False) == kept


def test_3327_5_3_a_path_that_the_phone_does_not_support_is_for_trusted_proxies() -> None:
    request = ask(path=("<sip:edge;lr>",), supported="")
    assert path_of(request, trusted=True) == "<sip:edge;lr>"
    with pytest.raises(PeerError) as refused:
        path_of(request, trusted=False)
    assert (refused.value.status, refused.value.headers) == (420, (("Unsupported", "path"),))


@pytest.mark.parametrize("path", ["<sip:edge>", "<tel:5551;lr>", "<sip:" + "e" * 1100 + ";lr>", "<sip:a b;lr>"])
def test_a_path_that_is_no_route_is_refused(path: str) -> None:
    with pytest.raises(BadMessage):
        path_of(ask(path=(path,)), trusted=True)


def flow(request: Request) -> Flow:
    return flow_of(request, request.addresses("Contact"))


@pytest.mark.parametrize(("request_", "found"), [
    pytest.param(ask(CONTACT), Flow("<urn:uuid:1>", 1), id="straight to us"),
    pytest.param(ask(CONTACT, vias=(EDGE_VIA, VIA), path=("<sip:core;lr>, <sip:edge;lr;ob>",)),
                 Flow("<urn:uuid:1>", 1), id="by a proxy that keeps flows"),
    pytest.param(ask(CONTACT, supported="path"), NO_FLOW, id="a phone that does not say outbound"),
    pytest.param(ask("<sip:a@10.0.0.1>;reg-id=1"), NO_FLOW, id="6: a reg-id without an instance is ignored"),
    pytest.param(ask('<sip:a@10.0.0.1>;+sip.instance="<urn:1>"'), NO_FLOW, id="an instance without a reg-id"),
])  # fmt: skip
def test_5626_6_the_flow_of_a_register(request_: Request, found: Flow) -> None:
    assert flow(request_) == found


@pytest.mark.parametrize(("request_", "status"), [
    pytest.param(ask(CONTACT, vias=(EDGE_VIA, VIA)), 439, id="a proxy without Path"),
    pytest.param(ask(CONTACT, vias=(EDGE_VIA, VIA), path=("<sip:core;lr;ob>, <sip:edge;lr>",)), 439,
                 id="5.1: it is the proxy next to the phone that must keep flows"),
    pytest.param(ask(CONTACT, "<sip:b@10.0.0.1>"), 400, id="a flow goes alone"),
    pytest.param(ask(CONTACT.replace("reg-id=1", "reg-id=0")), 400, id="no number"),
    pytest.param(ask(CONTACT.replace("reg-id=1", "reg-id=x")), 400, id="no digits"),
    pytest.param(ask(CONTACT.replace("urn:uuid:1", "u" * 300)), 400, id="a long instance"),
])  # fmt: skip
def test_5626_6_what_is_refused(request_: Request, status: int) -> None:
    with pytest.raises(PeerError) as refused:
        flow(request_)
    assert refused.value.status == status


def registered(*requests: Request) -> list[tuple[str, int]]:
    """(contact, reg-id) of what is bound after these."""
    bindings: tuple[Binding, ...] = ()
    for number, request in enumerate(requests):
        bindings = register(bindings, request, SOURCE._replace(flow=number), 1000.0)
    return [(b.contact, b.outbound.reg_id) for b in bindings]


SECOND = CONTACT.replace("reg-id=1", "reg-id=2")
MOVED = CONTACT.replace("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(("requests", "bound"), [
    pytest.param([ask(CONTACT), ask(SECOND)], [("sip:a@10.0.0.1;ob", 1), ("sip:a@10.0.0.1;ob", 2)], id="two flows"),
    pytest.param([ask(CONTACT), ask(MOVED, call_id="d")], [("sip:a@10.0.0.2;ob", 1)],
                 id="a flow that moved replaces itself, whatever its contact"),
    pytest.param([ask(CONTACT), ask(f"{MOVED};expires=0", call_id="d")], [], id="0 removes the flow"),
    pytest.param([ask(CONTACT), ask(CONTACT.replace("uuid:1", "uuid:2"), call_id="d")], [("sip:a@10.0.0.1;ob", 1)],
                 id="the same contact of another phone"),
    pytest.param([ask(CONTACT), ask("<sip:a@10.0.0.1;ob>", supported="")], [("sip:a@10.0.0.1;ob", 0)],
                 id="the same contact without outbound"),
])  # fmt: skip
def test_5626_6_a_flow_is_known_by_instance_and_reg_id(
    requests: list[Request], bound: list[tuple[str, int]]
) -> None:
    assert registered(*requests) == bound


ASKED = bytes.fromhex("0001 0000 2112a442") + b"0123456789ab"


def test_stun_a_binding_request_is_told_its_address() -> None:
    answer = binding_response(ASKED, "192.0.2.1", 32853)
    assert answer is not None
    assert answer[:20] == bytes.fromhex("0101 000c 2112a442") + b"0123456789ab"
    assert answer[20:] == bytes.fromhex("0020 0008 0001 a147 e112a643")  # RFC 5769 2.2


def test_stun_over_ipv6() -> None:
    answer = binding_response(ASKED, "2001:db8::1", 1)
    assert answer is not None
    assert (len(answer), answer[25]) == (44, 2)


@pytest.mark.parametrize("data", [
    b"", ASKED[:19], b"\x01\x01" + ASKED[2:], ASKED[:4] + b"abcd" + ASKED[8:], ASKED + b"more", b"\r\n\r\n" * 5,
])
def test_what_is_no_binding_request_is_not_answered(data: bytes) -> None:
    assert binding_response(data, "192.0.2.1", 1) is None
