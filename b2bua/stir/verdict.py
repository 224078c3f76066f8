"""What an Identity header is worth: every end of a verification has one name and one status (RFC 8224 6.2); pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from b2bua.stir.passport import BadIdentity, Identity, Passport, expand, read_identity, read_token

__all__ = ["FRESH_S", "Claim", "Finding", "NotVerified", "Said", "Verdict", "read_claim"]

FRESH_S = 60
"""RFC 8224 6.2.2: how old, or how far ahead, a signature may be."""


class Finding(StrEnum):
    """The one result of a verification."""

    PASSED = "verified"
    NONE = "not-signed"
    STALE = "stale"
    CALLER = "other-caller"
    CALLED = "other-called"
    NO_CERTIFICATE = "no-certificate"
    """It could not be fetched."""
    UNTRUSTED = "untrusted-certificate"
    BROKEN = "bad-signature"

    @property
    def failed(self) -> bool:
        """Somebody signed, and it proves nothing."""
        return self not in (Finding.PASSED, Finding.NONE)

    @property
    def refusal(self) -> tuple[int, str]:
        """What a call is told where nothing but a proof will do (RFC 8224 6.2.2)."""
        return _REFUSALS.get(self, (438, "Invalid Identity Header"))


_REFUSALS = {
    Finding.NONE: (428, "Use Identity Header"),
    Finding.STALE: (403, "Stale Date"),
    Finding.NO_CERTIFICATE: (436, "Bad Identity Info"),
    Finding.UNTRUSTED: (437, "Unsupported Credential"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a caller's number."""

    finding: Finding
    attest: str = ""
    """`A`, `B` or `C` as the signer says; empty where it is not verified, or not SHAKEN."""
    why: str = ""

    def __str__(self) -> str:
        return f"{self.finding}-{self.attest}" if self.finding is Finding.PASSED and self.attest else str(self.finding)


class NotVerified(Exception):
    """The verification ends here."""

    def __init__(self, finding: Finding, why: str) -> None:
        super().__init__(why)
        self.verdict = Verdict(finding, why=why)


@dataclass(frozen=True, slots=True)
class Said:
    """What an INVITE says, numbers as `canonical` has them."""

    identities: tuple[str, ...]
    """The values of its Identity headers."""
    orig: str
    dest: frozenset[str]
    """The number in To, and the one in the Request-URI, which a redirection may have changed."""
    date: float | None
    """Unix time of its Date."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A PASSporT that speaks of this call, now; whether it is true the certificate decides."""

    passport: Passport
    token: str


def read_claim(said: Said, now: float) -> Claim:
    """The PASSporT of a call.  Raises: NotVerified."""
    if not said.identities:
        raise NotVerified(Finding.NONE, "no Identity header")
    try:
        identity = _ours(said.identities)
        claim = _compact(identity, said) if identity.compact else Claim(read_token(identity.token), identity.token)
    except BadIdentity as error:
        raise NotVerified(Finding.BROKEN, str(error)) from error
    passport = claim.passport
    if passport.x5u != identity.info:
        raise NotVerified(Finding.BROKEN, "info and x5u name two certificates")
    if bool(passport.attest) != (identity.ppt == "shaken") or passport.attest not in ("", "A", "B", "C"):
        raise NotVerified(Finding.BROKEN, "ppt and claims do not fit")
    if abs(now - passport.iat) > FRESH_S:
        raise NotVerified(Finding.STALE, f"signed {now - passport.iat:.0f} s ago")
    if not said.orig or passport.orig != said.orig:
        raise NotVerified(Finding.CALLER, f"signed for {passport.orig}")
    if not said.dest & {*passport.dest}:
        raise NotVerified(Finding.CALLED, f"signed for a call to {', '.join(passport.dest)}")
    return claim


def _ours(values: Iterable[str]) -> Identity:
    """The first of a kind that we know; others say other things of the call (RFC 8224 6.2.1).  Raises: BadIdentity."""
    fault = BadIdentity("")
    for value in values:
        try:
            found = read_identity(value)
        except BadIdentity as error:
            fault = error
            continue
        if found.ppt in ("", "shaken"):
            return found
    if not str(fault):
        raise NotVerified(Finding.NONE, "no kind of PASSporT that we know")
    raise fault


def _compact(identity: Identity, said: Said) -> Claim:
    """Header and claims as the request has them (RFC 8224 6.2.1).  Raises: BadIdentity."""
    if identity.ppt:
        raise BadIdentity("a SHAKEN PASSporT must be whole")
    if said.date is None:
        raise BadIdentity("a compact one without a Date")
    passport = Passport(said.orig, tuple(sorted(said.dest)), int(said.date), identity.info)
    return Claim(passport, expand(identity, passport))
