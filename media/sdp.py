"""SDP for one audio stream (RFC 8866): reading what phones send, and offer/answer (RFC 3264). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal, cast

from media.g711 import Codec

__all__ = [
    "TELEPHONE_EVENT", "BadSdp", "Direction", "MediaDescription", "MediaPeer", "NoCommonCodec", "SessionDescription",
    "accept", "answer", "is_ipv6", "offer", "parse",
]

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

TELEPHONE_EVENT = 101
"""The payload type we offer for telephone-events."""
_STATIC: dict[int, Codec] = {0: "PCMU", 8: "PCMA"}
_NUMBERS: dict[str, int] = {"PCMU": 0, "PCMA": 8}
_PLAIN = ("RTP/AVP", "RTP/AVPF")
_DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")


class BadSdp(Exception):
    """The body is not a session description; the sentence says where it breaks."""


class NoCommonCodec(Exception):
    """Neither G.711 codec that we allow is on the far end's list, or it refused the stream: 488 Not Acceptable Here."""

    def __init__(self, sentence: str, warning: int = 305) -> None:
        """`warning` is the code of RFC 3261 20.43: 302 another transport, 304 no audio, 305 no codec."""
        super().__init__(sentence)
        self.warning = warning


@dataclass(frozen=True, slots=True)
class MediaPeer:
    """The far end of one audio stream, as both descriptions agreed."""

    address: str
    port: int
    rtcp_port: int
    codec: Codec
    payload_type: int
    telephone_event: int | None = None
    """The payload type the far end wants events by; None: it takes none."""
    send: bool = True
    """May we send to it."""
    receive: bool = True
    """May it send to us."""
    ptime_ms: int = 20
    event_types: tuple[int, ...] = (TELEPHONE_EVENT,)
    """The payload types we accept events by."""
    line: int = 0
    """Which of the m= lines it is."""

    @property
    def held(self) -> bool:
        """True while either side is on hold, when silence means nothing."""
        return not (self.send and self.receive)


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One m= section."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    address: str
    """Of its own c= line, else of the session's; empty without either."""
    attributes: tuple[tuple[str, str], ...]

    def values(self, name: str) -> Iterator[str]:
        """The values of every a=`name` line, in order."""
        return (value for key, value in self.attributes if key == name)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """What one body says."""

    session_id: str
    version: str
    media: tuple[MediaDescription, ...]
    attributes: tuple[tuple[str, str], ...]
    timing: str = "0 0"

    @property
    def off(self) -> bool:
        """Every stream is switched off: port 0 (RFC 3264 8.2)."""
        return all(media.port == 0 for media in self.media)


def parse(body: bytes) -> SessionDescription:
    """Read a body, with whatever line ends and unknown lines it has.  Raises: BadSdp."""
    lines = _lines(body)
    if not lines or lines[0] != ("v", "0"):
        raise BadSdp("the description does not begin with v=0")
    starts = [n for n, (kind, _) in enumerate(lines) if kind == "m"] + [len(lines)]
    session = lines[: starts[0]]
    origin = _first(session, "o").split()
    address = _connection(session)
    sections = (lines[start:end] for start, end in zip(starts, starts[1:], strict=False))
    return SessionDescription(
        session_id=origin[1] if len(origin) >= 3 else "0",
        version=origin[2] if len(origin) >= 3 else "0",
        media=tuple(_media(section, address) for section in sections),
        attributes=_attributes(session),
        timing=_first(session, "t") or "0 0",
    )


def is_ipv6(body: bytes) -> bool | None:
    """Whether the sound of a description is received by IPv6; None where it does not say, or on hold of RFC 2543."""
    try:
        streams = parse(body).media
    except BadSdp:
        return None
    told = next((each.address for each in streams if each.kind == "audio" and each.port and each.address), "")
    return None if not told or ip_address(told).is_unspecified else ":" in told


def offer(
    address: str,
    port: int,
    *,
    session_id: int,
    version: int,
    codecs: Sequence[Codec] = ("PCMU", "PCMA"),
    direction: Direction = "sendrecv",
    telephone_event: int = TELEPHONE_EVENT,
    among: Sequence[MediaDescription] = (),
    line: int = 0,
) -> bytes:
    """A description of one audio stream at `address`:`port`, our codecs in order of preference.

    `among` are the m= lines that the session has already, of which it is number `line`: RFC 3264 8 allows none to go.
    """
    formats = [(_NUMBERS[codec], codec) for codec in codecs]
    lines = _head(address, session_id, version)
    lines += [_off(media) for media in among[:line]]
    lines += _audio(port, formats, telephone_event, direction)
    lines += [_off(media) for media in among[line + 1 :]]
    return _body(lines)


