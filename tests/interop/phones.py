"""The phones of the matrix: baresip, PJSUA2, linphonec, pyVoIP and aiosip in the one vocabulary."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Self

import pytest

from media.prompt import BadClip, read_wav
from tests.acceptance.sound import seconds_of
from tests.interop.phone import Phone, Seat, library
from tests.peers import baresip
from tests.peers.aiosip_phone import AiosipPhone
from tests.peers.child import Child
from tests.peers.linphonec import Linphonec
from tests.peers.pjsua2_phone import Pjsua2Phone
from tests.peers.pyvoip_phone import PyVoipPhone

__all__ = ["PORT", "TONE_HZ", "Aiosip", "Baresip", "Linphone", "Phone", "Pjsua2", "PyVoip", "program"]

PORT = 5060
TONE_HZ = 440
"""What SIPp plays."""


def program(name: str, option: str) -> str:
    """The version that a program prints; skips the test where it is missing."""
    if not which(name):
        pytest.skip(f"needs the program {name}")
    done = subprocess.run([name, option], capture_output=True, text=True, timeout=10)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    assert found, done
    return found[0]


def _tone_s(wav: Path) -> float:
    try:
        return seconds_of(read_wav(wav), TONE_HZ)
    except BadClip:  # its header is written a moment after the end of the call
        return 0.0


class _Running(Phone):
    """A phone that is a program."""

    _phone: baresip.Baresip | Linphonec | Child

    async def __aenter__(self) -> Self:
        await self._phone.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._phone.__aexit__(kind, value, trace)


class Baresip(_Running):
    """baresip, by ctrl_tcp."""

    name = "baresip"
    _phone: baresip.Baresip

    def __init__(self, seat: Seat) -> None:
        self._phone = baresip.Baresip(
            seat.folder, user=seat.user, password=seat.password, domain=seat.server, address=seat.address,
            sip_port=PORT, speaks=seat.speaks, prefix=seat.prefix,
        )

    @classmethod
    def version(cls) -> str:
        return program("baresip", "-h")

    async def register(self) -> None:
        account = (self._phone.folder / "accounts").read_text().strip()
        await self._phone.command("uanew", account)

    async def dial(self, number: str) -> None:
        await self._phone.dial(number)

    async def incoming(self, call: int = 1) -> None:
        await self._phone.event("CALL_INCOMING", 10, times=call)

    async def answer(self) -> None:
        await self._phone.answer()

    async def established(self, call: int = 1) -> None:
        await self._phone.event("CALL_ESTABLISHED", 10, times=call)

    async def hangup(self) -> None:
        await self._phone.hangup()

    async def closed(self, call: int = 1) -> None:
        await self._phone.event("CALL_CLOSED", 10, times=call)

    async def press(self, keys: str) -> None:
        await self._phone.press(keys)

    async def hold(self) -> None:
        await self._phone.command("hold")

    async def resume(self) -> None:
        await self._phone.command("resume")

    async def transfer(self, number: str) -> None:
        await self._phone.command("transfer", number)

    def keys(self) -> str:
        return "".join(event["param"] for event in self._phone.events if event["type"] == "CALL_DTMF_START")

    def tone_s(self) -> float:
        return _tone_s(self._phone.heard[-1])


class Linphone(_Running):
    """linphonec, by its console."""

    name = "linphonec"
    _phone: Linphonec

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._phone = Linphonec(
            seat.folder, user=seat.user, password=seat.password, server=seat.server, address=seat.address,
            sip_port=PORT, speaks=seat.speaks, prefix=seat.prefix,
        )

    @classmethod
    def version(cls) -> str:
        return program("linphonec", "--version")

    async def register(self) -> None:
        seat = self._seat
        self._phone.command(f"register sip:{seat.user}@{seat.server} sip:{seat.server} {seat.password}")

    async def dial(self, number: str) -> None:
        self._phone.command(f"call sip:{number}@{self._seat.server}")

    async def incoming(self, call: int = 1) -> None:
        await self._phone.said("Receiving new incoming call", times=call)

    async def answer(self) -> None:
        self._phone.command("answer")

    async def established(self, call: int = 1) -> None:
        await self._phone.said("Media streams established", times=call)

    async def hangup(self) -> None:
        self._phone.command("terminate")

    async def closed(self, call: int = 1) -> None:
        await self._phone.said(r"Call \d+ with .* (?:ended|error)", times=call)

    async def press(self, keys: str) -> None:
        for key in keys:
            self._phone.command(key)

    async def inform(self, keys: str) -> None:
        self._phone.command("param sip use_info 1")
        self._phone.command("param sip use_rfc2833 0")
        await self.press(keys)

    async def hold(self) -> None:
        self._phone.command("pause")

    async def resume(self) -> None:
        self._phone.command("resume")

    async def transfer(self, number: str) -> None:
        self._phone.command(f"transfer sip:{number}@{self._seat.server}")

    async def consult(self, number: str) -> None:
        self._phone.command("pause")
        await self.dial(number)

    async def join(self) -> None:
        first, second = self._phone.found(r"Call (\d+) with .* connected")[-2:]
        self._phone.command(f"transfer {first} --to-call {second}")

    def keys(self) -> str:
        return "".join(self._phone.found("Receiving tone (.) from"))

    def tone_s(self) -> float:
        return _tone_s(self._phone.heard)


class _Library(_Running):
    """A Python library in a process of its own."""

    _phone: Child

    async def register(self) -> None:
        self._phone.command("register")

    async def dial(self, number: str) -> None:
        self._phone.command("dial", number)

    async def incoming(self, call: int = 1) -> None:
        await self._phone.event("incoming", times=call)

    async def answer(self) -> None:
        self._phone.command("answer")

    async def established(self, call: int = 1) -> None:
        await self._phone.event("answered", times=call)

    async def hangup(self) -> None:
        self._phone.command("hangup")

    async def closed(self, call: int = 1) -> None:
        await self._phone.event("ended", times=call)

    def keys(self) -> str:
        return "".join(event["key"] for event in self._phone.events if event["event"] == "key")


class Pjsua2(_Library):
    """PJSUA2, the library under many phones."""

    name = "PJSUA2"

    def __init__(self, seat: Seat) -> None:
        self._folder = seat.folder
        self._phone = Pjsua2Phone(
            seat.folder, user=seat.user, password=seat.password, server=seat.server, address=seat.address,
            sip_port=PORT, speaks=seat.speaks, prefix=seat.prefix,
        )

    @classmethod
    def version(cls) -> str:
        return library("pjsua2-python").partition(".post")[0]

    async def press(self, keys: str) -> None:
        self._phone.command("press", keys)

    async def inform(self, keys: str) -> None:
        self._phone.command("inform", keys)

    async def hold(self) -> None:
        self._phone.command("hold")

    async def resume(self) -> None:
        self._phone.command("resume")

    async def transfer(self, number: str) -> None:
        self._phone.command("transfer", number)

    async def consult(self, number: str) -> None:
        self._phone.command("hold")
        await self.dial(number)

    async def join(self) -> None:
        self._phone.command("join")

    def tone_s(self) -> float:
        return _tone_s(max(self._folder.glob("heard-*.wav"), key=lambda path: path.stat().st_mtime))


class PyVoip(_Library):
    """pyVoIP, a softphone in Python."""

    name = "pyVoIP"
    ends_what_is_cancelled = False
    silent = True

    def __init__(self, seat: Seat) -> None:
        self._phone = PyVoipPhone(
            seat.folder, user=seat.user, password=seat.password, server=seat.server, address=seat.address,
            sip_port=PORT, auto_answer=False, prefix=seat.prefix,
        )

    @classmethod
    def version(cls) -> str:
        return library("pyVoIP")

    def tone_s(self) -> float:
        ended = [event for event in self._phone.events if event["event"] == "ended"]
        return float(ended[-1]["loud"]) / 50


class Aiosip(_Library):
    """aiosip, a SIP library of 2017 without sound."""

    name = "aiosip"

    def __init__(self, seat: Seat) -> None:
        self._phone = AiosipPhone(
            seat.folder, user=seat.user, password=seat.password, server=seat.server, address=seat.address,
            sip_port=PORT, prefix=seat.prefix,
        )

    @classmethod
    def version(cls) -> str:
        return library("aiosip")
