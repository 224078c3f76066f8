"""Tokens of signed links: only what we made is believed (SPEC A12.7)."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2bua.links.token import TokenFault, make_token, read_token

KEYS = {1: b"", 2: b"k" * 32, 300: b"m" * 32}
ID = "00ff5e7a9b01"
TOKEN = make_token(2, KEYS[2], ID)
LETTERS = string.ascii_letters + string.digits + "-_"


@pytest.mark.parametrize("key_id", [2, 300])
def test_a_token_is_read_back(key_id: int) -> None:
    token = make_token(key_id, KEYS[key_id], ID)
    assert len(token) == 32
    assert read_token(token, KEYS) == ID


@pytest.mark.parametrize(("token", "fault"), [
    pytest.param("", TokenFault.FORGED, id="none"),
    pytest.param("A" * 32, TokenFault.FORGED, id="key 0 was never there"),
    pytest.param(TOKEN[:-1], TokenFault.FORGED, id="a letter short"),
    pytest.param(TOKEN + "=", TokenFault.FORGED, id="padding"),
    pytest.param(TOKEN + "\n", TokenFault.FORGED, id="a line end"),
    pytest.param(" " + TOKEN, TokenFault.FORGED, id="a blank"),
    pytest.param("é" * 32, TokenFault.FORGED, id="letters that base64 has not"),
    pytest.param(make_token(2, b"x" * 32, ID), TokenFault.FORGED, id="signed by somebody else"),
    pytest.param(make_token(300, KEYS[2], ID), TokenFault.FORGED, id="signed by another key than it says"),
    pytest.param(make_token(1, b"k" * 32, ID), TokenFault.DEAD_KEY, id="a key that is dead"),
    pytest.param(make_token(1, b"", ID), TokenFault.DEAD_KEY, id="signed by the emptiness that a dead key is"),
    pytest.param(make_token(7, b"k" * 32, ID), TokenFault.FORGED, id="a key that was never there"),
])
def test_what_is_not_ours_is_refused(token: str, fault: TokenFault) -> None:
    assert read_token(token, KEYS) is fault


def test_a_letter_has_no_other_spelling() -> None:
    """Plain base64 writes the same two letters as + and /."""
    tokens = [make_token(2, KEYS[2], f"{n:012x}") for n in range(99)]
    assert {letter for token in tokens for letter in token} >= {"-", "_"}
    for token in tokens:
        other = token.replace("-", "+").replace("_", "/")
        assert isinstance(read_token(other, KEYS), TokenFault) == (other != token)


@given(st.integers(0, 31), st.sampled_from(LETTERS))
def test_any_changed_letter_is_refused(at: int, letter: str) -> None:
    changed = TOKEN[:at] + letter + TOKEN[at + 1 :]
    assert (read_token(changed, KEYS) == ID) == (changed == TOKEN)
    assert isinstance(read_token(changed, KEYS), TokenFault) or changed == TOKEN


@given(st.text(max_size=40))
def test_any_text_is_refused(text: str) -> None:
    assert isinstance(read_token(text, KEYS), TokenFault)


@given(st.integers(0, 2**16 - 1), st.binary(min_size=32, max_size=32), st.binary(min_size=6, max_size=6))
def test_every_link_of_every_key_is_read_back(key_id: int, secret: bytes, link_id: bytes) -> None:
    assert read_token(make_token(key_id, secret, link_id.hex()), {key_id: secret}) == link_id.hex()
