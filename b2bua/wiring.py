"""The composition root: puts sockets, media, database, exchange and pages together, and takes them apart."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn

from b2bua.codes.calls import CodeCalls, NewCode
from b2bua.config import BadConfig, Config, ServerConfig
from b2bua.control import control
from b2bua.exchange import Exchange
from b2bua.front import DemoControls, FrontDesk
from b2bua.gate import Gate
from b2bua.office.office import BackOffice
from b2bua.places import listed, split_address, split_host
from b2bua.random_ids import random_ids
from b2bua.rules.limits import Limits
from b2bua.secret_hash import hash_secret
from b2bua.sip_transports import SipTransports, media_places, resolver
from b2bua.stir.service import BadFiles, Stir
from b2bua.trace.call_ladder import live_ladder
from b2bua.trace.hep import HepSender
from b2bua.trace.sip_trace import SipTrace
from b2bua.trunks.requests import Locate
from media.engine import MediaEngine
from media.prompt import Pack
from sip_stack.core import SipCore
from sip_stack.transport import Alarm, UdpGroup, UdpTransport
from store.database import Database
from store.lock import ServerLock
from webform.app import create_app

__all__ = ["Running", "bind_http", "fixed_sip", "free_http", "free_sip", "run_server", "serve_web"]

Transport = Callable[[asyncio.AbstractEventLoop, str, int], UdpTransport]

log = logging.getLogger(__name__)

_RENEW_S = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that serves."""

    exchange: Exchange
    front: FrontDesk
    code_calls: CodeCalls
    engine: MediaEngine
    sip: tuple[str, int]
    base_url: str

    def load(self) -> dict[str, int]:
        """What is held now: back to base once all calls are over, but for transactions, which linger (RFC 3261 17)."""
        exchange = self.exchange
        return exchange.core.load | {
            "calls": len(exchange.live),
            "wires": len(exchange.ladders.wires),
            "ports": self.engine.open_ports,
            "tasks": len(asyncio.all_tasks()),
            "media_pid": self.engine.worker_pid,
        }


