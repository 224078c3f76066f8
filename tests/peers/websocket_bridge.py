"""A cable between a phone that speaks SIP over TCP and a server's WebSocket: the phone becomes one of RFC 7118.

Vias name the transport WS and a host that nobody can find, Contacts too, as those of a page in a browser do.  Sound
goes its own way.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

__all__ = ["WebSocketBridge", "websocket_bridge"]

_LINES = re.compile(rb"^(?:Via|Contact|Route|Record-Route|v|m):|^[A-Z]+ sips?:", re.IGNORECASE)


class WebSocketBridge:
    """One phone at `phone` (host:port), the server's WebSocket at `server` (host:port)."""

    def __init__(self, server: str, phone: str) -> None:
        self.at = ""
        """Where the phone finds its server, over TCP."""
        self.nowhere = f"{secrets.token_hex(6)}.invalid"
        self._server, self._phone = server, phone
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The phone has connected."""
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Cut every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with (
                connect(f"ws://{self._server}/sip", subprotocols=[Subprotocol("sip")], proxy=None) as socket,
                asyncio.TaskGroup() as both,
            ):
                both.create_task(self._to_server(reader, socket))
                both.create_task(self._to_phone(socket, writer))
        except* (ConnectionClosed, asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _to_server(self, reader: asyncio.StreamReader, socket: ClientConnection) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"\r\n(?:Content-Length|l)[ \t]*:[ \t]*([0-9]+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(found[1]) if found else 0)
            await socket.send((self._seen_by_server(head) + body).decode())

    async def _to_phone(self, socket: ClientConnection, writer: asyncio.StreamWriter) -> None:
        async for message in socket:
            data = message.encode() if isinstance(message, str) else message
            head, gap, body = data.partition(b"\r\n\r\n")
            writer.write(self._seen_by_phone(head) + gap + body)
            await writer.drain()

    def _seen_by_server(self, head: bytes) -> bytes:
        return _changed(head, (b"SIP/2.0/TCP", b"SIP/2.0/WS"), (b";transport=tcp", b";transport=ws"),
                        (self._phone.encode(), self.nowhere.encode()), (self.at.encode(), self._server.encode()))

    def _seen_by_phone(self, head: bytes) -> bytes:
        return _changed(head, (b"SIP/2.0/WS", b"SIP/2.0/TCP"), (b";transport=ws", b";transport=tcp"),
                        (self.nowhere.encode(), self._phone.encode()), (self._server.encode(), self.at.encode()))


def _changed(head: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    """Only where addresses stand: a digest is made with the words of its own line."""
    lines = head.split(b"\r\n")
    for number, line in enumerate(lines):
        if _LINES.match(line):
            for old, new in changes:
                line = line.replace(old, new)
            lines[number] = line
    return b"\r\n".join(lines)


@asynccontextmanager
async def websocket_bridge(host: str, port: int, *, server: str, phone: str) -> AsyncIterator[WebSocketBridge]:
    """A bridge whose TCP side is at `host:port`."""
    bridge = WebSocketBridge(server, phone)
    listener = await asyncio.start_server(bridge.accept, host, port)
    bridge.at = f"{host}:{port}"
    try:
        yield bridge
    finally:
        listener.close()
        await bridge.end()
        await listener.wait_closed()
