"""A small telephone network in memory: the real exchange, core, media code and SQL; peers and wires are scripted.

Flows run here on a virtual clock. What a test scripts is what a far end does; what it checks is what reaches it.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

from msgspec import Struct, structs
from sqlalchemy import Connection, Engine, Insert, event

from b2bua.audio import Audio
from b2bua.call import Call
from b2bua.desk import Accepted, Refused, VisitorRequest
from b2bua.exchange import Exchange
from b2bua.front import FrontDesk
from b2bua.gate import Gate
from b2bua.plan.apply import apply
from b2bua.plan.reader import parse
from b2bua.secret_hash import verify_secret
from media.events import Event, Key
from media.inline import InlineEngine, InlineNetwork
from media.prompt import Library, Pack
from sip_stack.core import Hop, Incoming, SipCore
from sip_stack.digest import Credentials
from sip_stack.headers import NameAddr
from sip_stack.incoming_invite import IncomingInvite
from sip_stack.message import Request, Response
from sip_stack.options import PLAIN
from sip_stack.outgoing_invite import OutgoingInvite
from sip_stack.uri import sip_uri
from store import journal, ledger
from store.database import connect, migrate
from store.errors import StoreError
from tests.virtual import VirtualLoop

__all__ = ["Far", "Peer", "Wire", "World", "given_up_at_once", "play"]

T = TypeVar("T")
SERVER = ("192.0.2.1", 5060)
PHONE, SECOND_PHONE = ("192.0.2.10", 5060), ("192.0.2.11", 5060)
T1, T2 = ("192.0.2.21", 5060), ("192.0.2.22", 5060)
DELAY_S = 0.001


@cache
def _empty_database() -> Path:
    """A migrated database, made once: migrating costs more than most tests."""
    path = Path(mkdtemp(prefix="ringback-world-")) / "empty.db"
    migrate(f"sqlite:///{path}")
    sqlite3.connect(path).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
    return path


@cache
def _first_engine() -> Engine:
    return connect(f"sqlite:///{_empty_database()}")


def _engine(url: str) -> Engine:
    """As `connect`, but statements are compiled once for all worlds, and nobody waits for the disk."""
    engine, first = connect(url), _first_engine()
    with first.connect():
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    event.listen(engine, "connect", lambda raw, record: raw.execute("PRAGMA synchronous=OFF"))
    return engine


class InlineDatabase:
    """Database without its thread: a virtual clock must not run while a thread works.

    As there, a job is done once it is asked for, whoever still waits; `broken` fails every transaction, `takes_s` is
    how long one takes.
    """

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.engine = _engine(url)
        self._loop = loop
        self._posted: list[tuple[Insert, Sequence[Any]]] = []
        self.broken = False
        self.takes_s = DELAY_S

    async def run(self, job: Callable[[Connection], T]) -> T:
        answer: asyncio.Future[T] = self._loop.create_future()
        self._loop.call_later(self.takes_s, self._transact, job, answer)  # some hang up meanwhile
        return await answer

    async def read(self, job: Callable[[Connection], T]) -> T:
        return await self.run(job)

    def post(self, insert: Insert, rows: Sequence[Any]) -> None:
        self._posted.append((insert, rows))
        self._loop.call_later(DELAY_S, self._transact, lambda conn: None, self._loop.create_future())

    async def close(self) -> None:
        self.broken = False
        await self.run(lambda conn: None)
        self.engine.dispose()

    def _transact(self, job: Callable[[Connection], T], answer: asyncio.Future[T]) -> None:
        try:
            if self.broken:
                raise StoreError("the database is locked by another process")
            with self.engine.begin() as conn:
                result = job(conn)
                for insert, rows in self._posted:
                    conn.execute(insert, [structs.asdict(row) if isinstance(row, Struct) else row for row in rows])
            self._posted.clear()
        except Exception as error:
            if not answer.done():
                answer.set_exception(error)
                answer.exception()  # told, also where nobody waits
            return
        if not answer.done():
            answer.set_result(result)


async def _verify(hashed: str, text: str) -> bool:
    """Argon2 in the loop: a virtual clock must not run while a thread works."""
    await asyncio.sleep(0.03)
    return verify_secret(hashed, text)


class Wire:
    """Datagrams in memory, each a millisecond under way; `loss`, `repeat` and `reorder` are chances."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seed: int = 1) -> None:
        self._loop = loop
        self._random = Random(seed)
        self._cores: dict[tuple[str, int], SipCore] = {}
        self.lines: dict[tuple[str, tuple[str, int]], str] = {}
        """By transport and who hears: the trunk that his connection was opened for."""
        self._dead: set[tuple[str, int]] = set()
        self.loss = self.repeat = self.reorder = 0.0
        self.travels: Callable[[int], tuple[float, ...]] = lambda n: (DELAY_S,)
        """After how long the n-th message arrives: once, several times, never."""
        self.sent: list[tuple[float, tuple[str, int], tuple[str, int], bytes]] = []

    def plug(self, address: tuple[str, int], core: SipCore) -> None:
        self._cores[address] = core

    def unplug(self, address: tuple[str, int]) -> None:
        """Nobody is there any more, and nothing comes from there."""
        self._dead.add(address)

    def plug_again(self, address: tuple[str, int]) -> None:
        """Somebody else is there."""
        self._dead.discard(address)

    def send_from(self, source: tuple[str, int]) -> Callable[[bytes, Hop], None]:
        def send(data: bytes, hop: Hop) -> None:
            target = (hop.host, hop.port)
            if hop.transport != "UDP" and target not in self._cores:  # nobody listens
                self._loop.call_later(DELAY_S, lambda: self._cores[source].lost(hop))
                return
            arrives = self.travels(len(self.sent))
            if source in self._dead:
                return
            self.sent.append((self._loop.time(), source, target, data))
            for delay in arrives * (2 if self._random.random() < self.repeat else 1):
                if self._random.random() >= self.loss:
                    late = 40 * DELAY_S * (self._random.random() < self.reorder)
                    in_turn = len(self.sent) * 1e-9  # a heap has no order of what is due at once
                    self._loop.call_later(
                        delay + late + in_turn, self._deliver, data, Hop(hop.transport, *source), target
                    )

        return send

    def _deliver(self, data: bytes, source: Hop, target: tuple[str, int]) -> None:
        core = self._cores.get(target)
        if core is not None and target not in self._dead:
            core.receive(data, source._replace(line=self.lines.get((source.transport, target), "")))

    def requests(self, method: str, target: tuple[str, int] | None = None) -> list[bytes]:
        """The different requests of a method that were sent, to one address or at all."""
        found = [d for _, _, to, d in self.sent if d.startswith(method.encode() + b" ") and target in (None, to)]
        return list(dict.fromkeys(found))


