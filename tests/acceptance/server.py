"""The server under test: a real process on real sockets, its records read beside it, its leaks counted at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from store import journal, ledger
from store.database import connect
from store.journal import CallRecord, LegRecord, RequestRecord
from tests.acceptance.ports import SERVER_RTP, SIP, free_port
from tests.sip_stack.certificates import certificate

__all__ = ["ROOT", "Server", "clock_ahead", "until"]

T = TypeVar("T")
_NO_LIMITS = """
per_ip_15_min = 1000
per_ip_day = 1000
numbers_per_ip_hour = 1000
per_number_day = 1000
"""
"""One address asks more often than any visitor."""
ROOT = Path(__file__).resolve().parents[2]


async def until(condition: Callable[[], T | None], what: str, within_s: float = 5.0) -> T:
    """The first true answer, asked every 20 ms.  Raises: TimeoutError."""
    end = asyncio.get_running_loop().time() + within_s
    while not (answer := condition()):
        if asyncio.get_running_loop().time() > end:
            raise TimeoutError(f"no {what} within {within_s} s")
        await asyncio.sleep(0.02)
    return answer


def clock_ahead(seconds: float) -> dict[str, str]:
    """The environment of a process whose wall clock is so far ahead of ours, or behind, by libfaketime."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    assert library is not None, "the Debian package faketime is missing"
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+.3f}s"}


class Server:
    """`ringback serve` with a database of its own: apply a plan, start, and at the end `rest` and `stop`."""

    def __init__(
        self, folder: Path, *, host: str = "127.0.0.1", rtp_timeout_s: float = 60.0, rtp: range = SERVER_RTP,
        media: str = "", settings: str = "", six: bool = False, limits: str = _NO_LIMITS,
    ) -> None:
        """`six`: it listens by IPv6 too; `media`, `settings`: more lines of [media], [server]; `limits`: [limits]."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.host = host
        self.sip = f"{host}:{free_port(SIP)}"
        self.sip6 = f"[::1]:{free_port(SIP)}"
        self.tls = f"{host}:{free_port(SIP)}"
        self.ws = f"{host}:{free_port(SIP)}"
        self.wss = f"{host}:{free_port(SIP)}"
        public, private = certificate(folder, "pbx.test")
        self.certificate = public
        self.http = f"127.0.0.1:{free_port(SIP)}"
        self.url = f"http://{self.http}"
        self.database = f"sqlite:///{folder}/ringback.db"
        self._engine = connect(self.database, read_only=True)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._lines: list[str] = []
        self._base: dict[str, int] = {}
        self.media_pid = 0
        self.expected_errors: tuple[str, ...] = ()
        self.environment: dict[str, str] = {}
        """More variables of the process, from its next start on."""
        places = f'["{self.sip}", "{self.sip6}"]' if six else f'"{self.sip}"'
        (folder / "ringback.toml").write_text(f"""
