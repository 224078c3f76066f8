"""Each number of the simulated PSTN: a whole call through the real server and both agents on loopback UDP."""

import shutil
import subprocess

import pytest

from b2bua.demo.demo_call import demo_call
from b2bua.demo.table import ROWS
from tests.demo.settings import TEST

SEEN = {
    "0100": ["200 OK", "joined", "ended: talked"],
    "0101": ["486 Busy Here", "the number you were to be connected to is busy", "ended: visitor-busy"],
    "0102": ["180 Ringing", "CANCEL", "no answer from the number", "ended: visitor-no-answer"],
    "0103": ["603 Decline", "ended: visitor-declined"],
    "0104": ["joined", "ended: talked"],
    "0105": ["183 Session Progress", "404 Not Found"],
    "0106": ["joined", "no RTP for 3 s", "RTP 0 received"],
    "0107": ["joined", "no RTP for 3 s"],
    "0108": ["joined", "INVITE", "200 OK", "ACK", "INVITE", "200 OK", "ACK", "ended: talked"],
    "0109": ["INVITE", "407 Proxy Authentication Required", "INVITE", "200 OK", "joined"],
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace(" ", "-"))
async def test_a_call_goes_as_the_table_says(row, tmp_path):
    lines = []
    assert await demo_call(row.number, tmp_path, lines.append, TEST), "\n".join(lines)
    text = "\n".join(line for line in lines if "|" in line)
    at = 0
    for words in SEEN[row.digits]:
        assert words.lower() in text[at:].lower(), f"{words} does not follow in\n{text}"
        at = text.lower().index(words.lower(), at) + len(words)
    assert (tmp_path / "call.wav").is_file() is row.answers


async def test_the_hang_up_of_0104_comes_from_the_pstn(tmp_path):
    lines = []
    await demo_call("+12025550104", tmp_path, lines.append, TEST)
    byes = [line for line in lines if " BYE " in line]
    assert "|<------- BYE --------|" in byes[0][30:], byes


def _tshark(path, *words):
    return subprocess.run(
        ["tshark", "-r", str(path), *words], capture_output=True, text=True, check=True, timeout=60
    ).stdout  # fmt: skip


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
async def test_the_capture_shows_sip_and_rtp_of_both_sides(tmp_path):
    await demo_call("+12025550100", tmp_path, lambda line: None, TEST)
    shown = _tshark(tmp_path / "call.pcap", "-T", "fields", "-e", "_ws.col.Protocol").split()
    assert shown.count("SIP/SDP") == 4
    assert shown.count("RTP") > 200
    streams = _tshark(tmp_path / "call.pcap", "-q", "-z", "rtp,streams")
    assert streams.count("g711U") == 4, streams
