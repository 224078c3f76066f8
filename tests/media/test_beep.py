"""The beep to one far end: over a bridge, a clip, a tone, keys; the stream's numbers go on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from media.events import Key, Played
from media.g711 import ULAW_TO_ALAW, encode
from media.listen import find_clip, has_tone, samples_of
from media.prompt import Pack
from media.tones import encoded_beep, mix

World = Any
PACK = Pack.load("en")
LOW = encode(mix((500,), 20), "PCMU")
BEEP = encoded_beep("PCMU")
FRAMES = [BEEP[at : at + 160] for at in range(0, len(BEEP), 160)]


def talk(world: World, *talkers: tuple[Any, Any], packets: int) -> None:
    """Every far end sends a packet each 20 ms."""
    for _ in range(packets):
        for far, port in talkers:
            far.send(port, LOW)
        world.run(0.02)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_over_a_bridge_one_side_hears_it_and_both_go_on(world: World, codec: str) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a, codec=codec, payload_type=0 if codec == "PCMU" else 8), world.port(b)
    world.engine.bridge(left, right)
    talk(world, (b, right), packets=10)
    left.beep()
    talk(world, (b, right), packets=30)
    heard = [packet.payload for packet in a.packets]
    voice, frames = LOW, FRAMES
    if codec == "PCMA":
        voice, frames = LOW.translate(ULAW_TO_ALAW), [frame.translate(ULAW_TO_ALAW) for frame in FRAMES]
    assert heard[10:25] == frames
    assert set(heard[:10] + heard[25:]) == {voice}
    assert len(heard) == pytest.approx(40, abs=1)
    assert {(y.sequence - x.sequence) & 0xFFFF for x, y in pairwise(a.packets)} == {1}
    assert [n for n, packet in enumerate(a.packets) if packet.marker] == [0, 10, 25]
    elapsed = [round((y[0] - x[0]) * 8000) for x, y in pairwise(a.got)]
    steps = [(y.timestamp - x.timestamp) & 0xFFFFFFFF for x, y in pairwise(a.packets)]
    assert steps == pytest.approx(elapsed, abs=160)
    assert sum(steps) == pytest.approx(sum(elapsed), abs=16)
    assert world.heard(left, Played) == []


def test_the_other_side_hears_nothing_of_it(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    talk(world, (a, left), (b, right), packets=5)
    left.beep()
    talk(world, (a, left), (b, right), packets=25)
    assert [packet.payload for packet in b.packets] == [LOW] * 30
    assert [packet.marker for packet in b.packets] == [True] + [False] * 29
    assert BEEP in b"".join(packet.payload for packet in a.packets)


def test_a_clip_waits_and_goes_on_where_it_was(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.play(["en/goodbye"])
    world.run(0.3)
    port.beep()
    world.run(3)
    sound, clip = b"".join(packet.payload for packet in far.packets), encode(PACK.samples("goodbye"), "PCMU")
    at = sound.index(BEEP)
    assert 0 < at < len(clip)
    assert sound.replace(BEEP, b"").startswith(clip)
    assert {(y.sequence - x.sequence) & 0xFFFF for x, y in pairwise(far.packets)} == {1}
    assert world.heard(port, Played) == [Played("end")]


def test_a_key_still_cuts_the_clip_below_it(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.play(["en/confirm"], until_key=True)
    world.run(0.2)
    port.beep()
    far.press(port, "1")
    world.run(1)
    assert world.heard(port, Key, Played) == [Key("1"), Played("key")]
    sound = samples_of(far.packets)
    assert has_tone(sound[-2000:], 1000)  # it is heard to its end
    assert len(sound) < PACK.ms("confirm") * 8 / 2


def test_a_tone_repeats_on(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.tone("ringback")
    world.run(0.5)
    port.beep()
    world.run(1)
    sound = samples_of(far.packets)
    beep = round(find_clip(sound, mix((1000,), 300)).at_ms * 8)
    assert has_tone(sound[:beep], 440, 480)
    assert has_tone(sound[beep : beep + 2400], 1000)
    assert has_tone(sound[beep + 2400 :], 440, 480)


def test_it_comes_after_keys_that_are_being_sent(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.send_digits("5")
    port.beep()
    world.run(1)
    kinds = [packet.payload_type for packet in far.packets]
    assert kinds == [101] * 8 + [0] * 15


@pytest.mark.parametrize("more", [{"send": False}, {}], ids=["on hold", "not described"])
def test_who_cannot_be_reached_misses_it(world: World, more: dict[str, bool]) -> None:
    far = world.far()
    port = world.port(far, **more) if more else world.port()
    port.beep()
    world.run(0.5)
    port.describe(far.peer(), far.address[0])
    world.run(0.5)
    assert far.got == []


def test_without_any_other_sound_it_is_one_beep(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.beep()
    world.run(2)
    assert b"".join(packet.payload for packet in far.packets) == BEEP
