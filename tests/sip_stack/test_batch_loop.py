"""What a batch of messages makes ready is done at its end: by ordinary tasks and futures, in order, never inside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from sip_stack.batch_loop import BatchLoop

T = TypeVar("T")


def run(main: Callable[[BatchLoop], Coroutine[Any, Any, T]]) -> T:
    """`main` on a loop of ours."""
    with asyncio.Runner(loop_factory=BatchLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, BatchLoop)
        return runner.run(main(loop))


async def batch(loop: BatchLoop, work: Callable[[], None], after: Callable[[], None] = lambda: None) -> None:
    """Do a batch as a transport does: in a callback of the loop; `after` sees how things stand at its end."""
    done = loop.create_future()

    def readable() -> None:
        try:
            loop.batch(work)
        finally:
            after()
            done.set_result(None)

    asyncio.SelectorEventLoop.call_soon(loop, readable)
    await done


def test_a_task_begun_and_one_woken_go_on_at_the_end_and_not_inside() -> None:
    async def main(loop: BatchLoop) -> list[str]:
        said: list[str] = []
        woken: asyncio.Future[str] = loop.create_future()

        async def waits() -> None:
            said.append(await woken)

        async def begun() -> None:
            said.append("begun")
            await asyncio.sleep(0)
            said.append("begun goes on")

        waiting = asyncio.create_task(waits())
        await asyncio.sleep(0)

        def work() -> None:
            woken.set_result("woken")
            loop.create_task(begun())
            said.append("message")

        await batch(loop, work, lambda: said.append("sent"))
        assert waiting.done()
        return said

    assert run(main) == ["message", "woken", "begun", "begun goes on", "sent"]


def test_a_task_cancelled_in_the_batch_that_begins_it_never_begins() -> None:
    async def main(loop: BatchLoop) -> None:
        begun: list[asyncio.Task[None]] = []

        async def never() -> None:
            raise AssertionError

        def work() -> None:
            begun.append(loop.create_task(never()))
            assert begun[0].cancel()

        await batch(loop, work, lambda: None)
        assert begun[0].cancelled()

    run(main)


@pytest.mark.parametrize("waits_for", ["future", "sleep", "gather", "shield", "thread"])
def test_a_wait_for_anything_is_cancelled_at_the_end_of_the_batch(waits_for: str) -> None:
    async def main(loop: BatchLoop) -> bool:
        never = loop.create_future()
        waits: dict[str, Callable[[], Any]] = {
            "future": lambda: never,
            "sleep": lambda: asyncio.sleep(3600),
            "gather": lambda: asyncio.gather(never, asyncio.sleep(3600)),
            "shield": lambda: asyncio.shield(never),
            "thread": lambda: asyncio.to_thread(lambda: None),
        }

        async def flow() -> None:
            while True:
                await waits[waits_for]()

        task = asyncio.create_task(flow())
        for _ in range(3):
            await asyncio.sleep(0)
        ended: list[bool] = []
        await batch(loop, lambda: task.cancel() and None, lambda: ended.append(task.cancelled()))
        return ended == [True]

    assert run(main)


def test_timeouts_inside_tasks_of_a_batch_run_out() -> None:
    async def main(loop: BatchLoop) -> str:
        tasks: list[asyncio.Task[str]] = []

        async def flow() -> str:
            try:
                async with asyncio.timeout(0.01):
                    await loop.create_future()
            except TimeoutError:
                return "timed out"
            raise AssertionError

        await batch(loop, lambda: tasks.append(loop.create_task(flow())))
        return await tasks[0]

    assert run(main) == "timed out"


def test_what_another_thread_tells_is_a_batch() -> None:
    async def main(loop: BatchLoop) -> list[str]:
        said: list[str] = []
        told: asyncio.Future[str] = loop.create_future()

        async def flow() -> None:
            said.append(await told)
            loop.call_soon(said.append, "sent")

        def tell() -> None:
            asyncio.SelectorEventLoop.call_soon(loop, said.append, "another callback")
            told.set_result("told")

        waiting = asyncio.create_task(flow())
        await asyncio.sleep(0)
        await asyncio.to_thread(loop.call_soon_threadsafe, tell)
        await waiting
        await asyncio.sleep(0)
        return said

    assert run(main) == ["told", "sent", "another callback"]


def test_what_raises_is_reported_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async def main(loop: BatchLoop) -> list[str]:
        said: list[str] = []

        def work() -> None:
            loop.call_soon(lambda: 1 // 0)
            loop.call_soon(said.append, "cancelled").cancel()
            loop.call_soon(said.append, "next")

        await batch(loop, work)
        return said

    with caplog.at_level(logging.CRITICAL, "asyncio"):
        assert run(main) == ["next"]


def test_work_that_raises_still_has_what_it_made_ready_done() -> None:
    async def main(loop: BatchLoop) -> list[str]:
        said: list[str] = []

        def work() -> None:
            loop.call_soon(said.append, "next")
            raise ValueError("of the work")

        def readable() -> None:
            with pytest.raises(ValueError, match="of the work"):
                loop.batch(work)

        asyncio.SelectorEventLoop.call_soon(loop, readable)
        await asyncio.sleep(0)
        return said

    assert run(main) == ["next"]


def test_an_exit_in_a_batch_leaves_the_rest_to_the_loop() -> None:
    async def main(loop: BatchLoop) -> list[str]:
        said: list[str] = []

        def leave() -> None:
            raise SystemExit

        def work() -> None:
            loop.call_soon(leave)
            loop.call_soon(said.append, "next")

        def readable() -> None:
            with pytest.raises(SystemExit):
                loop.batch(work)

        asyncio.SelectorEventLoop.call_soon(loop, readable)
        await asyncio.sleep(0)
        assert said == []
        await asyncio.sleep(0)
        return said

    assert run(main) == ["next"]


def test_who_goes_round_in_circles_does_not_stop_the_others() -> None:
    async def main(loop: BatchLoop) -> int:
        rounds = 0
        over = asyncio.Event()
        loop.call_later(0.02, over.set)

        async def circle() -> None:
            nonlocal rounds
            while not over.is_set():
                rounds += 1
                await asyncio.sleep(0)

        circles: list[asyncio.Task[None]] = []
        await batch(loop, lambda: circles.append(loop.create_task(circle())))
        await circles[0]
        return rounds

    assert run(main) > 10_000


def test_a_thousand_tasks_of_one_batch_keep_their_order() -> None:
    async def main(loop: BatchLoop) -> list[int]:
        order: list[int] = []

        async def flow(n: int) -> None:
            await asyncio.sleep(0)
            order.append(n)

        def work() -> None:
            for n in range(1000):
                loop.create_task(flow(n))

        await batch(loop, work, lambda: order.append(-1))
        return order

    assert run(main) == [*range(1000), -1]
