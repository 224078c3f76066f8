"""`ringback trunk`: what a trunk says, in plain words."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import typer

from b2bua.cli_common import ConfigOption, DatabaseOption, clear_errors, database_url
from b2bua.config import BadConfig, Config, read_config, split_address
from b2bua.random_ids import RandomIds
from b2bua.trunk_probe import Nobody, Probe
from sip_stack.core import SipCore
from sip_stack.resolver import Resolver
from sip_stack.transport import Alarm, UdpTransport
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
    transport = UdpTransport(loop, split_address(config.server.sip)[0], 0)
    told, alarm = config.addresses(transport.host).sip_told, Alarm(loop)
    core = SipCore(
        Nobody(), send=transport.send, local={"UDP": (told, transport.port)}, new_id=RandomIds(),
        clock=time.monotonic, alarm=alarm, bug=_raise,
    )  # fmt: skip
    alarm.wakes(core)
    transport.start(core)
    typer.echo(f"trunk {trunk.name}, asked from {told}:{transport.port}, which is not the server's socket")
    try:
        probe = Probe(trunk, core, Resolver(ipv6=":" in transport.host).locate, told, typer.echo)
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
        transport.close()


def _raise(error: Exception) -> None:
    raise error
