"""A simulated user agent: SIP core, socket and sound of its own; each call it gets is played by one coroutine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from b2bua.audio import Audio
from b2bua.demo.sound import Ear, SoundEngine
from media.events import Event
from media.g711 import Codec
from media.handle import NoPort
from media.port import Tap
from media.sdp import Direction
from media.tones import ToneName
from sip_stack.core import ALLOW, Incoming, SipCore
from sip_stack.errors import PeerError
from sip_stack.incoming_invite import IncomingInvite
from sip_stack.message import Request, Response
from sip_stack.transport import Alarm, UdpTransport

__all__ = ["Agent", "Flow", "Talk", "Timing"]

log = logging.getLogger(__name__)

_QUIET_S = 0.7
"""After so long a prompt is over: pauses between its sentences are shorter."""

Flow = Callable[["Talk"], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long simulated people and networks take, in seconds."""

    answer_s: float = 2.0
    """John, until he answers."""
    press_s: float = 2.0
    """John, until he presses a key."""
    talk_s: float = 12.0
    """John, from the first voice he hears to his hanging up."""
    ring_s: float = 1.5
    """The PSTN, until somebody answers."""
    voice_s: float = 5.0
    """0100: talk before the echo; 0104: the whole talk."""
    step_s: float = 3.0
    """0105 early media, 0107 sound before the silence, 0108 until the hold and of the hold."""


class Talk:
    """One call at an agent: what its flow can do. When the far end leaves, the flow is cancelled."""

    def __init__(self, agent: Agent, incoming: Incoming, engine: SoundEngine) -> None:
        """Raises: PeerError for an offer that cannot be answered, NoPort."""
        self._agent = agent
        self.request = incoming.request
        self.ear = Ear()
        self.hearers: list[Tap] = [self.ear]
        """Who is told of each packet of sound that comes."""
        self._audio = Audio(engine, self._on_media, ("PCMU", "PCMA"))
        engine.tap(self._audio.port, self._hear)
        self._invite = IncomingInvite(agent.core, incoming)
        self._invite.owner = self
        try:
            self._description = self._audio.take_offer(self.request.body, incoming.source.host)
        except PeerError:
            self._audio.port.close()
            raise
        self.task = asyncio.get_running_loop().create_task(self._play())

    # What a flow does

    def ring(self) -> None:
        """180."""
        self._invite.ring()

    def early_tone(self, name: ToneName) -> None:
        """183 with a description, and a tone before any answer."""
        self._invite.ring(self._description)
        self._audio.port.tone(name)

    def answer(self) -> None:
        """200."""
        self._invite.answer(self._description)

    def refuse(self, status: int, *extra: tuple[str, str]) -> None:
        """Any final response other than 2xx."""
        self._invite.refuse(status, extra=extra)

    def press(self, digits: str) -> None:
        """Press keys (RFC 4733)."""
        self._audio.port.send_digits(digits)

    def speak(self) -> None:
        """Talk until told otherwise."""
        self._audio.port.speak("voice")

    def echo(self) -> None:
        """Send back what is heard."""
        self._audio.port.speak("echo")

    def be_quiet(self) -> None:
        """Send packets of silence, as a telephone does while nobody speaks."""
        self._audio.port.tone("silence")

    def send_nothing(self) -> None:
        """Send no RTP at all."""
        self._audio.port.stop()

    async def hear_out(self) -> None:
        """Listen until somebody has spoken and is quiet again."""
        self.ear.forget()
        await self.ear.voice.wait()
        clock = asyncio.get_running_loop().time
        while True:
            left_s = self.ear.voice_at + _QUIET_S - clock()
            if left_s <= 0:
                return
            await asyncio.sleep(left_s)

    async def offer(self, direction: Direction) -> None:
        """A re-INVITE: `sendonly` puts the far end on hold, `sendrecv` takes it back (RFC 3264 8.4)."""
        answered: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        offer = self._audio.offer(self._audio.codec).replace(b"a=sendrecv", f"a={direction}".encode())
        self._invite.reinvite(offer, answered.set_result)
        response = await answered
        if response is not None and response.status < 300:
            self._audio.take_answer(response.body, self._invite.hop.host)

    async def until_hung_up(self) -> None:
        """Wait for the far end to leave."""
        await asyncio.get_running_loop().create_future()

    # What the stack tells (InviteUser)

    def on_cancel(self) -> None:
        self.task.cancel()

    def on_gone(self, why: str) -> None:
        self.task.cancel()

    def on_ack(self, request: Request) -> None:
        """Nothing waits for it."""

    def on_progress(self, response: Response) -> None:
        """Only for calls we make."""

    def on_answer(self, response: Response) -> None:
        """Only for calls we make."""

    def on_refused(self, status: int, response: Response | None) -> None:
        """Only for calls we make."""

    def on_request(self, incoming: Incoming) -> None:
        if incoming.request.method != "INVITE":
            incoming.respond(200)
            return
        try:
            self._invite.accept(incoming, self._audio.take_offer(incoming.request.body, incoming.source.host))
        except PeerError as error:
            incoming.respond(error.status, error.reason)

    def _hear(self, now: float, ssrc: int, timestamp: int, payload: bytes, codec: Codec) -> None:
        for hearer in self.hearers:
            hearer(now, ssrc, timestamp, payload, codec)

    def _on_media(self, event: Event) -> None:
        """Simulated people hear by their ear."""

    async def _play(self) -> None:
        try:
            await self._agent.flow(self)
        except Exception:  # ours: this call ends, the agent goes on
            log.exception("agent=%s event=bug", self._agent.name)
        finally:
            self._invite.refuse(480)
            self._invite.bye()
            self._audio.port.close()


class Agent:
    """One user agent (a CoreUser); `flow` plays each call that comes."""

    def __init__(self, name: str, flow: Flow, transport: UdpTransport, engine: SoundEngine) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.flow = flow
        self.address = (transport.host, transport.port)
        self.talks: list[Talk] = []
        """Calls, the newest last; the last one stays when it is over."""
        self._engine = engine
        self._transport = transport
        self._alarm = Alarm(loop)
        self.core = SipCore(
            self, send=transport.send, local={"UDP": self.address}, new_id=lambda: token_hex(8), clock=loop.time,
            alarm=self._alarm, bug=self._bug, agent=name,
        )  # fmt: skip
        self._alarm.wakes(self.core)
        transport.start(self.core)

    @property
    def talking(self) -> bool:
        """True while a call is here."""
        return any(not talk.task.done() for talk in self.talks)

    async def close(self) -> None:
        """End every call and free the socket."""
        tasks = [talk.task for talk in self.talks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._alarm.close()
        self._transport.close()

    def on_invite(self, incoming: Incoming) -> None:
        """A call comes."""
        incoming.respond(100)
        try:
            talk = Talk(self, incoming, self._engine)
        except NoPort as error:
            raise PeerError("Service Unavailable", 503) from error
        self.talks = [*(each for each in self.talks if not each.task.done()), talk]

    def on_request(self, incoming: Incoming) -> None:
        """OPTIONS and the like."""
        incoming.respond(200, extra=[("Allow", ALLOW)])

    def _bug(self, error: Exception) -> None:
        log.error("agent=%s event=bug", self.name, exc_info=error)
