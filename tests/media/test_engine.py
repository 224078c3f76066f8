"""The real engine: a worker process, real sockets on loopback."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import wave
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from media.engine import MediaEngine, MediaPort, NoPort
from media.events import Closed, Event, Key, Latched, Played, Recorded, Stats
from media.g711 import encode
from media.listen import find_clip, has_tone, samples_of
from media.prompt import Pack
from media.rtp import Packet, parse, write
from media.sdp import MediaPeer
from media.telephone_event import burst
from media.tones import mix

PACK = Pack.load("en")
US = "127.0.0.1"
LOUD = encode(mix((1000,), 20), "PCMU")


class Phone:
    """A far end on a real socket of its own address."""

    def __init__(self, ip: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((ip, 0))
        self.ip, self.port = self.socket.getsockname()
        self.got: list[Packet] = []
        self._next = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.socket.fileno(), self._read)

    def peer(self, codec: str = "PCMU", event: int | None = 101) -> MediaPeer:
        kind = 0 if codec == "PCMU" else 8
        return MediaPeer(self.ip, self.port, self.port + 1, codec, kind, event)  # type: ignore[arg-type]

    def send(self, to: MediaPort, payload: bytes = LOUD, kind: int = 0) -> None:
        packet = Packet(kind, self._next & 0xFFFF, self._next * 160, 77, False, payload)
        self.socket.sendto(write(packet), (US, to.rtp_port))
        self._next += 1

    def press(self, to: MediaPort, key: str, kind: int) -> None:
        at = self._next * 160
        for payload, first in burst(key):
            self.socket.sendto(write(Packet(kind, self._next, at, 77, first, payload)), (US, to.rtp_port))
            self._next += 1

    def close(self) -> None:
        self._loop.remove_reader(self.socket.fileno())
        self.socket.close()

    def _read(self) -> None:
        packet = parse(self.socket.recv(2048))
        assert packet is not None
        self.got.append(packet)


class World:
    """An engine, its events, phones."""

    def __init__(self, engine: MediaEngine) -> None:
        self.engine = engine
        self.events: dict[int, list[Event]] = {}
        self.phones: list[Phone] = []

    def phone(self, ip: str) -> Phone:
        self.phones.append(Phone(ip))
        return self.phones[-1]

    def port(self, phone: Phone | None = None, **peer: str | int | None) -> MediaPort:
        said: list[Event] = []
        port = self.engine.open(said.append)
        self.events[port.id] = said
        if phone is not None:
            port.describe(phone.peer(**peer), phone.ip)  # type: ignore[arg-type]
        return port

    def said(self, port: MediaPort, kind: type[Event]) -> list[Event]:
        return [event for event in self.events[port.id] if isinstance(event, kind)]

    async def latched(self, phone: Phone, port: MediaPort) -> None:
        """The phone talks until it is heard."""
        await until(lambda: bool(self.said(port, Latched)), each=lambda: phone.send(port, b"\xff" * 160))


async def until(fact: Callable[[], bool], each: Callable[[], object] = lambda: None, within_s: float = 10) -> None:
    """Wait for a fact, doing `each` every 20 ms."""
    async with asyncio.timeout(within_s):
        while not fact():
            each()
            await asyncio.sleep(0.02)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An engine on ports 30000-30399."""
    world = World(await MediaEngine.start(US, range(30000, 30400), stock=32))
    yield world
    await world.engine.close()
    for phone in world.phones:
        phone.close()


def files_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


