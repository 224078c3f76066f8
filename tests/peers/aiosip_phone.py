"""aiosip 0.2.0 as a phone without sound in its own process: JSON lines in, JSON lines out.

The library is of 2017. Two names it needs left Python meanwhile and are put back here before it is imported; and a
challenge's qop is hidden from it, which it would repeat without nc and cnonce (RFC 7616 3.4 asks for both).
`python -m tests.peers.aiosip_phone '{"server": …}'` is the phone; class AiosipPhone is its remote control.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.peers.child import Child

__all__ = ["AiosipPhone"]

_SDP = (
    "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
)


class AiosipPhone(Child):
    """One phone: `async with AiosipPhone(…) as phone: await phone.event("registered")`; ended by its pid on exit.

    Its events are `registered` and `refused`, `answered`, `ended`. It places calls and cannot be called.
    """

    def __init__(
        self, folder: Path, *, user: str, password: str, server: str, address: str, sip_port: int,
        prefix: tuple[str, ...] = (),
    ) -> None:
        super().__init__("tests.peers.aiosip_phone", {
            "user": user, "password": password, "server": server, "address": address, "port": sip_port,
        }, log=folder / "aiosip.log", prefix=prefix)


def _shim() -> None:
    import asyncio
    import collections
    import collections.abc
    import types

    asyncio.coroutine = types.coroutine  # type: ignore[attr-defined]
    collections.MutableMapping = collections.abc.MutableMapping  # type: ignore[attr-defined]
    from aiosip.auth import Auth

    read = Auth.from_authenticate_header

    def without_qop(authenticate: str, *args: Any, **more: Any) -> Any:
        kept = [pair for pair in authenticate.split(", ") if not pair.startswith("qop=")]
        return read(", ".join(kept), *args, **more)

    Auth.from_authenticate_header = without_qop


async def _phone(said: dict[str, Any]) -> None:
    """The child: run the phone until `quit` or the end of stdin."""
    import asyncio

    import aiosip
    from multidict import CIMultiDict

    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the library prints stays out of the protocol
    host, _, port = said["server"].rpartition(":")
    local, remote = (said["address"], said["port"]), (host, int(port))
    contact = f"sip:{said['user']}@{local[0]}:{local[1]}"
    sdp = _SDP.format(address=local[0], port=said["port"] + 10)
    app = aiosip.Application()
    calls: list[tuple[Any, Any]] = []

    def tell(event: str, **facts: Any) -> None:
        out.write(json.dumps({"event": event, **facts}) + "\n")

    async def dialog(to: str) -> Any:
        made = await app.start_dialog(
            f"sip:{said['user']}@{said['server']}", to, contact, password=said["password"], local_addr=local,
            remote_addr=remote,
        )
        made.register_callback("BYE", lambda *_: tell("ended"))
        return made

    async def register() -> None:
        try:
            answer = await registration.register(expires=300)
        except aiosip.exceptions.RegisterFailed:
            tell("refused")
        else:
            tell("registered" if answer.status_code == 200 else "refused", status=answer.status_code)

    async def dial(number: str) -> None:
        call = await dialog(f"sip:{number}@{said['server']}")
        answer = await call.invite(headers=CIMultiDict({"Content-Type": "application/sdp"}), sdp=sdp)
        if answer.status_code != 200:
            tell("ended", status=answer.status_code)
            return
        call.to_details = aiosip.Contact.from_header(answer.headers["To"])
        call.send_message("ACK", headers=CIMultiDict({"CSeq": answer.headers["CSeq"].replace("INVITE", "ACK")}))
        call.cseqs["BYE"] = answer.cseq
        calls.append(call)
        tell("answered")

    async def hangup() -> None:
        answer = await calls[-1].send_message("BYE")
        tell("ended", status=answer.status_code)

    registration = await dialog(f"sip:{said['user']}@{said['server']}")
    await register()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    commands = {"register": lambda _: register(), "dial": dial, "hangup": lambda _: hangup()}
    while line := await lines.readline():
        name, value = json.loads(line)
        if name == "quit":
            break
        await commands[name](value)


if __name__ == "__main__":
    import asyncio

    _shim()
    asyncio.run(_phone(json.loads(sys.argv[1])))
