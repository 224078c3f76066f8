"""HTTP digest for SIP: MD5 and SHA-256, with and without qop (RFC 3261 22, RFC 7616, RFC 8760)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from itertools import count

from sip_stack.errors import BadMessage
from sip_stack.grammar import quote, unquote
from sip_stack.message import Response

__all__ = [
    "Challenge",
    "Credentials",
    "NonceMaker",
    "Proof",
    "answer",
    "challenge_of",
    "ha1",
    "parse_challenge",
    "parse_proof",
    "proves",
]

_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_PAIR = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^\s,\"]*)\s*(?:,|$)")


def _hash(algorithm: str, text: str) -> str:
    return _HASHES[algorithm](text.encode("utf-8", "surrogateescape")).hexdigest()


def ha1(user: str, realm: str, password: str, algorithm: str = "MD5") -> str:
    """H(user:realm:password), the secret a server keeps instead of the password (RFC 7616 3.4.2)."""
    return _hash(algorithm, f"{user}:{realm}:{password}")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are at a trunk."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: str = ""
    opaque: str = ""
    stale: bool = False

    def __str__(self) -> str:
        opaque = f", opaque={quote(self.opaque)}" if self.opaque else ""
        qop = f", qop={quote(self.qop)}" if self.qop else ""
        stale = ", stale=true" if self.stale else ""
        named = f"realm={quote(self.realm)}, nonce={quote(self.nonce)}, algorithm={self.algorithm}"
        return f"Digest {named}{qop}{opaque}{stale}"


@dataclass(frozen=True, slots=True)
class Proof:
    """One Authorization or Proxy-Authorization, as received."""

    user: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    qop: str
    nc: str
    cnonce: str


def _pairs(value: str) -> dict[str, str]:
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        raise BadMessage("only the Digest scheme is supported")
    pairs: dict[str, str] = {}
    at = 0
    rest = rest.strip()
    while at < len(rest):
        match = _PAIR.match(rest, at)
        if match is None:
            raise BadMessage("Digest parameters cannot be read")
        pairs[match[1].lower()] = unquote(match[2])
        at = match.end()
    return pairs


def _algorithm(pairs: dict[str, str]) -> str:
    return pairs.get("algorithm", "MD5").upper()


def parse_challenge(value: str) -> Challenge | None:
    """Read one challenge; None for an algorithm or a qop we do not have.  Raises: BadMessage."""
    pairs = _pairs(value)
    if "nonce" not in pairs or "realm" not in pairs:
        raise BadMessage("a Digest challenge has a realm and a nonce")
    offered = [q.strip().lower() for q in pairs["qop"].split(",")] if "qop" in pairs else []
    if _algorithm(pairs) not in _HASHES or (offered and "auth" not in offered):
        return None
    return Challenge(
        realm=pairs["realm"],
        nonce=pairs["nonce"],
        algorithm=_algorithm(pairs),
        qop="auth" if offered else "",
        opaque=pairs.get("opaque", ""),
        stale=pairs.get("stale", "").lower() == "true",
    )


def challenge_of(response: Response) -> tuple[str, Challenge] | None:
    """The first challenge of a 401 or 407 that we can answer, with the header its answer goes into (RFC 8760 2.4)."""
    if response.status not in (401, 407):
        return None
    for asked, given in (("WWW-Authenticate", "Authorization"), ("Proxy-Authenticate", "Proxy-Authorization")):
        for value in response.fields.get(asked, ()):
            try:
                challenge = parse_challenge(value)
            except BadMessage:
                continue
            if challenge is not None:
                return given, challenge
    return None


def answer(challenge: Challenge, who: Credentials, method: str, uri: str, cnonce: str) -> str:
    """The Authorization value for one request (RFC 7616 3.4)."""
    secret = ha1(who.user, challenge.realm, who.password, challenge.algorithm)
    nc = "00000001"
    response = _response(challenge.algorithm, secret, challenge.nonce, challenge.qop, nc, cnonce, method, uri)
    qop = f", qop={challenge.qop}, nc={nc}, cnonce={quote(cnonce)}" if challenge.qop else ""
    opaque = f", opaque={quote(challenge.opaque)}" if challenge.opaque else ""
    return (
        f"Digest username={quote(who.user)}, realm={quote(challenge.realm)}, nonce={quote(challenge.nonce)}, "
        f"uri={quote(uri)}, response={quote(response)}, algorithm={challenge.algorithm}{qop}{opaque}"
    )


def _response(algorithm: str, secret: str, nonce: str, qop: str, nc: str, cnonce: str, method: str, uri: str) -> str:
    ha2 = _hash(algorithm, f"{method}:{uri}")
    middle = f"{nonce}:{nc}:{cnonce}:{qop}" if qop else nonce
    return _hash(algorithm, f"{secret}:{middle}:{ha2}")


def parse_proof(value: str) -> Proof:
    """Read one Authorization.  Raises: BadMessage where a required parameter is missing."""
    pairs = _pairs(value)
    for name in ("username", "realm", "nonce", "uri", "response"):
        if name not in pairs:
            raise BadMessage(f"Digest parameter {name} is missing")
    return Proof(
        user=pairs["username"],
        realm=pairs["realm"],
        nonce=pairs["nonce"],
        uri=pairs["uri"],
        response=pairs["response"].lower(),
        algorithm=_algorithm(pairs),
        qop=pairs.get("qop", "").lower(),
        nc=pairs.get("nc", ""),
        cnonce=pairs.get("cnonce", ""),
    )


def proves(proof: Proof, secret: str, method: str) -> bool:
    """True when `proof` was made with `secret` (an `ha1`); the client's own `uri` is what it signed."""
    if proof.algorithm not in _HASHES or proof.qop not in ("", "auth"):
        return False
    expected = _response(proof.algorithm, secret, proof.nonce, proof.qop, proof.nc, proof.cnonce, method, proof.uri)
    return hmac.compare_digest(expected.encode(), proof.response.encode("utf-8", "surrogateescape"))


class NonceMaker:
    """Nonces that carry their own time, signed: nothing is remembered, any worker can check (RFC 7616 3.3)."""

    __slots__ = ("_count", "_key", "_life_s")

    def __init__(self, key: bytes, life_s: int = 300) -> None:
        self._key = key
        self._life_s = life_s
        self._count = count()

    def make(self, now: float, bound: str = "") -> str:
        """A nonce good for `life_s` seconds from `now` (Unix time), and like no other: SIPp's cnonce never changes.

        It is `foreign` with another `bound`, for example the address that it is sent to (RFC 7616 3.3).
        """
        stamp = f"{int(now):x}-{next(self._count):x}"
        return f"{stamp}.{self._sign(stamp, bound)}"

    def state(self, nonce: str, now: float, bound: str = "") -> str:
        """`fresh`, `stale` (ours but old: challenge again with stale=true) or `foreign`."""
        stamp, _, signature = nonce.partition(".")
        if not hmac.compare_digest(self._sign(stamp, bound).encode(), signature.encode("utf-8", "surrogateescape")):
            return "foreign"
        return "fresh" if 0 <= now - int(stamp.partition("-")[0], 16) <= self._life_s else "stale"

    def _sign(self, stamp: str, bound: str) -> str:
        signed = f"{stamp} {bound}".encode("utf-8", "surrogateescape")
        return hmac.new(self._key, signed, hashlib.sha256).hexdigest()[:32]
