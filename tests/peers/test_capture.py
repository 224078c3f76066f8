from __future__ import annotations

import struct

import pytest

from sipp_scenarios.make_captures import capture
from tests.peers.capture import Datagram, read_pcap, relayed_share, rtp_streams, sip_messages


def pcap(frame: bytes, *, link: int = 1, order: str = "<", cut: int = 0) -> bytes:
    head = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, link)
    return head + struct.pack(order + "IIII", 10, 500_000, len(frame), len(frame)) + frame[: len(frame) - cut]


def ip(payload: bytes = b"hi", *, protocol: int = 17, fragment: int = 0, version: int = 4) -> bytes:
    udp = struct.pack("!HHHH", 5060, 5062, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | 5, 0, 20 + len(udp), 1, fragment, 64, protocol, 0,
                       bytes([127, 0, 0, 1]), bytes([127, 0, 0, 2]))
    return head + udp


ETHERNET = bytes(12) + b"\x08\x00"
ONE = [Datagram(10.5, "127.0.0.1:5060", "127.0.0.2:5062", b"hi")]


@pytest.mark.parametrize(("data", "found"), [
    pytest.param(pcap(ETHERNET + ip()), ONE, id="Ethernet"),
    pytest.param(pcap(ETHERNET + ip(), order=">"), ONE, id="the other byte order"),
    pytest.param(pcap(ip(), link=101), ONE, id="raw IP"),
    pytest.param(pcap(bytes(14) + b"\x08\x00" + ip(), link=113), ONE, id="Linux cooked"),
    pytest.param(pcap(b"\x08\x00" + bytes(18) + ip(), link=276), ONE, id="Linux cooked 2"),
    pytest.param(pcap(ETHERNET + ip() + bytes(6)), ONE, id="padding after the datagram is not payload"),
    pytest.param(pcap(bytes(12) + b"\x86\xdd" + ip(version=6)), [], id="IPv6 is passed over"),
    pytest.param(pcap(ETHERNET + ip(protocol=6)), [], id="TCP is passed over"),
    pytest.param(pcap(ETHERNET + ip(fragment=0x2000)), [], id="a fragment is passed over"),
    pytest.param(pcap(ETHERNET + ip(), cut=3), [], id="an unfinished record ends the file"),
    pytest.param(pcap(b""), [], id="an empty frame"),
])
def test_read_pcap(data: bytes, found: list[Datagram]) -> None:
    assert list(read_pcap(data)) == found


@pytest.mark.parametrize("data", [b"", b"\x0a\x0d\x0d\x0a" + bytes(40), pcap(ip(), link=9)])
def test_read_pcap_refuses_other_files(data: bytes) -> None:
    with pytest.raises(ValueError, match="pcap|link type"):
        list(read_pcap(data))


def test_the_tone_of_the_scenarios_is_one_whole_rtp_stream() -> None:
    (stream,) = rtp_streams(read_pcap(capture(440.0)))
    assert (len(stream.packets), stream.missing, stream.packets[0].marker) == (400, 0, True)
    assert [packet.sequence for packet in stream.packets] == list(range(400))
    assert len(stream.audio()) == 8 * 8000
    assert [packet.sequence for packet in stream.between(1.0, 1.1)] == [50, 51, 52, 53, 54]


def rtp(sequence: int, payload: bytes = b"x", at: float = 0.0, ssrc: int = 1) -> Datagram:
    return Datagram(at, "a:1", "b:2", struct.pack("!BBHII", 0x80, 0, sequence, sequence * 160, ssrc) + payload)


@pytest.mark.parametrize(("sequences", "missing"), [
    pytest.param([1, 2, 3], 0, id="none"),
    pytest.param([1, 4], 2, id="two"),
    pytest.param([65534, 65535, 0, 1], 0, id="the number wraps"),
    pytest.param([65534, 1], 2, id="two at the wrap"),
    pytest.param([1, 3, 2], 0, id="late is not missing"),
    pytest.param([1, 2, 2, 3], 0, id="twice is not missing"),
])
def test_missing(sequences: list[int], missing: int) -> None:
    (stream,) = rtp_streams(map(rtp, sequences))
    assert stream.missing == missing


def test_rtcp_and_other_datagrams_are_not_rtp() -> None:
    report = Datagram(0.0, "a:1", "b:2", struct.pack("!BBHI", 0x80, 200, 1, 1) + bytes(20))
    assert rtp_streams([report, Datagram(0.0, "a:1", "b:2", b"OPTIONS sip:x SIP/2.0\r\n\r\n")]) == []


def test_streams_are_told_apart_by_ssrc() -> None:
    assert [stream.ssrc for stream in rtp_streams([rtp(1), rtp(1, ssrc=2), rtp(2)])] == [1, 2]


def test_relayed_share_counts_each_packet_once() -> None:
    (sent,) = rtp_streams(rtp(n, b"same", at=n / 50) for n in range(100))
    (half,) = rtp_streams(rtp(n, b"same", at=n / 50) for n in range(0, 100, 2))
    (other,) = rtp_streams(rtp(n, b"prompt", at=n / 50) for n in range(100))
    assert relayed_share(sent, sent, 0, 2) == 1.0
    assert relayed_share(sent, half, 0, 2) == 0.5
    assert relayed_share(sent, other, 0, 2) == 0.0


def test_sip_messages() -> None:
    text = b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n"
    found = sip_messages([Datagram(1.0, "a:1", "b:2", text), rtp(1), Datagram(1.0, "a:1", "b:2", b"\r\n\r\n")])
    assert [(message.start_line, message.header("cseq")) for message in found] == [("SIP/2.0 200 OK", "1 INVITE")]
