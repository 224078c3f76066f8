"""The event stream: frames, merging, heartbeat, and closing what it listened to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.webform.ground import until
from webform.events import Streams, frame


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(("status", "x"), "event: status\ndata: x\n\n", id="plain"),
        pytest.param(("row", "a\nb", "7"), "event: row\ndata: a\ndata: b\nid: 7\n\n", id="lines and an id"),
        pytest.param(("row", "a\r\nb\rc"), "event: row\ndata: a\ndata: b\ndata: c\n\n", id="CR cannot end a field"),
        pytest.param(("calls", ""), "event: calls\ndata: \n\n", id="empty data is still data"),
    ],
)
def test_frame(arguments: tuple[str, ...], text: str) -> None:
    assert frame(*arguments) == text


async def say(*items: str) -> AsyncIterator[str]:
    for item in items:
        yield item


class Endless:
    """A source that gives its items, then stays open until it is closed."""

    def __init__(self, *items: str) -> None:
        self.items, self.closed = items, False

    async def frames(self) -> AsyncIterator[str]:
        try:
            for item in self.items:
                yield item
            await asyncio.Event().wait()
        finally:
            self.closed = True


async def test_the_stream_ends_with_its_lead_and_closes_the_others() -> None:
    beside = Endless("b")
    lead_may_end = asyncio.Event()

    async def lead() -> AsyncIterator[str]:
        yield "a"
        await lead_may_end.wait()

    got = []
    async for item in Streams().merge(lead(), beside.frames()):
        got.append(item)
        if len(got) == 2:
            lead_may_end.set()
    await until(lambda: beside.closed)
    assert sorted(got) == ["a", "b"]


async def test_silence_brings_a_comment() -> None:
    source = Endless("a")
    events = Streams(heartbeat_s=0.01).merge(source.frames())
    assert [await anext(events), await anext(events), await anext(events)] == ["a", *[": still here\n\n"] * 2]
    await events.aclose()  # type: ignore[attr-defined]
    await until(lambda: source.closed)


async def test_a_source_that_ends_at_once_ends_the_stream() -> None:
    assert [item async for item in Streams().merge(say())] == []


async def test_close_ends_every_open_stream() -> None:
    streams, sources = Streams(), [Endless("a"), Endless("b")]
    events = [streams.merge(source.frames()) for source in sources]
    assert [await anext(each) for each in events] == ["a", "b"]
    streams.close()
    assert [[item async for item in each] for each in events] == [[], []]
    await until(lambda: all(source.closed for source in sources))


async def test_a_stream_opened_after_close_ends_at_once() -> None:
    streams, source = Streams(), Endless("a")
    streams.close()
    assert [item async for item in streams.merge(source.frames())] == []
