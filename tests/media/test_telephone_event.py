"""RFC 4733: keys are told once, whatever is lost, repeated or foreign."""

from __future__ import annotations

import pytest

from media.telephone_event import KeyReader, burst

DIGIT_5 = bytes((5, 10, 0, 160))
END_5 = bytes((5, 0x8A, 3, 0x20))
SIPP_ZEROS = bytes(4)


@pytest.mark.parametrize(
    ("packets", "keys"),
    [
        pytest.param([(1, 100, DIGIT_5)] * 10 + [(1, 100, END_5)] * 3, "5", id="thirteen packets are one key"),
        pytest.param([(1, 100, DIGIT_5)], "5", id="every End packet lost"),
        pytest.param([(1, 100, END_5)], "5", id="only an End packet arrives"),
        pytest.param([(1, 100, DIGIT_5), (1, 500, DIGIT_5)], "55", id="the next event only 400 later"),
        pytest.param([(1, 500, DIGIT_5), (1, 100, END_5), (1, 500, END_5)], "5", id="a late End of the key before"),
        pytest.param([(1, 0xFFFFFF00, DIGIT_5), (1, 0x10, DIGIT_5)], "55", id="the timestamp wraps"),
        pytest.param([(1, 100, DIGIT_5), (2, 100, DIGIT_5)], "55", id="another source is another key"),
        pytest.param([(1, 100, SIPP_ZEROS)] * 20, "", id="all-zero packets are no digit 0"),
        pytest.param([(1, 100, bytes((0, 0, 0, 160)))], "0", id="digit 0 at volume 0 has a duration"),
        pytest.param([(1, 100, bytes((16, 10, 0, 160)))], "", id="a hook flash is no key"),
        pytest.param([(1, 100, b"\x05\x0a")], "", id="a payload cut short"),
        pytest.param(
            [(1, 1, bytes((10, 1, 0, 1))), (1, 2, bytes((11, 1, 0, 1))), (1, 3, bytes((15, 1, 0, 1)))],
            "*#D",
            id="star, hash, D",
        ),
    ],
)
def test_keys_in(packets: list[tuple[int, int, bytes]], keys: str) -> None:
    reader = KeyReader()
    assert "".join(reader.read(*packet) for packet in packets) == keys


def test_a_burst_is_five_packets_and_three_ends() -> None:
    packets = list(burst("#"))
    assert [first for _, first in packets] == [True] + [False] * 7
    assert [payload[0] for payload, _ in packets] == [11] * 8
    assert [payload[1] & 0x80 for payload, _ in packets] == [0] * 5 + [0x80] * 3
    assert [int.from_bytes(payload[2:], "big") for payload, _ in packets] == [160, 320, 480, 640, 800, 800, 800, 800]
