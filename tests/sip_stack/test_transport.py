"""The UDP shell on real loopback sockets (ports 35000 to 35999)."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sip_stack import transport
from sip_stack.core import Hop
from sip_stack.transport import Alarm, UdpGroup, UdpTransport


class Ear:
    """Stands where a core would: keeps what it is handed."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[tuple[bytes, Hop]] = asyncio.Queue()
        self.woken: asyncio.Queue[float] = asyncio.Queue()
        self.unreachable: list[Hop] = []

    def lost(self, hop: Hop) -> None:
        self.unreachable.append(hop)

    def receive(self, data: bytes, source: Hop) -> None:
        self.heard.put_nowait((data, source))

    def wake(self) -> None:
        self.woken.put_nowait(asyncio.get_running_loop().time())


def open_pair(host: str) -> tuple[UdpTransport, UdpTransport]:
    loop = asyncio.get_running_loop()
    return UdpTransport(loop, host, 0), UdpTransport(loop, host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_datagrams_cross_and_say_where_they_came_from(host: str) -> None:
    one, two = open_pair(host)
    ear = Ear()
    two.start(ear)  # type: ignore[arg-type]
    for n in range(200):  # more than one wake-up drains
        one.send(str(n).encode(), Hop("UDP", host, two.port))
    async with asyncio.timeout(5):
        heard = [await ear.heard.get() for _ in range(200)]
    assert [data for data, _ in heard] == [str(n).encode() for n in range(200)]
    assert {source for _, source in heard} == {Hop("UDP", host, one.port)}
    one.close()
    two.close()


async def test_of_several_addresses_each_answers_by_the_one_that_it_came_in_by() -> None:
    loop = asyncio.get_running_loop()
    here = [UdpTransport(loop, host, 0, number) for number, host in enumerate(("127.0.0.1", "127.0.0.2", "::1"), 1)]
    group, ear = UdpGroup(here), Ear()
    group.start(ear)  # type: ignore[arg-type]
    assert group.places == [(each.host, each.port) for each in here]
    for at in here:
        far, far_ear = UdpTransport(loop, at.host, 0), Ear()
        far.start(far_ear)  # type: ignore[arg-type]
        far.send(b"ping", Hop("UDP", at.host, at.port))
        async with asyncio.timeout(5):
            data, source = await ear.heard.get()
            group.send(data, source)
            answered_by = (await far_ear.heard.get())[1]
            group.send(data, Hop("UDP", far.host, far.port))
            first = (await far_ear.heard.get())[1]
            group.send(data, Hop("UDP", far.host, far.port, 1 if ":" in far.host else 3))  # moved to another family
            moved = (await far_ear.heard.get())[1]
        assert (answered_by.host, answered_by.port) == (at.host, at.port)
        assert first.port == moved.port == (here[2] if ":" in at.host else here[0]).port
        far.close()
    group.close()


async def test_where_no_socket_is_of_the_family_who_waits_is_told() -> None:
    group, ear = UdpGroup([UdpTransport(asyncio.get_running_loop(), "127.0.0.1", 0, 1)]), Ear()
    group.start(ear)  # type: ignore[arg-type]
    group.send(b"ping", Hop("UDP", "::1", 5060))
    await asyncio.sleep(0)
    assert ear.unreachable == [Hop("UDP", "::1", 5060)]
    group.close()


async def test_who_gets_more_than_it_can_take_in_knows_how_full_its_buffer_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_AT_ONCE", 4)
    monkeypatch.setattr(transport, "_BUFFER", 100_000)
    one, two = open_pair("127.0.0.1")
    waiting: list[float] = []

    class Slow(Ear):
        def receive(self, data: bytes, source: Hop) -> None:
            waiting.append(two.waiting)
            super().receive(data, source)

    async def comes(several: int) -> list[float]:
        waiting.clear()
        for _ in range(several):
            one.send(b"x" * 1000, Hop("UDP", "127.0.0.1", two.port))
        await asyncio.sleep(0)
        while not waiting or two.waiting:
            await asyncio.wait_for(ear.heard.get(), 5)
        return waiting

    ear = Slow()
    two.start(ear)  # type: ignore[arg-type]
    assert await comes(1) == [0.0]
    some = await comes(24)
    assert some[:4] == [0.0] * 4
    assert 0 < min(some[4:]) <= max(some[4:]) < 0.5
    many = await comes(1000)
    assert many[:4] == [0.0] * 4
    assert 0.9 < max(many) <= 1.1
    assert len(many) < 500  # the others found no place
    assert await comes(1) == [0.0]
    one.close()
    two.close()


async def test_a_port_that_is_held_is_refused() -> None:
    one = UdpTransport(asyncio.get_running_loop(), "127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        UdpTransport(asyncio.get_running_loop(), "127.0.0.1", one.port)
    one.close()


async def test_a_peer_that_is_gone_stops_nothing() -> None:
    one, two = open_pair("127.0.0.1")
    gone = two.port
    two.close()
    ear = Ear()
    one.start(ear)  # type: ignore[arg-type]
    for _ in range(3):  # the kernel reports ECONNREFUSED only on connected sockets; it must not matter either way
        one.send(b"x", Hop("UDP", "127.0.0.1", gone))
    one.send(b"me", Hop("UDP", "127.0.0.1", one.port))
    async with asyncio.timeout(5):
        assert (await ear.heard.get())[0] == b"me"
    one.close()


async def test_what_cannot_be_sent_is_counted() -> None:
    one, two = open_pair("127.0.0.1")
    one.send(b"x" * 70_000, Hop("UDP", "127.0.0.1", two.port))
    one.close()
    assert one.dropped == 1
    two.close()


async def test_what_is_said_before_closing_is_still_sent() -> None:
    one, two = open_pair("127.0.0.1")
    ear = Ear()
    two.start(ear)  # type: ignore[arg-type]
    one.send(b"bye", Hop("UDP", "127.0.0.1", two.port))
    one.close()
    async with asyncio.timeout(5):
        assert (await ear.heard.get())[0] == b"bye"
    two.close()


async def test_an_error_of_the_socket_is_read_past() -> None:
    one, two = open_pair("127.0.0.1")
    ear = Ear()
    one._socket.connect(("127.0.0.1", two.port))
    gone = two.port
    two.close()
    one._socket.send(b"x")  # answered by ECONNREFUSED at the next read
    one.start(ear)  # type: ignore[arg-type]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.bind(("127.0.0.1", gone))
        late.sendto(b"back", ("127.0.0.1", one.port))
        async with asyncio.timeout(5):
            assert (await ear.heard.get())[0] == b"back"
    one.close()


async def test_the_alarm_rings_for_the_earliest_and_again_when_asked_again() -> None:
    loop = asyncio.get_running_loop()
    ear, alarm = Ear(), Alarm(loop)
    alarm.wakes(ear)  # type: ignore[arg-type]
    start = loop.time()
    alarm(start + 30.0)
    alarm(start + 0.02)
    alarm(start + 40.0)
    async with asyncio.timeout(5):
        assert await ear.woken.get() >= start + 0.02
        alarm(loop.time() + 0.01)
        await ear.woken.get()
    alarm(loop.time() + 0.01)
    alarm.close()
    alarm.close()
    assert alarm._handle is None
    assert ear.woken.empty()


async def test_far_ends_are_remembered_one_value_each_and_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_MOST_HOPS", 2)
    one = UdpTransport(asyncio.get_running_loop(), "127.0.0.1", 0)
    ear = Ear()
    one.start(ear)  # type: ignore[arg-type]
    hops = []
    for _ in range(3):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
            for _ in range(2):
                late.sendto(b"x", ("127.0.0.1", one.port))
                async with asyncio.timeout(5):
                    hops.append((await ear.heard.get())[1])
    assert hops[0] is hops[1]
    assert len(one._hops) <= 2
    one.close()
