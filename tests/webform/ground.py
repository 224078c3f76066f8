"""What tests of the pages stand on: a clock, a client in memory, and the application on a real port."""

from __future__ import annotations

import asyncio
import io
import socket
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import numpy as np
import uvicorn
from starlette.applications import Starlette

__all__ = ["BASE", "Clock", "client_of", "served", "tone_for", "until"]

BASE = "http://127.0.0.1:35000"
PORTS = range(35000, 40000)


def tone_for(digits: str) -> bytes:
    """A 0.2-s tone, its own for each digit, as 8-kHz WAV."""
    hz = 400 + 100 * int(digits)
    samples = (12000 * np.sin(2 * np.pi * hz * np.arange(1600) / 8000)).astype("<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(samples.tobytes())
    return out.getvalue()


class Clock:
    """A wall clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 1_795_232_400.0

    def __call__(self) -> float:
        return self.now


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait until a condition holds.  Raises: TimeoutError."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - the condition is a plain fact of another part
            await asyncio.sleep(0.01)


def client_of(app: Starlette, *, peer: str = "192.0.2.7") -> httpx.AsyncClient:
    """An HTTP client that calls the application in memory."""
    transport = httpx.ASGITransport(app=app, client=(peer, 40000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=BASE)


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    """Serve the application by uvicorn on a free port; gives its URL."""
    listener = _listener()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        app.state.close_streams()
        server.should_exit = True
        await serving


def _listener() -> socket.socket:
    for port in PORTS:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()  # at once: until then another process may bind the same port
        except OSError:
            listener.close()
            continue
        return listener
    raise OSError("no free port")
