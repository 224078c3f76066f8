"""A peer that is a Python library in a process of its own: JSON lines in, JSON lines out."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Child"]

_ROOT = Path(__file__).parents[2]


class Child:
    """A module that is run, and its remote control; told `quit` on exit, ended by its pid where that does not help."""

    def __init__(
        self, module: str, said: dict[str, Any], *, log: Path, prefix: tuple[str, ...] = (),
        by: tuple[str, ...] = (sys.executable, "-m"),
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._words = [*prefix, *by, module, json.dumps(said)]
        self._log = log
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                cwd=_ROOT,
            )
        self._reading = asyncio.create_task(self._read(self._process))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            self.command("quit")
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._reading

    async def event(self, kind: str, within_s: float = 10.0, *, times: int = 1) -> dict[str, Any]:
        """Wait for the event of that kind (the times-th since the start).  Raises: TimeoutError with what came."""

        def found() -> list[dict[str, Any]]:
            return [event for event in self.events if event["event"] == kind]

        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: len(found()) >= times)
        except TimeoutError as late:
            came = [event["event"] for event in self.events]
            raise TimeoutError(f"no {kind} within {within_s} s; came {came}; {self._log}") from late
        return found()[times - 1]

    def command(self, name: str, value: str = "") -> None:
        """Tell it to do something."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, value]).encode() + b"\n")

    def kill(self) -> None:
        """End it without a word."""
        assert self._process is not None
        self._process.kill()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            async with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()
