"""One leg's media: what it hears, whom it passes that to, what it says. Sans-IO: packets, verbs and time come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from media.control import Clock, Control
from media.events import Closed, Ended, Event, Key, Latched, Played, Silence, Stats
from media.g711 import SILENCE, Codec
from media.latch import REOPEN_S, Address, Latch
from media.prompt import BadClip, Library
from media.rtcp import Reception
from media.rtp import HEADER, HEADER_BYTES, is_rtcp, parse, write
from media.sdp import MediaPeer
from media.sound import KeyPresses, Player, transcode
from media.stream import Send, Stream
from media.telephone_event import KeyReader
from media.tones import ToneName, encoded_beep, encoded_tone

__all__ = ["Port", "Tap", "Wire"]

STATS_S = 1.0
_STATIC: dict[int, Codec] = {0: "PCMU", 8: "PCMA"}

Tap = Callable[[float, int, int, bytes, Codec], None]
"""Takes (now, ssrc, timestamp, payload, codec) of each audio packet heard."""


class Wire(Protocol):
    """The pair of sockets of one port."""

    def point(self, target: Address, only: bool) -> Send:
        """Send RTP there from now on; `only`: and let nobody else's in (a connected socket)."""

    def send_rtcp(self, packet: bytes, target: Address) -> None:
        """Send one RTCP datagram."""

    def close(self) -> None:
        """Give the sockets back."""


class _Route(NamedTuple):
    """What becomes of one incoming payload type."""

    codec: Codec | None
    """None: telephone-events."""
    out_type: int
    """As the other side of the bridge knows it; -1: it does not get it."""
    table: bytes | None
    """mu-law to A-law or back, where the sides differ."""


