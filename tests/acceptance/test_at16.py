"""AT-16: the extension's password, the PIN of a CallerID, three tries, the lock; nothing of it in logs."""

from __future__ import annotations

import asyncio
import sys

from tests.acceptance.callback import CALLER, A, B, callback, caller, does, ring, spoken
from tests.acceptance.scene import Scene
from tests.acceptance.server import ROOT, Server

SECOND = "5551111112"
SECOND_BY_T2 = f'[[route]]\nprefix = "{SECOND}"\ntrunk = "R2"\n'
PIN = "735191"
HANGS_UP = "trunk_called_back_bye_after"
GREETING, PASSWORD, ASK_PIN, DIAL = "callback-greeting", "ask-password", "ask-pin", "dial-number"


async def test_at16_the_right_password_opens(scene: Scene) -> None:
    """Keys by RFC 4733 at T1, by SIP INFO at T2; both hear greeting, question and, after '#', the next prompt."""
    server = await scene.serve(callback(trigger_s=1, dial_s=2), more=caller() + caller(SECOND) + SECOND_BY_T2)
    keyed = await scene.trunk(HANGS_UP, does=does((4.2, "4321#")), talk="800")
    by_info = await scene.trunk("trunk_called_back_info", at=scene.t2, does=does((4.2, "4321#"), info=True))
    for number in (CALLER, SECOND):
        await (await ring(scene, caller=number)).sipp.passed()
    await keyed.passed()
    await by_info.passed()
    await server.request_over(2)
    assert "Signal=#" in scene.said("INFO ", source=scene.t2)[-1].text
    assert [clip.name for clip in spoken(scene, A)][:3] == [GREETING, PASSWORD, DIAL]
    assert [clip.name for clip in spoken(scene, B)][:3] == [GREETING, PASSWORD, DIAL]


async def test_at16_three_wrong_passwords_end_the_call(scene: Scene) -> None:
    """And the credit is not offered to who has not proven himself (AT-17)."""
    server = await scene.serve(callback(trigger_s=1, credit_enquiry=True), more=caller())
    back = await scene.trunk("trunk_called_back", does=does((3.4, "1#"), (2.0, "2#"), (2.0, "4320#")))
    await (await ring(scene)).sipp.passed()
    await back.passed()
    request = await server.request_over()
    heard = spoken(scene, A)
    names = [clip.name for clip in heard]
    assert names[:2] == [GREETING, PASSWORD]
    assert (names.count("wrong-secret"), names.count("too-many-tries"), names.count("credit-menu")) == (2, 1, 0)
    assert names[-1] == "too-many-tries"
    (bye,) = scene.said("BYE ", source=server.sip, target=scene.t1)
    assert -0.1 < bye.at - heard[-1].end < 1
    assert [invite.target for invite in scene.invites()] == [scene.t1]
    assert request.reason == "wrong-secret"
    assert "event=wrong-secret" in server.log.read_text()


async def test_at16_five_failures_lock_the_number(scene: Scene) -> None:
    """Three in the first call, two in the second; the third trigger is not served."""
    server = await scene.serve(callback(trigger_s=1), more=caller())
    for tries in (("1#", "2#", "3#"), ("4#", "5#")):
        back = await scene.trunk(HANGS_UP, does=does(*((0.3, keys) for keys in tries)), talk="0")
        before = len(server.requests())
        await (await ring(scene)).sipp.passed()
        await server.request_over(before + 1, within_s=20)
        await back.stop()
    third = await ring(scene)
    await third.sipp.passed()
    third.check(1.0)
    locked = await server.request_over(3)
    assert locked.reason == "number-locked"
    await scene.nobody_rang(locked.ended or 0, expected=2)


async def test_at16_password_then_pin_and_no_pin_for_a_row_without(scene: Scene) -> None:
    """T1's caller has a PIN and presses by INFO, T2's has none; no digit of it is kept anywhere."""
    server = await scene.serve(
        callback(trigger_s=1, ask_pin=True, dial_s=3), more=caller(pin=PIN) + caller(SECOND) + SECOND_BY_T2,
    )
    both = await scene.trunk("trunk_called_back_info", does=does((4.2, "4321#"), (2.6, f"{PIN}#"), info=True))
    one = await scene.trunk(HANGS_UP, at=scene.t2, does=does((4.2, "4321#")), talk="800")
    for number in (CALLER, SECOND):
        await (await ring(scene, caller=number)).sipp.passed()
    await both.passed()
    await one.passed()
    await server.request_over(2)
    assert [clip.name for clip in spoken(scene, A)][:4] == [GREETING, PASSWORD, ASK_PIN, DIAL]
    assert [clip.name for clip in spoken(scene, B)][:3] == [GREETING, PASSWORD, DIAL]
    await nothing_tells(server, PIN)


async def test_at16_a_pin_alone(scene: Scene) -> None:
    """Without an extension password only the row with a PIN is asked; a wrong PIN counts as a wrong password does."""
    server = await scene.serve(
        callback(trigger_s=1, password=None, ask_pin=True, dial_s=3),
        more=caller(pin=PIN) + caller(SECOND) + SECOND_BY_T2,
    )
    asked = await scene.trunk(HANGS_UP, does=does((3.8, "4321#"), (1.6, f"{PIN}#")), talk="800")
    free = await scene.trunk(HANGS_UP, at=scene.t2, does=does(), talk="2000")
    for number in (CALLER, SECOND):
        await (await ring(scene, caller=number)).sipp.passed()
    await asked.passed()
    await free.passed()
    await server.request_over(2)
    assert [name for clip in spoken(scene, A) if (name := clip.name) != ASK_PIN] == [GREETING, "wrong-secret", DIAL]
    assert [clip.name for clip in spoken(scene, A)][1] == ASK_PIN
    assert [clip.name for clip in spoken(scene, B)][:2] == [GREETING, DIAL]


async def nothing_tells(server: Server, secret: str) -> None:
    """Neither log, nor database, nor what `why` prints has the secret, nor key after key of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua", "why", CALLER, "--ladder", "--database", server.database, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed = (await process.communicate())[0].decode()
    assert (process.returncode, "INFO" in printed) == (0, True), printed
    kept = b"".join(path.read_bytes() for path in server.folder.glob("ringback.db*") if path.is_file())
    for text in (printed, server.log.read_text(), kept.decode(errors="replace")):
        assert secret not in text
        assert "Signal=7" not in text
    digits = [word for word in printed.replace("Signal=", " ").split() if word in set(secret)]
    assert digits == []
