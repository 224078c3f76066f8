"""One leg's sound: a media port and what both ends described about it (RFC 3264)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import ip_address

from media import sdp
from media.engine import Engine, MediaPort
from media.events import Event
from media.g711 import Codec
from media.sdp import BadSdp, MediaDescription, MediaPeer, NoCommonCodec
from sip_stack.errors import PeerError
from sip_stack.grammar import quote

__all__ = ["CODECS", "Audio", "place_for"]

CODECS: tuple[Codec, ...] = ("PCMU", "PCMA")
"""What we speak."""


def place_for(engine: Engine, place: int, theirs: bytes) -> int:
    """Where sound is received of a far end whose signalling leads to `place`: by the family that it offers."""
    six = sdp.is_ipv6(theirs) if theirs and len(engine.places) > 1 else None
    if six is None or six == (":" in engine.places[place]):
        return place
    return next((number for number, told in enumerate(engine.places) if (":" in told) == six), place)


class Audio:
    """The negotiation of one audio stream; `port` carries it."""

    __slots__ = ("_codecs", "_lines", "_said", "_version", "peer", "port")

    def __init__(
        self, engine: Engine, listener: Callable[[Event], None], codecs: Sequence[Codec], place: int = 0
    ) -> None:
        """`place` is one of the engine's.  Raises: media.engine.NoPort when all are in use."""
        self.port: MediaPort = engine.open(listener, place)
        self.peer: MediaPeer | None = None
        self._codecs = tuple(codecs)
        self._version = 0
        self._said = b""
        self._lines: tuple[MediaDescription, ...] = ()
        """The m= lines of a session that has more than ours."""

    def offer(self, first: Codec | None = None) -> bytes:
        """Our description as an offer; `first` is the codec that would spare a transcoding."""
        codecs = sorted(self._codecs, key=lambda codec: codec != first)
        port, line = self.port, self.peer.line if self.peer and self._lines else 0
        return self._say(
            sdp.offer(
                port.address, port.rtp_port, session_id=port.id, version=self._version + 1, codecs=codecs,
                among=self._lines, line=line,
            )
        )  # fmt: skip

    def take_answer(self, body: bytes, source_ip: str) -> None:
        """Their answer to our offer.  Raises: PeerError 488."""
        try:
            self._describe(sdp.accept(sdp.parse(body)), source_ip)
        except BadSdp as error:
            raise PeerError(str(error), 488) from error
        except NoCommonCodec as error:
            raise _warned(str(error), error.warning) from error

    def take_offer(self, body: bytes, source_ip: str) -> bytes:
        """Our answer to their offer.  Raises: PeerError 400 for no SDP, 488 for no common codec; nothing is changed."""
        port, version = self.port, self._version + 1
        try:
            theirs = sdp.parse(body)
            if theirs.off and self.peer is not None:  # the stream sleeps until another offer names a port
                peer = replace(self.peer, send=False, receive=False)
                description = sdp.switched_off(theirs, port.address, session_id=port.id, version=version)
            else:
                description, peer = sdp.answer(
                    theirs, port.address, port.rtp_port, session_id=port.id, version=version, codecs=self._codecs
                )
        except BadSdp as error:
            raise PeerError(str(error), 400) from error
        except NoCommonCodec as error:
            raise _warned(str(error), error.warning) from error
        self._describe(peer, source_ip)
        self._lines = theirs.media if len(theirs.media) > 1 else ()
        return self._say(description)

    @property
    def codec(self) -> Codec | None:
        """What is spoken; None before both have described themselves."""
        return self.peer.codec if self.peer else None

    def _describe(self, peer: MediaPeer, source_ip: str) -> None:
        """Raises: PeerError 488 for an address that this port cannot send to."""
        unlike = (":" in peer.address) != (":" in self.port.address)
        if unlike and not ip_address(peer.address).is_unspecified:  # RFC 2543 hold is 0.0.0.0 by IPv6 too
            raise _warned("Incompatible network address formats", 301)
        self.peer = peer
        self.port.describe(peer, source_ip)

    def _say(self, description: bytes) -> bytes:
        """RFC 3264 8: the version goes up by one with every other description, and stays with the same."""
        _, _, rest = description.split(b"\r\n", 2)
        if rest != self._said.split(b"\r\n", 2)[-1]:
            self._version += 1
            self._said = description
        return self._said


def _warned(reason: str, warning: int) -> PeerError:
    """488 with the reason as a Warning too (RFC 3261 20.43)."""
    return PeerError(reason, 488, (("Warning", f"{warning} ringback {quote(reason)}"),))
