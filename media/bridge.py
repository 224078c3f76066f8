"""Every port of one engine, joined as its owner wishes, on one clock. Sans-IO: worker and in-memory engine run this."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from math import ceil

from media.control import Clock
from media.events import Event, Recorded
from media.port import Port, Wire
from media.prompt import BadClip, Library
from media.recording import Recording
from media.stream import Stream
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
from media.wheel import Wheel

__all__ = ["Switch", "on_grid"]

VOICE = "en/demo-voice"
_GRID_S = 0.05
"""Chores of many ports fall together on this grid, so that an engine without sound wakes 20 times a second at most."""
log = logging.getLogger(__name__)


def on_grid(due: float, now: float) -> float:
    """The first moment of the grid that is not before `due`, and later than `now` however sums are rounded, in s."""
    moment = ceil(max(due, now) / _GRID_S) * _GRID_S
    return moment if moment > now else moment + _GRID_S


class Switch:
    """`open` and `do` take wishes, `wake` is called at `next_alarm`, events leave by `emit(port id, event)`."""

    def __init__(self, clock: Clock, number: Callable[[], int], emit: Callable[[int, Event], None]) -> None:
        """`number()` is a random 32-bit integer: SSRC, first sequence number and timestamp (RFC 3550 5.1)."""
        self.ports: dict[int, Port] = {}
        self._clock, self._number, self._emit = clock, number, emit
        self._library = Library()
        self._wheel = Wheel()
        self._chores: list[tuple[float, int]] = []
        self._recordings: list[Recording] = []

    def open(self, id: int, wire: Wire, now: float) -> Port:
        """A new port on these sockets."""
        stream = Stream(self._number(), self._number() & 0x7FFF, self._number(), now)
        port = Port(id, wire, stream, self._library, self._clock, lambda event: self._emit(id, event), now)
        self.ports[id] = port
        self._arm(port, now)
        return port

    def do(self, verb: Verb, now: float) -> None:
        """Obey one verb; one for a port that is gone is too late and means nothing."""
        port = self.ports.get(verb.port)
        if port is None:
            return
        try:
            self._obey(verb, port, now)
        except BadClip as error:
            log.warning("port=%d event=clip-missing %s", verb.port, error)
        if port.has_sound:
            self._wheel.add(port.pace, now)

    def next_alarm(self) -> float | None:
        """When `wake` is needed next; None while no port is open."""
        while self._chores and self._stale(*self._chores[0]):
            heapq.heappop(self._chores)
        paced = self._wheel.next_alarm()
        chore = self._chores[0][0] if self._chores else None
        return min((when for when in (paced, chore) if when is not None), default=None)

    @property
    def pacing(self) -> bool:
        """Whether a port has sound of its own, so that the alarm is a matter of microseconds."""
        return len(self._wheel) > 0

    def wake(self, now: float) -> None:
        """Send the frames that are due, then do the chores."""
        self._wheel.turn(now)
        while self._chores and self._chores[0][0] <= now:
            when, id = heapq.heappop(self._chores)
            if not self._stale(when, id):
                port = self.ports[id]
                port.next_chore = float("inf")
                self._arm(port, on_grid(port.chores(now), now))

    def _obey(self, verb: Verb, port: Port, now: float) -> None:
        match verb:
            case Describe(peer=peer, signalling_ip=ip):
                port.describe(peer, ip, now)
            case Play(clips=clips, until_key=until_key, gap_ms=gap_ms):
                port.play(clips, until_key, gap_ms)
            case Tone(name=name):
                port.tone(name)
            case Beep():
                port.beep()
            case Speak(source="voice"):
                port.loop(VOICE)
            case Speak():
                self._part(port)
                port.join(port)
            case Stop():
                port.stop()
            case Listen(on=on):
                port.listen(on)
            case Overhear(on=on):
                port.overhears = on
            case SendDigits(digits=digits):
                port.press(digits)
            case Watch(silence_s=silence_s):
                port.watch(silence_s, now)
                if silence_s is not None:
                    self._arm(port, now + silence_s)
            case Bridge(other=other):
                self._bridge(port, self.ports.get(other))
            case Unbridge():
                self._part(port)
            case Record(right=right, path=path):
                self._record(path, port, self.ports.get(right), now)
            case Close():
                self._close(port, now)

    def _bridge(self, a: Port, b: Port | None) -> None:
        if b is None:
            return
        self._part(a)
        self._part(b)
        a.join(b)
        b.join(a)

    def _part(self, port: Port) -> None:
        partner = port.partner
        if partner is not None:
            port.part()
            if partner is not port:
                partner.part()

    def _record(self, path: str, left: Port, right: Port | None, now: float) -> None:
        if right is None:
            return
        recording = Recording(path, (left.id, right.id), now)
        left.tap, right.tap = recording.tap(left.id), recording.tap(right.id)
        self._recordings.append(recording)

    def _close(self, port: Port, now: float) -> None:
        self._part(port)
        self._wheel.remove(port.pace)
        del self.ports[port.id]
        for recording in [each for each in self._recordings if each.leave(port.id, now)]:
            self._recordings.remove(recording)
            self._emit(port.id, Recorded(recording.path))
        port.close(now)

    def _arm(self, port: Port, when: float) -> None:
        """Chores at `when` at the latest."""
        if when < port.next_chore:
            port.next_chore = when
            heapq.heappush(self._chores, (when, port.id))

    def _stale(self, when: float, id: int) -> bool:
        port = self.ports.get(id)
        return port is None or port.next_chore != when
