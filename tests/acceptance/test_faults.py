"""Faults of far ends on real sockets, many side by side against one server: SIPp does the one thing wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from tests.acceptance.scene import SECOND_PHONE, Scene
from tests.peers.addresses import namespace
from tests.peers.baresip import Baresip
from tests.peers.sipp import Sipp

TRUNK, PHONE, CALLER = "127.0.0.2", "127.0.0.5", "127.0.0.6"

OUTSIDE_A_CALL = [
    "bye_of_nobody", "cancel_of_nothing", "malformed_content_length", "malformed_max_forwards", "malformed_no_from",
    "malformed_to", "malformed_version", "message_not_allowed", "options_ping", "too_many_hops", "unacceptable_accept",
    "unknown_method", "unsupported_require", "unsupported_scheme",
]  # fmt: skip

TALKED, REFUSED, GAVE_UP, HUNG_UP = "uac_call", "uac_call_refused", "uac_cancel_while_ringing", "uac_hung_up_at_once"

BY_TRUNKS = {
    "trunk_200_broken_answer": REFUSED, "trunk_200_without_answer": REFUSED, "trunk_486_after_cancel": GAVE_UP,
    "trunk_bye_481": TALKED, "trunk_bye_at_once": HUNG_UP, "trunk_declined_603": REFUSED,
    "trunk_lose_two_invites": TALKED, "trunk_many_180": TALKED,
    "trunk_moved_302": REFUSED, "trunk_two_200_tags": TALKED,
    "trunk_422_then_session": TALKED, "trunk_forked_early_media": TALKED, "trunk_reliable_183": "uac_call_100rel",
    "trunk_update_hold": TALKED, "uas_retransmit_200": TALKED,
}  # fmt: skip
"""What a trunk does, and how its caller fares."""

BY_PHONES = {"phone_486_after_cancel": GAVE_UP, "phone_busy_everywhere": REFUSED, "phone_late_cancel": GAVE_UP}
"""The same for a phone that is called."""

BY_CALLERS = {
    "uac_bye_repeated": "phone_answer", "uac_bye_wrong_tag": "phone_answer", "uac_cancel_at_once": "phone_slow_to_ring",
    "uac_call_no_offer": "phone_answer", "uac_drop_one_200_ack": "phone_answer", "uac_no_ack_to_401": "phone_answer",
}  # fmt: skip
"""What a caller does, and what the phone does that it calls."""


def extension(n: int) -> str:
    """One more phone."""
    return f'\n[[extension]]\nnumber = "001*1{n:02d}"\naccount = "client"\nname = "N{n}"\npassword = "secret"\n'


def trunk(n: int, at: str) -> str:
    """One more trunk, for numbers that begin with 0444 and its own."""
    host, _, port = at.rpartition(":")
    return (
        f'\n[[trunk]]\nname = "F{n}"\nhost = "{host}"\nport = {port}\nnumber_format = "as-is"\n'
        f'\n[[route]]\ntrunk = "F{n}"\nprefix = "0444{n:02d}"\n'
    )


def talk(caller: str) -> dict[str, str]:
    """Of a caller that waits: how long."""
    waiting = (TALKED, GAVE_UP, "uac_call_100rel", "uac_call_no_offer", "uac_drop_one_200_ack")
    return {"d": "300"} if caller in waiting else {}


async def test_requests_outside_a_call_get_their_answers(scene: Scene) -> None:
    await scene.serve()
    probes = [await scene.phone(name, at=scene.address(CALLER), register=False) for name in OUTSIDE_A_CALL]
    await asyncio.gather(*(probe.passed() for probe in probes))


async def test_faults_of_trunks(scene: Scene) -> None:
    places = {name: scene.address(TRUNK) for name in BY_TRUNKS}
    server = await scene.serve(more="".join(trunk(n, at) for n, at in enumerate(places.values())))
    trunks = [await scene.trunk(name, at=at) for name, at in places.items()]
    callers = [await call(scene, caller, f"0444{n:02d}5678") for n, caller in enumerate(BY_TRUNKS.values())]
    await asyncio.gather(*(peer.passed() for peer in [*callers, *trunks]))
    await server.call_over(len(trunks))
    wanted = {TALKED: "talked", "uac_call_100rel": "talked", HUNG_UP: "talked", GAVE_UP: "cancelled"}
    reasons = {call.to: call.reason for call in server.calls()}
    for n, (name, caller) in enumerate(BY_TRUNKS.items()):
        if caller != REFUSED:
            assert (name, reasons[f"0444{n:02d}5678"]) == (name, wanted[caller])
    assert scene.invites("127.0.0.66:5066") == [], "a trunk moves nobody"
    for name, at in places.items():
        assert (name, len(scene.invites(at))) == (name, 2 if "422" in name else 1)


async def test_a_trunk_that_is_out_of_service_for_one_call_has_the_next(scene: Scene) -> None:
    at = scene.address(TRUNK)
    server = await scene.serve(more=trunk(0, at))
    peer = await scene.trunk("trunk_503_then_200", at=at, calls=2)
    await (first := await call(scene, REFUSED, "0444005678")).passed()
    assert len(first.received("503 INVITE")) == 1
    await (await call(scene, TALKED, "0444005678")).passed()
    await peer.passed()
    assert (await server.call_over(2)).reason == "talked"


async def test_faults_of_phones_that_are_called(scene: Scene) -> None:
    await scene.serve(more="".join(extension(n) for n in range(len(BY_PHONES))))
    phones = [await phone(scene, name, n) for n, name in enumerate(BY_PHONES)]
    callers = [await call(scene, caller, f"001*1{n:02d}") for n, caller in enumerate(BY_PHONES.values())]
    await asyncio.gather(*(peer.passed() for peer in [*callers, *phones]))


async def test_faults_of_callers(scene: Scene) -> None:
    server = await scene.serve(more="".join(extension(n) for n in range(len(BY_CALLERS))))
    phones = [await phone(scene, name, n) for n, name in enumerate(BY_CALLERS.values())]
    callers = [await call(scene, caller, f"001*1{n:02d}") for n, caller in enumerate(BY_CALLERS)]
    await asyncio.gather(*(peer.passed() for peer in callers))
    rung = [peer for peer in phones if peer.received("INVITE")]
    assert len(rung) >= len(phones) - 1, "but for the call that was cancelled at once"
    await asyncio.gather(*(peer.passed() for peer in rung))
    await server.call_over(len(callers))
    assert Counter(record.reason for record in server.calls()) == {"talked": 5, "cancelled": 1}


async def test_a_caller_with_a_wrong_password_rings_nobody(scene: Scene) -> None:
    await scene.serve()
    called = await scene.phone("phone_answer")
    caller = await scene.phone("uac_wrong_password", at=scene.address(CALLER), register=False, service="001*002")
    await caller.passed()
    assert called.received("INVITE") == []


async def test_a_phone_on_a_line_that_loses_every_fifth_datagram(scene: Scene, tmp_path: Path) -> None:
    """baresip registers and calls twice; what is lost is sent again by whoever misses an answer."""
    with namespace() as space:
        space.lose(one_in=5)
        server = await scene.serve(more=SECOND_PHONE, host=space.host_address)
        called = await scene.phone("phone_answer", calls=2)
        async with Baresip(
            tmp_path / "jane", user="001*003", password="secret3", domain=server.sip, address=space.address,
            sip_port=5060, prefix=space.prefix,
        ) as jane:
            await jane.registered(within_s=20)
            for n in range(2):
                await jane.dial("001*002")
                await jane.event("CALL_ESTABLISHED", 20, times=n + 1)
                await jane.hangup()
                await server.call_over(n + 1, within_s=20)
        await called.passed()
        assert [call.reason for call in server.calls()] == ["talked"] * 2
        assert space.lost() >= 4


async def call(scene: Scene, caller: str, number: str) -> Sipp:
    return await scene.phone(caller, at=scene.address(CALLER), register=False, service=number, **talk(caller))


async def phone(scene: Scene, behaviour: str, n: int) -> Sipp:
    return await scene.phone(behaviour, at=scene.address(PHONE), user=f"001*1{n:02d}")
