"""HEPv3 as tshark reads it, and what becomes of a call while nobody listens."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv6Address
from struct import pack, unpack_from

import pytest

from b2bua.trace.hep import HepSender, packet
from b2bua.trace.sip_trace import CallOfWire, Seen
from sip_stack.hop import Hop
from tests.acceptance.server import until

REGISTER = b"REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nCall-ID: 1@h\r\n"
PROOF = REGISTER + b'Authorization: Digest nonce="n", response="0a1b2c3d"\r\n\r\n'
CALL = CallOfWire("call7", ("1", "2"))
FOUR, SIX = Hop("UDP", "192.0.2.1", 5070), Hop("TLS", "2001:db8::1", 5071)


def seen(hop: Hop = FOUR, *, received: bool = True, call: CallOfWire | None = CALL, data: bytes = PROOF) -> Seen:
    return Seen(1_800_000_000.25, received, data, hop, ("2001:db8::9" if ":" in hop.host else "192.0.2.9", 5060), call)


def chunks(data: bytes) -> dict[int, bytes]:
    """The chunks of a HEPv3 packet by type; all of vendor 0."""
    magic, length = unpack_from("!4sH", data)
    assert (magic, length) == (b"HEP3", len(data))
    found, at = {}, 6
    while at < len(data):
        vendor, kind, size = unpack_from("!HHH", data, at)
        assert vendor == 0
        assert size >= 6
        found[kind] = data[at + 6 : at + size]
        at += size
    assert at == len(data)
    return found


def test_a_packet_has_the_chunks_of_hepv3() -> None:
    found = chunks(packet(seen(), 7, "secret"))
    assert found.pop(15).startswith(b"REGISTER sip:h SIP/2.0\r\n")
    assert found == {
        1: b"\x02", 2: b"\x11", 3: bytes((192, 0, 2, 1)), 4: bytes((192, 0, 2, 9)), 7: pack("!H", 5070),
        8: pack("!H", 5060), 9: pack("!I", 1_800_000_000), 10: pack("!I", 250_000), 11: b"\x01", 12: pack("!I", 7),
        14: b"secret", 17: b"call7",
    }  # fmt: skip


def test_of_ipv6_and_tls_what_we_sent_without_password_or_call() -> None:
    found = chunks(packet(seen(SIX, received=False, call=None), 0xFFFFFFFF, ""))
    del found[15]
    assert found == {
        1: b"\x0a", 2: b"\x06", 5: IPv6Address("2001:db8::9").packed, 6: IPv6Address("2001:db8::1").packed,
        7: pack("!H", 5060), 8: pack("!H", 5071), 9: pack("!I", 1_800_000_000), 10: pack("!I", 250_000), 11: b"\x01",
        12: b"\xff\xff\xff\xff",
    }  # fmt: skip


def test_no_proof_of_a_password_leaves() -> None:
    sent = packet(seen(), 7, "")
    assert b"0a1b2c3d" not in sent
    assert b'response="xxxxxxxx"' in sent


def test_a_message_longer_than_a_datagram_is_cut() -> None:
    assert len(packet(seen(data=PROOF + b"x" * 70_000), 7, "")) < 65_507


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_server_is_found_and_gets_each_message(host: str) -> None:
    family, _, _, _, address = socket.getaddrinfo(host, None)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as homer:
        homer.bind((str(address[0]), 0))
        homer.settimeout(5)
        sender = HepSender((host, homer.getsockname()[1]), 7, "")
        finding = asyncio.create_task(sender.follow())
        await until(lambda: sender.aimed, "server found")
        sender(seen())
        assert homer.recv(65_536) == packet(seen(), 7, "")
        finding.cancel()
        sender.close()


async def test_what_nobody_takes_is_lost_and_nobody_waits() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    sender = HepSender(("127.0.0.1", port), 7, "")
    sender(seen())
    assert sender.lost == 1  # not found yet
    finding = asyncio.create_task(sender.follow())
    await until(lambda: sender.aimed, "server found")
    # the kernel tells at the next one that the port was closed
    await until(lambda: sender(seen()) or sender.lost > 1, "lost message")
    finding.cancel()
    sender.close()


async def test_a_name_that_nobody_knows_is_said_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    sender = HepSender(("no..name", 9060), 7, "")
    finding = asyncio.create_task(sender.follow())
    await until(lambda: "event=hep-server-not-found host=no..name" in caplog.text, "sentence", 20)
    assert not finding.done()
    finding.cancel()
