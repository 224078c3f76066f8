"""SIPp scenarios for pytest: the runner of sipp_scenarios, awaited instead of blocking the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from sipp_scenarios import run
from sipp_scenarios.scenario import Options, load
from sipp_scenarios.trace import Message

__all__ = ["Sipp"]


class Sipp:
    """One scenario: `async with Sipp("trunk_answer", local=…, remote=…, folder=tmp_path) as trunk:`; ended on exit.

    A scenario that answers is bound (and registered, when a phone) once entered. `media_port` 0: one that follows from
    the local port, so that tests beside each other have their own.
    """

    def __init__(
        self, name: str, *, local: str, remote: str, folder: Path, media_port: int = 0, calls: int | None = 1,
        rate: int = 10, timeout_s: int = 60, register: bool = True, prefix: tuple[str, ...] = (),
        tcp: bool = False, **keys: str,
    ) -> None:
        scenario = load(name)
        scenario = replace(scenario, registers=scenario.registers and register)
        media_port = media_port or int(local.rpartition(":")[2]) - 20_000
        options = Options(local, remote, media_port, calls, rate, timeout_s, keys, tcp, prefix)
        self._sipp = run.Sipp(scenario, options, folder / f"{name}-{local.replace(':', '-')}")

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._sipp.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._sipp.stop)

    @property
    def messages(self) -> list[Message]:
        """What it sent and received so far."""
        return self._sipp.messages

    def received(self, words: str) -> list[Message]:
        """Received messages that are `INVITE`, `200` or `200 INVITE`."""
        return [message for message in self.messages if not message.sent and message.is_(words)]

    def counts(self) -> run.Counts:
        """SIPp's counters, at most a second old."""
        return self._sipp.counts()

    async def until(self, words: str, *, times: int = 1, within_s: float = 5.0) -> list[Message]:
        """Wait until it has received such a message.  Raises: TimeoutError with what it did receive."""
        await self.until_true(lambda: len(self.received(words)) >= times, words, within_s)
        return self.received(words)

    async def until_true(self, condition: Callable[[], bool], what: str, within_s: float) -> None:
        """Poll a condition every 10 ms.  Raises: TimeoutError."""
        end = asyncio.get_running_loop().time() + within_s
        while not condition():
            if asyncio.get_running_loop().time() > end:
                seen = [message.start_line for message in self.messages]
                raise TimeoutError(f"{self._sipp.scenario.name}: no {what} within {within_s} s; seen {seen}")
            await asyncio.sleep(0.01)

    async def verdict(self, within_s: float = 30.0) -> run.Verdict:
        """Wait until it ends by itself.  Raises: TimeoutError."""
        return await asyncio.to_thread(self._sipp.wait, within_s)

    async def passed(self, within_s: float = 30.0) -> None:
        """Wait until it ends and fail the test unless it passed."""
        verdict = await self.verdict(within_s)
        assert verdict.passed, f"{self._sipp.scenario.name}: {verdict.sentence}; {verdict.messages}\n{verdict.errors}"

    async def stop(self) -> run.Verdict:
        """End it now."""
        return await asyncio.to_thread(self._sipp.stop)

    async def unregister(self) -> None:
        """Remove the phone's binding; only after it has ended, because it needs the same port."""
        await asyncio.to_thread(self._sipp.register, 0)