class Far:
    """One dialog as a peer sees it: what it does, and what reached it."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.usage: IncomingInvite | OutgoingInvite | None = None
        self.request: Request | None = None
        self.audio = Audio(peer.engine, self._on_media, ("PCMU", "PCMA"))
        self.heard = bytearray()
        self.keys = ""
        self.statuses: list[int] = []
        self.referred: list[int] = []
        """What became of its REFERs: the status of each, and of each NOTIFY."""
        self.told_by: list[Request] = []
        """Those NOTIFYs."""
        self.answers_notify = 200
        self.far_tag = ""
        self.gone = ""
        self._answer = b""
        self._moved = asyncio.Event()
        peer.network.listeners[(self.audio.port.address, self.audio.port.rtp_port)] = self._tapped(
            peer.network.listeners[(self.audio.port.address, self.audio.port.rtp_port)]
        )

    # What it does

    def rings(self) -> Far:
        assert isinstance(self.usage, IncomingInvite)
        self.usage.ring()
        return self

    def early(self) -> Far:
        """183 with a description, and a voice behind it."""
        assert isinstance(self.usage, IncomingInvite)
        self.usage.ring(self._answer)
        self.audio.port.speak("voice")
        return self

    def answers(self) -> Far:
        assert isinstance(self.usage, IncomingInvite)
        self.usage.answer(self._answer)
        return self

    def refuses(self, status: int) -> Far:
        assert isinstance(self.usage, IncomingInvite)
        self.usage.refuse(status)
        self.ends("refused")
        return self

    def is_at(self, *contacts: str, status: int = 302) -> Far:
        """3xx."""
        assert isinstance(self.usage, IncomingInvite)
        self.usage.refuse(status, extra=[("Contact", contact) for contact in contacts])
        self.ends("elsewhere")
        return self

    def speaks(self) -> Far:
        self.audio.port.speak("voice")
        return self

    def presses(self, digits: str) -> Far:
        self.audio.port.send_digits(digits)
        return self

    async def offers(self, way: bytes) -> int:
        """A re-INVITE with sound this way only (`a=sendonly`); the status of its answer."""
        assert self.usage is not None
        answered: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        self.usage.reinvite(self.audio.offer().replace(b"a=sendrecv", way), answered.set_result)
        response = await answered
        assert response is not None
        return response.status

    def refers(
        self, to: str, user: str = "", password: str = "", *, instead: Far | None = None,
        extra: Sequence[tuple[str, str]] = (), method: str = "REFER",
    ) -> Far:  # fmt: skip
        """Ask that the other side talks with `to`, or with whom it talks with itself in the dialog `instead`."""
        assert self.usage is not None
        if user:
            self.usage.credentials = Credentials(user, password)
        headers = f"?Replaces={quote(instead.replaces, safe='')}" if instead is not None else ""

        def heard(response: Response | None) -> None:
            if response is not None:
                self.referred.append(response.status)
                self._moved.set()

        self.usage.send(method, heard, extra=[("Refer-To", f"<sip:{to}@{SERVER[0]}{headers}>"), *extra])
        return self

    @property
    def replaces(self) -> str:
        """The Replaces value that means this dialog to the server."""
        usage = self.usage
        assert usage is not None
        remote = usage.dialog.remote.tag if usage.dialog is not None else ""
        return f"{usage.call_id};to-tag={remote};from-tag={usage.local_tag}"

    @property
    def replaces_ringing(self) -> str:
        """The same of one that rings: the tags are in what was sent."""
        usage = self.usage
        assert usage is not None
        if isinstance(usage, IncomingInvite):
            return f"{usage.call_id};to-tag={usage.request.from_.tag};from-tag={usage.local_tag}"
        return f"{usage.call_id};to-tag={self.far_tag};from-tag={usage.local_tag}"

    async def reported(self, *statuses: int, within_s: float = 60.0) -> Far:
        """Wait until the statuses of REFER and NOTIFYs are these."""
        try:
            await self.until(lambda: self.referred[-len(statuses):] == list(statuses), within_s)
        except TimeoutError:
            raise AssertionError(f"not {statuses} but {self.referred}") from None
        return self

    def hangs_up(self) -> Far:
        """BYE, CANCEL or 603, whichever fits."""
        assert self.usage is not None
        if isinstance(self.usage, OutgoingInvite):
            self.usage.cancel()
        elif not self.gone and self.usage.incoming.open:
            self.usage.refuse(603)
        self.usage.bye()
        self.ends("left")
        return self

    # What reaches it

    async def until(self, fact: Callable[[], bool], within_s: float = 60.0) -> None:
        """Wait for a fact about this dialog."""
        async with asyncio.timeout(within_s):
            while not fact():
                self._moved.clear()
                await self._moved.wait()

    async def hears(self, clip: str, within_s: float = 30.0) -> Far:
        """Wait until the middle of a clip has arrived in its RTP, byte for byte."""
        assert self.audio.codec is not None
        sound = self.peer.library.encoded(f"en/{clip}", self.audio.codec)
        middle = sound[len(sound) // 3 : len(sound) // 3 + 800]
        await self.until(lambda: bytes(middle) in self.heard, within_s)
        return self

    async def left_alone(self, within_s: float = 60.0) -> Far:
        """Wait until the server ended the dialog."""
        await self.until(lambda: bool(self.gone), within_s)
        return self

    async def told(self, status: int, within_s: float = 60.0) -> Far:
        """Wait for a response to its INVITE."""
        await self.until(lambda: status in self.statuses, within_s)
        return self

    def shown(self) -> tuple[str, str]:
        """The display name and user part of From."""
        assert self.request is not None
        return self.request.from_.display, self.request.from_.uri.user

    # As InviteUser

    def on_progress(self, response: Response) -> None:
        self.statuses.append(response.status)
        self.far_tag = response.to.tag
        assert isinstance(self.usage, OutgoingInvite)
        if response.body and self.usage.described:
            self.audio.take_answer(response.body, SERVER[0])
        elif response.body:
            self.usage.acknowledge(self.audio.take_offer(response.body, SERVER[0]))
        self._moved.set()

    def on_answer(self, response: Response) -> None:
        assert isinstance(self.usage, OutgoingInvite)
        if response.body and self.usage.described:
            self.audio.take_answer(response.body, SERVER[0])
        elif response.body:  # to an INVITE without an offer
            self.usage.acknowledge(self.audio.take_offer(response.body, SERVER[0]))
        self.statuses.append(response.status)
        self._moved.set()

    def on_refused(self, status: int, response: Response | None) -> None:
        self.statuses.append(status)
        self.ends("refused")

    def on_cancel(self) -> None:
        self.ends("cancelled")

    def on_ack(self, request: Request) -> None:
        if request.body:  # what we offered is answered
            self.audio.take_answer(request.body, SERVER[0])
        self._moved.set()

    def on_gone(self, why: str) -> None:
        self.ends(why)

    def on_request(self, incoming: Incoming) -> None:
        if incoming.request.method == "NOTIFY":
            self.told_by.append(incoming.request)
            self.referred.append(int(incoming.request.body.split()[1]))
            self._moved.set()
            incoming.respond(self.answers_notify)
            return
        if incoming.request.method not in ("INVITE", "UPDATE", "PRACK"):
            incoming.respond(200)
            return
        assert self.usage is not None
        offer = incoming.request.body
        self.usage.accept(incoming, self.audio.take_offer(offer, SERVER[0]) if offer else self.audio.offer())
        self._moved.set()

    # Inside

    def taken(self, invite: IncomingInvite) -> Far:
        self.usage, self.request = invite, invite.request
        invite.owner = self
        offer = invite.request.body
        self._answer = self.audio.take_offer(offer, SERVER[0]) if offer else self.audio.offer()
        return self

    def ends(self, why: str) -> None:
        self.gone = self.gone or why
        self.audio.port.close()
        self._moved.set()

    def _on_media(self, event: Event) -> None:
        if isinstance(event, Key):
            self.keys += event.digit
        self._moved.set()

    def _tapped(self, listener: Callable[[bytes, Any], None]) -> Callable[[bytes, Any], None]:
        def tapped(packet: bytes, source: Any) -> None:
            if packet[1] & 0x7F in (0, 8):
                self.heard += packet[12:]
                self._moved.set()
            listener(packet, source)

        return tapped


class Peer:
    """A phone or a trunk at an address of its own, on the real SIP core."""

    def __init__(self, world: World, address: tuple[str, int]) -> None:
        self.world = world
        self.address = address
        self.network = world.network
        self.engine = InlineEngine(world.loop, address[0], network=world.network)
        self.library = world.library
        self.silent = False
        self.options = PLAIN
        self._calls: asyncio.Queue[Far] = asyncio.Queue()
        self.rung: list[Far] = []
        """Every call that reached it."""
        self.core = world.core_at(address, self)

    async def expects_call(self, within_s: float = 10.0) -> Far:
        """The next INVITE."""
        async with asyncio.timeout(within_s):
            return await self._calls.get()

    @property
    def invited(self) -> int:
        """How many INVITEs came."""
        return len(self.rung)

    def calls(
        self, number: str, user: str, password: str = "", display: str = "", offer: bytes | None = None,
        host: str = SERVER[0], extra: Sequence[tuple[str, str]] = (), target: str = "", far: Far | None = None,
        says: str | None = None,
    ) -> Far:
        """Place a call through the server as `user@host`; its progress is in `statuses`.

        `target` is the user part of the Request-URI, where it is another than the number in To; `says` that of From,
        where the phone calls itself something else than its user.
        """
        far = far or Far(self)
        from_ = NameAddr(display, sip_uri(user if says is None else says, host))
        far.usage = OutgoingInvite(
            self.core, far, target=sip_uri(target or number, SERVER[0]), hop=Hop("UDP", *SERVER),
            from_=from_, to=NameAddr("", sip_uri(number, SERVER[0])), extra=extra,
            body=far.audio.offer() if offer is None else offer,
            credentials=Credentials(user, password) if password else None, options=self.options,
        )  # fmt: skip
        return far

    async def register(self, user: str, password: str, expires: int = 3600) -> int:
        """REGISTER with the digest dance; the final status."""
        return (await self.registers(user, password, expires)).status

    async def registers(
        self, user: str, password: str, expires: int = 3600, more: str = "", extra: Sequence[tuple[str, str]] = ()
    ) -> Response:
        """As `register`, with `more` behind the Contact; the final response."""
        proof: list[tuple[str, str]] = []
        for _ in range(2):
            response = await self._ask(user, expires, [*extra, *proof], more)
            if response.status != 401:
                break
            proof = [("Authorization", self._proof(response, user, password))]
        return response

    async def _ask(self, user: str, expires: int, more: list[tuple[str, str]], contact: str) -> Response:
        answered: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        who = NameAddr("", sip_uri(user, SERVER[0]))
        contact = self.core.contact(Hop("UDP", *SERVER)) + contact
        extra = [("Contact", contact), ("Expires", str(expires)), *more]
        request = self.core.build("REGISTER", sip_uri("", SERVER[0]), who, who, extra)
        self.core.request(request, Hop("UDP", *SERVER), lambda r: answered.done() or answered.set_result(r))
        response = await answered
        assert response is not None, "nobody answered a REGISTER"
        return response

    @staticmethod
    def _proof(response: Response, user: str, password: str) -> str:
        from sip_stack.digest import answer, parse_challenge

        challenge = parse_challenge(response.fields["WWW-Authenticate"][0])
        assert challenge is not None
        return answer(challenge, Credentials(user, password), "REGISTER", f"sip:{SERVER[0]}", "c0ffee")

    def on_invite(self, incoming: Incoming) -> None:
        if self.silent:
            return
        far = Far(self).taken(IncomingInvite(self.core, incoming, self.options))
        self.rung.append(far)
        self._calls.put_nowait(far)

    def on_request(self, incoming: Incoming) -> None:
        incoming.respond(200)


class World:
    """The server and everybody around it."""

    def __init__(
        self, loop: VirtualLoop, plan: str, seed: int = 1, servers: Mapping[str, list[Hop]] = MappingProxyType({}),
        before: World | None = None,
    ) -> None:
        """`before`: this is the restart of that one, on its database; `plan` is then not applied again."""
        self.loop = loop
        self.wire = Wire(loop, seed)
        self.network = InlineNetwork(loop)
        self.library = Library()
        self._ids = before._ids if before else count(1)
        self.servers = dict(servers)
        """What DNS says of a name."""
        self.clock_set_s = before.clock_set_s if before else 0.0
        """By how much somebody has set the wall clock."""
        self._alarms: list[Any] = []
        self.folder = before.folder if before else Path(mkdtemp(prefix="ringback-world-"))
        self.url = f"sqlite:///{self.folder / 'world.db'}"
        self.sounds = self.folder / "sounds"
        """The accounts' own sounds."""
        if before is None:
            shutil.copy(_empty_database(), self.folder / "world.db")
        self._serve()
        if before is None:
            self.applies(plan)

    def _serve(self) -> None:
        loop = self.loop
        self.database = InlineDatabase(self.url, loop)
        self.engine = InlineEngine(loop, SERVER[0], network=self.network)
        self.exchange = Exchange(
            database=self.database, engine=self.engine, pack=Pack.load("en"), gate=Gate(b"k" * 32), locate=self.locate,
            now=loop.time, wall=self.wall, new_id=lambda: f"id{next(self._ids):06d}", domain=SERVER[0],
            rtp_timeout_s=20.0, verify=_verify, sounds=self.sounds,
        )  # fmt: skip
        self.exchange.core = self.core = self.core_at(SERVER, self.exchange.intake, tap=self.exchange.ladders.tap)
        self.desk = FrontDesk(self.exchange, base_url="http://test", new_token=lambda: f"token{next(self._ids)}")

    def applies(self, plan: str) -> list[str]:
        """What `ringback apply` does, from beside the server; what it prints."""
        with self.database.engine.begin() as conn:
            return apply(conn, parse(plan, "plan.toml"), self.wall(), "http://test", lambda: f"{next(self._ids):016x}")
    async def kill(self) -> None:
        """kill -9: nothing is sent or written any more."""
        self.wire.unplug(SERVER)
        self.database.broken = True
        await self.exchange.close()

    async def start(self) -> None:
        """Start again on the same database."""
        self.wire.plug_again(SERVER)
        self._serve()
        await self.exchange.open()
        await self.desk.open()

    async def locate(self, host: str, port: int | None, transport: str | None = None) -> list[Hop]:
        if host in self.servers:
            return [hop._replace(transport=transport or hop.transport) for hop in self.servers[host]]
        try:
            return [Hop(transport or "UDP", str(ip_address(host)), port or 5060)]
        except ValueError:
            raise OSError("Name or service not known") from None

    def wall(self) -> float:
        return 1_800_000_000.0 + self.loop.time() + self.clock_set_s

    def core_at(self, address: tuple[str, int], user: Any, tap: Any = None) -> SipCore:
        def raise_it(error: Exception) -> None:
            raise error

        core = SipCore(
            user, send=self.wire.send_from(address), local={"UDP": address, "TCP": address, "TLS": address},
            new_id=lambda: f"{address[0][-2:]}{next(self._ids):08x}",
            clock=self.loop.time, alarm=lambda when: self.loop.call_at(when, core.wake) and None, bug=raise_it, tap=tap,
        )  # fmt: skip
        self.wire.plug(address, core)
        return core

    async def callnow(self, page: str = "john_doe", name: str = "Mary", number: str = "5555555555") -> str:
        """A visitor's request; its token."""
        answer = await self.desk.request_call(VisitorRequest(page, name, number, "", "198.51.100.7"))
        assert isinstance(answer, Accepted), answer
        return answer.token

    async def refused(self, page: str = "john_doe", name: str = "Mary", number: str = "5555555555") -> Refused:
        """A visitor's request that becomes no call."""
        answer = await self.desk.request_call(VisitorRequest(page, name, number, "", "198.51.100.7"))
        assert isinstance(answer, Refused), answer
        return answer

    @property
    def last(self) -> Call:
        """The call that ended last."""
        return next(reversed(self.exchange.recent.values()))

    async def over(self, within_s: float = 120.0) -> Call:
        """Wait until no call is live, then check that nothing is left of any."""
        async with asyncio.timeout(within_s):
            async for _ in self.exchange.moves.follow():
                if not self.exchange.live:
                    break
        await asyncio.sleep(0.5)  # a BYE in flight
        self.check_nothing_left()
        return self.last

    def check_nothing_left(self) -> None:
        """Ports, wires, dialogs, holds: all back to base, and the books balance."""
        assert self.engine.open_ports == 0
        assert self.exchange.ladders.wires == {}
        assert self.core.load["dialogs"] == 0
        with self.database.engine.connect() as conn:
            assert ledger.open_holds(conn) == []
            assert ledger.audit(conn) == []

    def balance(self) -> int:
        """Micros of the first account."""
        with self.database.engine.connect() as conn:
            return ledger.balance(conn, 1).balance

    def read(self, job: Callable[[Connection], T]) -> T:
        """Look into the database."""
        with self.database.engine.connect() as conn:
            return job(conn)

    def requests(self) -> list[journal.RequestRecord]:
        """Every CallNow request, newest first."""
        return self.read(lambda conn: journal.recent_requests(conn, 0.0))


