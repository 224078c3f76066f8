"""AT-16 and AT-19 with a phone that others wrote: baresip rings, is called back, presses PIN and number, is cut off."""

from __future__ import annotations

from pathlib import Path

from media.prompt import Pack, read_wav
from tests.acceptance.callback import B_BY_T2, CALLER, CB, TENTH, callback, caller
from tests.acceptance.scene import Scene
from tests.acceptance.server import until
from tests.acceptance.sound import recorded, seconds_of
from tests.acceptance.test_at19 import answered
from tests.peers.addresses import Namespace, namespace
from tests.peers.baresip import Baresip
from tests.peers.capture import Capture
from tests.peers.heard import clips_heard, find_clips

PIN = "735191"
TRUNK_TONE_HZ = 440


async def test_at19_baresip_presses_pin_and_number_and_hears_the_last_sound(scene: Scene, tmp_path: Path) -> None:
    """It is the far end of R1, in a network of its own."""
    with namespace() as space:
        server = await scene.serve(
            callback(trigger_s=1, password=None, ask_pin=True, pay_call_back="no", dial_s=20), *TENTH,
            ('host = "127.0.0.2"', f'host = "{space.address}"'), (f"port = {scene.t1.split(':')[1]}", "port = 5060"),
            more=caller(credit="0.10", pin=PIN) + B_BY_T2, host=space.host_address,
        )
        async with Capture(tmp_path / "mary.pcap", interface=space.interface) as air, Baresip(
            tmp_path / "mary", user=CALLER, password="", domain=server.sip, address=space.address, sip_port=5060,
            prefix=space.prefix, regint=0,
        ) as mary:
            await mary.dial(f"sip:{CB}@{server.sip}")
            refused = await mary.closed()
            assert "486" in refused["param"]
            await mary.incoming()
            await mary.answer()
            await mary.established()
            trunk = await scene.trunk("trunk_rtp_stops", at=scene.t2)
            await until(lambda: hears(air, space, "ask-pin"), "question for the PIN", 10)
            await mary.press(f"{PIN}#")
            await until(lambda: hears(air, space, "dial-number"), "question for the number", 10)
            await mary.press("040000#")
            await trunk.passed()
            cut = scene.now()
            await mary.event("CALL_CLOSED", 15, times=2)
        request = await server.request_over()
        assert (request.reason, request.cost) == ("credit-spent", 100_000)
        sound = read_wav(mary.heard[-1])
        names = clips_heard(sound, Pack.load("en"))
        assert names[0] == "callback-greeting"
        assert [name for name in names if name in ("ask-pin", "dial-number", "credit-spent")] == [
            "ask-pin", "dial-number", "credit-spent",
        ]
        assert names[-1] == "credit-spent"
        assert 2.0 <= seconds_of(sound, TRUNK_TONE_HZ) <= 3.2
        assert abs(cut - answered(scene, scene.t2) - 3.0) <= 0.5


def hears(air: Capture, space: Namespace, name: str) -> bool:
    """Whether this clip was sent to the namespace to its end."""
    clip = Pack.load("en").samples(name)
    sound = recorded(stream for stream in air.rtp() if stream.target.startswith(f"{space.address}:")).samples
    return any(heard.ms > len(clip) / 8 - 150 for heard in find_clips(sound, {name: clip}))
