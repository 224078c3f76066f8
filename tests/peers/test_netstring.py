from __future__ import annotations

import pytest

from tests.peers import netstring


@pytest.mark.parametrize(("buffer", "found", "left"), [
    pytest.param(b"", [], b"", id="nothing"),
    pytest.param(b"5:hello,", [b"hello"], b"", id="one"),
    pytest.param(b"1:a,0:,2:bc,", [b"a", b"", b"bc"], b"", id="three, one of them empty"),
    pytest.param(b"5:hel", [], b"5:hel", id="half a payload waits"),
    pytest.param(b"5:hello", [], b"5:hello", id="the comma is still missing"),
    pytest.param(b"1", [], b"1", id="half a length waits"),
    pytest.param(b"1:a,12", [b"a"], b"12", id="one, and half a length"),
    pytest.param(b"4:a,:b,", [b"a,:b"], b"", id="separators inside a payload"),
])
def test_decode(buffer: bytes, found: list[bytes], left: bytes) -> None:
    assert netstring.decode(buffer) == (found, left)


@pytest.mark.parametrize("buffer", [b"x:a,", b"hello", b":a,", b"1:ab,"])
def test_decode_refuses_what_is_not_a_netstring(buffer: bytes) -> None:
    with pytest.raises(netstring.NetstringError):
        netstring.decode(buffer)


def test_encode_counts_bytes() -> None:
    assert netstring.encode("é".encode()) == b"2:\xc3\xa9,"
