"""Capture files, as tshark reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.desk import LadderRow
from b2bua.trace.pcap import FILE, capture, datagram, record
from tests.peers.tshark import dissect, needs_tshark

INVITE = (
    "INVITE sip:b@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\n"
    "To: <sip:b@h>\r\nCall-ID: 1@h\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)
RINGING = INVITE.replace("INVITE sip:b@192.0.2.9 SIP/2.0", "SIP/2.0 180 Ringing")


def row(at_s: float, text: str, sent_from: str, sent_to: str, transport: str = "UDP") -> LadderRow:
    return LadderRow(0, at_s, "sip", 0, 1, "INVITE", text, transport, sent_from, sent_to)


@needs_tshark
def test_tshark_reads_each_message_with_its_addresses_and_its_time(tmp_path: Path) -> None:
    file = tmp_path / "call.pcap"
    file.write_bytes(capture(1_800_000_000.25, [
        row(0.0, INVITE, "192.0.2.1:5070", "192.0.2.9:5060"),
        row(0.5, RINGING, "192.0.2.9:5060", "192.0.2.1:5070"),
        row(1.000001, INVITE, "[2001:db8::1]:5070", "[2001:db8::9]:5060"),
        row(2.0, RINGING, "[2001:db8::9]:34567", "[2001:db8::1]:45678", "TLS"),
        LadderRow(4, 3.0, "event", 0, 1, "joined"),
        row(4.0, "BYE sip:b@192.0.2.9 SIP/2.0", "192.0.2.9:5060", "192.0.2.1:5070"),
        row(5.0, INVITE, "[::ffff:192.0.2.1]:5070", "[::]:5060"),
        row(6.0, INVITE, "[::ffff:192.0.2.1]:5070", "192.0.2.9:5060"),
    ]))  # fmt: skip
    fields = ("frame.time_epoch", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport",
              "sip.Method", "sip.Status-Code", "sip.Call-ID")  # fmt: skip
    checks = ("-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE")
    assert [line[:10] for line in dissect(file, *fields, options=checks)] == [
        ["1800000000.250000000", "192.0.2.1", "192.0.2.9", "", "", "5070", "5060", "INVITE", "", "1@h"],
        ["1800000000.750000000", "192.0.2.9", "192.0.2.1", "", "", "5060", "5070", "", "180", "1@h"],
        ["1800000001.250001000", "", "", "2001:db8::1", "2001:db8::9", "5070", "5060", "INVITE", "", "1@h"],
        ["1800000002.250000000", "", "", "2001:db8::9", "2001:db8::1", "34567", "45678", "", "180", "1@h"],
        ["1800000005.250000000", "", "", "::ffff:192.0.2.1", "::", "5070", "5060", "INVITE", "", "1@h"],
        ["1800000006.250000000", "192.0.2.1", "192.0.2.9", "", "", "5070", "5060", "INVITE", "", "1@h"],
    ]
    sums = dissect(file, "ip.checksum.status", "udp.checksum.status", "_ws.malformed", options=checks)
    assert [line[:2] for line in sums] == [["1", "3"], ["1", "3"], ["", "1"], ["", "1"], ["", "1"], ["1", "3"]]


def test_a_message_longer_than_a_packet_is_cut() -> None:
    data = capture(0.0, [row(0.0, INVITE + "x" * 70_000, "192.0.2.1:5070", "192.0.2.9:5060")])
    assert len(data) == len(FILE) + 16 + 28 + 65_000


def test_a_datagram_has_the_headers_of_rfc_791_and_768() -> None:
    packet = datagram(b"abc", ("127.0.0.1", 5060), ("127.0.0.2", 5070))
    assert packet.hex() == (
        "4500001f0000400040113ccb7f0000017f000002"  # 3ccb: the checksum that makes the header's sum ffff
        "13c413ce000b0000616263"
    )
    assert sum(int.from_bytes(packet[i : i + 2], "big") for i in range(0, 20, 2)) % 0xFFFF == 0


def test_a_record_counts_microseconds() -> None:
    assert record(b"x", 1.5) == bytes.fromhex("01000000 20a10700 01000000 01000000 78")


@pytest.mark.parametrize("payload", [b"", b"a", b"\xff\xff", b"abc"])
@needs_tshark
def test_every_length_has_its_checksum_over_ipv6(payload: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.pcap"
    file.write_bytes(FILE + record(datagram(payload, ("::1", 1), ("::1", 2)), 0.0))
    assert dissect(file, "udp.checksum.status", options=("-o", "udp.check_checksum:TRUE")) == [["1"]]
