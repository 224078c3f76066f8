"""What the simulated PSTN does by a number's last digits: the one table of demo, demo-call, tests and SIPp."""

from __future__ import annotations

from dataclasses import dataclass

from b2bua.outcome import Outcome

__all__ = ["AREA", "ROWS", "Row", "row_of"]

AREA = "+1202555"
"""555-0100 to 555-0199 are kept for fiction: nobody has these numbers."""


@dataclass(frozen=True, slots=True)
class Row:
    """One number of the simulated PSTN, and how a CallNow call to it ends when John accepts."""

    digits: str
    name: str
    does: str
    scenario: str
    """The file in sipp_scenarios/ that does the same."""
    outcome: Outcome
    answers: bool = True
    heard: bool = True
    """The one who answered sends sound."""

    @property
    def number(self) -> str:
        """In E.164."""
        return AREA + self.digits


ROWS = (
    Row("0100", "talks", "Answers and talks, then repeats what it hears", "trunk_answer", Outcome.TALKED),
    Row("0101", "busy", "Is busy (486)", "trunk_busy", Outcome.VISITOR_BUSY, answers=False),
    Row(
        "0102", "no answer", "Rings, and nobody answers", "trunk_no_answer", Outcome.VISITOR_NO_ANSWER, answers=False
    ),
    Row("0103", "declined", "Declines the call (603)", "trunk_declined_603", Outcome.VISITOR_DECLINED, answers=False),
    Row("0104", "hangs up", "Answers, talks and hangs up after 5 s", "trunk_answer_bye_after", Outcome.TALKED),
    Row(
        "0105", "early media", "Plays a tone before answering (183), then says 404", "trunk_early_media_then_404",
        Outcome.VISITOR_FAILED, answers=False,
    ),
    Row(
        "0106", "one-way audio", "Answers and sends no sound: the call ends for want of RTP", "trunk_one_way_audio",
        Outcome.MEDIA_LOST, heard=False,
    ),
    Row(
        "0107", "RTP stops", "Answers, talks, and its sound stops after 3 s: the call ends for want of RTP",
        "trunk_rtp_stops", Outcome.MEDIA_LOST,
    ),
    Row(
        "0108", "hold", "Answers, puts the call on hold after 3 s and takes it back 3 s later", "trunk_hold_reinvite",
        Outcome.TALKED,
    ),
    Row("0109", "digest", "Asks for a password (407), then answers and talks", "trunk_digest_407", Outcome.TALKED),
)  # fmt: skip

_BY_DIGITS = {row.digits: row for row in ROWS}


def row_of(number: str) -> Row:
    """The row of a number by its last four digits; every other number answers and talks, as the first row does."""
    return _BY_DIGITS.get(number[-4:], ROWS[0])
