"""`ringback trunk test`: one trunk asked as the server would ask it, from a socket of its own."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable

from b2bua.rules.caller_id import Shown
from b2bua.rules.numbers import called_on_trunk, is_emergency, to_trunk
from b2bua.server_invite import ServerInvite
from b2bua.trunks.identity import caller_headers
from b2bua.trunks.requests import Locate, TrunkClient, route_to, servers_of, trunk_uri
from b2bua.trunks.words import Question, meaning
from media import sdp
from sip_stack.core import Hop, Incoming, SipCore
from sip_stack.digest import Credentials
from sip_stack.errors import PeerError
from sip_stack.headers import NameAddr
from sip_stack.hop import bracketed
from sip_stack.message import REASONS, Request, Response
from sip_stack.uri import sip_uri
from store.values import DialPlan, Trunk

__all__ = ["Nobody", "Probe"]

ANSWER_S, RING_S, FAREWELL_S = 8.0, 30.0, 3.0


class Nobody:
    """Who is told of requests: a test takes no calls."""

    def on_invite(self, incoming: Incoming) -> None:
        raise PeerError("Temporarily Unavailable", 480)

    def on_request(self, incoming: Incoming) -> None:
        incoming.respond(200)


class Probe:
    """The questions to one trunk; each says what came of it and is true when all is well."""

    def __init__(
        self, trunk: Trunk, core: SipCore, locate: Locate, domain: str, say: Callable[[str], None],
        why: Callable[[Hop], str] = lambda hop: "",
    ) -> None:
        """`why` no connection to a hop came about; empty where one did, or none is needed."""
        self._why = why
        self._hops: list[Hop] = []
        self._trunk, self._core, self._locate, self._domain, self._say = trunk, core, locate, domain, say
        self._client = TrunkClient(core, locate, domain, trunk)

    async def find(self) -> list[Hop]:
        """Its servers; none where nobody knows its name."""
        name = self._trunk.proxy or self._trunk.host
        try:
            hops = await servers_of(self._trunk, self._locate)
        except OSError as error:
            self._say(f"DNS       {name}: {error.strerror or error}")
            self._say("          nobody knows this name: is `host` (or `proxy`) right, is a name server reached?")
            return []
        self._say(f"DNS       {name}: {', '.join(f'{bracketed(hop.host)}:{hop.port} {hop.transport}' for hop in hops)}")
        self._hops = hops
        return hops

    async def options(self) -> bool:
        """Is it there?"""
        return self._tell("OPTIONS", await self._client.options(ANSWER_S))

    async def register(self) -> bool:
        """Does it take our password?  Without a Contact, so that what the server has bound there stays (10.2.3)."""
        response = await self._client.register(None, ANSWER_S)
        well = self._tell("REGISTER", response)
        if response is not None and response.status == 200:
            bound = ", ".join(response.fields.get("Contact", ())) or "nobody: the server is not registered there now"
            self._say(f"          registered there: {bound}")
        return well

    async def call(self, number: str, caller: str) -> bool:
        """Call and hang up as soon as it is answered."""
        if is_emergency(number, DialPlan(country=self._trunk.country)):
            self._say(f"INVITE    {number}: emergency numbers are not called for a test")
            return False
        number = re.sub(r"[-.() /]", "", number)
        for hop in await servers_of(self._trunk, self._locate):
            with socket.socket(socket.AF_INET6 if ":" in hop.host else socket.AF_INET, socket.SOCK_DGRAM) as rtp:
                rtp.bind(("", 0))  # held, so that what is sent to us ends here
                status, response = await self._ring(hop, number, caller, rtp.getsockname()[1])
            if status not in (408, 503):
                break
        return self._tell("INVITE", response, status)

    async def _ring(self, hop: Hop, number: str, caller: str, port: int) -> tuple[int, Response | None]:
        trunk, user = self._trunk, called_on_trunk(number, self._trunk)
        domain = trunk.host if trunk.user else self._domain
        shown = Shown("", to_trunk(caller, trunk))
        self._say(f"INVITE    {user} by {bracketed(hop.host)}:{hop.port}, shown: {shown.number}")
        test = _TestCall(self._say)
        invite = ServerInvite(
            self._core, test, target=trunk_uri(trunk, user, trunk.port or None), hop=hop,
            from_=NameAddr("", sip_uri(shown.number, domain)), to=NameAddr("", trunk_uri(trunk, user)),
            body=sdp.offer(self._core.local(hop)[0], port, session_id=1, version=1, codecs=trunk.codecs),
            extra=[*route_to(trunk), *caller_headers(trunk, shown, domain), *trunk.headers.items()],
            credentials=Credentials(trunk.user, trunk.password) if trunk.user else None,
        )  # fmt: skip
        invite.heard_within(ANSWER_S)
        try:
            async with asyncio.timeout(RING_S):
                await asyncio.shield(test.ended)
        except TimeoutError:
            invite.cancel()
        status, response = await test.ended
        invite.bye()
        await self._quiet()
        return status, response

    async def _quiet(self) -> None:
        """Wait until our BYE is answered, a little while."""
        for _ in range(100):
            if not self._core.load["dialogs"]:
                return
            await asyncio.sleep(FAREWELL_S / 100)

    def _tell(self, question: Question, response: Response | None, status: int | None = None) -> bool:
        status = response.status if response else (status if status == 487 else None)
        said = meaning(question, status, password=bool(self._trunk.user))
        own = "no answer" if status is None else f"{status} {response.reason if response else REASONS[status]}"
        self._say(f"{question:<9} {own}")
        why = next((why for hop in self._hops if (why := self._why(hop))), "") if status is None else ""
        self._say(f"          no connection: {why}" if why else f"          {said.sentence}")
        return said.well


class _TestCall:
    """An InviteUser that remembers how it ended."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.ended: asyncio.Future[tuple[int, Response | None]] = asyncio.get_running_loop().create_future()

    def on_progress(self, response: Response) -> None:
        self._say(f"          {response.status} {response.reason}")

    def on_answer(self, response: Response) -> None:
        self._end(response.status, response)

    def on_refused(self, status: int, response: Response | None) -> None:
        self._end(status, response)

    def on_gone(self, why: str) -> None:
        """It hung up first."""

    def on_cancel(self) -> None:
        """Nobody calls us."""

    def on_ack(self, request: Request) -> None:
        """Nobody calls us."""

    def on_request(self, incoming: Incoming) -> None:
        incoming.respond(488 if incoming.request.method == "INVITE" else 200)

    def _end(self, status: int, response: Response | None) -> None:
        if not self.ended.done():
            self.ended.set_result((status, response))