async def test_a_prompt_then_a_bridge_are_one_stream(world: World) -> None:
    john, mary = world.phone("127.0.0.2"), world.phone("127.0.0.3")
    left, right = world.port(john), world.port(mary, codec="PCMA")
    await world.latched(mary, right)
    left.play(["en/connecting"])
    await until(lambda: bool(world.said(left, Played)))
    prompt = len(john.got)
    assert find_clip(samples_of(john.got), PACK.samples("connecting")).score > 0.95
    world.engine.bridge(left, right)
    await until(lambda: len(john.got) >= prompt + 20, each=lambda: mary.send(right, encode(mix((500,), 20), "PCMA"), 8))
    assert len({packet.ssrc for packet in john.got}) == 1
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(john.got)} == {1}
    assert [packet.marker for packet in john.got[prompt : prompt + 2]] == [True, False]
    assert {packet.payload_type for packet in john.got} == {0}
    assert has_tone(samples_of(john.got[prompt:]), 500)


async def test_many_ports_share_their_rounds_and_no_packet_takes_the_place_of_another(world: World) -> None:
    phones = [world.phone(f"127.0.1.{n}") for n in range(1, 43)]
    ports = []
    for phone in phones:
        ports.append(world.port(phone))
        await world.latched(phone, ports[-1])
    pairs = list(zip(phones[::2], phones[1::2], ports[::2], ports[1::2], strict=True))
    for _, _, a, b in pairs:
        world.engine.bridge(a, b)
    sounds = [bytes([n, turn] * 80) for turn in range(10) for n in range(len(pairs))]
    await until(lambda: all(b.got for _, b, _, _ in pairs), each=lambda: [a.send(at) for a, _, at, _ in pairs])
    for sound in sounds:
        near, _, port, _ = pairs[sound[0]]
        near.send(port, sound)
    await until(lambda: sum(len(each) for each in heard_by(pairs)) == len(sounds))
    assert heard_by(pairs) == [[sound for sound in sounds if sound[0] == n] for n in range(len(pairs))]


def heard_by(pairs: list[tuple[Phone, Phone, MediaPort, MediaPort]]) -> list[list[bytes]]:
    """What the second of each pair heard beside the sound that opened the way."""
    return [[packet.payload for packet in far.got if packet.payload != LOUD] for _, far, _, _ in pairs]



async def test_a_beep_is_heard_by_one_and_the_bridge_goes_on(world: World) -> None:
    john, mary = world.phone("127.0.0.2"), world.phone("127.0.0.3")
    left, right = world.port(john), world.port(mary)
    await world.latched(mary, right)
    await world.latched(john, left)
    world.engine.bridge(left, right)
    low = encode(mix((500,), 20), "PCMU")

    def both_talk() -> None:
        john.send(left, low)
        mary.send(right, low)

    await until(lambda: bool(john.got and mary.got), each=both_talk)
    before = len(john.got)
    left.beep()
    await until(lambda: sum(packet.marker for packet in john.got) == 3, each=both_talk)
    beep = [packet for packet in john.got[before:] if packet.payload != low]
    assert len(beep) == 15
    assert has_tone(samples_of(beep), 1000)
    assert {packet.payload for packet in mary.got} == {low}
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(john.got)} == {1}


async def test_a_stranger_is_not_heard_even_what_it_sent_before_the_latch(world: World) -> None:
    john, mary, stranger = (world.phone(f"127.0.0.{n}") for n in (2, 3, 4))
    left, right = world.port(john), world.port(mary)
    world.engine.bridge(left, right)
    for _ in range(30):
        stranger.send(left, b"\x00" * 160)
    john.send(left)
    for _ in range(320):
        stranger.send(left, b"\x00" * 160)
    await until(lambda: len(mary.got) >= 20, each=lambda: john.send(left))
    assert {packet.payload for packet in mary.got} == {LOUD}
    assert stranger.got == []
    left.close()
    await until(lambda: bool(world.said(left, Closed)))
    [*_, last] = world.said(left, Stats)
    assert isinstance(last, Stats)
    assert last.strangers >= 30


