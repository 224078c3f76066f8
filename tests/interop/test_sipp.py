"""SIPp as a phone: scenarios that do one thing each, and are checked by the message."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest

from store.bindings import load_bindings
from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.server import until
from tests.interop.phones import program
from tests.interop.stories import BY_T2, DID, LOCAL, MOBILE
from tests.peers.capture import keys_of

PHONE, TRUNK = "127.0.0.5", "127.0.0.2"


@pytest.fixture
def proves(proven: Callable[..., None]) -> Callable[..., None]:
    """Say what was shown; skips where SIPp is not installed."""
    version = program("sipp", "-v")
    return lambda *what: proven("SIPp", version, *what)


async def test_registers(scene: Scene, proves: Callable[..., None]) -> None:
    await scene.serve()
    right = await scene.phone("phone_register")
    await right.passed()
    wrong = await scene.phone("phone_register", at=scene.address(PHONE), password="wrong")
    assert not (await wrong.verdict()).passed
    assert len(wrong.received("403")) == 1
    proves("registers", "wrong password refused")


async def test_calls_out(scene: Scene, proves: Callable[..., None]) -> None:
    server = await scene.serve()
    trunk = await scene.trunk("trunk_called_back", does="700:12#,2300:")
    caller = await scene.phone("uac_call", service=MOBILE, d="4300")
    await caller.passed()
    await trunk.passed()
    assert (await server.call_over()).reason == "talked"
    sent = [stream for stream in scene.wire.rtp() if stream.target.startswith(f"{PHONE}:")]
    assert "".join(key for stream in sent for key, _ in keys_of(stream)) == "12#"
    proves("calls out", "hangs up", "RFC 4733 heard")


async def test_is_called_and_is_hung_up(scene: Scene, proves: Callable[..., None]) -> None:
    server = await scene.serve()
    phone = await scene.phone("phone_answer")
    caller = await scene.trunk("trunk_call_in", d="2000")
    await caller.passed()
    await phone.passed()
    assert (await server.call_over()).reason == "talked"
    began = scene.said("ACK ", target=scene.ph)[0].at + 0.3
    assert scene.share(PHONE, TRUNK, began, 1.5) >= 0.95
    assert scene.share(TRUNK, PHONE, began, 1.5) >= 0.95
    proves("is called", "sound both ways", "is hung up")


async def test_transfers_blind_and_attended(scene: Scene, proves: Callable[..., None]) -> None:
    server = await scene.serve(BY_T2)
    mobile = await scene.trunk("trunk_answer", at=scene.t2)
    local = await scene.trunk("trunk_answer_bye_after", d="1500")
    await (await scene.phone("uac_transfer_blind", service=MOBILE, to=LOCAL, at=scene.address(PHONE))).passed()
    await local.passed()
    await mobile.passed()
    await server.call_over(2)

    mobile = await scene.trunk("trunk_answer", at=scene.t2)
    local = await scene.trunk("trunk_answer_bye_after", d="5000")
    asking = scene.address(PHONE)
    asked = await scene.phone("uac_call_hung_up", service=LOCAL, at=asking)
    found = await until(lambda: scene.said("ACK ", source=asking)[1:], "an ACK to the 200", 10)
    text = found[0]
    tags = [re.search(r"tag=([^;>\s]+)", text.header(name) or "") for name in ("To", "From")]
    assert all(tags)
    to_tag, from_tag = (tag[1] for tag in tags if tag)
    replaces = quote(f"{text.header('Call-ID')};to-tag={to_tag};from-tag={from_tag}", safe="")
    joins = await scene.phone("uac_transfer_attended", service=MOBILE, replaces=replaces, at=scene.address(PHONE))
    await joins.passed()
    await asked.passed()
    await local.passed()
    await mobile.passed()
    await server.call_over(4)
    assert [call.reason for call in server.calls()] == ["talked"] * 4
    proves("blind transfer", "attended transfer")


async def test_gives_up_and_is_given_up(scene: Scene, proves: Callable[..., None]) -> None:
    """The last phone says 200 although the CANCEL came first: ACK and BYE."""
    server = await scene.serve()
    trunk = await scene.trunk("trunk_no_answer")
    caller = await scene.phone("uac_cancel_while_ringing", service=MOBILE, at=scene.address(PHONE))
    await caller.passed()
    await trunk.passed()
    for behaviour in ("phone_no_answer", "phone_late_cancel"):
        phone = await scene.phone(behaviour)
        await (await scene.trunk("trunk_trigger_cancel", service=DID, d="300")).passed()
        await phone.passed()
    await server.call_over(3)
    proves("CANCEL sent", "CANCEL heard", "CANCEL crosses 200")


async def test_our_restart(scene: Scene, proves: Callable[..., None]) -> None:
    server = await scene.serve()
    phone = await scene.phone("phone_answer")
    await until(lambda: server.read(lambda conn: load_bindings(conn, 0.0)), "binding that is kept")
    await server.kill()
    await server.start()
    await (await scene.trunk("trunk_call_in", d="500")).passed()
    await phone.passed()
    again = await scene.phone("phone_register", at=scene.address(PHONE))
    await again.passed()
    proves("called after our restart", "registers after our restart")


async def test_at01(scene: Scene, proves: Callable[..., None]) -> None:
    server = await scene.serve(NO_CAPTCHA)
    phone, trunk = await scene.phone("phone_answer_press_1_bye_after", d="3000"), await scene.trunk()
    await (await scene.visitor()).ask()
    await phone.passed()
    await trunk.passed()
    assert (await server.request_over()).reason == "talked"
    proves("AT-01", "RFC 4733 sent")
