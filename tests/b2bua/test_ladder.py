"""What a ladder keeps, and what it shows of it."""

from __future__ import annotations

import weakref
from types import SimpleNamespace

import pytest

from b2bua.trace.ladder import EXTENSION, PSTN, RINGBACK, Ladder, LadderLimits, Ladders
from sip_stack.hop import Hop

INVITE = b"INVITE sip:b@h SIP/2.0\r\nCall-ID: 1\r\n\r\nv=0"
RINGING = b"SIP/2.0 180 Ringing\r\nCall-ID: 1\r\n\r\n"
PEER, SIX = Hop("UDP", "192.0.2.1", 5070), Hop("TCP", "2001:db8::1", 5070)


class Kept(Ladders):
    """The ladders of a server whose clock is set by each message."""

    def __init__(self, limits: LadderLimits | None = None) -> None:
        local = lambda hop: ("2001:db8::9" if ":" in hop.host else "192.0.2.9", 5060)  # noqa: E731
        super().__init__(limits or LadderLimits(), local, lambda: self.at)
        self.at = 0.0

    def new(self, start: float = 0.0, *, plain: bool = True) -> Wired:
        return Wired(self, start, plain=plain)


class Wired(Ladder):
    """One with a Call-ID for each lane."""

    __slots__ = ("__weakref__", "kept")

    def __init__(self, kept: Kept, start: float, *, plain: bool) -> None:
        super().__init__(kept, start, plain=plain)
        self.kept = kept

    def sip(self, at: float, lane: int, received: bool, data: bytes, hop: Hop) -> None:
        call_id, self.kept.at = f"{id(self)} {lane}", at
        leg = SimpleNamespace(call=SimpleNamespace(ladder=self), lane=lane)
        self.kept.wires[call_id] = leg  # type: ignore[assignment]
        self.kept.tap(received, data, hop, call_id)


def shown(ladder: Ladder) -> list[tuple[str, str]]:
    return [(row.title, row.text) for row in ladder.rows()]


def test_a_message_is_a_row_with_its_lanes_its_title_and_its_text() -> None:
    ladder = Kept().new(10.0)
    ladder.sip(10.5, PSTN, True, INVITE, PEER)
    ladder.sip(11.0, EXTENSION, False, RINGING, PEER)
    ladder.row(12.0, "event", RINGBACK, PSTN, "joined")
    rows = ladder.rows()
    assert [(row.at_s, row.kind, row.source, row.target) for row in rows] == [
        (0.5, "sip", PSTN, RINGBACK), (1.0, "sip", RINGBACK, EXTENSION), (2.0, "event", RINGBACK, PSTN),
    ]  # fmt: skip
    assert shown(ladder) == [("INVITE", INVITE.decode()), ("180 Ringing", RINGING.decode()), ("joined", "")]
    assert [row.n for row in ladder.rows(after=0)] == [1, 2]


@pytest.mark.parametrize(("sent", "title", "text"), [
    pytest.param(b"\r\nBYE sip:b@h SIP/2.0\r\n\r\n", "BYE", "\r\nBYE sip:b@h SIP/2.0\r\n\r\n", id="a CRLF before it"),
    pytest.param(b"INFO sip:b@h SIP/2.0\r\n\r\nSignal=5", "INFO", "INFO sip:b@h SIP/2.0\r\n\r\nxxxxxxxx",
                 id="secrets are masked"),
])  # fmt: skip
def test_what_is_shown_of_a_message(sent: bytes, title: str, text: str) -> None:
    ladder = Kept().new()
    ladder.sip(0.0, PSTN, True, sent, PEER)
    assert shown(ladder) == [(title, text)]


def test_who_sent_it_to_whom() -> None:
    ladder = Kept().new()
    ladder.sip(0.0, PSTN, True, INVITE, PEER)
    ladder.sip(0.0, PSTN, False, RINGING, SIX)
    assert [(row.transport, row.sent_from, row.sent_to) for row in ladder.rows()] == [
        ("UDP", "192.0.2.1:5070", "192.0.2.9:5060"), ("TCP", "[2001:db8::9]:5060", "[2001:db8::1]:5070"),
    ]  # fmt: skip