class Port:
    """One leg: `arrived` and `heard` take packets, verbs take wishes, `pace` comes each 20 ms while it has sound."""

    __slots__ = (
        "_beep", "_control", "_emit", "_keys_in", "_latch", "_library", "_listening", "_presses", "_reported",
        "_routes", "_stats_due", "_watch_from", "_watch_s", "heard_at", "id", "next_chore", "overhears", "partner",
        "peer", "player", "reception", "strangers", "stream", "tap", "wire",
    )

    def __init__(
        self,
        id: int,
        wire: Wire,
        stream: Stream,
        library: Library,
        clock: Clock,
        emit: Callable[[Event], None],
        now: float,
    ) -> None:
        self.id, self.wire, self.stream = id, wire, stream
        self._library, self._emit = library, emit
        self.peer: MediaPeer | None = None
        self.partner: Port | None = None
        self.player: Player | None = None
        self.tap: Tap | None = None
        self.reception = Reception()
        self._control = Control(stream, self.reception, clock, now)
        self.strangers = 0
        self.heard_at = now
        self._latch = Latch()
        self._routes: dict[int, _Route] = {}
        self._listening = True
        self.overhears = False
        self._keys_in = KeyReader()
        self._presses: KeyPresses | None = None
        self._beep: Player | None = None
        self._stats_due = now + STATS_S
        self._reported = (0, 0, 0)
        self._watch_s: float | None = None
        self._watch_from = now
        self.next_chore = float("inf")

    # Packets.

    def arrived(self, packet: memoryview, size: int, source: Address, now: float) -> None:
        """A datagram came to the RTP socket from `source`: heard if the latch admits it, else a stranger's."""
        before = self._latch.source
        if size < HEADER_BYTES or self.peer is None:
            self.strangers += 1
            return
        _, _, sequence, _, ssrc = HEADER.unpack_from(packet)
        if not self._latch.admits(source, ssrc, sequence, now):
            self.strangers += 1
            return
        if before is None:
            self._control.target = (source[0], self.peer.rtcp_port if source[1] == self.peer.port else source[1] + 1)
            self._point()
            self._emit(Latched(*source))
        self.heard(packet, size, now)

    def heard(self, packet: memoryview, size: int, now: float) -> None:
        """A datagram of the latched far end, in a buffer that may be written over."""
        if size < HEADER_BYTES:
            return
        flags, kind, sequence, timestamp, ssrc = HEADER.unpack_from(packet)
        if flags != 0x80 or is_rtcp(kind):
            self._heard_odd(packet, size, now)
            return
        route = self._routes.get(kind & 0x7F)
        self.heard_at = now
        self.reception.count(ssrc, sequence, timestamp, now)
        if route is None:
            self._drop(ssrc, sequence)
            return
        codec, out_type, table = route
        if codec is None:
            self._event(ssrc, timestamp, bytes(packet[HEADER_BYTES:size]))
        elif self.tap is not None:
            self.tap(now, ssrc, timestamp, bytes(packet[HEADER_BYTES:size]), codec)
        partner = self.partner
        if partner is None:
            return
        if out_type < 0 or partner.player is not None or partner._presses is not None or partner._beep is not None:
            self._drop(ssrc, sequence)
            return
        if table is not None:
            packet[HEADER_BYTES:size] = bytes(packet[HEADER_BYTES:size]).translate(table)
        partner.stream.relay(packet, size, kind & 0x80 | out_type, sequence, timestamp, ssrc, now)

    def rtcp_arrived(self, data: bytes | memoryview, source: Address, now: float) -> None:
        """A datagram came to the RTCP socket; reports are read here and never passed on."""
        if not self._latch.admits_ip(source[0]):
            self.strangers += 1
            return
        self._control.target = source
        self._control.read(data, now)

    # Verbs.

    def describe(self, peer: MediaPeer, signalling_ip: str, now: float) -> None:
        """The far end as signalled, the first time or changed by a re-INVITE."""
        self.peer = peer
        if self._latch.describe(peer, signalling_ip):
            self._control.target = (peer.address, peer.rtcp_port)
        self._watch_from = now
        self._point()
        self._route()
        if self.partner is not None:
            self.partner._route()

    def join(self, partner: Port) -> None:
        """Pass what is heard to `partner` (itself: an echo); our own sound ends."""
        self.stop()
        self.partner = partner
        self._listening = False
        self._route()

    def part(self) -> None:
        """Pass on nothing any more; keys are for us again."""
        self.partner = None
        self._listening = True
        self.stream.cut()
        self._route()

    def listen(self, on: bool) -> None:
        """Keys are for us, or for the partner."""
        self._listening = on
        self._route()

    def play(self, clips: Sequence[str], until_key: bool, gap_ms: int) -> None:
        """Clips in a row, instead of whatever sound there was."""
        self.stop()
        codec: Codec = self.peer.codec if self.peer else "PCMU"
        try:
            parts = [self._library.encoded(name, codec) for name in clips]
        except BadClip:
            self._emit(Played("missing"))
            raise
        self.player = Player((SILENCE[codec] * (8 * gap_ms)).join(parts), codec, until_key=until_key)

    def tone(self, name: ToneName) -> None:
        """A tone, instead of whatever sound there was."""
        self.stop()
        self.player = Player(encoded_tone(name, "PCMU"), "PCMU", loop=True)

    def loop(self, clip: str) -> None:
        """A clip again and again, instead of whatever sound there was."""
        self.stop()
        self.player = Player(self._library.encoded(clip, "PCMU"), "PCMU", loop=True)

    def stop(self) -> None:
        """No sound of our own."""
        self._finish("stop")

    def press(self, digits: str) -> None:
        """Send keys; the sound of ourselves and of the partner waits meanwhile."""
        self._presses = self._presses or KeyPresses()
        self._presses.add(digits)

    def beep(self) -> None:
        """One short tone; the sound of ourselves and of the partner waits meanwhile."""
        self._beep = Player(encoded_beep("PCMU"), "PCMU")

    def watch(self, silence_s: float | None, now: float) -> None:
        """Tell of silence that long, counted from now at the earliest."""
        self._watch_s, self._watch_from = silence_s, now

    def close(self, now: float) -> None:
        """Say goodbye to the far end and tell the last figures."""
        self.stop()
        self._send_rtcp(self._control.goodbye())
        self._emit(self._stats())
        self.wire.close()
        self._emit(Closed())

    # Time.

    @property
    def has_sound(self) -> bool:
        """Whether `pace` has anything to send."""
        return self.player is not None or self._presses is not None or self._beep is not None

    def pace(self, at: float) -> bool:
        """Send the frame whose deadline is `at`; False when there is nothing more."""
        peer = self.peer
        if self._presses is not None:
            pressed = self._presses.packet()
            if pressed is not None:
                if pressed[0] and peer is not None and peer.telephone_event is not None:
                    self.stream.event(peer.telephone_event, *pressed, at)
                return True
            self._presses = None
        if self._beep is not None and self._say(self._beep, at):
            return True
        self._beep = None
        if self.player is not None and not self._say(self.player, at):
            self._finish("end")
        return self.has_sound

    def chores(self, now: float) -> float:
        """RTCP, figures, silence: whatever is due; returns when to come again."""
        self._watch(now)
        if self._latch.source is not None and now - self.heard_at >= REOPEN_S:
            self._latch.release()
            self._point()
        self._send_rtcp(self._control.report(now))
        if now >= self._stats_due:
            self._stats_due = now + STATS_S
            moved = (self.stream.packets, self.reception.total, self.strangers)
            if moved != self._reported:
                self._reported = moved
                self._emit(self._stats())
        reopens = self.heard_at + REOPEN_S if self._latch.source is not None else self._stats_due
        return min(self._control.due, self._stats_due, self._silence_due(now), reopens)

    # Inside.

    def _heard_odd(self, packet: memoryview, size: int, now: float) -> None:
        """RTCP on the RTP port, or RTP with CSRC, extension or padding: read the first, make the second plain."""
        if is_rtcp(packet[1]):
            self._control.read(packet[:size], now)
            return
        whole = parse(packet[:size])
        if whole is not None:
            plain = bytearray(write(whole))
            self.heard(memoryview(plain), len(plain), now)

    def _drop(self, ssrc: int, sequence: int) -> None:
        if self.partner is not None:
            self.partner.stream.swallow(ssrc, sequence)

    def _event(self, ssrc: int, timestamp: int, payload: bytes) -> None:
        key = self._keys_in.read(ssrc, timestamp, payload)
        if key and (self._listening or self.overhears):
            self._emit(Key(key))
            if self.player is not None and self.player.until_key:
                self._finish("key")

    def _say(self, player: Player, at: float) -> bool:
        """Send the next frame of a sound of our own; False at its end."""
        peer = self.peer
        frame = player.frame(peer.codec if peer else "PCMU")
        if frame is not None and peer is not None:
            self.stream.frame(peer.payload_type, frame, at)
        return frame is not None

    def _finish(self, why: Ended) -> None:
        """End our own sound; clips tell that they ended."""
        player, self.player = self.player, None
        if player is not None:
            self.stream.cut()
            if not player.looping:
                self._emit(Played(why))

    def _point(self) -> None:
        """Send where the far end is now known to be; nothing while it holds us."""
        peer = self.peer
        if peer is None:
            return
        only = self._latch.source is not None
        send = self.wire.point(self._latch.target or (peer.address, peer.port), only)
        self.stream.send = send if peer.send else None

    def _route(self) -> None:
        """Work out what becomes of each payload type, whenever either description or the bridge changes."""
        peer = self.peer
        if peer is None:
            return
        out = self.partner.peer if self.partner is not None else None
        audio = _STATIC | {peer.payload_type: peer.codec}
        self._routes = {
            number: _Route(codec, out.payload_type if out else -1, transcode(codec, out.codec) if out else None)
            for number, codec in audio.items()
        }
        relayed = out.telephone_event if out is not None and not self._listening else None
        self._routes |= {number: _Route(None, -1 if relayed is None else relayed, None) for number in peer.event_types}

    def _stats(self) -> Stats:
        heard, sent = self.reception, self.stream
        return Stats(
            sent=sent.packets,
            received=heard.total,
            lost=heard.lost,
            jitter_ms=round(heard.jitter_ms, 2),
            strangers=self.strangers,
            round_trip_ms=self._control.round_trip_ms,
            refused=sent.refused,
        )

    def _watch(self, now: float) -> None:
        if self.peer is None or self.peer.held:
            self._watch_from = now
        elif self._watch_s is not None and now >= self._silence_due(now):
            self._watch_from = now
            self._emit(Silence(self._watch_s))

    def _silence_due(self, now: float) -> float:
        if self._watch_s is None:
            return now + STATS_S
        return max(self.heard_at, self._watch_from) + self._watch_s

    def _send_rtcp(self, packet: bytes) -> None:
        if packet and self._control.target is not None:
            self.wire.send_rtcp(packet, self._control.target)
