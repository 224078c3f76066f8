"""Who may register and call: digest proofs of extensions, and a brake on guessing (RFC 3261 22, RFC 7616)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from b2bua.rules.sources import source_of
from b2bua.rules.throttle import WINDOW_S, Throttle
from sip_stack.digest import Challenge, NonceMaker, Proof, parse_proof, proves
from sip_stack.errors import PeerError
from sip_stack.headers import NameAddr
from sip_stack.identity import is_anonymous
from sip_stack.message import Request
from store.directory import Directory
from store.values import Extension

__all__ = ["Gate"]

_MOST_PROOFS = 50_000
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class Gate:
    """Challenges, checks, and remembers who guesses.  All verbs take `now` in Unix time."""

    def __init__(self, key: bytes, algorithms: tuple[str, ...] = ("MD5",)) -> None:
        self._nonces = NonceMaker(key)
        self._algorithms = algorithms
        self._throttle = Throttle()
        self._spent: OrderedDict[str, None] = OrderedDict()

    def check(self, request: Request, ip: str, port: int, directory: Directory, now: float) -> Extension:
        """The extension that proved itself, from `ip` and `port`.

        Raises: PeerError 401 with a challenge, 403 for a wrong proof or for who guesses.
        """
        values = request.fields.get("Authorization") or request.fields.get("Proxy-Authorization")
        if not values:
            raise self._challenge(directory.realm, ip, now)
        proof = parse_proof(values[0])
        # a nonce is good for the address that it was sent to: who sends in another's name has never seen it
        state = self._nonces.state(proof.nonce, now, source_of(ip))
        if state != "fresh" or proof.realm != directory.realm:
            raise self._challenge(directory.realm, ip, now, stale=state == "stale")
        known = directory.extension(proof.user)
        user = known.number if known else ""
        if self._throttle.holds_off(user, ip, port, now):
            raise PeerError("Too many failures, try later", 403, (("Retry-After", str(round(WINDOW_S))),))
        extension = self._proven(proof, request, directory)
        if extension is None:
            self._throttle.failed(user, ip, port, now)
            raise PeerError("Forbidden", 403)
        if self._replayed(proof):
            raise self._challenge(directory.realm, ip, now, stale=True)
        self._throttle.proved(user, ip, port)
        return extension

    def _proven(self, proof: Proof, request: Request, directory: Directory) -> Extension | None:
        extension = directory.extension(proof.user)
        secret = _NOBODY  # an unknown user costs the same work and gets the same answer
        if extension is not None:
            secret = extension.ha1_sha256 if proof.algorithm == "SHA-256" else extension.ha1_md5
        right = proves(proof, secret, request.method)
        if extension is None or not right or not secret or extension.kind != "phone":
            return None
        return extension if _may_say(request.from_, extension, directory) else None

    def _challenge(self, realm: str, ip: str, now: float, *, stale: bool = False) -> PeerError:
        nonce = self._nonces.make(now, source_of(ip))
        challenges = (Challenge(realm, nonce, algorithm, qop="auth", stale=stale) for algorithm in self._algorithms)
        return PeerError("Unauthorized", 401, tuple(("WWW-Authenticate", str(c)) for c in challenges))

    def _replayed(self, proof: Proof) -> bool:
        """A proof counts once: what was overheard is worth nothing (RFC 7616 5.4)."""
        key = f"{proof.nonce}{proof.nc}{proof.response}"
        if key in self._spent:
            return True
        self._spent[key] = None
        if len(self._spent) > _MOST_PROOFS:
            self._spent.popitem(last=False)
        return False


def _may_say(from_: NameAddr, extension: Extension, directory: Directory) -> bool:
    """Whether a phone of this extension may call itself so: as the extension, as nobody, or, by its rules, as a number
    of its own (SPEC 39)."""
    named = directory.extension(from_.uri.user)
    if named is not None:
        return named is extension
    return is_anonymous(from_) or extension.caller_id.number_by == "equipment"
