"""Every reason is reached by a real request, which leaves that one reason and nothing else (SPEC A12.5, A12.12, H13).

The rows are in tests/acceptance/reasons.py. They share one running server, so they are one test: it tells of each row.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, closing
from functools import partial
from pathlib import Path
from time import time

import httpx
from sqlalchemy import Connection, or_, select

from b2bua.links.token import make_token
from store import ledger
from store.database import transact
from store.journal import WAITING
from store.links import Link, add_link, current_key, rotate_key
from store.tables import extensions, requests
from tests.acceptance.api import Api
from tests.acceptance.far_end import FarEnd
from tests.acceptance.reason_plan import plan
from tests.acceptance.reasons import (
    BAD_LINK,
    NEUTRAL,
    Asks,
    Calls,
    Case,
    Proves,
    Rings,
    Told,
    cases,
)  # fmt: skip
from tests.acceptance.server import ROOT, Server, clock_ahead, until
from tests.stir_pki import issue, pem

LIMITS = """
per_ip_15_min = 3
per_ip_day = 3
numbers_per_ip_hour = 2
per_number_day = 2
code_calls_per_number_day = 1
code_calls_per_account_hour = 1
code_calls_per_account_day = 1
"""
TRUNKS = {"R1": "127.0.0.2", "narrow": "127.0.0.3", "stranger": "127.0.0.4", "signed": "127.0.0.6"}
FINAL = ("scheduled", "ended", "not-available", "not-reached", "cancelled")
FAULTY_ROW = """
CREATE TRIGGER faulty BEFORE INSERT ON holds WHEN NEW.number = '{}' BEGIN SELECT abs(-9223372036854775808); END
"""
"""A fault of the database for one number: an overflow."""


class Bench:
    """The server, its phones and trunks, and what has come of each row."""

    def __init__(
        self, server: Server, phones: FarEnd, trunks: Mapping[str, FarEnd], http: httpx.AsyncClient, api: Api
    ) -> None:
        self.server, self.phones, self.trunks, self.pstn = server, phones, trunks, trunks["R1"]
        self.http, self.api = http, api
        self.wrong: dict[str, list[str]] = {}
        """What is not as it should be, by row."""
        self.refused: dict[str, httpx.Response] = {}
        """The answers to visitors who were refused."""
        self.reasons: dict[str, list[str]] = {}
        """What the requests of a row must have left, oldest first."""
        self.links: dict[str, str] = {}
        """The tokens of signed links, by row."""
        self._invited: dict[str, int] = {}
        """How many calls there were when the refusal came."""

    async def each(self, rows: list[Case], do: Callable[[Case], Awaitable[None]]) -> None:
        """All at once; one that fails spoils no other."""

        async def one(case: Case) -> None:
            try:
                await do(case)
            except Exception as error:
                self.blame(case, f"{type(error).__name__}: {error}")

        await asyncio.gather(*map(one, rows))

    def blame(self, case: Case, what: str) -> None:
        """This row is wrong."""
        self.wrong.setdefault(case.id, []).append(what)

    async def prepare(self, case: Case) -> None:
        """Its far ends have their scripts, and its phone is registered."""
        way = case.way
        if not isinstance(way, Calls):
            self.pstn.scripts |= dict.fromkeys(case.numbers, way.called)
        if isinstance(way, Asks) and way.phone:
            self.phones.scripts[case.extension] = way.phone
            await self.phones.register(case.extension, "secret")
        elif isinstance(way, Proves) and way.earlier == "owner":
            self.phones.scripts[case.extension] = "200 key:9"
            await self.phones.register(case.extension, "secret")

    def sign_links(self, rows: list[Case]) -> None:
        """The links of the rows that need one, first that whose key is rotated then."""
        linked = [(case, case.way.link) for case in rows if isinstance(case.way, Asks) and case.way.link]
        for case, kind in sorted(linked, key=lambda pair: pair[1] != "rotated"):
            self.links[case.id] = transact(self.server.database, partial(_signed, case, kind))
            if kind == "rotated":
                transact(self.server.database, lambda conn: rotate_key(conn, b"n" * 32, time(), keep=False))

    async def reach(self, case: Case) -> None:
        """All its requests; where the last is for a server that is started later, those before."""
        await self.begin(case)
        if case.now:
            await self.decide(case)

    async def begin(self, case: Case) -> None:
        """The requests that come before the one that it is about."""
        way = case.way
        self.reasons[case.id] = []
        if isinstance(way, Asks):
            for asked, reason in zip(way.earlier, way.before, strict=True):
                answer = await self.ask(case, *asked)
                _expect(answer, Told(303, ""))
                await self._under_way(case, reason, way.phone)
                if "hold" not in way.phone:  # a moment later the number may be asked for again
                    await self._stands(answer, *FINAL)
        elif isinstance(way, Rings):
            for reason in way.before:
                rings = asyncio.Event()
                ringing = asyncio.create_task(self.ring(case, rings))
                if way.trunk == "narrow":  # full as long as this one rings
                    await rings.wait()
                    self.reasons[case.id].append(reason)
                else:
                    await ringing
                    await self._under_way(case, reason, way.called)

        elif isinstance(way, Proves):
            if way.earlier == "operator":
                await self.api.post("/blocked-numbers", {"number": case.number()}, status=201)
            elif way.earlier == "owner":
                _expect(await self.ask(case, "", 0, ""), Told(303, ""))
            elif way.earlier == "call":
                await self.api.post(_code_call(case), {}, status=202)
            for reason in way.before:
                await self._under_way(case, reason, way.called)

    async def _under_way(self, case: Case, reason: str, script: str) -> None:
        """Wait until the last request has ended, or rings for as long as it may."""
        self.reasons[case.id].append(reason)
        if "hold" in script:
            await until(lambda: self.invited(case), "INVITE")
        else:
            await self.ended(case)

    async def decide(self, case: Case) -> None:
        """The request that it is about."""
        way = case.way
        if isinstance(way, Asks) and way.then == "miss":
            self.reasons[case.id] = [case.reason]
            await until(lambda: self.left(case) == [case.reason], case.reason, 20)
            return
        self.reasons[case.id].append(case.reason)
        if isinstance(way, Asks):
            answer = await self.ask(case, way.number, way.visitor, way.on)
            if way.told.status == 303:
                await self._follow(case, way, answer)
            else:
                self.refused[case.id] = answer
                _expect(answer, way.told)
        elif isinstance(way, Proves):
            if way.another:
                shown = {"number": case.asked}
                await self.api.patch(f"/extensions/{case.extension}/public-caller-id", shown, status=200)
            await self.api.post(_code_call(case), {}, status=way.status)
            if "hold" in way.called and not case.refused:
                await self._spoken(case)
        else:
            heard = await self.ring(case)
            if heard != way.hears:
                self.blame(case, f"the caller heard {heard}")
            if case.refused and isinstance(way, Rings):  # it is decided after the caller has heard that nobody answers
                await until(lambda: case.reason in self.left(case), case.reason, 20)
        not_yet = way.earlier if isinstance(way, Rings) and way.trunk == "narrow" else 0
        self._invited[case.id] = self.invited(case) + not_yet
        self.phones.release(case.extension)
        self.pstn.release(case.number())
        await self.ended(case)

    async def _follow(self, case: Case, way: Asks, answer: httpx.Response) -> None:
        """An accepted request, to the page of its end."""
        _expect(answer, Told(303, ""))
        if way.then == "cancel":
            await until(lambda: self.invited(case), "INVITE")
            await self.http.post(f"{answer.headers['location']}/cancel")
        elif way.then == "hang up":
            await self._stands(answer, "talking")
            self.pstn.release(case.number())
        _expect(await self._stands(answer, *FINAL), Told(200, way.told.words))

    async def _stands(self, answer: httpx.Response, *stages: str) -> httpx.Response:
        """The status page of an accepted request, as soon as it stands there."""
        async with asyncio.timeout(20):
            while True:
                said = await self.http.get(answer.headers["location"])
                if any(f'data-stage="{stage}"' in said.text for stage in stages):
                    return said
                await asyncio.sleep(0.15)

    async def _spoken(self, case: Case) -> None:
        """Its code was spoken once: it can be typed."""
        async with asyncio.timeout(25):
            while True:
                if (await self.api.get(_code_call(case)))["tries_left"]:
                    return
                await asyncio.sleep(0.2)

    async def ask(self, case: Case, number: str, visitor: int, page: str) -> httpx.Response:
        """The form of a page is sent, from the visitor's own address."""
        name = case.way.name if isinstance(case.way, Asks) else "Mary"
        transport = httpx.AsyncHTTPTransport(local_address=case.visitor(visitor), verify=False)
        async with httpx.AsyncClient(base_url=self.server.url, transport=transport, timeout=20) as http:
            fields = {
                "name": name, "phone": case.number(number), "link": self.links.get(case.id, ""),
                "when": case.way.when if isinstance(case.way, Asks) else "",
            }
            return await http.post(f"/callnow/{page or case.page}", data=fields)

    async def ring(self, case: Case, rings: asyncio.Event | None = None) -> tuple[int, ...]:
        """Its public number is rung."""
        way = case.way
        assert isinstance(way, Rings | Calls)
        caller = "" if isinstance(way, Rings) and way.hidden else case.asked
        return tuple(await self.trunks[way.trunk].ring(case.dialled, caller, rings=rings))

    # What is found

    def left(self, case: Case) -> list[str]:
        """The reasons of its requests, triggers and calls, oldest first; `open` of one that has not ended."""
        if isinstance(case.way, Calls):
            return [call.reason for call in self.server.calls() if call.extension == case.extension]
        query = select(requests.c.reason, requests.c.ended).order_by(requests.c.at).where(
            or_(requests.c.extension == case.extension, requests.c.number.in_(case.numbers))
        )
        rows = self.server.read(lambda conn: conn.execute(query).all())
        return [reason if ended or reason in WAITING else "open" for reason, ended in rows]

    async def ended(self, case: Case) -> None:
        """Wait until as many have ended as there were."""
        many = len(self.reasons[case.id])
        await until(lambda: len(self.left(case)) >= many and "open" not in self.left(case), f"{many} reasons", 20)

    def invited(self, case: Case) -> int:
        """How often its phone and its numbers were called."""
        own = {case.extension, *case.numbers}
        return sum(called in own or caller in own for called, caller in (*self.phones.invited, *self.pstn.invited))

    async def rest(self) -> None:
        """No call, dialog, port or hold is left."""
        try:
            await self.server.rest()
        except AssertionError as error:
            self.wrong.setdefault("at rest", []).append(str(error))

    def check(self, rows: list[Case]) -> None:
        """Each request has left one reason, and nobody was called after a refusal."""
        for case in rows:
            if (left := self.left(case)) != self.reasons[case.id]:
                self.blame(case, f"it left {left}, not {self.reasons[case.id]}")
            if case.refused and self.invited(case) != self._invited.get(case.id, self.invited(case)):
                self.blame(case, f"{self.invited(case)} INVITEs, {self._invited[case.id]} when it was refused")

    async def check_why(self, rows: list[Case]) -> None:
        """The public API tells the reason to whoever asks for the number, or where it is none, for the extension."""
        for case in rows:
            found = await self.api.get(f"/requests?number={case.searched}&limit=1")
            if [story["reason"] for story in found] != [case.reason]:
                self.blame(case, f"asked why, the API says {found}")

    def check_alike(self, rows: list[Case], told: Told) -> None:
        """Who reads this sentence cannot tell one reason from another, by the headers neither (SPEC H13)."""
        seen = {
            (self.refused[case.id].text.replace(case.page, "PAGE"), _plain(self.refused[case.id].headers, case.page))
            for case in rows if isinstance(case.way, Asks) and case.way.told is told and case.id in self.refused
        }
        if len(seen) != 1:
            self.wrong[told.words] = [str(seen)]


