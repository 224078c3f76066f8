"""Everybody around the server, and what they do to see a setting: what all rows of the table share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from itertools import count
from typing import Any

import httpx

from b2bua.desk import Accepted, VisitorRequest
from b2bua.money import format_money, parse_money
from b2bua.office.office import BackOffice
from sip_stack.options import PLAIN
from store import callers, ledger
from tests.world import PHONE, SECOND_PHONE, T1, T2, Far, Peer, World
from webform.app import create_app

__all__ = ["CALLER", "CB", "DID", "LOCAL", "MOBILE", "T3", "Scene"]

T3 = ("192.0.2.23", 5060)
LOCAL, MOBILE = "5555555555", "0412345678"
"""0.12 a call; 0.10 for every 30 s begun."""
DID, CB, CALLER = "5555550000", "5555559000", "5551111111"
"""John's public number; the callback number; who is authorised to be called back by it."""

_VISITORS = count(1)


class Scene:
    """John at 001*002, Jane at 001*003, three trunks, visitors of John's page, and the office."""

    def __init__(self, world: World) -> None:
        self.world = world

    @cached_property
    def john(self) -> Peer:
        return Peer(self.world, PHONE)

    @cached_property
    def jane(self) -> Peer:
        return Peer(self.world, SECOND_PHONE)

    @cached_property
    def t1(self) -> Peer:
        return Peer(self.world, T1)

    @cached_property
    def t2(self) -> Peer:
        return Peer(self.world, T2)

    @cached_property
    def t3(self) -> Peer:
        return Peer(self.world, T3)

    @cached_property
    def office(self) -> BackOffice:
        return BackOffice(self.world.database, self.world.wall)  # type: ignore[arg-type]

    # Who is there

    async def johns_phone(self) -> Peer:
        """Registered."""
        assert await self.john.register("001*002", "secret") == 200
        return self.john

    async def janes_phone(self) -> Peer:
        """Registered."""
        assert await self.jane.register("001*003", "geheim") == 200
        return self.jane

    # What they do

    async def dials(self, number: str = LOCAL, display: str = "", user: str = "001*002", **more: Any) -> Far:
        """John calls."""
        self.t1, self.t2, self.t3  # noqa: B018 - they are there
        phone = await self.johns_phone()
        return phone.calls(number, user, "secret", display, **more)

    async def rung(self, *peers: Peer, by: Far | None = None, within_s: float = 60.0) -> Far | None:
        """The first INVITE to any of them (where none is named: to a trunk); None where `by` is refused before."""
        waits = [asyncio.ensure_future(peer.expects_call(within_s)) for peer in peers or (self.t1, self.t2, self.t3)]
        if by is not None:
            waits.append(asyncio.ensure_future(by.until(lambda: bool(by.gone), within_s)))  # type: ignore[arg-type]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for wait in waits:
                wait.cancel()

    async def call_back(self) -> Far | None:
        """The INVITE to whoever is called back by T1; None where nobody is."""
        while self.world.exchange.live and self.t1._calls.empty():  # noqa: ASYNC110 - a virtual clock
            await asyncio.sleep(0.05)
        return None if self.t1._calls.empty() else await self.t1.expects_call()

    async def asks(self, number: str = LOCAL, name: str = "Mary", page: str = "john_doe") -> str:
        """A visitor of the page: why not, or nothing."""
        visitor = f"198.51.100.{next(_VISITORS) % 250}"  # another each time: repeats and limits are not looked at here
        answer = await self.world.desk.request_call(VisitorRequest(page, name, number, "", visitor))
        return "" if isinstance(answer, Accepted) else answer.reason

    def recharges(self, amount: str) -> None:
        """The office adds credit to the caller."""
        with self.world.database.engine.begin() as conn:
            row = callers.find_caller(conn, 2, CALLER)
            assert row is not None
            callers.recharge_caller(conn, row.id, parse_money(amount), "", self.world.wall())

    async def browses(self, path: str = "/callnow/john_doe") -> httpx.Response:
        """What a browser is shown."""
        app = create_app(self.world.desk, secret=b"test", base_url="http://test", speak_digits=lambda digit: b"")
        transport = httpx.ASGITransport(app=app, client=("198.51.100.7", 40000))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            return await browser.get(path)

    # What is seen

    async def heard_first(self, far: Far, clips: Iterable[str], within_s: float = 60.0) -> str:
        """Which of these clips it hears first, from now on; `ru/confirm` is one of another language."""
        far.heard.clear()
        library, codec = far.peer.library, far.audio.codec
        assert codec is not None
        sounds = {clip: library.encoded(clip if "/" in clip else f"en/{clip}", codec) for clip in clips}
        parts = {clip: bytes(sound[len(sound) // 3 : len(sound) // 3 + 800]) for clip, sound in sounds.items()}
        await far.until(lambda: bool(far.gone) or any(part in far.heard for part in parts.values()), within_s)
        return next((clip for clip, part in parts.items() if part in far.heard), far.gone)

    async def nothing_more(self, far: Far) -> None:
        """Wait until what is said to it has been said."""
        heard = -1
        while heard != (heard := len(far.heard)):  # noqa: ASYNC110 - a virtual clock
            await asyncio.sleep(0.1)

    async def quiet(self) -> None:
        """Everybody has hung up, and nothing is left of any call."""
        async with asyncio.timeout(300):
            while self.world.exchange.live:  # noqa: ASYNC110 - a virtual clock
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        self.world.check_nothing_left()

    def charged(self) -> str:
        """What the last call cost."""
        assert self.world.last.charged is not None
        return format_money(self.world.last.charged)

    def balances(self) -> dict[str, int]:
        """Of every account, by name."""
        accounts = self.world.exchange.directory.accounts.values()
        return self.world.read(lambda conn: {each.name: ledger.balance(conn, each.id).balance for each in accounts})

    def options(self, peer: Peer, **known: Any) -> None:
        """What a peer knows and asks for."""
        peer.options = replace(PLAIN, **known)
