"""PJSUA2 as a phone in its own process (GPL): JSON lines in, JSON lines out.

`python -m tests.peers.pjsua2_phone '{"server": …}'` is the phone; class Pjsua2Phone is its remote control.
"""

from __future__ import annotations

import json
import os
import select
import sys
from pathlib import Path
from typing import Any

from tests.peers.child import Child

__all__ = ["Pjsua2Phone"]


class Pjsua2Phone(Child):
    """One phone: `async with Pjsua2Phone(…) as phone: await phone.event("registered")`; ended by its pid on exit.

    Its commands are `register`, `dial`, `answer`, `hangup`, `press` (RFC 4733), `inform` (INFO), `hold`, `resume`,
    `transfer`, `join` (the last two calls); its
    events `registered` and `refused` (with `status`), `incoming`, `ringing`, `answered`, `ended`, `key`.
    It speaks the WAV `speaks` and records what it hears to `folder`/heard-N.wav, whole a moment after a call.
    """

    def __init__(
        self, folder: Path, *, user: str, password: str, server: str, address: str, sip_port: int, speaks: Path,
        prefix: tuple[str, ...] = (), demanding: bool = False,
    ) -> None:
        """`demanding`: it requires 100rel and session timers in every call."""
        super().__init__("tests.peers.pjsua2_phone", {
            "demanding": demanding,
            "user": user, "password": password, "server": server, "address": address, "port": sip_port,
            "speaks": str(speaks), "folder": str(folder),
        }, log=folder / "pjsua2.log", prefix=prefix)


def _phone(said: dict[str, Any]) -> None:
    """The child: run the phone until `quit` or the end of stdin."""
    import pjsua2 as pj

    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # PJSUA2 logs to stdout: keep that out of the protocol
    kept: list[Any] = []

    def tell(event: str, **facts: Any) -> None:
        out.write(json.dumps({"event": event, **facts}) + "\n")

    class Call(pj.Call):  # type: ignore[misc]
        recorder: Any = None

        def onCallState(self, prm: Any) -> None:
            info = self.getInfo()
            if info.state == pj.PJSIP_INV_STATE_EARLY and info.role == pj.PJSIP_ROLE_UAC:
                tell("ringing", status=info.lastStatusCode)
            elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
                tell("answered")
            elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
                self.recorder = None  # the header of the WAV is written when the recorder goes
                tell("ended", status=info.lastStatusCode, reason=info.lastReason)

        def onCallMediaState(self, prm: Any) -> None:
            info = self.getInfo()  # its parts do not outlive it
            for index, media in enumerate(info.media):
                if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                    sound = self.getAudioMedia(index)
                    if self.recorder is None:
                        self.recorder = pj.AudioMediaRecorder()
                        self.recorder.createRecorder(f"{said['folder']}/heard-{len(kept)}.wav")
                    player.startTransmit(sound)
                    sound.startTransmit(self.recorder)

        def onDtmfDigit(self, prm: Any) -> None:
            tell("key", key=prm.digit, how=prm.method)

    class Account(pj.Account):  # type: ignore[misc]
        def onRegState(self, prm: Any) -> None:
            tell("registered" if prm.code == 200 else "refused", status=prm.code)

        def onIncomingCall(self, prm: Any) -> None:
            call = Call(self, prm.callId)
            kept.append(call)
            ringing = pj.CallOpParam()
            ringing.statusCode = 180
            call.answer(ringing)
            tell("incoming", caller=call.getInfo().remoteUri)

    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.userAgent = f"PJSUA2/{endpoint.libVersion().full}"
    config.medConfig.sndAutoCloseTime = -1
    config.medConfig.clockRate = 8000
    config.medConfig.noVad = True
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = said["port"], said["address"]
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    for codec in endpoint.codecEnum2():
        endpoint.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith("PCMU") else 0)
    player = pj.AudioMediaPlayer()
    player.createPlayer(said["speaks"])
    identity = f"sip:{said['user']}@{said['server']}"
    account_config = pj.AccountConfig()
    account_config.idUri = identity
    account_config.regConfig.registrarUri = f"sip:{said['server']}"
    account_config.regConfig.timeoutSec = 300
    account_config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", said["user"], 0, said["password"]))
    account_config.mediaConfig.transportConfig.boundAddress = said["address"]
    account_config.mediaConfig.transportConfig.port = said["port"] + 10
    if said["demanding"]:
        account_config.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
        account_config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_REQUIRED
        account_config.callConfig.timerSessExpiresSec = 120
    account = Account()
    account.create(account_config)

    def obey(name: str, value: str) -> None:
        settings = pj.CallOpParam(True)
        if name == "register":
            account.setRegistration(True)
        elif name == "dial":
            kept.append(Call(account))
            kept[-1].makeCall(f"sip:{value}@{said['server']}", settings)
        elif name == "answer":
            settings.statusCode = 200
            kept[-1].answer(settings)
        elif name == "hangup":
            kept[-1].hangup(settings)
        elif name == "press":
            kept[-1].dialDtmf(value)
        elif name == "inform":
            keys = pj.CallSendDtmfParam()
            keys.method, keys.digits = pj.PJSUA_DTMF_METHOD_SIP_INFO, value
            kept[-1].sendDtmf(keys)
        elif name == "hold":
            kept[-1].setHold(settings)
        elif name == "transfer":
            kept[-1].xfer(f"sip:{value}@{said['server']}", settings)
        elif name == "join":
            kept[-2].xferReplaces(kept[-1], settings)
        elif name == "resume":
            settings.opt.flag = pj.PJSUA_CALL_UNHOLD
            kept[-1].reinvite(settings)

    waiting = b""
    while True:
        endpoint.libHandleEvents(10)
        if not select.select([0], [], [], 0)[0]:
            continue
        read = os.read(0, 65536)
        *lines, waiting = (waiting + read).split(b"\n")
        for name, value in map(json.loads, lines):
            if name == "quit":
                endpoint.hangupAllCalls()
                os._exit(0)  # its own shutdown takes a second
            try:
                obey(name, value)
            except pj.Error as failed:
                sys.stderr.write(f"{name}: {failed.info()}\n")
        if not read:
            os._exit(0)


if __name__ == "__main__":
    _phone(json.loads(sys.argv[1]))
