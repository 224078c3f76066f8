"""Netstrings, the framing of baresip's ctrl_tcp: `5:hello,`."""

from __future__ import annotations

__all__ = ["NetstringError", "decode", "encode"]


class NetstringError(Exception):
    """The peer sent something else."""


def encode(payload: bytes) -> bytes:
    """Frame one payload."""
    return b"%d:%b," % (len(payload), payload)


def decode(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Split off every whole payload; the second value is what is left for later.  Raises: NetstringError."""
    found: list[bytes] = []
    while True:
        length, colon, rest = buffer.partition(b":")
        if not length.isdigit() and (colon or length):
            raise NetstringError(f"no length at {buffer[:20]!r}")
        if not colon or len(rest) <= int(length):
            return found, buffer
        if rest[int(length) : int(length) + 1] != b",":
            raise NetstringError(f"no comma after {int(length)} bytes")
        found.append(rest[: int(length)])
        buffer = rest[int(length) + 1 :]
