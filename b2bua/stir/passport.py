"""PASSporTs, the signed statement of who calls whom, and the Identity header that carries one (RFC 8225, 8224, 8588).

Pure. Numbers are digits with their country code and without a plus (RFC 8224 8.3).
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

__all__ = ["BadIdentity", "Identity", "Passport", "expand", "is_signed_by", "read_identity", "read_token", "sign"]

_LONGEST = 8192
_ES256 = ec.ECDSA(SHA256())
_ENCODER = msgspec.json.Encoder(order="sorted")  # RFC 8225 9: lexicographic order, no whitespace
_HEADER = re.compile(r"\s*([\w-]*\.[\w-]*\.[\w-]+)\s*;(.*)", re.DOTALL)
_PARAM = re.compile(r'\s*([\w-]+)\s*=\s*(<[^<>]*>|"[^"\\]*"|[\w.+-]+)\s*(?:;|$)')


class BadIdentity(Exception):
    """An Identity header that says nothing we could check."""


@dataclass(frozen=True, slots=True)
class Passport:
    """The claims: `orig` calls `dest`."""

    orig: str
    """A number, or a URI where it is none."""
    dest: tuple[str, ...]
    iat: int
    """When it was signed, Unix time."""
    x5u: str
    """Where the certificate is."""
    attest: str = ""
    """`A`: the caller is known and may use the number; `B`: is known; `C`: came from elsewhere. Empty: not SHAKEN."""
    origid: str = ""

    def header(self) -> dict[str, str]:
        """The JOSE header."""
        return {"alg": "ES256", "typ": "passport", "x5u": self.x5u} | ({"ppt": "shaken"} if self.attest else {})

    def claims(self) -> dict[str, Any]:
        """The payload."""
        numbers = [each for each in self.dest if each.isdigit()]
        uris = [each for each in self.dest if not each.isdigit()]
        return {
            "dest": ({"tn": numbers} if numbers else {}) | ({"uri": uris} if uris else {}), "iat": self.iat,
            "orig": {"tn" if self.orig.isdigit() else "uri": self.orig},
        } | ({"attest": self.attest, "origid": self.origid} if self.attest else {})  # fmt: skip

    def signed_text(self) -> bytes:
        """What is signed: header and payload as base64url (RFC 7515 5.1)."""
        return _base64(_ENCODER.encode(self.header())) + b"." + _base64(_ENCODER.encode(self.claims()))


@dataclass(frozen=True, slots=True)
class Identity:
    """The value of an Identity header."""

    token: str
    """`header.payload.signature`, or `..signature` where the others follow from the request (RFC 8224 4.1)."""
    info: str
    """Where the certificate is."""
    ppt: str = ""

    def __str__(self) -> str:
        return f"{self.token};info=<{self.info}>;alg=ES256{f';ppt={self.ppt}' if self.ppt else ''}"

    @property
    def compact(self) -> bool:
        """Header and payload are left out."""
        return self.token.startswith("..")


def sign(passport: Passport, key: ec.EllipticCurvePrivateKey, *, compact: bool = False) -> Identity:
    """The Identity header of a PASSporT; a compact one only without attestation (RFC 8588 6)."""
    text = passport.signed_text()
    r, s = decode_dss_signature(key.sign(text, _ES256))
    signature = _base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))  # RFC 7518 3.4
    token = (b".." if compact else text + b".") + signature
    return Identity(token.decode(), passport.x5u, "shaken" if passport.attest else "")


def read_identity(value: str) -> Identity:
    """Read a header's value.  Raises: BadIdentity."""
    found = _HEADER.fullmatch(value) if len(value) <= _LONGEST else None
    if found is None:
        raise BadIdentity("no signed identity digest")
    token, rest = found.groups()
    params, at = dict[str, str](), 0
    while at < len(rest):
        param = _PARAM.match(rest, at)
        if param is None:
            raise BadIdentity("parameters that cannot be read")
        params.setdefault(param[1].lower(), param[2].strip('<>"'))
        at = param.end()
    if params.get("alg", "ES256") != "ES256":
        raise BadIdentity("another algorithm than ES256")
    if "info" not in params:
        raise BadIdentity("no certificate is named")
    return Identity(token, params["info"], params.get("ppt", ""))


def read_token(token: str) -> Passport:
    """The claims of a full token, not yet believed.  Raises: BadIdentity."""
    try:
        header, claims = (msgspec.json.decode(_unbase64(part), type=dict[str, Any]) for part in token.split(".")[:2])
        if (header["alg"], header.get("typ")) != ("ES256", "passport") or header.get("ppt", "shaken") != "shaken":
            raise BadIdentity("no PASSporT that we know")
        shaken = "ppt" in header
        return Passport(
            _one(claims["orig"]), tuple(_many(claims["dest"])), int(claims["iat"]), str(header["x5u"]),
            str(claims["attest"]) if shaken else "", str(claims["origid"]) if shaken else "",
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, msgspec.MsgspecError) as error:
        raise BadIdentity(f"claims that cannot be read: {error}") from error


def expand(identity: Identity, passport: Passport) -> str:
    """The full token of a compact one, whose header and payload are those of `passport`."""
    return passport.signed_text().decode() + identity.token[1:]


def is_signed_by(token: str, key: ec.EllipticCurvePublicKey) -> bool:
    """Whether the key's owner signed the full token."""
    text, _, signed = token.rpartition(".")
    try:
        raw = _unbase64(signed)
    except ValueError:
        return False
    if len(raw) != 64:
        return False
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), text.encode(), _ES256)
    except InvalidSignature:
        return False
    return True


def _one(claim: Mapping[str, Any]) -> str:
    found = claim.get("tn") or claim["uri"]
    if not isinstance(found, str):
        raise BadIdentity("orig is no number and no URI")
    return found


def _many(claim: Mapping[str, Any]) -> list[str]:
    found = [*claim.get("tn", ()), *claim.get("uri", ())]
    if not found or not all(isinstance(each, str) for each in found):
        raise BadIdentity("dest has no number and no URI")
    return found


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _unbase64(text: str) -> bytes:
    """Raises: ValueError."""
    if not re.fullmatch(r"[\w-]*", text, re.ASCII):
        raise ValueError("no base64url")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
