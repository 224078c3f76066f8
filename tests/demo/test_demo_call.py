"""The verdict of demo-call and its exit code."""

import subprocess
import sys
from dataclasses import replace

import pytest

from b2bua.demo.demo_call import Facts, demo_call, differences
from b2bua.demo.table import row_of
from tests.demo.settings import TEST

GOOD = Facts("talked", 120_000, john_heard=True, visitor_heard=True, recorded=True)
BUSY = Facts("visitor-busy", 0, john_heard=False, visitor_heard=False, recorded=False)


@pytest.mark.parametrize(
    ("digits", "facts", "found"),
    [
        pytest.param("0100", GOOD, [], id="as the table says"),
        pytest.param("0101", BUSY, [], id="busy costs nothing"),
        pytest.param("0101", GOOD, ["ended as talked, expected visitor-busy", "something was charged",
                                    "a recording was made"], id="busy that talks"),
        pytest.param("0100", BUSY, ["ended as visitor-busy, expected talked", "nothing was charged",
                                    "no recording was made", "John heard nobody", "the visitor heard nobody"],
                     id="talk that is busy"),
        pytest.param("0106", replace(GOOD, outcome="media-lost", john_heard=False), [], id="one way, not heard"),
        pytest.param("0106", replace(GOOD, outcome="media-lost"), ["John heard somebody"], id="one way, heard"),
    ],
)  # fmt: skip
def test_differences(digits, facts, found):
    assert differences(row_of(digits), facts) == found


async def test_a_call_that_goes_otherwise_fails(tmp_path):
    lines = []
    impatient = replace(TEST, ring_s=1, timing=replace(TEST.timing, ring_s=3.0, talk_s=10.0))
    assert not await demo_call("+12025550100", tmp_path, lines.append, impatient)
    assert lines[-1].startswith("verdict    ended as visitor-no-answer, expected talked")


def _demo_call(number, folder):
    words = [sys.executable, "-m", "b2bua", "demo-call", "--number", number, "--out", str(folder)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def test_the_exit_code_of_a_good_call_is_0(tmp_path):
    done = _demo_call("+12025550100", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "verdict    talked, as the table says" in done.stdout
    assert (tmp_path / "call.wav").stat().st_size > 8000
    assert (tmp_path / "call.pcap").stat().st_size > 8000


def test_the_exit_code_of_a_refused_number_is_1_and_the_page_s_sentence_is_shown(tmp_path):
    done = _demo_call("911", tmp_path)
    assert (done.returncode, done.stdout) == (1, "refused: Emergency numbers cannot be called from here.\n")
