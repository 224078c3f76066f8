"""Starts the demo: the real server, bound to this machine only, with its simulated phone and PSTN."""

from __future__ import annotations

import asyncio
import fcntl
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from secrets import token_hex
from string import Template

from b2bua import wiring
from b2bua.config import BadConfig, Config, LimitsConfig, MediaConfig, ServerConfig
from b2bua.demo.agent import Timing
from b2bua.demo.controls import Controls
from b2bua.demo.loopback import Datagram, LoopbackTransport, locate_here
from b2bua.demo.phone import Phone
from b2bua.demo.pstn import Pstn
from b2bua.demo.sound import SoundEngine
from b2bua.plan.apply import apply
from b2bua.plan.entries import ExtensionEntry, Plan
from b2bua.plan.reader import parse
from sip_stack.core import Hop
from sip_stack.digest import Credentials
from store.database import transact

__all__ = ["HOST", "Demo", "DemoSettings", "start_demo"]

HOST = "127.0.0.1"
_MANY = 100_000
"""Visitors of the demo all come from one address: no limit shall end the fun."""


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """How one demo runs; the ports are where the search for free ones begins, 0 takes any."""

    home: Path = Path(".ringback")
    bind: str = HOST
    sip_port: int = 5060
    http_port: int = 8080
    agents_port: int = 5070
    media_ports: str = "20000-29999"
    agents_media: range = field(default=range(30000, 32000))
    rtp_timeout_s: float = 10.0
    ring_s: int = 20
    """How long the trunk lets a number ring."""
    timing: Timing = Timing()
    line: str = "001*002"
    """Whose phone is simulated."""
    credit: str = "0.34"
    """What the caller of the callback number has at first: 0.12 for the call back, 0.01 for each second of his talk."""
    seen: Datagram | None = None
    """Is told of every SIP message, and of the RTP of both agents."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs."""

    running: wiring.Running
    phone: Phone
    pstn: Pstn
    controls: Controls
    folder: Path
    page_url: str
    own_phone: Credentials
    """For a real phone on this machine."""
    moved: list[str]
    """A sentence for each port that was taken."""


async def start_demo(settings: DemoSettings, stack: AsyncExitStack) -> Demo:
    """Start everything; `stack` ends it in reverse order.

    Raises: BadConfig for a bind that others could reach, StoreError, OSError where no port is free.
    """
    if settings.bind != HOST:
        raise BadConfig(f"the demo has no passwords worth the name and is bound to {HOST} only, not to {settings.bind}")
    folder = stack.enter_context(_own_folder(settings.home))
    make = partial(LoopbackTransport, sent=settings.seen)
    sound = SoundEngine(HOST, settings.agents_media, settings.seen)
    stack.push_async_callback(sound.close)
    pstn_transport = wiring.free_sip(HOST, settings.agents_port, make)
    plan = _plan(pstn_transport.port, settings)
    sip = wiring.free_sip(HOST, settings.sip_port, make)
    back = _callback_line(plan)
    pstn = Pstn(
        pstn_transport, sound, settings.timing, _trunk_user(plan), server=Hop("UDP", HOST, sip.port),
        callback=back.public_number,
    )  # fmt: skip
    stack.push_async_callback(pstn.agent.close)
    listener = wiring.free_http(HOST, settings.http_port)
    base_url = f"http://{HOST}:{listener.getsockname()[1]}"
    config = _config(settings, folder)
    await asyncio.to_thread(_apply, config.server.database, plan, base_url)
    phone = Phone(
        wiring.free_sip(HOST, settings.agents_port, make), sound, settings.timing, server=(HOST, sip.port),
        who=_phone_user(plan, settings.line), page_url=f"{base_url}/callnow/{_page_id(plan, settings.line)}",
    )  # fmt: skip
    controls = Controls(phone, pstn.caller, back.number)
    running = await wiring.run_server(
        config, stack, sip=sip, base_url=base_url, demo=controls, emergencies=False, locate=locate_here
    )
    controls.exchange = running.exchange
    await wiring.serve_web(running, config, listener, stack)
    stack.push_async_callback(phone.close)
    await phone.start()
    moved = [
        *_moved("SIP", settings.sip_port, sip.port),
        *_moved("HTTP", settings.http_port, listener.getsockname()[1]),
    ]
    return Demo(running, phone, pstn, controls, folder, phone.state().page_url, _phone_user(plan, "001*003"), moved)


def _moved(what: str, wanted: int, got: int) -> list[str]:
    return [] if wanted in (0, got) else [f"{what} port {wanted} is taken: using {got}"]


def _apply(url: str, plan: Plan, base_url: str) -> None:
    transact(url, lambda conn: apply(conn, plan, time.time(), base_url, lambda: token_hex(8)))


@contextmanager
def _own_folder(home: Path) -> Iterator[Path]:
    """The demo's folder, or while another demo has it, the next one: two servers never share a database."""
    for name in ("demo", *(f"demo-{n}" for n in range(2, 50))):
        folder = home / name
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder.resolve()
            return
    raise BadConfig(f"too many demos run in {home}")


def _config(settings: DemoSettings, folder: Path) -> Config:
    return Config(
        server=ServerConfig(database=f"sqlite:///{folder / 'demo.db'}"),
        media=MediaConfig(
            ports=settings.media_ports, rtp_timeout_s=settings.rtp_timeout_s, recordings=str(folder / "recordings"),
            sounds=str(folder / "sounds"),
        ),
        limits=LimitsConfig(_MANY, _MANY, _MANY, _MANY),
    )


def _plan(pstn_port: int, settings: DemoSettings) -> Plan:
    text = Template((files("b2bua.demo") / "tenant.toml").read_text("utf-8"))
    filled = text.substitute(pstn_port=pstn_port, ring_s=settings.ring_s, credit=settings.credit)
    return parse(filled, "tenant.toml")


def _trunk_user(plan: Plan) -> Credentials:
    (trunk,) = plan.trunk or ()
    return Credentials(trunk.user, trunk.password)


def _phone_user(plan: Plan, number: str) -> Credentials:
    entry = next(each for each in plan.extension or () if each.number == number)
    return Credentials(entry.number, entry.password)


def _callback_line(plan: Plan) -> ExtensionEntry:
    return next(each for each in plan.extension or () if each.kind == "callback")


def _page_id(plan: Plan, number: str) -> str:
    entry = next(each for each in plan.extension or () if each.number == number)
    return entry.callnow.id if entry.callnow else ""
