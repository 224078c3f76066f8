"""One phone on a cable of its own, the server at the other end, SIPp as the trunk behind it, both sides captured."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from media.g711 import decode
from tests.acceptance.scene import Change, Scene
from tests.acceptance.server import Server, until
from tests.acceptance.sound import seconds_of
from tests.interop.phone import Seat
from tests.peers.addresses import Namespace, namespace
from tests.peers.baresip import TONE_HZ, write_tone
from tests.peers.capture import Capture, SipMessage, keys_of

__all__ = ["Line", "line", "seat_in"]


@dataclass(frozen=True, slots=True)
class Line:
    """What a story has in hand."""

    scene: Scene
    server: Server
    seat: Seat
    air: Capture
    """All that passes between phone and server."""

    def answers(self, method: str) -> list[tuple[int, bool]]:
        """The final answers that the phone got to its requests of a method: status, and whether to one with digest."""
        proofs: dict[tuple[str | None, str | None], bool] = {}
        found = []
        for m in self.air.sip():
            request = m.header("Call-ID"), m.header("CSeq")
            if m.start_line.startswith(f"{method} "):
                proofs[request] = m.header("Authorization") is not None
            elif m.start_line.startswith("SIP/2.0 ") and (status := int(m.start_line.split()[1])) >= 200:
                if request in proofs and m.target.startswith(f"{self.seat.address}:"):
                    found.append((status, proofs[request]))
        return found

    async def registered(self) -> None:
        """Wait until the phone's digest was accepted.  Raises: TimeoutError."""
        await until(lambda: (200, True) in self.answers("REGISTER"), "registration", 10)

    def given_up(self) -> list[SipMessage]:
        """CANCELs from the trunk."""
        return self.scene.said("CANCEL ", source=self.scene.t1)

    def asked(self, method: str) -> list[SipMessage]:
        """Requests of a method from the server to the phone; a repeated one counts again."""
        said = [m for m in self.air.sip() if m.start_line.startswith(f"{method} ")]
        return [m for m in said if m.target.startswith(f"{self.seat.address}:")]

    def packets_to_phone(self, since: float) -> int:
        """RTP packets that were sent to the phone since then."""
        sent = [s for s in self.air.rtp() if s.target.startswith(f"{self.seat.address}:")]
        return sum(packet.at >= since for stream in sent for packet in stream.packets)

    def trunk_tone_s(self, since: float = 0.0) -> float:
        """Seconds of the phone's tone that came to the trunk since then."""
        sent = [s for s in self.scene.wire.rtp() if s.target.startswith("127.0.0.2:")]
        sound = b"".join(p.payload for s in sent for p in s.packets if p.payload_type == 0 and p.at >= since)
        return seconds_of(decode(sound, "PCMU"), TONE_HZ)

    def trunk_keys(self) -> str:
        """The keys that came to the trunk."""
        sent = [s for s in self.scene.wire.rtp() if s.target.startswith("127.0.0.2:")]
        return "".join(key for stream in sent for key, _ in keys_of(stream))

    async def trunk_hears(self, seconds: float = 2.0, *, since: float = 0.0) -> None:
        """Wait until so much of the phone's tone came to the trunk.  Raises: TimeoutError."""
        await until(lambda: self.trunk_tone_s(since) >= seconds, f"{seconds} s of the phone's tone at the trunk", 10)


def seat_in(space: Namespace, folder: Path, server: str) -> Seat:
    """The seat of 001*002 in a namespace, with a tone to say."""
    folder.mkdir(parents=True)
    speaks = folder / "tone.wav"
    write_tone(speaks, TONE_HZ, seconds=30)
    return Seat(folder, server, space.address, space.prefix, speaks)


@asynccontextmanager
async def line(scene: Scene, folder: Path, *changes: Change, password: str = "secret") -> AsyncIterator[Line]:
    """Serve the changed fixture and lay a cable for one phone."""
    with namespace() as space:
        server = await scene.serve(*changes, host=space.host_address)
        seat = replace(seat_in(space, folder / "phone", server.sip), password=password)
        async with Capture(folder / "air.pcap", interface=space.interface) as air:
            yield Line(scene, server, seat, air)
            await server.rest()
