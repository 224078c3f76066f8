"""Who rings the callback number: a person of the simulated PSTN, called back and led by one table."""

from __future__ import annotations

import asyncio
from asyncio import sleep
from typing import NamedTuple

from b2bua.audio import CODECS
from b2bua.demo.agent import Agent, Talk, Timing
from media import sdp
from sip_stack.core import Hop, Incoming
from sip_stack.headers import NameAddr
from sip_stack.message import Request, Response
from sip_stack.outgoing_invite import OutgoingInvite
from sip_stack.uri import sip_uri

__all__ = ["CALLER", "CALLS", "STEPS", "Caller", "Ring", "Step"]

CALLER = "+12025550100"
CALLS = "+12125550100"
"""Whom he calls once he is called back: answers and talks, as the table of numbers says of 0100."""
_DISCARD = 9
"""Where sound would go that never comes: the callback number does not answer (RFC 863)."""


class Step(NamedTuple):
    """What he keys when he has heard a prompt to its end."""

    keys: str
    does: str


STEPS = (
    Step("2468#", "hears the greeting and keys his PIN, 2468"),
    Step("1", "asks for his credit"),
    Step("2", "hears it, and asks for a call"),
    Step(f"{CALLS[2:]}#", f"dials {CALLS} in New York, a cent a second, and talks until he is cut off"),
)


class Ring:
    """One call to the callback number, which rings until it is refused (an InviteUser)."""

    def __init__(self, agent: Agent, server: Hop, number: str) -> None:
        loop = asyncio.get_running_loop()
        self.heard: asyncio.Future[None] = loop.create_future()
        """The server has said something: it rings, or it is over."""
        self.status: asyncio.Future[int] = loop.create_future()
        """What it ended with."""
        host, _ = agent.address
        self._invite = OutgoingInvite(
            agent.core, self, target=sip_uri(number, server.host, server.port), hop=server,
            from_=NameAddr("", sip_uri(CALLER, host)), to=NameAddr("", sip_uri(number, server.host)),
            body=sdp.offer(host, _DISCARD, session_id=1, version=1, codecs=CODECS),
        )  # fmt: skip

    def on_progress(self, response: Response) -> None:
        self._hear()

    def on_answer(self, response: Response) -> None:
        self._invite.bye()
        self._over(response.status)

    def on_refused(self, status: int, response: Response | None) -> None:
        self._over(status)

    def on_request(self, incoming: Incoming) -> None:
        incoming.respond(200)

    def on_gone(self, why: str) -> None:
        """It was refused, or we left before."""

    def on_cancel(self) -> None:
        """Only for calls that come."""

    def on_ack(self, request: Request) -> None:
        """Only for calls that come."""

    def _hear(self) -> None:
        if not self.heard.done():
            self.heard.set_result(None)

    def _over(self, status: int) -> None:
        self.status.set_result(status)
        self._hear()


class Caller:
    """He rings by the trunk, and takes the call back."""

    def __init__(self, agent: Agent, timing: Timing, server: Hop, number: str) -> None:
        """`number` is the callback number."""
        self.number = number
        self._agent, self._timing, self._server = agent, timing, server
        self.talk: Talk | None = None
        """His call back, the newest; it stays when it is over."""

    def ring(self) -> Ring:
        """Ring the callback number."""
        return Ring(self._agent, self._server, self.number)

    def is_called_back(self, request: Request) -> bool:
        """Whether this call is the one he waits for."""
        return request.uri.user == CALLER and request.from_.uri.user == self.number

    async def take(self, talk: Talk) -> None:
        """Answer the call back, and do what the table says (a Flow)."""
        if self.talk is not None and not self.talk.task.done():
            talk.refuse(486)
            return
        self.talk = talk
        talk.ring()
        await sleep(self._timing.ring_s)
        talk.answer()
        talk.be_quiet()
        for step in STEPS:
            await talk.hear_out()
            talk.press(step.keys)
        talk.speak()
        await talk.until_hung_up()
