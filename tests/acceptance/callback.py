"""What the scenarios of callback numbers share: the plan of 001*900, callers that ring, and when the wire said what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from media.g711 import Samples
from media.prompt import Pack
from tests.acceptance.scene import Change, Scene
from tests.acceptance.server import Server, until
from tests.acceptance.sound import Recorded, recorded
from tests.peers.capture import SipMessage, keys_of
from tests.peers.heard import find_clips
from tests.peers.sipp import Sipp

__all__ = [
    "A", "B", "B_BY_T2", "CALLER", "CB", "OWNER", "TENTH", "Ringing", "Spoken", "callback", "caller", "does",
    "keys_pressed", "press_s", "ring", "sound_to", "spoken", "until_invited", "wallet",
]

CB, CALLER = "5555559000", "5551111111"
A, B = "127.0.0.2", "127.0.0.3"
"""Who is called back answers at T1; the numbers he dials begin with 04 and are at T2."""
B_BY_T2 = '[[route]]\nprefix = "04"\ntrunk = "R2"\n'
TENTH = (("first_interval_s = 30\n", "first_interval_s = 3\n"), ("increment_s = 30\n", "increment_s = 3\n"))
"""04 costs 0.10 for every 3 s begun: a tenth of AT-19's interval."""
OWNER = "client"
_SETTINGS = {"trigger_s": 3, "dial_s": 5, "password": "4321"}


def callback(**settings: object) -> Change:
    """001*900 as SPEC part B has it, with other settings where given; None takes one away."""
    kept = {name: value for name, value in {**_SETTINGS, **settings}.items() if value is not None}
    return _section(_SETTINGS), _section(kept)


def _section(settings: Mapping[str, object]) -> str:
    return "[extension.callback]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in settings.items())


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, (bool, int)) else f'"{value}"'


def caller(number: str = CALLER, credit: str = "5.00", **more: object) -> str:
    """One authorised CallerID of 001*900."""
    fields = {"extension": "001*900", "number": number, "credit": credit, "order_number": f"open-{number}", **more}
    return "[[caller]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in fields.items())


def press_s(keys: str) -> float:
    """How long SIPp's play_dtmf takes, in seconds: it begins with 0.8 s of nothing."""
    return 0.9 + 0.4 * len(keys) if keys else 0.0


def does(*steps: tuple[float, str], rest_s: float = 0.2, info: bool = False) -> str:
    """The key `does` of trunk_called_back: (seconds of listening, then these keys), and a rest at the end.

    `info`: of trunk_called_back_info, where the next step begins when the keys are sent.
    """
    out, playing = [], 0.0
    for listens_s, keys in (*steps, (rest_s, "")):
        out.append(f"{round(1000 * (playing + listens_s))}:{keys}")
        playing = 0.0 if info else press_s(keys)
    return ",".join(out)


@dataclass(frozen=True, slots=True)
class Ringing:
    """A caller that rings the callback number, and his address."""

    scene: Scene
    sipp: Sipp
    address: str

    def answers(self) -> list[SipMessage]:
        """What the server answered to his INVITE, without 100."""
        found = self.scene.said("SIP/2.0 ", source=self.scene.server.sip, target=self.address)
        return [m for m in found if (m.header("CSeq") or "").endswith(" INVITE") and "100" not in m.start_line]

    def invited(self) -> float:
        """When his INVITE was on the wire."""
        return self.scene.said("INVITE ", source=self.address)[0].at

    def refused(self) -> SipMessage:
        """The final answer; it was sent at T0."""
        return self.answers()[-1]

    def check(self, x_s: float = 3.0, status: str = "486 Busy Here") -> None:
        """180 in less than 0.5 s, never 200, the final answer x s after the INVITE, 0.3 s more or less (AT-13)."""
        ringing, final = self.answers()
        assert ringing.start_line == "SIP/2.0 180 Ringing"
        assert ringing.at - self.invited() < 0.5
        assert final.start_line == f"SIP/2.0 {status}"
        assert abs(final.at - self.invited() - x_s) <= 0.3


async def ring(
    scene: Scene, behaviour: str = "trunk_trigger", *, host: str = A, calls: int = 1, **keys: str,
) -> Ringing:
    """A caller at an address of his own on a trunk's machine; T1's unless told."""
    address = scene.address(host)
    return Ringing(scene, await scene.trunk(behaviour, at=address, calls=calls, **keys), address)


async def until_invited(scene: Scene, to: str, times: int = 1, within_s: float = 10.0) -> SipMessage:
    """Wait until the server has invited an address so many times; the last INVITE."""
    return (await until(
        lambda: found if len(found := scene.invites(to)) >= times else None, f"{times} INVITE to {to}", within_s,
    ))[-1]


def keys_pressed(scene: Scene, host: str = A) -> list[tuple[str, float]]:
    """The keys that a machine's far ends sent by RFC 4733, with the time at which each began."""
    streams = [stream for stream in scene.rtp() if stream.source.startswith(f"{host}:")]
    return sorted((key for stream in streams for key in keys_of(stream)), key=lambda key: key[1])


@dataclass(frozen=True, slots=True)
class Spoken:
    """One clip that a far end was sent: Unix times of its begin and of the end of what was heard of it."""

    name: str
    at: float
    end: float


def sound_to(scene: Scene, host: str = A) -> Recorded:
    """All sound that the server sent to a machine."""
    source, target = f"{scene.server.host}:", f"{host}:"
    return recorded(s for s in scene.rtp() if s.source.startswith(source) and s.target.startswith(target))


def spoken(scene: Scene, host: str = A, clips: Mapping[str, Samples] | None = None) -> list[Spoken]:
    """Which clips (all of the English pack) were in the RTP to a machine, in order."""
    if clips is None:
        pack = Pack.load("en")
        clips = {name: pack.samples(name) for name in pack.clips}
    sound = sound_to(scene, host)
    found = find_clips(sound.samples, clips)
    return [Spoken(one.name, sound.at + one.at_ms / 1000, sound.at + (one.at_ms + one.ms) / 1000) for one in found]


def wallet(server: Server, name: str) -> tuple[int, int]:
    """Micros that an account has, and those of them that calls hold; a caller's wallet is found by his number."""
    row = server.read(lambda conn: conn.exec_driver_sql(
        "SELECT balance, held FROM accounts LEFT JOIN callers ON callers.account_id = accounts.id "
        "WHERE callers.number = ? OR (callers.id IS NULL AND accounts.name = ?)", (name, name),
    ).one())
    return int(row[0]), int(row[1])
