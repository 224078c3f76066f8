"""The command line: `ringback` or `python -m b2bua`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated

import typer

from b2bua import wiring
from b2bua.cli import accounts as cli_accounts
from b2bua.cli import blocked as cli_blocked
from b2bua.cli import callers as cli_callers
from b2bua.cli import links as cli_links
from b2bua.cli import public as cli_public
from b2bua.cli import rates as cli_rates
from b2bua.cli import tokens as cli_tokens
from b2bua.cli import trace as cli_trace
from b2bua.cli import trunk as cli_trunk
from b2bua.cli.common import ConfigOption, DatabaseOption, clear_errors
from b2bua.cli.why import why
from b2bua.config import BadConfig, Config, read_config
from b2bua.places import split_address
from sip_stack.batch_loop import BatchLoop

if TYPE_CHECKING:
    from b2bua.demo.start import DemoSettings

__all__ = ["main"]

app = typer.Typer(help="Ringback: web callback and callback-number server.", no_args_is_help=True, add_completion=False)
app.add_typer(cli_accounts.app, name="account")
app.add_typer(cli_blocked.app, name="blocked")
app.add_typer(cli_callers.app, name="caller")
app.add_typer(cli_public.app, name="public-caller-id")
app.add_typer(cli_links.app, name="link")
app.add_typer(cli_tokens.app, name="token")
app.add_typer(cli_trunk.app, name="trunk")
app.add_typer(cli_rates.app, name="rate")
app.add_typer(cli_rates.routes, name="route")
app.command()(why)
app.command()(cli_trace.ladder)
app.command()(cli_trace.pcap)
app.command("sip-trace")(cli_trace.sip_trace)


@app.command()
def serve(config: Annotated[Path, typer.Option("--config", help="The server's TOML file.")]) -> None:
    """Run the server until SIGINT or SIGTERM."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # it tells its load when it is ready
    with clear_errors():
        settings = read_config(config)
        _log_to_stderr(settings.server.log_level)
        with asyncio.Runner(loop_factory=BatchLoop) as runner:
            runner.run(_serve(settings))


async def _serve(config: Config) -> None:
    stop = _stop_signal()
    host, port = split_address(config.web.http)
    async with AsyncExitStack() as stack:
        try:
            sip = wiring.fixed_sip(config)
        except OSError as error:
            raise BadConfig(f"SIP {config.server.sip}: {error.strerror} (another server runs there?)") from error
        try:
            listener = wiring.bind_http(host, port)
        except OSError as error:
            sip.close()
            raise BadConfig(f"HTTP {config.web.http}: {error.strerror} (another server runs there?)") from error
        running = await wiring.run_server(config, stack, sip=sip, base_url=config.base_url())
        await wiring.serve_web(running, config, listener, stack)
        link = await running.front.new_admin_link()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _print_load, running)
        print(f"ready sip={sip.host}:{sip.port} http={host}:{port}", flush=True)
        print(f"admin, once: {link}", flush=True)
        await stop.wait()


def _print_load(running: wiring.Running) -> None:
    """The answer to SIGUSR1: `load clients=0 servers=0 dialogs=0 calls=0 ...`."""
    print("load", *(f"{name}={count}" for name, count in running.load().items()), flush=True)


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="Accounts, extensions, trunks, rates, CallNow settings as TOML.")],
    config: ConfigOption = None,
    database: DatabaseOption = "",
    base_url: Annotated[str, typer.Option(help="Where visitors reach the pages; else that of --config.")] = "",
) -> None:
    """Make the configuration what FILE says; a running server takes it within a second."""
    from b2bua.plan.apply import apply as apply_plan
    from b2bua.plan.entries import BadPlan
    from b2bua.plan.reader import parse
    from store.database import transact

    with clear_errors():
        settings = read_config(config) if config else Config()
        url, pages = database or settings.server.database, base_url or settings.base_url()
        try:
            plan = parse(file.read_text("utf-8"), str(file))
            lines = transact(url, lambda conn: apply_plan(conn, plan, time.time(), pages, lambda: token_hex(8)))
        except OSError as error:
            raise BadConfig(f"{file}: {error.strerror}") from error
        except BadPlan as error:
            raise BadConfig(str(error)) from error
        for line in lines:
            print(line)


@app.command()
def demo(
    bind: Annotated[str, typer.Option(help="127.0.0.1, the only address the demo agrees to.")] = "127.0.0.1",
    sip_port: Annotated[int, typer.Option(help="Where the search for a free SIP port begins.")] = 5060,
    http_port: Annotated[int, typer.Option(help="Where the search for a free HTTP port begins.")] = 8080,
    home: Annotated[Path, typer.Option(help="Where database and recordings are kept.")] = Path(".ringback"),
) -> None:
    """Run the server with a simulated phone and a simulated telephone network, for this machine only."""
    from b2bua.demo.start import DemoSettings

    with clear_errors():
        _log_to_stderr("ERROR")
        asyncio.run(_demo(DemoSettings(home=home, bind=bind, sip_port=sip_port, http_port=http_port)))


async def _demo(settings: DemoSettings) -> None:
    from b2bua.demo.start import start_demo

    stop = _stop_signal()
    async with AsyncExitStack() as stack:
        demo = await start_demo(settings, stack)
        running, own, (host, port) = demo.running, demo.own_phone, demo.running.sip
        for sentence in demo.moved:
            print(sentence)
        print(f"""Ringback demo: reached from this machine only, kept in {demo.folder}

  John's public page   {demo.page_url}
  Demo desk            {running.base_url}/demo
  Live calls           {running.base_url}/calls
  Admin, works once    {await running.front.new_admin_link()}
  A phone of yours     on this machine: SIP server {host}:{port}, user {own.user}, password {own.password}
                       its page: {running.base_url}/callnow/my_phone

Ctrl-C ends it.""", flush=True)
        await stop.wait()


@app.command("demo-call")
def demo_call(
    number: Annotated[str, typer.Option(help="Whom to call; the last digits decide what it does.")] = "+12025550100",
    callback: Annotated[bool, typer.Option("--callback", help="Ring the demo's callback number instead.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for call.wav and call.pcap.")] = Path(".ringback/demo-call"),
) -> None:
    """Place one whole call without a browser; exits 0 when it went as it should.

    That is a CallNow call as the table of numbers says, or with --callback one of the callback number, cut at zero.
    """
    from b2bua.demo.demo_call import demo_call as place
    from b2bua.demo.demo_callback import demo_callback

    with clear_errors():
        _log_to_stderr("ERROR")
        say = partial(print, flush=True)
        if not asyncio.run(demo_callback(out, say) if callback else place(number, out, say)):
            raise SystemExit(1)


def _stop_signal() -> asyncio.Event:
    """Set by SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(max(logging.WARNING, logging.getLevelName(level)))


def main() -> None:
    """Entry point."""
    app()