def _signed(case: Case, kind: str, conn: Connection) -> str:
    """Keep a link for a row as `Asks.link` has it; its token."""
    owner = "001*999" if kind == "other" else case.extension
    owner_id = conn.execute(select(extensions.c.id).where(extensions.c.number == owner)).scalar_one()
    key_id, key = current_key(conn, b"k" * 32, time())
    expires, revoked = time() + (-1 if kind == "expired" else 10**6), time() if kind == "revoked" else None
    link = Link(
        f"{case.index:012x}", owner_id, key_id, 1 if kind == "once" else 9, time(), expires,
        case.number("b") if kind == "b" else "", revoked=revoked,
    )  # fmt: skip
    add_link(conn, link)
    return make_token(key_id, b"x" * 32 if kind == "forged" else key, link.id)


def _code_call(case: Case) -> str:
    return f"/extensions/{case.extension}/public-caller-id/code-call"


def _plain(headers: httpx.Headers, page: str) -> str:
    """Headers without what follows from the moment, or the length of the page's id."""
    moving = ("date", "content-length")
    return str([(name, value.replace(page, "PAGE")) for name, value in headers.items() if name not in moving])


def _expect(answer: httpx.Response, told: Told) -> None:
    """Raises: AssertionError with what else was told."""
    if answer.status_code != told.status or told.words not in answer.text:
        said = " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())
        raise AssertionError(f"expected {told}, not {answer.status_code} {said[-400:]}")


