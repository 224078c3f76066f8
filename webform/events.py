"""Server-Sent Events: frames, several sources on one stream, and a heartbeat that shows dead clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

__all__ = ["HEARTBEAT_S", "EventStream", "Streams", "frame"]

HEARTBEAT_S = 15.0


def frame(event: str, data: str, event_id: str = "") -> str:
    """One event; every line of data gets its own `data:` field (WHATWG HTML 9.2.5)."""
    lines = [f"event: {event}", *(f"data: {line}" for line in data.splitlines() or [""])]
    if event_id:
        lines.append(f"id: {event_id}")
    return "\n".join(lines) + "\n\n"


class Streams:
    """The open event streams of one application."""

    def __init__(self, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._heartbeat_s = heartbeat_s
        self._open: set[asyncio.Queue[str | None]] = set()
        self._closed = False

    def close(self) -> None:
        """End them all, and each later one at once: a server that wants to stop waits for its answers."""
        self._closed = True
        for queue in self._open:
            queue.put_nowait(None)

    async def merge(self, lead: AsyncIterator[str], *beside: AsyncIterator[str]) -> AsyncIterator[str]:
        """Frames of all sources as they come, a comment in each silence; ends when `lead` ends."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        pumps = [asyncio.create_task(_pump(source, queue, leads=source is lead)) for source in (lead, *beside)]
        self._open.add(queue)
        try:
            while not self._closed or not queue.empty():
                try:
                    item = await asyncio.wait_for(queue.get(), self._heartbeat_s)
                except TimeoutError:
                    item = ": still here\n\n"
                if item is None:
                    return
                yield item
        finally:
            self._open.discard(queue)
            for pump in pumps:  # it only ever waits inside its source, so that cancelling it closes the source too
                pump.cancel()


async def _pump(source: AsyncIterator[str], queue: asyncio.Queue[str | None], *, leads: bool) -> None:
    try:
        async for item in source:
            queue.put_nowait(item)
    finally:
        if leads:
            queue.put_nowait(None)


class EventStream(StreamingResponse):
    """A response of frames that no proxy may hold back."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[str]) -> None:
        super().__init__(frames, headers={"X-Accel-Buffering": "no"})
