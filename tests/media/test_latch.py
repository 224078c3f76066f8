"""DESIGN.md's latching rule: who is heard, and who never."""

from __future__ import annotations

import pytest

from media.latch import Latch
from media.sdp import MediaPeer

SDP, NATTED, STRANGER = ("10.0.0.5", 4000), ("192.0.2.7", 61000), ("203.0.113.9", 4000)
PHONE_IP = "192.0.2.7"
Packets = list[tuple[tuple[str, int], int, int, float]]


def described(address: str = "10.0.0.5", port: int = 4000) -> Latch:
    latch = Latch()
    latch.describe(MediaPeer(address, port, port + 1, "PCMU", 0), PHONE_IP)
    return latch


def row(source: tuple[str, int], count: int, ssrc: int = 1, first: int = 0, at: float = 0.0) -> Packets:
    return [(source, ssrc, first + n, at + n * 0.02) for n in range(count)]


@pytest.mark.parametrize(
    ("packets", "heard", "source"),
    [
        pytest.param(row(SDP, 2), [True, True], SDP, id="the described address at once"),
        pytest.param(row(NATTED, 5), [False] * 3 + [True] * 2, NATTED, id="the signalling IP after four in a row"),
        pytest.param(row(STRANGER, 50), [False] * 50, None, id="a stranger never"),
        pytest.param(row(NATTED, 3) + row(NATTED, 3, ssrc=2), [False] * 6, None, id="two SSRCs of three packets"),
        pytest.param(row(NATTED, 3) + row(NATTED, 3, first=4), [False] * 6, None, id="a gap in the sequence"),
        pytest.param(row((PHONE_IP, 1), 2) + row((PHONE_IP, 2), 2, first=2), [False] * 4, None, id="two ports"),
        pytest.param(row(NATTED, 4, first=65533), [False] * 3 + [True], NATTED, id="the sequence wraps"),
        pytest.param(row(NATTED, 1) + row(NATTED, 4, ssrc=2, at=5.1), [False] * 5, None, id="the window is over"),
        pytest.param(
            row(NATTED, 4) + row(SDP, 1) + row(STRANGER, 9),
            [False] * 3 + [True] + [False] * 10,
            NATTED,
            id="then nobody else",
        ),
        pytest.param(row(SDP, 1) + row(NATTED, 9), [True] + [False] * 9, SDP, id="the described address came first"),
    ],
)
def test_who_is_heard(packets: Packets, heard: list[bool], source: tuple[str, int] | None) -> None:
    latch = described()
    packets = [(where, ssrc, sequence & 0xFFFF, at) for where, ssrc, sequence, at in packets]
    assert [latch.admits(*packet) for packet in packets] == heard
    assert latch.source == source


def test_before_any_description_nobody_is_heard() -> None:
    latch = Latch()
    assert not any(latch.admits(*packet) for packet in row(NATTED, 9))
    assert latch.target is None
    assert not latch.admits_ip(PHONE_IP)


def test_after_silence_a_new_port_of_the_same_ip_is_learnt_and_the_old_one_is_believed_at_once() -> None:
    latch = described()
    for packet in row(NATTED, 4):
        latch.admits(*packet)
    latch.release()
    assert latch.target == NATTED
    assert not any(latch.admits(*packet) for packet in row(STRANGER, 9, at=3))
    moved = (PHONE_IP, 61999)
    assert [latch.admits(*packet) for packet in row(moved, 4, at=3)] == [False, False, False, True]
    latch.release()
    assert latch.admits(moved, 5, 5, 9)


def test_a_stream_latched_elsewhere_does_not_open_to_the_signalling_ip_after_silence() -> None:
    latch = described()
    latch.admits(SDP, 1, 1, 0)
    latch.release()
    assert not any(latch.admits(*packet) for packet in row(NATTED, 9, at=3))


def test_a_new_description_latches_again_and_the_same_one_keeps_the_latch() -> None:
    latch = described()
    for packet in row(NATTED, 4):
        latch.admits(*packet)
    assert not latch.describe(MediaPeer("10.0.0.5", 4000, 4001, "PCMA", 8), PHONE_IP)
    assert latch.source == NATTED
    assert latch.describe(MediaPeer("198.51.100.3", 7000, 7001, "PCMU", 0), PHONE_IP)
    assert latch.source is None
    assert latch.target == ("198.51.100.3", 7000)
    assert not latch.admits(*row(NATTED, 1)[0])
    assert latch.admits(("198.51.100.3", 7000), 1, 1, 0)


def test_rtcp_is_taken_from_the_ip_that_rtp_goes_to() -> None:
    latch = described()
    assert latch.admits_ip("10.0.0.5")
    assert not latch.admits_ip(PHONE_IP)
    for packet in row(NATTED, 4):
        latch.admits(*packet)
    assert latch.admits_ip(PHONE_IP)