def switched_off(theirs: SessionDescription, address: str, *, session_id: int, version: int) -> bytes:
    """Our answer to an offer in which every stream is off: so is each here (RFC 3264 6)."""
    lines = [*_head(address, session_id, version, theirs.timing), *(_off(media) for media in theirs.media)]
    return _body(lines)


def accept(theirs: SessionDescription, telephone_event: int = TELEPHONE_EVENT) -> MediaPeer:
    """The far end, from its answer to our offer.  Raises: NoCommonCodec, BadSdp."""
    line, number, codec = _choose(theirs, ("PCMU", "PCMA"))
    return _peer(theirs, line, number, codec, own_event=telephone_event)


def answer(
    theirs: SessionDescription,
    address: str,
    port: int,
    *,
    session_id: int,
    version: int,
    codecs: Sequence[Codec] = ("PCMU", "PCMA"),
    direction: Direction = "sendrecv",
) -> tuple[bytes, MediaPeer]:
    """Our answer to their offer, and the far end: the first codec of their list that we allow, their event type echoed.

    `direction` is what we would like; the offer may narrow it.  Raises: NoCommonCodec, BadSdp.
    """
    line, number, codec = _choose(theirs, codecs)
    peer = _peer(theirs, line, number, codec, own_event=None)
    sends = peer.send and direction in ("sendrecv", "sendonly")
    hears = peer.receive and direction in ("sendrecv", "recvonly")
    narrowed = _DIRECTIONS[(0 if hears else 1) if sends else (2 if hears else 3)]
    lines = _head(address, session_id, version, theirs.timing)
    for index, media in enumerate(theirs.media):
        if index == line:
            lines += _audio(port, [(number, codec)], peer.telephone_event, narrowed, media.protocol)
        else:
            lines.append(_off(media))
    return _body(lines), peer


def _off(media: MediaDescription) -> str:
    """RFC 3264 6: for each m= line in the offer there MUST be one in the answer; port zero rejects it."""
    return f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}"


def _lines(body: bytes) -> list[tuple[str, str]]:
    """(type letter, value) of every line; lines without `=` are passed over."""
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    pairs = (line.partition("=") for line in text.split("\n"))
    return [(kind.strip(), value.strip()) for kind, equals, value in pairs if equals]


def _first(lines: Sequence[tuple[str, str]], kind: str) -> str:
    return next((value for each, value in lines if each == kind), "")


