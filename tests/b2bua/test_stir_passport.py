"""PASSporTs and Identity headers, against openssl and PyJWT, which made none of ours (RFC 8224, 8225, 8588)."""

from __future__ import annotations

import json
import subprocess
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from b2bua.stir.attest import attestation, canonical, signed_number
from b2bua.stir.passport import BadIdentity, Passport, expand, is_signed_by, read_identity, read_token, sign
from sip_stack.headers import NameAddr
from sip_stack.uri import sip_uri
from store.values import Trunk
from tests.stir_pki import issue

X5U = "https://cert.example.org/passport.cer"
SHAKEN = Passport("12155551212", ("12155551213",), 1443208345, X5U, "A", "123e4567-e89b-12d3-a456-426655440000")
PLAIN = Passport("12155551212", ("sip:alice@example.com",), 1471375418, X5U)
SIGNER = issue("signer")


def unpacked(part: str) -> str:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()


@pytest.mark.parametrize(("passport", "header", "claims"), [
    pytest.param(PLAIN, '{"alg":"ES256","typ":"passport","x5u":"https://cert.example.org/passport.cer"}',
                 '{"dest":{"uri":["sip:alice@example.com"]},"iat":1471375418,"orig":{"tn":"12155551212"}}',
                 id="the example of RFC 8225, appendix A"),
    pytest.param(SHAKEN, '{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://cert.example.org/passport.cer"}',
                 '{"attest":"A","dest":{"tn":["12155551213"]},"iat":1443208345,"orig":{"tn":"12155551212"},'
                 '"origid":"123e4567-e89b-12d3-a456-426655440000"}', id="the example of RFC 8588, section 9"),
])  # fmt: skip
def test_the_signed_text_is_that_of_the_rfc(passport: Passport, header: str, claims: str) -> None:
    ours = passport.signed_text().decode().split(".")
    assert [unpacked(part) for part in ours] == [header, claims]


def test_openssl_and_pyjwt_verify_what_we_sign(tmp_path: Path) -> None:
    identity = sign(SHAKEN, SIGNER.key)
    token, *params = str(identity).split(";")
    assert params == [f"info=<{X5U}>", "alg=ES256", "ppt=shaken"]
    claims = jwt.decode(token, SIGNER.key.public_key(), algorithms=["ES256"], options={"verify_iat": False})  # type: ignore[arg-type]
    assert claims == SHAKEN.claims()
    text, _, signature = token.rpartition(".")
    raw = urlsafe_b64decode(signature + "==")
    (tmp_path / "text").write_text(text)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    (tmp_path / "sig").write_bytes(encode_dss_signature(r, s))
    (tmp_path / "key").write_bytes(SIGNER.key_pem)
    words = ["openssl", "dgst", "-sha256", "-prverify", "key", "-signature", "sig", "text"]
    assert subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "Verified OK\n"


def test_what_openssl_signs_is_verified(tmp_path: Path) -> None:
    text = ".".join(
        urlsafe_b64encode(json.dumps(part, indent=1).encode()).decode().rstrip("=")  # another's spaces and order
        for part in ({"typ": "passport", "x5u": X5U, "ppt": "shaken", "alg": "ES256"}, {**SHAKEN.claims(), "more": 1})
    )
    (tmp_path / "text").write_text(text)
    (tmp_path / "key").write_bytes(SIGNER.key_pem)
    words = ["openssl", "dgst", "-sha256", "-sign", "key", "text"]
    r, s = decode_dss_signature(subprocess.run(words, cwd=tmp_path, capture_output=True, check=True).stdout)
    signature = urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode().rstrip("=")
    identity = read_identity(f'{text}.{signature} ; info = <{X5U}>;alg=ES256 ;ppt="shaken"; x=y')
    assert (identity.info, identity.ppt, read_token(identity.token)) == (X5U, "shaken", SHAKEN)
    assert is_signed_by(identity.token, SIGNER.key.public_key())
    assert not is_signed_by(identity.token, issue("another").key.public_key())


def test_a_compact_one_leaves_out_what_the_request_says() -> None:
    identity = sign(PLAIN, SIGNER.key, compact=True)
    assert str(identity).startswith("..")
    again = read_identity(str(identity))
    assert again.compact
    assert is_signed_by(expand(again, PLAIN), SIGNER.key.public_key())
    assert not is_signed_by(expand(again, SHAKEN), SIGNER.key.public_key())


@pytest.mark.parametrize("value", [
    "", "a.b", "a.b.c", "a.b.c;", "a.b.c;alg=ES256", "a.b.c;info=https://h/c", "a.b.c;info=<https://h/c>;alg=RS256",
    "a.b.c;info=<https://h/c>;ppt", "a$.b.c;info=<https://h/c>", "a.b.c;info=<" + "x" * 9000 + ">", "a.b.c.d;info=<x>",
    'a.b.c;info="',
])  # fmt: skip
def test_a_header_that_says_nothing(value: str) -> None:
    with pytest.raises(BadIdentity):
        read_identity(value)


