"""The token of a signed link: which key, which link, and the proof that we made it (SPEC A12.7); pure.

24 bytes as 32 letters: 2 of the key's number, 6 of the link's id, 16 of the HMAC-SHA256 over them. All else, the end,
the uses, the visitor's number, stays in the database: who reads a link learns nothing of them.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from enum import Enum

__all__ = ["ID_BYTES", "KEY_BYTES", "TokenFault", "make_token", "read_token"]

KEY_BYTES, ID_BYTES = 32, 6
_MAC_BYTES = 16  # RFC 2104 5: not less than half of the hash
_PURPOSE = b"ringback callnow link\0"


class TokenFault(Enum):
    """Why a token is not believed."""

    FORGED = "forged"
    """Not ours, or changed on the way."""
    DEAD_KEY = "dead key"
    """Of a key that signs nothing any more: it can no longer be told whether it was ours."""


def make_token(key_id: int, secret: bytes, link_id: str) -> str:
    """The token of a link; `link_id` is its 12 hex digits."""
    body = key_id.to_bytes(2) + bytes.fromhex(link_id)
    return urlsafe_b64encode(body + _mac(secret, body)).decode()


def read_token(token: str, keys: Mapping[int, bytes]) -> str | TokenFault:
    """The id of the link, once its signature is good; an empty key is one that is dead."""
    if not re.fullmatch("[A-Za-z0-9_-]{32}", token):  # 32 letters have no bit to spare: no two texts are one token
        return TokenFault.FORGED
    raw = urlsafe_b64decode(token)
    body, proof = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    secret = keys.get(int.from_bytes(body[:2]))
    if secret == b"":
        return TokenFault.DEAD_KEY
    if secret is None or not hmac.compare_digest(proof, _mac(secret, body)):
        return TokenFault.FORGED
    return body[2:].hex()


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE + body, "sha256")[:_MAC_BYTES]
