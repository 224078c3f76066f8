"""baresip as a phone: configuration, commands and events over ctrl_tcp, what it heard as a WAV."""

from __future__ import annotations

import asyncio
import json
import math
import wave
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.peers import netstring

__all__ = ["TONE_HZ", "Baresip", "write_tone"]

TONE_HZ = 600

CONFIG = """\
sip_listen {address}:{sip_port}
net_interface {address}
module_path /usr/lib/baresip/modules
audio_player aubridge,sink
audio_source {source}
audio_alert aubridge,alert
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
rtp_ports {rtp_low}-{rtp_high}
ctrl_tcp_listen {address}:{control_port}
snd_path {folder}
module g711.so
module aufile.so
module ausine.so
module aubridge.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
"""
ACCOUNT = (
    '"{name}" <sip:{user}@{domain};transport={transport}>;auth_user={user};auth_pass={password};answermode={answermode}'
    ";audio_codecs=PCMU/8000/1,PCMA/8000/1;regint={regint}\n"
)


def write_tone(path: Path, hz: float, seconds: int) -> None:
    """Write a WAV of one tone: 8 kHz, mono, 16 bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        samples = (round(10_000 * math.sin(2 * math.pi * hz * n / 8000)) for n in range(8000 * seconds))
        file.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))


class Baresip:
    """One phone: `async with Baresip(…) as phone: await phone.registered()`; ended by its pid on exit.

    It speaks a tone of TONE_HZ unless told what; with regint 0 it does not register.
    It takes sip_port (UDP and TCP), sip_port + 1 (TLS), sip_port + 2 (commands) and RTP ports sip_port + 10 to + 49.
    Its RTP leaves from 127.0.0.1 whatever the address: use tests.peers.addresses.namespace where that matters.
    """

    def __init__(
        self, folder: Path, *, user: str, password: str, domain: str, address: str, sip_port: int, name: str = "John",
        auto_answer: bool = False, speaks: Path | None = None, prefix: tuple[str, ...] = (), regint: int = 60,
        transport: str = "udp", more: str = "",
    ) -> None:
        """`more`: further lines of its configuration."""
        self.folder = folder
        self.events: list[dict[str, Any]] = []
        self._address, self._control_port = address, sip_port + 2
        self._words = [*prefix, "baresip", "-f", str(folder)]
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._changed = asyncio.Condition()
        self._answers: dict[str, dict[str, Any]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "contacts").touch()
        if speaks is None:
            speaks = folder / "tone.wav"
            write_tone(speaks, TONE_HZ, seconds=30)
        (folder / "config").write_text(CONFIG.format(
            address=address, sip_port=sip_port, control_port=sip_port + 2, rtp_low=sip_port + 10,
            rtp_high=sip_port + 49, folder=folder, source=f"aufile,{speaks}",
        ) + more)
        (folder / "accounts").write_text(ACCOUNT.format(
            name=name, user=user, domain=domain, password=password, answermode="auto" if auto_answer else "manual",
            regint=regint, transport=transport,
        ))

    async def __aenter__(self) -> Self:
        with (self.folder / "baresip.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(*self._words, stdout=log, stderr=log)
        try:
            async with asyncio.timeout(10):
                reader = await self._connect()
        except BaseException:
            await self._end()
            raise
        self._reading = asyncio.create_task(self._read(reader))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def registered(self, within_s: float = 5.0) -> None:
        """Wait until the account is registered.  Raises: TimeoutError."""
        async with asyncio.timeout(within_s):
            while "OK" not in await self.command("reginfo"):  # noqa: ASYNC110  the event may have come before us
                await asyncio.sleep(0.02)

    async def incoming(self, within_s: float = 5.0) -> dict[str, Any]:
        """Wait for a call; the event names the peer (`peeruri`, `peerdisplayname`).  Raises: TimeoutError."""
        return await self.event("CALL_INCOMING", within_s)

    async def established(self, within_s: float = 5.0) -> dict[str, Any]:
        """Wait until a call is up.  Raises: TimeoutError."""
        return await self.event("CALL_ESTABLISHED", within_s)

    async def closed(self, within_s: float = 5.0) -> dict[str, Any]:
        """Wait until a call has ended; the event's `param` says why.  Raises: TimeoutError."""
        return await self.event("CALL_CLOSED", within_s)

    async def event(self, kind: str, within_s: float = 5.0, *, times: int = 1) -> dict[str, Any]:
        """Wait for the event of that kind (the times-th since the start).  Raises: TimeoutError with what came."""

        def found() -> list[dict[str, Any]]:
            return [event for event in self.events if event["type"] == kind]

        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: len(found()) >= times)
        except TimeoutError as late:
            raise TimeoutError(f"no {kind} within {within_s} s; came {[e['type'] for e in self.events]}") from late
        return found()[times - 1]

    async def answer(self) -> None:
        """Accept the incoming call."""
        await self.command("accept")

    async def hangup(self) -> None:
        """End the call, or refuse it while it rings (486)."""
        await self.command("hangup")

    async def dial(self, target: str) -> None:
        """Call a number or URI."""
        await self.command("dial", target)

    async def press(self, digits: str) -> None:
        """Send digits by RFC 4733."""
        await self.command("sndcode", digits)

    async def play(self, wav: Path) -> None:
        """Speak this WAV (8 kHz mono 16 bit) from now on."""
        await self.command("ausrc", f"aufile,{wav}")

    @property
    def heard(self) -> list[Path]:
        """The WAV of each call's received sound, oldest first; whole once the call is closed."""
        return sorted(self.folder.glob("dump-*-dec.wav"), key=lambda path: path.stat().st_mtime)

    async def command(self, name: str, params: str = "", within_s: float = 5.0) -> str:
        """Run one command and return what it prints.  Raises: TimeoutError."""
        assert self._writer is not None
        token = f"{name}-{len(self._answers)}-{asyncio.get_running_loop().time()}"
        said = json.dumps({"command": name, "params": params, "token": token}).encode()
        self._writer.write(netstring.encode(said))
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: token in self._answers)
        return str(self._answers.pop(token).get("data", ""))

    async def _connect(self) -> asyncio.StreamReader:
        while True:
            try:
                reader, self._writer = await asyncio.open_connection(self._address, self._control_port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                return reader

    async def _read(self, reader: asyncio.StreamReader) -> None:
        buffer = b""
        while data := await reader.read(65536):
            found, buffer = netstring.decode(buffer + data)
            async with self._changed:
                for message in map(json.loads, found):
                    if message.get("event"):
                        self.events.append(message)
                    else:
                        self._answers[message["token"]] = message
                self._changed.notify_all()

    async def _end(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(3):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
