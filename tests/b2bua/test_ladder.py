"""What a ladder keeps, and what it shows of it."""

from __future__ import annotations

import pytest

from b2bua.ladder import EXTENSION, PSTN, RINGBACK, Ladder, Texts

INVITE = b"INVITE sip:b@h SIP/2.0\r\nCall-ID: 1\r\n\r\nv=0"
RINGING = b"SIP/2.0 180 Ringing\r\nCall-ID: 1\r\n\r\n"


def shown(ladder: Ladder) -> list[tuple[str, str]]:
    return [(row.title, row.text) for row in ladder.rows()]


def test_a_message_is_a_row_with_its_lanes_its_title_and_its_text() -> None:
    ladder = Ladder(10.0)
    ladder.sip(10.5, PSTN, True, INVITE)
    ladder.sip(11.0, EXTENSION, False, RINGING)
    ladder.row(12.0, "event", RINGBACK, PSTN, "joined")
    rows = ladder.rows()
    assert [(row.at_s, row.kind, row.source, row.target) for row in rows] == [
        (0.5, "sip", PSTN, RINGBACK), (1.0, "sip", RINGBACK, EXTENSION), (2.0, "event", RINGBACK, PSTN),
    ]  # fmt: skip
    assert shown(ladder) == [("INVITE", INVITE.decode()), ("180 Ringing", RINGING.decode()), ("joined", "")]
    assert [row.n for row in ladder.rows(after=0)] == [1, 2]


@pytest.mark.parametrize(("sent", "title", "text"), [
    pytest.param(b"\r\nBYE sip:b@h SIP/2.0\r\n\r\n", "BYE", "\r\nBYE sip:b@h SIP/2.0\r\n\r\n", id="a CRLF before it"),
    pytest.param(b"BYE sip:b@h SIP/2.0\r\nAuthorization: Digest x\r\n\r\n", "BYE",
                 "BYE sip:b@h SIP/2.0\r\nAuthorization: Digest (masked)\r\n\r\n", id="a proof is masked"),
    pytest.param(b"INFO sip:b@h SIP/2.0\r\n\r\nSignal=5", "INFO", "INFO sip:b@h SIP/2.0\r\n\r\n(masked)",
                 id="keys are masked"),
])  # fmt: skip
def test_what_is_shown_of_a_message(sent: bytes, title: str, text: str) -> None:
    ladder = Ladder(0.0)
    ladder.sip(0.0, PSTN, True, sent)
    assert shown(ladder) == [(title, text)]


def test_only_the_newest_plain_calls_keep_whole_texts() -> None:
    texts = Texts(most=1)
    old, new, own = texts.keep(Ladder(0.0)), Ladder(0.0), Ladder(0.0)
    for ladder in (old, new, own):
        ladder.sip(0.0, PSTN, True, INVITE)
        ladder.row(0.0, "event", PSTN, PSTN, "joined")
    texts.keep(new)
    for ladder in (old, new, own):
        ladder.sip(0.0, PSTN, False, RINGING)
    assert shown(old) == [("INVITE", "INVITE sip:b@h SIP/2.0"), ("joined", ""), ("180 Ringing", "SIP/2.0 180 Ringing")]
    assert shown(new) == shown(own) == [("INVITE", INVITE.decode()), ("joined", ""), ("180 Ringing", RINGING.decode())]


def test_a_ladder_has_an_end_and_figures_leave_room_for_it() -> None:
    ladder = Ladder(0.0)
    for _ in range(500):
        ladder.row(0.0, "rtp", PSTN, RINGBACK, "RTP")
    assert len(ladder.rows()) == 200
    for _ in range(500):
        ladder.sip(0.0, PSTN, True, INVITE)
    assert len(ladder.rows()) == 400
