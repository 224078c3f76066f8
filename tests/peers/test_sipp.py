"""The scenarios against each other, without a server: what a peer says it does, it does."""

from __future__ import annotations

import ast
import re
from itertools import count
from pathlib import Path

import pytest

from sipp_scenarios.scenario import load, scenarios
from sipp_scenarios.trace import digest_is_right
from tests.peers.capture import Capture, keys_of, relayed_share
from tests.peers.sipp import Sipp

ROOT = Path(__file__).resolve().parents[2]
ports = count(43_000, 20)


def test_every_scenario_says_what_it_is() -> None:
    described = scenarios()
    assert len(described) > 30
    assert [scenario.name for scenario in described if not scenario.summary.endswith(".")] == []


def test_every_scenario_is_run_by_a_test() -> None:
    """By its name, in a test that has a server; `phone_register` is what registers the phones."""
    tests = [*(ROOT / "tests" / "acceptance").glob("test_*.py"), *(ROOT / "tests" / "interop").glob("test_*.py")]
    said = {node.value for test in tests for node in ast.walk(ast.parse(test.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # fmt: skip
    defaults = set(re.findall(r'= "((?:phone|trunk)_\w+)"', (ROOT / "tests" / "acceptance" / "scene.py").read_text()))
    names = {scenario.name for scenario in scenarios()}
    assert len(names) >= 60
    assert sorted(names - said - defaults) == []


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(KeyError, match="no key colour"):
        load("phone_answer").values({"colour": "red"})


@pytest.mark.parametrize(("password", "right"), [("Circle Of Life", True), ("Circle of Life", False)])
def test_digest_is_right(password: str, right: bool) -> None:
    """The example of RFC 2617 section 3.5."""
    said = (
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
        'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert digest_is_right(said, "GET", "Mufasa", password) is right


@pytest.mark.parametrize("name", [
    "phone_answer", "phone_answer_press_1", "phone_answer_press_2", "trunk_answer", "trunk_one_way_audio",
    "trunk_rtp_stops", "uas_retransmit_200",
])
async def test_an_answering_peer_talks_to_a_calling_one(name: str, tmp_path: Path) -> None:
    port = next(ports)
    local = f"127.0.0.2:{port}"
    async with Sipp(
        name, local=local, remote="127.0.0.3:5060", folder=tmp_path, media_port=port + 4, register=False,
    ) as answering, Sipp(
        "trunk_call_in", local=f"127.0.0.3:{port + 1}", remote=local, folder=tmp_path, media_port=port + 10, d="1500",
    ) as calling:
        await calling.passed()
        await answering.passed()


async def test_a_digit_and_an_echo_are_seen_on_the_wire(tmp_path: Path) -> None:
    port = next(ports)
    local, caller = f"127.0.0.2:{port}", f"127.0.0.3:{port + 1}"
    async with Capture(tmp_path / "wire.pcap", only=f"udp portrange {port}-{port + 19}") as wire:
        async with Sipp(
            "trunk_answer", local=local, remote=caller, folder=tmp_path, media_port=port + 4,
        ), Sipp(
            "trunk_call_in", local=caller, remote=local, folder=tmp_path, media_port=port + 10, d="2200",
        ) as calling:
            await calling.passed()
    streams = {(stream.source, stream.target): stream for stream in wire.rtp()}
    sent = streams[f"127.0.0.3:{port + 10}", f"127.0.0.2:{port + 4}"]
    echo = streams[f"127.0.0.2:{port + 4}", f"127.0.0.3:{port + 10}"]
    first = sent.packets[0].at
    assert len(sent.between(first, first + 2)) >= 95
    assert relayed_share(sent, echo, first, first + 2) >= 0.95
    lines = [message.start_line.split(" ")[0:2] for message in wire.sip()]
    assert [line for line in lines if line[0] in ("ACK", "BYE") or line[1] == "180"] == [
        ["SIP/2.0", "180"], ["ACK", f"sip:{local}"], ["BYE", f"sip:{local}"]
    ]


async def test_a_busy_peer_fails_the_caller(tmp_path: Path) -> None:
    """The verdict is not always `passed`."""
    port = next(ports)
    local = f"127.0.0.2:{port}"
    async with Sipp("trunk_busy", local=local, remote="127.0.0.3:5060", folder=tmp_path) as busy, Sipp(
        "trunk_call_in", local=f"127.0.0.3:{port + 1}", remote=local, folder=tmp_path, d="100",
    ) as calling:
        assert not (await calling.verdict()).passed
        assert len(await busy.until("INVITE")) == 1


async def test_a_called_back_peer_presses_what_it_is_told(tmp_path: Path) -> None:
    """Two rows of keys with a pause between, then the tone; a key's row is a stream of its own."""
    port = next(ports)
    local, caller = f"127.0.0.2:{port}", f"127.0.0.3:{port + 1}"
    async with Capture(tmp_path / "wire.pcap", only=f"udp portrange {port}-{port + 19}") as wire:
        async with Sipp(
            "trunk_called_back", local=local, remote=caller, folder=tmp_path, media_port=port + 4,
            d="100", does="200:43#,2300:1#,1900:",
        ) as called, Sipp(
            "trunk_call_in", local=caller, remote=local, folder=tmp_path, media_port=port + 10, d="5000",
        ) as calling:
            await calling.passed()
            await called.passed()
    sent = sorted((s for s in wire.rtp() if s.source == f"127.0.0.2:{port + 4}"), key=lambda s: s.packets[0].at)
    assert ["".join(key for key, _ in keys_of(stream)) for stream in sent] == ["43#", "1#", ""]
    assert {packet.payload_type for packet in sent[-1].packets} == {0}
