"""linphonec as a phone: commands by its stdin, what happens by its stdout."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Linphonec"]

CONFIG = """\
[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
use_ipv6=0
guess_hostname=1
contact=sip:{user}@{address}
default_proxy=0
inc_timeout=60
use_info={info}
use_rfc2833=1
[rtp]
audio_rtp_port={rtp_port}
[sound]
echocancellation=0
[auth_info_0]
username={user}
userid={user}
passwd={password}
realm=*
[proxy_0]
reg_proxy=<sip:{server};transport=udp>
reg_identity=sip:{user}@{server}
reg_expires=300
reg_sendregister=1
publish=0
dial_escape_plus=0
"""


class Linphonec:
    """One phone: `async with Linphonec(…) as phone: await phone.said("Registration on .* successful")`.

    It listens to every address: give it a namespace. It speaks a WAV and records what it hears to `folder`/heard.wav.
    """

    def __init__(
        self, folder: Path, *, user: str, password: str, server: str, address: str, sip_port: int, speaks: Path,
        prefix: tuple[str, ...] = (), info: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.heard = folder / "heard.wav"
        self._speaks = speaks
        self._log = folder / "linphonec.log"
        (folder / ".local/share/linphone").mkdir(parents=True)
        (folder / "linphonerc").write_text(CONFIG.format(
            user=user, password=password, server=server, address=address, port=sip_port, rtp_port=sip_port + 10,
            info=int(info),
        ))
        self._words = [*prefix, "linphonec", "-c", str(folder / "linphonerc")]
        self._home = folder
        self._out = ""
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT, env={**os.environ, "HOME": str(self._home)},
        )
        self._reading = asyncio.create_task(self._read(self._process))
        for command in ("soundcard use files", f"play {self._speaks}", f"record {self.heard}"):
            self.command(command)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            self.command("quit")
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._reading

    def command(self, line: str) -> None:
        """Type one line."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def found(self, pattern: str) -> list[str]:
        """What it printed of that pattern since the start."""
        return re.findall(pattern, self._out)

    async def said(self, pattern: str, within_s: float = 10.0, *, times: int = 1) -> str:
        """Wait until it printed the pattern (the times-th since the start).  Raises: TimeoutError with what it said."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: len(self.found(pattern)) >= times)
        except TimeoutError as late:
            raise TimeoutError(f"no {pattern!r} within {within_s} s: {self._out[-2000:]}") from late
        return self.found(pattern)[times - 1]

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with self._log.open("w") as log:
            while read := await process.stdout.read(65536):
                async with self._changed:
                    self._out += read.decode(errors="replace")
                    self._changed.notify_all()
                log.write(read.decode(errors="replace"))
                log.flush()