def _attributes(lines: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """(name, value) of the a= lines."""
    parts = (value.partition(":") for kind, value in lines if kind == "a")
    return tuple((name.strip().lower(), value.strip()) for name, _, value in parts)


def _connection(lines: Sequence[tuple[str, str]]) -> str:
    """The address of the c= line, empty without one.  Raises: BadSdp for an address that is none."""
    words = _first(lines, "c").split()
    if not words:
        return ""
    if len(words) != 3 or words[0] != "IN":
        raise BadSdp(f"the c= line {' '.join(words)!r} is not `IN IP4|IP6 address`")
    address = words[2].partition("/")[0]
    try:
        return str(ip_address(address))
    except ValueError:
        raise BadSdp(f"{address!r} in c= is not an IP address") from None


def _media(lines: Sequence[tuple[str, str]], session_address: str) -> MediaDescription:
    words = lines[0][1].split()
    port = _number(words[1].partition("/")[0], 0xFFFF) if len(words) >= 4 else None
    if port is None:
        raise BadSdp(f"the line 'm={lines[0][1][:60]}' is not `kind port protocol formats`")
    address = _connection(lines) or session_address
    return MediaDescription(words[0], port, words[2], tuple(words[3:]), address, _attributes(lines))


def _number(text: str, most: int) -> int | None:
    """A decimal number up to `most` (of ten digits at the longest), None for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        return None
    return int(text) if int(text) <= most else None


def _formats(audio: MediaDescription) -> Iterator[tuple[int, str]]:
    """(payload type, upper-case encoding at 8000 Hz) for each number of the m= line, in its order."""
    named: dict[str, str] = {}
    for value in audio.values("rtpmap"):
        text, _, encoding = value.partition(" ")
        named.setdefault(text, encoding.strip().upper())
    for number in (number for text in audio.formats if (number := _number(text, 127)) is not None):
        name, _, rate = named.get(str(number), f"{_STATIC.get(number, '')}/8000").partition("/")
        if rate.partition("/")[0] == "8000":
            yield number, name


def _choose(theirs: SessionDescription, codecs: Sequence[Codec]) -> tuple[int, int, Codec]:
    """Which of their m= lines is the first audio stream we can take, and the first of its formats that we allow.

    Raises: NoCommonCodec.
    """
    refused = NoCommonCodec("the description has no audio stream", 304)
    for line, audio in enumerate(theirs.media):
        if audio.kind != "audio" or not audio.port:
            continue
        if audio.protocol not in _PLAIN:
            refused = NoCommonCodec(f"the audio stream is not over RTP/AVP but {audio.protocol}", 302)
            continue
        for number, name in _formats(audio):
            if name in codecs:
                return line, number, cast(Codec, name)
        refused = NoCommonCodec(f"none of {', '.join(codecs)} is among {' '.join(audio.formats)}")
    raise refused


def _direction(theirs: SessionDescription, audio: MediaDescription) -> Direction:
    """The direction as they see it; RFC 3264 5.1: without one the default is sendrecv."""
    for attributes in (audio.attributes, theirs.attributes):
        for name, _ in attributes:
            if name in _DIRECTIONS:
                return name
    return "sendrecv"


def _peer(
    theirs: SessionDescription, line: int, number: int, codec: Codec, own_event: int | None
) -> MediaPeer:
    """The far end of the m= line `line`.  Raises: BadSdp without an address."""
    audio = theirs.media[line]
    if not audio.address:
        raise BadSdp("the audio stream has no c= line")
    event = next((number for number, name in _formats(audio) if name == "TELEPHONE-EVENT"), None)
    accepted = tuple(dict.fromkeys(each for each in (own_event, event) if each is not None))
    way = _direction(theirs, audio)
    held = ip_address(audio.address).is_unspecified  # RFC 2543 hold: nobody to send to
    return MediaPeer(
        address=audio.address,
        port=audio.port,
        rtcp_port=_rtcp_port(audio),
        codec=codec,
        payload_type=number,
        telephone_event=event,
        send=way in ("sendrecv", "recvonly") and not held,
        receive=way in ("sendrecv", "sendonly"),
        ptime_ms=_ptime_ms(audio),
        event_types=accepted,
        line=line,
    )


def _rtcp_port(audio: MediaDescription) -> int:
    """RFC 3605: the port of a=rtcp, else the one after RTP's."""
    port = _number(next(audio.values("rtcp"), "").partition(" ")[0], 0xFFFF)
    return min(audio.port + 1, 0xFFFF) if port is None else port


def _ptime_ms(audio: MediaDescription) -> int:
    ptime = _number(next(audio.values("ptime"), ""), 200)
    return ptime if ptime is not None and ptime >= 10 else 20


def _head(address: str, session_id: int, version: int, timing: str = "0 0") -> list[str]:
    """The session part. RFC 3264 6: the t= line of an answer MUST equal the offer's."""
    where = f"IN IP{ip_address(address).version} {address}"
    return ["v=0", f"o=ringback {session_id} {version} {where}", "s=-", f"c={where}", f"t={timing}"]


def _audio(
    port: int, formats: Sequence[tuple[int, Codec]], event: int | None, direction: Direction,
    protocol: str = "RTP/AVP",
) -> Iterator[str]:  # fmt: skip
    """Our m= section."""
    numbers = [str(number) for number, _ in formats] + ([str(event)] if event is not None else [])
    yield f"m=audio {port} {protocol} {' '.join(numbers)}"
    yield from (f"a=rtpmap:{number} {codec}/8000" for number, codec in formats)
    if event is not None:
        yield f"a=rtpmap:{event} telephone-event/8000"
        yield f"a=fmtp:{event} 0-15"
    yield "a=ptime:20"
    yield f"a={direction}"


def _body(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
