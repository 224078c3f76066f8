"""RFC 3550 section 6 and appendices A.3, A.8: loss, jitter, reports."""

from __future__ import annotations

import pytest

from media.rtcp import Reception, Report, bye, ntp_middle, read_reports, sender_report


def heard(packets: list[tuple[int, int]], ssrc: int = 1) -> Reception:
    """A reception of (sequence, frames after the first arrival), each frame's timestamp on time."""
    reception = Reception()
    for sequence, frame in packets:
        reception.count(ssrc, sequence & 0xFFFF, sequence * 160, 100 + frame * 0.02)
    return reception


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [
        pytest.param([], 0, id="nothing heard"),
        pytest.param([1, 2, 3], 0, id="all there"),
        pytest.param([1, 2, 5], 2, id="a gap of two"),
        pytest.param([1, 3, 2, 4], 0, id="out of order is not lost"),
        pytest.param([1, 2, 2, 3, 3, 4], 0, id="duplicates are never fewer than none lost"),
        pytest.param([1, 2, 2, 5], 1, id="a duplicate counts the other way (A.3)"),
        pytest.param([65534, 65535, 65536, 65537], 0, id="the sequence wraps"),
        pytest.param([65534, 65537], 2, id="a gap across the wrap"),
        pytest.param([1, 2, 20000, 20001], 0, id="a jump is a new beginning, not 19997 lost"),
    ],
)
def test_lost(sequences: list[int], lost: int) -> None:
    assert heard([(n, n - sequences[0]) for n in sequences]).lost == lost


def test_a_new_source_keeps_the_losses_of_the_one_before() -> None:
    reception = heard([(1, 0), (3, 2)])
    reception.count(2, 500, 0, 101.0)
    reception.count(2, 503, 0, 101.1)
    assert (reception.lost, reception.total) == (1 + 2, 4)


def test_jitter_is_the_smoothed_mean_of_transit_differences() -> None:
    assert heard([(n, n) for n in range(20)]).jitter_ms == pytest.approx(0)
    shaken = Reception()
    expected = 0.0
    for n in range(50):
        shaken.count(1, n, n * 160, 100 + n * 0.02 + (0.004 if n % 2 else 0))
        expected += (32 - expected) / 16 if n else 0
    assert shaken.jitter == pytest.approx(expected, rel=1e-6)


def test_a_pause_of_the_sender_is_no_jitter() -> None:
    reception = heard([(1, 0), (2, 1)])
    reception.count(1, 3, 3 * 160, 130.0)
    assert reception.jitter_ms == pytest.approx(0)


def test_a_report_says_what_was_heard_since_the_last() -> None:
    reception = heard([(1, 0), (2, 1), (4, 3), (5, 4)])
    first = reception.block(0, 0)
    assert int.from_bytes(first[:4], "big") == 1
    assert first[4] == 1 * 256 // 5
    assert int.from_bytes(first[5:8], "big") == 1
    assert int.from_bytes(first[8:12], "big") == 5
    assert reception.block(0, 0)[4] == 0


def test_nothing_heard_makes_no_report_block() -> None:
    assert Reception().block(0, 0) == b""


def test_round_trip_from_the_far_ends_report_about_us() -> None:
    sent = sender_report(9, 1000.0, 0, 1, 160, b"")
    [report] = read_reports(sent)
    assert report == Report(ntp_middle(1000.0))
    theirs = heard([(1, 0)]).block(report.ntp_middle, round(0.5 * 65536))
    [answer] = read_reports(sender_report(8, 1000.6, 0, 1, 160, theirs))
    assert answer.round_trip_ms(ntp_middle(1000.65)) == pytest.approx(150, abs=0.1)
    assert answer.round_trip_ms(ntp_middle(1000.2)) is None


def test_before_anything_was_sent_the_report_is_an_rr() -> None:
    packet = sender_report(9, 1000.0, 0, 0, 0, heard([(1, 0), (3, 2)]).block(5, 6))
    assert packet[1] == 201
    assert list(read_reports(packet)) == [Report(0, lost=1, jitter=0, last_sr=5, delay=6)]


def test_a_compound_begins_with_a_report_and_names_us() -> None:
    packet = sender_report(0xABCD, 1000.0, 0, 1, 160, b"")
    assert packet[1] == 200
    assert packet[28 + 1] == 202
    assert b"0000abcd" in packet
    assert len(packet) % 4 == 0
    assert [bye(7)[1], bye(7)[8 + 1]] == [201, 203]


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x40\xc8" + bytes(26), b"\x80\xc8\xff\xff" + bytes(24)])
def test_what_cannot_be_read_says_nothing(data: bytes) -> None:
    assert list(read_reports(data)) == []


def test_a_report_with_a_block_cut_short_still_tells_when_it_was_sent() -> None:
    data = b"\x81\xc8\x00\x06" + (7).to_bytes(4, "big") + bytes(2) + b"\1\2\3\4" + bytes(14)
    assert list(read_reports(data)) == [Report(0x01020304)]
