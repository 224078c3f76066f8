"""RFC 3550 section 5: reading any RTP packet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtp import Packet, is_rtcp, parse, write

PLAIN = Packet(0, 7, 1120, 0xABCD, True, b"sound")


@given(
    st.builds(
        Packet,
        st.integers(0, 63),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.booleans(),
        st.binary(max_size=400),
    )
)
def test_what_is_written_is_read(packet: Packet) -> None:
    assert parse(write(packet)) == packet


@given(st.binary(max_size=80))
def test_any_octets_are_a_packet_or_none(data: bytes) -> None:
    packet = parse(data)
    assert packet is None or len(packet.payload) <= len(data) - 12


@pytest.mark.parametrize(
    ("data", "packet"),
    [
        pytest.param(write(PLAIN)[:11], None, id="cut short"),
        pytest.param(b"\x40" + write(PLAIN)[1:], None, id="version 1"),
        pytest.param(b"\x82" + write(PLAIN)[1:12] + bytes(8) + b"sound", PLAIN, id="two contributing sources"),
        pytest.param(b"\x82" + write(PLAIN)[1:12] + bytes(4), None, id="fewer sources than said"),
        pytest.param(b"\x90" + write(PLAIN)[1:12] + b"\xbe\xde\0\1wxyzsound", PLAIN, id="a header extension"),
        pytest.param(b"\x90" + write(PLAIN)[1:12] + b"\xbe", None, id="an extension cut short"),
        pytest.param(b"\xa0" + write(PLAIN)[1:] + b"\0\0\3", PLAIN, id="padding of 3"),
        pytest.param(b"\xa0" + write(PLAIN)[1:] + b"\xff", None, id="more padding than packet"),
        pytest.param(b"\x81\xc8" + bytes(26), None, id="an RTCP sender report"),
    ],
)
def test_odd_packets(data: bytes, packet: Packet | None) -> None:
    assert parse(data) == packet


def test_rtcp_is_told_from_rtp_by_rfc_5761() -> None:
    assert [is_rtcp(octet) for octet in (0, 101, 128 + 8, 128 + 101, 191, 200, 204, 223, 224)] == [
        False,
        False,
        False,
        False,
        False,
        True,
        True,
        True,
        False,
    ]
