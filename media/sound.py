"""Our own sound for one port, 20 ms at a time: clips played once, tones and voices in a loop, keys pressed. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain, repeat

from media.g711 import ALAW_TO_ULAW, SILENCE, ULAW_TO_ALAW, Codec
from media.stream import FRAME
from media.telephone_event import KEYS, burst

__all__ = ["KeyPresses", "Player", "transcode"]

_TABLES: dict[tuple[str, str], bytes] = {("PCMU", "PCMA"): ULAW_TO_ALAW, ("PCMA", "PCMU"): ALAW_TO_ULAW}
_PAUSE_FRAMES = 5


def transcode(source: Codec, target: Codec) -> bytes | None:
    """The table for bytes.translate; None when the codecs are one."""
    return _TABLES.get((source, target))


class Player:
    """Cuts encoded sound into frames."""

    __slots__ = ("_at", "_codec", "_loop", "_sound", "until_key")

    def __init__(self, sound: bytes, codec: Codec, *, loop: bool = False, until_key: bool = False) -> None:
        self._sound, self._codec, self._loop = sound, codec, loop
        self._at = 0
        self.until_key = until_key

    @property
    def looping(self) -> bool:
        """True for a tone or voice, which has no end."""
        return self._loop

    def frame(self, codec: Codec) -> bytes | None:
        """The next 20 ms in this codec, the last one filled with silence; None at the end."""
        if self._at >= len(self._sound):
            if not (self._loop and self._sound):
                return None
            self._at = 0
        part = self._sound[self._at : self._at + FRAME]
        self._at += FRAME
        table = transcode(self._codec, codec)
        part = part.translate(table) if table else part
        return part.ljust(FRAME, SILENCE[codec])


class KeyPresses:
    """Keys waiting to be sent, one packet each 20 ms: 100 ms of tone, three End packets, 100 ms of pause."""

    __slots__ = ("_digits", "_packets")

    def __init__(self) -> None:
        self._digits: deque[str] = deque()
        self._packets: Iterator[tuple[bytes, bool]] = iter(())

    def add(self, digits: str) -> None:
        """Press these next; what is no key is passed over."""
        self._digits.extend(key for key in digits.upper() if key in KEYS)

    def packet(self) -> tuple[bytes, bool] | None:
        """The next (payload, first of its key); an empty payload in a pause; None when every key is sent."""
        packet = next(self._packets, None)
        if packet is None and self._digits:
            self._packets = chain(burst(self._digits.popleft()), repeat((b"", False), _PAUSE_FRAMES))
            packet = next(self._packets)
        return packet
