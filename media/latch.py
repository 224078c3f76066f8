"""From where one leg's RTP may come: DESIGN.md's latching rule as a small machine, pure."""

from __future__ import annotations

from media.sdp import MediaPeer

__all__ = ["Address", "Latch"]

Address = tuple[str, int]

WINDOW_S = 5.0
"""How long after the first packet from the signalling address another port of it may be learnt."""
CONSECUTIVE = 4
REOPEN_S = 2.0
"""Silence after which a new port of the same IP may be learnt (NAT rebinding)."""


class Latch:
    """The described address is believed at once; another port only of the signalling source's IP, in a short window.

    The window counts from the first packet of that IP, so that a phone that rings for a minute can still be learnt.
    """

    __slots__ = ("_candidate", "_count", "_described", "_ip", "_known", "_window_end", "source")

    def __init__(self) -> None:
        self.source: Address | None = None
        """The latched address; None while the window is open."""
        self._described: Address | None = None
        self._known: Address | None = None
        self._ip = ""
        self._reopen()

    @property
    def target(self) -> Address | None:
        """Where to send: the address last heard from, else the described one."""
        return self.source or self._known or self._described

    def describe(self, peer: MediaPeer, signalling_ip: str) -> bool:
        """The far end's address as described; True when it is a new one, and whatever was learnt is forgotten."""
        described = (peer.address, peer.port)
        if described == self._described:
            return False
        self._described, self._ip = described, signalling_ip
        self.source = self._known = None
        self._reopen()
        return True

    def admits(self, source: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Whether a packet from `source` is heard; may set `source`."""
        if self.source is not None:
            return source == self.source
        told = source == self._described or source == self._known
        if told or (source[0] == self._ip and self._learns(source, ssrc, sequence, now)):
            self.source = self._known = source
            self._ip = source[0]
            return True
        return False

    def admits_ip(self, ip: str) -> bool:
        """Whether RTCP from this IP belongs to the leg."""
        return self.target is not None and ip == self.target[0]

    def release(self) -> None:
        """The leg went silent: its old address is still believed at once, another port of the same IP can be learnt."""
        self.source = None
        self._reopen()

    def _reopen(self) -> None:
        self._candidate: tuple[Address, int, int] | None = None
        self._count = 0
        self._window_end: float | None = None

    def _learns(self, source: Address, ssrc: int, sequence: int, now: float) -> bool:
        """Four consecutive packets of one SSRC from one port, all inside the window."""
        if self._window_end is None:
            self._window_end = now + WINDOW_S
        if now > self._window_end:
            return False
        follows = self._candidate == (source, ssrc, sequence - 1 & 0xFFFF)
        self._count = self._count + 1 if follows else 1
        self._candidate = (source, ssrc, sequence)
        return self._count >= CONSECUTIVE