def test_only_the_newest_plain_calls_keep_whole_texts() -> None:
    kept = Kept(LadderLimits(plain=1))
    old, new, own = kept.new(0.0, plain=True), kept.new(0.0, plain=True), kept.new(0.0, plain=False)
    for ladder in (own, old):
        ladder.sip(0.0, PSTN, True, INVITE, PEER)
        ladder.row(0.0, "event", PSTN, PSTN, "joined")
    new.sip(0.0, PSTN, True, INVITE, PEER)
    for ladder in (old, new, own):
        ladder.sip(0.0, PSTN, False, RINGING, PEER)
    assert shown(old) == [("INVITE", "INVITE sip:b@h SIP/2.0"), ("joined", ""), ("180 Ringing", "SIP/2.0 180 Ringing")]
    assert shown(new) == [("INVITE", INVITE.decode()), ("180 Ringing", RINGING.decode())]
    assert shown(own) == [("INVITE", INVITE.decode()), ("joined", ""), ("180 Ringing", RINGING.decode())]


def test_all_together_keep_no_more_than_they_may_the_oldest_plain_call_gives_way_first() -> None:
    kept, half = Kept(LadderLimits(mb=1)), INVITE + b"x" * (1 << 19)
    own, plain, last = kept.new(0.0, plain=False), kept.new(0.0, plain=True), kept.new(0.0, plain=False)
    own.sip(0.0, PSTN, True, INVITE, PEER)
    plain.sip(0.0, PSTN, True, half, PEER)
    last.sip(0.0, PSTN, True, half, PEER)
    assert [ladder.size > 0 for ladder in (own, plain, last)] == [True, False, True]
    last.sip(0.0, PSTN, True, half, PEER)
    assert [ladder.size > 0 for ladder in (own, plain, last)] == [False, False, False]
    assert shown(last) == [("INVITE", "INVITE sip:b@h SIP/2.0")] * 2


def test_a_call_that_nobody_can_look_at_any_more_makes_room() -> None:
    kept, most = Kept(LadderLimits(mb=1)), INVITE + b"x" * ((1 << 20) - 100)
    first, second = kept.new(0.0, plain=False), kept.new(0.0, plain=False)
    first.sip(0.0, PSTN, True, most, PEER)
    kept.drop(first)
    kept.drop(first)
    second.sip(0.0, PSTN, True, most, PEER)
    assert second.size == len(most)


def test_short_messages_are_counted_by_and_by() -> None:
    kept = Kept(LadderLimits(mb=1))
    first, second = kept.new(), kept.new()
    for _ in range(300):
        first.sip(0.0, PSTN, True, INVITE + b"x" * 2000, PEER)
        second.sip(0.0, PSTN, True, INVITE + b"x" * 2000, PEER)
    assert (first.size, 580_000 < second.size <= kept.bytes <= 1 << 20) == (0, True)
    assert shown(first)[-1] == ("INVITE", "INVITE sip:b@h SIP/2.0")
    assert shown(second)[-1] == ("INVITE", f"{INVITE.decode()}{'x' * 2000}")


def test_what_became_no_call_is_not_kept() -> None:
    kept = Kept(LadderLimits(plain=1))
    refused = [weakref.ref(kept.new(plain=plain)) for plain in (False, True)]
    assert kept.new() is not None
    assert [ladder() for ladder in refused] == [None, None]


def test_without_messages_there_is_no_ladder() -> None:
    ladder = Kept(LadderLimits(messages=0)).new(0.0, plain=False)
    ladder.sip(0.0, PSTN, True, INVITE, PEER)
    ladder.row(0.0, "event", PSTN, PSTN, "joined")
    assert ladder.rows() == []


def test_a_ladder_has_an_end_and_figures_leave_room_for_it() -> None:
    ladder = Kept().new()
    for _ in range(500):
        ladder.row(0.0, "rtp", PSTN, RINGBACK, "RTP")
    assert len(ladder.rows()) == 200
    for _ in range(500):
        ladder.sip(0.0, PSTN, True, INVITE, PEER)
    assert len(ladder.rows()) == 400
