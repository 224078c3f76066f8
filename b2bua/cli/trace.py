"""`ringback ladder`, `ringback pcap`, `ringback sip-trace`: the SIP messages of a call, and of the moment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from b2bua.cli.common import OPERATOR, ConfigOption, DatabaseOption, clear_errors, database_url, order
from b2bua.config import BadConfig
from b2bua.control import AskTrace, NoServer, TraceLine, ask_ladder, ask_trace
from b2bua.trace.call_ladder import CallLadder
from b2bua.trace.pcap import capture
from b2bua.trace.text_ladder import heading, printable, text_line

__all__ = ["ladder", "pcap", "shown", "sip_trace"]

_LANES = ("Extension", "Ringback", "PSTN")
CallArgument = Annotated[str, typer.Argument(metavar="CALL", help="Its id, which `why`, the log and the pages tell.")]


def ladder(
    call: CallArgument,
    texts: Annotated[bool, typer.Option("--texts", help="With the messages themselves.")] = False,
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Show what happened on the wires of one call, under way or over."""
    found = _found(call, config, database)
    typer.echo(heading(_LANES))
    for row in found.rows:
        typer.echo(text_line(row))
        if texts and row.text:
            typer.echo("".join(f"        {line}\n" for line in printable(_lines(row.text)).splitlines()))


def pcap(
    call: CallArgument,
    out: Annotated[Path, typer.Option("--out", help="The file to write; `-` is standard output.")],
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Write the SIP messages of one call as a file for Wireshark; secrets are masked."""
    found = _found(call, config, database)
    data = capture(found.started, found.rows)
    with clear_errors():
        if out == Path("-"):
            sys.stdout.buffer.write(data)
        else:
            out.write_bytes(data)
    short = sum(row.kind == "sip" and "\r\n\r\n" not in row.text for row in found.rows)
    if short:
        typer.echo(f"{short} messages are left out: only their first line was kept", err=True)


def _found(call: str, config: Path | None, database: str) -> CallLadder:
    with clear_errors():
        found = ask_ladder(database_url(database, config), call)
    return found or order(database, config, lambda office: office.call_ladder(OPERATOR, call))


def sip_trace(
    number: Annotated[str, typer.Option("--number", help="Only messages from or to it, and those of its calls.")] = "",
    ip: Annotated[str, typer.Option("--ip", help="Only messages from or to this address.")] = "",
    method: Annotated[str, typer.Option("--method", help="Only this method and the answers to it.")] = "",
    config: ConfigOption = None, database: DatabaseOption = "",
) -> None:  # fmt: skip
    """Show the SIP messages of the running server as they pass, until Ctrl-C; secrets are masked."""
    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    with clear_errors():
        url = database_url(database, config)
        try:
            if ip:
                ip = str(ip_address(ip.strip("[]")))
            for line in ask_trace(url, AskTrace(number, ip, method)):
                typer.echo("\n".join(shown(line, colours)) + "\n", color=colours)
        except ValueError as error:
            raise BadConfig(f"--ip: {error}") from error
        except NoServer as error:
            raise BadConfig(str(error)) from error
        except KeyboardInterrupt:
            return
        except BrokenPipeError:  # `| head`
            sys.stdout = None  # nothing more can be flushed
            return
        raise BadConfig("the server has ended")


def shown(line: TraceLine, colours: bool) -> Iterator[str]:
    """The parts of one message: where and when, its first line, the rest."""
    if line.missed:
        yield f"... {line.missed} messages left out: the terminal is too slow"
    at = datetime.fromtimestamp(line.at).astimezone()
    arrow = f"{line.peer} -> {line.local}" if line.received else f"{line.local} -> {line.peer}"
    head = f"{at:%Y-%m-%d %H:%M:%S.%f} {line.transport} {arrow}{f' call {line.call}' if line.call else ''}"
    first, _, rest = printable(_lines(line.text)).strip("\n").partition("\n")
    if colours:
        yield typer.style(head, dim=True)
        yield typer.style(first, bold=True, fg="green" if line.received else "cyan")
    else:
        yield from (head, first)
    if rest:
        yield rest


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")