@asynccontextmanager
async def opened(
    plan: str, seed: int = 1, servers: Mapping[str, list[Hop]] = MappingProxyType({})
) -> AsyncIterator[World]:
    """A world that serves."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    world = World(loop, plan, seed, servers)
    await world.exchange.open()
    await world.desk.open()
    try:
        yield world
    finally:
        await world.exchange.close()
        await world.database.close()
        shutil.rmtree(world.folder)


@contextmanager
def given_up_at_once(world: World) -> Iterator[None]:
    """Inside, each call is cancelled in the moment in which it begins, before its first step."""
    begin = world.exchange.begin

    def given_up(call: Call, flow: Coroutine[Any, Any, Any]) -> None:
        begin(call, flow)
        assert call.cancel()

    world.exchange.begin = given_up  # type: ignore[method-assign]
    try:
        yield
    finally:
        world.exchange.begin = begin  # type: ignore[method-assign]


def play(
    scenario: Callable[[World], Awaitable[T]], plan: str, *, seed: int = 1,
    servers: Mapping[str, list[Hop]] = MappingProxyType({}),
) -> T:
    """Run one scenario on a fresh world and a fresh virtual clock."""

    async def main() -> T:
        async with opened(plan, seed, servers) as world:
            return await scenario(world)

    result: T = VirtualLoop().run(main())
    return result
