"""Passwords and PINs are kept as Argon2id hashes (RFC 9106)."""

from __future__ import annotations

import pytest

from b2bua.secret_hash import hash_secret, verify_secret

HASH = hash_secret("4321")


@pytest.mark.parametrize(("hashed", "text", "right"), [
    pytest.param(HASH, "4321", True, id="right"),
    pytest.param(HASH, "4322", False, id="wrong"),
    pytest.param(HASH, "432", False, id="shorter"),
    pytest.param(HASH, "", False, id="nothing"),
    pytest.param("", "4321", False, id="no hash"),
    pytest.param("4321", "4321", False, id="a hash that is none"),
    pytest.param(HASH[:-1], "4321", False, id="a hash cut off"),
])
def test_verify(hashed: str, text: str, right: bool) -> None:
    assert verify_secret(hashed, text) is right


def test_the_cost_and_a_fresh_salt() -> None:
    assert HASH.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_secret("4321") != HASH
