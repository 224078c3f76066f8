"""Ports and bridges on a virtual clock: what each far end gets, packet by packet."""

from __future__ import annotations

import asyncio
import wave
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.bridge import on_grid
from media.events import Closed, Key, Latched, Played, Recorded, Silence, Stats
from media.g711 import ULAW_TO_ALAW, encode
from media.handle import NoPort
from media.listen import find_clip, has_tone, keys_in, samples_of
from media.prompt import Pack, wav_bytes
from media.rtcp import read_reports, sender_report
from media.rtp import Packet, parse, write
from media.stream import Stream
from media.tones import mix
from media.wheel import Wheel

PACK = Pack.load("en")
World = Any
LOUD = encode(mix((1000,), 20), "PCMU")


def steps(packets: list[Packet]) -> list[tuple[int, int]]:
    """(sequence step, timestamp step) from each packet to the next."""
    return [
        ((b.sequence - a.sequence) & 0xFFFF, (b.timestamp - a.timestamp) & 0xFFFFFFFF) for a, b in pairwise(packets)
    ]


def test_a_prompt_is_whole_frames_each_20_ms_and_ends_with_played(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.play(["en/goodbye"])
    world.run(3)
    clip = PACK.samples("goodbye")
    assert len(far.got) == -(-len(clip) // 160)
    assert {round((b[0] - a[0]) * 1000, 6) for a, b in pairwise(far.got)} == {20.0}
    assert set(steps(far.packets)) == {(1, 160)}
    assert [packet.marker for packet in far.packets] == [True] + [False] * (len(far.got) - 1)
    assert find_clip(samples_of(far.packets), clip).score > 0.98
    assert world.heard(port, Played) == [Played("end")]


def test_clips_in_a_row_with_gaps_and_an_absolute_path(world: World, tmp_path: Path) -> None:
    far = world.far()
    port = world.port(far)
    own = tmp_path / "own.wav"
    own.write_bytes(wav_bytes(mix((700,), 200)))
    port.play(["en/1", str(own)], gap_ms=300)
    world.run(3)
    sound = samples_of(far.packets)
    assert find_clip(sound, mix((700,), 200)).at_ms == pytest.approx(PACK.ms("1") + 300, abs=2)


def test_a_missing_clip_is_told_at_once(world: World) -> None:
    port = world.port(world.far())
    port.play(["en/none"])
    world.run(0.1)
    assert world.heard(port, Played) == [Played("missing")]


def test_a_prompt_to_a_far_end_that_prefers_a_law(world: World) -> None:
    far = world.far()
    port = world.port(far, codec="PCMA", payload_type=8)
    port.play(["en/goodbye"])
    world.run(3)
    assert {packet.payload_type for packet in far.packets} == {8}
    assert find_clip(samples_of(far.packets), PACK.samples("goodbye")).score > 0.98


def test_a_tone_repeats_until_stopped_and_tells_nothing(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.tone("ringback")
    world.run(8)
    sound = samples_of(far.packets)
    assert has_tone(sound[:16000], 440, 480)
    assert not sound[17000:47000].any()
    assert has_tone(sound[48200:60000], 440, 480)
    port.stop()
    before = len(far.got)
    world.run(1)
    assert len(far.got) == before
    assert world.heard(port, Played) == []


def test_a_new_prompt_replaces_the_one_before(world: World) -> None:
    port = world.port(world.far())
    port.play(["en/confirm"])
    world.run(0.1)
    port.play(["en/1"])
    world.run(2)
    assert world.heard(port, Played) == [Played("stop"), Played("end")]


def test_a_key_cuts_the_prompt_that_waits_for_it(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.play(["en/confirm"], until_key=True)
    world.run(0.5)
    far.press(port, "1")
    assert world.heard(port, Key, Played) == [Key("1"), Played("key")]
    silent_from = len(far.got)
    world.run(1)
    assert len(far.got) == silent_from


def test_from_prompt_to_bridge_the_stream_goes_on(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    left.play(["en/confirm"])
    world.run(0.5)
    world.engine.bridge(left, right)
    at = world.loop.time()
    b.talk(right, 10, payload=LOUD)
    assert len({packet.ssrc for packet in a.packets}) == 1
    assert {step for step, _ in steps(a.packets)} == {1}
    switch = next(n for n, (when, _) in enumerate(a.got) if when > at)
    assert a.got[switch][0] - at <= 0.020
    assert [packet.marker for packet in a.packets[switch:]] == [True] + [False] * 9
    gaps = [round((y[0] - x[0]) * 8000) for x, y in pairwise(a.got)]
    assert [step for _, step in steps(a.packets)] == pytest.approx(gaps, abs=16)
    assert {packet.payload for packet in a.packets[switch:]} == {LOUD}
    assert world.heard(left, Played) == [Played("stop")]


def test_a_bridge_keeps_order_loss_and_timestamp_steps_of_the_sender(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    for sequence in (10, 11, 13, 12, 13, 16):  # 12 late, 13 twice, 14 and 15 lost
        b.put(right, Packet(0, sequence, sequence * 160, 5, False, bytes([sequence]) * 160))
        world.run(0.02)
    first = a.packets[0].sequence
    assert [(p.sequence - first, p.payload[0]) for p in a.packets] == [(0, 10), (1, 11), (3, 13), (2, 12), (6, 16)]
    assert [(p.timestamp - a.packets[0].timestamp) & 0xFFFFFFFF for p in a.packets] == [0, 160, 480, 320, 960]


def test_what_was_sent_before_a_switch_does_not_come_after_it(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    for sequence, ssrc in ((10, 5), (60000, 6), (59990, 6), (60001, 6)):
        b.put(right, Packet(0, sequence, sequence * 160, ssrc, False, LOUD))
        world.run(0.02)
    assert [step for step, _ in steps(a.packets)] == [1, 1]
    assert [p.marker for p in a.packets] == [True, True, False]


@pytest.mark.parametrize(("sequence", "timestamp"), [(65534, 0), (0, 2**32 - 160)])
def test_numbers_wrap(world: World, sequence: int, timestamp: int) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    for n in range(4):
        b.put(right, Packet(0, sequence + n & 0xFFFF, timestamp + 160 * n & 0xFFFFFFFF, 5, False, LOUD))
        world.run(0.02)
    assert steps(a.packets) == [(1, 160)] * 3


def test_laws_are_transcoded_and_dynamic_numbers_mapped(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a, payload_type=107), world.port(b, codec="PCMA", payload_type=8)
    world.engine.bridge(left, right)
    a.talk(left, 1, kind=107, payload=bytes(range(160)))
    b.talk(right, 1, kind=8, payload=bytes(range(160)).translate(ULAW_TO_ALAW))
    b.talk(right, 1, kind=0, payload=bytes(range(160)))  # mu-law although A-law was agreed
    b.talk(right, 1, kind=13, payload=b"\x40")  # comfort noise, not agreed
    assert [(p.payload_type, p.payload) for p in b.packets] == [(8, bytes(range(160)).translate(ULAW_TO_ALAW))]
    assert [p.payload_type for p in a.packets] == [107, 107]
    assert a.packets[1].payload == bytes(range(160))


def test_headers_with_extension_are_made_plain(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    data = write(Packet(0, 5, 800, 9, False, LOUD))
    b.put(right, b"\x90" + data[1:12] + b"\xbe\xde\0\1wxyz" + LOUD)
    b.put(right, b"\x80")
    b.put(right, b"\x90" + data[1:12] + b"\xbe\xde")
    world.run(0.1)
    assert [packet.payload for packet in a.packets] == [LOUD]


def test_keys_for_us_are_told_and_never_relayed(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    left.listen(True)
    a.talk(left, 2)
    a.press(left, "7")
    a.talk(left, 2)
    assert world.heard(left, Key) == [Key("7")]
    assert {p.payload_type for p in b.packets} == {0}
    assert {step for step, _ in steps(b.packets)} == {1}


def test_keys_cross_a_bridge_with_each_sides_own_number(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a, event_types=(101, 96), telephone_event=96), world.port(b, telephone_event=97)
    world.engine.bridge(left, right)
    a.talk(left, 1)
    a.press(left, "4", kind=96)
    a.press(left, "5", kind=101)
    assert keys_in(b.packets, 97) == "45"
    assert {p.payload_type for p in b.packets} == {0, 97}
    assert world.heard(left, Key) == world.heard(right, Key) == []
    events = [p for p in b.packets if p.payload_type == 97][:8]
    assert [p.marker for p in events] == [True] + [False] * 7
    assert len({p.timestamp for p in events}) == 1


def test_keys_that_cross_a_bridge_are_told_where_that_is_wished(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    left.overhear(True)
    world.engine.bridge(left, right)
    a.talk(left, 1)
    b.talk(right, 1)
    a.press(left, "*")
    b.press(right, "1")
    left.overhear(False)
    a.press(left, "*")
    assert (keys_in(b.packets, 101), keys_in(a.packets, 101)) == ("**", "1")
    assert (world.heard(left, Key), world.heard(right, Key)) == ([Key("*")], [])


def test_keys_do_not_reach_a_side_that_takes_none(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b, telephone_event=None)
    world.engine.bridge(left, right)
    a.talk(left, 1)
    a.press(left, "4")
    a.talk(left, 1)
    assert [p.payload_type for p in b.packets] == [0, 0]


def test_after_a_bridge_keys_are_for_us_again(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    world.engine.unbridge(right)
    a.press(left, "3")
    assert world.heard(left, Key) == [Key("3")]
    assert b.got == []


def test_bridging_with_a_third_parts_the_first_two(world: World) -> None:
    fars = [world.far() for _ in range(3)]
    a, b, c = (world.port(far) for far in fars)
    world.engine.bridge(a, b)
    world.engine.bridge(a, c)
    fars[1].talk(b, 2)
    fars[2].talk(c, 3)
    assert len(fars[0].got) == 3
    c.close()
    fars[0].talk(a, 2)
    assert fars[2].got == []


def test_sent_keys_are_packets_of_20_ms_with_pauses_and_the_stream_goes_on(world: World) -> None:
    far = world.far()
    port = world.port(far, telephone_event=96)
    port.tone("silence")
    world.run(0.1)
    port.send_digits("1x#")
    world.run(1)
    assert keys_in(far.packets, 96) == "1#"
    events = [(at, p) for at, p in far.got if p.payload_type == 96]
    assert len(events) == 16
    assert [round((y[0] - x[0]) * 1000) for x, y in pairwise(events[:8])] == [20] * 7
    assert events[8][0] - events[7][0] == pytest.approx(0.12)
    assert {step for step, _ in steps(far.packets)} == {1}
    sound = [p for p in far.packets if p.payload_type == 0]
    assert [p.marker for p in sound].count(True) == 2


def test_the_partners_sound_waits_while_keys_are_sent(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    b.talk(right, 2)
    left.send_digits("5")
    b.talk(right, 20)
    kinds = [p.payload_type for p in a.packets]
    assert kinds == [0] * 2 + [101] * 8 + [0] * (len(kinds) - 10)
    assert len(kinds) > 14
    assert {step for step, _ in steps(a.packets)} == {1}


def test_to_a_far_end_without_telephone_event_no_key_is_sent(world: World) -> None:
    far = world.far()
    port = world.port(far, telephone_event=None)
    port.send_digits("5")
    world.run(1)
    assert far.got == []


def test_a_stranger_is_neither_heard_nor_answered(world: World) -> None:
    a, b, stranger = world.far(), world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    for _ in range(50):
        stranger.send(left, LOUD)
        a.send(left)
        world.run(0.02)
    world.engine.network.send(b"\x80\xc9\0\1" + bytes(4), stranger.address, (left.address, left.rtp_port + 1))
    world.run(2.1)
    assert stranger.got == []
    assert stranger.rtcp == []
    assert LOUD not in {p.payload for p in b.packets}
    assert len(b.got) == 50
    assert world.heard(left, Stats)[-1].strangers == 51
    assert world.heard(left, Latched) == [Latched(*a.address)]


def test_a_phone_behind_nat_is_learnt_and_answered_where_it_is(world: World) -> None:
    phone, inside = world.far("192.0.2.7", 61000), world.far("10.0.0.5")
    port = world.port(inside, signalling_ip="192.0.2.7")
    phone.talk(port, 6)
    port.tone("busy")
    world.run(0.1)
    assert world.heard(port, Latched) == [Latched("192.0.2.7", 61000)]
    assert phone.got
    assert inside.got == []


def test_after_two_seconds_of_silence_the_phone_may_come_from_a_new_port(world: World) -> None:
    phone, moved = world.far("192.0.2.7", 4000), world.far("192.0.2.7", 61999)
    port = world.port(phone)
    phone.talk(port, 2)
    moved.talk(port, 10)
    assert world.heard(port, Latched) == [Latched(*phone.address)]
    world.run(2.1)
    moved.talk(port, 5)
    assert world.heard(port, Latched) == [Latched(*phone.address), Latched(*moved.address)]


def test_a_re_invite_with_a_new_address_latches_again(world: World) -> None:
    before, after = world.far(), world.far()
    port = world.port(before)
    before.talk(port, 2)
    port.describe(after.peer(), after.address[0])
    before.talk(port, 2)
    after.talk(port, 2)
    port.tone("busy")
    world.run(0.1)
    assert before.got == []
    assert after.got
    assert world.heard(port, Stats, Latched)[-1] == Latched(*after.address)


def test_on_hold_nothing_is_sent_and_silence_is_no_fault(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    b.talk(right, 3)
    left.watch(3)
    left.describe(a.peer(send=False, receive=False), a.address[0])
    b.talk(right, 250)
    left.tone("busy")
    world.run(0.1)
    left.stop()
    assert len(a.got) == 3
    assert world.heard(left, Silence) == []
    left.describe(a.peer(), a.address[0])
    b.talk(right, 3)
    assert {step for step, _ in steps(a.packets)} == {1}
    assert [p.marker for p in a.packets] == [True, False, False, True, False, False]


def test_silence_is_told_when_rtp_stops(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.watch(2.0)
    far.talk(port, 50)
    world.run(1.9)
    assert world.heard(port, Silence) == []
    world.run(0.15)
    assert world.heard(port, Silence) == [Silence(2.0)]
    port.watch(None)
    world.run(10)
    assert world.heard(port, Silence) == [Silence(2.0)]


def test_an_echo_sends_back_what_is_heard(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.speak("echo")
    far.talk(port, 5, payload=LOUD)
    world.run(0.1)
    assert [p.payload for p in far.packets] == [LOUD] * 5
    assert len({p.ssrc for p in far.packets}) == 1
    world.engine.unbridge(port)
    far.talk(port, 5)
    assert len(far.got) == 5


def test_a_voice_talks_in_a_loop(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.speak("voice")
    clip = PACK.samples("demo-voice")
    world.run(2 * len(clip) / 8000 + 1)
    sound = samples_of(far.packets)
    assert find_clip(sound[: len(clip) + 400], clip).score > 0.98
    assert find_clip(sound[len(clip) :], clip[:8000]).score > 0.98


def test_rtcp_is_ended_here_and_reports_each_leg(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.bridge(left, right)
    for n in range(300):
        if n % 10:
            b.send(right)
        else:
            b.sequence += 1
            b.timestamp += 160
        world.run(0.02)
    stats = world.heard(right, Stats)[-1]
    assert stats.received == pytest.approx(270, abs=45)
    assert stats.lost == pytest.approx(stats.received / 9, abs=2)
    [report, *_] = read_reports(b.rtcp[0])
    assert report.lost == pytest.approx(24, abs=2)
    assert a.rtcp
    before = len(a.rtcp)
    theirs = (b.address[0], b.address[1] + 1)
    world.engine.network.send(sender_report(7, 0, 0, 1, 1, b""), theirs, (right.address, right.rtp_port + 1))
    world.run(0.1)
    assert len(a.rtcp) == before
    left.close()
    world.run(0.1)
    assert a.rtcp[-1][8 + 1] == 203


def test_the_round_trip_is_measured_from_their_report_even_on_the_rtp_port(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.tone("silence")
    far.talk(port, 1)
    world.run(5.1)
    [ours] = [report for packet in far.rtcp for report in read_reports(packet)]
    block = (9).to_bytes(4, "big") + bytes(12) + ours.ntp_middle.to_bytes(4, "big") + bytes(4)
    far.put(port, b"\x81\xc9\x00\x07" + bytes(4) + block)
    world.run(1)
    trip = world.heard(port, Stats)[-1].round_trip_ms
    assert trip is not None
    assert 0 < trip < 200


def test_closing_tells_the_last_figures_then_closed_and_frees_everything(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.play(["en/confirm"])
    world.run(0.1)
    port.close()
    world.run(1)
    assert [type(event) for event in world.events[port.id]][-3:] == [Played, Stats, Closed]
    assert world.engine.open_ports == 0
    port.play(["en/confirm"])
    port.close()
    world.engine.bridge(port, port)
    world.run(1)
    assert world.events[port.id][-1] == Closed()


def test_verbs_before_any_description_are_kept_or_harmless(world: World) -> None:
    far = world.far()
    port, other = world.port(), world.port()
    port.tone("beep")
    world.run(0.3)
    port.listen(False)
    world.engine.bridge(port, other)
    port.tone("beep")
    far.send(port)
    world.run(0.01)
    port.describe(far.peer(), far.address[0])
    world.run(0.3)
    assert len(far.got) == pytest.approx(15, abs=1)
    other.close()
    port.close()
    world.run(0.1)
    assert world.heard(port, Stats)[-1].strangers == 1


def test_ports_run_out_and_come_back(world: World) -> None:
    ports = [world.port() for _ in range(20)]
    assert len({port.rtp_port for port in ports}) == 20
    with pytest.raises(NoPort):
        world.port()
    ports[0].close()
    assert world.port().rtp_port == ports[0].rtp_port
    asyncio.run(world.engine.close())
    world.run(1)
    assert world.engine.open_ports == 0
    assert all(world.heard(port, Closed) == [Closed()] for port in ports)


def read_stereo(path: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)


def test_a_recording_has_each_side_in_its_channel_at_its_time(world: World, tmp_path: Path) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b, codec="PCMA", payload_type=8)
    path = tmp_path / "call.wav"
    world.engine.record(str(path), left, right)
    world.engine.bridge(left, right)
    world.run(1.0)
    a.talk(left, 50, payload=LOUD)
    world.run(6.0)
    b.talk(right, 50, kind=8, payload=encode(mix((500,), 20), "PCMA"))
    left.close()
    world.run(1.0)
    assert world.heard(left, Recorded) == []
    right.close()
    world.run(0.1)
    assert [type(event) for event in world.events[right.id]][-3:] == [Recorded, Stats, Closed]
    sound = read_stereo(path)
    assert len(sound) == pytest.approx(10 * 8000, abs=80)
    assert has_tone(sound[8100:15900, 0], 1000)
    assert has_tone(sound[64100:71900, 1], 500)
    assert not sound[:7900, 0].any()
    assert np.abs(sound[16100:, 0]).max() < 10
    assert np.abs(sound[:63900, 1]).max() < 10


def test_a_recording_lays_late_packets_where_they_belong(world: World, tmp_path: Path) -> None:
    far = world.far()
    left, right = world.port(far), world.port()
    path = tmp_path / "late.wav"
    world.engine.record(str(path), left, right)
    for n in (0, 1, 3, 2, 4):
        far.put(left, Packet(0, n, 160 * n, 1, False, encode(np.full(160, 1000 * (n + 1), np.int16), "PCMU")))
        world.run(0.02)
    left.close()
    right.close()
    sound = read_stereo(path)[:, 0].astype(int)
    first = int(np.flatnonzero(sound)[0])
    assert [round(sound[first + 160 * n + 80] / 1000) for n in range(5)] == [1, 2, 3, 4, 5]


def test_a_recording_that_cannot_be_written_does_not_end_the_call(world: World, tmp_path: Path) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.record(str(tmp_path / "none" / "call.wav"), left, right)
    world.engine.bridge(left, right)
    a.talk(left, 5)
    assert len(b.got) == 5
    left.close()
    right.close()
    world.run(0.1)
    assert world.heard(right, Recorded) == [Recorded("")]


def test_a_suspended_machine_does_not_send_what_it_missed_in_a_burst(world: World) -> None:
    far = world.far()
    port = world.port(far)
    port.tone("busy")
    world.run(0.1)
    before = len(far.got)
    world.loop.now += 30
    world.run(0.1)
    assert len(far.got) - before <= 8
    assert {step for step, _ in steps(far.packets)} == {1}
    assert parse(write(far.packets[0])) == far.packets[0]


def test_verbs_about_a_port_that_is_gone_change_nothing(world: World, tmp_path: Path) -> None:
    far = world.far()
    port, gone = world.port(far), world.port()
    gone.close()
    world.engine.bridge(port, gone)
    world.engine.unbridge(port)
    world.engine.record(str(tmp_path / "none.wav"), port, gone)
    far.press(port, "1")
    assert world.heard(port, Key) == [Key("1")]
    assert not (tmp_path / "none.wav").exists()


def test_without_a_packet_either_way_there_is_no_report(world: World) -> None:
    far = world.far()
    port = world.port(far)
    world.run(20)
    assert far.rtcp == []
    assert world.heard(port, Stats) == []


def test_two_calls_are_recorded_apart(world: World, tmp_path: Path) -> None:
    ports = [world.port(world.far()) for _ in range(4)]
    world.engine.record(str(tmp_path / "one.wav"), ports[0], ports[1])
    world.engine.record(str(tmp_path / "two.wav"), ports[2], ports[3])
    for port in ports:
        port.close()
    world.run(0.1)
    assert world.heard(ports[1], Recorded) == [Recorded(str(tmp_path / "one.wav"))]
    assert world.heard(ports[3], Recorded) == [Recorded(str(tmp_path / "two.wav"))]


def test_a_full_disk_ends_the_recording_and_not_the_call(world: World) -> None:
    a, b = world.far(), world.far()
    left, right = world.port(a), world.port(b)
    world.engine.record("/dev/full", left, right)
    world.engine.bridge(left, right)
    a.talk(left, 400, payload=LOUD)
    assert len(b.got) == 400
    left.close()
    right.close()
    world.run(0.1)
    assert world.heard(right, Recorded) == [Recorded("")]


def test_the_wheel_gives_each_its_own_millisecond_and_forgets_the_removed() -> None:
    wheel, said = Wheel(), []  # type: ignore[var-annotated]
    assert wheel.next_alarm() is None

    def first(at: float) -> bool:
        said.append(("first", at))
        return at < 1.04

    def second(at: float) -> bool:
        said.append(("second", at))
        return True

    wheel.add(first, 1.0)
    wheel.add(second, 1.0055)
    wheel.add(first, 1.010)
    assert wheel.next_alarm() == 1.001
    wheel.turn(1.047)
    assert said == [
        ("first", 1.001),
        ("second", 1.006),
        ("first", 1.021),
        ("second", 1.026),
        ("first", 1.041),
        ("second", 1.046),
    ]
    wheel.remove(second)
    wheel.remove(second)
    assert len(wheel) == 0


def test_a_packet_that_cannot_be_sent_is_counted_and_the_numbers_go_on() -> None:
    def refuse(packet: bytes | memoryview) -> None:
        raise ConnectionRefusedError

    stream = Stream(1, 100, 0, 0.0)
    stream.event(101, b"\5\12\0\240", True, 0.0)
    assert (stream.packets, stream.sequence) == (0, 100)
    stream.send = refuse
    stream.frame(0, LOUD, 0.02)
    stream.relay(memoryview(bytearray(172)), 172, 0, 7, 7, 9, 0.04)
    stream.relay(memoryview(bytearray(172)), 172, 0, 7, 7, 9, 0.04)
    assert (stream.refused, stream.sequence) == (2, 102)


@pytest.mark.parametrize(
    ("due", "now"), [(0.45000000000000007, 0.45), (1.7500000000000002, 1.75), (0.45, 0.45), (0.2, 0.45), (0.46, 0.45)]
)
def test_a_chore_comes_again_later_than_now_however_sums_are_rounded(due: float, now: float) -> None:
    """Due again in the same moment it would be done for ever, and nothing else."""
    assert now < on_grid(due, now) < max(due, now) + 0.1
