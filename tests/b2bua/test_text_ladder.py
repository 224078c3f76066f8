"""The ladder as text."""

import pytest

from b2bua.desk import LadderRow
from b2bua.trace.text_ladder import heading, text_line


@pytest.mark.parametrize(
    ("row", "line"),
    [
        pytest.param(
            LadderRow(0, 0.0051, "sip", 1, 0, "INVITE"),
            "  0.005  |<------ INVITE ------|                     |",
            id="to the left",
        ),
        pytest.param(
            LadderRow(0, 1.0, "sip", 1, 2, "INVITE"),
            "  1.000  |                     |------- INVITE ----->|",
            id="to the right",
        ),
        pytest.param(
            LadderRow(0, 1.0, "event", 0, 2, "joined"),
            "  1.000  |:::::::::::::::::: joined ::::::::::::::::>|",
            id="across",
        ),
        pytest.param(
            LadderRow(0, 61.25, "event", 1, 1, "ended: talked"),
            " 61.250  |                     *                     |  ended: talked",
            id="at one lane",
        ),
        pytest.param(
            LadderRow(0, 1.0, "sip", 2, 1, "407 Proxy Authentication Required"),
            "  1.000  |                     |<--------------------|  407 Proxy Authentication Required",
            id="a title that is too long stands beside",
        ),
        pytest.param(
            LadderRow(0, 1.0, "prompt", 1, 0, "said: " + "word " * 20),
            "  1.000  |<....................|                     |  " + ("said: " + "word " * 20)[:57] + "...",
            id="a long prompt is cut",
        ),
    ],
)
def test_text_line(row, line):
    assert text_line(row) == line


def test_the_names_stand_above_their_lanes():
    assert heading(("John", "Ringback", "PSTN")) == "      s  John              Ringback               PSTN"
