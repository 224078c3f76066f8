"""What each phone must get through, told once: a test file gives it a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from store import ledger
from store.bindings import load_bindings
from tests.acceptance.scene import NO_CAPTCHA, Scene
from tests.acceptance.server import until
from tests.interop.line import Line, line
from tests.interop.phones import Phone
from tests.interop.table import CANNOT
from tests.peers.sipp import Sipp

__all__ = ["PhoneStories"]

MOBILE = "0412345678"
DID = "5555550000"
LOCAL = "5555551234"
BY_T2 = ('[[route]]\ntrunk = "R1"\n', '[[route]]\nprefix = "04"\ntrunk = "R2"\n\n[[route]]\ntrunk = "R1"\n')


class PhoneStories:
    """`class TestBaresip(PhoneStories): phone = Baresip`."""

    phone: ClassVar[type[Phone]]

    @pytest.fixture
    def proves(self, proven: Callable[..., None]) -> Callable[..., None]:
        """Say what was shown for this phone; skips where it is not installed."""
        version = self.phone.version()
        return lambda *what: proven(self.phone.name, version, *what)

    def can(self, what: str) -> bool:
        """Whether the phone has a way to do it."""
        return what not in CANNOT[self.phone.name]

    async def test_a_wrong_password_is_refused(
        self, scene: Scene, tmp_path: Path, proves: Callable[..., None],
    ) -> None:
        async with line(scene, tmp_path, password="wrong") as at, self.phone(at.seat):
            refused = await until(lambda: [status for status, proof in at.answers("REGISTER") if proof], "answer", 10)
            assert {*refused} <= {401, 403}
        proves("wrong password refused")

    async def test_calls_out(self, scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
        """Sound and keys both ways, hold and resume; the phone hangs up."""
        async with line(scene, tmp_path) as at, self.phone(at.seat) as phone:
            await at.registered()
            if self.can("RFC 4733 heard"):
                trunk = await scene.trunk("trunk_called_back", does="700:12#,2300:")
            else:
                trunk = await scene.trunk("trunk_answer")
            await phone.dial(MOBILE)
            await phone.established()
            proves("registers", "calls out")
            if self.can("RFC 4733 heard"):
                await until(lambda: phone.keys() == "12#", "12# at the phone", 10)
                proves("RFC 4733 heard")
            if self.can("RFC 4733 sent"):
                await phone.press("34")
                await until(lambda: at.trunk_keys() == "34", "34 at the trunk", 10)
                proves("RFC 4733 sent")
            if self.can("hold, resume"):
                await self._holds(at, phone)
                proves("hold, resume")
            if self.can("INFO sent"):
                await phone.inform("5")
                await until(lambda: at.trunk_keys() == "345", "345 at the trunk", 10)
                await until(lambda: [status for status, _ in at.answers("INFO")] == [200], "answer to INFO")
                proves("INFO sent")
            await phone.hangup()
            await phone.closed()
            await trunk.passed()
            await until(lambda: at.answers("BYE"), "answer to BYE")
            assert at.answers("BYE")[0][0] == 200  # linphonec repeats a BYE that comes right after an INFO
            assert (await at.server.call_over()).reason == "talked"
        proves("hangs up")

    async def test_transfers(self, scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
        """Whom it talks with talks with another number in the end, which hangs up; it hears of it and is hung up."""
        async with line(scene, tmp_path, BY_T2) as at, self.phone(at.seat) as phone:
            await at.registered()
            if self.can("blind transfer"):
                mobile = await scene.trunk("trunk_answer", at=scene.t2)
                local = await scene.trunk("trunk_answer_bye_after", d="2000")
                await phone.dial(MOBILE)
                await phone.established()
                await phone.transfer(LOCAL)
                await self._joined(at, mobile, local, calls=2)
                await phone.closed()
                proves("blind transfer")
            if self.can("attended transfer"):
                mobile = await scene.trunk("trunk_answer", at=scene.t2)
                local = await scene.trunk("trunk_answer_bye_after", d="6000")
                await phone.dial(MOBILE)
                await phone.established(2)
                await phone.consult(LOCAL)
                await phone.established(3)
                await phone.join()
                await self._joined(at, mobile, local, calls=4)
                await phone.closed(3)
                proves("attended transfer")

    async def _joined(self, at: Line, mobile: Sipp, local: Sipp, calls: int) -> None:
        await until(lambda: (202, True) in at.answers("REFER"), "202 to REFER", 10)
        await until(lambda: any("\n\r\nSIP/2.0 200" in m.text for m in at.asked("NOTIFY")), "NOTIFY of 200", 10)
        await local.passed()
        await mobile.passed()
        await at.server.call_over(calls)
        assert [call.reason for call in at.server.calls()] == ["talked"] * calls
        assert at.server.read(ledger.audit) == []

    async def _holds(self, at: Line, phone: Phone) -> None:
        """While it is on hold nothing is sent to it (what it sends, if only music, is its own affair); then again."""
        before = len(at.answers("INVITE"))
        await phone.hold()
        await until(lambda: len(at.answers("INVITE")) > before, "answer to the hold", 10)
        held = at.scene.now() + 0.3
        await until(lambda: at.scene.now() > held + 1, "second on hold")
        assert at.packets_to_phone(held) == 0
        resumed = at.scene.now()
        await phone.resume()
        await until(lambda: len(at.answers("INVITE")) > before + 1, "answer to the resume", 10)
        assert {status for status, _ in at.answers("INVITE")[before:]} == {200}
        await at.trunk_hears(1.0, since=resumed)
        await until(lambda: at.packets_to_phone(resumed) >= 50, "second of sound at the phone")

    async def test_is_called(self, scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
        """Sound both ways; the far end hangs up."""
        if not self.can("is called"):
            await self._is_hung_up(scene, tmp_path)
            proves("is hung up")
            return
        async with line(scene, tmp_path) as at, self.phone(at.seat) as phone:
            await at.registered()
            trunk = await scene.trunk("trunk_call_in", d="2700")
            await phone.incoming()
            await phone.answer()
            await phone.established()
            await trunk.passed()
            await phone.closed()
            assert (await at.server.call_over()).reason == "talked"
            await until(lambda: phone.tone_s() >= 1.8, "1.8 s of the trunk's tone at the phone")
            assert self.phone.silent or at.trunk_tone_s() >= 1.8
        proves("is called", "sound both ways", "is hung up")

    async def _is_hung_up(self, scene: Scene, tmp_path: Path) -> None:
        async with line(scene, tmp_path) as at, self.phone(at.seat) as phone:
            await at.registered()
            trunk = await scene.trunk("trunk_answer_bye_after", d="1000")
            await phone.dial(MOBILE)
            await phone.established()
            await trunk.passed()
            await phone.closed()
            assert (await at.server.call_over()).reason == "talked"

    async def test_gives_up_and_is_given_up(self, scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
        """CANCEL from the phone, to the phone, and to the phone while its 200 is on the way."""
        async with line(scene, tmp_path) as at, self.phone(at.seat) as phone:
            await at.registered()
            call = 0
            if self.can("CANCEL sent"):
                call += 1
                trunk = await scene.trunk("trunk_no_answer")
                await phone.dial(MOBILE)
                await trunk.until("INVITE")
                await until(lambda: at.scene.said("SIP/2.0 180", source=scene.t1), "ringing", 5)
                await phone.hangup()
                await trunk.passed()
                await phone.closed()
                assert (200, False) in at.answers("CANCEL")
                assert at.answers("INVITE")[-1][0] == 487
                proves("CANCEL sent")
            if self.can("CANCEL heard"):
                await self._is_given_up(at, phone, call)
                proves("CANCEL heard")
                await self._answers_too_late(at, phone, call)
                await at.server.rest()
                proves("CANCEL crosses 200")

    async def _is_given_up(self, at: Line, phone: Phone, calls: int) -> None:
        trunk = await at.scene.trunk("trunk_trigger_cancel", service=DID, d="1000")
        await phone.incoming()
        await trunk.passed()
        assert len(at.asked("CANCEL")) == 1
        if self.phone.ends_what_is_cancelled:
            await phone.closed(calls + 1)
        else:
            await phone.answer()  # that is too late: it must get ACK and BYE
            await until(lambda: at.asked("ACK") and at.asked("BYE"), "ACK and BYE")

    async def _answers_too_late(self, at: Line, phone: Phone, calls: int) -> None:
        """The caller gives up in the moment in which the phone answers: the phone is left with no call in any case."""
        ended, gave_up = len(at.asked("CANCEL")) + len(at.asked("BYE")), len(at.given_up())
        trunk = await at.scene.trunk("trunk_trigger_cancel", service=DID, d="1300")
        await phone.incoming(2)
        await until(lambda: len(at.given_up()) > gave_up, "CANCEL", 5)
        await phone.answer()
        await trunk.passed()
        await until(lambda: len(at.asked("CANCEL")) + len(at.asked("BYE")) > ended, "CANCEL or BYE", 5)

    async def test_our_restart(self, scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
        """After kill -9 and a new start a call comes to the phone, which need not register first; and it may."""
        async with line(scene, tmp_path) as at, self.phone(at.seat) as phone:
            await at.registered()
            await until(lambda: at.server.read(lambda conn: load_bindings(conn, 0.0)), "binding that is kept")
            await at.server.kill()
            await at.server.start()
            if self.can("called after our restart"):
                trunk = await scene.trunk("trunk_call_in", d="500")
                await phone.incoming()
                await phone.answer()
                await trunk.passed()
                await phone.closed()
                proves("called after our restart")
            before = len(at.answers("REGISTER"))
            await phone.register()
            await until(lambda: (200, True) in at.answers("REGISTER")[before:], "new registration", 10)
            proves("registers after our restart")

    async def test_at01(self, scene: Scene, tmp_path: Path, proves: Callable[..., None]) -> None:
        """A visitor asks; the phone rings, confirms by key 1 and talks with him."""
        if not self.can("AT-01"):
            return
        async with line(scene, tmp_path, NO_CAPTCHA) as at, self.phone(at.seat) as phone:
            await at.registered()
            trunk, visitor = await scene.trunk("trunk_rtp_stops"), await scene.visitor()
            token = await visitor.ask()
            await phone.incoming()
            (invite, *_) = await until(lambda: at.asked("INVITE"), "INVITE")
            assert '"Mary" <sip:5555555555@' in (invite.header("From") or "")
            await phone.answer()
            await phone.established()
            assert scene.invites(scene.t1) == []
            await phone.press("1")
            await trunk.until("ACK")
            await visitor.until_stage(token, "talking")
            await at.trunk_hears(3.0)
            await phone.hangup()
            await phone.closed()
            await trunk.passed()
            await until(lambda: phone.tone_s() >= 2.0, "2 s of the trunk's tone at the phone")
            assert (await at.server.request_over()).reason == "talked"
        proves("AT-01")
