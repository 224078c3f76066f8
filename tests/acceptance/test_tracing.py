"""A real call as others see it: Kamailio as the Homer server, tshark, and the command line beside the capture."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.acceptance.scene import Scene
from tests.acceptance.server import ROOT, until
from tests.peers.servers import homer
from tests.peers.tshark import dissect

pytestmark = pytest.mark.skipif(not shutil.which("kamailio") or not shutil.which("tshark"), reason="needs both")
MOBILE = "0412345678"


class Message(NamedTuple):
    """One SIP message: its ends and its first line."""

    source: str
    target: str
    start_line: str


class Captured(NamedTuple):
    """What Kamailio's sipcapture read of one packet."""

    message: Message
    protocol: str
    at: float
    agent: str
    key: str
    call: str
    text: str


def captured(log: Path) -> list[Captured]:
    found = []
    for line in log.read_text(errors="replace").splitlines():
        _, mark, rest = line.partition("HEP|")
        if mark:
            source, sport, target, tport, protocol, s, us, agent, key, call, payload = rest.split("|")
            text = bytes.fromhex(payload).decode()
            message = Message(f"{source}:{sport}", f"{target}:{tport}", text.partition("\r\n")[0])
            found.append(Captured(message, protocol, int(s) + int(us) / 1e6, agent, key, call, text))
    return found


async def ringback(scene: Scene, *words: str) -> tuple[str, str]:
    """A word of the command line: what it said, and its complaints."""
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua", *words, "--config", str(scene.server.folder / "ringback.toml"), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, complaints = await done.communicate()
    return out.decode(), complaints.decode()


async def test_a_call_is_traced_as_it_was_on_the_wire(scene: Scene, tmp_path: Path) -> None:
    at = scene.address("127.0.0.1")
    async with homer(tmp_path / "homer", at=at) as log:
        server = await scene.serve(settings=f'hep = "{at}"\nhep_id = 77\nhep_password = "key"')
        view = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "b2bua", "sip-trace", "--number", MOBILE, "--database", server.database, cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await until(lambda: "event=sip-trace-began" in server.log.read_text(), "view", 10)
        trunk = await scene.trunk()
        caller = await scene.phone("uac_call", service=MOBILE, d="300")
        await caller.passed()
        await trunk.passed()
        call = await server.call_over()
        wire = [m for m in scene.wire.sip() if m.target != at]  # in HEP, too, there is SIP
        proven = next(n for n, m in enumerate(wire) if m.header("Authorization"))
        proof = re.findall(r'response="(\w+)"', wire[proven].text)[0]
        said = [Message(m.source, m.target, m.start_line) for m in wire]  # a call from when the caller is known

        # Homer: every message, those of the call under its id
        await until(lambda: len(captured(log)) >= len(wire), "messages at Homer")
        got = captured(log)
        assert Counter(each.message for each in got) == Counter(said)
        of_call = Counter(each.message for each in got if each.call == call.id)
        assert Counter(said[proven:]) - of_call == Counter()
        early = of_call - Counter(said[proven:])  # the ACK to the 401 may be told when its call has begun already
        assert [each for each in early if not each.start_line.startswith("ACK ")] == []
        assert {(each.protocol, each.agent, each.key) for each in got} == {("17", "77", "key")}
        times = {Message(m.source, m.target, m.start_line): m.at for m in wire}
        assert [each for each in got if abs(each.at - times[each.message]) > 0.5] == []

        # the ladder and the capture file
        ladder, _ = await ringback(scene, "ladder", call.id, "--texts")
        assert [title for title in ("INVITE", "180 Ringing", "200 OK", "BYE") if f" {title} " not in ladder] == []
        file = tmp_path / "call.pcap"
        assert await ringback(scene, "pcap", call.id, "--out", str(file)) == ("", "")
        fields = ("frame.time_epoch", "ip.src", "udp.srcport", "ip.dst", "udp.dstport", "sip.Request-Line",
                  "sip.Status-Line")  # fmt: skip
        read = [(Message(f"{a}:{b}", f"{c}:{d}", request or status), float(at))
                for at, a, b, c, d, request, status in dissect(file, *fields)]  # fmt: skip
        assert Counter(message for message, _ in read) == Counter(said[proven:])
        assert [message for message, at in read if abs(at - times[message]) > 0.5] == []

        # the live view ends by Ctrl-C without a word
        view.send_signal(signal.SIGINT)
        seen, complaints = (text.decode() for text in await view.communicate())
        assert (view.returncode, complaints) == (0, "")
        assert f"INVITE sip:{MOBILE}@" in seen
        assert "\x1b" not in seen
        homers = "".join(each.text for each in captured(log))
        for trace in (homers, ladder, file.read_bytes().decode("latin-1"), seen):
            assert proof not in trace
            assert 'response="xxxxxxxx' in trace

    # nobody is at Homer's port any more: calls do not notice
    trunk = await scene.trunk()
    caller = await scene.phone("uac_call", service=MOBILE, d="300", register=False)
    await caller.passed()
    await trunk.passed()
    assert (await server.call_over(2)).reason == "talked"
