"""Errors that say who must act: here always the peer, with the status it is answered."""

from __future__ import annotations

__all__ = ["BadMessage", "PeerError"]


class PeerError(Exception):
    """The peer broke the protocol; `status` and `headers` are what it is answered (RFC 3261 21)."""

    def __init__(self, reason: str, status: int = 400, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.headers = headers


class BadMessage(PeerError):
    """Bytes that are not the SIP message they claim to be."""
