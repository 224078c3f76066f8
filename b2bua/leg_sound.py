"""What a leg hears and says: prompts, keys, and what its media port tells."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from b2bua.audio import Audio, place_for
from b2bua.outcome import Congested
from b2bua.trace.ladder import RINGBACK
from media.engine import NoPort
from media.events import Closed, Event, Key, Latched, Played, Silence, Stats
from media.g711 import Codec
from sip_stack.core import Hop

if TYPE_CHECKING:
    from b2bua.call import Call
    from b2bua.leg import Leg

__all__ = ["LegSound"]


class LegSound:
    """The sound of one leg; its fields are the leg's, and one without sound keeps none of them."""

    __slots__ = ("__dict__", "audio", "call", "ended_at", "lane", "partner")

    call: Call
    lane: int
    audio: Audio | None
    partner: Leg | None
    """Whom it is joined with."""
    ended_at: float | None
    masked = False
    """Keys may be somebody's password: the ladder shows that one was pressed, not which."""
    stats: Stats | None = None
    closed: asyncio.Future[None] | None = None
    _keys = ""
    _key: asyncio.Future[None] | None = None
    _played: asyncio.Future[None] | None = None
    _unplayed = 0
    """Sounds begun whose end was not told yet: one that was cut off by an interrupt tells its own end late."""
    _until_key = False
    _overheard: Callable[[str], None] | None = None

    @abstractmethod
    def lose(self, why: str, cause: str) -> None:
        """It is there by SIP and of no use."""

    async def say(self, *clips: str, until_key: bool = False, secret: bool = False, gap_ms: int = 0) -> None:
        """Play clips of the call's language, or sounds by absolute path, to their end or to the first key.

        `secret`: the ladder shows that something was said, not what. `gap_ms`: silence between clips.
        """
        if self.ended_at is not None or (until_key and self._keys):
            return
        port = self._audio.port
        pack = self.call.pack
        said = " ".join(clip.rpartition("/")[2] if clip.startswith("/") else pack.text(clip) for clip in clips)
        self.call.ladder_row("prompt", RINGBACK, self.lane, f"said: {'(not shown)' if secret else said}")
        self._played, self._until_key = asyncio.get_running_loop().create_future(), until_key
        names = [clip if "/" in clip else f"{pack.language}/{clip}" for clip in clips]
        self._unplayed += 1
        port.play(names, until_key=until_key, gap_ms=gap_ms)
        try:
            await self._played
        finally:
            self._played, self._until_key = None, False

    async def key(self, within_s: float) -> str | None:
        """The next key pressed, None when none came in time."""
        if not self._keys:
            self._key = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(within_s):
                    await self._key
            except TimeoutError:
                return None
            finally:
                self._key = None
        key, self._keys = self._keys[:1], self._keys[1:]
        return key or None

    def forget_keys(self) -> None:
        """What was pressed before counts no more."""
        self._keys = ""

    def overhear(self, told: Callable[[str], None] | None) -> None:
        """Tell every key, one for the other side of a bridge too, instead of keeping it for `key`; None: as before."""
        self._overheard = told
        if self.ended_at is None:
            self._audio.port.overhear(told is not None)

    def watch(self, silence_s: float | None) -> None:
        """Count it as gone when nothing is heard of it for so long; None: its silence means nothing."""
        if self.audio:
            self.audio.port.watch(silence_s)

    def beep(self) -> None:
        """Sound one short tone to this far end alone."""
        if self.ended_at is None:
            self.call.ladder_row("prompt", RINGBACK, self.lane, "beep")
            self._audio.port.beep()

    def key_by_info(self, digit: str) -> None:
        """A key that did not come as RTP: for whom this leg talks with, else for us."""
        if self.partner and self.partner.audio:
            self.partner.audio.port.send_digits(digit)
            if self._overheard is not None:
                self._overheard(digit)
            return
        self._pressed(digit)
        if self._until_key:
            self._audio.port.stop()  # a key that came as RTP has stopped the prompt by itself

    def _on_media(self, event: Event) -> None:
        match event:
            case Key():
                self._pressed(event.digit)
            case Played():
                self._unplayed -= 1
                if self._unplayed == 0 and self._played and not self._played.done():
                    self._played.set_result(None)
            case Silence():
                self.call.ladder_row("event", self.lane, RINGBACK, f"no RTP for {event.seconds:.0f} s")
                self.lose("rtp-timeout", 'SIP;cause=408;text="media lost"')
            case Latched():
                self.call.ladder_row("event", self.lane, RINGBACK, f"RTP comes from {event.address}:{event.port}")
            case Stats():
                self.stats = event
                self.call.media_moved(self)
            case Closed():
                self.call.ladder_row("rtp", self.lane, RINGBACK, self.stats_text())
                if self.closed and not self.closed.done():
                    self.closed.set_result(None)
                self.lose("media-failed", "Q.850;cause=41")  # not closed by us: the media process died

    def stats_text(self) -> str:
        """`RTP 512 received, 0 lost, jitter 0.3 ms, 498 sent`."""
        s = self.stats
        if s is None:
            return "RTP none"
        return f"RTP {s.received} received, {s.lost} lost, jitter {s.jitter_ms:.1f} ms, {s.sent} sent"

    def _pressed(self, digit: str) -> None:
        if self._overheard is not None:
            self._overheard(digit)
            return
        self.call.ladder_row("dtmf", self.lane, RINGBACK, "key" if self.masked else f"key {digit}")
        self._keys += digit
        if self._key and not self._key.done():
            self._key.set_result(None)

    def _open_audio(self, codecs: Sequence[Codec], hop: Hop, theirs: bytes = b"") -> None:
        engine = self.call.engine
        place = place_for(engine, self.call.exchange.place_of(hop), theirs)
        try:
            self.audio = Audio(engine, self._on_media, codecs, place)
        except NoPort as error:
            raise Congested("no media port is free") from error
        self.closed = asyncio.get_running_loop().create_future()

    @property
    def _audio(self) -> Audio:
        assert self.audio is not None
        return self.audio
