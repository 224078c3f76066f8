"""RFC 3261 10.3: bindings."""

from __future__ import annotations

import pytest

from sip_stack.errors import PeerError
from sip_stack.hop import Hop
from sip_stack.message import Request
from sip_stack.registrar import Binding, register

SOURCE = Hop("UDP", "192.0.2.9", 40000)
HERE = Binding("sip:a@10.0.0.1", "192.0.2.9", 40000, "UDP", 1600.0, "c1", 1, "phone")
OLD = Binding("sip:b@10.0.0.2", "192.0.2.8", 5060, "UDP", 1500.0, "c2", 5)


def ask(*contacts: str, expires: str = "", call_id: str = "c1", cseq: int = 2) -> Request:
    fields = {"Call-ID": [call_id], "CSeq": [f"{cseq} REGISTER"], "User-Agent": ["phone"]}
    if contacts:
        fields["Contact"] = list(contacts)
    if expires:
        fields["Expires"] = [expires]
    return Request("REGISTER", "sip:h", fields)


def have(bindings: tuple[Binding, ...]) -> list[tuple[str, float]]:
    return [(b.contact, b.expires_at) for b in bindings]


@pytest.mark.parametrize(("request_", "bindings"), [
    pytest.param(ask(), [("sip:a@10.0.0.1", 1600.0), ("sip:b@10.0.0.2", 1500.0)], id="a query changes nothing"),
    pytest.param(ask("<sip:c@h>;expires=60"), [("sip:a@10.0.0.1", 1600.0), ("sip:b@10.0.0.2", 1500.0), ("sip:c@h",
                 1060.0)],
                 id="a new contact"),
    pytest.param(ask("<sip:a@10.0.0.1>", expires="60"), [("sip:b@10.0.0.2", 1500.0), ("sip:a@10.0.0.1", 1060.0)],
                 id="a refresh goes last, by the Expires header"),
    pytest.param(ask("<sip:a@10.0.0.1>;expires=0"), [("sip:b@10.0.0.2", 1500.0)], id="0 removes"),
    pytest.param(ask("*", expires="0"), [], id="* removes all"),
    pytest.param(ask("<sip:a@10.0.0.1>;expires=99999999999999"), [("sip:b@10.0.0.2", 1500.0), ("sip:a@10.0.0.1",
                 4600.0)],
                 id="as long as we allow"),
    pytest.param(ask("<sip:a@10.0.0.1>;expires=" + "9" * 5000), [("sip:b@10.0.0.2", 1500.0), ("sip:a@10.0.0.1",
                 4600.0)], id="more digits than int takes at once"),
    pytest.param(ask("<sip:a@10.0.0.1>;expires=soon"), [("sip:b@10.0.0.2", 1500.0), ("sip:a@10.0.0.1", 4600.0)],
                 id="20.19: a malformed time is 3600"),
    pytest.param(ask("<sip:a@10.0.0.1>;expires=60", call_id="new", cseq=1),
                 [("sip:b@10.0.0.2", 1500.0), ("sip:a@10.0.0.1", 1060.0)],
                 id="a phone that restarted has a new Call-ID"),
    pytest.param(ask("<sip:a@10.0.0.1>, <sip:c@h>", expires="60"),
                 [("sip:b@10.0.0.2", 1500.0), ("sip:a@10.0.0.1", 1060.0), ("sip:c@h", 1060.0)], id="two contacts"),
])  # fmt: skip
def test_register(request_: Request, bindings: list[tuple[str, float]]) -> None:
    assert have(register((HERE, OLD), request_, SOURCE, 1000.0)) == bindings


@pytest.mark.parametrize(("request_", "status"), [
    pytest.param(ask("<sip:a@10.0.0.1>;expires=5"), 423, id="too short"),
    pytest.param(ask("<sip:a@10.0.0.1>", cseq=1), 500, id="10.3 step 7: the same CSeq again"),
    pytest.param(ask("<sip:a@10.0.0.1>;expires=0", cseq=1), 500, id="also to remove"),
    pytest.param(ask("*", expires="60"), 400, id="* with a time"),
    pytest.param(ask("*", "<sip:a@10.0.0.1>", expires="0"), 400, id="* not alone"),
    pytest.param(ask("*", expires="0", cseq=1), 500, id="* out of order"),
    pytest.param(ask("<sip:c@h>", "<sip:d@h>"), 403, id="too many"),
    pytest.param(ask("<sip:c@h"), 400, id="unreadable"),
])  # fmt: skip
def test_register_refuses(request_: Request, status: int) -> None:
    with pytest.raises(PeerError) as caught:
        register((HERE, OLD), request_, SOURCE, 1000.0, max_contacts=3)
    assert caught.value.status == status


def test_423_says_how_long() -> None:
    with pytest.raises(PeerError) as caught:
        register((), ask("<sip:a@h>;expires=5"), SOURCE, 1000.0, min_s=45)
    assert caught.value.headers == (("Min-Expires", "45"),)


def test_expired_bindings_are_gone_and_new_ones_say_where_the_phone_is() -> None:
    (binding,) = register((HERE, OLD), ask("<sip:a@10.0.0.1;transport=UDP>;expires=60"), SOURCE, 2000.0)
    assert binding == Binding("sip:a@10.0.0.1;transport=UDP", "192.0.2.9", 40000, "UDP", 2060.0, "c1", 2, "phone")
    assert (binding.uri.user, binding.uri.transport) == ("a", "UDP")