[server]
sip = {places}
tcp = {places}
tls = "{self.tls}"
ws = "{self.ws}"
wss = "{self.wss}"
tls_certificate = "{public}"
tls_key = "{private}"
database = "{self.database}"
{settings}
[media]
ports = "{rtp.start}-{rtp.stop - 1}"
rtp_timeout_s = {rtp_timeout_s}
{media}
[web]
http = "{self.http}"
[limits]
{limits}
""")

    # Life

    async def apply(self, plan: str) -> str:
        """`ringback apply`; what it printed.  Raises: AssertionError when it refuses the plan."""
        (self._folder / "plan.toml").write_text(plan)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "b2bua", "apply", str(self._folder / "plan.toml"), "--database", self.database,
            "--base-url", self.url, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        return said

    async def start(self) -> None:
        """Start the process and wait until it serves."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "b2bua", "serve", "--config", str(self._folder / "ringback.toml"), cwd=ROOT,
                stdout=asyncio.subprocess.PIPE, stderr=log, env=os.environ | self.environment,
            )
        self._lines.clear()
        self._reading = asyncio.create_task(self._read(self._process))
        try:
            await until(lambda: self._said("ready "), "server ready", 20)
        except TimeoutError as late:
            raise TimeoutError(f"{late}: {self.log.read_text()[-2000:]}") from late
        self._base = await self.load()

    async def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        await self._ended()

    async def stop(self) -> None:
        """SIGTERM; it must end by itself, cleanly and soon."""
        self._engine.dispose()
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(10):
                await self._ended()
        except TimeoutError:
            await self.kill()
            raise
        assert self._process.returncode == 0, self.log.read_text()[-2000:]

    async def _ended(self) -> None:
        assert self._process is not None
        assert self._reading is not None
        await self._process.wait()
        await self._reading

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._lines.append(line.decode().rstrip())

    def _said(self, start: str) -> list[str]:
        return [line for line in self._lines if line.startswith(start)]

    # What it holds

    @property
    def folder(self) -> Path:
        """Where its database and its sounds are."""
        return self._folder

    @property
    def log(self) -> Path:
        """Its log."""
        return self._folder / "server.log"

    async def load(self) -> dict[str, int]:
        """What it holds now, by SIGUSR1, and the sockets of its media process."""
        assert self._process is not None
        before = len(self._said("load "))
        self._process.send_signal(signal.SIGUSR1)
        answers = await until(lambda: self._said("load ")[before:], "answer to SIGUSR1")
        held = {name: int(count) for name, count in (word.split("=") for word in answers[0].split()[1:])}
        self.media_pid = held.pop("media_pid")
        return held | {"sockets": _sockets(self.media_pid)}

    def kill_media(self) -> None:
        """kill -9 of the media process."""
        self.expected_errors = ("event=media-worker-died",)
        os.kill(self.media_pid, signal.SIGKILL)

    async def media_is_back(self) -> None:
        """Wait until another media process has all its ports in stock."""
        died = self.media_pid
        async with asyncio.timeout(5):
            sockets = 0
            while sockets < self._base["sockets"] or self.media_pid == died:
                sockets = (await self.load())["sockets"]

    async def rest(self, within_s: float = 3.0) -> None:
        """Every call is over: dialogs, legs, tasks, RTP ports and holds are back to base, and the books balance."""
        if self._process is None or self._process.returncode is not None:
            return
        end = asyncio.get_running_loop().time() + within_s
        while left := await self._left():
            assert asyncio.get_running_loop().time() < end, f"still held: {left}"
            await asyncio.sleep(0.05)
        assert self.read(ledger.audit) == []
        faults = [line for line in self.log.read_text().splitlines() if "ERROR" in line or "Traceback" in line]
        unexpected = [line for line in faults if not any(words in line for words in self.expected_errors)]
        assert unexpected == [], unexpected

    async def _left(self) -> dict[str, object]:
        load = await self.load()
        passing = ("clients", "servers")  # finished transactions linger for 32 s (RFC 3261 17)
        left: dict[str, object] = {
            name: count - self._base[name]
            for name, count in load.items()
            if name not in passing and count != self._base[name]
        }
        if holds := self.read(ledger.open_holds):
            left["holds"] = holds
        return left

    # What it wrote

    def read(self, job: Callable[[Connection], T]) -> T:
        """Ask its database, which this cannot change."""
        with self._engine.begin() as conn:
            return job(conn)

    def requests(self) -> list[RequestRecord]:
        """Every CallNow request, oldest first."""
        return self.read(lambda conn: journal.recent_requests(conn, 0.0))[::-1]

    def calls(self) -> list[CallRecord]:
        """Every ended call, oldest first."""
        return self.read(journal.recent_calls)[::-1]

    def legs(self, call_id: str) -> list[LegRecord]:
        """The legs of one call, in the order they were invited."""
        return self.read(lambda conn: journal.legs_of(conn, call_id))

    def spent(self) -> int:
        """What account 1, the client of the fixture, has paid for calls, in micros."""
        return -sum(entry.amount for entry in self.read(lambda conn: ledger.entries(conn, 1)) if entry.kind == "call")

    async def request_over(self, count: int = 1, within_s: float = 10.0) -> RequestRecord:
        """Wait until so many requests have ended; the last of them."""
        ended = await until(
            lambda: found if len(found := [r for r in self.requests() if r.ended]) >= count else None,
            f"{count} ended requests", within_s,
        )
        return ended[-1]

    async def call_over(self, count: int = 1, within_s: float = 10.0) -> CallRecord:
        """Wait until so many calls are written; the last of them."""
        ended = await until(
            lambda: found if len(found := self.calls()) >= count else None, f"{count} ended calls", within_s,
        )
        return ended[-1]


def _sockets(pid: int) -> int:
    """How many sockets a process holds."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += os.readlink(entry).startswith("socket:")
        except FileNotFoundError:  # closed meanwhile
            continue
    return count
