"""Server-Sent Events: frames, several sources on one stream, and a heartbeat that shows dead clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse

__all__ = ["HEARTBEAT_S", "EventStream", "frame", "stream"]

HEARTBEAT_S = 15.0


def frame(event: str, data: str, event_id: str = "") -> str:
    """One event; every line of data gets its own `data:` field (WHATWG HTML 9.2.5)."""
    lines = [f"event: {event}", *(f"data: {line}" for line in data.splitlines() or [""])]
    if event_id:
        lines.append(f"id: {event_id}")
    return "\n".join(lines) + "\n\n"


async def stream(
    lead: AsyncIterator[str], *beside: AsyncIterator[str], heartbeat_s: float = HEARTBEAT_S
) -> AsyncIterator[str]:
    """Merge frames of all sources as they come, a comment in each silence; ends when `lead` ends."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    async def pump(source: AsyncIterator[str], *, leads: bool) -> None:
        try:
            async for item in source:
                queue.put_nowait(item)
        finally:
            if leads:
                queue.put_nowait(None)

    pumps = [asyncio.create_task(pump(lead, leads=True))]
    pumps += [asyncio.create_task(pump(source, leads=False)) for source in beside]
    try:
        while True:
            try:
                item = await asyncio.wait_for(queue.get(), heartbeat_s)
            except TimeoutError:
                item = ": still here\n\n"
            if item is None:
                return
            yield item
    finally:
        for task in pumps:  # a pump only ever waits inside its source, so that cancelling it also closes the source
            task.cancel()


class EventStream(StreamingResponse):
    """A response of frames that no proxy may hold back."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncIterator[str]) -> None:
        super().__init__(frames, headers={"X-Accel-Buffering": "no"})
