"""pyVoIP as a phone in its own process (GPL, threaded): JSON lines in, JSON lines out.

`python tests/peers/pyvoip_phone.py '{"server": …}'` is the phone; class PyVoipPhone is its remote control.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["PyVoipPhone"]


class PyVoipPhone:
    """One phone: `async with PyVoipPhone(…) as phone: await phone.event("registered")`; ended by its pid on exit.

    It can answer, refuse, dial, hang up and count what it hears; it cannot press keys (pyVoIP 1.6.8 sends none).
    """

    def __init__(
        self, folder: Path, *, user: str, password: str, server: str, address: str, sip_port: int,
        auto_answer: bool = True,
    ) -> None:
        host, _, port = server.rpartition(":")
        self._said = json.dumps({
            "server": host, "port": int(port), "username": user, "password": password, "myIP": address,
            "sipPort": sip_port, "rtpPortLow": sip_port + 10, "rtpPortHigh": sip_port + 48, "auto": auto_answer,
        })
        self._log = folder / "pyvoip.log"
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Condition()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, __file__, self._said, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._reading = asyncio.create_task(self._read(self._process))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            self._command("quit")
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._reading

    async def event(self, kind: str, within_s: float = 10.0, *, times: int = 1) -> dict[str, Any]:
        """Wait for `registered`, `incoming`, `answered`, `ended` or `heard`.  Raises: TimeoutError with what came."""

        def found() -> list[dict[str, Any]]:
            return [event for event in self.events if event["event"] == kind]

        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: len(found()) >= times)
        except TimeoutError as late:
            came = [event["event"] for event in self.events]
            raise TimeoutError(f"no {kind} within {within_s} s; came {came}; {self._log}") from late
        return found()[times - 1]

    def answer(self) -> None:
        """Accept the call that rings."""
        self._command("answer")

    def refuse(self) -> None:
        """Say busy to the call that rings."""
        self._command("deny")

    def hangup(self) -> None:
        """End the call."""
        self._command("hangup")

    def dial(self, number: str) -> None:
        """Call a number."""
        self._command("dial", number)

    def _command(self, name: str, value: str = "") -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([name, value]).encode() + b"\n")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            async with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()


def _phone(said: dict[str, Any]) -> None:
    """The child: run the phone until `quit` or the end of stdin."""
    import threading
    import time

    from pyVoIP.VoIP import CallState, VoIPPhone

    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # pyVoIP prints to stdout: keep that out of the protocol
    auto = said.pop("auto")
    calls: list[Any] = []

    def tell(event: str, **facts: Any) -> None:
        out.write(json.dumps({"event": event, **facts}) + "\n")

    def follow(call: Any) -> None:
        """Count the 20-ms frames heard while the call is up (pyVoIP passes over silence), and say when it ends."""
        heard = loud = 0
        while call.state == CallState.ANSWERED:
            frame = call.read_audio(160, blocking=True)
            heard += 1
            loud += max(frame) - min(frame) > 16
        tell("ended", frames=heard, loud=loud)

    def answer(call: Any) -> None:
        call.answer()
        tell("answered")
        threading.Thread(target=follow, args=(call,), daemon=True).start()

    def incoming(call: Any) -> None:
        calls.append(call)
        tell("incoming", caller=call.request.headers["From"]["number"])
        if auto:
            answer(call)

    def dial(number: str) -> None:
        call = phone.call(number)
        calls.append(call)
        while call.state == CallState.DIALING:
            time.sleep(0.02)
        if call.state == CallState.ANSWERED:
            tell("answered")
        follow(call)

    phone = VoIPPhone(**said, callCallback=incoming)
    phone.start()
    threading.Thread(target=_watch_registration, args=(phone, tell), daemon=True).start()
    for line in sys.stdin:
        name, value = json.loads(line)
        if name == "quit":
            break
        if name == "dial":
            threading.Thread(target=dial, args=(value,), daemon=True).start()
        elif name == "answer":
            answer(calls[-1])
        else:
            getattr(calls[-1], name)()
    phone.stop()
    os._exit(0)  # its threads do not all end


def _watch_registration(phone: Any, tell: Any) -> None:
    import time

    while str(phone.get_status()) != "PhoneStatus.REGISTERED":
        time.sleep(0.02)
    tell("registered")


if __name__ == "__main__":
    _phone(json.loads(sys.argv[1]))
