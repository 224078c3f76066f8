"""Signed calls on real sockets: SIPp reads and writes Identity, the certificate comes by HTTPS."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest

from b2bua.stir.passport import Passport, sign
from tests.acceptance.scene import Scene
from tests.b2bua.test_stir_verdict import Web
from tests.stir_pki import Issued, issue, pem, tn_auth_list

CALLER, DID = "5551111111", "5555550000"
REQUIRED = ('name = "R1"', 'name = "R1"\nverify = "require"')


async def serve(scene: Scene, folder: Path, leaf: Issued, root: Issued, url: str, *changes: tuple[str, str]) -> None:
    for name, data in (("key", leaf.key_pem), ("cert", pem(leaf)), ("roots", pem(root))):
        (folder / name).write_bytes(data)
    stir = f'[stir]\nkey = "{folder}/key"\ncertificate = "{folder}/cert"\nx5u = "{url}"\nroots = "{folder}/roots"\n'
    await scene.serve(*changes, settings=f'{stir}x5u_networks = ["127.0.0.0/8", "::1"]\nmark = "[ok] "')


async def test_a_call_out_is_signed_and_a_signed_call_in_is_believed(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    root = issue("root", ca=True, now=time.time())
    leaf = issue("leaf", root, numbers=tn_auth_list(ranges={f"1{CALLER}": 10}), now=time.time())
    web = Web(tmp_path)
    web.answer = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=300\r\n\r\n" + pem(leaf)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.crt"))
    async with web.running():
        await serve(scene, tmp_path, leaf, root, web.url, REQUIRED)
        phone = await scene.phone("phone_answer")
        trunk = await scene.trunk()
        caller = await scene.phone("uac_call", at=scene.address("127.0.0.6"), service=CALLER, d="300")
        await caller.passed()
        await trunk.passed()
        (invite,) = trunk.received("INVITE")
        token, _, params = (invite.header("Identity") or "").partition(";")
        claims = jwt.decode(token, leaf.key.public_key(), algorithms=["ES256"])  # type: ignore[arg-type]
        assert (claims["attest"], claims["orig"], claims["dest"]) == ("A", {"tn": f"1{DID}"}, {"tn": [f"1{CALLER}"]})
        assert params == f"info=<{web.url}>;alg=ES256;ppt=shaken"
        assert jwt.get_unverified_header(token)["x5u"] == web.url

        signed = sign(Passport(f"1{CALLER}", (f"1{DID}",), int(time.time()), web.url, "A", "1"), leaf.key)
        incoming = await scene.trunk("trunk_call_in_signed", identity=str(signed), d="300")
        await incoming.passed()
        await phone.passed()
        (rung,) = phone.received("INVITE")
        assert (rung.header("From") or "").startswith('"[ok] ')
        call = await scene.server.call_over(2)
        assert (call.reason, call.verified) == ("talked", "verified-A")
        assert len(web.asked) == 1

        unsigned = await scene.trunk("trunk_call_in", d="300")
        verdict = await unsigned.verdict()
        assert not verdict.passed
        assert scene.said("SIP/2.0 428 Use Identity Header", target=scene.t1)
        assert (await scene.server.call_over(3)).reason == "not-proven"