def packed(header: object, claims: object) -> str:
    parts = (urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    return ".".join((*parts, "x"))


GOOD, CLAIMS = SHAKEN.header(), SHAKEN.claims()


@pytest.mark.parametrize("token", [
    pytest.param(".x.y", id="nothing"),
    pytest.param("e30.e30.x", id="empty objects"),
    pytest.param("W10.e30.x", id="a list"),
    pytest.param("=.=.x", id="no base64url"),
    pytest.param(packed(GOOD | {"alg": "none"}, CLAIMS), id="not signed at all"),
    pytest.param(packed(GOOD | {"alg": "HS256"}, CLAIMS), id="a shared secret"),
    pytest.param(packed(GOOD | {"typ": "JWT"}, CLAIMS), id="another token"),
    pytest.param(packed(GOOD | {"ppt": "div"}, CLAIMS), id="another kind"),
    pytest.param(packed(GOOD, CLAIMS | {"iat": "soon"}), id="no time"),
    pytest.param(packed(GOOD, CLAIMS | {"iat": 1e400}), id="no time that comes"),
    pytest.param(packed(GOOD, CLAIMS | {"orig": {"tn": 5}}), id="a caller that is no text"),
    pytest.param(packed(GOOD, CLAIMS | {"orig": []}), id="no caller"),
    pytest.param(packed(GOOD, CLAIMS | {"dest": {}}), id="nobody called"),
    pytest.param(packed(GOOD, CLAIMS | {"dest": {"tn": [None]}}), id="a called that is no text"),
    pytest.param(packed(GOOD, {k: v for k, v in CLAIMS.items() if k != "attest"}), id="SHAKEN without attestation"),
])  # fmt: skip
def test_claims_that_cannot_be_read(token: str) -> None:
    with pytest.raises(BadIdentity):
        read_token(token)


@pytest.mark.parametrize("token", ["a.b.", "a.b.c", "a.b.$", "a.b." + "A" * 85, "a.b." + "A" * 86])
def test_a_signature_of_nobody(token: str) -> None:
    assert not is_signed_by(token, SIGNER.key.public_key())


# ---- what is signed

TRUNK = Trunk(1, "R1", "192.0.2.1")
E164 = Trunk(1, "R1", "192.0.2.1", number_format="e164", country="DE")


@pytest.mark.parametrize(("number", "trunk", "digits"), [
    pytest.param("+12025550100", TRUNK, "12025550100", id="E.164"),
    pytest.param("+1 (202) 555-0100", TRUNK, "12025550100", id="with separators"),
    pytest.param("2025550100", TRUNK, "12025550100", id="national, of the trunk's country"),
    pytest.param("12025550100", TRUNK, "12025550100", id="with the country code"),
    pytest.param("4930123456", E164, "4930123456", id="digits of E.164 where the trunk writes such"),
    pytest.param("911", TRUNK, "1911", id="a short number"),
    pytest.param("001*002", TRUNK, "", id="an extension"),
    pytest.param("anonymous", TRUNK, "", id="nobody"),
    pytest.param("", TRUNK, "", id="nothing"),
    pytest.param("\uff11" * 10, TRUNK, "", id="digits of another script"),
])  # fmt: skip
def test_a_number_for_signing(number: str, trunk: Trunk, digits: str) -> None:
    assert canonical(number, trunk) == digits


FROM = NameAddr("John", sip_uri("+12025550100", "pbx.test"))
ANONYMOUS = NameAddr("Anonymous", sip_uri("anonymous", "anonymous.invalid"))


@pytest.mark.parametrize(("from_", "asserted", "number"), [
    pytest.param(FROM, "", "12025550100", id="the number in From"),
    pytest.param(FROM, "<sip:+12025550111@h>", "12025550111", id="the asserted one, which far ends compare with"),
    pytest.param(ANONYMOUS, "<sip:+12025550111@h>", "12025550111", id="anonymous, for a trunk that is told"),
    pytest.param(ANONYMOUS, "", "", id="anonymous: orig would tell"),
    pytest.param(FROM, "<sip:001*002@h>", "", id="an extension is no number"),
])  # fmt: skip
def test_which_number_is_signed(from_: NameAddr, asserted: str, number: str) -> None:
    headers = [("Privacy", "id"), ("P-Asserted-Identity", asserted)] if asserted else []
    assert signed_number(from_, headers, TRUNK) == number


@pytest.mark.parametrize(("number", "relayed", "attest"), [
    pytest.param("1", False, "A", id="an extension of ours with a number of its own"),
    pytest.param("2", False, "B", id="an extension of ours with another number"),
    pytest.param("2", True, "C", id="from another trunk"),
    pytest.param("1", True, "C", id="from another trunk, whatever it shows"),
])  # fmt: skip
def test_how_much_we_vouch_for(number: str, relayed: bool, attest: str) -> None:
    assert attestation(number, {"1"}, relayed=relayed) == attest
