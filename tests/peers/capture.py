"""What was on the wire: tcpdump for one test, and a small pcap reader that gives SIP messages and RTP streams."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Capture", "Datagram", "RtpPacket", "RtpStream", "SipMessage", "keys_of", "read_pcap", "relayed_share",
           "rtp_streams", "sip_messages"]

LINK_HEADERS = {1: (12, 14), 101: (None, 0), 113: (14, 16), 276: (0, 20)}
"""pcap link type -> (offset of the EtherType, length of the link header): Ethernet, raw IP, SLL, SLL2."""
ETHERTYPES_IP = (0x0800, 0x86DD)
UDP = 17
SNAPSHOT = 4096
"""Bytes kept of a frame; SIP over UDP is shorter."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram over IPv4."""

    at: float
    """Unix time."""
    source: str
    """`address:port`."""
    target: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One SIP message on the wire."""

    at: float
    source: str
    target: str
    text: str

    @property
    def start_line(self) -> str:
        """Its request or status line."""
        return self.text.partition("\r\n")[0]

    def header(self, name: str) -> str | None:
        """The value of the first header of that name; None without."""
        found = re.search(rf"^{re.escape(name)}[ \t]*:[ \t]*(.*?)\s*$", self.text, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet (RFC 3550 5.1)."""

    at: float
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class RtpStream:
    """All packets of one SSRC from one address to another, in order of arrival."""

    source: str
    target: str
    ssrc: int
    packets: tuple[RtpPacket, ...]

    def between(self, start: float, end: float) -> list[RtpPacket]:
        """Packets seen in that span of Unix time."""
        return [packet for packet in self.packets if start <= packet.at < end]

    def audio(self, payload_type: int = 0) -> bytes:
        """The payloads of one type joined in order of timestamp; gaps are not filled."""
        chosen = [packet for packet in self.packets if packet.payload_type == payload_type]
        return b"".join(packet.payload for packet in sorted(chosen, key=lambda packet: packet.at))

    @property
    def missing(self) -> int:
        """Sequence numbers never seen between the first and the last packet."""
        highest = base = self.packets[0].sequence
        for packet in self.packets:
            step = (packet.sequence - highest + 0x8000 & 0xFFFF) - 0x8000
            highest += max(step, 0)
        return highest - base + 1 - len({packet.sequence for packet in self.packets})


def read_pcap(data: bytes) -> Iterator[Datagram]:
    """UDP datagrams, IPv4 and IPv6, of a classic pcap file; an unfinished last record ends it.

    Raises: ValueError for another file format or link type, or a frame longer than the snapshot.
    """
    order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}.get(data[:4])
    if order is None:
        raise ValueError("not a microsecond pcap file")
    link = struct.unpack_from(order + "I", data, 20)[0]
    if link not in LINK_HEADERS:
        raise ValueError(f"link type {link}")
    ethertype_at, skip = LINK_HEADERS[link]
    at = 24
    while at + 16 <= len(data):
        seconds, micros, length, whole = struct.unpack_from(order + "IIII", data, at)
        if length < whole:
            raise ValueError(f"a frame of {whole} bytes was cut to {length}")
        frame = data[at + 16 : at + 16 + length]
        at += 16 + length
        if len(frame) < length or length < skip + 20:
            continue
        if ethertype_at is None or struct.unpack_from("!H", frame, ethertype_at)[0] in ETHERTYPES_IP:
            yield from _datagram(seconds + micros / 1e6, frame[skip:])


def _datagram(at: float, ip: bytes) -> Iterator[Datagram]:
    """The UDP datagram of one IP packet, when it holds a whole one."""
    if ip[0] >> 4 == 6:
        yield from _datagram6(at, ip)
        return
    header = (ip[0] & 0x0F) * 4
    if ip[0] >> 4 != 4 or ip[9] != UDP or len(ip) < header + 8 or struct.unpack_from("!H", ip, 6)[0] & 0x3FFF:
        return
    source_port, target_port, length = struct.unpack_from("!HHH", ip, header)
    source, target = (".".join(map(str, ip[n : n + 4])) for n in (12, 16))
    yield Datagram(at, f"{source}:{source_port}", f"{target}:{target_port}", ip[header + 8 : header + length])


def _datagram6(at: float, ip: bytes) -> Iterator[Datagram]:
    """The same of an IPv6 packet without extension headers."""
    if ip[6] != UDP or len(ip) < 48:
        return
    source_port, target_port, length = struct.unpack_from("!HHH", ip, 40)
    source, target = (f"[{IPv6Address(ip[n : n + 16])}]" for n in (8, 24))
    yield Datagram(at, f"{source}:{source_port}", f"{target}:{target_port}", ip[48 : 40 + length])


