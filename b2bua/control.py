"""The socket by which the command line asks a running server: a Unix socket beside the database, its owner's alone."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.engine import make_url

from b2bua.desk import Holder, NotDone
from b2bua.trace.call_ladder import CallLadder, live_ladder
from b2bua.trace.ladder import address_text
from b2bua.trace.sip_trace import Filter, Seen, SipTrace
from store.errors import StoreError

if TYPE_CHECKING:
    from b2bua.codes.calls import CodeCalls
    from b2bua.exchange import Exchange

__all__ = [
    "AskTrace", "CodeCallTold", "NoServer", "TraceLine", "ask_code_call", "ask_ladder", "ask_trace", "control",
    "control_path",
]  # fmt: skip

log = logging.getLogger(__name__)

_MOST_WAITING = 1000
"""Messages for a terminal that does not keep up."""
_OPERATOR = Holder("operator", None)


class NoServer(Exception):
    """No server runs on this database."""


class AskLadder(msgspec.Struct, tag="ladder", frozen=True, forbid_unknown_fields=True):
    """Answered by one line: a CallLadder, or null."""

    call: str


class AskTrace(msgspec.Struct, tag="trace", frozen=True, forbid_unknown_fields=True):
    """Answered by a TraceLine for each message, until the asker leaves."""

    number: str = ""
    ip: str = ""
    method: str = ""


class AskCodeCall(msgspec.Struct, tag="code-call", frozen=True, forbid_unknown_fields=True):
    """Answered by a CodeCallTold when the call begins, or does not, and by another when it is over."""

    extension: str


class CodeCallTold(msgspec.Struct, frozen=True):
    """Where a call that speaks a code stands."""

    number: str = ""
    reason: str = ""
    """How it ended; empty while it is under way."""
    refused: str = ""
    """A sentence that says why there is none."""


class TraceLine(msgspec.Struct, frozen=True):
    """One message of a live view."""

    at: float
    received: bool
    transport: str
    local: str
    peer: str
    call: str
    """Empty: of no call."""
    text: str
    missed: int = 0
    """Messages left out just before this one: the terminal was slower."""


def control_path(database: str) -> Path:
    """Where the socket of a server is."""
    return Path(f"{make_url(database).database}.sock")


def line_of(seen: Seen, missed: int = 0) -> TraceLine:
    """As it is shown: without secrets."""
    return TraceLine(
        seen.at, seen.received, seen.hop.transport, address_text(*seen.local),
        address_text(seen.hop.host, seen.hop.port), seen.call.id if seen.call else "",
        seen.shown.decode("utf-8", "replace"), missed,
    )  # fmt: skip


# The server's side


@asynccontextmanager
async def control(
    database: str, exchange: Exchange, trace: SipTrace, code_calls: CodeCalls
) -> AsyncIterator[None]:
    """Answer until the end; a server whose socket cannot be made serves without one."""
    path = control_path(database)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)  # of a server that died: the database's lock is ours
        listener.bind(str(path))
        path.chmod(0o600)  # nobody can connect before it listens
    except OSError as error:
        listener.close()
        log.warning("event=no-control-socket path=%s error=%s", path, error)
        yield
        return
    answering: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        answering.add(task)
        try:
            await _answer(reader, writer, exchange, trace, code_calls)
        except (OSError, ValueError, msgspec.MsgspecError, asyncio.CancelledError) as error:  # nonsense, or the end
            log.debug("event=control-ended error=%r", error)
        finally:
            answering.discard(task)
            writer.close()

    server = await asyncio.start_unix_server(answer, sock=listener)
    try:
        yield
    finally:
        server.close()
        for task in list(answering):
            task.cancel()
        await asyncio.gather(*answering)
        await server.wait_closed()
        path.unlink(missing_ok=True)


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, exchange: Exchange, trace: SipTrace,
    code_calls: CodeCalls,
) -> None:  # fmt: skip
    async with asyncio.timeout(10):
        question = msgspec.json.decode(await reader.readline(), type=AskLadder | AskTrace | AskCodeCall)
    if isinstance(question, AskLadder):
        writer.write(msgspec.json.encode(live_ladder(exchange, _OPERATOR, question.call)) + b"\n")
        await writer.drain()
        return
    if isinstance(question, AskCodeCall):
        async for told in _code_call(question, code_calls):
            writer.write(msgspec.json.encode(told) + b"\n")
            await writer.drain()
        return
    waiting: asyncio.Queue[TraceLine] = asyncio.Queue(_MOST_WAITING)
    wanted = Filter(question.number, question.ip, question.method)
    stop = trace.watch(_into(waiting, wanted))
    log.info("event=sip-trace-began ip=%s method=%s", question.ip, question.method)
    sending = asyncio.create_task(_send(waiting, writer))
    leaving = asyncio.create_task(reader.read())  # ends when the asker leaves
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop()
        for task in (sending, leaving):
            task.cancel()
        await asyncio.gather(sending, leaving, return_exceptions=True)
        log.info("event=sip-trace-ended")


async def _code_call(question: AskCodeCall, code_calls: CodeCalls) -> AsyncIterator[CodeCallTold]:
    try:
        call = await code_calls.place(_OPERATOR, question.extension)
    except (NotDone, StoreError) as refused:
        yield CodeCallTold(refused=str(refused))
        return
    yield CodeCallTold(call.to)
    await call.ended()
    yield CodeCallTold(call.to, str(call.outcome))


def _into(waiting: asyncio.Queue[TraceLine], wanted: Filter) -> Callable[[Seen], None]:
    missed = 0

    def watcher(seen: Seen) -> None:
        nonlocal missed
        if not wanted.wants(seen):
            return
        if waiting.full():
            missed += 1
            return
        waiting.put_nowait(line_of(seen, missed))
        missed = 0

    return watcher


async def _send(waiting: asyncio.Queue[TraceLine], writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(msgspec.json.encode(await waiting.get()) + b"\n")
        await writer.drain()


# The asker's side


def ask_ladder(database: str, call_id: str) -> CallLadder | None:
    """The ladder of a call that a running server has in memory; None where no server runs, or it has none."""
    try:
        with _ask(database, AskLadder(call_id)) as lines:
            return msgspec.json.decode(next(lines, b"null"), type=CallLadder | None)
    except NoServer:
        return None


def ask_code_call(database: str, extension: str) -> Iterator[CodeCallTold]:
    """Let a running server call, and tell how that goes.  Raises: NoServer."""
    with _ask(database, AskCodeCall(extension)) as lines:
        for line in lines:
            yield msgspec.json.decode(line, type=CodeCallTold)


def ask_trace(database: str, question: AskTrace) -> Iterator[TraceLine]:
    """Each message as it passes, until the server ends.  Raises: NoServer."""
    with _ask(database, question) as lines:
        for line in lines:
            yield msgspec.json.decode(line, type=TraceLine)


@contextmanager
def _ask(database: str, question: AskLadder | AskTrace | AskCodeCall) -> Iterator[Iterator[bytes]]:
    path = control_path(database)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except PermissionError as error:
            raise NoServer(f"{path} belongs to another user: ask as the one who runs the server") from error
        except OSError as error:
            raise NoServer(f"no server runs on this database: {path}: {error.strerror or error}") from error
        asking.sendall(msgspec.json.encode(question) + b"\n")
        with asking.makefile("rb") as lines:
            yield lines
