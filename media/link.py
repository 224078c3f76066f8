"""What travels between engine and worker: verbs down one by one, notes up in lists, as msgpack datagrams. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from media import verbs
from media.events import Event

__all__ = ["MESSAGE_BYTES", "Note", "Ready", "Stock", "Up", "decode_up", "decode_verb", "encode"]

MESSAGE_BYTES = 65536


class Ready(Struct, frozen=True, tag=True):
    """The worker serves; `files` is its limit of open files, two a port."""

    files: int


class Stock(Struct, frozen=True, tag=True):
    """More pairs are bound at one of the addresses, known by their RTP ports."""

    rtp_ports: tuple[int, ...]
    place: int = 0


class Note(Struct, frozen=True, tag=True):
    """A fact about one port."""

    port: int
    event: Event


Up = Ready | Stock | Note
_Down = (
    verbs.Open | verbs.Describe | verbs.Play | verbs.Tone | verbs.Beep | verbs.Speak | verbs.Stop | verbs.Listen
    | verbs.Overhear | verbs.SendDigits | verbs.Watch | verbs.Bridge | verbs.Unbridge | verbs.Record | verbs.Close
)

encode = msgspec.msgpack.Encoder().encode
decode_up = msgspec.msgpack.Decoder[list[Up]](list[Up]).decode
decode_verb = msgspec.msgpack.Decoder[_Down](_Down).decode
