"""What signalling holds of media: an engine that opens ports, and the handle of one port. No verb ever waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from media.events import Event
from media.sdp import MediaPeer
from media.tones import ToneName
from media.verbs import (
    Beep,
    Bridge,
    Close,
    Describe,
    Listen,
    Overhear,
    Play,
    Record,
    SendDigits,
    Speak,
    Stop,
    Tone,
    Unbridge,
    Verb,
    Watch,
)

__all__ = ["Ask", "Engine", "Listener", "MediaPort", "NoPort", "Verbs"]

Listener = Callable[[Event], None]
Ask = Callable[[Verb], None]


class NoPort(Exception):
    """Every RTP port is taken: no further leg can be served now."""


class MediaPort:
    """One leg's media. Facts come back to the listener given to `Engine.open`; a closed port ignores verbs."""

    __slots__ = ("_ask", "address", "id", "rtp_port")

    def __init__(self, ask: Ask, id: int, address: str, rtp_port: int) -> None:
        self._ask = ask
        self.id, self.address, self.rtp_port = id, address, rtp_port

    def describe(self, peer: MediaPeer, signalling_ip: str) -> None:
        """Where to send and what to accept; again after a re-INVITE."""
        self._ask(Describe(self.id, peer, signalling_ip))

    def play(self, clips: Sequence[str], *, until_key: bool = False, gap_ms: int = 0) -> None:
        """Play clips (`en/confirm`, or absolute paths of 8 kHz mono WAV files) in a row; ends with Played."""
        self._ask(Play(self.id, tuple(clips), until_key, gap_ms))

    def tone(self, name: ToneName) -> None:
        """Repeat a tone until another verb."""
        self._ask(Tone(self.id, name))

    def beep(self) -> None:
        """Sound one short tone to this far end alone: what it hears, clip, tone or bridge, waits and goes on."""
        self._ask(Beep(self.id))

    def stop(self) -> None:
        """Stop clips, tone or voice."""
        self._ask(Stop(self.id))

    def listen(self, on: bool) -> None:
        """Whether keys come as Key events or go to the other side; a bridge turns it off, its end turns it on."""
        self._ask(Listen(self.id, on))

    def overhear(self, on: bool) -> None:
        """Whether keys that go to the other side come as Key events as well, in this and every later bridge."""
        self._ask(Overhear(self.id, on))

    def send_digits(self, digits: str) -> None:
        """Press keys towards the far end."""
        self._ask(SendDigits(self.id, digits))

    def watch(self, silence_s: float | None) -> None:
        """Tell Silence when no RTP comes for so long while neither side is on hold; None: never."""
        self._ask(Watch(self.id, silence_s))

    def speak(self, source: Literal["voice", "echo"]) -> None:
        """Talk in a loop, or send back what is heard: for simulated people."""
        self._ask(Speak(self.id, source))

    def close(self) -> None:
        """Give the port back; the last Stats follow, then Closed."""
        self._ask(Close(self.id))


class Engine(Protocol):
    """What signalling asks of media, whether it runs in another process or in memory."""

    @property
    def places(self) -> Sequence[str]:
        """What far ends are told of each address that sound is received at."""

    def open(self, listener: Listener, place: int = 0) -> MediaPort:
        """A port at one of the places, at once.  Raises: NoPort."""

    def bridge(self, a: MediaPort, b: MediaPort) -> None:
        """Each hears the other; clips and tones of both end."""

    def unbridge(self, a: MediaPort) -> None:
        """Part `a` from the port it is bridged with."""

    def record(self, path: str, left: MediaPort, right: MediaPort) -> None:
        """Write what each side sends us to a stereo 8 kHz WAV; Recorded follows when both are closed."""

    async def close(self) -> None:
        """Close every port and whatever serves them."""


class Verbs:
    """The verbs about two ports, the same for every engine."""

    def bridge(self, a: MediaPort, b: MediaPort) -> None:
        """See Engine."""
        a._ask(Bridge(a.id, b.id))

    def unbridge(self, a: MediaPort) -> None:
        """See Engine."""
        a._ask(Unbridge(a.id))

    def record(self, path: str, left: MediaPort, right: MediaPort) -> None:
        """See Engine."""
        left._ask(Record(left.id, right.id, path))