async def test_every_reason_is_reached_and_recorded(tmp_path: Path) -> None:
    """Also after `kill -9` and after a stop: what refused still refuses, and the records are there."""
    rows = cases()
    async with AsyncExitStack() as stack:
        server = Server(tmp_path, rtp_timeout_s=4.0, limits=LIMITS, settings=_stir(tmp_path))
        phones = await stack.enter_async_context(FarEnd("127.0.0.5", server.sip))
        trunks = {
            name: await stack.enter_async_context(FarEnd(host, server.sip)) for name, host in TRUNKS.items()
        }
        await server.apply(plan({name: trunk.at for name, trunk in trunks.items()}, rows))
        await server.start()
        stack.push_async_callback(server.stop)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, verify=False, timeout=20))
        bench = Bench(server, phones, trunks, http, await stack.enter_async_context(Api(server)))
        await _reach(bench, rows)
    assert not bench.wrong, "\n".join(f"{name}: {'; '.join(what)}" for name, what in bench.wrong.items())


async def _reach(bench: Bench, rows: list[Case]) -> None:
    server = bench.server
    by_id = {row.id: row for row in rows}
    faulty, stopped = by_id["Outcome.SERVER_ERROR"], by_id["Outcome.SHUT_DOWN"]
    with closing(sqlite3.connect(server.folder / "ringback.db")) as database:
        database.execute(FAULTY_ROW.format(faulty.number()))
    server.expected_errors = ("event=bug", "Traceback", "integer overflow")
    bench.phones.scripts["001*999"] = "486"
    await bench.phones.register("001*999", "secret")
    bench.sign_links(rows)
    await bench.each(rows, bench.prepare)
    now = [row for row in rows if row.now]
    await bench.each(rows, bench.reach)
    bench.check_alike(now, NEUTRAL)
    bench.check_alike(now, BAD_LINK)
    await bench.rest()

    await bench.ask(stopped, "b", 1, "")
    await server.kill()  # whether it rings already or not: it was accepted
    bench.reasons[stopped.id].append("server-restarted")
    await server.start()
    bench.check(rows)
    await bench.each([row for row in rows if row.survives], bench.decide)
    await asyncio.gather(bench.check_why(now), asyncio.sleep(2))  # SPEC B: no INVITE until 2 s after the reason
    bench.check(rows)
    await bench.rest()

    before = bench.invited(stopped)
    await bench.ask(stopped, "", 0, "")
    await until(lambda: bench.invited(stopped) > before, "INVITE")
    await server.stop()
    bench.reasons[stopped.id].append(stopped.reason)
    server.environment |= clock_ahead(61 * 60)
    await server.start()
    await bench.phones.register("001*999", "secret")  # for an hour
    await bench.each([row for row in rows if row.later], bench.decide)
    bench.check(rows)
    assert f"{stopped.reason}: This server was being stopped." in await _why(server, stopped.number())
    assert server.read(ledger.open_holds) == []
    assert server.log.read_text().count("event=bug") == 1, "only the fault that was made"
    await bench.rest()


async def _why(server: Server, number: str) -> str:
    """What `ringback why` says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua", "why", number, "--database", server.database, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )
    return (await process.communicate())[0].decode()


def _stir(folder: Path) -> str:
    """Authorities, so that a trunk may require signed calls."""
    roots = folder / "roots.pem"
    roots.write_bytes(pem(issue("root", ca=True, now=time())))
    return f'[stir]\nroots = "{roots}"\n'
