"""Authorities and certificates for signed calls; TNAuthLists are encoded by pyasn1, not by us."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pyasn1.codec.der.encoder import encode
from pyasn1_modules import rfc8226

__all__ = ["NOW", "Issued", "issue", "pem", "tn_auth_list"]

NOW = 1_800_000_000.0
"""When the virtual world begins."""
_DAY = datetime.timedelta(1)


@dataclass(frozen=True)
class Issued:
    """A certificate, its key, and those above it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def issue(
    name: str, by: Issued | None = None, *, ca: bool = False, numbers: bytes | None = None, now: float = NOW,
    days: tuple[int, int] = (-1, 1), path_length: int | None = None, curve: ec.EllipticCurve | None = None,
) -> Issued:  # fmt: skip
    """A certificate by an authority, or by itself; `numbers`: the value of its TNAuthList."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
        .issuer_name(by.certificate.subject if by else subject).serial_number(x509.random_serial_number())
        .not_valid_before(moment + days[0] * _DAY).not_valid_after(moment + days[1] * _DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True)
    )  # fmt: skip
    if numbers is not None:
        oid = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.26")
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, numbers), critical=False)
    return Issued(builder.sign(by.key if by else key, hashes.SHA256()), key)


def tn_auth_list(*, spc: str = "", ranges: dict[str, int] | None = None, one: tuple[str, ...] = ()) -> bytes:
    """DER of a TNAuthorizationList (RFC 8226 9)."""
    entries = rfc8226.TNAuthorizationList()
    if spc:
        entry = rfc8226.TNEntry()
        entry["spc"] = spc
        entries.append(entry)
    for start, count in (ranges or {}).items():
        entry = rfc8226.TNEntry()
        entry["range"]["start"] = start
        entry["range"]["count"] = count
        entries.append(entry)
    for number in one:
        entry = rfc8226.TNEntry()
        entry["one"] = number
        entries.append(entry)
    return bytes(encode(entries))


def pem(*issued: Issued) -> bytes:
    """Certificates as a file has them."""
    return b"".join(each.certificate.public_bytes(serialization.Encoding.PEM) for each in issued)
