"""John: a simulated phone that registers with digest, and does with a call what its behaviour says."""

from __future__ import annotations

import asyncio
import logging
from asyncio import sleep
from secrets import token_hex

from b2bua.demo.agent import Agent, Flow, Talk, Timing
from b2bua.demo.sound import SoundEngine
from b2bua.demo.table import ROWS
from b2bua.desk import DemoState
from sip_stack.core import Hop
from sip_stack.digest import Credentials, answer, parse_challenge
from sip_stack.headers import NameAddr
from sip_stack.message import Request, Response
from sip_stack.transport import UdpTransport
from sip_stack.uri import sip_uri

__all__ = ["BEHAVIOURS", "Phone"]

log = logging.getLogger(__name__)

BEHAVIOURS = (
    ("accept", "Answers, listens, presses 1 and talks"),
    ("refuse", "Answers, listens and presses 2"),
    ("ignore", "Rings until the caller gives up"),
    ("busy", "Is busy (486)"),
    ("offline", "Is not registered"),
)
_EXPIRES_S = 120
_REFRESH_S = 60.0
_RETRY_S = 2.0


class Phone:
    """One extension's phone (implements b2bua.front.DemoControls); it knows its server only by SIP."""

    def __init__(
        self,
        transport: UdpTransport,
        engine: SoundEngine,
        timing: Timing,
        *,
        server: tuple[str, int],
        who: Credentials,
        page_url: str,
    ) -> None:
        self._timing = timing
        self._server = Hop("UDP", *server)
        self._who = who
        self._page_url = page_url
        self._behaviour = "accept"
        self._flows: dict[str, Flow] = {
            "accept": self._accept,
            "refuse": self._refuse,
            "ignore": self._ignore,
            "busy": self._busy,
            "offline": self._busy,
        }
        self.agent = Agent("Demo phone", self._flow, transport, engine)
        self._refresher: asyncio.Task[None] | None = None

    # Controls

    def state(self) -> DemoState:
        """As it stands."""
        host, port = self.agent.address
        return DemoState(
            behaviour=self._behaviour,
            behaviours=BEHAVIOURS,
            numbers=[(row.number, row.does) for row in ROWS],
            page_url=self._page_url,
            phone=f"Extension {self._who.user} at {host}:{port}",
        )

    async def set(self, behaviour: str) -> bool:
        """Change what it does with the next call; False for an unknown behaviour."""
        if behaviour not in self._flows:
            return False
        self._behaviour = behaviour
        await self.register(behaviour != "offline")
        return True

    async def register(self, online: bool) -> None:
        """Be reachable from now on, or not; a REGISTER that fails is tried again."""
        if self._refresher is not None:
            self._refresher.cancel()
            self._refresher = None
        if not online:
            await self._send("*", 0)
        elif await self._send(self._contact, _EXPIRES_S) != 200:
            log.error("agent=phone event=not-registered")
        if online:
            self._refresher = asyncio.get_running_loop().create_task(self._refresh())

    async def start(self) -> None:
        """Forget what an earlier start left registered, then register."""
        await self._send("*", 0)
        await self.register(True)

    async def close(self) -> None:
        """Un-register and end."""
        await self.register(False)
        await self.agent.close()

    # Flows

    async def _flow(self, talk: Talk) -> None:
        others = [each for each in self.agent.talks if each is not talk and not each.task.done()]
        await (self._busy if others else self._flows[self._behaviour])(talk)

    async def _accept(self, talk: Talk) -> None:
        await self._listen_and_press(talk, "1")
        talk.speak()
        talk.ear.forget()
        await talk.ear.voice.wait()  # ringback is no voice: the talk counts from its first word
        await sleep(self._timing.talk_s)

    async def _refuse(self, talk: Talk) -> None:
        await self._listen_and_press(talk, "2")
        await talk.until_hung_up()

    async def _ignore(self, talk: Talk) -> None:
        talk.ring()
        await talk.until_hung_up()

    async def _busy(self, talk: Talk) -> None:
        talk.refuse(486)

    async def _listen_and_press(self, talk: Talk, key: str) -> None:
        talk.ring()
        await sleep(self._timing.answer_s)
        talk.answer()
        talk.be_quiet()
        await sleep(self._timing.press_s)
        talk.press(key)

    # Registration (RFC 3261 10.2)

    @property
    def _contact(self) -> str:
        return self.agent.core.contact(self._server)

    async def _refresh(self) -> None:
        wait = _REFRESH_S
        while True:
            await sleep(wait)
            wait = _REFRESH_S if await self._send(self._contact, _EXPIRES_S) == 200 else _RETRY_S

    async def _send(self, contact: str, expires_s: int) -> int:
        """One REGISTER, with the proof that the server asks for; the status it ended with, 408 without one."""
        user, host, port = self._who.user, self._server.host, self._server.port
        address = NameAddr("", sip_uri(user, host))
        fields = [("Contact", contact), ("Expires", str(expires_s))]
        request = self.agent.core.build("REGISTER", sip_uri("", host, port), address, address, fields)
        response = await self._ask(request)
        if response is not None and response.status == 401:
            challenge = parse_challenge(response.fields["WWW-Authenticate"][0])
            if challenge is not None:
                proof = answer(challenge, self._who, "REGISTER", request.uri_text, token_hex(8))
                again = {name: values for name, values in request.fields.items() if name != "Via"}
                again |= {"CSeq": ["2 REGISTER"], "Authorization": [proof]}
                response = await self._ask(Request("REGISTER", request.uri_text, again))
        return response.status if response else 408

    async def _ask(self, request: Request) -> Response | None:
        final: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

        def react(response: Response | None) -> None:
            if (response is None or response.status >= 200) and not final.done():
                final.set_result(response)

        self.agent.core.request(request, self._server, react)
        return await final
