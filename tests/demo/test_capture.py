"""The capture file, as read by an independent reader."""

import shutil
import subprocess

import pytest

from b2bua.demo.capture import Capture
from media.listen import read_pcap_udp

SIP = b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nCall-ID: 1\r\n\r\n"


def test_what_is_written_can_be_read(tmp_path):
    capture = Capture(tmp_path / "made" / "a.pcap", lambda: 1000.25)
    capture(SIP, ("127.0.0.1", 5060), ("127.0.0.1", 5070))
    capture(b"\x80" * 172, ("127.0.0.1", 20000), ("127.0.0.1", 30000))
    capture.close()
    assert list(read_pcap_udp(tmp_path / "made" / "a.pcap")) == [
        (1000.25, 5060, 5070, SIP),
        (1000.25, 20000, 30000, b"\x80" * 172),
    ]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_tshark_finds_sip_and_no_broken_header(tmp_path):
    path = tmp_path / "a.pcap"
    capture = Capture(path, lambda: 1000.25)
    capture(SIP, ("127.0.0.1", 5060), ("127.0.0.1", 5070))
    capture.close()
    words = ["tshark", "-r", str(path), "-o", "ip.check_checksum:TRUE", "-T", "fields"]
    words += ["-e", "sip.Method", "-e", "ip.checksum.status"]
    assert subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout == "OPTIONS\t1\n"
