"""Text from the wire as a database can hold it."""

from __future__ import annotations

from typing import Any

__all__ = ["storable"]


def storable(value: Any) -> Any:
    """Text with its stray bytes of another encoding, and its NULs, as `?`; anything else as it is.

    What comes from the wire keeps such bytes as lone surrogates (PEP 383), which no database takes.
    """
    if isinstance(value, str) and not (value.isascii() and "\0" not in value):
        return value.encode("utf-8", "replace").decode().replace("\0", "?")
    return value