async def test_after_silence_a_phone_may_come_from_a_new_port_on_a_connected_socket(world: World) -> None:
    john, moved, mary = world.phone("127.0.0.2"), world.phone("127.0.0.2"), world.phone("127.0.0.3")
    left, right = world.port(john), world.port(mary)
    world.engine.bridge(left, right)
    await world.latched(john, left)
    await until(lambda: len(world.said(left, Latched)) == 2, each=lambda: moved.send(left))
    assert world.said(left, Latched)[-1] == Latched(moved.ip, moved.port)
    await until(lambda: len(moved.got) >= 5, each=lambda: mary.send(right))
    heard = len(mary.got)
    john.send(left, b"\x00" * 160)
    await until(lambda: len(mary.got) >= heard + 5, each=lambda: moved.send(left))
    assert b"\x00" * 160 not in {packet.payload for packet in mary.got}


async def test_keys_come_in_by_either_number_and_go_out(world: World) -> None:
    john, mary = world.phone("127.0.0.2"), world.phone("127.0.0.3")
    left = world.port(john, event=96)
    left.describe(MediaPeer(john.ip, john.port, john.port + 1, "PCMU", 0, 96, event_types=(101, 96)), john.ip)
    await world.latched(john, left)
    for key, kind in (("1", 96), ("2", 101)):
        john.press(left, key, kind)
    await until(lambda: len(world.said(left, Key)) == 2)
    assert world.said(left, Key) == [Key("1"), Key("2")]
    right = world.port(mary)
    right.send_digits("9")
    await until(lambda: len(mary.got) == 8)
    assert {(packet.payload_type, packet.payload[0]) for packet in mary.got} == {(101, 9)}


async def test_a_recording_is_decoded(world: World, tmp_path: Path) -> None:
    john, mary = world.phone("127.0.0.2"), world.phone("127.0.0.3")
    left, right = world.port(john), world.port(mary)
    path = tmp_path / "call.wav"
    world.engine.record(str(path), left, right)
    world.engine.bridge(left, right)
    await until(lambda: len(mary.got) >= 40, each=lambda: john.send(left))
    left.close()
    right.close()
    await until(lambda: bool(world.said(right, Closed)))
    assert world.said(right, Recorded) == [Recorded(str(path))]
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    loud = np.flatnonzero(sound[:, 0])
    assert has_tone(sound[loud[0] : loud[0] + 4000, 0], 1000, least=0.6)
    assert not sound[:, 1].any()


async def test_a_far_end_that_refuses_packets_is_counted_and_nothing_breaks(world: World) -> None:
    john, mary = world.phone("127.0.0.2"), world.phone("127.0.0.3")
    left, right = world.port(john), world.port(mary)
    await world.latched(john, left)
    john.close()
    world.phones.remove(john)
    left.tone("silence")

    def refused() -> bool:
        return any(isinstance(event, Stats) and event.refused > 5 for event in world.events[left.id])

    await until(refused)
    right.tone("silence")
    await until(lambda: len(mary.got) > 5)


async def test_ipv6_beside_ipv4_with_a_bridge_between(world: World) -> None:
    engine = await MediaEngine.start(US, range(30400, 30416), more=[("::1", "2001:db8::1")])
    assert engine.places == (US, "2001:db8::1")
    mary = world.phone("127.0.0.3")
    old = engine.open(lambda event: None)
    old.describe(mary.peer(), mary.ip)
    ear = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    ear.setblocking(False)
    ear.bind(("::1", 0))
    number = ear.getsockname()[1]
    said: list[Event] = []
    port = engine.open(said.append, 1)
    assert (old.address, port.address) == (US, "2001:db8::1")
    port.describe(MediaPeer("::1", number, number + 1, "PCMU", 0), "::1")
    port.tone("silence")
    data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(ear, 2048), 5)
    assert len(data) == 172
    ear.sendto(write(Packet(0, 1, 1, 1, False, LOUD)), ("::1", port.rtp_port))
    await until(lambda: Latched("::1", number) in said)
    engine.bridge(old, port)
    await until(lambda: len(mary.got) >= 3, each=lambda: ear.sendto(
        write(Packet(0, 2 + len(mary.got), 1, 1, False, LOUD)), ("::1", port.rtp_port),
    ))
    ear.close()
    await engine.close()
    assert said[-1] == Closed()