def bind_http(host: str, port: int) -> socket.socket:
    """A listening TCP socket.  Raises: OSError where the port is held."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle off only where it sees that it is TCP: else each answer waits 40 ms for an acknowledgement
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    return listener


async def run_server(
    config: Config, stack: AsyncExitStack, *, sip: UdpTransport | UdpGroup, base_url: str,
    demo: DemoControls | None = None, emergencies: bool = True, locate: Locate | None = None,
) -> Running:  # fmt: skip
    """Start everything but the web; `stack` ends it in reverse order.

    Raises: StoreError for an unusable database or one that another server has, BadConfig for a media address that is
    not ours, TimeoutError when no media worker comes up.
    """
    loop = asyncio.get_running_loop()
    address = config.addresses(sip.host).sip_told
    stack.enter_context(ServerLock(config.server.database))
    database = await Database.open(config.server.database)
    stack.push_async_callback(database.close)
    (bound, told), *more = places = list(dict.fromkeys(media_places(config, sip).values()))
    for media, _ in places:
        _can_bind(media)
    engine = await MediaEngine.start(bound, config.media_ports(), advertised=told, more=more)
    stack.push_async_callback(engine.close)
    recordings = Path(config.media.recordings) if config.media.recordings else None
    if recordings:
        recordings.mkdir(parents=True, exist_ok=True)
    exchange = Exchange(
        database=database,
        engine=engine,
        pack=Pack.load("en"),
        gate=Gate(secrets.token_bytes(32), config.server.digest),
        locate=locate or resolver(config, sip).locate,
        now=time.monotonic,
        wall=time.time,
        new_id=random_ids(),
        domain=address,
        rtp_timeout_s=config.media.rtp_timeout_s,
        recordings=recordings,
        sounds=config.sounds(),
        emergencies=emergencies,
        ladders=config.ladders(),
        recent_calls=config.server.recent_calls,
        stir=_stir(config),
        mark=config.stir.mark,
    )
    alarm = Alarm(loop)
    ways = await SipTransports.bind(config, exchange, sip, stack)
    exchange.core = core = SipCore(
        exchange.intake,
        send=ways.send,
        local=ways.listening,
        new_id=exchange.new_id,
        clock=time.monotonic,
        alarm=alarm,
        bug=_bug,
    )
    ways.attach(core)
    alarm.wakes(core)
    trace = SipTrace(exchange, ladders=config.server.ladder_messages > 0)
    stack.callback(alarm.close)
    stack.callback(sip.close)
    await exchange.open()
    stack.push_async_callback(exchange.close)
    front = FrontDesk(
        exchange, base_url=base_url, new_token=lambda: secrets.token_urlsafe(16),
        limits=Limits(config.limit_numbers()), demo=demo,
    )  # fmt: skip
    await front.open()
    if exchange.stir is not None:
        exchange.keep(_renewing_stir(exchange.stir))
    _send_to_homer(config.server, exchange, trace, stack)
    code_calls = CodeCalls(exchange, _new_code, config.code_limits())
    await stack.enter_async_context(control(config.server.database, exchange, trace, code_calls))
    _spare_the_collector()
    await ways.start(core)
    return Running(exchange, front, code_calls, engine, (address, sip.port), base_url)


async def _new_code() -> NewCode:
    digits = f"{secrets.randbelow(10**6):06}"
    return NewCode(digits, await asyncio.to_thread(hash_secret, digits))


def _stir(config: Config) -> Stir | None:
    """Raises: BadConfig."""
    stir = config.stir
    if not (stir.key or stir.roots):
        return None
    try:
        return Stir(stir.files(), time.time)
    except (BadFiles, OSError) as error:
        raise BadConfig(f"[stir]: {error}") from error


async def _renewing_stir(stir: Stir) -> None:
    while True:
        await asyncio.sleep(_RENEW_S)
        try:
            if await asyncio.to_thread(stir.renew):
                log.info("event=stir-files-renewed")
        except (BadFiles, OSError) as error:
            log.error("event=stir-files-not-renewed error=%s", error)


async def serve_web(running: Running, config: Config, listener: socket.socket, stack: AsyncExitStack) -> None:
    """Serve the pages on a bound socket, in this loop; `stack` ends it."""
    app = create_app(
        running.front,
        secret=secrets.token_bytes(32),
        base_url=running.base_url,
        speak_digits=lambda digit: running.exchange.pack.wav([digit]),
        office=BackOffice(
            running.exchange.database, time.time, config.sounds(), partial(live_ladder, running.exchange),
            running.code_calls.place, running.base_url,
        ),
        proxies=config.web.proxies,
    )
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1, proxy_headers=False,
        server_header=False, ws="none",
    )  # fmt: skip
    server = _Web(settings)
    task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))

    async def stop() -> None:
        app.state.close_streams()  # else the server waits for every open page
        server.stop()
        await task

    stack.push_async_callback(stop)
    await server.up.wait()


class _Web(uvicorn.Server):
    """Signals are ours: they end calls before pages."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End at once."""
        self.should_exit = True
        self._stopped.set()

    async def main_loop(self) -> None:
        """Uvicorn's own looks ten times a second whether to end: a third of what an idle server does."""
        while not await self.on_tick(0):  # moves the Date header
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._stopped.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell when pages are served."""
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _send_to_homer(server: ServerConfig, exchange: Exchange, trace: SipTrace, stack: AsyncExitStack) -> None:
    if server.hep:
        sender = HepSender(split_host(server.hep), server.hep_id, server.hep_password)
        exchange.keep(sender.follow())
        stack.callback(sender.close)
        stack.callback(trace.watch(sender))


def _can_bind(media: str) -> None:
    """The media worker could only die of it.  Raises: BadConfig."""
    with socket.socket(socket.AF_INET6 if ":" in media else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((media, 0))
        except OSError as error:
            raise BadConfig(f'media.address = "{media}": {error.strerror}') from error


def _spare_the_collector() -> None:
    """Collect rarely: RFC timers keep every transaction for 32 s, and walking them all was a third of a call's cost."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _bug(error: Exception) -> None:
    log.error("event=bug", exc_info=error)


def free_http(host: str, first: int) -> socket.socket:
    """The first free port from `first` on: what the demo listens at.  Raises: OSError when 50 are held."""
    for port in range(first, first + 50):
        try:
            return bind_http(host, port)
        except OSError:
            continue
    raise OSError(f"no free TCP port from {first} on")


def free_sip(host: str, first: int, make: Transport = UdpTransport) -> UdpTransport:
    """As `free_http`, for SIP over UDP."""
    loop = asyncio.get_running_loop()
    for port in range(first, first + 50):
        try:
            return make(loop, host, port)
        except OSError:
            continue
    raise OSError(f"no free UDP port from {first} on")


def fixed_sip(config: Config) -> UdpTransport | UdpGroup:
    """The configured ports or nothing.  Raises: OSError."""
    loop = asyncio.get_running_loop()
    first, *others = [split_address(place) for place in listed(config.server.sip)]
    if not others:
        return UdpTransport(loop, *first)
    sockets: list[UdpTransport] = []
    try:
        for number, (host, port) in enumerate([first, *others], 1):
            sockets.append(UdpTransport(loop, host, port, number))
    except OSError:
        for each in sockets:
            each.close()
        raise
    return UdpGroup(sockets)
