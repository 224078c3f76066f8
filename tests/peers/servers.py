"""Servers of others that calls go through: Kamailio as a proxy, sippy's b2bua; each ended by its pid."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import which

__all__ = ["SIPPY", "homer", "kamailio", "kamailio_edge", "kamailio_version", "sippy", "sippy_version"]

SIPPY = Path(__file__).parents[2] / ".venv" / "sippy" / "bin"
"""Its own virtual environment: it installs a package that is called `tests`."""

_CONFIG = """\
debug=1
log_stderror=yes
children=2
disable_tcp=yes
listen=udp:{at}
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{ if (loose_route() || is_method("ACK")) t_relay(); exit; }}
    {before}
    record_route();
    if ($si != "{left_host}" || $sp != {left_port}) {{ $rd = "{left_host}"; $rp = "{left_port}"; }}
    {onward}
    t_relay();
}}
"""

_EDGE = """\
debug=1
log_stderror=yes
children=2
listen=udp:{at}
listen=tcp:{at}
tcp_accept_no_cl=yes
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "outbound.so"
loadmodule "path.so"
loadmodule "xhttp.so"
loadmodule "nathelper.so"
loadmodule "websocket.so"
modparam("path", "use_received", 1)
modparam("outbound", "force_outbound_flag", 8)

event_route[xhttp:request] {{
    if ($hdr(Upgrade) =~ "websocket") {{ ws_handle_handshake(); exit; }}
    xhttp_reply("404", "Not Found", "", "");
}}

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if ($si != "{left_host}" || $sp != {left_port}) force_rport();
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{ if (loose_route() || is_method("ACK")) t_relay(); exit; }}
    if ($si == "{left_host}" && $sp == {left_port}) {{
        if (!loose_route()) {{ sl_send_reply("404", "No Path"); exit; }}
        record_route();
        if (!t_relay()) sl_send_reply("430", "Flow Failed");
        exit;
    }}
    setflag(8);
    if (is_method("REGISTER")) add_path_received(); else record_route();
    $du = "sip:{left_host}:{left_port}";
    t_relay();
}}
"""


@asynccontextmanager
async def kamailio(folder: Path, *, at: str, left: str, right: str = "", before: str = "") -> AsyncIterator[None]:
    """A stateful, record-routing proxy at `host:port`: what comes from `left` goes to `right`, all else to `left`.

    Without `right` it goes where its URI says. `before`: statements for requests outside a dialog.
    """
    host, _, port = left.rpartition(":")
    onward = f'else $du = "sip:{right}";' if right else ""
    text = _CONFIG.format(at=at, left_host=host, left_port=port, onward=onward, before=before)
    config = _file(folder / "kamailio.cfg", text)
    words = ["kamailio", "-DD", "-E", "-f", str(config), "-m", "32", "-M", "4", "-w", str(folder), "-Y", str(folder)]
    async with _running(words, folder / "kamailio.log", at):
        yield


_CHUNKS = (3, 7, 4, 8, 2, 9, 10, 12, 14, 17)
_HOMER = """\
debug=1
log_stderror=yes
children=1
disable_tcp=yes
listen=udp:{at}
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "db_text.so"
loadmodule "sipcapture.so"
modparam("sipcapture", "db_url", "text://{folder}")
modparam("sipcapture", "capture_on", 1)
modparam("sipcapture", "hep_capture_on", 1)
modparam("sipcapture", "nonsip_hook", 1)
request_route {{ drop; }}
event_route[sipcapture:request] {{
    xlog("L_ALERT", "HEP|{chunks}|$(hep(0x00f){{s.encode.hexa}})\\n");
}}
"""


@asynccontextmanager
async def homer(folder: Path, *, at: str) -> AsyncIterator[Path]:
    """A capture server at `host:port` (Kamailio's sipcapture).

    Its log has a line for each packet, `HEP|source|port|target|port|protocol|s|us|agent|key|correlation|hex`.
    """
    text = _HOMER.format(at=at, folder=folder, chunks="|".join(f"$hep({kind:#05x})" for kind in _CHUNKS))
    config = _file(folder / "homer.cfg", text)
    words = ["kamailio", "-DD", "-E", "-f", str(config), "-m", "32", "-M", "4", "-w", str(folder), "-Y", str(folder)]
    async with _running(words, folder / "homer.log", at):
        yield folder / "homer.log"


@asynccontextmanager
async def kamailio_edge(folder: Path, *, at: str, left: str) -> AsyncIterator[None]:
    """A proxy in front of phones, over UDP and WebSocket: it puts itself into Path and keeps their flows (RFC 5626).

    A phone whose connection is gone is told of by 430.
    """
    host, _, port = left.rpartition(":")
    config = _file(folder / "kamailio.cfg", _EDGE.format(at=at, left_host=host, left_port=port))
    words = ["kamailio", "-DD", "-E", "-f", str(config), "-m", "32", "-M", "4", "-w", str(folder), "-Y", str(folder)]
    async with _running(words, folder / "kamailio.log", at):
        yield


@asynccontextmanager
async def sippy(folder: Path, *, at: str, towards: str) -> AsyncIterator[None]:
    """A back-to-back user agent at `host:port` that calls everything on at `towards`."""
    host, _, port = at.rpartition(":")
    words = [str(SIPPY / "b2bua_simple"), "-f", "-l", host, "-p", port, "-n", towards]
    async with _running(words, _file(folder / "sippy.log", ""), at):
        yield


def kamailio_version() -> str | None:
    """As it prints it; None where it is not installed."""
    return _version(["kamailio", "-v"]) if which("kamailio") else None


def sippy_version() -> str | None:
    """As pip tells it; None where it is not installed."""
    python = SIPPY / "python"
    ask = "from importlib.metadata import version; print(version('sippy'))"
    return _version([str(python), "-c", ask]) if (SIPPY / "b2bua_simple").exists() else None


def _file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def _version(words: Sequence[str]) -> str:
    said = subprocess.run(words, capture_output=True, text=True, timeout=10, check=True).stdout
    found = re.search(r"\d+\.\d+\.\d+", said)
    assert found, said
    return found[0]


@asynccontextmanager
async def _running(words: Sequence[str], log: Path, at: str) -> AsyncIterator[None]:
    """Run a program until the end, once it has its UDP port."""
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*words, stdout=out, stderr=out, cwd=log.parent)
    try:
        port = int(at.rpartition(":")[2])
        async with asyncio.timeout(10):
            while not _is_bound(port):
                if process.returncode is not None:
                    raise RuntimeError(f"{words[0]} has ended: {log}")
                await asyncio.sleep(0.02)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _is_bound(port: int) -> bool:
    """Whether somebody holds this UDP port, by the kernel's table."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") for line in lines)
