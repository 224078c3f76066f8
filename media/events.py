"""What a media port tells its owner: frozen facts, the same from every engine."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["Closed", "Ended", "Event", "Key", "Latched", "Played", "Recorded", "Silence", "Stats"]

Ended = Literal["end", "key", "stop", "missing"]


class Key(Struct, frozen=True, tag=True):
    """A key pressed by the far end, told once, at its beginning."""

    digit: str


class Played(Struct, frozen=True, tag=True):
    """What `play` began is over: at its end, cut by a key, replaced or stopped, or never begun for want of the clip."""

    stopped_by: Ended


class Silence(Struct, frozen=True, tag=True):
    """No RTP came for as long as `watch` asked."""

    seconds: float


class Latched(Struct, frozen=True, tag=True):
    """The far end's RTP comes from here: nobody else is heard."""

    address: str
    port: int


class Stats(Struct, frozen=True, tag=True):
    """Packets since the port was opened; loss by RFC 3550 A.3 and jitter by A.8 as we receive."""

    sent: int
    received: int
    lost: int
    jitter_ms: float
    strangers: int
    """Packets refused for their source address."""
    round_trip_ms: float | None
    refused: int = 0
    """Packets we could not send, for example because nothing listens at the far end (ECONNREFUSED)."""


class Closed(Struct, frozen=True, tag=True):
    """The last event of a port; its sockets are free again."""


class Recorded(Struct, frozen=True, tag=True):
    """The recording is complete; told to the port of the two that closed last, before its Closed."""

    path: str


Event = Key | Played | Silence | Latched | Stats | Closed | Recorded