async def test_two_hundred_ports_later_no_file_is_left_and_each_was_new(world: World) -> None:
    first = world.port(world.phone("127.0.0.2"))
    await until(lambda: len(world.engine._stock[0]) == 32)
    before = files_of(world.engine.worker_pid), files_of(os.getpid())
    seen = [first.rtp_port]
    for _ in range(20):
        ports = [world.port() for _ in range(10)]
        seen += [port.rtp_port for port in ports]
        for port in ports:
            port.close()
        await until(lambda ports=ports: all(world.said(port, Closed) for port in ports))  # type: ignore[misc]
    assert world.engine.open_ports == 1
    await until(lambda: len(world.engine._stock[0]) == 32)
    assert (files_of(world.engine.worker_pid), files_of(os.getpid())) == before
    assert len(set(seen)) >= 190


async def test_an_empty_range_is_said_at_once() -> None:
    engine = await MediaEngine.start(US, range(30410, 30414))
    ports = [engine.open(lambda event: None) for _ in range(2)]
    assert sorted(port.rtp_port for port in ports) == [30410, 30412]
    with pytest.raises(NoPort):
        engine.open(lambda event: None)
    ports[0].close()
    await until(lambda: len(engine._stock[0]) == 1)
    assert engine.open(lambda event: None).rtp_port == ports[0].rtp_port
    await engine.close()
    assert engine.open_ports == 0


async def test_a_port_that_another_program_holds_is_passed_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((US, 30421))
        engine = await MediaEngine.start(US, range(30420, 30426), advertised="203.0.113.1")
        ports = [engine.open(lambda event: None) for _ in range(2)]
        assert sorted(port.rtp_port for port in ports) == [30422, 30424]
        assert {port.address for port in ports} == {"203.0.113.1"}
        await engine.close()


async def test_when_the_worker_dies_every_port_is_told_and_another_serves(world: World) -> None:
    john = world.phone("127.0.0.2")
    port = world.port(john)
    await world.latched(john, port)
    before = world.engine.worker_pid
    os.kill(before, signal.SIGKILL)
    await until(lambda: bool(world.said(port, Closed)))
    port.play(["en/goodbye"])
    await until(lambda: len(world.engine._stock[0]) > 0)
    assert world.engine.worker_pid != before
    again = world.port(john)
    again.tone("silence")
    heard = len(john.got)
    await until(lambda: len(john.got) > heard)
    assert again.id != port.id


async def test_ctrl_c_and_terminate_are_the_engines_business(world: World) -> None:
    john = world.phone("127.0.0.2")
    port = world.port(john)
    port.tone("silence")
    await until(lambda: len(john.got) > 2)
    for each in (signal.SIGINT, signal.SIGTERM):
        os.kill(world.engine.worker_pid, each)
    heard = len(john.got)
    await until(lambda: len(john.got) > heard + 10)
    assert not world.said(port, Closed)


async def test_a_listener_that_fails_ends_nobody_elses_media(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def fails(event: Event) -> None:
        raise RuntimeError(event)

    bad, good = world.engine.open(fails), world.port()
    bad.close()
    good.close()
    await until(lambda: bool(world.said(good, Closed)))
    assert "listener-failed" in caplog.text


async def test_the_worker_dies_with_its_parent() -> None:
    code = (
        "import asyncio; from media.engine import MediaEngine\n"
        "async def main():\n"
        "    engine = await MediaEngine.start('127.0.0.1', range(30430, 30440))\n"
        "    print(engine.worker_pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    root = str(Path(__file__).parents[2])
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=root, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(await parent.stdout.readline())
    assert alive(worker)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(worker))


def alive(pid: int) -> bool:
    """Running, and not a zombie that nobody waits for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
