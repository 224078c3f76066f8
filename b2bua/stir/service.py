"""We as an authentication service for calls that leave, and as a verification service for calls that come."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from ipaddress import ip_network
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import Certificate

from b2bua.stir.certificates import BadCertificate, Signer, read_certificates, signer_of
from b2bua.stir.fetch import CertificateStore
from b2bua.stir.passport import Passport, is_signed_by, sign
from b2bua.stir.verdict import Finding, NotVerified, Said, Verdict, read_claim

__all__ = ["BadFiles", "Stir", "StirFiles"]

log = logging.getLogger(__name__)


class BadFiles(Exception):
    """The files do not go together; the sentence says why."""


@dataclass(frozen=True, slots=True)
class StirFiles:
    """What is configured: `[stir]`."""

    key: str = ""
    certificate: str = ""
    x5u: str = ""
    roots: str = ""
    x5u_networks: tuple[str, ...] = ()

    def changed_at(self) -> tuple[int, ...]:
        """When the files were written last.  Raises: OSError."""
        return tuple(Path(file).stat().st_mtime_ns for file in (self.key, self.certificate, self.roots) if file)


class Stir:
    """Signs and verifies; without a key or without roots it does only the other."""

    def __init__(
        self, files: StirFiles, wall: Callable[[], float], certificates: CertificateStore | None = None
    ) -> None:
        """Raises: BadFiles, OSError."""
        self._files = files
        self._wall = wall
        self._key: ec.EllipticCurvePrivateKey | None = None
        self._roots: Sequence[Certificate] = ()
        self._certificates = certificates or CertificateStore(
            self.signer_of, wall, networks=[ip_network(each) for each in files.x5u_networks]
        )
        self._read_at: tuple[int, ...] = ()
        self.renew()

    def renew(self) -> bool:
        """Take the files as they are now; False where they did not change.

        Raises: as at first; what was read before is used on.
        """
        changed = self._files.changed_at()
        if changed == self._read_at:
            return False
        self._read_at = changed
        key = _key(self._files)
        try:
            roots = read_certificates(Path(self._files.roots).read_bytes()) if self._files.roots else ()
        except BadCertificate as error:
            raise BadFiles(f"{self._files.roots}: {error}") from error
        self._key, self._roots = key, roots
        self._certificates.forget()
        return True

    @property
    def signs(self) -> bool:
        """Calls that leave are signed."""
        return self._key is not None

    @property
    def verifies(self) -> bool:
        """Signatures of calls that come are looked at."""
        return bool(self._roots)

    def signed(self, orig: str, dest: str, attest: str, origin: str) -> list[tuple[str, str]]:
        """Date and Identity of a call.

        `origin` tells one source of calls from another, and nobody which (RFC 8588 5).
        """
        assert self._key is not None
        at = int(self._wall())
        origid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._files.x5u}#{origin}"))
        identity = sign(Passport(orig, (dest,), at, self._files.x5u, attest, origid), self._key)
        return [("Date", formatdate(at, usegmt=True)), ("Identity", str(identity))]

    def signer_of(self, pem: bytes, now: float) -> Signer:
        """Whose certificate it is.  Raises: BadCertificate."""
        return signer_of(read_certificates(pem), self._roots, now)

    async def verify(self, said: Said) -> Verdict:
        """What a call's signature is worth."""
        try:
            claim = read_claim(said, self._wall())
            signer = await self._certificates.signer(claim.passport.x5u)
            if not is_signed_by(claim.token, signer.key):
                raise NotVerified(Finding.BROKEN, "the certificate's key did not sign it")
            if not signer.may_sign_for(said.orig):
                raise NotVerified(Finding.UNTRUSTED, "the certificate is not for this number")
        except NotVerified as end:
            return end.verdict
        return Verdict(Finding.PASSED, claim.passport.attest)


def _key(files: StirFiles) -> ec.EllipticCurvePrivateKey | None:
    """The key that is the certificate's.  Raises: BadFiles, OSError."""
    if not files.key:
        return None
    try:
        key = load_pem_private_key(Path(files.key).read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadFiles(f"{files.key}: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadFiles(f"{files.key}: expected a key of P-256, as ES256 needs")
    try:
        certificate = read_certificates(Path(files.certificate).read_bytes())[0]
    except BadCertificate as error:
        raise BadFiles(f"{files.certificate}: {error}") from error
    if certificate.public_key() != key.public_key():
        raise BadFiles(f"{files.certificate} is not the certificate of {files.key}")
    return key
