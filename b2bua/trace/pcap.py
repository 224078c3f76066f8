"""Captures that Wireshark, tshark and sngrep open: classic pcap, packets that begin with their IP header. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct

from b2bua.desk import LadderRow

__all__ = ["FILE", "capture", "datagram", "ends", "record"]

FILE = Struct("<IHHiIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
"""What a file begins with: microseconds, version 2.4, link type 101."""
_RECORD = Struct("<IIII")
_IP4 = Struct("!BBHHHBBH4s4s")
_IP6 = Struct("!IHBB16s16s")
_PSEUDO6 = Struct("!16s16sI3xB")
_UDP = Struct("!HHHH")
_MOST = 65_000
"""Bytes of one message: a packet has no more than 65,535."""

Address = tuple[str, int]
AnyIp = IPv4Address | IPv6Address


def capture(started: float, rows: Iterable[LadderRow]) -> bytes:
    """The whole SIP messages of a ladder as a file; `started`: Unix time of its second 0.

    TCP, TLS and WebSocket become UDP datagrams too, as the Via shows; messages of which only the first line was kept
    are left out.
    """
    packets = [FILE]
    for row in rows:
        if row.kind == "sip" and row.sent_from and "\r\n\r\n" in row.text:
            packet = datagram(row.text.encode()[:_MOST], _address(row.sent_from), _address(row.sent_to))
            packets.append(record(packet, started + row.at_s))
    return b"".join(packets)


def datagram(payload: bytes, source: Address, target: Address) -> bytes:
    """An IPv4 or IPv6 packet with one UDP datagram."""
    from_ip, to_ip = ends(source[0], target[0])
    size = _UDP.size + len(payload)
    if isinstance(from_ip, IPv4Address):
        length = _IP4.size + size
        bare = _IP4.pack(0x45, 0, length, 0, 0x4000, 64, 17, 0, from_ip.packed, to_ip.packed)
        header = _IP4.pack(0x45, 0, length, 0, 0x4000, 64, 17, _checksum(bare), from_ip.packed, to_ip.packed)
        return header + _UDP.pack(source[1], target[1], size, 0) + payload  # 0: there is no checksum (RFC 768)
    header = _IP6.pack(6 << 28, size, 17, 64, from_ip.packed, to_ip.packed)
    pseudo = _PSEUDO6.pack(from_ip.packed, to_ip.packed, size, 17)
    summed = _checksum(pseudo + _UDP.pack(source[1], target[1], size, 0) + payload) or 0xFFFF  # RFC 8200 8.1: not 0
    return header + _UDP.pack(source[1], target[1], size, summed) + payload


def record(packet: bytes, at: float) -> bytes:
    """One packet of the file; `at` is Unix time."""
    micros = round(at * 1_000_000)
    return _RECORD.pack(micros // 1_000_000, micros % 1_000_000, len(packet), len(packet)) + packet


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def ends(source: str, target: str) -> tuple[AnyIp, AnyIp]:
    """Both of one family: a socket of both has IPv4 peers as `::ffff:192.0.2.1`."""
    one, other = (_unmapped(ip_address(host)) for host in (source, target))
    return (one, other) if one.version == other.version else (_mapped(one), _mapped(other))


def _unmapped(ip: AnyIp) -> AnyIp:
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip


def _mapped(ip: AnyIp) -> AnyIp:
    return ip if isinstance(ip, IPv6Address) else IPv6Address(f"::ffff:{ip}")


def _checksum(data: bytes) -> int:
    """RFC 791 3.1: the ones' complement of the ones' complement sum of 16-bit words."""
    padded = data + bytes(len(data) % 2)
    total = sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
