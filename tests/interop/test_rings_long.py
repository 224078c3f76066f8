"""Every phone that can be called rings for 33 s, longer than timer B lasts, all at once; then it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from store.bindings import Binding, load_bindings
from tests.acceptance.scene import Scene
from tests.acceptance.server import until
from tests.interop.line import seat_in
from tests.interop.phones import Baresip, Linphone, Phone, Pjsua2, PyVoip, program
from tests.peers.addresses import namespace

PHONES: tuple[type[Phone], ...] = (Baresip, Pjsua2, Linphone, PyVoip)
RINGS_S = 33
EXTENSION = """
[[extension]]
number = "001*{n:03}"
account = "client"
name = "Phone {n}"
password = "secret"
public_number = "55555501{n:02}"
ring_s = 60

[[did]]
number = "55555501{n:02}"
extension = "001*{n:03}"
trunk = "R1"
"""


def kept(conn: Connection) -> list[Binding]:
    """Every registration that the server has written down."""
    return load_bindings(conn, 0.0)


async def test_rings_for_longer_than_timer_b(scene: Scene, tmp_path: Path, proven: Callable[..., None]) -> None:
    versions = {kind.name: kind.version() for kind in PHONES} | {"SIPp": program("sipp", "-v")}
    numbers = range(11, 12 + len(PHONES))
    with ExitStack() as spaces:
        cables = [spaces.enter_context(namespace()) for _ in PHONES]
        more = "".join(EXTENSION.format(n=n) for n in numbers)
        server = await scene.serve(more=more, host=cables[0].host_address)
        async with AsyncExitStack() as running:
            phones = []
            for kind, space, n in zip(PHONES, cables, numbers, strict=False):
                seat = seat_in(space, tmp_path / kind.name, server.sip)
                phones.append(await running.enter_async_context(kind(replace(seat, user=f"001*{n:03}"))))
            sipp = await scene.phone(
                "phone_answer", user=f"001*{numbers[-1]:03}", password="secret", d=str(1000 * RINGS_S),
            )
            await until(lambda: len(server.read(kept)) == len(numbers), "registrations", 15)
            callers = [
                await scene.trunk("trunk_call_in", at=scene.address("127.0.0.2"), service=f"55555501{n:02}", d="1000")
                for n in numbers
            ]
            await asyncio.gather(*(phone.incoming() for phone in phones))
            began = scene.now()
            await until(lambda: scene.now() > began + RINGS_S, "end of ringing", RINGS_S + 1)
            for phone in phones:
                await phone.answer()
            await asyncio.gather(*(caller.passed() for caller in callers))
            await sipp.passed()
            await asyncio.gather(*(phone.closed() for phone in phones))
            await server.call_over(len(numbers))
            assert {call.reason for call in server.calls()} == {"talked"}
            await server.rest()
    for name, version in versions.items():
        proven(name, version, "answers after 33 s")