def sip_messages(datagrams: Iterable[Datagram]) -> list[SipMessage]:
    """Every datagram whose first line is a SIP request or status line."""
    out = []
    for datagram in datagrams:
        first = datagram.payload.partition(b"\r\n")[0]
        if first.startswith(b"SIP/2.0 ") or first.endswith(b" SIP/2.0"):
            text = datagram.payload.decode(errors="replace")
            out.append(SipMessage(datagram.at, datagram.source, datagram.target, text))
    return out


def rtp_streams(datagrams: Iterable[Datagram]) -> list[RtpStream]:
    """Every datagram that looks like RTP and not like RTCP (RFC 5761 4), by source, target and SSRC."""
    found: dict[tuple[str, str, int], list[RtpPacket]] = {}
    for datagram in datagrams:
        data = datagram.payload
        if len(data) < 12 or data[0] >> 6 != 2 or 192 <= data[1] <= 223:
            continue
        _, kind, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        start = 12 + 4 * (data[0] & 0x0F)
        packet = RtpPacket(datagram.at, kind & 0x7F, kind > 127, sequence, timestamp, ssrc, data[start:])
        found.setdefault((datagram.source, datagram.target, ssrc), []).append(packet)
    return [RtpStream(*key, tuple(packets)) for key, packets in found.items()]


def keys_of(stream: RtpStream, payload_type: int = 96) -> list[tuple[str, float]]:
    """The keys pressed and when each began: one for each RTP timestamp (RFC 4733 2.3)."""
    found: dict[int, tuple[str, float]] = {}
    for packet in stream.packets:
        if packet.payload_type == payload_type and any(packet.payload[:4]):
            found.setdefault(packet.timestamp, ("0123456789*#ABCD"[packet.payload[0]], packet.at))
    return list(found.values())


def relayed_share(sent: RtpStream, heard: RtpStream, start: float, end: float, late_s: float = 0.2) -> float:
    """The share of audio payloads sent in a span that came out at the other side, 0 to 1 (each packet counts once)."""
    wanted = Counter(packet.payload for packet in sent.between(start, end))
    came = Counter(packet.payload for packet in heard.between(start, end + late_s))
    return (wanted & came).total() / max(1, wanted.total())


class Capture:
    """tcpdump on one interface: `async with Capture(path) as wire:` … `wire.sip()` after its end; needs root.

    Give each capture its own filter: the loopback also carries other tests. `marker`: a UDP address that passes the
    filter and that nobody needs; what was on the wire before a look is then in the file, however busy tcpdump is.
    """

    def __init__(
        self, path: Path, *, interface: str = "lo", only: str = "udp", marker: tuple[str, int] | None = None
    ) -> None:
        self.path = path
        self._marker = marker
        # a slot of the kernel's ring is as long as a snapshot: of 64-KiB frames it held 128, and a burst lost some
        self._words = ["tcpdump", "-i", interface, "-n", "-s", str(SNAPSHOT), "-U", "-B", "65536", "--immediate-mode",
                       "-Z", "root", "-w", str(path), only]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(*self._words, stderr=asyncio.subprocess.PIPE)
        assert self._process.stderr is not None
        async with asyncio.timeout(5):
            said = b""
            while b"listening on" not in said:
                line = await self._process.stderr.readline()
                if not line:
                    raise RuntimeError(f"tcpdump: {said.decode(errors='replace')}")
                said += line
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
            async with asyncio.timeout(5):
                said = (await self._process.communicate())[1].decode(errors="replace")
            lost = re.search(r"(\d+) packets? dropped by kernel", said)
            if lost and lost[1] != "0":
                sys.stderr.write(f"{self.path.name}: {lost[0]}\n")

    def datagrams(self) -> list[Datagram]:
        """Everything seen so far."""
        if self._marker is not None and self._process is not None and self._process.returncode is None:
            self._catch_up(self._marker)
        return list(read_pcap(self.path.read_bytes()))

    def _catch_up(self, marker: tuple[str, int]) -> None:
        """Wait for a datagram of our own: packets are written in their order.  Raises: TimeoutError."""
        mark = b"mark " + secrets.token_hex(8).encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(mark, marker)
        limit = time.monotonic() + 5
        while mark not in self.path.read_bytes():
            if time.monotonic() > limit:
                raise TimeoutError(f"tcpdump wrote nothing for 5 s: {self.path}")
            time.sleep(0.005)

    def sip(self) -> list[SipMessage]:
        """SIP messages so far."""
        return sip_messages(self.datagrams())

    def rtp(self) -> list[RtpStream]:
        """RTP streams so far."""
        return rtp_streams(self.datagrams())
