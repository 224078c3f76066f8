"""The simulated PSTN behind the demo's trunk: one short flow for each row of the table."""

from __future__ import annotations

import time
from asyncio import sleep
from secrets import token_hex

from b2bua.demo.agent import Agent, Flow, Talk, Timing
from b2bua.demo.caller import Caller
from b2bua.demo.sound import SoundEngine
from b2bua.demo.table import row_of
from media.port import Tap
from sip_stack.core import Hop
from sip_stack.digest import Challenge, Credentials, NonceMaker, ha1, parse_proof, proves
from sip_stack.message import Request
from sip_stack.transport import UdpTransport

__all__ = ["Pstn"]

_REALM = "pstn.demo"


class Pstn:
    """The far end of the trunk; `who` is what it asks of numbers that want a password.

    `callback` is the number that one of its people rings, at `server`.
    """

    def __init__(
        self, transport: UdpTransport, engine: SoundEngine, timing: Timing, who: Credentials, *, server: Hop,
        callback: str,
    ) -> None:  # fmt: skip
        self._timing = timing
        self._who = who
        self._nonces = NonceMaker(token_hex(16).encode())
        self.agent = Agent("Demo PSTN", self._flow, transport, engine)
        self.caller = Caller(self.agent, timing, server, callback)
        self.tapes: tuple[Tap, Tap] | None = None
        """Take what the caller hears once he is called back, and what everybody else hears."""
        self._flows: dict[str, Flow] = {
            "0100": self._talks,
            "0101": self._busy,
            "0102": self._no_answer,
            "0103": self._declined,
            "0104": self._hangs_up,
            "0105": self._early_media,
            "0106": self._one_way_audio,
            "0107": self._rtp_stops,
            "0108": self._hold,
            "0109": self._digest,
        }

    async def _flow(self, talk: Talk) -> None:
        back = self.caller.is_called_back(talk.request)
        if self.tapes is not None:
            talk.hearers.append(self.tapes[0 if back else 1])
        await (self.caller.take if back else self._flows[row_of(talk.request.uri.user).digits])(talk)

    async def _answers(self, talk: Talk) -> None:
        talk.ring()
        await sleep(self._timing.ring_s)
        talk.answer()

    async def _talks(self, talk: Talk) -> None:
        await self._answers(talk)
        talk.speak()
        await sleep(self._timing.voice_s)
        talk.echo()
        await talk.until_hung_up()

    async def _busy(self, talk: Talk) -> None:
        talk.refuse(486)

    async def _no_answer(self, talk: Talk) -> None:
        talk.ring()
        await talk.until_hung_up()

    async def _declined(self, talk: Talk) -> None:
        talk.ring()
        await sleep(self._timing.ring_s)
        talk.refuse(603)

    async def _hangs_up(self, talk: Talk) -> None:
        await self._answers(talk)
        talk.speak()
        await sleep(self._timing.voice_s)

    async def _early_media(self, talk: Talk) -> None:
        talk.early_tone("beep")
        await sleep(self._timing.step_s)
        talk.refuse(404)

    async def _one_way_audio(self, talk: Talk) -> None:
        await self._answers(talk)
        await talk.until_hung_up()

    async def _rtp_stops(self, talk: Talk) -> None:
        await self._answers(talk)
        talk.speak()
        await sleep(self._timing.step_s)
        talk.send_nothing()
        await talk.until_hung_up()

    async def _hold(self, talk: Talk) -> None:
        await self._answers(talk)
        talk.speak()
        await sleep(self._timing.step_s)
        await talk.offer("sendonly")
        talk.send_nothing()
        await sleep(self._timing.step_s)
        await talk.offer("sendrecv")
        talk.speak()
        await talk.until_hung_up()

    async def _digest(self, talk: Talk) -> None:
        if "Proxy-Authorization" not in talk.request.fields:
            challenge = Challenge(_REALM, self._nonces.make(time.time()), qop="auth")
            talk.refuse(407, ("Proxy-Authenticate", str(challenge)))
        elif self._proves(talk.request):
            await self._talks(talk)
        else:
            talk.refuse(403)

    def _proves(self, request: Request) -> bool:
        proof = parse_proof(request.fields["Proxy-Authorization"][0])
        secret = ha1(self._who.user, _REALM, self._who.password)
        fresh = self._nonces.state(proof.nonce, time.time()) == "fresh"
        return fresh and proof.user == self._who.user and proves(proof, secret, request.method)
