"""The whole core with calls in progress, and any bytes between: no exception, every request answered, nothing left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_stack.core import Hop, SipCore
from sip_stack.errors import BadMessage
from sip_stack.framing import BadFrame, Framer
from sip_stack.message import Request, Response, parse
from tests.fuzz import found
from tests.fuzz.damage import damaged, request, response
from tests.sip_stack.conftest import Agent, Wire

STRANGER = Hop("UDP", "10.0.0.66", 6666)
METHODS = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "REGISTER", "MESSAGE", "PRACK", "UPDATE", "REFER", "HELLO",
]  # fmt: skip


class Server(Agent):
    """Who is fuzzed: it has a call up in each direction, one ringing in each, and a question of its own."""

    def __init__(self, wire: Wire) -> None:
        from sip_stack.timers import RFC

        super().__init__(wire, "10.0.0.2", RFC)
        wire.agents["10.0.0.2"] = self
        self.peer = wire.agent("10.0.0.1")
        self.silent = type("Silent", (), {"hop": Hop("UDP", "10.0.0.9", 5060)})
        self.dialled = []
        self.called = []
        for answered in (True, False):
            self.called.append(self.peer.dial(self))
            wire.run(0.1)
            self.call.ring()
            if answered:
                self.call.answer(b"answer")
            wire.run(0.1)
        for answered in (True, False):
            self.dialled.append(self.dial(self.peer))
            wire.run(0.1)
            self.peer.call.ring()
            if answered:
                self.peer.call.answer(b"answer")
            wire.run(0.1)
        self.dialled.append(self.dial(self.silent))  # type: ignore[arg-type]
        self.core.request(request_to(self.core), self.silent.hop, lambda response: None)
        wire.ladder.clear()

    def leaves(self) -> None:
        """Hang up whatever is there."""
        for call in [*self.calls, *self.dialled, *self.peer.calls, *self.called]:
            with suppress(AttributeError):
                call.cancel()  # type: ignore[union-attr]
            call.bye()


def request_to(core: SipCore) -> Request:
    """A question outside any dialog."""
    fields = {"From": ["<sip:a@h>;tag=q"], "To": ["<sip:b@h>"], "Call-ID": ["question"], "CSeq": ["1 OPTIONS"]}
    return Request("OPTIONS", "sip:b@h", fields)


class Known(NamedTuple):
    """What is true of the calls in progress, to be mixed as nobody should."""

    call_ids: list[str]
    tags: list[str]
    vias: list[str]
    cseqs: list[int]


def known(wire: Wire) -> Known:
    """Everything said so far, and a few things nobody said."""
    messages = wire.messages
    tags = {m.from_.tag for m in messages} | {m.to.tag for m in messages} | {"", "nobody"}
    vias = {m.fields["Via"][0].partition(";received")[0] for m in messages}
    return Known(
        sorted({m.call_id for m in messages} | {"nobody@h"}),
        sorted(tags),
        sorted(vias),
        sorted({m.cseq.number for m in messages} | {0, 9, 2**31 - 1}),
    )


@st.composite
def mixed(draw: st.DrawFn, facts: Known) -> bytes:
    """A request or a response that knows some of what is going on: wrong tags, old numbers, branches of others."""
    from_, to = draw(st.sampled_from(facts.tags)), draw(st.sampled_from(facts.tags))
    method, number = draw(st.sampled_from(METHODS)), draw(st.sampled_from(facts.cseqs))
    branch = st.sampled_from(["z9hG4bK-f1", "z9hG4bK-f2", "old", ""])
    via = draw(st.sampled_from(facts.vias) | branch.map(lambda b: f"SIP/2.0/UDP 10.0.0.1;branch={b};rport"))
    told = {
        "via": via, "from_": f"<sip:alice@10.0.0.1>;tag={from_}" if from_ else "<sip:alice@10.0.0.1>",
        "to": f"<sip:bob@10.0.0.2>;tag={to}" if to else "<sip:bob@10.0.0.2>",
        "call_id": draw(st.sampled_from(facts.call_ids)),
    }  # fmt: skip
    if draw(st.booleans()):
        return request(method, cseq=number, body=draw(st.sampled_from(["", "v=0\r\n", "Signal=5"])), **told)
    status = draw(
        st.sampled_from([100, 180, 183, 200, 202, 302, 401, 407, 408, 422, 481, 486, 487, 491, 503, 600, 699])
    )
    more = draw(st.sampled_from([[], ['WWW-Authenticate: Digest realm="r", nonce="n"'], ["Record-Route: <sip:p;lr>"]]))
    return response(status, cseq=f"{number} {method}", more=more, **told)


def _facts() -> Known:
    wire = Wire()
    Server(wire)
    return known(wire)


FACTS = _facts()  # the in-memory wire gives the same names each time
ANYTHING = damaged(mixed(FACTS), 2) | st.binary(max_size=60)


@given(st.lists(st.tuples(ANYTHING, st.sampled_from(["10.0.0.1", "stranger", "TCP"]), st.floats(0, 3)), max_size=8))
def test_whatever_comes_no_exception_every_request_answered_and_nothing_left(
    said: list[tuple[bytes, str, float]],
) -> None:
    wire = Wire()
    server = Server(wire)
    asked = [data for data, source, wait in said if meet(wire, server, data, source, wait)]
    finish(wire, server)
    unanswered(wire, asked)


@pytest.mark.parametrize("data", found.MESSAGES)
def test_what_once_broke_us(data: bytes) -> None:
    wire = Wire()
    server = Server(wire)
    meet(wire, server, data, "10.0.0.1", 0.1)
    finish(wire, server)
    unanswered(wire, [data])


def meet(wire: Wire, server: Server, data: bytes, source: str, wait: float) -> bool:
    """Let the server hear it, and some time pass; whether it came in whole."""
    if source == "TCP":
        framer, whole = Framer(), []
        with suppress(BadFrame):
            whole += framer.feed(data)
        for message in whole:
            server.core.receive(message, Hop("TCP", "10.0.0.66", 6666, 1))
    else:
        server.core.receive(data, STRANGER if source == "stranger" else Hop("UDP", source, 5060))
    assert server.bugs == []
    wire.run(wait)
    return source != "TCP" or whole == [data]


def finish(wire: Wire, server: Server) -> None:
    """Everybody hangs up, 64*T1 pass more than once: every table of the core is empty again."""
    server.leaves()
    wire.run(60.0)
    server.leaves()  # what was answered meanwhile
    wire.run(200.0)
    assert server.bugs == []
    assert server.core.load == {"clients": 0, "servers": 0, "dialogs": 0}
    assert (server.core._merged, server.core._wheel._slots) == (set(), {})


def unanswered(wire: Wire, asked: Iterable[bytes]) -> None:
    """18.2.2: what has a Via that can be read is answered to it; an ACK and a response never are.

    What repeats an INVITE of a call that is up was answered before, and is absorbed (RFC 6026 7.1).
    """
    answers = [m for m in wire.messages if isinstance(m, Response)]
    for data in asked:
        message = parse(data)
        if not isinstance(message, Request) or message.method == "ACK":
            continue
        with suppress(BadMessage):
            via = message.via
            there = [m for m in answers if same_place(m, via)]
            assert there, f"never answered: {data!r}"


def same_place(answer: Response, via: Any) -> bool:
    with suppress(BadMessage):
        return (answer.via.branch, answer.via.host, answer.via.port) == (via.branch, via.host, via.port)
    return False


FLOODS: dict[str, Callable[[Server, int], bytes]] = {
    "ACKs of nobody": lambda s, n: request("ACK", cseq=n, call_id=f"flood{n}"),
    "ACKs to a call that is up": lambda s, n: request(
        "ACK", to=f"<sip:bob@h>;tag={s.calls[0].local_tag}", call_id=s.calls[0].call_id, cseq=n
    ),
    "BYEs with a wrong tag": lambda s, n: request(
        "BYE", to=f"<sip:b@h>;tag={s.calls[0].local_tag}", from_=f"<sip:a@h>;tag=x{n}", call_id=s.calls[0].call_id
    ),
    "CANCELs of others' calls": lambda s, n: request("CANCEL", via=f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{n}"),
    "answers nobody waits for": lambda s, n: response(
        200, via=f"SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{n:06x}x", from_="<sip:a@h>;tag=1", to="<sip:b@h>;tag=2",
        call_id="c", cseq="1 INVITE",
    ),
    "methods nobody knows": lambda s, n: request("HELLO", via=f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{n}"),
    "broken INVITEs": lambda s, n: request("INVITE", via=f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{n}", from_="x"),
}  # fmt: skip


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_that_begins_nothing_leaves_nothing_behind(flood: str) -> None:
    wire = Wire()
    server = Server(wire)
    before = server.core.load
    for n in range(2000):
        server.core.receive(FLOODS[flood](server, n), STRANGER)
    lingering = 2000 if "CANCEL" in flood or "BYE" in flood else 0  # their answers are kept for repeats, 32 s
    load = server.core.load
    assert load["servers"] <= before["servers"] + lingering
    assert (load["clients"], load["dialogs"]) == (before["clients"], before["dialogs"])
    wire.run(40.0)
    assert server.core.load["servers"] <= before["servers"]
    assert server.calls[0].dialog is not None, "the call that was up is up"
    assert not server.calls[0].over
    finish(wire, server)
