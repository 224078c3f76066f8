"""Nothing leaves the machine."""

import asyncio
import socket

import pytest

from b2bua.demo.loopback import LoopbackTransport, is_here, locate_here
from b2bua.places import own_address
from sip_stack.core import Hop


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        pytest.param("127.0.0.1", True, id="this machine"),
        pytest.param("127.9.9.9", True, id="all of 127/8"),
        pytest.param("[::1]", True, id="IPv6"),
        pytest.param("192.0.2.1", False, id="another machine"),
        pytest.param("0.0.0.0", False, id="any address"),
        pytest.param("224.0.0.1", False, id="many machines"),
        pytest.param("2001:db8::1", False, id="another machine, IPv6"),
        pytest.param(own_address("0.0.0.0"), True, id="this machine in its network"),
        pytest.param("localhost", False, id="a name can be anything"),
    ],
)
def test_is_here(host, answer):
    assert is_here(host) is answer


async def test_sip_to_another_machine_is_refused_at_the_transport(caplog):
    left = []
    transport = LoopbackTransport(asyncio.get_running_loop(), "127.0.0.1", 0, sent=lambda *told: left.append(told))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(5)
        transport.send(b"far", Hop("UDP", "192.0.2.1", 5060))
        transport.send(b"near", Hop("UDP", *peer.getsockname()))
        await asyncio.sleep(0)  # what is sent leaves with the turn of the loop
        assert peer.recv(100) == b"near"
        assert left == [(b"near", ("127.0.0.1", transport.port), peer.getsockname())]
    assert transport.dropped == 1
    assert "demo-send-refused" in caplog.text
    transport.close()


def test_the_kernel_keeps_what_is_bound_to_loopback_on_the_machine():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp:
        rtp.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=r"Invalid argument|unreachable"):
            rtp.sendto(b"\x80", ("192.0.2.1", 4000))


async def test_a_softphone_of_this_machine_may_use_its_address_in_the_network():
    transport = LoopbackTransport(asyncio.get_running_loop(), "127.0.0.1", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((own_address("0.0.0.0"), 0))
        phone.settimeout(5)
        transport.send(b"near", Hop("UDP", *phone.getsockname()))
        await asyncio.sleep(0)  # what is sent leaves with the turn of the loop
        assert phone.recv(100) == b"near"
    transport.close()


async def test_a_trunk_elsewhere_is_not_resolved():
    assert await locate_here("127.0.0.1", 5070) == [Hop("UDP", "127.0.0.1", 5070)]
    with pytest.raises(OSError, match="this machine only"):
        await locate_here("192.0.2.1", 5060)
