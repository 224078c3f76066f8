"""Who may sign for a number: chains of certificates up to roots we know, and their TNAuthList (RFC 8226); pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import Certificate, ExtensionNotFound, ObjectIdentifier

__all__ = ["BadCertificate", "Signer", "read_certificates", "signer_of"]

_TN_AUTH_LIST = ObjectIdentifier("1.3.6.1.5.5.7.1.26")
_DEEPEST = 4
"""Certificates between ours and a root."""
_SEQUENCE, _INTEGER, _IA5 = 0x30, 0x02, 0x16
_SPC, _RANGE, _ONE = 0xA0, 0xA1, 0xA2  # RFC 8226: EXPLICIT TAGS


class BadCertificate(Exception):
    """A certificate that proves nothing to us; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose certificate it is: the key, until when, and for which numbers."""

    key: ec.EllipticCurvePublicKey
    until: float
    """Unix time."""
    providers: tuple[str, ...]
    """Codes of service providers: a carrier may sign for all its callers (ATIS-1000080)."""
    numbers: tuple[tuple[str, int], ...]
    """First number and how many."""

    def may_sign_for(self, number: str) -> bool:
        """A carrier for any number; another certificate for those it names."""
        if self.providers:
            return True
        return any(
            len(first) == len(number) and int(first) <= int(number) < int(first) + count
            for first, count in self.numbers
        ) if number.isdecimal() else False  # fmt: skip


def read_certificates(pem: bytes) -> list[Certificate]:
    """All certificates of a file, its own first.  Raises: BadCertificate."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadCertificate(f"no certificate in PEM: {error}") from error


def signer_of(chain: Sequence[Certificate], roots: Sequence[Certificate], now: float) -> Signer:
    """Who signs with the first certificate of a chain that leads to a root.  Raises: BadCertificate."""
    leaf = chain[0]
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadCertificate("its key is not of P-256, as ES256 needs")
    until = _lead_to_root(leaf, chain[1:], roots, now)
    if _is_authority(leaf):
        raise BadCertificate("it is an authority's, which signs certificates and no calls")
    try:
        found = leaf.extensions.get_extension_for_oid(_TN_AUTH_LIST).value
    except (ExtensionNotFound, ValueError) as error:
        raise BadCertificate("it names no numbers and no provider (TNAuthList)") from error
    assert isinstance(found, x509.UnrecognizedExtension)
    try:
        providers, numbers = _tn_auth_list(found.value)
    except (ValueError, IndexError) as error:
        raise BadCertificate(f"its TNAuthList cannot be read: {error}") from error
    return Signer(key, until, providers, numbers)


def _lead_to_root(
    leaf: Certificate, others: Sequence[Certificate], roots: Sequence[Certificate], now: float
) -> float:
    """Until when the chain is good.  Raises: BadCertificate."""
    current, until = leaf, _until(leaf, now)
    for depth in range(_DEEPEST + 1):
        root = next((each for each in roots if _issued(current, each)), None)
        if root is not None:
            return min(until, _until(root, now))
        issuer = next((each for each in others if each != current and _issued(current, each)), None)
        if issuer is None:
            raise BadCertificate("it leads to no root that we know")
        if not _is_authority(issuer, depth):
            raise BadCertificate("it was issued by somebody who is no authority")
        current, until = issuer, min(until, _until(issuer, now))
    raise BadCertificate("its chain is too long")


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _until(certificate: Certificate, now: float) -> float:
    moment = datetime.fromtimestamp(now, UTC)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise BadCertificate(f"{certificate.subject.rfc4514_string()} is not valid now")
    return certificate.not_valid_after_utc.timestamp()


def _is_authority(certificate: Certificate, depth: int = 0) -> bool:
    """It may issue certificates, with so many other issuers below it (RFC 5280 4.2.1.9, 4.2.1.3)."""
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ExtensionNotFound, ValueError):
        return False
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except ExtensionNotFound:
        usage = None
    allowed = basic.path_length is None or basic.path_length >= depth
    return basic.ca and allowed and (usage is None or usage.key_cert_sign)


def _tn_auth_list(data: bytes) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
    """Providers and ranges of numbers (RFC 8226 9).  Raises: ValueError, IndexError."""
    providers, numbers = list[str](), list[tuple[str, int]]()
    ((tag, entries),) = _elements(data)
    if tag != _SEQUENCE:
        raise ValueError("no sequence")
    for kind, entry in _elements(entries):
        ((inner, value),) = _elements(entry)
        if (kind, inner) == (_SPC, _IA5):
            providers.append(value.decode("ascii"))
        elif (kind, inner) == (_ONE, _IA5):
            numbers.append((_digits(value), 1))
        elif (kind, inner) == (_RANGE, _SEQUENCE):
            (_, start), (_, count), *_ = _elements(value)
            numbers.append((_digits(start), int.from_bytes(count, "big")))
        else:
            raise ValueError(f"an entry {kind:#x}")
    return tuple(providers), tuple(numbers)


def _digits(value: bytes) -> str:
    text = value.decode("ascii")
    if not text.isdecimal():
        raise ValueError(f"the number {text!r}")
    return text


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and contents of each DER element.  Raises: IndexError, ValueError."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            if not 0 < size <= 3:
                raise ValueError("a length of no end")
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("it is cut off")
        yield tag, data[at : at + length]
        at += length
