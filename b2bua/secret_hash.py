"""Hashes of passwords and PINs that callers key in. Some 20 ms of work: never on the loop, nor in a database job."""

from __future__ import annotations

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

__all__ = ["hash_secret", "keep_hash", "verify_secret"]

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)


def hash_secret(text: str) -> str:
    """Hash a secret with a fresh salt.  RFC 9106, Argon2id."""
    return _HASHER.hash(text)


def verify_secret(hashed: str, text: str) -> bool:
    """Whether this is the secret, in a time that does not tell; False for what is no hash."""
    try:
        return _HASHER.verify(hashed, text)
    except (Argon2Error, InvalidHashError):
        return False


def keep_hash(hashed: str, text: str) -> str:
    """The hash of the secret: the one there is when it fits, so that nothing changes; empty for no secret."""
    if not text:
        return ""
    return hashed if hashed and verify_secret(hashed, text) else hash_secret(text)
