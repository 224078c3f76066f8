"""A scene: the server, a phone, trunks and a capture of all they say, each at an address of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from time import time
from types import MappingProxyType

from tests.acceptance.ports import PEER_RTP, SERVER_RTP, SIP, WIRE, free_port
from tests.acceptance.server import Server, until
from tests.acceptance.visitor import Visitor
from tests.peers.capture import Capture, RtpStream, SipMessage, relayed_share
from tests.peers.sipp import Sipp

__all__ = ["NO_CAPTCHA", "NO_CONFIRMATION", "SECOND_PHONE", "Change", "Scene", "plan"]

_FIXTURE = (Path(__file__).parents[1] / "fixture.toml").read_text()
_CALLNOW = "announce_to_visitor = false"
NO_CAPTCHA = (_CALLNOW, f"{_CALLNOW}\nimage_validation = false")
NO_CONFIRMATION = (_CALLNOW, f"{_CALLNOW}\nimage_validation = false\nconfirm = false")
SECOND_PHONE = """
[[extension]]
number = "001*003"
account = "client"
name = "Jane Roe"
password = "secret3"
public_number = "5555550001"
"""

Change = tuple[str, str]


def plan(ports: Sequence[int], *changes: Change, more: str = "") -> str:
    """The fixture of SPEC part B with trunks at these ports and with replacements, each of which must change it."""
    text = _FIXTURE
    numbered = [(f"port = 5060 # T{n}_PORT", f"port = {port}") for n, port in enumerate(ports, 1)]
    for old, new in (*numbered, *changes):
        assert old in text, f"{old!r} is not in the fixture"
        text = text.replace(old, new, 1)
    return text + more


class Scene:
    """PH is at 127.0.0.5, T1 to T3 at 127.0.0.2 to .4; the server at 127.0.0.1 unless told."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._number = count(1)
        self._ports = [free_port(SIP) for _ in range(3)]
        self.t1, self.t2, self.t3 = (f"127.0.0.{2 + n}:{port}" for n, port in enumerate(self._ports))
        self.ph = f"127.0.0.5:{free_port(SIP)}"
        self.wire = Capture(folder / "wire.pcap", only=WIRE, marker=("127.0.0.1", PEER_RTP.stop - 1))
        self._servers: list[Server] = []

    async def serve(
        self, *changes: Change, more: str = "", host: str = "127.0.0.1", rtp_timeout_s: float = 60.0,
        rtp: range = SERVER_RTP, media: str = "", settings: str = "", six: bool = False,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Server:
        """Apply the changed fixture and start the server; `media`, `settings`: more lines of [media], [server].

        `six`: it listens by IPv6 too.
        """
        self.server = Server(
            self._folder / "server", host=host, rtp_timeout_s=rtp_timeout_s, rtp=rtp, media=media, settings=settings,
            six=six,
        )  # fmt: skip
        self._servers.append(self.server)
        self.server.environment |= environment
        await self.server.apply(plan(self._ports, *changes, more=more))
        await self.server.start()
        return self.server

    async def reconfigure(self, *changes: Change, more: str = "") -> str:
        """Apply another plan to the running server and wait until it says that it took it; what `apply` printed."""
        taken = self.server.log.read_text().count("event=configuration-loaded")
        said = await self.server.apply(plan(self._ports, *changes, more=more))
        await until(
            lambda: self.server.log.read_text().count("event=configuration-loaded") > taken, "new configuration",
        )
        return said

    def now(self) -> float:
        """Unix time, the clock of captures and records."""
        return time()

    def address(self, host: str) -> str:
        """An address with a free port for one more peer."""
        return f"{host}:{free_port(SIP)}"

    async def close(self, *, check: bool) -> None:
        """Stop the servers; `check`: after they are at rest."""
        for server in self._servers:
            try:
                if check:
                    await server.rest()
            finally:
                await server.stop()

    async def visitor(self) -> Visitor:
        """A visitor until the end of the test."""
        return await self._stack.enter_async_context(Visitor(self.server.url))

    async def phone(
        self, behaviour: str = "phone_answer_press_1", *, at: str = "", calls: int = 1, register: bool = True,
        **keys: str,
    ) -> Sipp:
        """A SIPp phone, registered and waiting, or calling; 001*002 at PH unless told."""
        return await self._sipp(behaviour, at or self.ph, calls, keys, register)

    async def trunk(
        self, behaviour: str = "trunk_answer", *, at: str = "", calls: int = 1, tcp: bool = False, **keys: str
    ) -> Sipp:
        """A SIPp trunk, waiting at T1 unless told, or calling."""
        return await self._sipp(behaviour, at or self.t1, calls, keys, tcp=tcp)

    async def _sipp(
        self, behaviour: str, at: str, calls: int, keys: dict[str, str], register: bool = True, tcp: bool = False
    ) -> Sipp:
        remote = self.server.sip6 if at.startswith("[") else self.server.sip
        sipp = Sipp(
            behaviour, local=at, remote=remote, folder=self._folder / f"sipp{next(self._number)}",
            media_port=free_port(PEER_RTP, 10), calls=calls, register=register,
            tcp=tcp, **keys,  # type: ignore[arg-type]
        )
        return await self._stack.enter_async_context(sipp)

    # The wire

    def invites(self, to: str | None = None) -> list[SipMessage]:
        """The calls that the server placed, or those to one address; a repeated INVITE counts once."""
        found: dict[tuple[str | None, str | None], SipMessage] = {}
        for message in self.wire.sip():
            if message.source == self.server.sip and message.start_line.startswith("INVITE ") and (
                to in (None, message.target)
            ):
                found.setdefault((message.header("Call-ID"), message.header("CSeq")), message)
        return list(found.values())

    def said(self, words: str, *, source: str = "", target: str = "") -> list[SipMessage]:
        """Messages whose first line begins so."""
        said = [message for message in self.wire.sip() if message.start_line.startswith(words)]
        return [m for m in said if source in ("", m.source) and target in ("", m.target)]

    async def nobody_rang(self, since: float, expected: int = 0) -> None:
        """No INVITE to any trunk or phone until 2 s after the reason was recorded (SPEC B)."""
        await asyncio.sleep(max(0.0, since + 2 - time()))
        assert [message.start_line for message in self.invites()][expected:] == []

    def rtp(self) -> list[RtpStream]:
        """RTP from and to the addresses that this server told far ends; others may use the loopback too."""
        offers = [m.text for m in self.wire.sip() if m.source == self.server.sip]
        ports = {port for text in offers for port in re.findall(r"^m=audio (\d+) ", text, re.MULTILINE)}
        ours = {f"{self.server.host}:{port}" for port in ports}
        return [stream for stream in self.wire.rtp() if stream.source in ours or stream.target in ours]

    def stream(self, *, source: str = "", target: str = "") -> RtpStream:
        """The longest RTP stream from or to an IP address; an empty one where there is none."""
        found = [
            stream for stream in self.rtp()
            if stream.source.startswith(source) and stream.target.startswith(target)
        ]
        return max(found, key=lambda stream: len(stream.packets), default=RtpStream(source, target, 0, ()))

    def share(self, source: str, target: str, since: float, seconds: float = 2.0) -> float:
        """Of the audio one address sent to the server in a span, the share that came out towards the other."""
        sent = self.stream(source=source, target=self.server.host)
        heard = self.stream(source=self.server.host, target=target)
        return relayed_share(sent, heard, since, since + seconds, late_s=0.02)
