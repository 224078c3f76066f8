"""The two servers under the signalling bench: Sippy's simple B2BUA, and ours with one trunk, one DID and one phone."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.process import end, pinned
from sipp_scenarios.run import Sipp
from sipp_scenarios.scenario import Options, load

__all__ = ["SERVER_CORE", "UAC", "UAS", "Server", "ours", "sippy", "sippy_python"]

ROOT = Path(__file__).resolve().parents[1]
SERVER_CORE = 0
SIP_HOST, SIP_PORT = "127.0.0.7", 44_500
UAC = "127.0.0.2:44510"
UAS = "127.0.0.3:44520"
START_S = 20.0

CONFIG = """\
[server]
sip = "{sip}"
database = "sqlite:///{folder}/ringback.db"
log_level = "WARNING"
[media]
address = "{host}"
ports = "40000-41999"
[web]
http = "{host}:44530"
"""
PLAN = """\
[[account]]
name = "bench"
dial_plan = { mode = "as-dialled" }
[[extension]]
number = "001*002"
account = "bench"
name = "Bench"
password = "secret"
public_number = "5555550000"
[extension.callnow]
enabled = false
[[trunk]]
name = "caller"
host = "127.0.0.2"
port = 44510
number_format = "as-is"
media = "direct"
[[did]]
number = "5555550000"
extension = "001*002"
trunk = "caller"
"""


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs."""

    pid: int
    address: str
    service: str
    """The number that reaches the UAS."""


def sippy_python() -> Path:
    """Python of Sippy's own virtual environment (it installs a top-level `tests`); made on first use."""
    venv = ROOT / ".ringback" / "bench-venv"
    python = venv / "bin" / "python"
    if not (venv / "lib").exists() or not list(venv.glob("lib/*/site-packages/sippy")):
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "sippy==2.5.0"], check=True)
    return python


@contextmanager
def sippy(folder: Path) -> Iterator[Server]:
    """Sippy, forwarding every call to the UAS."""
    words = [str(sippy_python()), "-m", "sippy.b2bua_simple", "-f", "-l", SIP_HOST, "-p", str(SIP_PORT), "-n", UAS]
    with (folder / "sippy.log").open("w") as log:
        process = subprocess.Popen(pinned(SERVER_CORE, words), stdout=log, stderr=log, cwd=folder, text=True,
                                   env=os.environ | {"SIPLOG_BEND": "none"})
    try:
        _wait(process, _sip_is_bound)
        yield Server(process.pid, f"{SIP_HOST}:{SIP_PORT}", "5555550000")
    finally:
        end(process)


@contextmanager
def ours(folder: Path) -> Iterator[Server]:
    """Ringback: the caller is a trunk known by its address, the UAS a registered phone; SDP passes through."""
    for old in folder.glob("ringback.db*"):
        old.unlink()
    address = f"{SIP_HOST}:{SIP_PORT}"
    (folder / "serve.toml").write_text(CONFIG.format(sip=address, host=SIP_HOST, folder=folder))
    (folder / "plan.toml").write_text(PLAN)
    ringback = [sys.executable, "-m", "b2bua"]
    subprocess.run([*ringback, "apply", str(folder / "plan.toml"), "--database", f"sqlite:///{folder}/ringback.db"],
                   check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    with (folder / "ringback.log").open("w") as log:
        process = subprocess.Popen(pinned(SERVER_CORE, [*ringback, "serve", "--config", str(folder / "serve.toml")]),
                                   stdout=subprocess.PIPE, stderr=log, cwd=ROOT, text=True)
    assert process.stdout is not None
    stdout = process.stdout
    try:
        _wait(process, lambda: bool(select.select([stdout], [], [], 0)[0]) and stdout.readline().startswith("ready"))
        Sipp(load("phone_register"), Options(UAS, address), folder / "phone").register()
        yield Server(process.pid, address, "5555550000")
    finally:
        end(process)


def _wait(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    """Poll until the server serves.  Raises: RuntimeError."""
    limit = time.monotonic() + START_S
    while not ready():
        if process.poll() is not None or time.monotonic() > limit:
            raise RuntimeError("the server did not start; see the logs in the bench folder")
        time.sleep(0.02)


def _sip_is_bound() -> bool:
    """True when somebody holds the SIP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((SIP_HOST, SIP_PORT))
        except OSError:
            return True
    return False
