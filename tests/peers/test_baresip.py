"""baresip and SIPp without a server: calls, keys and sound of the harness are real."""

from __future__ import annotations

import re
import wave
from pathlib import Path

import numpy as np

from tests.peers.addresses import namespace
from tests.peers.baresip import Baresip
from tests.peers.capture import Capture
from tests.peers.sipp import Sipp


def loudest_hz(path: Path) -> float:
    """The strongest frequency of a WAV."""
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(float)
        return float(np.argmax(np.abs(np.fft.rfft(sound))) * file.getframerate() / len(sound))


async def test_baresip_is_called_hears_a_tone_and_presses_keys(tmp_path: Path) -> None:
    async with Baresip(
        tmp_path / "baresip", user="bob", password="x", domain="127.0.0.1:44009", address="127.0.0.4", sip_port=44_100,
    ) as phone, Capture(tmp_path / "wire.pcap", only="udp portrange 44100-44199") as wire, Sipp(
        "trunk_call_in", local="127.0.0.3:44180", remote="127.0.0.4:44100", folder=tmp_path, media_port=44_190,
        service="bob", d="3000",
    ) as caller:
        assert re.search("5551111111", (await phone.incoming())["peeruri"])
        await phone.answer()
        await phone.established()
        await phone.press("12")
        await caller.passed()
        await phone.closed()
    (heard,) = phone.heard
    assert abs(loudest_hz(heard) - 440) < 5
    keys = [packet.payload[0] for stream in wire.rtp() for packet in stream.packets if packet.payload_type in (96, 101)]
    assert sorted(set(keys)) == [1, 2]


async def test_baresip_in_a_namespace_has_an_address_of_its_own(tmp_path: Path) -> None:
    with namespace() as space:
        async with Capture(tmp_path / "wire.pcap", interface=space.interface) as wire:
            async with Baresip(
                tmp_path / "baresip", user="bob", password="x", domain=f"{space.host_address}:44009",
                address=space.address, sip_port=44_200, auto_answer=True, prefix=space.prefix,
            ) as phone, Sipp(
                "trunk_call_in", local=f"{space.host_address}:44280", remote=f"{space.address}:44200", folder=tmp_path,
                media_port=44_290, service="bob", d="1000",
            ) as caller:
                await caller.passed()
                await phone.closed()
        sources = {stream.source.split(":")[0] for stream in wire.rtp() if len(stream.packets) > 20}
        assert sources == {space.address, space.host_address}
