"""pyVoIP as a phone in its own process (GPL, threaded): JSON lines in, JSON lines out.

`python -m tests.peers.pyvoip_phone '{"server": …}'` is the phone; class PyVoipPhone is its remote control.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.peers.child import Child

__all__ = ["PyVoipPhone"]


class PyVoipPhone(Child):
    """One phone: `async with PyVoipPhone(…) as phone: await phone.event("registered")`; ended by its pid on exit.

    Its events are `registered`, `incoming`, `answered`, `ended`. It can answer, refuse, dial, hang up, tell the keys
    and count the sound it hears; it cannot press keys (pyVoIP 1.6.8 sends none).
    """

    def __init__(
        self, folder: Path, *, user: str, password: str, server: str, address: str, sip_port: int,
        auto_answer: bool = True, prefix: tuple[str, ...] = (),
    ) -> None:
        host, _, port = server.rpartition(":")
        super().__init__("tests.peers.pyvoip_phone", {
            "server": host, "port": int(port), "username": user, "password": password, "myIP": address,
            "sipPort": sip_port, "rtpPortLow": sip_port + 10, "rtpPortHigh": sip_port + 48, "auto": auto_answer,
        }, log=folder / "pyvoip.log", prefix=prefix)

    def answer(self) -> None:
        """Accept the call that rings."""
        self.command("answer")

    def refuse(self) -> None:
        """Say busy to the call that rings."""
        self.command("deny")

    def hangup(self) -> None:
        """End the call."""
        self.command("hangup")

    def dial(self, number: str) -> None:
        """Call a number."""
        self.command("dial", number)

    def register(self) -> None:
        """Register anew."""
        self.command("register")


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
            if key := call.get_dtmf():
                tell("key", key=key)
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
        if name == "register":
            phone.sip.register()
            tell("registered")
        elif name == "dial":
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
