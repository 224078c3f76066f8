"""`ringback trunk`: what a trunk says, in plain words."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from b2bua.cli.common import ConfigOption, DatabaseOption, clear_errors, database_url
from b2bua.config import BadConfig, Config, read_config
from b2bua.places import listed, split_address
from b2bua.random_ids import random_ids
from b2bua.sip_transports import resolver
from b2bua.trunks.probe import Nobody, Probe
from b2bua.trunks.tls import trust_of
from sip_stack.core import SipCore
from sip_stack.hop import bracketed
from sip_stack.listening import Listener, Listening
from sip_stack.streams import StreamTransport
from sip_stack.transport import Alarm, UdpGroup, UdpTransport
from sip_stack.transports import by_transport
from store.database import transact
from store.directory import Directory, load
from store.values import Trunk

__all__ = ["app"]

app = typer.Typer(help="Trunks.", no_args_is_help=True)


@app.callback()
def _trunks() -> None:
    """Trunks of the configuration in the database."""


@app.command("test")
def ask(
    name: Annotated[str, typer.Argument(help="As in the file of `apply`.")],
    call: Annotated[str, typer.Option("--call", help="Call this number too, and hang up when it answers.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Ask a trunk by OPTIONS, REGISTER (where it is set) and a test call, and explain each answer.

    The running server is not disturbed: this is another socket, and the REGISTER binds nothing.
    """
    with clear_errors():
        directory = transact(database_url(database, config), load)
        trunk = directory.trunk_by_name(name)
        if trunk is None:
            known = ", ".join(sorted(each.name for each in directory.trunks.values())) or "none"
            raise BadConfig(f'there is no trunk "{name}"; there are: {known}')
        if not asyncio.run(_test(trunk, read_config(config) if config else Config(), call, _caller(directory, trunk))):
            raise SystemExit(1)


def _caller(directory: Directory, trunk: Trunk) -> str:
    """A number that a test call may show: the first that somebody here has."""
    numbers = (extension.public_number for extension in directory.extensions.values())
    return next((number for number in numbers if number), trunk.user or "anonymous")


async def _test(trunk: Trunk, config: Config, number: str, caller: str) -> bool:
    loop = asyncio.get_running_loop()
    hosts = dict.fromkeys(split_address(place)[0] for place in listed(config.server.sip))
    udp = UdpGroup([UdpTransport(loop, host, 0, number) for number, host in enumerate(hosts, 1)])
    streams = {
        name: StreamTransport(loop, name, lost=lambda hop: core.lost(hop), trusted=context)
        for name, context in (("TCP", None), ("TLS", lambda line: trust_of(trunk).context()))
    }
    ours = [(host, port, config.addresses(host).sip_told) for host, port in udp.places]
    told, alarm = ours[0][2], Alarm(loop)
    core = SipCore(
        Nobody(), send=by_transport({"UDP": udp.send, **{name: each.send for name, each in streams.items()}}),
        local=Listening([Listener(name, *each) for name in ("UDP", *streams) for each in ours]),
        new_id=random_ids(), clock=time.monotonic, alarm=alarm, bug=_raise,
    )  # fmt: skip
    core.oversize.stays = lambda hop: trunk.stay_on_udp or not config.server.tcp
    alarm.wakes(core)
    udp.start(core)
    for each in streams.values():
        await each.start(core.receive)
    typer.echo(f"trunk {trunk.name}, asked from {bracketed(told)}:{udp.port}, which is not the server's socket")
    try:
        probe = Probe(
            trunk, core, resolver(config, udp).locate, told, typer.echo,
            why=lambda hop: streams[hop.transport].last_error if hop.transport in streams else "",
        )  # fmt: skip
        if not await probe.find():
            return False
        well = [await probe.options()]
        if trunk.register:
            well.append(await probe.register())
        if number:
            well.append(await probe.call(number, caller))
        return all(well)
    finally:
        alarm.close()
        udp.close()
        for each in streams.values():
            await each.close()


def _raise(error: Exception) -> None:
    raise error
