"""RFC 3263 against a real name server on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sip_stack import resolver as resolver_module
from sip_stack.hop import Hop
from sip_stack.resolver import Resolver
from tests.name_server import NameServer

ZONE = """
both.test. 300 IN NAPTR 50 50 "s" "SIPS+D2T" "" _sips._tcp.both.test.
both.test. 300 IN NAPTR 90 50 "s" "SIP+D2T" "" _sip._tcp.both.test.
both.test. 300 IN NAPTR 100 50 "s" "SIP+D2U" "" _sip._udp.both.test.
_sip._udp.both.test. 300 IN SRV 10 0 5066 one.test.
_sip._udp.both.test. 300 IN SRV 20 0 5067 two.test.
_sip._tcp.both.test. 300 IN SRV 10 0 5070 one.test.
_sip._udp.srv.test. 300 IN SRV 10 0 5080 gone.test.
_sip._udp.srv.test. 300 IN SRV 20 0 5081 two.test.
_sip._udp.none.test. 300 IN SRV 0 0 0 .
srv.test. 300 IN A 192.0.2.99
one.test. 300 IN A 192.0.2.1
one.test. 300 IN AAAA 2001:db8::1
two.test. 300 IN A 192.0.2.2
many.test. 300 IN A 192.0.2.5
many.test. 300 IN A 192.0.2.6
short.test. 0 IN A 192.0.2.4
"""


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[NameServer, int]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(ZONE), local_addr=("127.0.0.1", 0)
    )
    yield protocol, transport.get_extra_info("sockname")[1]
    transport.close()


def resolver(server: tuple[NameServer, int], *transports: str, ipv4: bool = True, ipv6: bool = False) -> Resolver:
    return Resolver(transports or ("UDP",), ipv4=ipv4, ipv6=ipv6, name_servers=["127.0.0.1"], port=server[1])


@pytest.mark.asyncio
@pytest.mark.parametrize(("host", "port", "transport", "ours", "expected"), [
    pytest.param("192.0.2.7", None, None, ("UDP",), [Hop("UDP", "192.0.2.7", 5060)], id="4.1: an address"),
    pytest.param("192.0.2.7", None, "TLS", ("UDP",), [Hop("TLS", "192.0.2.7", 5061)], id="sips has its port"),
    pytest.param("one.test", 5099, None, ("UDP",), [Hop("UDP", "192.0.2.1", 5099)], id="4.2: a port leads past SRV"),
    pytest.param("both.test", None, None, ("UDP",), [
        Hop("UDP", "192.0.2.1", 5066), Hop("UDP", "192.0.2.2", 5067),
    ], id="4.3: each server in turn"),
    pytest.param("both.test", None, None, ("UDP", "TCP"), [
        Hop("TCP", "192.0.2.1", 5070), Hop("UDP", "192.0.2.1", 5066), Hop("UDP", "192.0.2.2", 5067),
    ], id="4.1: the domain likes TCP more"),
    pytest.param("both.test", None, "UDP", ("TCP", "UDP"), [
        Hop("UDP", "192.0.2.1", 5066), Hop("UDP", "192.0.2.2", 5067),
    ], id="a transport named leads past NAPTR"),
    pytest.param("srv.test", None, None, ("UDP",), [Hop("UDP", "192.0.2.2", 5081)],
                 id="a server without an address is passed over"),
    pytest.param("two.test.", None, None, ("UDP",), [Hop("UDP", "192.0.2.2", 5060)],
                 id="4.2: without SRV the host itself"),
    pytest.param("localhost", None, None, ("UDP",), [Hop("UDP", "127.0.0.1", 5060)], id="the system's own tables"),
])
async def test_where_requests_go(
    server: tuple[NameServer, int], host: str, port: int | None, transport: str | None, ours: tuple[str, ...],
    expected: list[Hop],
) -> None:
    assert await resolver(server, *ours).locate(host, port, transport) == expected


@pytest.mark.asyncio
async def test_ipv6_addresses_only_where_they_can_be_used(server: tuple[NameServer, int]) -> None:
    both, old = resolver(server, ipv6=True), resolver(server)
    assert [hop.host for hop in await both.locate("one.test", 5060)] == ["192.0.2.1", "2001:db8::1"]
    assert [hop.host for hop in await old.locate("one.test", 5060)] == ["192.0.2.1"]
    new = resolver(server, ipv4=False, ipv6=True)
    assert [hop.host for hop in await new.locate("one.test", 5060)] == ["2001:db8::1"]
    assert await both.locate("[2001:DB8::7]", 5070, "TLS") == [Hop("TLS", "2001:db8::7", 5070)]
    with pytest.raises(OSError, match="of a kind that is not used here"):
        await old.locate("2001:db8::7")


@pytest.mark.asyncio
async def test_every_address_of_a_host_is_tried(server: tuple[NameServer, int]) -> None:
    hops = await resolver(server).locate("many.test", 5060)
    assert sorted(hop.host for hop in hops) == ["192.0.2.5", "192.0.2.6"]


@pytest.mark.asyncio
async def test_an_answer_is_kept_as_long_as_it_says(server: tuple[NameServer, int]) -> None:
    ours = resolver(server)
    for _ in range(2):
        await ours.locate("both.test")
        await ours.locate("short.test", 5060)
    assert server[0].asked.count("both.test. NAPTR") == 1
    assert server[0].asked.count("short.test. A") == 2


@pytest.mark.asyncio
async def test_a_name_that_nobody_knows(server: tuple[NameServer, int]) -> None:
    with pytest.raises(socket.gaierror):
        await resolver(server).locate("unknown.invalid")


@pytest.mark.asyncio
async def test_while_no_name_server_answers_the_last_answer_counts_and_nobody_waits_for_each_question(
    server: tuple[NameServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver_module, "LIFETIME_S", 0.1)
    found, known = resolver(server), [Hop("UDP", "192.0.2.4", 5060)]
    assert await found.locate("short.test", 5060) == known
    server[0].silent = True
    assert await found.locate("short.test", 5060) == known  # its TTL is 0
    asked = len(server[0].asked)
    assert await found.locate("short.test", 5060) == known
    assert len(server[0].asked) == asked


@pytest.mark.asyncio
async def test_name_servers_that_were_silent_are_asked_again_later(
    server: tuple[NameServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver_module, "LIFETIME_S", 0.1)
    monkeypatch.setattr(resolver_module, "SILENT_S", 0.0)
    found = resolver(server)
    server[0].silent = True
    with pytest.raises(OSError, match=r"\w"):
        await found.locate("one.test", 5060)
    server[0].silent = False
    assert await found.locate("one.test", 5060) == [Hop("UDP", "192.0.2.1", 5060)]


@pytest.mark.asyncio
async def test_only_the_newest_answers_are_remembered(
    server: tuple[NameServer, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver_module, "MOST_ANSWERS", 2)
    found = resolver(server)
    for name in ("one.test", "two.test", "many.test"):
        await found.locate(name, 5060)
    assert sorted(found._known) == [("many.test", "A"), ("two.test", "A")]
