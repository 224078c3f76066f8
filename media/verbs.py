"""What an engine asks of its switch: one frozen message per verb, all one-way."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from media.sdp import MediaPeer
from media.tones import ToneName

__all__ = [
    "Beep", "Bridge", "Close", "Describe", "Listen", "Open", "Overhear", "Play", "Record", "SendDigits", "Speak",
    "Stop", "Tone", "Unbridge", "Verb", "Watch",
]


class Verb(Struct, frozen=True, tag=True):
    """Something for one port to do."""

    port: int


class Open(Verb, frozen=True):
    """Take a bound pair of sockets out of the stock; it is known as `port` from now on."""

    rtp_port: int


class Describe(Verb, frozen=True):
    """Whom to send to and whom to accept."""

    peer: MediaPeer
    signalling_ip: str


class Play(Verb, frozen=True):
    """Play clips in a row, once."""

    clips: tuple[str, ...]
    until_key: bool
    gap_ms: int


class Tone(Verb, frozen=True):
    """Play a tone until another verb."""

    name: ToneName


class Beep(Verb, frozen=True):
    """Sound one short tone over whatever is heard; a bridge goes on."""


class Speak(Verb, frozen=True):
    """Talk in a loop, or send back what is heard."""

    source: Literal["voice", "echo"]


class Stop(Verb, frozen=True):
    """No more sound of our own."""


class Listen(Verb, frozen=True):
    """Whether keys are for us, or for the other side of the bridge."""

    on: bool


class Overhear(Verb, frozen=True):
    """Whether keys that cross a bridge are told as well."""

    on: bool


class SendDigits(Verb, frozen=True):
    """Press keys towards the far end."""

    digits: str


class Watch(Verb, frozen=True):
    """Tell when no RTP comes for so long; None: never."""

    silence_s: float | None


class Bridge(Verb, frozen=True):
    """Join with another port, both ways."""

    other: int


class Unbridge(Verb, frozen=True):
    """Part from the other port."""


class Record(Verb, frozen=True):
    """Write what `port` (left) and `right` send us to a stereo WAV file."""

    right: int
    path: str


class Close(Verb, frozen=True):
    """The end of a port."""
