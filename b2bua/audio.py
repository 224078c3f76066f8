"""One leg's sound: a media port and what both ends described about it (RFC 3264)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from media import sdp
from media.engine import Engine, MediaPort
from media.events import Event
from media.g711 import Codec
from media.sdp import BadSdp, MediaPeer, NoCommonCodec
from sip_stack.errors import PeerError

__all__ = ["CODECS", "Audio"]

CODECS: tuple[Codec, ...] = ("PCMU", "PCMA")
"""What we speak."""


class Audio:
    """The negotiation of one audio stream; `port` carries it."""

    __slots__ = ("_codecs", "_version", "peer", "port")

    def __init__(self, engine: Engine, listener: Callable[[Event], None], codecs: Sequence[Codec]) -> None:
        """Raises: media.engine.NoPort when all are in use."""
        self.port: MediaPort = engine.open(listener)
        self.peer: MediaPeer | None = None
        self._codecs = tuple(codecs)
        self._version = 0

    def offer(self, first: Codec | None = None) -> bytes:
        """Our description as an offer; `first` is the codec that would spare a transcoding."""
        codecs = sorted(self._codecs, key=lambda codec: codec != first)
        return sdp.offer(
            self.port.address, self.port.rtp_port, session_id=self.port.id, version=self._next(), codecs=codecs
        )

    def take_answer(self, body: bytes, source_ip: str) -> None:
        """Their answer to our offer.  Raises: PeerError 488."""
        try:
            self._describe(sdp.accept(sdp.parse(body)), source_ip)
        except (BadSdp, NoCommonCodec) as error:
            raise PeerError(str(error), 488) from error

    def take_offer(self, body: bytes, source_ip: str) -> bytes:
        """Our answer to their offer.  Raises: PeerError 400 for no SDP, 488 for no common codec."""
        try:
            theirs = sdp.parse(body)
            port, version = self.port, self._next()
            description, peer = sdp.answer(
                theirs, port.address, port.rtp_port, session_id=port.id, version=version, codecs=self._codecs
            )
        except BadSdp as error:
            raise PeerError(str(error), 400) from error
        except NoCommonCodec as error:
            raise PeerError(str(error), 488) from error
        self._describe(peer, source_ip)
        return description

    @property
    def codec(self) -> Codec | None:
        """What is spoken; None before both have described themselves."""
        return self.peer.codec if self.peer else None

    def _describe(self, peer: MediaPeer, source_ip: str) -> None:
        self.peer = peer
        self.port.describe(peer, source_ip)

    def _next(self) -> int:
        self._version += 1
        return self._version
