"""What the wire brings and a database can hold."""

from __future__ import annotations

import pytest

from store.text import storable


@pytest.mark.parametrize(("value", "stored"), [
    pytest.param("Mary", "Mary", id="plain"),
    pytest.param("Жан", "Жан", id="UTF-8"),
    pytest.param("Jos\udce9", "Jos?", id="a byte of Latin-1"),
    pytest.param("a\0b", "a?b", id="a NUL, which ends text for SQLite and is none for PostgreSQL"),
    pytest.param(7, 7, id="no text"),
    pytest.param(None, None, id="nothing"),
])
def test_storable(value: object, stored: object) -> None:
    assert storable(value) == stored
    str(stored).encode()
