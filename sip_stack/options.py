"""What an INVITE of ours asks for beyond RFC 3261, and what we take part in when asked."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PLAIN", "InviteOptions"]


@dataclass(frozen=True, slots=True)
class InviteOptions:
    """How far ends of one kind are spoken to."""

    reliable: bool = False
    """100rel (RFC 3262): say that we know it when we invite, and use it with whoever knows it when we are invited."""
    session_s: int = 0
    """The session interval we ask for (RFC 4028); 0: none, and none is agreed to."""
    min_se_s: int = 90
    """The shortest one we agree to."""


PLAIN = InviteOptions()
